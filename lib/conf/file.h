/* file: reads small files whole. Owns nothing. Any thread. libc only.
 * Adapters and commands use it too, for certificates and for what the kernel shows as files.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/buf.h"

/* Appends the content of the file at path to out. A file of more than bytes_max bytes is an error.
 * Returns 0, or -1 with err. */
int file_read(struct buf *out, const char *path, size_t bytes_max, struct err *err);
/* The same for an open descriptor, which stays open; path names it in err. */
int file_read_fd(struct buf *out, int fd, const char *path, size_t bytes_max, struct err *err);
