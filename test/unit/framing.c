/* framing: whether the headers of a request determine its end unambiguously. test/cli/in_http.py
 * checks the same on a real server. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lib/adapter/http/framing.h"

/* Reads fields that stand in text as libmicrohttpd leaves them: "NAME\0VALUE\0", one after the
 * other. */
static const char *fault_of(const char *text, size_t n, bool newest) {
    struct framing f = {0};
    for (size_t at = 0; at < n;) {
        struct span name = span_of(text + at);
        struct span value = span_of(text + at + name.n + 1 + strspn(text + at + name.n + 1, " \t"));
        framing_field(&f, name, value);
        at = (size_t)(value.p - text) + value.n + 1;
    }
    return framing_fault(&f, newest);
}

#define NEWEST(text) fault_of(text "", sizeof(text) - 1, true)
#define OLDER(text)  fault_of(text "", sizeof(text) - 1, false)
#define HOST         "Host\0 x\0"

static void unambiguous_requests_are_accepted(void **state) {
    (void)state;
    assert_null(NEWEST(HOST));
    assert_null(NEWEST(HOST "Content-Length\0 2\0"));
    assert_null(NEWEST(HOST "content-length\0"
                            "2\0"));
    assert_null(NEWEST(HOST "Transfer-Encoding\0 Chunked\0"));
    assert_null(NEWEST(HOST "X\0 a\tb\0"));
    assert_null(OLDER(""));
    assert_null(OLDER("Content-Length\0 2\0"));
}

static void ambiguous_requests_are_refused(void **state) {
    (void)state;
    static const char host[] = "exactly one Host header is required",
                      name[] = "the name of a header field has an invalid character",
                      folded[] = "folded header fields are not accepted";
#define REFUSED(text, why) assert_memory_equal(NEWEST(text), why, strlen(why))
    REFUSED("", host);
    REFUSED(HOST HOST, host);
    assert_string_equal(OLDER(HOST HOST), host);
    REFUSED(HOST "Content-Length\0 2\0Content-Length\0 2\0", "more than one Content-Length");
    REFUSED(HOST "Transfer-Encoding\0 chunked\0transfer-encoding\0 chunked\0",
            "more than one Transfer-Encoding");
    REFUSED(HOST "Content-Length\0 2\0Transfer-Encoding\0 chunked\0",
            "Content-Length together with Transfer-Encoding");
    assert_string_equal(OLDER("Transfer-Encoding\0 chunked\0"),
                        "Transfer-Encoding requires HTTP/1.1");
    REFUSED(HOST "Content-Length\0 +2\0", "Content-Length is not a number");
    REFUSED(HOST "Content-Length\0\0", "Content-Length is not a number");
    REFUSED(HOST "Content-Length\0 2 \0", "Content-Length is not a number");
    REFUSED(HOST "Transfer-Encoding\0 xchunked\0",
            "the only Transfer-Encoding accepted is chunked");
    REFUSED(HOST "Transfer-Encoding\0 gzip, chunked\0",
            "the only Transfer-Encoding accepted is chunked");
    REFUSED(HOST "Content Length\0 2\0", name);
    REFUSED(HOST "\0 2\0", name);
    REFUSED(HOST "X:Y\0 2\0", name);
    REFUSED(HOST "X\0 a\rb\0", "a header field has a control character");
    REFUSED(HOST "X\0 a\x7f\0", "a header field has a control character");
    REFUSED(HOST "Content-Lengthy\0 2\0",
            folded); /* how libmicrohttpd presents a name that is followed by a fold */
}

/* libmicrohttpd copies a folded name to memory that is not adjacent to the value. */
static void folded_names_are_refused_wherever_they_are_stored(void **state) {
    (void)state;
    static const char text[] = "Content-Length\0x\0"
                               "2\0Content-Length";
    struct framing f = {.hosts = 1};
    framing_field(&f, (struct span){text, 14}, (struct span){text + 17, 1});
    assert_string_equal(framing_fault(&f, true), "folded header fields are not accepted");
    f = (struct framing){.hosts = 1};
    framing_field(&f, (struct span){text + 19, 14}, (struct span){text + 17, 1});
    assert_string_equal(framing_fault(&f, true), "folded header fields are not accepted");
    /* Found by the fuzzer: a folded Host, which another server would see as two. */
    static const char host[] = "Host\0\tx\0Hostchunked";
    f = (struct framing){.hosts = 1};
    framing_field(&f, (struct span){host + 8, 11}, (struct span){host + 6, 1});
    assert_string_equal(framing_fault(&f, true), "folded header fields are not accepted");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unambiguous_requests_are_accepted),
        cmocka_unit_test(ambiguous_requests_are_refused),
        cmocka_unit_test(folded_names_are_refused_wherever_they_are_stored)};
    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
