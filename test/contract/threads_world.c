/* threads_world: C11 threads, locks and conditions implemented with pthreads, for the thread
 * sanitizer. librdkafka uses C11 threads, which the sanitizer of gcc 12 does not support: it
 * crashes in such a thread, and does not see the order that their locks impose. glibc's mtx_t and
 * cnd_t have the layout of pthread's types, so the same memory can be used. Other builds use glibc.
 * Owns nothing. Any thread. SPDX-License-Identifier: Apache-2.0 */
#include <threads.h>

#ifdef __SANITIZE_THREAD__
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "one mutex");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "one condition");

/* The library is not instrumented, so the sanitizer does not see its reference counts. Its own
 * memory accesses and the initialization of its locks are therefore not checked. Our code is,
 * callbacks included. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "called_from_lib:librdkafka.so.1\nrace:mtx_lock\nrace:mtx_unlock\nrace:mtx_destroy\n";
}

static int result(int code) {
    return code == 0 ? thrd_success : code == ETIMEDOUT ? thrd_timedout : thrd_error;
}

struct start {
    thrd_start_t run;
    void *arg;
};

static void *begin(void *arg) {
    struct start start = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)start.run(start.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *arg) {
    struct start *start = malloc(sizeof *start);
    if (!start)
        return thrd_nomem;
    *start = (struct start){run, arg};
    return result(pthread_create(thread, NULL, begin, start));
}

int thrd_join(thrd_t thread, int *code) {
    void *value;
    int rc = pthread_join(thread, &value);
    if (rc == 0 && code)
        *code = (int)(intptr_t)value;
    return result(rc);
}

int thrd_detach(thrd_t thread) {
    return result(pthread_detach(thread));
}

int mtx_init(mtx_t *m, int type) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE
                                                          : PTHREAD_MUTEX_NORMAL);
    int rc = pthread_mutex_init((pthread_mutex_t *)m, &attr);
    pthread_mutexattr_destroy(&attr);
    return result(rc);
}
int mtx_lock(mtx_t *m) {
    return result(pthread_mutex_lock((pthread_mutex_t *)m));
}
int mtx_unlock(mtx_t *m) {
    return result(pthread_mutex_unlock((pthread_mutex_t *)m));
}
void mtx_destroy(mtx_t *m) {
    pthread_mutex_destroy((pthread_mutex_t *)m);
}

int cnd_init(cnd_t *c) {
    return result(pthread_cond_init((pthread_cond_t *)c, NULL));
}
int cnd_signal(cnd_t *c) {
    return result(pthread_cond_signal((pthread_cond_t *)c));
}
int cnd_broadcast(cnd_t *c) {
    return result(pthread_cond_broadcast((pthread_cond_t *)c));
}
void cnd_destroy(cnd_t *c) {
    pthread_cond_destroy((pthread_cond_t *)c);
}
int cnd_wait(cnd_t *c, mtx_t *m) {
    return result(pthread_cond_wait((pthread_cond_t *)c, (pthread_mutex_t *)m));
}
int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m, const struct timespec *restrict until) {
    return result(pthread_cond_timedwait((pthread_cond_t *)c, (pthread_mutex_t *)m, until));
}
#endif
