/* access: who may post: by basic authentication or a bearer token (RFC 7617, RFC 6750), and from
 * which web pages (CORS). Owns the expected credentials. Pure. Any thread, once it is set up.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"
#include "../base/strlist.h"

/* A zeroed struct lets every program post, and no web page. */
struct access {
    struct buf basic, token; /* what follows the scheme; empty: the scheme is not accepted */
    const struct str_list
        *origins; /* of pages that may post: exact, or "*"; borrowed; NULL: none */
};

/* user, password and token are copied; user and token may be "". origins is borrowed until
 * access_release. */
void access_init(struct access *a, const char *user, const char *password, const char *token,
                 const struct str_list *origins);
void access_release(struct access *a);

/* Whether credentials are required at all. */
bool access_is_required(const struct access *a);
/* Whether a request with this Authorization value (.p NULL: none) may post. The time it takes
 * depends on the value alone, and reveals nothing about the secret, not even its length. */
bool access_allows(const struct access *a, struct span authorization);
/* The WWW-Authenticate value for a request that may not: a constant. */
const char *access_challenge(const struct access *a);

enum access_origin {
    ACCESS_ORIGIN_NONE,    /* no Origin, or CORS is off: a program, not a web page */
    ACCESS_ORIGIN_ALLOWED, /* *allow goes into Access-Control-Allow-Origin */
    ACCESS_ORIGIN_DENIED   /* a web page of an origin that may not post */
};
/* Judges the Origin of a request (.p NULL: none). *allow is set to one of the origins, or NULL. */
enum access_origin access_check_origin(const struct access *a, struct span origin,
                                       const char **allow);
