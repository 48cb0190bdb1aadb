/* file: see file.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* One byte more than allowed is read, to see whether the file ends in time. */
int file_read_fd(struct buf *out, int fd, const char *path, size_t bytes_max, struct err *err) {
    char *to = buf_room(out, bytes_max + 1);
    size_t n = 0;
    while (n <= bytes_max) {
        const ssize_t got = read(fd, to + n, bytes_max + 1 - n);
        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
        else if (errno != EINTR)
            return err_set(err, "cannot read %s: %s", path, strerror(errno));
    }
    if (n > bytes_max)
        return err_set(err, "%s is larger than %zu bytes", path, bytes_max);
    out->n += n;
    out->p[out->n] = '\0';
    return 0;
}

int file_read(struct buf *out, const char *path, size_t bytes_max, struct err *err) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    const int failed = file_read_fd(out, fd, path, bytes_max, err);
    close(fd);
    return failed;
}
