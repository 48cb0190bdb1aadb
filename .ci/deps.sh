#!/bin/sh
# deps.sh build|check|coverage|deb|check-deb|servers|release: checks that the Debian packages are installed that
# `make` (build) or the target of that name (servers: `make check-servers`, release: `make check-release`) needs.
# Lists missing ones with the command that installs them, and runs that command as root or with SUDO=sudo.
# Plain sh, because a minimal Debian may lack everything else; uses no network if nothing is missing.
# SPDX-License-Identifier: Apache-2.0
set -u

# Debian 13 renamed msgpack's C library, for the package manager and for pkg-config.
msgpack=libmsgpack-c-dev
[ "$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}")" != "debian 12" ] ||
    msgpack=libmsgpack-dev

# Each line: a probe and its package. pc: a pkg-config name, or several separated by |; cmd: a program; file: a
# file, in which wildcards are allowed.
BUILD="
cmd:${CC:-cc} build-essential
cmd:pkg-config pkg-config
pc:rdkafka librdkafka-dev
pc:libcurl libcurl4-openssl-dev
pc:jansson libjansson-dev
pc:yaml-0.1 libyaml-dev
pc:sqlite3 libsqlite3-dev
pc:libmicrohttpd libmicrohttpd-dev
pc:zlib zlib1g-dev"
CHECK="
pc:cmocka libcmocka-dev
pc:msgpack-c|msgpack $msgpack
cmd:curl curl
cmd:python3 python3
cmd:openssl openssl
cmd:man man-db
cmd:groff groff-base
cmd:ps procps
cmd:clang clang
cmd:clang-format clang-format
cmd:clang-tidy clang-tidy
cmd:cppcheck cppcheck
cmd:codespell codespell
file:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a libclang-rt-dev
cmd:systemd-analyze systemd"
COVERAGE="
cmd:gcovr gcovr"
DEB="
cmd:dpkg-shlibdeps dpkg-dev"
CHECK_DEB="
cmd:lintian lintian
cmd:unshare util-linux
cmd:debootstrap debootstrap"
SERVERS="
cmd:javac default-jdk-headless
cmd:mvn maven
cmd:openssl openssl
cmd:unzip unzip
cmd:curl curl
cmd:python3 python3
cmd:kcat kcat"
RELEASE="
cmd:debootstrap debootstrap
cmd:unshare util-linux
cmd:make make"

case ${1:-} in
build) what="building distlog" wanted=$BUILD ;;
check) what="make check" wanted=$BUILD$CHECK ;;
coverage) what="make coverage" wanted=$COVERAGE ;;
deb) what="make deb" wanted=$DEB ;;
check-deb) what="make check-deb" wanted=$DEB$CHECK_DEB ;;
servers) what="running the real servers" wanted=$SERVERS ;;
release) what="make check-release" wanted=$RELEASE ;;
*)
    echo "usage: $0 build|check|coverage|deb|check-deb|servers|release" >&2
    exit 2
    ;;
esac

present() { # PROBE PACKAGE
    case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
    file:*) ls ${1#file:} >/dev/null 2>&1 ;; # unquoted: the pattern expands
    pc:*)
        (
            IFS='|'
            for name in ${1#pc:}; do
                pkg-config --exists "$name" 2>/dev/null && exit 0
            done
            exit 1
        ) && return 0
        ! command -v pkg-config >/dev/null 2>&1 &&
            [ "$(dpkg-query -W -f '${db:Status-Status}' "$2" 2>/dev/null)" = installed ]
        ;;
    esac
}

missing=
set -f # wildcards in probes are expanded in present() only
while read -r probe package; do
    [ -n "$probe" ] || continue
    set +f
    present "$probe" "$package" || missing="$missing $package"
    set -f
done <<END
$wanted
END
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
echo "distlog: $what needs packages that are not here:$missing" >&2
if ! command -v apt-get >/dev/null 2>&1; then
    echo "distlog: this is not a Debian system; install what goes by these names there" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then sudo=; elif [ -n "${SUDO:-}" ]; then sudo="$SUDO "; else
    echo "distlog: install them with" >&2
    echo "    sudo $install" >&2
    echo "distlog: or let make do it: make SUDO=sudo" >&2
    exit 1
fi
echo "distlog: ${sudo}$install" >&2
export DEBIAN_FRONTEND=noninteractive
${sudo}apt-get -qq update && ${sudo}$install >&2
