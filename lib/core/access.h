/* access: who may post: by basic authentication or a bearer token (RFC 7617, RFC 6750), and from
 * which web pages (CORS). Owns the expected credentials. Pure. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"
#include "../base/strlist.h"

/* A zeroed struct lets everybody post, but no web page. */
struct access {
    struct buf basic, token;        /* what follows the scheme; empty: this scheme is not taken */
    const struct str_list *origins; /* exact, or "*"; borrowed; NULL: none */
};

/* user and token may be "". */
void access_init(struct access *a, const char *user, const char *password, const char *token,
                 const struct str_list *origins);
void access_release(struct access *a);
/* Does it ask for credentials at all? */
bool access_asks(const struct access *a);
/* Is this Authorization value (.p NULL: none) good enough? How long it takes tells nothing about
 * the secret, its length included. */
bool access_allows(const struct access *a, struct span authorization);
/* The WWW-Authenticate value for those who are not allowed. */
const char *access_challenge(const struct access *a);

enum access_page {
    ACCESS_NO_PAGE, /* no Origin, or CORS is off: a program, not a web page */
    ACCESS_PAGE,    /* *allow goes into Access-Control-Allow-Origin */
    ACCESS_FOREIGN  /* a web page of an origin that may not post */
};
enum access_page access_page(const struct access *a, struct span origin, const char **allow);
