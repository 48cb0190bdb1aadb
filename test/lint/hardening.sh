#!/usr/bin/env bash
# hardening: what the compiler and the linker can do against an error that is exploited is in the built program;
# then proves on a program without any of it that this would be seen.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

# lacks FILE: a word for each protection that it does not have.
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
# unguarded ARCHIVE: its objects whose calls and jumps are not guarded. Of objects, because the C runtime's own
# decide whether the whole program is marked, and Debian 12's are not.
unguarded() {
    readelf -nW "$1" | awk '
        /^File:/ { if (file && !guarded) print file; file = $2; guarded = 0 }
        /IBT, SHSTK|BTI, PAC/ { guarded = 1 }
        END { if (file && !guarded) print file }'
}

is "$(lacks "$DISTLOG")" "" "the program is position-independent, with RELRO, BIND_NOW, no executable stack, stack protector and fortified calls"
like "$(readelf -nW "$(dirname "$DISTLOG")/libdistlog.a")" '^File:' "its objects can be looked at"
case $(uname -m) in
x86_64 | aarch64) is "$(unguarded "$(dirname "$DISTLOG")/libdistlog.a")" "" "its indirect calls and its returns are guarded (CET; BTI and PAC)" ;;
*) echo "ok $((tests += 1)) - guarded calls # SKIP no such thing on $(uname -m)" ;;
esac

cat >"$TMP/soft.c" <<'END'
#include <string.h>
int main(int argc, char **argv) { char a[64]; strcpy(a, argv[argc - 1]); return (int)strlen(a); }
END
cc -O0 -fno-stack-protector -fcf-protection=none -U_FORTIFY_SOURCE -no-pie -Wl,-z,norelro,-z,lazy,-z,execstack \
    -o "$TMP/soft" "$TMP/soft.c" 2>/dev/null || cc -O0 -fno-stack-protector -U_FORTIFY_SOURCE -no-pie \
    -Wl,-z,norelro,-z,lazy,-z,execstack -o "$TMP/soft" "$TMP/soft.c"
is "$(lacks "$TMP/soft" | xargs)" "PIE RELRO NOW NX stack-protector fortify" "and what is missing would be seen"
done_testing
