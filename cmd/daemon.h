/* daemon: what the commands that run until they are stopped have in common: the flags that say when
 * to leave, and the start of a consumer.
 * Owns the section. Main thread. Callers: cmd/ only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../lib/app/consumer.h"
#include "cmd.h"

/* --no-follow and --drain; its struct is a shutdown_conf. */
extern const struct opt_section daemon_section;

/* A consumer's settings as far as they come from run; the caller adds what to read and the turn. */
struct consumer_conf daemon_consumer_conf(const struct run *run);
/* The exit code for what consumer_run has returned; a failure is logged and reported. */
enum exit_code daemon_conclude(const struct run *run, bool is_done, const struct err *err);
/* For commands that only look: does the bus exist? Opening it would create it, and an empty one
 * would answer "nothing" to a wrong path. False: it does not (logged). */
bool daemon_has_bus(const struct run *run);
