"""messages: what distlog prints, as far as the harness depends on it: one place to change when the
wording of the product changes. Lines of log are matched as text or bytes of standard error; lines
of `alert` are composed whole. SPDX-License-Identifier: Apache-2.0"""
import re

# A reader of the embedded bus: the later of the two says whether it waits or works.
STANDING_BY, ACTIVE = b": standing by: another reader", b": active: now reading"
# A daemon that was asked to stop and leaves without an answer from its engines.
LEAVING = "giving up: "
# The one line of a process that cannot allocate memory.
NO_MEMORY = re.compile(r"^distlog[^:]*: out of memory$", re.M)
NO_SPACE = re.compile(r"no space left|No space left|disk is full")
IO_ERROR = re.compile(r"disk I/O error|Input/output error")

# By the `alert` field of an ALERT record: the end of its message, after "Node NODE_ID ".
ALERT_TEXTS = {"HEARTBEAT_MISSED": "missed its heartbeat!", "HEARTBEAT_RECOVERED": "is back"}


def alert_message(alert, node):
    """The message of an ALERT record about a node."""
    return f"Node {node} {ALERT_TEXTS[alert]}"


def alert_line(record):
    """What `alert` prints for a record of its topic."""
    if record.get("message_type") == "ALERT" and record.get("alert") in ALERT_TEXTS:
        return f"ALERT: {alert_message(record['alert'], record['node_id'])}"
    return f"{record.get('log_level', '')}: {record['node_id']}, {record.get('log_id', '')}"
