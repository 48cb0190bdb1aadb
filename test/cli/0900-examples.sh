#!/usr/bin/env bash
# The EXAMPLES of every man page, run unchanged on a machine where distlog is running.
# A command that follows or serves is stopped once it has shown what it shows.
. "$(dirname "$0")/lib.sh"
GENERATE=$TOP/${GENERATE:-build/release/man/generate}

port=$(free_port)
export DISTLOG_NODE_URL=http://127.0.0.1:$port/log.input
export DISTLOG_COLLECT_LISTEN=127.0.0.1:$port
start collect distlog collect
wait_for 10 curl -fs "http://127.0.0.1:$port/healthz"
ok $? "collect serves"
run distlog node --name payment --count 20 --interval 10ms --keep-going
printf 'nodes\tk\tnonsense\n' | "$BUS" put # for a dead letter
run distlog pubsub --no-follow
run distlog store --no-follow
like "$out" 'Log stored successfully' "records are stored"

# Each example has a data folder and a port of its own, and a copy of the data stored above.
number=0
while IFS=$'\t' read -r command example; do
    number=$((number + 1))
    place=$TMP/example-$number
    mkdir "$place" && cp -r "$TMP/data" "$place/data" && cp "$TOP/distlog.yaml" "$place"
    url=$DISTLOG_NODE_URL
    case $command in collect | up) port=$(free_port) ;; esac
    # A port that an example names may be in use here.
    runs=$(sed "s/\(127\.0\.0\.1\|\*\):[0-9]\+/127.0.0.1:$port/" <<<"$example")
    (
        cd "$place" || exit 1
        DISTLOG_DATA=$place/data DISTLOG_COLLECT_LISTEN=127.0.0.1:$port DISTLOG_NODE_URL=$url \
            timeout --preserve-status -k 10 4 sh -c "trap : TERM; $runs" >"$place/out" 2>"$place/err" </dev/null
        echo $? >"$place/status"
    ) &
    examples[number]="$command: $example"
    [ $((number % 8)) -ne 0 ] || wait $(jobs -p | grep -vx "${pids[collect]}")
done < <("$GENERATE" --examples)
wait $(jobs -p | grep -vx "${pids[collect]}")
for n in $(seq "$number"); do
    is "$(cat "$TMP/example-$n/status")" 0 "${examples[n]}"
    [ "$(cat "$TMP/example-$n/status")" = 0 ] || note "$(tail -n 5 "$TMP/example-$n/err")"
done
[ "$number" -ge 10 ]
ok $? "there are enough examples ($number)"
stop collect
is "$status" 0 "collect stops with exit code 0"
done_testing
