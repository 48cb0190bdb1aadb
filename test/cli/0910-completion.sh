#!/usr/bin/env bash
# Bash completion: commands, flags, values and settings, by subcommand and by link.
. "$(dirname "$0")/lib.sh"
. "$TOP/man/distlog.bash"

# completed WORD…: what <tab> offers at the end of these words, the last of which is begun.
completed() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _distlog 2>/dev/null
    echo "${COMPREPLY[*]}"
}
like "$(completed distlog '')" '^node collect .*help$' "commands come first"
is "$(completed distlog sea)" search "a command is completed"
is "$(completed distlog -c "$TOP/distlog.yaml" sea)" search "after -c FILE too"
like "$(completed distlog node --)" '--name .*--help' "flags of a command"
is "$(completed distlog-search --foll)" --follow "a link is its command"
is "$(completed distlog search --format '')" 'json raw' "one of a few values"
is "$(completed distlog deadletter '')" 'list show retry' "what a command does"
is "$(completed distlog-deadletter re)" retry "by its link too"
is "$(completed distlog -o bus.ty)" 'bus.type=' "settings after -o"
is "$(completed distlog help zzz)" '' "what nobody knows"
is "$(completed distlog help pub)" pubsub "commands after help"
touch "$TMP/some.yaml"
is "$(completed distlog config -c "$TMP/som")" "$TMP/some.yaml" "files"
done_testing
