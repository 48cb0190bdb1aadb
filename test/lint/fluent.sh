#!/usr/bin/env bash
# fluent: what can be checked of fluent.conf without Ruby: it listens and writes where collect does, and
# has the settings without which a record would be on another partition or come too late. That murmur2
# chooses the same partitions as Java and collect is checked by test/faults/oracle.py, on a real Kafka.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

# value SECTION NAME: prints the first setting of that name in the first such section, without quotes.
value() {
    awk -v section="<$1" -v name="$2" '/^ *#/ { next } index($1, section) == 1 { inside = 1 }
        inside && $1 == name { sub(/^ *[^ ]+ +/, ""); gsub(/"/, ""); print; exit }' "$TOP/fluent.conf"
}
default() { distlog config | awk -v path="$1" \
    '{ n = match($0, /[^ ]/) - 1; split($1, k, ":"); at[n / 2] = k[1]
    full = at[0]; for (i = 1; i <= n / 2; i++) full = full "." at[i] } full == path { print $2; exit }'; }

is "$(grep -c '^ *<' "$TOP/fluent.conf")" "$(($(grep -c '^ *</' "$TOP/fluent.conf") * 2))" \
    "each section is closed"
is "$(value source bind):$(value source port)" "$(default collect.listen)" "it listens where collect does"
is "$(value source body_size_limit)" "$(default collect.max_body | sed 's/MB/m/')" \
    "it accepts bodies of the same size"
is "$(value match default_topic)" "$(default topics.input)" "its topic is topics.input"
while read -r section name wanted; do
    is "$(value "$section" "$name")" "$wanted" "$name $wanted"
done <<'E'
source add_http_headers false
source add_remote_addr false
match message_key_key node_id
match partitioner_hash_function murmur2
match use_event_time true
match required_acks -1
buffer flush_mode immediate
buffer flush_thread_count 1
buffer overflow_action throw_exception
buffer retry_forever true
E
done_testing
