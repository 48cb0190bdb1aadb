/* commit: see commit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "commit.h"

#include "shutdown.h"

enum bus_rc commit_with_retries(struct bus *bus, struct outage *outage, struct err *err) {
    enum bus_rc rc = bus->engine->commit(bus, err);
    while (rc == BUS_RETRY) {
        outage_report(outage, err, outage_retrying);
        outage_sleep(outage);
        if (shutdown_is_overdue())
            break;
        rc = bus->engine->commit(bus, err);
    }
    return rc;
}
