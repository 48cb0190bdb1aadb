/* stop: see stop.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stop.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A signal handler has no argument, hence the static variables. */
static _Atomic int64_t stop_signal_ms; /* lock-free wherever Debian runs, as a handler needs it */
static unsigned stop_limit_s;

static void stop_on_alarm(int number) {
    static const char why[] = "distlog: exiting without an answer from the bus or the store\n";
    (void)number;
    const ssize_t wrote = write(STDERR_FILENO, why, sizeof why - 1);
    (void)wrote; /* there is no other place to report that */
    _exit(EXIT_FAILURE);
}

static void stop_on_signal(int number) {
    struct timespec now;
    if (stop_signal_ms)
        _exit(128 + number);
    alarm(stop_limit_s);
    clock_gettime(CLOCK_MONOTONIC, &now);
    stop_signal_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1; /* never 0 */
}

void stop_install(void) {
    const struct sigaction action = {.sa_handler = stop_on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void stop_within(unsigned seconds) {
    stop_limit_s = seconds;
    signal(SIGALRM, stop_on_alarm);
}

bool stop_asked(void) {
    return stop_signal_ms != 0;
}

int64_t stop_asked_ms(void) {
    return stop_signal_ms;
}
