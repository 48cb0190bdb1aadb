#!/usr/bin/env bash
# dist: the archive of `make dist` is the same twice, has what git has, and is whole without git: the lint tests
# that look at files pass in it. With DIST_FULL=1 it is built and passes `make check-fast` too, which takes minutes.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
if [ -n "${DIST_INSIDE:-}" ] || ! git -C "$TOP" rev-parse -q --verify HEAD >/dev/null 2>&1; then
    skip "this is no clone" "the archive of make dist is whole"
    done_testing
fi
make() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$@"; }

archive=$TOP/$(make "$TOP" dist 2>"$TMP/err")
is "$?:$(basename "$archive")" "0:distlog-$(sed -n 's/^VERSION *:= *//p' "$TOP/Makefile").tar.gz" "make dist"
once=$(sha256sum "$archive")
(umask 077 && TZ=Asia/Tokyo make "$TOP" dist >/dev/null 2>&1)
is "$(sha256sum "$archive")" "$once" "a second one is the same, byte for byte"
is "$(tar -tvzf "$archive" | awk '{ print $2 }' | sort -u)" "root/root" "all is root's"
mkdir "$TMP/unpacked" && tar -xzf "$archive" -C "$TMP/unpacked" --strip-components=1
cd "$TMP/unpacked" || exit 1
is "$(find . -type f -o -type l | sed 's#^\./##' | LC_ALL=C sort)" \
    "$(git -C "$TOP" ls-tree -r --name-only HEAD | LC_ALL=C sort)" "it has what the commit has"
is "$(git rev-parse --show-toplevel 2>/dev/null)" "" "and is no clone"

export DIST_INSIDE=1
for script in source promises layers; do
    DISTLOG=$DISTLOG bash "test/lint/$script.sh" >"$TMP/$script.out" 2>&1
    is "$?:$(grep '^not ok' "$TMP/$script.out")" "0:" "test/lint/$script.sh passes in it"
done
if [ -n "${DIST_FULL:-}" ]; then
    make . "-j$(nproc)" check-fast >"$TMP/full.out" 2>&1
    ok $? "make check-fast passes in it: $(tail -n 1 "$TMP/full.out")"
    note "$(grep -A 40 '^FAIL' "$TMP/full.out")"
fi
done_testing
