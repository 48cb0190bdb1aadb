/* buf: see buf.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "mem.h"
#include "utf8.h"

char *buf_room(struct buf *b, size_t n) {
    if (n > SIZE_MAX / 2 - b->n)
        mem_abort();
    if (b->n + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < b->n + n + 1)
            cap *= 2;
        b->p = mem_realloc(b->p, cap, 1);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *bytes, size_t n) {
    char *to = buf_room(b, n);
    if (n)
        memcpy(to, bytes, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_span(struct buf *b, struct span s) {
    buf_add(b, s.p, s.n);
}

void buf_text(struct buf *b, const char *text) {
    buf_add(b, text, strlen(text));
}

void buf_char(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...) {
    size_t n;
    va_list args;
    va_start(args, format);
    char *text = mem_vprintf(&n, format, args);
    va_end(args);
    buf_add(b, text, n);
    free(text);
}

/* Adds c, which a JSON string can't hold as it is. */
static void buf_json_escape(struct buf *b, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t n = 2;
    switch (c) {
    case '"':
    case '\\':
        escape[1] = (char)c;
        break;
    case '\n':
        escape[1] = 'n';
        break;
    case '\t':
        escape[1] = 't';
        break;
    default:
        n = sizeof escape;
    }
    buf_add(b, escape, n);
}

void buf_json(struct buf *b, struct span s) {
    if (!s.p) {
        buf_text(b, "null");
        return;
    }
    buf_char(b, '"');
    size_t plain = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(b, s.p + plain, i - plain);
        plain = i + 1;
        buf_json_escape(b, c);
    }
    if (s.n > plain)
        buf_add(b, s.p + plain, s.n - plain);
    buf_char(b, '"');
}

void buf_printable(struct buf *b, struct span s) {
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = utf8_sequence(s.p + i, s.n - i);
        bool control =
            c < 0x20 || c == 0x7f || (len == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0);
        if (len && !control) {
            buf_add(b, s.p + i, len);
            i += len;
            continue;
        }
        if (c == '\n')
            buf_text(b, "\\n");
        else if (c == '\t')
            buf_text(b, "\\t");
        else
            buf_printf(b, "\\x%02x", c);
        i++;
        if (len == 2 && control)
            buf_printf(b, "\\x%02x", (unsigned char)s.p[i++]);
    }
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void buf_base64(struct buf *b, struct span s) {
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        unsigned v = (unsigned)(unsigned char)s.p[i] << 16;
        if (left > 1)
            v |= (unsigned)(unsigned char)s.p[i + 1] << 8;
        if (left > 2)
            v |= (unsigned char)s.p[i + 2];
        char four[4] = {base64[v >> 18], base64[v >> 12 & 63], left > 1 ? base64[v >> 6 & 63] : '=',
                        left > 2 ? base64[v & 63] : '='};
        buf_add(b, four, 4);
    }
}

bool buf_unbase64(struct buf *b, struct span s) {
    size_t pads = 0;
    while (pads < 2 && pads < s.n && s.p[s.n - 1 - pads] == '=')
        pads++;
    unsigned v = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *digit = i < s.n - pads ? memchr(base64, s.p[i], sizeof base64 - 1) : base64;
        if (!digit)
            return false;
        v = v << 6 | (unsigned)(digit - base64);
        char three[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        if (i % 4 == 3)
            buf_add(b, three, i + 1 == s.n ? 3 - pads : 3);
    }
    return s.n % 4 == 0;
}

int buf_fd(struct buf *b, int fd, const char *path, size_t most, struct err *err) {
    char *at = buf_room(b, most + 1);
    size_t n = 0;
    ssize_t got;
    do {
        got = read(fd, at + n, most + 1 - n);
        if (got > 0)
            n += (size_t)got;
    } while (n <= most && (got > 0 || (got < 0 && errno == EINTR)));
    if (got < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    if (n > most)
        return err_set(err, "%s is larger than %zu bytes", path, most);
    b->n += n;
    b->p[b->n] = '\0';
    return 0;
}

int buf_file(struct buf *b, const char *path, size_t most, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(errno));
    int failed = buf_fd(b, fd, path, most, err);
    close(fd);
    return failed;
}

void buf_clear(struct buf *b) {
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

void buf_release(struct buf *b) {
    free(b->p);
    *b = (struct buf){0};
}
