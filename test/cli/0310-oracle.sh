#!/usr/bin/env bash
# pubsub against an oracle: random traffic in random portions, while pubsub is killed and restarted;
# whatever happens, test/faults/oracle.py derives every topic from the input alone.
# ORACLE_SEED and ORACLE_ROUNDS repeat or lengthen a run.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# A long grace and a short timeout: most gaps end before they are reported, some do not; and a slow
# disk, on which records become readable long after their timestamp, changes nothing.
timeout=300 grace=700
pubsub() {
    start ps distlog pubsub in out al --group g --heartbeat-timeout ${timeout}ms --heartbeat-grace \
        ${grace}ms \
        --time-format local "$@"
}

seed=${ORACLE_SEED:-$((RANDOM * 32768 + RANDOM))}
note "ORACLE_SEED=$seed"
mkdir portions
python3 "$TOP/test/lib/load.py" portions "$seed" "${ORACLE_ROUNDS:-40}" portions >plan
pubsub
while read -r step how; do
    case $step in
    put) "$BUS" put <"portions/$how" ;;
    sleep) sleep "$how" ;; # a real pause: the bus's own time counts
    start) pubsub ;;
    *) stop ps "$step" ;;
    esac
done <plan
stop ps KILL
ask() { ask_oracle in out al "\"heartbeat_timeout\": $timeout, \"grace\": $grace, \"exact\": true"; }
if local_bus; then
    sleep 1.3 # all nodes are silent for longer than timeout and grace, while no pubsub runs
    pubsub --no-follow
    await ps
else # Kafka can't be asked for its time: wait for the silence to be reported
    pubsub
    wait_for 60 ask
    stop ps
fi
is "$status" 0 "the rest is routed"
ask
is "$status" 0 "processed, alerts and dead letters are what the oracle expects (ORACLE_SEED=$seed)"
note "$out$err"
like "$out" '\([1-9][0-9]* missed, [1-9][0-9]* recovered\)' "there were alerts to compare"
done_testing
