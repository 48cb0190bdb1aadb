#!/usr/bin/env bash
# dispatch: the ways to name a command, how the command line is read, exit codes, standard output.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

run distlog
is "$status" 2 "distlog without a command is a usage error"
like "$out" '^Usage: distlog COMMAND' "it prints the overview"
overview=$out
for way in help --help -h; do
    run distlog $way
    is "$status:$out" "0:$overview" "distlog $way prints the overview"
done

run distlog help config
page=$out
like "$page" '^Usage: distlog config ' "distlog help config"
for way in 'config --help' 'config -h' '--help config' 'help distlog-config' 'config --origin x --help'; do
    run distlog $way
    is "$status:$out" "0:$page" "distlog $way prints the same"
done
for link in distlog-config config; do
    ln -s "$DISTLOG" "$TMP/$link"
    run "$TMP/$link" --help
    is "$status:$out" "0:$page" "a link named $link runs that command"
done
ln -s "$DISTLOG" "$TMP/other"
run "$TMP/other" config --help
is "$status:$out" "0:$page" "a link with any other name runs distlog"

for old in node1:node node2:node node3:node pub_sub_model:pubsub log_storage:store alert_system:alert \
    search_es_storage:search delete_es_storage:delete; do
    for name in "${old%:*}" "${old%:*}.py"; do
        ln -s "$DISTLOG" "$TMP/$name"
        run "$TMP/$name" --help
        like "$out" "^Usage: distlog ${old#*:} " "a link named $name runs ${old#*:}"
    done
    run distlog "${old%:*}" --help
    like "$out" "^Usage: distlog ${old#*:} " "distlog ${old%:*} runs ${old#*:}"
done

run distlog confg
is "$status:$out" "2:" "an unknown command is a usage error"
is "$err" "distlog: 'confg' is not a distlog command; did you mean 'config'?
distlog: see 'distlog help'" "and names the nearest"
run distlog xyzzy
like "$err" "^distlog: 'xyzzy' is not a distlog command$" \
    "a nearest command is only suggested if one is similar"
run distlog help confg
is "$status" 2 "help with an unknown command is a usage error"

run distlog config --orign
is "$status:$out" "2:" "an unknown option is a usage error"
is "$err" "distlog config: --orign: no such option; did you mean '--origin'?
distlog config: see 'distlog help config'" "and names the nearest"
for bad in '-x:-x: no such option' '-o:-o: KEY=VALUE is missing' '-c:-c: FILE is missing' \
    '--config:--config: FILE is missing' '-o nothing:-o: .nothing. is not KEY=VALUE' \
    '--help=1:--help takes no value' '--no-check=1:--no-check takes no value' '-hx:-x: no such option' \
    '--check=maybe:--check: .maybe. is not true or false' \
    '--=x:--: no such option' '-o bus.type=x:-o: bus.type: .x. is not one of local' \
    '-o config.x=1:-o: config.x: unknown setting'; do
    run distlog config ${bad%%:*}
    is "$status:$out" "2:" "distlog config ${bad%%:*} is a usage error"
    like "$err" "^distlog config: ${bad#*:}" "distlog config ${bad%%:*}: the message says why"
done
run distlog help config store
is "$status" 2 "an extra operand is a usage error"
like "$err" "unexpected operand 'store'" "the message names the extra operand"

echo 'topics: {input: from_yaml}' >a.yaml
for words in '-c a.yaml config' '--config a.yaml config' '--config=a.yaml config' '-ca.yaml config' \
    'config -c a.yaml' \
    'config -c a.yaml --'; do
    run distlog $words
    is "$status:$(grep "^  input: " <<<"$out")" "0:  input: from_yaml" "distlog $words"
done
run distlog help store --version
like "$status:$out" '^0:distlog [0-9]' "an option may follow the operands"
is "$(setting topics.input --no-origin --origin --no-origin)" "nodes" "--no-BOOL unsets a flag"
run distlog -o node.message=a config --check=no -o node.message=b=c
is "$status:$(grep '^  message: ' <<<"$out")" "0:  message: b=c" \
    "the last -o counts, and a value may contain an equals sign"
run distlog config -- --origin
is "$status" 2 "everything after -- is an operand"

run distlog --version
is "$status" 0 "distlog --version"
like "$out" '^distlog [0-9]+\.[0-9]+\.[0-9]+$' "it prints the version"
like "$out" 'librdkafka [0-9].*libcurl [0-9].*jansson [0-9].*libyaml [0-9].*SQLite [0-9].*libmicrohttpd [0-9].*zlib [0-9]' \
    "it prints the versions of the libraries"

distlog help >/dev/full 2>err
is "$?" 1 "a full disk at standard output is a failure"
like "$(cat err)" '^distlog help: cannot write standard output: ' "the message says so"
{ distlog help 2>err; echo $? >code; } | :
wait_for 5 test -s code
is "$(cat err)" "" "a reader that closed the pipe is not worth a message"
distlog help >&- 2>err
is "$?" 1 "a closed standard output is a failure"
done_testing
