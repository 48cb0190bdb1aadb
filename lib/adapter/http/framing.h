/* framing: does an HTTP request say without doubt where it ends? What two servers in a chain may
 * read differently lets one request be smuggled inside another (RFC 9112, 6.3 and 11.2).
 * Owns nothing. Pure. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/span.h"

/* A zeroed struct is a request without header fields. */
struct framing {
    unsigned hosts, lengths, encodings;
    const char *fault;
};

/* Looks at one header field as it stands in the request. */
void framing_field(struct framing *f, struct span name, struct span value);
/* After the last field: what is wrong, NULL if nothing is. newest: HTTP/1.1, not 1.0. */
const char *framing_fault(const struct framing *f, bool newest);
