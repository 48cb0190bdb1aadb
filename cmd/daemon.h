/* daemon: what the commands that run until they are stopped have in common: the flags that decide
 * when to exit, and the configuration of a consumer.
 * Owns the section. Main thread. Callers: cmd/ only.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../lib/app/consumer.h"
#include "cmd.h"

/* --no-follow and --drain; its struct is a shutdown_conf. */
extern const struct opt_section daemon_section;

/* A consumer's settings as far as run has them; the caller adds what to read and the turn. */
struct consumer_conf daemon_consumer_conf(const struct run *run);
/* The exit code for the result of consumer_run; logs and reports a failure. */
enum exit_code daemon_conclude(const struct run *run, bool is_done, const struct err *err);
/* For commands that only read: whether the bus exists. Opening it would create it, and a wrong path
 * would look like an empty bus. False: it does not (logged). */
bool daemon_has_bus(const struct run *run);
