# lib.sh: every test/cli script starts with `. "$(dirname "$0")/lib.sh"`. TAP on standard output.
# Owns $TMP (a new folder, removed at the end) and every process started with `start`.
# A script sees only the build under test, $DISTLOG, and an environment without the user's settings.
# SPDX-License-Identifier: Apache-2.0
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
DISTLOG=${DISTLOG:-$TOP/distlog}
DISTLOG=$(readlink -f "$DISTLOG")
BUS=$(dirname "$DISTLOG")/test/tool/bus # `$BUS put < LINES`, `$BUS get TOPIC`: see test/tool/bus.c
TMP=$(mktemp -d "${TMPDIR:-/tmp}/distlog-test.XXXXXX")
for name in $(env | sed -n 's/^\(DISTLOG_[A-Za-z_]*\)=.*/\1/p'); do unset "$name"; done
export DISTLOG_DATA=$TMP/data HOME=$TMP/home XDG_CONFIG_HOME=$TMP/home/.config LC_ALL=C.UTF-8 TZ=UTC
unset XDG_DATA_HOME
umask 022 # distlog would not read a ./distlog.yaml that a test's group may write
mkdir -p "$HOME"
mkdir "$TMP/bin" && ln -s "$DISTLOG" "$TMP/bin/distlog" && PATH=$TMP/bin:$PATH
cd "$TMP" || exit 1
tests=0 failures=0

# ok STATUS DESCRIPTION: prints one TAP line.
ok() {
    tests=$((tests + 1))
    if [ "$1" -eq 0 ]; then echo "ok $tests - $2"; else
        failures=$((failures + 1))
        echo "not ok $tests - $2"
    fi
}
# skip REASON DESCRIPTION…: cases that can't run here.
skip() {
    for what in "${@:2}"; do echo "ok $((tests += 1)) - $what # SKIP $1"; done
}
note() { sed 's/^/# /' <<<"$*"; }
# run COMMAND…: sets $status, $out and $err (the latter also in $TMP/out and $TMP/err).
run() {
    "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
    status=$?
    out=$(cat "$TMP/out") err=$(cat "$TMP/err")
}
# setting KEY WORD…: prints the value of a setting as `distlog config WORD…` shows it, with its origin
# if the words ask for it.
setting() {
    distlog config "${@:2}" | awk -v key="$1" '
        /^ *# [a-z_]+:/ { sub(/# /, "") } # a secret is a comment
        { match($0, /[a-z_]+:/); level = (RSTART - 1) / 2; path[level] = substr($0, RSTART, RLENGTH - 1) }
        { name = path[0]; for (i = 1; i <= level; i++) name = name "." path[i] }
        name == key { print substr($0, RSTART + RLENGTH + 1) }'
}
# is GOT WANTED DESCRIPTION
is() {
    if [ "$1" = "$2" ]; then ok 0 "$3"; else
        ok 1 "$3"
        note "got:    $1"
        note "wanted: $2"
    fi
}
# like TEXT PATTERN DESCRIPTION: an extended regular expression.
like() {
    if grep -Eq -- "$2" <<<"$1"; then ok 0 "$3"; else
        ok 1 "$3"
        note "got:     $1"
        note "pattern: $2"
    fi
}
unlike() {
    if ! grep -Eq -- "$2" <<<"$1"; then ok 0 "$3"; else
        ok 1 "$3"
        note "got:            $1"
        note "should not have: $2"
    fi
}
# wait_for SECONDS COMMAND…: repeats it until it succeeds; 1 if it does not in time.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05 # between two attempts
    done
}
# has FILE PATTERN: whether a line matches. lines FILE PATTERN: prints how many do.
has() { grep -Eq -- "$2" "$1" 2>/dev/null; }
lines() { grep -Ec -- "$2" "$1" 2>/dev/null; }
# free_port: prints a free TCP port of 127.0.0.1.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# sql FILE QUERY: prints the rows of an SQLite file, one per line.
sql() {
    LD_PRELOAD='' python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(*row, sep="|")' "$@"
}
# project_files: the names of the project's files, seen from the top: those that git knows or would take; in an
# unpacked archive all but what is made there.
project_files() {
    (cd "$TOP" && { git ls-files -co --exclude-standard 2>/dev/null ||
        find . -type f -not -path './build/*' -not -path '*/__pycache__/*' -not -name compile_commands.json |
        sed 's#^\./##'; })
}
# local_bus: are topics files here? Else they are Kafka's.
local_bus() { [ "${TEST_BUS:-}" != kafka ]; }
# hold_bus, let_bus_go: block the bus and unblock it. They use descriptor 9.
hold_bus() {
    if local_bus; then exec 9>>"$DISTLOG_DATA/bus.db-lock" && flock 9; else kill -STOP "${pids[broker]}"; fi
}
let_bus_go() {
    if local_bus; then exec 9>&-; else kill -CONT "${pids[broker]}"; fi
}
# start NAME COMMAND…: starts it in the background; its output is in $TMP/NAME.out and $TMP/NAME.err.
declare -A pids=()
at_end=() # functions that are called at the end
start() {
    local name=$1
    shift
    : >"$TMP/$name.out" # now, so that the output of an earlier one is not mistaken for its own
    : >"$TMP/$name.err"
    "$@" >"$TMP/$name.out" 2>"$TMP/$name.err" </dev/null &
    pids[$name]=$!
}
# stop NAME [SIGNAL]: sends the signal (TERM) and waits; sets $status to the exit code.
stop() {
    kill -"${2:-TERM}" "${pids[$1]}" 2>/dev/null
    await "$1"
}
# await NAME: waits until it ends by itself; sets $status to the exit code.
await() {
    wait "${pids[$1]}" 2>/dev/null
    status=$?
    unset "pids[$1]"
}
# sanitized: whether this build has the address sanitizer, which uses memory of its own and can't be
# combined with the interposer.
sanitized() { grep -q __asan_init "$DISTLOG"; }
INTERPOSER=$(dirname "$DISTLOG")/test/faults/interpose.so
# interposed: preloads test/faults/interpose.c, see there, into every command that follows. With the address
# sanitizer, which must be preloaded itself, the script ends here.
interposed() {
    if sanitized; then
        echo "ok 1 - # SKIP the interposer can't be combined with the address sanitizer"
        echo 1..1
        exit 0
    fi
    export LD_PRELOAD=$INTERPOSER
}
# tick SECONDS: every interposed command sees a machine that has slept for so much longer ($slept).
slept=0
tick() {
    export FAULTS_SLEPT=$TMP/slept
    printf %d $((slept += $1)) >"$FAULTS_SLEPT"
}
# is_stopped NAME: whether it was stopped by a signal. memory_kb NAME FIELD: RssAnon is its private memory,
# VmHWM the most memory it ever had.
is_stopped() { grep -q '^State:.T' "/proc/${pids[$1]}/status"; }
memory_kb() { awk -v field="$2:" '$1 == field { print $2 }' "/proc/${pids[$1]}/status"; }
# ask_oracle INPUT PROCESSED ALERTS SETTINGS: checks these topics with the oracle of the fault tests;
# SETTINGS
# are further members of its JSON settings. Sets the same variables as run.
ask_oracle() {
    mkdir -p "$TMP/dump"
    for topic in "${@:1:3}" "$1.dlq"; do "$BUS" get -t "$topic" >"$TMP/dump/topic-$topic.tsv"; done
    cat >"$TMP/dump/settings.json" <<E
{$4, "topics": {"input": "$1", "processed": "$2", "alerts": "$3"}}
E
    LD_PRELOAD='' run python3 "$TOP/test/faults/oracle.py" "$TMP/dump"
    return "$status"
}
# done_testing: prints the plan and exits. The last line of every script.
done_testing() {
    echo "1..$tests"
    [ "$failures" -eq 0 ]
    exit
}
finish() {
    local code=$?
    [ "$BASHPID" = $$ ] || exit "$code" # a child that got a signal before it became its command
    for hook in "${at_end[@]}"; do "$hook"; done
    for name in "${!pids[@]}"; do
        kill -KILL "${pids[$name]}" 2>/dev/null
        wait "${pids[$name]}" 2>/dev/null
    done
    if [ "$failures" -gt 0 ] || { [ "$code" -ne 0 ] && [ "$tests" -eq 0 ]; }; then
        for file in "$TMP"/*.err; do
            [ -s "$file" ] && { echo "# --- $(basename "$file")"; tail -n 20 "$file" | sed 's/^/# /'; }
        done
    fi
    rm -rf "$TMP"
    exit $code
}
trap finish EXIT
# How commands name the bus and the store that they use.
PLACE="bus local $TMP/data/bus.db"
STORE="store local $TMP/data/store.db, index logs"
# A script with the line `Also on: elasticsearch` runs there and on OpenSearch too, in an index of its own.
if [ -n "${TEST_STORE:-}" ]; then
    . "$TOP/test/integration/lib.sh"
    on_es
fi
# A script with the line `Also on: kafka` runs there too, on an empty broker of its own, whose topics have
# one
# partition: then the order is total, as on the embedded bus.
if [ "${TEST_BUS:-}" = kafka ]; then
    . "$TOP/test/integration/lib.sh"
    on_kafka
    export DISTLOG_BUS_KAFKA_PARTITIONS=1
fi
