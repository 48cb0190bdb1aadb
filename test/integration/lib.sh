# lib.sh: the scripts on real servers start with it: test/cli/lib.sh, and a Kafka of the script's own.
# Owns that broker, which may be stopped, emptied and reconfigured, and is removed at the end.
# SPDX-License-Identifier: Apache-2.0
[ "$(type -t ok)" = function ] || . "$(dirname "$0")/../cli/lib.sh"
export TEST_SERVERS_RUN=$TMP/servers
mkdir -m 755 -p "$TEST_SERVERS_RUN" && chmod 755 "$TMP"

# broker start|stop|kill|restart: waits until it answers, or has ended.
broker() {
    case $1 in
    kill) kill -KILL "${pids[broker]}" && wait_for 10 gone "${pids[broker]}" ;;
    *) "$TOP/test/integration/servers" "$1" kafka >"$TMP/servers.log" 2>&1 ||
        { cat "$TMP/servers.log" >&2; exit 1; } ;;
    esac
    unset "pids[broker]"
    [ "$1" = stop ] || [ "$1" = kill ] || pids[broker]=$(cat "$TEST_SERVERS_RUN/kafka/pid")
}
gone() { ! kill -0 "$1" 2>/dev/null; }
# on_kafka: starts the broker and makes it the bus of every command that follows.
on_kafka() {
    broker start
    eval "$("$TOP/test/integration/servers" env)"
    export DISTLOG_BUS_TYPE=kafka DISTLOG_BUS_KAFKA_BROKERS=$TEST_KAFKA
    PLACE="bus kafka $TEST_KAFKA"
}
# on_es [URL]: makes it the store of every command that follows, with an index of this script's own.
# TEST_STORE=opensearch: OpenSearch instead.
on_es() {
    local kind=elasticsearch url
    [ -n "${TEST_ES:-}" ] || eval "$(TEST_SERVERS_RUN='' "$TOP/test/integration/servers" env)"
    INDEX=t-$$-$RANDOM
    url=${1:-$TEST_ES}
    [ "${TEST_STORE:-}" != opensearch ] || kind=opensearch url=$TEST_OPENSEARCH
    export DISTLOG_STORE_TYPE=elasticsearch DISTLOG_STORE_ELASTICSEARCH_URLS=$url DISTLOG_STORE_INDEX=$INDEX
    STORE="store $kind $url, index $INDEX"
    at_end+=(es_clean)
}
# own_es start|stop|kill|restart [es|es-secure]: a server of the script's own, for on_es; heeds ES_EXTRA.
own_es() {
    local name=${2:-es}
    case $1 in
    kill) kill -KILL "${pids[$name]}" && wait_for 10 gone "${pids[$name]}" ;;
    *) "$TOP/test/integration/servers" "$1" "$name" >"$TMP/servers.log" 2>&1 ||
        { cat "$TMP/servers.log" >&2; exit 1; } ;;
    esac
    unset "pids[$name]"
    [ "$1" = stop ] || [ "$1" = kill ] || pids[$name]=$(cat "$TEST_SERVERS_RUN/$name/pid")
    eval "$("$TOP/test/integration/servers" env)"
}
# es METHOD PATH [JSON]: sends a request to that server.
es() {
    curl -sS --max-time 30 --cacert "$TEST_TLS/ca.crt" -u "elastic:$TEST_ES_PASSWORD" -X "$1" \
        -H 'Content-Type: application/json' \
        "${DISTLOG_STORE_ELASTICSEARCH_URLS%%,*}$2" ${3+-d "$3"}
}
es_clean() {
    for index in $(es GET "/_cat/indices/$INDEX*?h=index" 2>/dev/null); do
        es DELETE "/$index" >/dev/null
    done
    es DELETE "/_index_template/distlog-$INDEX*" >/dev/null 2>&1
}
# documents: prints how many the index has.
documents() {
    es POST "/$INDEX*/_refresh" >/dev/null && es GET "/$INDEX*/_count" | sed 's/.*"count":\([0-9]*\).*/\1/'
}
# values TOPIC: what kcat, a foreign client, reads from a topic with read_committed: KEY<TAB>VALUE lines.
values() {
    kcat -C -b "$TEST_KAFKA" -X isolation.level=read_committed -t "$1" -o beginning -e -q -f '%k\t%s\n' \
        2>/dev/null
}
# count TOPIC PATTERN: prints how many of them match.
count() { values "$1" | grep -Ec -- "$2"; }
# members GROUP NUMBER: whether it has that many, according to the broker's log of its last change.
members() {
    grep -Eo "Stabilized group $1 .* with [0-9]+ members" "$TEST_SERVERS_RUN/kafka/broker.log" |
        tail -n 1 | grep -q " with $2 members"
}
# ends TOPIC: prints the end offsets of its three partitions. goes_on_everywhere TOPIC DESCRIPTION: checks
# that
# all of them grow from now on.
ends() { kcat -Q -b "$TEST_KAFKA" -t "$1:0:-1" -t "$1:1:-1" -t "$1:2:-1" | awk '{ print $NF }' | xargs; }
advanced() {
    local now
    read -ra now <<<"$(ends "$1")"
    for p in 0 1 2; do [ "${now[p]:-0}" -gt $((${before[p]:-0} + 50)) ] || return 1; done
}
goes_on_everywhere() {
    local before
    read -ra before <<<"$(ends "$1")"
    wait_for 60 advanced "$1"
    ok $? "$2"
}
# counts TOPIC PATTERN NUMBER: whether that many values match.
counts() { [ "$(count "$1" "$2")" -eq "$3" ]; }
# admin COMMAND…: see kafka/Admin.java.
admin() {
    java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(dirname "$TEST_TLS")/kafka-3.9.2/lib/*" \
        "$TOP/test/integration/kafka/Admin.java" "$TEST_KAFKA" "$@" >"$TMP/admin.log" 2>&1 ||
        { grep -v -e INFO -e ' = ' "$TMP/admin.log" >&2; exit 1; }
}
# properties [BROKERS [NAME=VALUE…]]: sets the broker and the librdkafka properties of the commands that
# follow.
properties() {
    local all
    all=$(printf ',%s' "${@:2}")
    export DISTLOG_BUS_KAFKA_BROKERS=${1:-$TEST_KAFKA} DISTLOG_BUS_KAFKA_PROPERTIES=${all#,}
}
