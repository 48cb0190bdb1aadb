/* listener: a listening TCP socket from "HOST:PORT".
 * Owns nothing: the socket is the caller's. Main thread. POSIX sockets.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../../base/buf.h"

/* Listens on text: 127.0.0.1:9880, [::1]:9880, name:9880, *:9880 (every address, IPv6 and IPv4);
 * port 0 takes a free one. Adds HOST:PORT with the real port to *address; *loopback: only this
 * machine can reach it. The socket (non-blocking, close-on-exec), or -1 with err; *hopeless: text
 * can never work, where otherwise the system refused (in use, not ours, not allowed). */
int listener_open(const char *text, struct buf *address, bool *loopback, bool *hopeless,
                  struct err *err);
