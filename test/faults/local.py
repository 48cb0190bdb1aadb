"""local: the embedded engines as the harness sees them: the settings that choose them, and what
their files hold, read with Python's own SQLite and never through distlog.
SPDX-License-Identifier: Apache-2.0"""
import sqlite3

DOCUMENTS = """SELECT d.id,
        substr(d.json, 1, length(d.json) - 1) || ',"@timestamp":' || d.at_ms || '}'
    FROM doc d JOIN ix ON d.ix = ix.n WHERE ix.name = 'logs' ORDER BY d.row"""


def rows(path, query, *values):
    """Read-only, so that a file which another process has open is neither written nor
    checkpointed."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.close()


class Local:
    """The bus and the store in one folder."""
    name = "local"
    partitions = 1
    shares_clock = True    # everything runs on one machine
    unstorable_key = None  # any record can be stored
    shares_lock = True     # a paused daemon may hold it
    poll_s = 0.5           # between two checks of what has arrived
    topics = {"input": "nodes", "processed": "processed_logs", "alerts": "alerts"}
    servers, upstreams = {}, {}

    def __init__(self, folder):
        self.folder, self.bus, self.store = folder, f"{folder}/bus.db", f"{folder}/store.db"

    def env(self, _proxies):
        return {"DISTLOG_BUS_TYPE": "local", "DISTLOG_STORE_TYPE": "local",
                "DISTLOG_DATA": self.folder, "DISTLOG_BUS_LOCAL_MIN_FREE": "0",
                "DISTLOG_ALERT_GROUP": "alert"}

    def up(self):
        return True

    def topic(self, name):
        """Its records: (partition, offset, timestamp, key, value); the last two are bytes or
        None."""
        ids = rows(self.bus, "SELECT id FROM topic WHERE name = ?", name)
        if not ids:
            return []
        query = f"SELECT offset, ts, key, value FROM t{int(ids[0][0])} ORDER BY offset"
        return [(0, *row) for row in rows(self.bus, query)]

    def count_documents(self):
        return rows(self.store, "SELECT count(*) FROM doc")[0][0]

    def documents(self):
        """(id, JSON text) of each, in the order in which they were stored, with the time, which is
        a column here, as @timestamp."""
        return rows(self.store, DOCUMENTS)

    def close(self):
        pass
