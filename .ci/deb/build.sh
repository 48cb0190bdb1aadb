#!/usr/bin/env bash
# build.sh BUILT VERSION: makes build/distlog_VERSION-1~debN_ARCH.deb from what `make` built in BUILT, for the Debian
# release that it runs on. The package has the files of `make install`, the dependencies that dpkg-shlibdeps finds,
# and the scripts beside this one. Prints the package's name. Intermediate files are in build/deb/.
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$(dirname "$0")/../.."
built=$1 version=$2
here=.ci/deb work=build/deb root=build/deb/root
release=$(. /etc/os-release && echo "${VERSION_ID:-}")
full=$version-1${release:+~deb$release}
arch=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
umask 022

rm -rf "$work"
mkdir -p "$root/DEBIAN" "$work/debian"
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS \
    make -s B="$built" DESTDIR="$PWD/$root" PREFIX=/usr SYSCONFDIR=/etc install

strip --strip-unneeded "$root/usr/bin/distlog"
gzip -9n "$root"/usr/share/man/man?/*
doc=$root/usr/share/doc/distlog
mkdir "$doc/examples"
mv "$doc/fluent.conf" "$doc/distlog.yaml" "$doc/examples"
install -m 644 "$here/copyright" "$doc/copyright"
gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
# The maintainer is whoever builds the package, as for dpkg-dev's tools: DEBFULLNAME and DEBEMAIL, else the author of
# the commit.
name=${DEBFULLNAME:-$(git log -1 --format=%an 2>/dev/null || echo distlog)}
maintainer="$name <${DEBEMAIL:-$(git log -1 --format=%ae 2>/dev/null || echo distlog@example.org)}>"
printf 'distlog (%s) unstable; urgency=medium\n\n  * Version %s; see changelog.gz.\n\n -- %s  %s\n' \
    "$full" "$version" "$maintainer" "$(LC_ALL=C date -uRd "@$SOURCE_DATE_EPOCH")" |
    gzip -9nc >"$doc/changelog.Debian.gz"

# dpkg-shlibdeps requires a source package's control file.
printf 'Source: distlog\n\nPackage: distlog\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O -e root/usr/bin/distlog 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ]
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f 1)
sed -e "s|@VERSION@|$full|" -e "s|@ARCH@|$arch|" -e "s|@SIZE@|$size|" -e "s|@MAINTAINER@|$maintainer|" -e "s|@DEPENDS@|$depends|" \
    "$here/control.in" >"$root/DEBIAN/control"
echo /etc/distlog/distlog.yaml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$root/DEBIAN"; done
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
chmod 644 "$root"/DEBIAN/{control,conffiles,md5sums}
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +

package=build/distlog_${full}_$arch.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
