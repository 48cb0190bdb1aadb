/* listener: a listening TCP socket for an address in text. Owns nothing: the socket is the
 * caller's. Any thread; a name is resolved while the caller waits. POSIX sockets.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/buf.h"

/* Listens on text: 127.0.0.1:9880, [::1]:9880, name:9880, or *:9880 (every address, IPv6 and IPv4);
 * port 0 picks a free one. Returns the socket (non-blocking, close-on-exec), appends HOST:PORT with
 * the real port to *address, and sets *is_loopback: only this machine can reach it. -1 with err;
 * *is_config_error: text can never work; otherwise the system refused (in use, no such address,
 * not permitted). */
int listener_open(const char *text, struct buf *address, bool *is_loopback, bool *is_config_error,
                  struct err *err);
