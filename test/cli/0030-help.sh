#!/usr/bin/env bash
# help: the pages fit a terminal and need nothing.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

run distlog help
like "$out" '^  config ' "the overview has the commands"
[ "$(wc -l <<<"$out")" -le 24 ]
ok $? "and fits a screen"
commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$out")
for command in $commands; do
    run distlog help "$command"
    is "$status" 0 "help $command"
    like "$out" "^Usage: distlog $command \[OPTIONS\]" "has its usage"
    like "$out" '^  -c, --config FILE ' "and the options"
    is "$(grep -E '.{81}' <<<"$out")" "" "within 80 columns"
done
run distlog help node1
like "$out" '^Usage: distlog node ' "an old name has the page of its command"
echo 'no: yaml: at all' >distlog.yaml
run distlog help
is "$status" 0 "help works with a broken configuration"
run distlog config --help
is "$status" 0 "so does --help"
done_testing
