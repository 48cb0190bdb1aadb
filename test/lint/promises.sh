#!/usr/bin/env bash
# promises: each guarantee of distlog(7) and each point of SECURITY.md names the test that shows it, and
# each test that any page names exists. The top of the tree has the usual files.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

# tests FILE: prints the files below test/ that it names.
tests() {
    sed 's/\\%//g; s/\\-/-/g' "$1" | grep -oE 'test/[A-Za-z0-9_./-]*[A-Za-z0-9_]' | grep -v NNNN | sort -u
}
# missing FILE: prints those of them that do not exist.
missing() { for name in $(tests "$1"); do [ -e "$TOP/$name" ] || echo "$name"; done; }
# unshown FILE: prints guarantees without a test.
unshown() {
    awk '/^\.SH/ { on = /GUARANTEES/ } on && /^\.B / { if (title && !shown) print title; title = $0; shown = 0 }
        on && /^\.IR \\%test\// { shown = 1 } /^\.SH/ && !/GUARANTEES/ { if (title && !shown) print title; title = "" }' "$1"
}

for page in man/distlog.7 SECURITY.md README.md CONTRIBUTING.md; do
    is "$(missing "$TOP/$page")" "" "every test that $page names exists"
done
is "$(unshown "$TOP/man/distlog.7")" "" "each guarantee of distlog(7) names a test"
[ "$(tests "$TOP/man/distlog.7" | wc -l)" -gt 10 ] && [ "$(tests "$TOP/SECURITY.md" | wc -l)" -gt 8 ]
ok $? "they name many tests"
is "$(grep '^|.*|.*|$' "$TOP/SECURITY.md" | grep -vE '^\|[ |-]*$' | grep -v '| test/')" "" \
    "each point of SECURITY.md names a test"

printf '.SH GUARANTEES\n.TP\n.B One.\n.IR \\%%test/no\\-such.sh .\n.TP\n.B Two.\nText.\n.SH NEXT\n' \
    >"$TMP/page"
is "$(missing "$TMP/page") $(unshown "$TMP/page")" "test/no-such.sh .B Two." "missing tests would be found"

# .git-blame-ignore-revs names commits that change the form only; it may come later than they do.
tops() { (cd "$TOP" && git ls-files 2>/dev/null | sed 's#/.*##' | sort -u | LC_ALL=C sort | grep -vx .git-blame-ignore-revs); }
wanted='.ci .clang-format .clang-tidy .editorconfig .gitignore CHANGELOG.md CONTRIBUTING.md LICENSE Makefile
    README.md SECURITY.md cmd distlog.c distlog.yaml fluent.conf lib man test'
(cd "$TOP" && git rev-parse -q --verify HEAD >/dev/null 2>&1) || wanted= # no clone
is "$(tops | xargs)" "$(xargs <<<"$wanted")" "the top of the tree has what one expects there"
version=$(sed -n 's/^VERSION *:= *//p' "$TOP/Makefile")
like "$(cat "$TOP/CHANGELOG.md")" "^## \\[${version//./\\.}\\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$" "the changelog has version $version"
done_testing
