#!/usr/bin/env bash
# package: the Debian package of `make deb`: what lintian has against it, and in a clean root of RELEASE: installed,
# run, upgraded from an older one, removed and purged. Needs root and the release's archive. `make check-deb`.
# The release has to be the one that the package was built for.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/cli/lib.sh"
TOP=$(dirname "$HERE") # one folder nearer than of the scripts that lib.sh is made for
. "$TOP/test/root.sh"
RELEASE=${RELEASE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
roots=${TEST_ROOTS:-$TOP/build/root}
package=$(ls -t "$TOP"/build/distlog_*.deb | head -n 1)
root=$TMP/root

is "$(lintian --fail-on none "$package" 2>/dev/null | grep '^E:')" "" "lintian has no error against $(basename "$package")"

mkdir -p "$roots/$RELEASE.archives/partial"
root_make "$RELEASE" "$roots/$RELEASE"
ok $? "a root of $RELEASE"
cp -a "$roots/$RELEASE" "$root" # installing changes it
export ROOT_BINDS="$roots/$RELEASE.archives:/var/cache/apt/archives"
inside() { root_run "$root" "$@"; }
# apt ARGUMENT…: its output only if it fails.
apt() { run inside apt-get -qq -y --no-install-recommends "$@" && return; note "$out$err"; }
# leftovers: what has the name distlog, but for the logs of dpkg and apt and the user.
leftovers() { inside find / -xdev -name '*distlog*' -not -path '/root/*' -not -path '/tmp/*' | sort; }

# An older version is the same with a lower number.
dpkg-deb -R "$package" "$TMP/older"
sed -i 's/^Version: .*/Version: 0.0.1-1/' "$TMP/older/DEBIAN/control"
dpkg-deb --root-owner-group -b "$TMP/older" "$root/root/older.deb" >/dev/null
cp "$package" "$root/root/newer.deb"

apt update
apt install /root/older.deb
is "$status" 0 "it installs in a clean root, with what it depends on"
like "$(leftovers)" '^/usr/bin/distlog$' "what it leaves would be seen"
run inside distlog --version
like "$out" '^distlog [0-9]' "and runs"
is "$(inside stat -c '%U:%G %a' /var/lib/distlog)" "distlog:distlog 2770" "the data folder is the daemons' user's"
is "$(inside find /etc/systemd/system -name 'distlog*')" "" "no unit is enabled"
for file in /usr/share/man/man1/distlog.1.gz /usr/share/man/man7/distlog.7.gz /usr/share/doc/distlog/copyright \
    /usr/share/doc/distlog/changelog.Debian.gz /usr/share/bash-completion/completions/distlog-search \
    /usr/lib/systemd/system/distlog.target /usr/lib/systemd/system/distlog-collect.service; do
    [ -e "$root$file" ]
    ok $? "it has $file"
done

# as_user COMMAND…: as the daemons' user with the data of the daemons.
as_user() {
    inside setpriv --reuid distlog --regid distlog --clear-groups env DISTLOG_DATA=/var/lib/distlog \
        DISTLOG_CONFIG=/etc/distlog/distlog.yaml "DISTLOG_COLLECT_LISTEN=127.0.0.1:$port" "$@"
}
port=$(free_port)
run as_user distlog up --for 8s --demo
is "$status" 0 "distlog up runs as that user"
like "$out$err" 'stored [1-9][0-9]*, dead letters 0' "and stores records"
run as_user distlog search INFO
before=$(grep -c log_id <<<"$out")
[ "$before" -gt 0 ]
ok $? "which search finds"

echo '# mine' >>"$root/etc/distlog/distlog.yaml"
apt install /root/newer.deb
is "$status" 0 "it upgrades an older version"
is "$(inside dpkg-query -W -f '${Version} ${db:Status-Status}' distlog)" "$(dpkg-deb -f "$package" Version) installed" \
    "which is then the new one"
like "$(tail -n 1 "$root/etc/distlog/distlog.yaml")" '# mine' "settings that were changed stay"
run as_user distlog search INFO
is "$(grep -c log_id <<<"$out")" "$before" "and so do the data"

apt remove distlog
is "$status" 0 "it can be removed"
[ -e "$root/var/lib/distlog/store.db" ] && [ -e "$root/etc/distlog/distlog.yaml" ]
ok $? "which keeps data and settings"
apt purge distlog
is "$status" 0 "it can be purged"
is "$(leftovers)" "" "which leaves nothing"
is "$(inside getent passwd distlog | cut -d : -f 1)" "distlog" "but the user, as Debian does"
done_testing
