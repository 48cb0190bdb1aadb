#!/usr/bin/env bash
# circles: no two files of the product include or call each other in a circle; what is one module stays one
# file, or what both need gets a file below them. Reads the #include lines and the symbols of the objects;
# then proves on small files of its own that a circle of either kind would be found.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
BUILD=${BUILD:-build/release}

# loops: reads pairs "A B" (A needs B) and prints the members of each circle.
loops() { tsort 2>&1 >/dev/null | sed -n 's/^tsort: \(.*\)/\1/p' | grep -v 'input contains a loop' | sort -u; }

# includes FILE…: a pair for each header of the product that a file includes.
includes() {
    local file header
    for file in "$@"; do
        sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file" | while IFS= read -r header; do
            echo "$file $(realpath -m --relative-to=. "$(dirname "$file")/$header")"
        done
    done
}

# calls OBJECT…: a pair for each object that needs a symbol of another one.
calls() {
    nm -A -g "$@" 2>/dev/null | awk '
        { sub(/\.o:.*/, "", $1); symbol = $NF; kind = $(NF - 1) }
        kind == "U" || kind == "w" { needs[++n] = $1; needed[n] = symbol; next }
        { home[symbol] = $1 }
        END { for (i = 1; i <= n; i++) {
            other = home[needed[i]]
            if (other != "" && other != needs[i]) print needs[i], other
        } }' | sort -u
}

cd "$TOP" || exit 1
files=$(find distlog.c cmd lib -name '*.[ch]' | sort)
is "$(includes $files | loops)" "" "no file includes itself through others"
objects=$(for file in $files; do [ "${file%.c}" = "$file" ] || echo "$BUILD/${file%.c}.o"; done)
is "$(calls $objects | loops)" "" "no files call each other in a circle"

mkdir "$TMP/tree" && cd "$TMP/tree" || exit 1
echo '#include "b.h"' >a.h
echo '#include "c.h"' >b.h
echo '#include "a.h"' >c.h
is "$(includes a.h b.h c.h | loops | xargs)" "a.h b.h c.h" "a circle of includes would be found"
printf 'int beta(void);\nint alpha(void) { return beta(); }\n' >a.c
printf 'int alpha(void);\nint beta(void) { return alpha(); }\n' >b.c
cc -c a.c b.c
is "$(calls a.o b.o | loops | xargs)" "a b" "a circle of calls would be found"
done_testing
