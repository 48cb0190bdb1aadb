#!/usr/bin/env bash
# deps: the dependencies of a build are checked; missing ones are named with the command that installs them.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

run sh "$TOP/.ci/deps.sh" check
is "$status" 0 "everything is installed where the tests run"
is "$out$err" "" "then nothing is printed"

# A user who is not root, and a missing compiler.
mkdir "$TMP/fake" && printf '#!/bin/sh\necho 1000\n' >"$TMP/fake/id" && chmod +x "$TMP/fake/id"
run env PATH="$TMP/fake:$PATH" CC=no-such-compiler SUDO= sh "$TOP/.ci/deps.sh" build
is "$status" 1 "a missing package is an error"
like "$err" '^ +sudo apt-get install -y --no-install-recommends build-essential$' \
    "the message has the command that installs it"
like "$err" 'make SUDO=sudo' "the message says how make can run it"
printf '#!/bin/sh\necho "as root: $*"\n' >"$TMP/fake/sudo" && chmod +x "$TMP/fake/sudo"
run env PATH="$TMP/fake:$PATH" CC=no-such-compiler SUDO=sudo sh "$TOP/.ci/deps.sh" build
is "$status" 0 "with SUDO=sudo the package is installed"
like "$out$err" '^as root: apt-get install -y --no-install-recommends build-essential$' \
    "with the same command"

# The names that the releases of Debian have for msgpack's C library; none of its pkg-config names is found.
cat >"$TMP/fake/pkg-config" <<'END'
#!/bin/sh
case $2 in msgpack*) exit 1 ;; esac
END
chmod +x "$TMP/fake/pkg-config"
for case in 'ID=debian VERSION_ID="12":libmsgpack-dev' 'ID=debian VERSION_ID="13":libmsgpack-c-dev' \
    'ID=debian:libmsgpack-c-dev'; do
    tr ' ' '\n' <<<"${case%:*}" >"$TMP/os-release"
    run env PATH="$TMP/fake:$PATH" OS_RELEASE="$TMP/os-release" SUDO= sh "$TOP/.ci/deps.sh" check
    like "$err" "^ +sudo apt-get install -y --no-install-recommends ${case#*:}$" "${case%:*}: msgpack is ${case#*:}"
done
for name in msgpack msgpack-c; do
    printf '#!/bin/sh\ncase $2 in msgpack*) [ "$2" = %s ] ;; esac\n' "$name" >"$TMP/fake/pkg-config"
    run env PATH="$TMP/fake:$PATH" SUDO= sh "$TOP/.ci/deps.sh" check
    is "$status:$out$err" "0:" "$name is enough, whichever the release"
done

# The real servers, on a machine that lacks one program: PATH has what deps.sh asks for, but for that one.
servers_without() {
    rm -rf "$TMP/path" && mkdir "$TMP/path"
    for name in javac mvn openssl unzip curl python3 kcat apt-get; do ln -s /bin/true "$TMP/path/$name"; done
    ln -s "$TMP/fake/id" "$TMP/path/id"
    rm -f "$TMP/path/$1"
    run env PATH="$TMP/path" SUDO= /bin/sh "$TOP/.ci/deps.sh" servers
}
servers_without nothing
is "$status:$out$err" "0:" "nothing is printed if the servers have everything they need"
for case in javac:default-jdk-headless mvn:maven kcat:kcat; do
    servers_without "${case%:*}"
    is "$status:$(head -n 1 <<<"$err")" \
        "1:distlog: running the real servers needs packages that are not here: ${case#*:}" \
        "without ${case%:*} the servers need ${case#*:}"
    like "$err" "^ +sudo apt-get install -y --no-install-recommends ${case#*:}$" \
        "the message has the command that installs ${case#*:}"
done
run env PATH="$TMP/path" SUDO= /bin/sh "$TOP/.ci/deps.sh" coverage
like "$err" '^ +sudo apt-get install -y --no-install-recommends gcovr$' "coverage needs gcovr"
run sh "$TOP/.ci/deps.sh"
is "$status" 2 "a missing argument is a usage error"
done_testing
