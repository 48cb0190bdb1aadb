/* commit: a bus's commit, retried while the bus does not answer.
 * Owns nothing. Main thread. Callers: lib/app.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../port/bus.h"
#include "outage.h"

/* Commits, and retries as long as the bus answers BUS_RETRY, until 5 s after a stop was requested.
 * If that begins an outage, the caller ends it. Returns the bus's last answer, with err. */
enum bus_rc commit_with_retries(struct bus *bus, struct outage *outage, struct err *err);
