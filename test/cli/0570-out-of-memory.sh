#!/usr/bin/env bash
# No memory: whatever allocation fails, a command says one line and exits 1, and nothing is lost for it.
# FAULTS_SEEDS lengthens the run.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
records=300
for ((i = 0; i < records; i++)); do
    kind=LOG
    [ $i -gt 2 ] || kind=REGISTRATION
    printf 'nodes\tn%d\t{"log_id":"n%d_%d","node_id":"n%d","message_type":"%s","log_level":"INFO"}\n' $((i % 3)) $((i % 3)) $i $((i % 3)) $kind
done | "$BUS" put

distlog store --no-follow 2>first.err # so that there is something to look into

interposed
# poor SEED COMMAND…: it runs while one in so many of its allocations fails, from the start, and long after
# the one before it, whose group is free by then.
printf 1 >on
slept=0
export FAULTS_SLEPT=$TMP/slept
poor() {
    printf %d $((slept += 10)) >slept
    run env FAULTS_CONTROL="$TMP/on" FAULTS_MALLOC="1/$((50 + $1 % 5 * 150)):$1" "${@:2}"
}
year='--heartbeat-timeout 365d' odd='' starved=0
for seed in $(seq 1 "${FAULTS_SEEDS:-20}"); do
    for command in "pubsub --no-follow $year" 'store --no-follow --quiet' 'search info' 'nodes'; do
        poor "$seed" distlog $command
        if grep -q 'out of memory' <<<"$err"; then starved=$((starved + 1)); fi
        case $status:$(tail -n 1 "$TMP/err") in
        0:* | '1:distlog: out of memory') ;;
        *) odd+="$seed $command: exit $status $err"$'\n' ;;
        esac
    done
done
is "$odd" "" "whatever there is no memory for: exit 0, or one line and exit 1"
ok $((starved < 10)) "and there was often none ($starved times)"
printf %d $((slept += 10)) >slept
run distlog pubsub --no-follow $year
run distlog store --no-follow --quiet
is "$status" 0 "what is left is routed and stored"
is "$("$BUS" get processed_logs | grep -c .)-$("$BUS" get processed_logs | sort -u | grep -c .)" "$records-$records" "each record is in processed once"
is "$(sql data/store.db 'SELECT count(*) FROM doc')" "$records" "and each has its document"
done_testing
