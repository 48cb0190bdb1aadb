#!/usr/bin/env bash
# release: test/release.sh skips with its reason where it cannot make a root, and ends with the closing line.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

# fake PROGRAM LINE: a program that does only that, found before the real one.
fake() { printf '#!/bin/sh\n%s\n' "$2" >"$TMP/fake/$1" && chmod +x "$TMP/fake/$1"; }
release() { run env PATH="$TMP/fake:$PATH" OS_RELEASE="$TMP/os-release" bash "$TOP/test/release.sh" "$@"; }
skipped() { # RELEASE REASON
    is "$status:$err" "0:" "it is no failure: $2"
    is "$(head -n 1 <<<"$out")" "skipped: $1: $2" "and gives that reason"
    is "$(tail -n 1 <<<"$out")" "0 passed, 0 failed, 1 skipped" "in a run that counts as skipped"
}
mkdir "$TMP/fake"

fake id 'echo 1000'
echo VERSION_CODENAME=bookworm >"$TMP/os-release"
release
skipped trixie "only root can make a root of its own"
echo VERSION_CODENAME=trixie >"$TMP/os-release"
release
like "$out" '^skipped: bookworm:' "on trixie the other release is bookworm"
release trixie
like "$out" '^skipped: trixie:' "a release can be chosen"
fake id 'echo 0'
fake unshare 'exit 1'
release bookworm
skipped bookworm "this machine does not allow mount namespaces"
release sarge
is "$status" 2 "an unknown release is wrong usage"
like "$err" 'usage: .*bookworm\|trixie' "and the known ones are named"
done_testing
