#!/usr/bin/env bash
# help: the pages fit a terminal and need no settings.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

run distlog help
like "$out" '^  config ' "the overview lists the commands"
[ "$(wc -l <<<"$out")" -le 24 ]
ok $? "it fits a screen"
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$out")
for command in $commands; do
    run distlog help "$command"
    is "$status" 0 "help $command"
    like "$out" "^Usage: distlog $command \[OPTIONS\]" "help $command: the usage"
    like "$out" '^  -c, --config FILE ' "help $command: the options"
    is "$(grep -E '.{81}' <<<"$out")" "" "help $command: within 80 columns"
done
run distlog help node1
like "$out" '^Usage: distlog node ' "an old name shows the page of its command"
echo 'no: yaml: at all' >distlog.yaml
run distlog help
is "$status" 0 "help works with a broken configuration"
run distlog config --help
is "$status" 0 "--help works with a broken configuration"
done_testing
