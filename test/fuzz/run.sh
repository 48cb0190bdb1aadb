#!/usr/bin/env bash
# fuzz: runs each target of $BUILD (build/fuzz) on its corpus and then for FUZZ_SECONDS (3) on new input,
# as many at a time as there are processors. TAP. The corpus in the tree is only read; inputs that crash
# are printed in base64 and kept in $BUILD.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
BUILD=${BUILD:-build/fuzz}
cd "$TOP" || exit 1
names=$(basename -a -s .c test/fuzz/*.c)
for name in $names; do
    [ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n
    mkdir -p "$TMP/$name" "test/fuzz/corpus/$name"
    {
        "$BUILD/test/fuzz/$name" -max_total_time="${FUZZ_SECONDS:-3}" -max_len=65536 -timeout=10 -rss_limit_mb=1024 \
            -artifact_prefix="$BUILD/$name-" "$TMP/$name" "test/fuzz/corpus/$name" >"$TMP/$name.out" 2>&1 </dev/null
        echo $? >"$TMP/$name.status"
    } &
done
wait
for name in $names; do
    status=$(cat "$TMP/$name.status")
    ok "$status" "$name: $(grep -oE 'Done [0-9]+ runs' "$TMP/$name.out" || echo stopped)"
    [ "$status" -eq 0 ] || note "$(tail -n 40 "$TMP/$name.out")"
done
done_testing
