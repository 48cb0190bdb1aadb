#!/usr/bin/env bash
# pubsub's machine is ten days behind. Brokers delete records that are older than the topic's retention;
# the age of pubsub's records is decided by the brokers, not by that machine.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
export KAFKA_EXTRA='log.retention.check.interval.ms=500
log.initial.task.delay.ms=500'
interposed
on_kafka

says() { printf '%s\tn\t{"node_id":"n","message_type":"%s","service_name":"s"%s}\n' "$@"; }
{ says nodes REGISTRATION && says nodes HEARTBEAT &&
    says nodes LOG ',"log_level":"WARN","log_id":"n_1"'; } | "$BUS" put
printf 'nodes\tx\t{}\n' | "$BUS" put
echo -864000 >clock
run env FAULTS_CLOCK="$TMP/clock" "$DISTLOG" pubsub --no-follow
is "$status" 0 "pubsub succeeds with a clock that is ten days behind"
# A topic with producers' timestamps: once its records are deleted, the brokers have checked all topics.
says old LOG | FAULTS_CLOCK="$TMP/clock" "$BUS" put
deleted() {
    kcat -Q -b "$TEST_KAFKA" -t old:0:-2 -t old:1:-2 -t old:2:-2 2>/dev/null | grep -q 'offset [1-9]'
}
wait_for 60 deleted
ok $? "the brokers have deleted records that are too old"
is "$(values processed_logs | wc -l) $(values alerts | wc -l) $(values nodes.dlq | wc -l)" '3 1 1' \
    "none of pubsub's records is among them"
run distlog store --no-follow
like "$err" 'stored 3, already there 0' "all of them are stored"
run distlog search WARN --format raw
stamp=$(sed -n 's/.*"@timestamp":"\([^"]*\)".*/\1/p' <<<"$out")
[ -n "$stamp" ] && [ "$(date -d "$stamp" +%s)" -gt "$(($(date +%s) - 3600))" ]
ok $? "with the time of the brokers ($stamp)"
done_testing
