#!/usr/bin/env bash
# hardening: the program is built with the compiler's and the linker's protections against exploits; a
# program without any of them would be found.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

# lacks FILE: prints a word for each protection that it does not have.
lacks() {
    local header dynamic symbols
    header=$(readelf -hlW "$1") dynamic=$(readelf -dW "$1") symbols=$(readelf --dyn-syms -W "$1")
    grep -q 'Type: *DYN' <<<"$header" && grep -q 'FLAGS_1.*PIE' <<<"$dynamic" || echo PIE
    grep -q GNU_RELRO <<<"$header" || echo RELRO
    grep -q 'FLAGS.*NOW' <<<"$dynamic" || echo NOW
    grep -Eq 'GNU_STACK.* RW +0x' <<<"$header" || echo NX
    grep -Eq '__stack_chk_(fail|guard)' <<<"$symbols" || echo stack-protector
    grep -Eq '_chk(@|$)' <<<"$(grep -v __stack_chk <<<"$symbols")" || echo fortify
}
# probes FILE: how many times a function touches the pages of its large frame, lest one leap over the guard page.
probes() { objdump -d "$1" | grep -cE 'or[ql] +\$0x0,(0x[0-9a-f]+)?\(%[er]sp'; }
# unguarded ARCHIVE: its objects whose calls and jumps are not guarded. Of objects, because the C runtime's own
# decide whether the whole program is marked, and Debian 12's are not.
unguarded() {
    readelf -nW "$1" | awk '
        /^File:/ { if (file && !guarded) print file; file = $2; guarded = 0 }
        /IBT, SHSTK|BTI, PAC/ { guarded = 1 }
        END { if (file && !guarded) print file }'
}

is "$(lacks "$DISTLOG")" "" \
    "the program is position-independent, with RELRO, BIND_NOW, no executable stack, stack protector and fortified calls"
like "$(readelf -nW "$(dirname "$DISTLOG")/libdistlog.a")" '^File:' "its objects can be read"
case $(uname -m) in
x86_64 | aarch64) is "$(unguarded "$(dirname "$DISTLOG")/libdistlog.a")" "" \
    "its indirect calls and its returns are guarded (CET; BTI and PAC)" ;;
*) echo "ok $((tests += 1)) - guarded calls # SKIP no such thing on $(uname -m)" ;;
esac

case $(uname -m) in
x86_64)
    [ "$(probes "$DISTLOG")" -gt 0 ]
    ok $? "large frames are probed page by page (stack clash protection)"
    ;;
*) skip "what a probe looks like on $(uname -m) is not known here" "large frames are probed page by page" ;;
esac

# What level 3 of _FORTIFY_SOURCE adds doesn't show in every program: here a sample is built with the flags of the
# build, whose buffer's size is known at run time only. Compilers that have no level 3 are older than gcc 12.
flags=$(python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))
words = next(row["arguments"] for row in rows if row["file"] == "lib/base/mem.c")
print(*(word for word in words if word.startswith(("-f", "-U", "-O", "-D_"))))' "$TOP/compile_commands.json")
cat >"$TMP/sample.c" <<'END'
#include <stdlib.h>
#include <string.h>
char *sample(size_t size, size_t length);
char *sample(size_t size, size_t length) { char *block = malloc(size); return block ? memset(block, 1, length) : NULL; }
END
cc $flags -c -o "$TMP/sample.o" "$TMP/sample.c"
like "$(nm "$TMP/sample.o")" '__memset_chk' "the flags of the build fortify a buffer whose size is known at run time"
cc $flags -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -c -o "$TMP/sample.o" "$TMP/sample.c"
unlike "$(nm "$TMP/sample.o")" '__memset_chk' "which level 2 would not"

cat >"$TMP/soft.c" <<'END'
#include <string.h>
int main(int argc, char **argv) { char a[65536]; strcpy(a, argv[argc - 1]); return (int)strlen(a); }
END
cc -O0 -fno-stack-protector -fno-stack-clash-protection -fcf-protection=none -U_FORTIFY_SOURCE -no-pie -Wl,-z,norelro,-z,lazy,-z,execstack \
    -o "$TMP/soft" "$TMP/soft.c" 2>/dev/null || cc -O0 -fno-stack-protector -U_FORTIFY_SOURCE -no-pie \
    -Wl,-z,norelro,-z,lazy,-z,execstack -o "$TMP/soft" "$TMP/soft.c"
is "$(probes "$TMP/soft")" 0 "a program without any of it has no probe"
is "$(lacks "$TMP/soft" | xargs)" "PIE RELRO NOW NX stack-protector fortify" "and what is missing would be seen"
done_testing
