#!/usr/bin/env bash
# Bash completion of commands, options, values and settings, by subcommand and by link.
. "$(dirname "$0")/lib.sh"
. "$TOP/man/distlog.bash"

# completed WORD…: prints what <tab> offers for the last of these words.
completed() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _distlog 2>/dev/null
    echo "${COMPREPLY[*]}"
}
like "$(completed distlog '')" '^node collect .*help$' "commands come first"
is "$(completed distlog sea)" search "a command is completed"
is "$(completed distlog -c "$TOP/distlog.yaml" sea)" search "a command is completed after -c FILE"
like "$(completed distlog node --)" '--name .*--help' "options of a command"
is "$(completed distlog-search --foll)" --follow "a link completes like its command"
is "$(completed distlog search --format '')" 'json raw' "the values of an option"
is "$(completed distlog deadletter '')" 'list show retry' "the verbs of a command"
is "$(completed distlog-deadletter re)" retry "the verbs of a command, by its link"
is "$(completed distlog -o bus.ty)" 'bus.type=' "settings after -o"
is "$(completed distlog help zzz)" '' "nothing for an unknown word"
is "$(completed distlog help pub)" pubsub "commands after help"
touch "$TMP/some.yaml"
is "$(completed distlog config -c "$TMP/som")" "$TMP/some.yaml" "file names"
done_testing
