#!/usr/bin/env bash
# fresh: generated files that are checked in are up to date, and groff accepts the pages.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
GENERATE=$TOP/${GENERATE:-build/release/man/generate}

mkdir -p "$TMP/fresh/man"
run "$GENERATE" "$TMP/fresh"
is "$status" 0 "the generator runs"
cd "$TMP/fresh" || exit 1
made=$(find . -type f | sed 's#^\./##' | sort)
like "$made" 'man/distlog-collect\.1' "it generates pages"
for file in $made; do
    difference=$(diff "$TOP/$file" "$file" 2>&1 | head -n 20)
    is "$difference" "" "$file is up to date (make generate)"
done
strays=$(cd "$TOP" && ls man/*.1 man/*.5 man/*.bash | while read -r f; do [ -f "$TMP/fresh/$f" ] ||
    echo "$f"; done)
is "$strays" "" "there is no page of a command that no longer exists"
for page in "$TOP"/man/*.[157]; do
    is "$(groff -man -ww -z -Tutf8 "$page" 2>&1)" "" "groff is content with $(basename "$page")"
    is "$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null)" "" "so is man"
done
# The manual and --help come from one table: their flags must be the same.
flags() { sed 's/\\-/-/g; s/\\f.//g' | grep -oE -- '--[a-z][a-z-]*' | sort -u; }
for command in $(cd "$TOP/man" && ls distlog-*.1 | sed 's/^distlog-//; s/\.1$//'); do
    run distlog "$command" --help
    in_help=$(flags <<<"$out")
    in_page=$(sed -n '/^\.SH OPTIONS/,/^\.SH [^O]/p' "$TOP/man/distlog-$command.1" | flags)
    is "$(comm -23 <(echo "$in_help") <(echo "$in_page"))" "" "every flag of $command --help is in its page"
done
done_testing
