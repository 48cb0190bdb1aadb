#!/usr/bin/env bash
# Kafka refuses: each refusal is one clear line that names the setting to change; and ways that it accepts.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_kafka
export DISTLOG_BUS_KAFKA_BROKERS=$TEST_KAFKA_TLS
# alert_logs PATTERN DESCRIPTION BROKERS [PROPERTY=VALUE…]: checks that alert logs the outage in one line
# that matches.
alert_logs() {
    properties "${@:3}"
    logs "$1" "$2" alert alert --no-follow
    properties
}
# logs PATTERN DESCRIPTION NAME COMMAND…: the same for any command.
logs() {
    rm -f "$3.err"
    start "$3" distlog "${@:4}"
    wait_for 30 has "$3.err" "$1"
    stop "$3"
    like "$(cat "$3.err")" "$1" "$2"
    is "$(grep -Evc '^distlog [a-z]+: (bus kafka|stopped)' "$3.err")" 1 "… in one line"
    unlike "$(cat "$3.err")" c4n4ry "… that shows no secret"
}
tls=(security.protocol=SASL_SSL "ssl.ca.location=$TEST_TLS/ca.crt")
plain=("${tls[@]}" sasl.mechanism=PLAIN sasl.username=alice)
scram=("${tls[@]}" sasl.mechanism=SCRAM-SHA-512 sasl.username=bob)
places="kafka 127.0.0.1:[0-9]+: cannot reach the cluster: [^ ]+/bootstrap:"
port=$(free_port)
alert_logs "$places Connect to .* failed: Connection refused \(check bus.kafka.brokers\); retrying" \
    "a port without a listener" "127.0.0.1:$port"
alert_logs "Failed to resolve .* \(check bus.kafka.brokers\)" "no such host" nowhere.invalid:9092
alert_logs "$places SASL auth.* Invalid username or password \(check sasl.mechanism, sasl.username and sasl.password in" \
    "a wrong password" "$TEST_KAFKA_TLS" "${plain[@]}" sasl.password=c4n4ry
alert_logs "$places SASL auth.* invalid credentials .*SCRAM-SHA-512 \(check sasl.*; SCRAM on Kafka 4 needs librdkafka 2.6.1" \
    "a wrong password with SCRAM" "$TEST_KAFKA_TLS" "${scram[@]}" sasl.password=c4n4ry
alert_logs "$places .*certificate verify failed.* \(check ssl.ca.location in bus.kafka.properties" \
    "an unknown CA" "$TEST_KAFKA_TLS" "${plain[@]/ssl.ca*/client.id=x}" sasl.password=alice-secret
alert_logs "ssl.ca.location failed: .* \(see bus.kafka.properties\)" \
    "a missing CA file" "$TEST_KAFKA_TLS" "${plain[@]/ssl.ca*/ssl.ca.location=nowhere.crt}" \
    sasl.password=x
alert_logs "$places Disconnected .* \(check security.protocol in bus.kafka.properties: does the listener require TLS or SASL\?\)" \
    "plain text to a TLS listener" "$TEST_KAFKA_TLS"
alert_logs "$places .*SSL .* \(check security.protocol and the ssl" \
    "TLS to a plain listener" "$TEST_KAFKA" security.protocol=SSL
alert_logs "$places Disconnected.* might require SASL authentication \(check security.protocol" \
    "a listener that wants SASL" "$TEST_KAFKA_TLS" security.protocol=SSL "ssl.ca.location=$TEST_TLS/ca.crt"
alert_logs "\(see bus.kafka.properties: sasl.mechanism is not set\)" "SASL without a mechanism" \
    "$TEST_KAFKA_TLS" "${tls[@]}"
alert_logs '^distlog alert: bus.kafka.properties: no.such: No such configuration property: "no.such"$' \
    "no such property" "$TEST_KAFKA" no.such=1
alert_logs '^distlog alert: bus.kafka.properties: acks: Invalid value' "a property's bad value" "$TEST_KAFKA" \
    acks=many
properties "$TEST_KAFKA" acks=1
run timeout 30 distlog collect --listen "127.0.0.1:$port"
is "$status $err" "1 distlog collect: kafka $TEST_KAFKA: \`acks\` must be set to \`all\` when \`enable.idempotence\` is true (see bus.kafka.properties)" \
    "a property that would lose acknowledged records"
properties
DISTLOG_BUS_KAFKA_CREATE_TOPICS=false alert_logs \
    "topic alerts does not exist \(create it, or set bus.kafka.create_topics: true\)$" \
    "a missing topic that may not be created" "$TEST_KAFKA"

# --- topics are created according to the settings
properties
DISTLOG_BUS_KAFKA_REPLICATION=2 logs \
    "cannot create topic .*eplication.* \(check bus.kafka.partitions and bus.kafka.replication\)" \
    "more replicas than brokers" replicas alert --no-follow replicated
DISTLOG_BUS_KAFKA_PARTITIONS=4 DISTLOG_BUS_KAFKA_RETENTION=2d run timeout 60 distlog pubsub --no-follow \
    made made.p made.a --group made
is "$(kcat -L -b "$TEST_KAFKA" -t made | grep -c '^    partition')" 4 \
    "a topic that is created has the partitions of the settings"
admin config made retention.ms made.state cleanup.policy made.state max.message.bytes
like "$(grep ' compact ' admin.log)" '^172800000 compact 1056768$' \
    "it has the retention of the settings; the changelog is compacted"
start one distlog -o bus.kafka.instance=same pubsub made made.p made.a --group made
wait_for 20 has one.err '→'
start two distlog -o bus.kafka.instance=same pubsub made made.p made.a --group made
fenced() {
    cat one.err two.err >both.err; has both.err 'another process .*runs with the same bus.kafka.instance'
}
wait_for 30 fenced
ok $? "two processes with the same bus.kafka.instance are reported"
stop one
stop two

# --- foreign topics that accept less than bus.max_record
admin make 1 in out al
admin largest in 3000
admin largest out 3000
start collect distlog collect --listen "127.0.0.1:$port" -o collect.routes=log.input=in
wait_for 20 has collect.err '→'
large='{"node_id":"n","message_type":"LOG","pad":"'$(printf '%04000d' 0)'"}'
is "$(curl -s -o reply -w '%{http_code}' -H 'Content-Type: application/json' \
    "http://127.0.0.1:$port/log.input" -d "$large")" 413 \
    "collect answers 413 if its topic rejects the record"
like "$(cat reply)" 'the bus did not store a record: .*essage size too large' "the body says why"
stop collect
admin largest in 1000000
printf 'in\tn\t%s\n' '{"node_id":"n","message_type":"REGISTRATION","service_name":"s"}' "$large" | "$BUS" put
start pubsub distlog pubsub in out al --group small
wait_for 30 has pubsub.err \
    "cannot commit: topic out: .*essage size too large \(raise the topic's max.message.bytes, or lower bus.max_record\); retrying$"
ok $? "pubsub logs which topic rejects the routed record"
is "$(lines pubsub.err '; retrying$')" 1 "it logs that once"
admin largest out 1000000
wait_for 30 counts out '"LOG"' 1
ok $? "the record is routed when the topic accepts it"
wait_for 30 has pubsub.err 'recovered: bus kafka .* \(outage [0-9.]+ s\)'
ok $? "the recovery is logged"
stop pubsub

# --- ways to authenticate
allowed=("$TEST_KAFKA_TLS" "${plain[@]}" sasl.password=alice-secret)
for way in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
    user=bob
    [ $way = PLAIN ] && user=alice
    properties "$TEST_KAFKA_TLS" "${tls[@]}" sasl.mechanism=$way sasl.username=$user \
        sasl.password=$user-secret
    printf 'seen\tk\t%s\n' $way | "$BUS" put
done
properties "${allowed[@]}" "ssl.certificate.location=$TEST_TLS/client.crt" \
    "ssl.key.location=$TEST_TLS/client.key"
printf 'seen\tk\tmutual TLS\n' | "$BUS" put
is "$(values seen)" "$(printf 'k\t%s\n' PLAIN SCRAM-SHA-256 SCRAM-SHA-512 'mutual TLS')" \
    "TLS with each SASL mechanism and with a client certificate"
cat >map.yaml <<Y
bus:
  type: kafka
  kafka:
    brokers: $TEST_KAFKA_TLS
    properties: {security.protocol: SASL_SSL, sasl.mechanism: PLAIN, sasl.username: alice,
                 sasl.password: alice-secret, ssl.ca.location: "$TEST_TLS/ca.crt"}
Y
run timeout 60 env -u DISTLOG_BUS_KAFKA_BROKERS -u DISTLOG_BUS_KAFKA_PROPERTIES distlog -c map.yaml \
    pubsub --no-follow
is "$status" 0 "properties as a mapping in the YAML"
run timeout 60 env -u DISTLOG_BUS_KAFKA_PROPERTIES distlog -c map.yaml config
like "$out" 'security.protocol: SASL_SSL' "config shows them"
unlike "$out" 'alice-secret' "without the secrets"

# --- rights. This broker allows everything that no ACL mentions.
properties "${allowed[@]}"
admin deny alice READ TOPIC alerts
logs "cannot (read|use topic alerts): .*opic authorization failed \(grant this user access: add an ACL for the topic\)" \
    "no right to read a topic" denied alert --group g
printf 'nodes.dlq\tk\tv\n' | "$BUS" put
admin permit alice WRITE TOPIC nodes.dlq # and nothing else
logs "cannot read: .*an ACL for the topic\)" "no right to read the dead letters" denied deadletter list
admin deny alice READ GROUP distlog-pubsub
logs "an ACL for the group\)" "no right to the group" denied pubsub
admin lift alice READ GROUP distlog-pubsub
admin deny alice WRITE TRANSACTIONAL_ID distlog-pubsub-one
printf 'nodes\ta\t{"node_id":"a","message_type":"REGISTRATION"}\n' | "$BUS" put
logs "an ACL for the transactional id\)" "no right to the transactional id" denied \
    -o bus.kafka.instance=one pubsub
admin deny alice WRITE TOPIC processed_logs
logs "an ACL for the topic\)" "no right to write a topic" denied pubsub
admin lift alice WRITE TOPIC processed_logs
run timeout 60 distlog pubsub --no-follow
like "$err" 'read 1, routed 1' "pubsub works once it has the rights"
admin deny alice WRITE TOPIC nodes
port=$(free_port)
start collect distlog collect --listen "127.0.0.1:$port"
wait_for 10 has collect.err '→'
is "$(curl -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' \
    -d '{"a":1}' "127.0.0.1:$port/log.input")" 503 \
    "collect without the right to write answers 503"
like "$(cat collect.err)" 'an ACL for the topic' "the body says what to do"
stop collect
admin deny alice CREATE CLUSTER kafka-cluster
admin permit alice DESCRIBE TOPIC new
logs "topic new does not exist, and this user may not create it: .* \(create it, or grant the user Create\)" \
    "no right to create a topic" denied alert new

# --- a listener that requires a client certificate
KAFKA_EXTRA=listener.name.sasl_ssl.ssl.client.auth=required broker restart
alert_logs "$places .*SSL.* alert .* \(check ssl.certificate.location and the other ssl.\* settings in bus.kafka.properties" \
    "no client certificate" "${allowed[@]}"
properties "${allowed[@]}" "ssl.certificate.location=$TEST_TLS/client.crt" \
    "ssl.key.location=$TEST_TLS/client.key"
printf 'seen\tk\twith a certificate\n' | "$BUS" put
is "$(values seen | tail -n 1)" "$(printf 'k\twith a certificate')" "a client certificate is accepted"
done_testing
