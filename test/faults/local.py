"""local: the embedded engines as the harness sees them: the settings that choose them, and what is in
their files, read with Python's own SQLite and never through distlog.
SPDX-License-Identifier: Apache-2.0"""
import sqlite3


def rows(path, query, *values):
    """Read-only: what another process has open is neither written nor checkpointed."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.close()


class Local:
    """The bus and the store in one folder."""
    name = "local"
    partitions = 1
    shares_clock = True  # one machine
    refuses = None       # any record can be stored
    shares_lock = True   # who is paused may have it
    look_s = 0.5         # between two looks at what has arrived
    topics = {"input": "nodes", "processed": "processed_logs", "alerts": "alerts"}
    servers, upstreams = {}, {}

    def __init__(self, folder):
        self.folder, self.bus, self.store = folder, f"{folder}/bus.db", f"{folder}/store.db"

    def env(self, _proxies):
        return {"DISTLOG_BUS_TYPE": "local", "DISTLOG_STORE_TYPE": "local", "DISTLOG_DATA": self.folder,
                "DISTLOG_BUS_LOCAL_MIN_FREE": "0", "DISTLOG_ALERT_GROUP": "alert"}

    def up(self):
        return True

    def topic(self, name):
        """Its records: (partition, offset, timestamp, key, value), the last two as bytes or None."""
        found = rows(self.bus, "SELECT id FROM topic WHERE name = ?", name)
        if not found:
            return []
        return [(0, offset, ts, key, value) for offset, ts, key, value in
                rows(self.bus, f"SELECT offset, ts, key, value FROM t{int(found[0][0])} ORDER BY offset")]

    def count_documents(self):
        return rows(self.store, "SELECT count(*) FROM doc")[0][0]

    def documents(self):
        """(id, JSON text) of each, in the order in which they came, with the time that is a column here."""
        return rows(self.store, "SELECT d.id, substr(d.json, 1, length(d.json) - 1) || ',\"@timestamp\":' || d.at_ms || '}'"
                                " FROM doc d JOIN ix ON d.ix = ix.n WHERE ix.name = 'logs' ORDER BY d.row")

    def close(self):
        pass
