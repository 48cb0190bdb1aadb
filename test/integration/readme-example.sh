#!/usr/bin/env bash
# The README's section "On Kafka and Elasticsearch", its own lines executed on secured servers: topics,
# user and rights created with Kafka's tools, API keys, settings; then every command with only these
# rights. Only hosts, folders, and the replicas that a single broker can have are replaced. Its last block
# is for root on a machine with systemd: its chmod is executed, and its effect for the daemons' user is
# tested where this script is root; chown and systemctl only print what they would do, because the user
# distlog and the units come with an installation (test/lint/install.sh checks the units with
# systemd-analyze).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
export KAFKA_EXTRA='allow.everyone.if.no.acl.found=false'
on_es
insecure=$TEST_ES
on_kafka
own_es start es-secure
as_given() { # only the settings in files, none of the environment
    for name in $(env | sed -n 's/^\(DISTLOG_\(BUS\|STORE\)[A-Za-z_]*\)=.*/\1/p'); do unset "$name"; done
}
as_given
"$TOP/test/integration/servers" tools "$TMP/bin"

# block N: prints what is between the section's Nth pair of fences, with the hosts and folders of this
# machine.
mkdir etc
port=$(free_port)
block() {
    awk -v n="$1" '/^## / { here = /On Kafka and/ } here && /^```/ { fence++; next } here && fence == 2 * n - 1' \
        "$TOP/README.md" |
        sed -e "s|kafka1:9093[0-9a-z:,]*|$TEST_KAFKA_TLS|; s|https://es1:9200|$TEST_ES_SECURE|; s|, https://es2:9200||" \
            -e "s|/etc/distlog|$TMP/etc|g; s|http://localhost:9200|$insecure|; s|\*:9880|127.0.0.1:$port|; s|-u elastic |-su elastic:$TEST_ES_PASSWORD |" \
            -e 's|--replication-factor 3|--replication-factor 1|; s|min.insync.replicas=2|min.insync.replicas=1|'
}
cp "$TEST_TLS/ca.crt" . && cp ca.crt etc/
cp "$TEST_TLS/server.crt" etc/collect.crt && cp "$TEST_TLS/server.key" etc/collect.key
printf 'sesame\n' >etc/collect.token
export KAFKA_PASSWORD=of-kafka bus=$TEST_KAFKA

block 2 >administer && block 3 >keys && block 4 >etc/distlog.yaml
run bash -e administer
is "$status:$err" 0: "topics, user and rights are created"
like "$out" 'Created topic distlog-pubsub.state' "all of them"
run bash -e keys
is "$status" 0 "the keys are created"
is "$(grep -o '"encoded":"[^"]*"' <<<"$out" | cut -d'"' -f4 | tee encoded | wc -l)" 2 "two keys"
sed -n 1p encoded >etc/es.key
sed -n 2p encoded >people.key
export DISTLOG_CONFIG=$TMP/etc/distlog.yaml
run distlog config --check
is "$status:$err" 0: "the settings are valid"

# --- the owners and modes of the files
echo "KAFKA_PASSWORD=$KAFKA_PASSWORD" >etc/environment
block 5 >owners
group=60317 # instead of the user distlog
run bash -e -c 'sudo() { "$@"; }; systemctl() { echo "systemctl $*"; }
    chown() { echo "chown $1"; [ "$(id -u)" != 0 ] || command chown "root:$0" "${@:2}"; ls "${@:2}" >/dev/null; }
    . ./owners' $group
is "$status:$out:$err" "0:chown root:distlog
systemctl enable --now distlog.target:" "the last block names files that are there"
is "$(cd etc && stat -c '%a %n' collect.* environment es.key)" "640 collect.crt
640 collect.key
640 collect.token
600 environment
640 es.key" "only the group can read the secrets"
for file in distlog.yaml environment; do
    grep -q "[=-]@CONFIG@/$file$" "$TOP/man/systemd/distlog.service.in"
    ok $? "the units read /etc/distlog/$file"
done
if [ "$(id -u)" = 0 ]; then
    as() { setpriv --reuid=60317 --regid="$1" --clear-groups "${@:2}"; }
    run as $group distlog config --check
    is "$status:$err" 0: "the daemons' user can read its settings and the files that they name"
    run as 60318 distlog config --check
    like "$status:$err" '^2:.*Permission denied' "other users can't"
    run as $group cat etc/environment
    is "$status" 1 "only root can read the environment"
else
    skip "needs root" "the daemons' user can read its settings and the files that they name" "other users can't" \
        "only root can read the environment"
fi

# --- the daemons
for daemon in collect pubsub store alert; do
    start $daemon distlog $daemon
    wait_for 30 has $daemon.err '→|alerts$' || ok 1 "$daemon is running"
done
post() {
    curl -s --cacert ca.crt -H 'Authorization: Bearer sesame' -H 'Content-Type: application/json' -d "$1" \
        "https://127.0.0.1:$port/log.input" -o answer -w '%{http_code}'
}
is "$(post '[{"node_id":"n","message_type":"REGISTRATION"},{"no":"node"},
    {"log_id":"n_1","node_id":"n","message_type":"LOG","log_level":"WARN","message":"slow"},
    {"log_id":"n_2","node_id":"n","message_type":"LOG","log_level":"INFO","message":{"no":"text"}}]')" 200 "collect takes records"
wait_for 60 has store.out '^Log stored successfully: n, n_1, WARN'
ok $? "pubsub and store process the records"
wait_for 30 has alert.out '^WARN: n, n_1'
ok $? "alert prints the alert"
wait_for 30 has store.out '^Error storing log: document_parsing_exception'
ok $? "a record that Elasticsearch rejects is printed"
wait_for 30 counts processed_logs.dlq document_parsing 1
ok $? "it is a dead letter"
wait_for 30 counts nodes.dlq '\\"no\\":\\"node\\"' 1
ok $? "a record without a node is one, too"
wait_for 30 has alert.out '^ALERT: Node n missed its heartbeat!'
ok $? "a silence is reported"
people() {
    DISTLOG_STORE_ELASTICSEARCH_API_KEY=$(cat people.key) DISTLOG_STORE_ELASTICSEARCH_API_KEY_FILE='' "$@"
}
people start follow distlog search --follow WARN
wait_for 30 has follow.out '"log_id":"n_1"'
ok $? "people follow a search"
is "$(post '{"log_id":"n_3","node_id":"n","message_type":"LOG","log_level":"WARN","message":"slow again"}')" \
    200 "one more record"
wait_for 30 has follow.out '"log_id":"n_3"'
ok $? "they see it"
stop follow
is "$status:$(lines follow.out '^{'):$(cat follow.err)" \
    "0:2:distlog search: store elasticsearch $TEST_ES_SECURE, index logs-%Y.%m.%d" "without an error"
for daemon in collect pubsub store alert; do
    stop $daemon
    is "$status:$(grep -vEc "→|alerts$|stopped: " $daemon.err)" 0:0 "$daemon logs no error"
    note "$(cat $daemon.err)"
done

# --- the commands
people run distlog search WARN
like "$status:$out" '"log_id":"n_1"' "people can search"
mkdir -p "$XDG_CONFIG_HOME/distlog"
sed -n '/^store:/,/^collect:/p' etc/distlog.yaml |
    sed -e '/^collect:/d' -e "s|$TMP/etc/es.key|$TMP/own.key|" >"$XDG_CONFIG_HOME/distlog/distlog.yaml"
sed 's/, "delete", "maintenance"//; s/distlog-people/only-search/' keys >only
bash -e only | grep -o '"encoded":"[^"]*"' | cut -d'"' -f4 | sed -n 2p >own.key
run env -u DISTLOG_CONFIG -u KAFKA_PASSWORD distlog search WARN
like "$status:${out//$'\n'/ }" '^0:.*"log_id":"n_3"' \
    "people can search with settings of their own, and a key that may only search"
run env -u DISTLOG_CONFIG -u KAFKA_PASSWORD distlog delete --yes
like "$status:${err//$'\n'/ }" '^1:.*can.t delete: .*unauthorized for API key' "this key may not delete"
run distlog search WARN
like "$status:${err//$'\n'/ }" '^1:.*HTTP 403.*grant the user or API key' "the daemon's key may not delete"
run distlog nodes
like "$status:$out" 'silent .* n$' "nodes shows a node that is known"
run timeout 60 distlog alert --no-follow --group distlog-pager
like "$status:$out" '^0:WARN: n, n_1' "alert works in the group of the ACL"
run timeout 20 distlog alert --no-follow --group pager
like "$status:$err" 'an ACL for the group' "another group needs an ACL of its own"
run distlog deadletter list
is "$status:$(cut -f 1,4 <<<"$out" | sed -E 's/-[0-9]+-[0-9]+//' | xargs)" \
    "0:nodes.dlq - processed_logs.dlq n" "deadletter lists the dead letters"
run distlog deadletter retry
is "$status:$out:$err" "0:Retried dead letters: 2:" "it sends them again"
run timeout 60 distlog store --no-follow
like "$status:${err//$'\n'/ }" '^0:.*stored 0, already there 0, dead letters 1' \
    "store reads and rejects one again"
run distlog deadletter list processed_logs
is "$(wc -l <<<"$out"):$(cut -f 4 <<<"$out")" 1:n "there is one new dead letter"
DISTLOG_BUS_KAFKA_INSTANCE=one run timeout 60 distlog pubsub --no-follow
is "$status" 0 "an instance with a name works"
people run distlog delete
like "$status:$out" '^0:Deleted documents: .*"deleted":[1-9]' "people can delete"
people run distlog search
is "$out" "Search results:" "everything is deleted"

# --- a user for each daemon, with the rights that the README names
says() { # USER COMMAND…: checks that it succeeds without an error
    properties "$TEST_KAFKA_TLS" security.protocol=SASL_SSL sasl.mechanism=SCRAM-SHA-512 \
        "ssl.ca.location=$PWD/ca.crt" \
        "sasl.username=only-$1" "sasl.password=only-$1"
    run "${@:2}"
    # pubsub may be behind, as nodes says; that is not a missing right.
    is "$status:$(grep -vEc "→|alerts$|stopped: |pubsub is behind" err)" 0:0 "$1 needs no other right"
    [ "$status" = 0 ] || note "$err"
}
collect() { # serves one request
    start collect distlog collect
    wait_for 10 has collect.err '→'
    post '[{"node_id":"m","message_type":"REGISTRATION"},{"no":"node"},
        {"log_id":"m_1","node_id":"m","log_level":"WARN","message_type":"LOG","message":{"no":"text"}}]'
    stop collect
    cat collect.err >&2
    return "$status"
}
admin user only-collect only-collect
admin permit only-collect WRITE TOPIC nodes
admin user only-pubsub only-pubsub
admin permit only-pubsub READ TOPIC nodes READ TOPIC distlog-pubsub.state WRITE TOPIC distlog-pubsub.state \
    WRITE TOPIC processed_logs WRITE TOPIC alerts WRITE TOPIC nodes.dlq READ GROUP distlog-pubsub \
    WRITE TRANSACTIONAL_ID 'distlog-pubsub-*'
admin user only-store only-store
admin permit only-store READ TOPIC processed_logs WRITE TOPIC processed_logs.dlq READ GROUP distlog-store \
    WRITE TRANSACTIONAL_ID 'distlog-store-*'
admin user only-alert only-alert
admin permit only-alert READ TOPIC alerts READ GROUP distlog-alert READ GROUP distlog-reader
says collect collect
is "$out" 200 "collect accepts records"
says pubsub timeout 60 distlog pubsub --no-follow
like "$err" 'read 3, routed 2, alerts 1, dead letters 1' "pubsub routes, and writes dead letters"
says store timeout 60 distlog store --no-follow
like "$err" 'stored 1, already there 0, dead letters 1' "store stores, and writes dead letters"
says alert timeout 60 distlog alert --no-follow --from-start
like "$out" '^WARN: m, m_1' "alert prints alerts"
says alert timeout 60 distlog alert --no-follow --group distlog-alert
like "$out" '^WARN: m, m_1' "alert works in a group, too"
admin user only-nodes only-nodes
admin permit only-nodes READ TOPIC nodes READ TOPIC distlog-pubsub.state READ GROUP distlog-pubsub
says nodes distlog nodes
like "$out" ' m$' "nodes shows the nodes"
admin user only-deadletter only-deadletter
admin permit only-deadletter READ TOPIC nodes.dlq READ TOPIC processed_logs.dlq READ TOPIC \
    distlog-deadletter.state
says deadletter distlog deadletter list
like "$out" '^nodes.dlq-.*' "deadletter lists"
waiting=$(wc -l <<<"$out")
admin permit only-deadletter WRITE TOPIC distlog-deadletter.state WRITE TOPIC nodes WRITE TOPIC \
    processed_logs \
    WRITE TRANSACTIONAL_ID distlog-deadletter
says deadletter timeout 60 distlog deadletter retry
is "$out" "Retried dead letters: $waiting" "deadletter sends again"
says pubsub timeout 60 distlog pubsub --no-follow
says store timeout 60 distlog store --no-follow

# --- without any security
unset DISTLOG_CONFIG
on_es "$insecure"
properties
ln -s "$DISTLOG" distlog
run bash -c "$(block 1 | tr -d '\\\n') --for 8s -o collect.listen=127.0.0.1:0"
like "$status:$(tail -n 1 out)" '^0:accepted [1-9].*, refused 0, .*, stored [1-9].*, dead letters 0$' \
    "up works on servers of this machine"
done_testing
