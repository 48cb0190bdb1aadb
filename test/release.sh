#!/usr/bin/env bash
# release: runs the suite (`make check-plain`) on another release of Debian than this machine's.
# Usage: release.sh [bookworm|trixie]; without a name it takes the one that this machine does not have.
# The root is made with debootstrap from the mirror that apt uses here, and stays in build/root-RELEASE, where
# a second run finds it with its packages and objects. Mounts live in a mount namespace of their own, so that
# they are gone when the run is over, however it ends. Where no root can be made, the suite is skipped.
# The last line is `N passed, N failed, N skipped`.
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD
os_release=${OS_RELEASE:-/etc/os-release}
codename=$(. "$os_release" 2>/dev/null && echo "${VERSION_CODENAME:-}")
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
root=$top/build/root-$release

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

# The first web address in apt's sources that serves the release of this machine. They may be in either of
# apt's two formats.
mirror() {
    local files
    files=$(ls /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null)
    awk -v codename="$codename" '
        function stanza() {
            if ((" " suites " ") ~ (" " codename " "))
                print uri
            uri = suites = ""
        }
        FNR == 1 || /^[ \t]*$/ { stanza() }
        /^deb[ \t]/ {
            sub(/\[[^]]*\]/, "")
            if ($3 == codename)
                print $2
        }
        /^URIs:/ { uri = $2 }
        /^Suites:/ { suites = $0 }
        END { stanza() }' $files /dev/null | grep -E '^https?://' | head -n 1
}

# in_root ROOT COMMAND: replaces this shell by a shell in ROOT that runs COMMAND. Every step is an exec, so that
# a signal reaches the command.
in_root() {
    exec unshare --mount --propagation private sh -c '
        mount --bind "$0" "$0" && # for the tests that make mount namespaces, / has to be a mount
            mount --rbind /proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" || exit 1
        exec env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive http_proxy="${http_proxy:-}" \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$0" sh -c "$1"
        ' "$1" "$2"
}

# Makes the root beside its place and moves it there when it is whole, so that an interrupted run leaves none.
make_root() {
    local log=$root.log proxy=
    rm -rf "$root.new" "$root"
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    [ -z "$proxy" ] || export http_proxy=$proxy
    echo "making a root of $release in ${root#"$top/"}"
    if ! debootstrap --variant=minbase --include=make,ca-certificates "$release" "$root.new" $(mirror) >"$log" 2>&1; then
        tail -n 3 "$log" >&2
        rm -rf "$root.new"
        # Mirror and machine may not allow it. Anything else that goes wrong is a failure.
        if grep -Eq 'Failed getting release file|Cannot install into target|No such script' "$log"; then
            skip "debootstrap cannot make it here: $(grep -m 1 '^E: ' "$log")"
        fi
        fail "debootstrap failed; see ${log#"$top/"}"
    fi
    # How apt reaches its mirror here: settings, but not what else it downloads, and local certificate authorities.
    cp -r /usr/local/share/ca-certificates/. "$root.new/usr/local/share/ca-certificates/" 2>/dev/null &&
        chroot "$root.new" update-ca-certificates >>"$log" 2>&1
    apt-config dump Acquire | grep -Ev '^Acquire(::IndexTargets.*)? ' >"$root.new/etc/apt/apt.conf.d/90host"
    cp /etc/resolv.conf "$root.new/etc/resolv.conf"
    cp .ci/deps.sh "$root.new/root/deps.sh"
    (in_root "$root.new" "sh /root/deps.sh check") >>"$log" 2>&1 || fail "no packages; see ${log#"$top/"}"
    mv "$root.new" "$root"
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
mkdir -p build
[ -x "$root/usr/bin/make" ] || make_root
copy_sources || fail "the sources cannot be copied into ${root#"$top/"}"
cp /etc/resolv.conf "$root/etc/resolv.conf"
rm -rf "${root:?}"/tmp/*

echo "the suite on $release"
in_root "$root" "cd /distlog && sh .ci/deps.sh check && exec make check-plain CFLAGS='-O2 -g -Werror'"
