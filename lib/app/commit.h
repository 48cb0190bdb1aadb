/* commit: a bus's commit that waits while the bus is away.
 * Owns nothing. Main thread. Callers: lib/app.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../port/bus.h"
#include "outage.h"

/* Commits, again and again while the bus answers BUS_RETRY, until a stop was asked for 5 s ago. An
 * outage that begins so is the caller's to end. Returns the bus's last answer, with err. */
enum bus_rc commit_with_retries(struct bus *bus, struct outage *outage, struct err *err);
