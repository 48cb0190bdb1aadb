#!/usr/bin/env bash
# bench: `make bench`: distlog beside bare SQLite with the same records and transactions, in one run on
# one disk; and what it costs when it has nothing to do. RECORDS (200000), RUNS (3: the median counts).
# Prints a table and fails nothing: the floors are there to be read.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
BARE=$TOP/${BUILD:-build/release}/test/bench/bare
RECORDS=${RECORDS:-200000} RUNS=${RUNS:-3}
# Records a transaction: an array; what pubsub and store take at a time (2,000 or 5,000, at most 1 MB).
BATCH=1000 PUBSUB_BATCH=2000 STORE_BATCH=4000

now() { echo "${EPOCHREALTIME/./}"; }                    # µs
seconds() { awk -v us=$(($2 - $1)) 'BEGIN { print us / 1e6 }'; }
median() { sort -n | sed -n "$(((RUNS + 1) / 2))p"; }

# What is posted: arrays of $BATCH records of three nodes, registered first; no ERROR, which would end a node.
python3 - "$RECORDS" $BATCH <<'END'
import json, random, sys, uuid
total, batch = int(sys.argv[1]), int(sys.argv[2])
random.seed(1)
services = {"node_01": "PaymentService", "node_02": "OrderService", "node_03": "Service"}
at = "2024-01-01 00:00:00"
records = [{"node_id": n, "message_type": "REGISTRATION", "service_name": s, "timestamp": at} for n, s in services.items()]
while len(records) < total:
    node = random.choice(list(services))
    log = {"log_id": f"{node}_{uuid.UUID(int=random.getrandbits(128), version=4)}", "node_id": node, "log_level": "INFO",
           "message": f"Sample log message from {node}", "message_type": "LOG"}
    if random.random() < 0.15:
        log.update(log_level="WARN", response_time_ms=random.randint(100, 1000), threshold_limit_ms=random.randint(300, 800))
    log.update(service_name=services[node], timestamp=at)
    records.append(log)
with open("posts", "w") as posts:
    for i in range(0, total, batch):
        json.dump(records[i:i + batch], open(f"array-{i}", "w"))
        posts.write(("next\n" if i else "") + f'url = "URL"\ndata-binary = "@array-{i}"\nsilent\n'
                    'header = "Content-Type: application/json"\nwrite-out = "%{http_code}\\n"\n')
END

# The three stages of one run: seconds of distlog and of bare SQLite into $TMP/{ingest,pubsub,store}.{ours,bare}.
once() {
    rm -rf "$DISTLOG_DATA" bare-bus.db* bare-store.db*
    local port began
    port=$(free_port)
    start collect distlog collect --listen "127.0.0.1:$port"
    wait_for 10 curl -fs "http://127.0.0.1:$port/healthz" || { cat collect.err; exit 1; }
    sed "s#URL#http://127.0.0.1:$port/log.input#" posts >posts.conf
    began=$(now)
    curl -K posts.conf >codes
    seconds "$began" "$(now)" >>ingest.ours
    stop collect
    [ "$(sort -u codes)" = 200 ] || { echo "collect did not take everything: $(sort codes | uniq -c | tr '\n' ' ')"; exit 1; }

    local bus=$DISTLOG_DATA/bus.db store=$DISTLOG_DATA/store.db table
    began=$(now)
    distlog pubsub --no-follow >pubsub.out 2>pubsub.err || { cat pubsub.err; exit 1; }
    seconds "$began" "$(now)" >>pubsub.ours
    began=$(now)
    distlog store --no-follow --quiet >store.out 2>store.err || { cat store.err; exit 1; }
    seconds "$began" "$(now)" >>store.ours
    is "$(sql "$store" "SELECT count(*) FROM doc WHERE type = 'LOG'")" $((RECORDS - 3)) "every log is stored" | grep -v '^ok'

    table=t$(sql "$bus" "SELECT id FROM topic WHERE name = 'nodes'")
    "$BARE" insert "$bus" "$table" bare-bus.db $BATCH >>ingest.bare || exit 1
    "$BARE" copy bare-bus.db "$table" bare_copy $PUBSUB_BATCH >>pubsub.bare || exit 1
    "$BARE" insert "$store" doc bare-store.db $STORE_BATCH >>store.bare || exit 1
}
for ((i = 0; i < RUNS; i++)); do once; done

echo "$(distlog --version | head -n 1), $RECORDS records of $(($(wc -c <array-0) / BATCH)) bytes, $BATCH/$PUBSUB_BATCH/$STORE_BATCH"
echo "a transaction in both, median of $RUNS, $(nproc) cores, $(stat -f -c %T "$TMP") file system"
printf '\n%-34s %12s %12s %7s %7s\n' 'what' 'distlog' 'bare SQLite' 'ratio' 'floor'
rate() { # LABEL NAME
    awk -v label="$1" -v n="$RECORDS" -v ours="$(median <"$2.ours")" -v bare="$(median <"$2.bare")" 'BEGIN {
        printf "%-34s %10.0f/s %10.0f/s %7.2f %7s\n", label, n / ours, n / bare, bare / ours, "0.50" }'
}
rate 'collect: arrays over HTTP' ingest
rate 'pubsub' pubsub
rate 'store' store

for ((i = 0; i < 49; i++)); do
    began=$(now)
    distlog --version >version.out
    echo $(($(now) - began))
done | sort -n | head -n 1 | awk '{ printf "%-34s %9.1f ms %12s %7s %7s\n", "distlog --version, best of 49", $1 / 1000, "", "", "10 ms" }'

rm -rf "$DISTLOG_DATA"
for daemon in collect pubsub store alert; do
    case $daemon in collect) extra="--listen 127.0.0.1:$(free_port)" ;; *) extra= ;; esac
    start $daemon distlog $daemon $extra
    wait_for 10 has $daemon.err 'bus local' || { cat $daemon.err; exit 1; }
done
sleep 2 # idle is what they are after their start
for daemon in collect pubsub store alert; do
    awk -v label="idle $daemon, private memory" '/^RssAnon/ { printf "%-34s %9.1f MB %12s %7s %7s\n", label, $2 / 1024, "", "", "4 MB" }' \
        "/proc/${pids[$daemon]}/status"
    stop $daemon
done
exit "$failures"
