# root.sh: roots of a Debian release of their own, for tests that source it; needs root and debootstrap.
#   root_make RELEASE DIR       a minimal system in DIR, unless one is there already
#   root_run DIR COMMAND…       runs it there, with /proc, /dev and the network; ROOT_BINDS has further folders to show,
#                               `FROM:TO` each. Mounts are of the command's own namespace and end with it, however it ends.
# SPDX-License-Identifier: Apache-2.0

root_make() { # RELEASE DIR
    [ ! -e "$2.made" ] || return 0
    rm -rf --one-file-system "$2"
    mkdir -p "$2"
    debootstrap --variant=minbase "$1" "$2" >"$2.log" 2>&1 || {
        tail -n 20 "$2.log" >&2
        return 1
    }
    : >"$2.made" # an interrupted one is made again
}

root_run() { # DIR COMMAND…
    unshare --mount --pid --fork --kill-child --propagation private bash -euc '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        for bind in ${ROOT_BINDS:-}; do
            mkdir -p "$root/${bind#*:}"
            mount --bind "${bind%%:*}" "$root/${bind#*:}"
        done
        rm -f "$root/etc/resolv.conf"
        cp -L /etc/resolv.conf "$root/etc/resolv.conf"
        exec chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    ' root_run "$@"
}
