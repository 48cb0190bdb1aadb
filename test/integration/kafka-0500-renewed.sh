#!/usr/bin/env bash
# What changes while distlog runs, on a Kafka with TLS and passwords: the broker's certificate and the
# user's password. Each outage is logged once when it begins and once when it ends, and no record is lost
# or duplicated. kafka-0100-refusals.sh checks the messages.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
extra=listener.name.sasl_ssl.ssl.keystore.location=$TMP/server.pem

authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "$1.key" -out "$1.crt" -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
} 2>openssl.log
# certificate AUTHORITY: makes a new certificate of it for the next start of the broker.
certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout new.key -out new.csr -subj /CN=new &&
        openssl x509 -req -in new.csr -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -days 2 \
            -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n') \
            -out new.crt &&
        cat new.key new.crt "$1.crt" >server.pem
} 2>openssl.log
authority ours && authority strange && certificate ours
ok $? "certificates are created"

KAFKA_EXTRA=$extra on_kafka
admin user eve old-secret
properties "$TEST_KAFKA_TLS" security.protocol=SASL_SSL "ssl.ca.location=$TMP/ours.crt" \
    sasl.mechanism=SCRAM-SHA-512 \
    sasl.username=eve sasl.password=old-secret
start pubsub distlog pubsub --heartbeat-timeout 1h
start store distlog store
wait_for 30 has pubsub.err '→' && wait_for 30 has store.err '→'
ok $? "pubsub and store are connected"
numbers=0
# more: puts ten records by the listener that needs no password. The first one ever is a registration, for
# which
# there is a liveness event in the output.
more() {
    for ((i = 0; i < 10; i++)); do
        kind=LOG
        [ $((numbers++)) -gt 0 ] || kind=REGISTRATION
        printf 'nodes\tn1\t{"log_id":"n1_%d","node_id":"n1","message_type":"%s","log_level":"INFO"}\n' \
            $numbers $kind
    done >lines
    DISTLOG_BUS_KAFKA_PROPERTIES='' DISTLOG_BUS_KAFKA_BROKERS=$TEST_KAFKA "$BUS" put <lines
}
arrived() { [ "$(sql data/store.db 'SELECT count(*) FROM doc')" = $numbers ]; }
# over NAME: whether each outage that it has logged is over.
over() { [ "$(lines "$1.err" '; retrying$')" = "$(lines "$1.err" 'recovered: bus kafka .* \(outage [0-9.]+ s\)')" ]; }
goes_on() {
    wait_for 120 arrived
    ok $? "$1: all records arrive"
    for name in pubsub store; do
        wait_for 60 over $name
        ok $? "$1: $name has logged the end of each outage"
    done
}
away() { has pubsub.err '; retrying$' && ! over pubsub; }
more
goes_on "before any change"

certificate ours
KAFKA_EXTRA=$extra broker restart
more
goes_on "a certificate that was renewed by the same authority"

certificate strange
KAFKA_EXTRA=$extra broker restart
wait_for 60 away
ok $? "a certificate of another authority keeps pubsub out"
more
certificate ours
KAFKA_EXTRA=$extra broker restart
goes_on "the right certificate again"

admin user eve new-secret
for _ in 1 2 3; do # just after its start a busy broker may accept the old password
    KAFKA_EXTRA=$extra broker restart
    wait_for 30 away && break
done
away
ok $? "a changed password keeps pubsub out"
more
admin user eve old-secret
goes_on "the right password again"

for name in pubsub store; do
    stop $name
    is "$status" 0 "$name stops with exit code 0"
    is "$(grep -vEc '→|stopped: |; retrying$|recovered: (bus|store) .*\(outage [0-9.]+ s\)$' $name.err)" 0 \
        "$name has logged nothing else"
done
is "$(sql data/store.db "SELECT count(DISTINCT id) FROM doc WHERE type = 'LOG'")" $((numbers - 1)) \
    "each record is stored once"
unlike "$(cat ./*.err)" 'old-secret|new-secret' "no password was logged"
done_testing
