/* Tests of base/log. Standard error is a datagram socket while a message is written: each write()
 * becomes one datagram.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../lib/base/datetime.h"
#include "../../lib/base/log.h"

static int stderr_socket, reader; /* two ends of one socket */

static int connect_sockets(void **state) {
    (void)state;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    stderr_socket = ends[0];
    reader = ends[1];
    return 0;
}

static int close_sockets(void **state) {
    (void)state;
    close(stderr_socket);
    close(reader);
    return 0;
}

/* Makes the socket standard error. Returns what that was. */
static int redirect_stderr(void) {
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0);
    dup2(stderr_socket, STDERR_FILENO);
    return before;
}

static void restore_stderr(int before) {
    dup2(before, STDERR_FILENO);
    close(before);
}

/* Logs text; line becomes what one write() wrote, without its newline: "" if there was none. More
 * than one write() fails the test. */
static void logged(const struct log *log, enum log_level level, const char *text,
                   char line[16384]) {
    int before = redirect_stderr();
    log_write(log, level, "%s", text);
    restore_stderr(before);
    ssize_t n = recv(reader, line, 16383, MSG_DONTWAIT);
    if (n < 0)
        n = 0;
    line[n] = '\0';
    if (n > 0) {
        assert_int_equal(line[n - 1], '\n');
        line[n - 1] = '\0';
        assert_null(strchr(line, '\n'));
    }
    char more[1];
    assert_int_equal(recv(reader, more, sizeof more, MSG_DONTWAIT), -1);
}

static void test_levels(void **state) {
    (void)state;
    char line[16384];
    for (int least = LOG_ERROR; least <= LOG_DEBUG; least++) {
        struct log log = {.prefix = "p", .level = (enum log_level)least, .format = LOG_TEXT};
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
            logged(&log, (enum log_level)level, "m", line);
            assert_string_equal(line, level <= least ? "p: m" : "");
        }
    }
}

static void test_macros(void **state) {
    (void)state;
    struct log log = {.prefix = "p", .level = LOG_DEBUG, .format = LOG_JOURNAL};
    int before = redirect_stderr();
    log_error(&log, "%d", 1);
    log_warn(&log, "%d", 2);
    log_info(&log, "%d", 3);
    log_debug(&log, "%d", 4);
    restore_stderr(before);
    static const char *const lines[] = {"<3>p: 1\n", "<4>p: 2\n", "<6>p: 3\n", "<7>p: 4\n"};
    for (size_t i = 0; i < 4; i++) {
        char line[64];
        ssize_t n = recv(reader, line, sizeof line - 1, MSG_DONTWAIT);
        assert_true(n > 0);
        line[n] = '\0';
        assert_string_equal(line, lines[i]);
    }
}

static void test_text(void **state) {
    (void)state;
    char line[16384];
    struct log log = {.prefix = "distlog store", .level = LOG_INFO, .format = LOG_TEXT};
    logged(&log, LOG_WARN, "a\nb\t\x1b[1m\xc3\xa9\xff", line);
    assert_string_equal(line, "distlog store: a\\nb\\t\\x1b[1m\xc3\xa9\\xff");
}

/* Logs text as JSON and compares each member that jansson reads. */
static void logged_as_json(const char *text, const char *message) {
    char line[16384];
    struct log log = {.prefix = "distlog \"x\"", .level = LOG_INFO, .format = LOG_JSON};
    logged(&log, LOG_WARN, text, line);
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("%s: %s", error.text, line);
    assert_int_equal(json_object_size(object), 4);
    int64_t ms;
    assert_true(
        datetime_parse_zoned(span_of(json_string_value(json_object_get(object, "time"))), &ms));
    assert_string_equal(json_string_value(json_object_get(object, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(object, "source")), "distlog \"x\"");
    assert_string_equal(json_string_value(json_object_get(object, "message")), message);
    json_decref(object);
}

static void test_json(void **state) {
    (void)state;
    logged_as_json("", "");
    logged_as_json("it's \"done\" \\ \xc3\xa9\xf0\x9f\x98\x80",
                   "it's \"done\" \\ \xc3\xa9\xf0\x9f\x98\x80");
    logged_as_json("\x01\b\t\n\r\x1f\x7f", "\\x01\\x08\\t\\n\\x0d\\x1f\\x7f");
    logged_as_json("\xc2\x9b", "\\xc2\\x9b");
    logged_as_json("\xff\xc3(\xed\xa0\x80\xf0\x9f", "\\xff\\xc3(\\xed\\xa0\\x80\\xf0\\x9f");
}

/* A long message is cut off; what the cut leaves of a character is escaped. */
static void test_cut(void **state) {
    (void)state;
    enum { KEPT = 2047 };
    char text[3000];
    struct buf expected = {0};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + KEPT - 1, "\xc3\xa9", 2);
    buf_add(&expected, text, KEPT - 1);
    buf_text(&expected, "\\xc3");
    logged_as_json(text, expected.p);
    buf_release(&expected);
}

/* The format of log_default while standard error is the socket. */
static enum log_format default_format(const char *journal_stream) {
    if (journal_stream)
        setenv("JOURNAL_STREAM", journal_stream, 1);
    else
        unsetenv("JOURNAL_STREAM");
    int before = redirect_stderr();
    struct log log = log_default("p");
    restore_stderr(before);
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(log.level, LOG_INFO);
    assert_string_equal(log.prefix, "p");
    return log.format;
}

static void test_journal_stream(void **state) {
    (void)state;
    struct stat own;
    char name[64];
    assert_int_equal(fstat(stderr_socket, &own), 0);
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)own.st_dev, (uintmax_t)own.st_ino);
    assert_int_equal(default_format(name), LOG_JOURNAL);
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)own.st_dev, (uintmax_t)own.st_ino + 1);
    assert_int_equal(default_format(name), LOG_TEXT);
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)own.st_dev + 1, (uintmax_t)own.st_ino);
    assert_int_equal(default_format(name), LOG_TEXT);
    assert_int_equal(default_format(""), LOG_TEXT);
    assert_int_equal(default_format(NULL), LOG_TEXT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels), cmocka_unit_test(test_macros),
        cmocka_unit_test(test_text),   cmocka_unit_test(test_json),
        cmocka_unit_test(test_cut),    cmocka_unit_test(test_journal_stream),
    };
    return cmocka_run_group_tests_name("log", tests, connect_sockets, close_sockets);
}
