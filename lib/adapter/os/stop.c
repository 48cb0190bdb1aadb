/* stop: see stop.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "stop.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t asked_ms; /* lock-free wherever Debian runs, as a handler needs it */

static unsigned limit_s;

static void on_signal(int number) {
    static const char why[] = "distlog: leaving without the answer of the bus or the store\n";
    struct timespec now;
    if (number == SIGALRM)
        _exit(write(STDERR_FILENO, why, sizeof why - 1) < 0 || number);
    if (asked_ms)
        _exit(128 + number);
    alarm(limit_s);
    clock_gettime(CLOCK_MONOTONIC, &now);
    asked_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

void stop_install(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void stop_within(unsigned seconds) {
    limit_s = seconds;
    signal(SIGALRM, on_signal);
}

bool stop_asked(void) {
    return asked_ms != 0;
}

int64_t stop_asked_ms(void) {
    return asked_ms;
}
