# lib.sh: shared by the benchmarks: the posts, the clock, medians and the table. RECORDS (200000), RUNS (3).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
BENCH=$TOP/${BUILD:-build/release}/test/bench
RECORDS=${RECORDS:-200000} RUNS=${RUNS:-3}
BATCH=1000 # records per array that is posted

now() { echo "${EPOCHREALTIME/./}"; } # µs
seconds() { awk -v us=$(($2 - $1)) 'BEGIN { print us / 1e6 }'; }
median() { sort -n | sed -n "$(((RUNS + 1) / 2))p"; }
# timed FILE COMMAND…: appends its seconds to FILE; if it fails, prints its output and ends the benchmark.
timed() {
    local file=$1 began
    shift
    began=$(now)
    "$@" >timed.out 2>timed.err || { tail -n 20 timed.out timed.err; exit 1; }
    seconds "$began" "$(now)" >>"$file"
}
# posts: makes arrays of $BATCH records of three nodes, which register first; no ERROR, which would end a
# node.
# Writes the files array-N, `posts` for curl (without its URL), and `lines` of KEY<TAB>VALUE.
posts() {
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
with open("lines", "w") as lines:
    for r in records:
        lines.write(r["node_id"] + "\t" + json.dumps(r, separators=(",", ":")) + "\n")
END
}
# ingest FILE [CURL-OPTION…]: measures how long collect takes for all posts, each answered with 200.
ingest() {
    local file=$1 port
    shift
    port=$(free_port)
    start collect distlog collect --listen "127.0.0.1:$port"
    wait_for 20 curl -fs "http://127.0.0.1:$port/healthz" || { cat collect.err; exit 1; }
    sed "s#URL#http://127.0.0.1:$port/log.input#" posts >posts.conf
    timed "$file" curl "$@" -K posts.conf
    sort timed.out | uniq -c >codes
    stop collect
    [ "$(awk '{ print $2 }' codes)" = 200 ] || { echo "collect did not take everything:"; cat codes; exit 1; }
}
# head_line BARE: prints what is measured, and the head of the table.
head_line() {
    echo "$(distlog --version | head -n 1), $RECORDS records of $(($(wc -c <array-0) / BATCH)) bytes, median of $RUNS,"
    echo "$(nproc) cores, $(stat -f -c %T "$TMP") file system"
    printf '\n%-34s %12s %12s %7s %7s\n' 'what' 'distlog' "$1" 'ratio' 'floor'
}
# rate LABEL NAME: prints a row of the table from NAME.ours and NAME.bare.
rate() {
    awk -v label="$1" -v n="$RECORDS" -v ours="$(median <"$2.ours")" -v bare="$(median <"$2.bare")" 'BEGIN {
        printf "%-34s %10.0f/s %10.0f/s %7.2f %7s\n", label, n / ours, n / bare, bare / ours, "0.50" }'
}
