"""dump: what a run left behind, as files in a folder (see oracle.py), and the records in it.
SPDX-License-Identifier: Apache-2.0"""
import base64
import collections
import datetime
import decimal
import json
import os
import re

ZONED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ID_MAX = 512  # bytes of a log_id that can be a document's _id
SHOWN = 300  # characters of a value in a message

Record = collections.namedtuple("Record", "topic partition offset time key value")


# --- files


def lines(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return [line for line in file.read().split(b"\n") if line]


def topic(folder, name):
    """Its records, by partition and offset; key and value are bytes, or None."""
    records = []
    for line in lines(folder, f"topic-{name}.jsonl") or []:
        row = json.loads(line)
        records.append(Record(name, row["partition"], row["offset"], row["timestamp"],
                              as_bytes(row["key"]), field_bytes(row, "value")))
    for line in lines(folder, f"topic-{name}.tsv") or []:
        *place, key, value = line.split(b"\t", 4)
        records.append(Record(name, *map(int, place), key or None, value))
    return sorted(records, key=lambda record: (record.partition, record.offset))


def as_bytes(text):
    return None if text is None else text.encode()


def field_bytes(row, field):
    """A key or value, which is in base64 where it is not UTF-8."""
    if f"{field}_base64" in row:
        return base64.b64decode(row[f"{field}_base64"])
    return as_bytes(row[field])


# --- records


def compact(text):
    """Without white space between tokens."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda match: match[1] or "", text, flags=re.S)


def unique_keys(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a duplicate key")
    return dict(pairs)


def no_constant(name):
    raise ValueError(name)


def record_of(value):
    """The record as a dict, or None for a bad one."""
    try:
        record = json.loads((value or b"").decode(), object_pairs_hook=unique_keys,
                            parse_constant=no_constant)
    except ValueError:
        return None
    if not isinstance(record, dict) or "" in record:
        return None
    node, kind = record.get("node_id"), record.get("message_type")
    return record if isinstance(node, str) and node and isinstance(kind, str) else None


def in_order(text):
    """A JSON value that equals another one only with the same keys in the same order."""
    return json.loads(text, object_pairs_hook=lambda pairs: ["object", *pairs],
                      parse_float=decimal.Decimal)


def text_of(record):
    return (record.value or b"").decode(errors="replace")


def by_node(records):
    """Lists of records; those of bad records under None."""
    nodes = collections.defaultdict(list)
    for record in records:
        fields = record_of(record.value)
        nodes[fields["node_id"] if fields else None].append(record)
    return nodes


def id_of(record):
    """The _id of its document."""
    log_id = json.loads(record.value).get("log_id")
    if isinstance(log_id, str) and 0 < len(log_id.encode()) <= ID_MAX:
        return log_id
    return f"{record.topic}-{record.partition}-{record.offset}-{record.time}"


def time_of(record):
    """The time of its document, in ms: the record's own if that has a zone, else its topic's."""
    own = json.loads(record.value).get("timestamp")
    return ms_of(own) if isinstance(own, str) and ZONED.fullmatch(own) else record.time


def ms_of(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def is_unstorable(value, key):
    """Whether the store can't index that record, which has an object under that key."""
    return key is not None and isinstance((record_of(value) or {}).get(key), dict)


def murmur2(key):
    """The hash by which Kafka's clients choose a partition."""
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
    hashed = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        word = int.from_bytes(key[i:i + 4], "little") * mix & mask
        word = (word ^ word >> 24) * mix & mask
        hashed = (hashed * mix & mask) ^ word
    if key[whole:]:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * mix & mask
    hashed = (hashed ^ hashed >> 13) * mix & mask
    return (hashed ^ hashed >> 15) & 0x7FFFFFFF


# --- for messages


def short(text):
    text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return text if len(text) <= SHOWN else text[:SHOWN - 3] + "..."


def at(record):
    return f"{record.topic}/{record.partition} offset {record.offset}: {short(record.value)}"
