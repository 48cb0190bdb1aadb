#!/usr/bin/env bash
# analysers: what clang-tidy, cppcheck, gcc's -fanalyzer (from release 14 on) and codespell find: nothing. Then
# proves that each of them runs and finds a planted fault.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
cd "$TOP" || exit 1

for tool in clang-tidy cppcheck gcc-analyzer; do
    run test/lint/analyse.py "$tool"
    case $err in
    *skipped*) skip "${err#*skipped, }" "$tool finds nothing" "and it would see a fault" ;;
    *)
        is "$status:$err" "0:" "$tool runs"
        is "$out" "" "$tool finds nothing"
        run test/lint/analyse.py --planted "$tool"
        like "$out" ':[0-9]+: (warning|error): ' "and it would see a fault"
        ;;
    esac
done

if command -v codespell >"$TMP/where"; then
    files=$(project_files | grep -vE '^(LICENSE|test/fuzz/corpus/|test/lint/codespell\.txt)')
    misspelt() { codespell --ignore-words="$TOP/test/lint/codespell.txt" "$@"; }
    is "$(misspelt $files)" "" "codespell finds nothing"
    printf 'This is t%s end.\n' eh >"$TMP/text" # not spelt here, or it would be found here
    like "$(misspelt "$TMP/text")" 'teh ==> the' "and it would see a misspelt word"
else
    skip "no codespell here" "codespell finds nothing" "and it would see a misspelt word"
fi
done_testing
