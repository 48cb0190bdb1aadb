#!/usr/bin/env bash
# deadletter: lists and shows rejected records as they were, and sends them again exactly once.
# Also on: kafka
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
kafka=${TEST_BUS:-}
export DISTLOG_BUS_KAFKA_PARTITIONS=1

# letter TOPIC MEMBERS [REASON]: prints a dead letter of that topic, as distlog writes it.
letter() {
    printf '%s.dlq\tk\t{"reason":"%s","topic":"%s","partition":0,"offset":7,"timestamp":1795502089120,%s}\n' \
        "$1" "${3:-why}" "$1" "$2" | "$BUS" put
}
waiting() { distlog deadletter list "$@" 2>/dev/null; }
names() { waiting "$@" | cut -f 1; }
sent() { "$BUS" get "$1" 2>/dev/null; }
times() { sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z/T/g'; }

if [ -z "$kafka" ]; then
    for verb in list "show nodes.dlq-0-0" retry; do
        run distlog deadletter $verb
        is "$status" 1 "no bus to $verb: exit 1"
        like "$err" "^distlog deadletter: no bus at $TMP/data/bus.db: " \
            "the message says where it looked"
    done
    [ ! -e "$TMP/data/bus.db" ]
    ok $? "it creates no bus"
fi
run distlog deadletter
is "$status" 2 "a missing verb is a usage error"
run distlog deadletter burn
is "$status:$err" "2:distlog deadletter: unknown action 'burn'; expected list, show or retry" \
    "an unknown verb is a usage error"
for operand in "" nodes; do
    run distlog deadletter show $operand
    is "$status:$err" '2:distlog deadletter: show: missing LETTER; run `distlog deadletter list` for the names' \
        "show '$operand' is a usage error"
done
run distlog deadletter list a b
is "$status" 2 "two operands are a usage error"
run distlog deadletter list --rwa
is "$status" 2 "an unknown option is a usage error"

# What pubsub and store make of bad records.
printf 'nodes\tk\tnonsense\nnodes\t\t{"a":1}\nnodes\tk\t{"node_id":"late","message_type":"LOG"}\nprocessed_logs\tk\n' |
    "$BUS" put
run distlog deadletter list
is "$status:$out:$err" "0::distlog deadletter: no dead letters" "no dead letters yet"
run distlog deadletter retry
is "$status:$out:$err" "0:Retried dead letters: 0:distlog deadletter: no dead letters" \
    "no dead letters to retry"
distlog pubsub --no-follow -o pubsub.unregistered=dead_letter >/dev/null 2>&1
distlog store --no-follow --quiet 2>/dev/null
run distlog deadletter list
is "$status:$(times <<<"$out")" \
    "$(printf '0:%s\n' "$(printf '%s\t' nodes.dlq-0-0 T \
    nodes-0-0 k)expected a value (object, array, string, number, true, false, null) at byte 0")
$(printf '%s\t' nodes.dlq-0-1 T nodes-0-1 -)node_id is missing or not a string
$(printf '%s\t' nodes.dlq-0-2 T nodes-0-2 k)the node is not registered
$(printf '%s\t' processed_logs.dlq-0-0 T processed_logs-0-0 k)the record has no value (null)" "list: one line each with name, time, origin, key and reason"
is "$(names nodes | wc -l)-$(names nodes.dlq | wc -l)-$(names processed_logs)" "3-3-processed_logs.dlq-0-0" \
    "list of one topic, by either name"
is "$(names nodes.dlq-0-1)" "nodes.dlq-0-1" "show of one dead letter"
run distlog deadletter show nodes.dlq-0-1
is "$status:$(times <<<"$out")" "0:letter  nodes.dlq-0-1, T
reason  node_id is missing or not a string
origin  nodes-0-1, T
key     (null)

{\"a\":1}" "show: reason, origin, times, and the record"
distlog deadletter show --raw nodes.dlq-0-0 >"$TMP/raw"
is "$(od -c <"$TMP/raw")" "$(printf nonsense | od -c)" "--raw: exactly its bytes"
is "$(distlog deadletter show processed_logs.dlq-0-0 | tail -n 1)" "(null)" "a null value is shown"
run distlog deadletter show nodes.dlq-0-9
is "$status:$out:$err" "1::distlog deadletter: no dead letter nodes.dlq-0-9" \
    "a missing dead letter is an error"

# The cause of one dead letter is fixed: its node registers.
printf 'nodes\tk\t{"node_id":"late","message_type":"REGISTRATION"}\n' | "$BUS" put
distlog pubsub --no-follow >/dev/null 2>&1
run distlog deadletter retry nodes.dlq-0-2
is "$status:$out:$err" "0:Retried dead letters: 1:" "one dead letter is retried"
is "$(sent nodes | tail -n 1)" $'k\t{"node_id":"late","message_type":"LOG"}' \
    "it is sent to its topic, with its key, unchanged"
is "$(names nodes | tr '\n' ' ')" "nodes.dlq-0-0 nodes.dlq-0-1 " "it is listed no longer"
run distlog deadletter retry nodes.dlq-0-2
is "$status:$out" "1:Retried dead letters: 0" "a second retry is an error"
like "$err" 'no dead letter nodes.dlq-0-2$' "the message says so"
is "$(sent nodes | grep -c LOG)" 2 "it sends nothing"
run distlog deadletter retry
is "$status:$out" "0:Retried dead letters: 3" "the others are retried, of both topics"
is "$(names)" "" "none is listed any more"
distlog pubsub --no-follow >/dev/null 2>&1
distlog store --no-follow --quiet 2>/dev/null
is "$(waiting | cut -f 3-5 | sed 's/-[0-9]*\t/\t/')" \
    "$(printf '%s\n' $'nodes-0\tk\texpected a value (object, array, string, number, true, false, null) at byte 0' \
    $'nodes-0\t-\tnode_id is missing or not a string' $'processed_logs-0\tk\tthe record has no value (null)')" "a record that is rejected again is a new dead letter"
is "$(sent processed_logs | grep -c '"message_type":"LOG"')" 1 \
    "the record of the registered node is routed, once"

# Arbitrary bytes.
letter bytes '"key":"\u001b[1m\tk","value":"{\"a\":\"\u009b\"}\n"' 'bad \u001b[2J\u009b'
letter bytes '"key_base64":"/w==","value_base64":"AP/+Cg=="'
letter bytes '"key":null,"value":null'
printf 'bytes.dlq\tk\tno letter\nbytes.dlq\tk\n' | "$BUS" put
run distlog deadletter list bytes
like "$(head -n 1 <<<"$out")" '	\\x1b\[1m\\tk	bad \\x1b\[2J\\xc2\\x9b$' \
    "control characters are escaped in the list"
is "$(tail -n 2 <<<"$out" | cut -f 3-5)" \
    "$(printf -- '-\t-\tnot a dead letter: expected a value (object, array, string, number, true, false, null) at byte 0%s\n' '' ', where the text ends')" \
    "records that are not dead letters are listed"
run distlog deadletter show bytes.dlq-0-0
is "$(tail -n 3 <<<"$out")" 'key     \x1b[1m\tk

{"a":"\xc2\x9b"}\n' "and in what is shown"
last=$(names bytes | tail -n 1)
run distlog deadletter show "$last"
is "$status:$out" "1:" "a record that is not a dead letter can't be shown"
like "$err" "$last: not a dead letter: expected a value" "the message says so"
second=$(names bytes | sed -n 2p)
is "$(distlog deadletter show --raw "$second" | od -An -tx1)" " 00 ff fe 0a" \
    "binary bytes are shown unchanged"
run distlog deadletter retry bytes
is "$status:$out" "1:Retried dead letters: 3" "only dead letters can be sent"
like "$err" "2 records could not be retried and remain in the dead-letter queue" "the others are counted"
is "$(grep -c ': not a dead letter: expected a value' <<<"$err")" 2 "each has a reason"
is "$(names bytes | wc -l)" 2 "they stay in the list"
is "$(sent bytes | od -An -tx1 | tr -d '\n')" \
    " 1b 5b 31 6d 09 6b 09 7b 22 61 22 3a 22 c2 9b 22 7d 0a 0a ff 09 00 ff fe 0a 0a 09 0a" \
    "a dead letter is sent with every byte"

# Records that are too large: cut by pubsub, or larger than this bus.max_record.
printf 'nodes\tk\t{"node_id":"x","filler":"%02000d"}\n' 7 | "$BUS" put
distlog pubsub --no-follow -o bus.max_record=1KB >/dev/null 2>&1
cut=$(names nodes | tail -n 1)
run distlog deadletter show "$cut"
is "$status:$(tail -n 1 <<<"$out" | cut -c 1-30)" '0:{"node_id":"x","filler":"00000' \
    "show prints what was kept of a record that was cut"
like "$err" "^distlog deadletter: $cut: incomplete: only the first [0-9]+ of 2027 bytes were kept$" \
    "the message says that it was cut"
run distlog deadletter retry "$cut"
is "$status:$out" "1:Retried dead letters: 0" "it can't be retried"
like "$err" "cannot retry $cut: incomplete: only the first [0-9]+ of 2027 bytes were kept" "the message says so"
is "$(names nodes | tail -n 1)" "$cut" "it stays in the list"
letter large "\"key\":\"$(printf %01100d 1)\",\"value\":\"\",\"truncated\":0"
letter large "\"key\":\"k\",\"value\":\"$(printf %01100d 2)\""
run distlog deadletter retry large -o bus.max_record=1KB
is "$status:$out" "1:Retried dead letters: 0" \
    "a record whose key was cut, and one larger than bus.max_record, can't be retried"
like "$err" 'cannot retry large.dlq-0-0: incomplete: the key was too long to keep' "the message about the key says why"
like "$err" 'large.dlq-0-[0-9]+: .* bus.max_record' "the message about the size names the setting"
run distlog deadletter retry large
is "$status:$out:$(sent large | wc -l)" "1:Retried dead letters: 1:1" \
    "with a larger bus.max_record it is sent"

# lease MS: makes the lease of the group on the embedded bus end in so many milliseconds.
lease() {
    [ -n "$kafka" ] || python3 -c 'import sqlite3, sys, time
d = sqlite3.connect(sys.argv[1], timeout=20)
d.execute("UPDATE owner SET lease_until = ? WHERE name = ?", (time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 10**6 + int(sys.argv[2]), "distlog-deadletter"))
d.commit()' "$DISTLOG_DATA/bus.db" "$1"
}

# Killed just before or after a commit, and two at once: each dead letter is sent exactly once.
for i in $(seq 6000); do
    printf 'many.dlq\tk\t{"reason":"r","topic":"again","partition":0,"offset":%d,"timestamp":1,"key":"k%d","value":"v%d"}\n' \
        $i $i $i
done | "$BUS" put
# The first commits on the embedded bus acquire the group; each later one sends 200 dead letters.
point=sqlite-commit first=2 done=0
[ -z "$kafka" ] || point=commit first=0
for when in before after; do
    for batch in 1 2 3; do
        what="killed $when commit $batch: the batches that were committed were sent, and no other"
        if sanitized; then
            skip "the address sanitizer is in the place of the interposer" "$what"
            continue
        fi
        LD_PRELOAD=$INTERPOSER FAULTS_POINT=$point-$when:$((first + batch)) start killed distlog \
            deadletter retry many
        await killed
        [ $when = after ] && done=$((done + 200 * batch)) || done=$((done + 200 * (batch - 1)))
        lease 0
        is "$status $(sent again | wc -l) $(sent again | sort -u | wc -l) $(names many | wc -l)" \
            "137 $done $done $((6000 - done))" \
            "$what"
    done
done
if [ -z "$kafka" ]; then
    lease 6000
    start waits distlog deadletter retry many
    wait_for 10 has "$TMP/waits.err" "waiting: another .distlog deadletter retry. is running, or was killed and still has its lease"
    ok $? "a group whose reader was killed is waited for"
    stop waits
    is "$status:$(cat "$TMP/waits.out")" "1:Retried dead letters: 0" "SIGTERM ends the wait"
    like "$(cat "$TMP/waits.err")" "interrupted before the end" "the message says so"
fi
start one distlog deadletter retry many
start two distlog deadletter retry many
await one
await two
run distlog deadletter retry many
is "$status" 0 "another retry succeeds"
is "$(names many | wc -l)" 0 "no dead letters are left"
is "$(sent again | wc -l)-$(sent again | sort -u | wc -l)" "6000-6000" "each was sent once"
is "$(sent again | awk -F '\t' '"v" substr($1, 2) != $2' | wc -l)" 0 "with its own key"
is "$(sent again | sort -s -t '	' -k 1.2n | cksum)" "$(sent again | cksum)" "in order"

distlog deadletter list nodes >/dev/full 2>"$TMP/err"
is "$?" 1 "an unwritable standard output is a failure"
like "$(cat "$TMP/err")" "cannot write standard output: No space left" "the message says so"
[ -z "$kafka" ] || done_testing # the rest inspects the embedded bus

state() {
    sql "$DISTLOG_DATA/bus.db" \
        "SELECT count(*) FROM state s JOIN topic t ON t.id = s.topic WHERE t.name = 'distlog-deadletter.state'"
}
# change TOPIC STATEMENT: runs SQL on the table of that topic, which it calls %s.
change() {
    python3 -c 'import sqlite3, sys
d = sqlite3.connect(sys.argv[1])
d.execute(sys.argv[3] % ("t%d" % d.execute("SELECT id FROM topic WHERE name = ?", (sys.argv[2],)).fetchone()))
d.commit()' "$DISTLOG_DATA/bus.db" "$@"
}
python3 -c 'for i in range(72):
    print("big.dlq\tk\t{\"reason\":\"r\",\"topic\":\"big\",\"partition\":0,\"offset\":1,\"timestamp\":1,\"key\":\"k\",\"value\":\"%s\"}"
        % ("\\n" * 480000))' | "$BUS" put
run distlog deadletter retry big
like "$status:$out:$err" '^1:Retried dead letters: (6|7)[0-9]:.*more dead letters remain; run .distlog deadletter retry. again$' "no retry holds more than 64 MB"
first=${out##* }
run distlog deadletter retry big
is "$status:$((first + ${out##* }))" "0:72" "the next retry sends the rest"

before=$(state)
change many.dlq 'DELETE FROM %s WHERE offset < 5999'
run distlog deadletter retry many
is "$status:$((before - $(state)))" "0:5999" "marks of dead letters that retention removed are removed"
change many.dlq 'UPDATE %s SET ts = ts + 1'
is "$(names many)" "many.dlq-0-5999" "a dead letter of a recreated topic is a different one"
done_testing
