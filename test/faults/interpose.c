/* clang-format off */
/* interpose: a library for LD_PRELOAD that stands between a program and its libraries, and makes it
 * fail at a chosen point. The environment selects what fails; each part is off without its variable:
 *
 *   FAULTS_POINT=NAME:COUNT     the process kills itself (SIGKILL) the COUNT-th time that it reaches
 *       NAME: one of produce offsets commit offset-commit bulk sqlite-lock sqlite-commit sqlite-write
 *       sqlite-fsync, with -before or -after. At bulk-after the answer has arrived, but the program
 *       has not seen it. At sqlite-lock-before the results of a batch are known, but nothing is
 *       locked yet. NAME:COUNT:stop: SIGSTOP instead. NAME:COUNT:hang: the call never returns.
 *   FAULTS_IO=ERROR:CALL:PATH:HOW   EIO, ENOSPC or EDQUOT from write, pwrite, fsync, fdatasync or
 *       ftruncate ("*": any of them) on files whose path contains PATH. HOW with a decimal point is a
 *       probability (0.01), otherwise an interval (7: every 7th call). Every other write that fails
 *       has written the first half of its bytes.
 *   FAULTS_MALLOC=1/N:SEED      one of N allocations of the program or of SQLite fails (librdkafka's
 *       do not: it would end the process by assertion, about which its users can do nothing)
 *   FAULTS_CLOCK=FILE           seconds, as text, by which CLOCK_REALTIME is wrong
 *   FAULTS_SLEPT=FILE           seconds, as text, for which the machine was suspended: CLOCK_REALTIME
 *                               and CLOCK_BOOTTIME are ahead by as much, CLOCK_MONOTONIC is not
 *   FAULTS_CONTROL=FILE         the first three are active only while its first byte is 1; without
 *                               it FAULTS_MALLOC begins when the process is a second old
 *   FAULTS_SEED=N               the seed of FAULTS_IO
 *   FAULTS_HITS=FILE            receives a byte for each failed call of FAULTS_IO or FAULTS_MALLOC
 *
 * The files may be rewritten in place while the process runs; a missing one counts as 0.
 * Owns its descriptors. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
/* clang-format on */
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* real: the next function of that name, looked up once. */
#define REAL(result, name, ...)         \
    static result (*real)(__VA_ARGS__); \
    if (!real)                          \
    *(void **)(void *)&real = dlsym(RTLD_NEXT, #name)

enum { NONE = -1 };

static struct {
    char point[64];
    long at; /* 0: no point */
    int signal;
    int error;
    char call[16], path[64];
    double probability;
    long every; /* 0: by probability */
    long malloc_one_in;
    int control, clock, slept, hits; /* descriptors, or NONE */
} plan = {.signal = SIGKILL, .control = NONE, .clock = NONE, .slept = NONE, .hits = NONE};

static atomic_long reached, io_calls;
static time_t began;
static atomic_ullong dice = 88172645463325252ULL;

static time_t monotonic_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* --- reading the plan --- */

static int open_file(const char *variable) {
    const char *path = getenv(variable);
    return path ? open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : NONE;
}

static void bad(const char *variable, const char *expected) {
    fprintf(stderr, "interpose: %s=%s: expected %s\n", variable, getenv(variable), expected);
    _exit(2);
}

static void read_point(void) {
    static const char *const names[] = {"produce",       "offsets",      "commit",
                                        "offset-commit", "bulk",         "sqlite-lock",
                                        "sqlite-commit", "sqlite-write", "sqlite-fsync"};
    const char *text = getenv("FAULTS_POINT");
    char how[8] = "";
    if (!text)
        return;
    bool known = false;
    if (sscanf(text, "%63[^:]:%ld:%7s", plan.point, &plan.at, how) < 2 || plan.at < 1 ||
        (*how && strcmp(how, "stop") != 0 && strcmp(how, "hang") != 0))
        bad("FAULTS_POINT", "NAME:COUNT, NAME:COUNT:stop or NAME:COUNT:hang");
    if (*how)
        plan.signal = strcmp(how, "stop") == 0 ? SIGSTOP : 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);
        known = known ||
                (strncmp(plan.point, names[i], n) == 0 &&
                 (strcmp(plan.point + n, "-before") == 0 || strcmp(plan.point + n, "-after") == 0));
    }
    if (!known)
        bad("FAULTS_POINT", "a name as interpose.c lists them");
}

static void read_io(void) {
    const char *text = getenv("FAULTS_IO");
    char error[16], how[32];
    if (!text)
        return;
    if (sscanf(text, "%15[^:]:%15[^:]:%63[^:]:%31s", error, plan.call, plan.path, how) != 4)
        bad("FAULTS_IO", "ERROR:CALL:PATH:HOW");
    plan.error = strcmp(error, "EIO") == 0      ? EIO
                 : strcmp(error, "ENOSPC") == 0 ? ENOSPC
                 : strcmp(error, "EDQUOT") == 0 ? EDQUOT
                                                : 0;
    if (strchr(how, '.'))
        plan.probability = strtod(how, NULL);
    else
        plan.every = strtol(how, NULL, 10);
    if (!plan.error || (plan.every < 1 && plan.probability <= 0))
        bad("FAULTS_IO", "EIO, ENOSPC or EDQUOT");
}

static void read_malloc(void) {
    const char *text = getenv("FAULTS_MALLOC");
    unsigned long long seed;
    if (!text)
        return;
    if (sscanf(text, "1/%ld:%llu", &plan.malloc_one_in, &seed) != 2 || plan.malloc_one_in < 1)
        bad("FAULTS_MALLOC", "1/N:SEED");
    atomic_store(&dice, seed * 2 + 1);
}

__attribute__((constructor)) static void read_plan(void) {
    const char *seed = getenv("FAULTS_SEED");
    if (seed)
        atomic_store(&dice, strtoull(seed, NULL, 10) * 2 + 1);
    plan.control = open_file("FAULTS_CONTROL");
    plan.clock = open_file("FAULTS_CLOCK");
    plan.slept = open_file("FAULTS_SLEPT");
    plan.hits = open_file("FAULTS_HITS");
    read_point();
    read_io();
    read_malloc();
    began = monotonic_s();
}

/* --- whether to fail now --- */

static bool on(void) {
    char byte = '1';
    return plan.control == NONE || (pread(plan.control, &byte, 1, 0) == 1 && byte == '1');
}

/* xorshift64* */
static unsigned long long throw(void) {
    unsigned long long was = atomic_load(&dice), is;
    do {
        is = was ^ was >> 12;
        is ^= is << 25;
        is ^= is >> 27;
    } while (!atomic_compare_exchange_weak(&dice, &was, is));
    return is * 2685821657736338717ULL >> 11;
}

/* Records that a call has failed. Uses a system call, because the failed call may be malloc. */
static void hit(void) {
    if (plan.hits != NONE)
        syscall(SYS_write, plan.hits, "x", (size_t)1);
}

/* The point NAME-WHEN is reached: kills, stops or hangs the process if the plan says so. */
static void reach(const char *name, const char *when) {
    size_t n = strlen(name);
    if (!plan.at || strncmp(plan.point, name, n) != 0 || strcmp(plan.point + n, when) != 0 || !on())
        return;
    if (atomic_fetch_add(&reached, 1) + 1 != plan.at)
        return;
    if (plan.signal)
        raise(plan.signal);
    else
        for (;;)
            pause();
}

static bool path_of(int fd, char *path, size_t size) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return true;
}

/* Whether this call must fail; errno is set then. */
static bool fails(const char *call, int fd) {
    char path[512];
    if (!plan.error || (strcmp(plan.call, call) != 0 && strcmp(plan.call, "*") != 0))
        return false;
    if (!path_of(fd, path, sizeof path) || !strstr(path, plan.path) || !on())
        return false;
    bool now = plan.every ? (atomic_fetch_add(&io_calls, 1) + 1) % plan.every == 0
                          : (double) throw() / (double)(1ULL << 53) < plan.probability;
    if (now)
        hit();
    if (now)
        errno = plan.error;
    return now;
}

/* Whether the file is an SQLite database or its WAL, to which points apply. */
static bool of_sqlite(int fd) {
    char path[512];
    if (!plan.at || strncmp(plan.point, "sqlite-", 7) != 0 || !path_of(fd, path, sizeof path))
        return false;
    size_t n = strlen(path);
    return (n > 3 && strcmp(path + n - 3, ".db") == 0) ||
           (n > 4 && strcmp(path + n - 4, "-wal") == 0);
}

/* --- files --- */

ssize_t write(int fd, const void *bytes, size_t n) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (!fails("write", fd))
        return real(fd, bytes, n);
    int error = errno;
    if (throw() % 2)
        real(fd, bytes, n / 2);
    errno = error;
    return -1;
}

static ssize_t write_at(ssize_t (*real)(int, const void *, size_t, off_t), int fd,
                        const void *bytes, size_t n, off_t at) {
    bool watched = of_sqlite(fd);
    if (watched)
        reach("sqlite-write", "-before");
    if (fails("pwrite", fd)) {
        int error = errno;
        if (throw() % 2)
            real(fd, bytes, n / 2, at);
        errno = error;
        return -1;
    }
    ssize_t done = real(fd, bytes, n, at);
    if (watched)
        reach("sqlite-write", "-after");
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return write_at(real, fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
    return write_at(real, fd, bytes, n, at);
}

static int sync_file(int (*real)(int), const char *call, int fd) {
    bool watched = of_sqlite(fd);
    if (watched)
        reach("sqlite-fsync", "-before");
    int rc = fails(call, fd) ? -1 : real(fd);
    if (watched)
        reach("sqlite-fsync", "-after");
    return rc;
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return sync_file(real, "fsync", fd);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return sync_file(real, "fdatasync", fd);
}

int ftruncate(int fd, off_t n) {
    REAL(int, ftruncate, int, off_t);
    return fails("ftruncate", fd) ? -1 : real(fd, n);
}

int ftruncate64(int fd, off64_t n) {
    REAL(int, ftruncate64, int, off64_t);
    return fails("ftruncate", fd) ? -1 : real(fd, n);
}

/* The lock of a database, before its transactions. */
int flock(int fd, int how) {
    REAL(int, flock, int, int);
    if (how & LOCK_EX)
        reach("sqlite-lock", "-before");
    int rc = real(fd, how);
    if (how & LOCK_EX && rc == 0)
        reach("sqlite-lock", "-after");
    return rc;
}

/* --- SQLite, Kafka, HTTP --- */

int sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *ctx,
                 char **error) {
    REAL(int, sqlite3_exec, sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
         char **);
    /* SQLite itself passes NULL after it failed to allocate the text. */
    bool commits = sql && strcmp(sql, "COMMIT") == 0;
    if (commits)
        reach("sqlite-commit", "-before");
    int rc = real(db, sql, row, ctx, error);
    if (commits)
        reach("sqlite-commit", "-after");
    return rc;
}

rd_kafka_error_t *rd_kafka_produceva(rd_kafka_t *rk, const rd_kafka_vu_t *vus, size_t n) {
    REAL(rd_kafka_error_t *, rd_kafka_produceva, rd_kafka_t *, const rd_kafka_vu_t *, size_t);
    reach("produce", "-before");
    rd_kafka_error_t *e = real(rk, vus, n);
    reach("produce", "-after");
    return e;
}

rd_kafka_error_t *rd_kafka_send_offsets_to_transaction(
    rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *offsets,
    const rd_kafka_consumer_group_metadata_t *group, int limit_ms) {
    REAL(rd_kafka_error_t *, rd_kafka_send_offsets_to_transaction, rd_kafka_t *,
         const rd_kafka_topic_partition_list_t *, const rd_kafka_consumer_group_metadata_t *, int);
    reach("offsets", "-before");
    rd_kafka_error_t *e = real(rk, offsets, group, limit_ms);
    reach("offsets", "-after");
    return e;
}

rd_kafka_error_t *rd_kafka_commit_transaction(rd_kafka_t *rk, int limit_ms) {
    REAL(rd_kafka_error_t *, rd_kafka_commit_transaction, rd_kafka_t *, int);
    reach("commit", "-before");
    rd_kafka_error_t *e = real(rk, limit_ms);
    reach("commit", "-after");
    return e;
}

typedef void on_committed(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                          rd_kafka_topic_partition_list_t *offsets, void *opaque);

rd_kafka_resp_err_t rd_kafka_commit_queue(rd_kafka_t *rk,
                                          const rd_kafka_topic_partition_list_t *offsets,
                                          rd_kafka_queue_t *queue, on_committed *done,
                                          void *opaque) {
    REAL(rd_kafka_resp_err_t, rd_kafka_commit_queue, rd_kafka_t *,
         const rd_kafka_topic_partition_list_t *, rd_kafka_queue_t *, on_committed *, void *);
    reach("offset-commit", "-before");
    return real(rk, offsets, queue, done, opaque);
}

/* Receives the answer to it. */
rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int limit_ms) {
    REAL(rd_kafka_event_t *, rd_kafka_queue_poll, rd_kafka_queue_t *, int);
    rd_kafka_event_t *event = real(queue, limit_ms);
    if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT)
        reach("offset-commit", "-after");
    return event;
}

static bool is_bulk(CURL *easy) {
    char *url = NULL;
    return plan.at && curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url &&
           strstr(url, "/_bulk");
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy) {
    REAL(CURLMcode, curl_multi_add_handle, CURLM *, CURL *);
    if (is_bulk(easy))
        reach("bulk", "-before");
    return real(multi, easy);
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy) {
    REAL(CURLMcode, curl_multi_remove_handle, CURLM *, CURL *);
    if (is_bulk(easy))
        reach("bulk", "-after");
    return real(multi, easy);
}

/* --- memory --- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *was, size_t n);

/* Whether an allocation by the caller at that address must fail. */
static bool none_for(const void *caller) {
    Dl_info who;
    if (!plan.malloc_one_in || throw() % (unsigned long long)plan.malloc_one_in != 0)
        return false;
    if (plan.control == NONE && monotonic_s() == began)
        return false;
    if (!dladdr(caller, &who) ||
        (strstr(who.dli_fname, ".so") && !strstr(who.dli_fname, "libsqlite3")))
        return false;
    if (!on())
        return false;
    hit();
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n) {
    return none_for(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
    return none_for(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *was, size_t n) {
    return none_for(__builtin_return_address(0)) ? NULL : __libc_realloc(was, n);
}

/* --- time --- */

static time_t seconds_in(int fd) {
    char text[24];
    ssize_t n = fd == NONE ? 0 : pread(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return (time_t)strtol(text, NULL, 10);
}

/* By how much CLOCK_REALTIME is ahead. */
static time_t ahead(void) {
    return seconds_in(plan.clock) + seconds_in(plan.slept);
}

int clock_gettime(clockid_t id, struct timespec *t) {
    REAL(int, clock_gettime, clockid_t, struct timespec *);
    int rc = real(id, t);
    if (id == CLOCK_REALTIME)
        t->tv_sec += ahead();
    if (id == CLOCK_BOOTTIME)
        t->tv_sec += seconds_in(plan.slept);
    return rc;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    struct timespec now;
    (void)zone; /* obsolete */
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *t, int base) {
    REAL(int, timespec_get, struct timespec *, int);
    int rc = real(t, base);
    t->tv_sec += ahead();
    return rc;
}

/* Waits until a time of CLOCK_REALTIME, converted back to the kernel's clock. */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict until) {
    REAL(int, cnd_timedwait, cnd_t *restrict, mtx_t *restrict, const struct timespec *restrict);
    struct timespec t = *until;
    t.tv_sec -= ahead();
    return real(cond, mutex, &t);
}
