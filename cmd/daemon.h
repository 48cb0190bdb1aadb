/* daemon: what the commands share that read the bus: the flags that decide when a daemon leaves,
 * the start of a consumer, and the check whether there is a bus. Owns the section. Main thread.
 * Callers: cmd/ only. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../lib/app/consumer.h"
#include "cmd.h"

/* --no-follow and --drain; its struct is a shutdown_conf. */
extern const struct opt_section daemon_section;

/* A consumer's settings as far as run decides them; the caller adds what to read and the turn. They
 * point into run. */
struct consumer_conf daemon_consumer_conf(const struct run *run);
/* The exit code for what consumer_run has returned; a failure is logged and reported. */
enum exit_code daemon_conclude(const struct run *run, bool is_done, const struct err *err);
/* For commands that only look: does the bus exist? Opening the embedded one would create it, and an
 * empty one would hide that the path is wrong. False: it does not (logged). */
bool daemon_has_bus(const struct run *run);
