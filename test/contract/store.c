/* test/contract/store: the contract of port/store.h, checked on any engine. DISTLOG_STORE_TYPE and
 * the other DISTLOG_STORE_… variables choose the engine; the default is the embedded one, in a
 * temporary folder. Each case has its own index.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/base/arena.h"
#include "../../lib/base/escape.h"
#include "../../lib/engines.h"

static struct {
    struct conf *conf;
    char folder[64], index[40];
    int cases;
    struct arena arena; /* the records of a case */
} test;

static struct store *open_store(bool create) {
    struct store *store;
    struct err err;
    if (engines_open_store(test.conf, create, &store, &err) != STORE_OK)
        fail_msg("open: %s", err.text);
    return store_check(store);
}

static void set(const char *key, const char *value) {
    struct err err;
    if (conf_set(test.conf, key, span_of(value), OPT_COMMAND_LINE, "test", &err) != 0)
        fail_msg("%s", err.text);
}

static int set_up(void **state) {
    snprintf(test.index, sizeof test.index, "contract-%d-%d", (int)getpid(), ++test.cases);
    set("store.index", test.index);
    *state = open_store(true);
    return 0;
}

static const struct store_query all = {
    .level = "", .type = "", .node = "", .service = "", .text = "", .limit = -1};

/* The ids that were found, each followed by a space. */
static bool add_id(void *ctx, const struct store_hit *hit) {
    buf_span(ctx, hit->id);
    buf_char(ctx, ' ');
    return true;
}

static const char *ids(struct store *s, struct store_query q) {
    static struct buf found;
    struct err err = {""};
    buf_clear(&found);
    buf_text(&found, "");
    s->engine->refresh(s);
    if (s->engine->search(s, &q, add_id, &found, &err) != STORE_OK)
        fail_msg("search: %s", err.text);
    return found.p;
}

static uint64_t erase(struct store *s, struct store_query q, bool dry_run) {
    struct err err = {""};
    struct buf answer = {0};
    uint64_t count = 0;
    s->engine->refresh(s);
    if (s->engine->delete_matching(s, &q, dry_run, NULL, &count, &answer, &err) != STORE_OK)
        fail_msg("erase: %s", err.text);
    buf_release(&answer);
    return count;
}

static int tear_down(void **state) {
    struct store *s = *state;
    erase(s, all, false);
    s->engine->close(s);
    arena_clear(&test.arena);
    return 0;
}

/* Builds the record that the spans belong to, for engines that parse it themselves. */
static struct span record(const struct store_doc *d) {
    const struct {
        const char *key;
        struct span value;
    } fields[] = {{"log_id", d->log_id},   {"node_id", d->node},      {"service_name", d->service},
                  {"log_level", d->level}, {"message_type", d->type}, {"message", d->message}};
    struct buf json = {0};
    buf_text(&json, "{\"k\":\"v\"");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!fields[i].value.p)
            continue;
        buf_printf(&json, ",\"%s\":", fields[i].key);
        escape_json(&json, fields[i].value);
    }
    buf_char(&json, '}');
    struct span s = arena_span(&test.arena, buf_view(&json));
    buf_release(&json);
    return s;
}

static void bulk(struct store *s, struct store_doc *docs, size_t n) {
    struct err err = {""};
    for (size_t i = 0; i < n; i++)
        if (span_is(docs[i].json, "{\"k\":\"v\"}"))
            docs[i].json = record(&docs[i]);
    if (s->engine->bulk(s, docs, n, &err) != STORE_OK)
        fail_msg("bulk: %s", err.text);
}

static struct store_doc doc(const char *id, int64_t at_ms) {
    return (struct store_doc){.id = span_of(id), .json = SPAN_LIT("{\"k\":\"v\"}"), .at_ms = at_ms};
}

static enum store_verdict add(struct store *s, struct store_doc d) {
    bulk(s, &d, 1);
    return d.verdict;
}

static void documents_are_stored_once(void **state) {
    struct store *s = *state;
    struct store_doc three[] = {doc("a", 1000), doc("b", 2000), doc("a", 3000)};
    bulk(s, three, 3);
    assert_int_equal(three[0].verdict, STORE_STORED);
    assert_int_equal(three[1].verdict, STORE_STORED);
    assert_int_equal(three[2].verdict, STORE_EXISTS);
    three[0].verdict = three[1].verdict = STORE_PENDING;
    three[2].verdict = STORE_POISON;
    snprintf(three[2].reason, sizeof three[2].reason, "too bad");
    bulk(s, three, 3);
    assert_int_equal(three[0].verdict, STORE_EXISTS);
    assert_int_equal(three[1].verdict, STORE_EXISTS);
    assert_int_equal(three[2].verdict, STORE_POISON); /* already judged, so left unchanged */
    assert_string_equal(ids(s, all), "b a ");
    bulk(s, three, 0);
}

static void indices_are_separate(void **state) {
    struct store *s = *state;
    add(s, doc("a", 1000));
    char index[64];
    snprintf(index, sizeof index, "%s-other", test.index);
    set("store.index", index);
    struct store *other = open_store(true);
    assert_string_equal(ids(other, all), "");
    assert_int_equal(add(other, doc("a", 1000)), STORE_STORED);
    assert_int_equal(erase(other, all, false), 1);
    other->engine->close(other);
    set("store.index", test.index);
    assert_string_equal(ids(s, all), "a ");
}

static void hits_come_in_the_requested_order(void **state) {
    struct store *s = *state;
    struct store_doc docs[] = {doc("1", 1000), doc("9", 9000), doc("p", 5000), doc("q", 5000),
                               doc("r", 5000), doc("s", 5000), doc("t", 5000), doc("u", 5000)};
    docs[2].log_id = SPAN_LIT("b"), docs[3].log_id = SPAN_LIT("a");
    docs[4].node = SPAN_LIT("n2"), docs[5].node = SPAN_LIT("n1");
    docs[6].type = SPAN_LIT("HEARTBEAT");
    bulk(s, docs, 8);
    assert_string_equal(ids(s, all), "9 q p s r t u 1 ");
    struct store_query q = all;
    q.oldest_first = true;
    assert_string_equal(ids(s, q), "1 q p s r t u 9 ");
    q.limit = 3;
    assert_string_equal(ids(s, q), "1 q p ");
    q.limit = 0;
    assert_string_equal(ids(s, q), "");
}

static void filters_match_exactly(void **state) {
    struct store *s = *state;
    struct store_doc docs[] = {doc("a", 1000), doc("b", 2000), doc("c", 3000), doc("d", 4000)};
    docs[0].level = SPAN_LIT("ERROR"), docs[0].node = SPAN_LIT("node_01");
    docs[1].level = SPAN_LIT("INFO"), docs[1].node = SPAN_LIT("node_01");
    docs[2].type = SPAN_LIT("HEARTBEAT"), docs[2].node = SPAN_LIT("node_02");
    docs[3].level = SPAN_LIT("ERROR"), docs[3].service = SPAN_LIT("Order Service");
    bulk(s, docs, 4);
    struct store_query q = all;
    q.level = "ERROR";
    assert_string_equal(ids(s, q), "d a ");
    q.node = "node_01";
    assert_string_equal(ids(s, q), "a ");
    q.level = "";
    assert_string_equal(ids(s, q), "b a ");
    q.node = "node_0";
    assert_string_equal(ids(s, q), "");
    q = all, q.type = "HEARTBEAT";
    assert_string_equal(ids(s, q), "c ");
    q = all, q.service = "Order Service";
    assert_string_equal(ids(s, q), "d ");
    q.service = "Order";
    assert_string_equal(ids(s, q), "");
    q.service = "' OR 1=1 --";
    assert_string_equal(ids(s, q), "");
}

static void since_is_inclusive_and_until_exclusive(void **state) {
    struct store *s = *state;
    struct store_doc docs[] = {doc("a", 1000), doc("b", 2000), doc("c", 3000)};
    bulk(s, docs, 3);
    struct store_query q = all;
    q.since_ms = 2000;
    assert_string_equal(ids(s, q), "c b "); /* since is inclusive */
    q.until_ms = 3000;
    assert_string_equal(ids(s, q), "b "); /* until is exclusive */
    q.since_ms = 2001;
    assert_string_equal(ids(s, q), "");
    q.since_ms = 0;
    assert_string_equal(ids(s, q), "b a ");
}

static void all_words_of_the_text_must_match(void **state) {
    struct store *s = *state;
    struct store_doc docs[] = {doc("a", 3000), doc("b", 2000), doc("c", 1000), doc("none", 500)};
    docs[0].message = SPAN_LIT("Sample log message from node_01, foo-bar \"quoted\"");
    docs[1].message = SPAN_LIT("\xc3\x9c"
                               "berfall im caf\xc3\xa9 \xe6\x97\xa5");
    docs[2].message = SPAN_LIT("a message, and another");
    bulk(s, docs, 4);
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"message", "a c "},
        {"MESSAGE sample", "a "},
        {"sample another", ""},
        {"mess", ""},
        {"node_01", "a "},
        {"foo-bar", "a "},
        {"\"quoted\"", "a "},
        {"\xc3\xbc"
         "berfall CAF\xc3\x89",
         "b "},
        {"cafe", ""},
        /* Operators and syntax errors of an engine's query language are plain text. */
        {"\"", ""},
        {"*", ""},
        {"sampl*", ""},
        {"message:sample", "a "},
        {"NOT message", ""},
        {"message AND another", "c "},
        {"NEAR(message another)", ""},
        {"(((", ""},
        {"^message", "a c "},
        {"{message}: + - ' \\ ~ / [", "a c "},
        {"\xf0\x9f\x98\x80", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_query q = all;
        q.text = cases[i].text;
        const char *found = ids(s, q);
        if (strcmp(found, cases[i].found) != 0)
            fail_msg("%s found: %s", q.text, found);
    }
}

static void a_cursor_finds_only_new_documents(void **state) {
    struct store *s = *state;
    char cursor[STORE_CURSOR] = "";
    struct store_query q = all;
    q.cursor = cursor;
    q.level = "ERROR";
    q.oldest_first = true;
    struct store_doc d = doc("before", 9000);
    d.level = SPAN_LIT("ERROR");
    add(s, d);
    assert_string_equal(ids(s, q), "");
    assert_string_equal(ids(s, q), "");
    d.id = SPAN_LIT("late"), d.at_ms = 1000; /* stored later, though its time is earlier */
    add(s, d);
    d.id = SPAN_LIT("later"), d.at_ms = 500;
    add(s, d);
    add(s, doc("other", 9500));
    assert_string_equal(ids(s, q), "later late ");
    assert_string_equal(ids(s, q), "");
    assert_int_equal(erase(s, all, false), 4);
    assert_string_equal(ids(s, q), "");
    d.id = SPAN_LIT("last");
    add(s, d);
    assert_string_equal(ids(s, q), "last ");
}

static void matching_documents_are_deleted(void **state) {
    struct store *s = *state;
    struct store_doc docs[] = {doc("a", 1000), doc("b", 2000), doc("c", 3000), doc("d", 4000)};
    docs[0].message = SPAN_LIT("red apple");
    docs[1].message = SPAN_LIT("red pear");
    docs[2].level = SPAN_LIT("WARN");
    bulk(s, docs, 4);
    struct store_query red = all, warn = all, old = all;
    red.text = "red";
    warn.level = "WARN";
    old.until_ms = 2000;
    assert_int_equal(erase(s, red, true), 2);
    assert_string_equal(ids(s, all), "d c b a ");
    old.limit = 0; /* ignored */
    assert_int_equal(erase(s, old, false), 1);
    old.limit = -1;
    assert_int_equal(erase(s, warn, false), 1);
    assert_int_equal(erase(s, red, false), 1);
    assert_string_equal(ids(s, red), "");
    assert_string_equal(ids(s, all), "d ");
    assert_int_equal(add(s, doc("a", 1000)), STORE_STORED); /* the id may be used again */
    assert_int_equal(erase(s, all, false), 2);
    assert_int_equal(erase(s, all, false), 0);
    assert_string_equal(ids(s, all), "");
}

static void documents_survive_a_reopen(void **state) {
    struct store *s = *state;
    add(s, doc("a", 1000));
    s->engine->close(s);
    *state = s = open_store(false);
    assert_string_equal(ids(s, all), "a ");
    s->engine->close(s);
    *state = s = open_store(true);
    assert_int_equal(add(s, doc("a", 1000)), STORE_EXISTS);
}

static bool same_json(void *ctx, const struct store_hit *hit) {
    const struct span *wanted = ctx;
    assert_true(span_eq(hit->json, *wanted));
    return true;
}

/* NUL bytes, an id of 512 bytes, a document of a megabyte. */
static void documents_return_byte_for_byte(void **state) {
    struct store *s = *state;
    struct buf json = {0}, id = {0};
    struct err err;
    buf_text(&json, "{\"message\":\"x\\u0000y\",\"\xf0\x9f\x98\x80\":\"");
    while (json.n < 1000 * 1000)
        buf_text(&json, "\xc3\xa9");
    buf_text(&json, "\"}");
    while (id.n < 512)
        buf_char(&id, 'i');
    struct store_doc d = {.id = buf_view(&id),
                          .json = buf_view(&json),
                          .at_ms = 1000,
                          .node = SPAN_LIT("a\0b"),
                          .message = SPAN_LIT("x\0y")};
    assert_int_equal(add(s, d), STORE_STORED);
    assert_int_equal(add(s, d), STORE_EXISTS);
    struct span wanted = buf_view(&json);
    struct store_query q = all;
    assert_int_equal(strlen(ids(s, q)), 513);
    assert_int_equal(s->engine->search(s, &q, same_json, &wanted, &err), STORE_OK);
    q.node = "a";
    assert_string_equal(ids(s, q), "");
    q.node = "";
    q.text = "y";
    assert_int_equal(strlen(ids(s, q)), 513);
    assert_int_equal(erase(s, all, false), 1);
    assert_string_equal(ids(s, q), "");
    buf_release(&json);
    buf_release(&id);
}

/* n documents i0, i1, …, in the arena. */
static struct store_doc *many(struct arena *arena, size_t n) {
    struct store_doc *docs = arena_take(arena, n * sizeof *docs);
    for (size_t i = 0; i < n; i++) {
        char id[32];
        snprintf(id, sizeof id, "i%zu", i);
        docs[i] = doc(arena_span(arena, span_of(id)).p, 1000 + (int64_t)(i * 7 % n));
        docs[i].message = SPAN_LIT("one of many");
    }
    return docs;
}

struct walk {
    struct store *writer;
    int64_t last_ms;
    size_t n, stop_at;
};

static bool step(void *ctx, const struct store_hit *hit) {
    struct walk *w = ctx;
    assert_true(w->n == 0 || hit->at_ms <= w->last_ms);
    w->last_ms = hit->at_ms;
    if (w->n++ == 0) {
        add(w->writer, doc("meanwhile", 500)); /* an unfinished search must not block writers */
        assert_int_equal(erase(w->writer, all, true), 1001);
    }
    return w->n != w->stop_at;
}

static void large_results_are_complete(void **state) {
    struct store *s = *state;
    struct arena arena = {0};
    struct err err;
    bulk(s, many(&arena, 1000), 1000);
    ids(s, all); /* refreshes */
    struct store *writer = open_store(true);
    struct walk w = {.writer = writer};
    assert_int_equal(s->engine->search(s, &all, step, &w, &err), STORE_OK);
    assert_int_equal(w.n, 1000);
    writer->engine->close(writer);
    w = (struct walk){.n = 1, .last_ms = INT64_MAX, .stop_at = 8};
    assert_int_equal(s->engine->search(s, &all, step, &w, &err), STORE_OK);
    assert_int_equal(w.n, 8);
    assert_int_equal(erase(s, all, false), 1001);
    arena_release(&arena);
}

/* A process that is killed during a bulk leaves no partial document, and repeating it completes it.
 */
static void a_killed_bulk_can_be_repeated(void **state) {
    enum { N = 2000 };
    struct store *s = *state;
    struct arena arena = {0};
    for (int round = 0; round < 4; round++) {
        int begun[2];
        char byte;
        assert_int_equal(pipe(begun), 0);
        pid_t child = fork();
        if (child == 0) {
            struct store *own = open_store(true);
            struct store_doc *docs = many(&arena, N);
            if (write(begun[1], "!", 1) == 1)
                bulk(own, docs, N);
            pause();
        }
        assert_int_equal(read(begun[0], &byte, 1), 1);
        /* At a different moment each time, mostly within the bulk. */
        nanosleep(&(struct timespec){.tv_nsec = round * 5 * 1000 * 1000}, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(begun[0]);
        close(begun[1]);
        struct store_doc *docs = many(&arena, N);
        bulk(s, docs, N);
        for (size_t i = 0; i < N; i++) {
            assert_true(docs[i].verdict == STORE_STORED || docs[i].verdict == STORE_EXISTS);
            if (strcmp(s->engine->name, "local") == 0) /* where a bulk is one transaction */
                assert_int_equal(docs[i].verdict, docs[0].verdict);
        }
        assert_int_equal(erase(s, all, false), N);
        arena_clear(&arena);
    }
    arena_release(&arena);
}

static void a_missing_store_is_reported(void **state) {
    (void)state;
    struct store *s = NULL;
    struct err err;
    struct conf *mine = test.conf;
    test.conf = conf_new(engines_sections);
    char path[96];
    snprintf(path, sizeof path, "%s/none/store.db", test.folder);
    set("store.local.path", path);
    assert_int_equal(engines_open_store(test.conf, false, &s, &err), STORE_FATAL);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(access(path, F_OK), -1);
    conf_free(test.conf);
    test.conf = mine;
}

static void a_removed_file_is_reported(void **state) {
    (void)state;
    struct err err;
    struct conf *mine = test.conf;
    test.conf = conf_new(engines_sections);
    char path[96];
    snprintf(path, sizeof path, "%s/removed.db", test.folder);
    set("store.local.path", path);
    struct store *s = open_store(true);
    assert_int_equal(unlink(path), 0);
    struct store_doc d = doc("a", 1000);
    assert_int_equal(s->engine->bulk(s, &d, 1, &err), STORE_FATAL);
    assert_int_equal(d.verdict, STORE_PENDING);
    s->engine->close(s);
    conf_free(test.conf);
    test.conf = mine;
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(documents_are_stored_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(indices_are_separate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hits_come_in_the_requested_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(filters_match_exactly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(since_is_inclusive_and_until_exclusive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_words_of_the_text_must_match, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cursor_finds_only_new_documents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(matching_documents_are_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_survive_a_reopen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_return_byte_for_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_results_are_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_bulk_can_be_repeated, set_up, tear_down),
        cmocka_unit_test(a_missing_store_is_reported), /* of files: the embedded engine only */
        cmocka_unit_test(a_removed_file_is_reported),
    };
    struct err err;
    char path[96];
    const char *tmp = getenv("TMPDIR");
    snprintf(test.folder, sizeof test.folder, "%s/distlog-store.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(test.folder))
        return 1;
    test.conf = conf_new(engines_sections);
    snprintf(path, sizeof path, "%s/store.db", test.folder);
    set("store.local.path", path);
    if (conf_env(test.conf, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests_name("store", cases, NULL, NULL);
    conf_free(test.conf);
    arena_release(&test.arena);
    static const char *const files[] = {"store.db", "removed.db"};
    static const char *const ends[] = {"", "-wal", "-shm", "-lock"};
    for (size_t i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "%s/%s%s", test.folder, files[i / 4], ends[i % 4]);
        unlink(path);
    }
    if (rmdir(test.folder) != 0)
        perror(test.folder);
    return failed;
}
