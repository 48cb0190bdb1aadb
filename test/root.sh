# root.sh: roots of a Debian release of their own, for tests that source it; needs root and debootstrap.
#   root_make RELEASE DIR       a minimal system in DIR, unless a whole one is there already, with apt set up as on
#                               this machine; what debootstrap prints goes to DIR.log. Returns 2 where this machine
#                               or its mirror does not allow it, 1 if it fails otherwise.
#   root_run DIR COMMAND…       runs it there, with /proc, /sys, /dev and the network; ROOT_BINDS has further folders
#                               to show, `FROM:TO` each. Mounts are of the command's own namespace and end with it,
#                               however it ends.
# SPDX-License-Identifier: Apache-2.0

# root_mirror: the first web address in apt's sources that serves the release of this machine. They may be in either
# of apt's two formats.
root_mirror() {
    local files codename
    codename=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${VERSION_CODENAME:-}")
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

# root_copy_apt DIR: how apt reaches its mirror here: its settings, but not what else it downloads, and local
# certificate authorities.
root_copy_apt() {
    mkdir -p "$1/usr/local/share/ca-certificates"
    cp -r /usr/local/share/ca-certificates/. "$1/usr/local/share/ca-certificates/" 2>/dev/null || true
    chroot "$1" update-ca-certificates >>"$1.log" 2>&1
    apt-config dump Acquire | grep -Ev '^Acquire(::IndexTargets.*)? ' >"$1/etc/apt/apt.conf.d/90host"
}

# It is made beside its place and moved there when it is whole, so that an interrupted run leaves none.
root_make() { # RELEASE DIR
    local new=$2.new proxy=
    [ ! -x "$2/usr/bin/apt-get" ] || return 0
    rm -rf --one-file-system "$new"
    mkdir -p "$(dirname "$2")"
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    if ! http_proxy=${proxy:-${http_proxy:-}} debootstrap --variant=minbase --include=make,ca-certificates \
        "$1" "$new" $(root_mirror) >"$2.log" 2>&1; then
        tail -n 3 "$2.log" >&2
        rm -rf --one-file-system "$new"
        ! grep -Eq 'Failed getting release file|Cannot install into target|No such script' "$2.log" || return 2
        return 1
    fi
    root_copy_apt "$new"
    mv "$new" "$2"
}

# Each step is an exec, so that a signal reaches the command.
root_run() { # DIR COMMAND…
    local proxy=
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    http_proxy=${proxy:-${http_proxy:-}} unshare --mount --propagation private bash -euc '
        root=$1
        shift
        mount --bind "$root" "$root" # for the tests that make mount namespaces, / has to be a mount
        for folder in proc sys dev; do
            mount --rbind "/$folder" "$root/$folder"
        done
        for bind in ${ROOT_BINDS:-}; do
            mkdir -p "$root/${bind#*:}"
            mount --bind "${bind%%:*}" "$root/${bind#*:}"
        done
        rm -f "$root/etc/resolv.conf"
        cp -L /etc/resolv.conf "$root/etc/resolv.conf"
        exec env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive http_proxy="${http_proxy:-}" \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"
    ' root_run "$@"
}
