#!/bin/bash
# Files: whatever the umask, only the owner and the group can access what distlog creates.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# wider TEST…: prints the modes and names of what find finds in the data folder.
wider() { find "$DISTLOG_DATA" "$@" -printf '%m %P\n'; }
for mask in 000 022 077; do
    rm -rf "$TMP/data" "$TMP/up.err" # so that the address of the last run is not taken for that of the next
    (umask $mask && exec distlog up -o collect.listen=127.0.0.1:0) >"$TMP/up.out" 2>"$TMP/up.err" &
    pids[up]=$!
    wait_for 20 has "$TMP/up.err" 'ready: post'
    url=$(grep -Eo -m 1 'http://127.0.0.1:[0-9]+/log.input' "$TMP/up.err" | head -n 1)
    curl -s -o /dev/null -H 'Content-Type: application/json' \
        -d '{"node_id":"n","message_type":"REGISTRATION"}' "$url"
    stored() { [ -n "$(distlog search REGISTRATION 2>/dev/null | tail -n +2)" ]; }
    wait_for 20 stored
    ok $? "umask $mask: a record passes the whole flow"
    like "$(cd "$TMP/data" && ls | xargs)" 'bus\.db .*bus\.db-wal.* store\.db .*store\.db-wal' \
        "… it creates files"
    is "$(wider -type f -perm /007)" "" "… others have no access to them"
    is "$(wider -type f -perm /110)" "" "… none is executable"
    is "$(wider -type d -perm /007)" "" "… nor have others access to the folder"
    is "$(wider -type f -not -perm -660)" "" "… the group has access to all of them, whatever the umask"
    stop up
done
done_testing
