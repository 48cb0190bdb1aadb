#!/usr/bin/env bash
# install: a DESTDIR tree is complete and runs; uninstall removes all of it; the units are valid and
# confined.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
BUILD=${BUILD:-build/release}
# make TARGET…: runs make without the jobserver of the make that runs this test.
make() { env -u MAKEFLAGS -u MAKELEVEL make -s -C "$TOP" B="$BUILD" DESTDIR="$TMP/root" "$@"; }
tree() { (cd "$TMP/root" && find . -not -type d | sort); }

make install >"$TMP/out" 2>"$TMP/err"
is $? 0 "make install"
cp "$TMP/err" "$TMP/install.err"
listed=$(tree)
for wanted in usr/local/bin/distlog usr/local/bin/distlog-collect usr/local/share/man/man1/distlog.1 \
    usr/local/share/man/man1/distlog-collect.1 usr/local/share/man/man5/distlog.yaml.5 \
    usr/local/share/man/man7/distlog.7 usr/local/share/bash-completion/completions/distlog{,-search} \
    usr/local/lib/sysusers.d/distlog.conf usr/local/lib/systemd/system/distlog.target \
    usr/local/lib/systemd/system/distlog-{collect,pubsub,store,alert}.service \
    usr/local/share/doc/distlog/fluent.conf etc/distlog/distlog.yaml; do
    like "$listed" "^\./${wanted//./\\.}$" "installs $wanted"
done
is "$(cd "$TMP/root/usr/local/bin" && ls | grep -v '^distlog')" "" "bare names are not installed"
commands=$(cd "$TMP/root/usr/local/bin" && ls -d distlog-* | sed 's/distlog-//')
for command in $commands; do
    run "$TMP/root/usr/local/bin/distlog-$command" --help
    is "$status" 0 "distlog-$command --help runs"
done
run "$TMP/root/usr/local/bin/distlog" config --check -c "$TMP/root/etc/distlog/distlog.yaml"
is "$status" 0 "the installed distlog.yaml is valid"

units=$TMP/root/usr/local/lib/systemd/system
for unit in "$units"/*.service; do
    name=$(basename "$unit")
    unlike "$(cat "$unit")" '@[A-Z]+@' "$name has no placeholder left"
    sed "s#/usr/local/bin/#$TMP/root/usr/local/bin/#" "$unit" >"$TMP/$name"
    exposure=$(systemd-analyze security --offline=true "$TMP/$name" 2>/dev/null |
        sed -n 's/.*exposure level[^:]*: \([0-9.]*\).*/\1/p')
    [ -n "$exposure" ] && [ "$(awk -v e="$exposure" 'BEGIN { print e < 2.0 }')" -eq 1 ]
    ok $? "$name: exposure ${exposure:-unknown}, below 2.0"
    is "$(systemd-analyze verify --man=no "$TMP/$name" 2>&1 | grep -F "$name")" "" \
        "systemd-analyze verify finds nothing in $name"
done
is "$(systemd-sysusers --dry-run "$TMP/root/usr/local/lib/sysusers.d/distlog.conf" 2>&1 >/dev/null |
    grep -iE 'error|fail|invalid|unknown')" "" \
    "systemd-sysusers accepts its file"

make uninstall >"$TMP/out" 2>"$TMP/err"
is "$(tree)" "" "uninstall removes everything"

make install-compat >"$TMP/out" 2>"$TMP/err"
for name in node1 node2.py pub_sub_model log_storage.py alert_system search_es_storage delete_es_storage; do
    run "$TMP/root/usr/local/bin/$name" --help
    is "$status" 0 "$name --help runs"
done
echo '# mine' >>"$TMP/root/etc/distlog/distlog.yaml"
make install >"$TMP/out" 2>&1
like "$(tail -n 1 "$TMP/root/etc/distlog/distlog.yaml")" '# mine' "another install keeps changed settings"
make uninstall >"$TMP/out" 2>&1
is "$(tree)" "./etc/distlog/distlog.yaml" "uninstall keeps changed settings, and nothing else"
make uninstall PURGE=1 >"$TMP/out" 2>&1
is "$(tree)" "" "PURGE=1 removes them, too"
done_testing
