#!/usr/bin/env bash
# source: what every file keeps to: form, no call that C would be better without, no name of a machine. Prints
# how much there is. How the product's C is written is style.py's to measure.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
cd "$TOP" || exit 1
files=$(project_files)
files=$(for f in $files; do [ -f "$f" ] && echo "$f"; done)
c_files=$(grep -E '\.[ch]$' <<<"$files")
# The checks of the ports' contracts are only in DEV=1 builds.
product=$(grep -E '^(distlog\.c|cmd/|lib/)' <<<"$c_files" | grep -v '_check\.c$')

# code FILE…: prints the lines that are neither blank nor comment; the compiler tells `*at = 0;` from a
# comment.
code() { cat "$@" | gcc -w -fpreprocessed -dD -E -P -x c - | grep -c .; }
lines=$(code $product)
note "product: $lines lines of code, $(cat $product |
    wc -l) with comments, in $(wc -w <<<"$product") files;" \
    "tests: $(cat $(grep '^test/' <<<"$files") | wc -l) lines"

calls='strcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|system|rand|srand|alloca|tmpnam'
banned() { grep -nE "(^|[^A-Za-z0-9_>.])($calls) *\(" "$@" /dev/null | grep -vE ':[0-9]+: *(/?\*|//)'; }
is "$(banned $product man/*.c)" "" "no banned call ($calls)"
echo 'int f(char *a) { return atoi(a); }' >"$TMP/bad.c"
like "$(banned "$TMP/bad.c")" 'atoi' "a banned call would be found"

is "$(for f in $c_files; do clang-format --dry-run --Werror "$f" >/dev/null 2>&1 || echo "$f"; done)" \
    "" "clang-format has nothing to change"
is "$(grep -L 'SPDX-License-Identifier' $c_files)" "" "each C file has a licence tag"
is "$(for f in $(grep -E '\.(sh|bash)$' <<<"$files") test/run .ci/run; do bash -n "$f" 2>&1; done)" "" \
    "each shell script parses"
is "$(grep -nE '(TO)DO|(FIX)ME|(^|[^X])(X)XX([^X]|$)' $files)" "" "no marker of unfinished work is left"
# Brackets keep these patterns from matching themselves.
is "$(grep -nIE '(^|[^A-Za-z0-9_.])/(wor[k]|tm[p]/h)/|deb\.debia[n]\.org|repo[1]?\.mave[n]|files\.pythonhoste[d]|[.]\./share[d]' $files)" \
    "" \
    "no path or host of the machine of its developers"
done_testing
