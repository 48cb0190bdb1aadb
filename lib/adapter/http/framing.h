/* framing: does an HTTP request leave no doubt where it ends? What two servers in a chain may read
 * differently lets one request be smuggled inside another (RFC 9112, 6.3 and 11.2). Owns nothing.
 * Pure. Any thread. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/span.h"

/* A zeroed struct is a request without header fields. */
struct framing {
    unsigned hosts, lengths, encodings; /* how many of these fields there are */
    const char *fault;                  /* of a single field, NULL: none */
};

/* Looks at one header field, whose spans must point into the request as it was received. */
void framing_field(struct framing *f, struct span name, struct span value);
/* After the last field: why the request must be refused with 400, NULL: it need not. is_newest:
 * HTTP/1.1, not 1.0. */
const char *framing_fault(const struct framing *f, bool is_newest);
