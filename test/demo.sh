#!/usr/bin/env bash
# demo: what `make demo` shows: all of distlog on this machine with three nodes, then two searches.
# Owns a data folder, removed at the end, and the first free port from 9880 on.
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/.." || exit 1
DISTLOG_DATA=$(mktemp -d "${TMPDIR:-/tmp}/distlog-demo.XXXXXX")
trap 'rm -rf "$DISTLOG_DATA"' EXIT
port=9880
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
export DISTLOG_DATA DISTLOG_COLLECT_LISTEN=127.0.0.1:$port DISTLOG_NODE_URL=http://127.0.0.1:$port/log.input
# In a container root builds in a tree of another user, whose settings distlog reads only if they are named.
export DISTLOG_CONFIG="${DISTLOG_CONFIG-./distlog.yaml}"

failed=0
show() {
    printf '\n$ %s\n' "$*"
    "$@" || failed=1
}
show ./distlog up --demo --for "${DEMO_FOR:-25s}"
show ./distlog search ERROR
show ./distlog search ALERT
exit $failed
