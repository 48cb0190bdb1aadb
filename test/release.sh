#!/usr/bin/env bash
# release: runs the suite (`make check-plain`) on another release of Debian than this machine's.
# Usage: release.sh [bookworm|trixie]; without a name it takes the one that this machine does not have.
# The root stays in build/root/RELEASE-suite, where a second run finds it with its packages and objects. Where no
# root can be made, the suite is skipped. The last line is `N passed, N failed, N skipped`.
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/.." || exit 1
. test/root.sh
codename=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${VERSION_CODENAME:-}")
release=${1:-}
if [ -z "$release" ]; then
    release=trixie
    [ "$codename" != trixie ] || release=bookworm
fi
case $release in
bookworm | trixie) ;;
*)
    echo "usage: $0 [bookworm|trixie]" >&2
    exit 2
    ;;
esac
root=$PWD/build/root/$release-suite

# skip REASON: ends the run as one skipped test.
skip() {
    echo "skipped: $release: $*"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
fail() {
    echo "$0: $*" >&2
    exit 1
}

# Replaces the sources in the root by the present ones. Their times are kept, and so are the objects.
copy_sources() {
    mkdir -p "$root/distlog"
    find "$root/distlog" -mindepth 1 -maxdepth 1 -not -name build -exec rm -rf {} +
    { git ls-files -co --exclude-standard 2>/dev/null || find . -type f -not -path './build/*' -not -path './.git/*'; } |
        while read -r file; do
            [ ! -f "$file" ] || printf '%s\n' "$file"
        done | tar -c -T - | tar -x --no-same-owner -C "$root/distlog"
}

[ "$(id -u)" -eq 0 ] || skip "only root can make a root of its own"
unshare --mount true 2>/dev/null || skip "this machine does not allow mount namespaces"
sh .ci/deps.sh release || skip "debootstrap is not here and cannot be installed"
echo "the root of $release is build/root/$release-suite"
root_make "$release" "$root"
case $? in
0) ;;
2) skip "debootstrap cannot make it here: $(grep -m 1 '^E: ' "$root.log")" ;;
*) fail "debootstrap failed; see build/root/$release-suite.log" ;;
esac
copy_sources || fail "the sources cannot be copied into build/root/$release-suite"
rm -rf "${root:?}"/tmp/*

echo "the suite on $release"
root_run "$root" sh -c "cd /distlog && sh .ci/deps.sh check && exec make check-plain CFLAGS='-O2 -g -Werror'"
