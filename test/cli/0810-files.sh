#!/bin/bash
# Files: whatever the umask, nobody but the owner and the group gets at what distlog makes.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# wider TEST…: the modes and names of what find finds in the data folder.
wider() { find "$DISTLOG_DATA" "$@" -printf '%m %P\n'; }
for mask in 000 022 077; do
    rm -rf "$TMP/data" "$TMP/up.err" # or the last one's address is taken for the next one's
    (umask $mask && exec distlog up -o collect.listen=127.0.0.1:0) >"$TMP/up.out" 2>"$TMP/up.err" &
    pids[up]=$!
    wait_for 20 has "$TMP/up.err" 'ready: post'
    url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+/log.input' "$TMP/up.err" | head -n 1)
    curl -s -o /dev/null -H 'Content-Type: application/json' -d '{"node_id":"n","message_type":"REGISTRATION"}' "$url"
    stored() { [ -n "$(distlog search REGISTRATION 2>/dev/null | tail -n +2)" ]; }
    wait_for 20 stored
    ok $? "umask $mask: a record goes all the way"
    like "$(cd "$TMP/data" && ls | xargs)" 'bus\.db .*bus\.db-wal.* store\.db .*store\.db-wal' "… and there are files"
    is "$(wider -type f -perm /007)" "" "… none of them for others"
    is "$(wider -type f -perm /110)" "" "… none to be run"
    is "$(wider -type d -perm /007)" "" "… nor the folder"
    is "$(wider -type f -not -perm -660)" "" "… and all for the group, whatever the umask"
    stop up
done
done_testing
