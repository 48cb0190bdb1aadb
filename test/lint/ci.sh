#!/usr/bin/env bash
# ci: what .ci/run makes of the output of make: the totals, the second try, which cases needed it, and the minutes.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

# In place of make, a script that runs $TMP/TARGET with the number of its try.
mkdir "$TMP/fake"
cat >"$TMP/fake/make" <<'END'
#!/usr/bin/env bash
echo >>"$TMP/$1.tries"
. "$TMP/$1" "$(grep -c '' "$TMP/$1.tries")"
END
chmod +x "$TMP/fake/make"
export TMP
# ci: runs it; the programs of the targets are $TMP/check, $TMP/check-deb and so on.
ci() {
    rm -f "$TMP"/*.tries
    run env PATH="$TMP/fake:$PATH" bash "$TOP/.ci/run"
}
for target in check check-release check-deb check-servers check-faults; do
    echo 'echo "3 passed, 0 failed, 1 skipped"' >"$TMP/$target"
done
ci
is "$status:$(tail -n 1 <<<"$out")" "0:15 passed, 0 failed, 5 skipped" "the last line is the sum"
like "$out" '^minutes: check: 0\.0 of 9$' "each target's minutes are beside its budget"
unlike "$out" '^flaky' "nothing was flaky"

cat >"$TMP/check-servers" <<'END'
if [ "$1" -eq 1 ]; then
    echo 'ok   release test/a.sh: 1 passed, 0.1 s'
    echo 'FAIL release test/b.sh: 1 passed, 2 failed (exit code 1), 0.1 s'
    echo '    | ok 1 - first'
    echo '    | not ok 2 - the broker is back'
    echo '    | not ok 3 - nothing is lost'
    echo 'FAIL release test/c.sh: 0 passed, 1 failed (exit code 124), 300.0 s'
    echo '    | # no end'
    echo 'FAIL build/release/test/contract/bus: 0 passed, 1 failed (exit code 1), 0.1 s'
    echo '    | not ok 1 - put'
    echo '    | not ok - bus'
    echo '2 passed, 4 failed, 0 skipped'
    exit 1
fi
echo 'FAIL release test/b.sh: 2 passed, 1 failed (exit code 1), 0.1 s'
echo '    | not ok 3 - nothing is lost'
echo '5 passed, 1 failed, 0 skipped'
exit 1
END
ci
is "$status:$(tail -n 1 <<<"$out")" "1:17 passed, 1 failed, 4 skipped" "what fails twice has failed"
is "$(grep '^flaky' <<<"$out")" "flaky: check-servers: build/release/test/contract/bus: put
flaky: check-servers: release test/b.sh: the broker is back
flaky: check-servers: release test/c.sh" "what passed in the second try is named"

cat >"$TMP/check-faults" <<'END'
[ "$1" -eq 2 ] || echo 'not ok 4 - the proxy let go'
echo "4 passed, $((2 - $1)) failed, 0 skipped"
exit $((2 - $1))
END
ci
like "$out" '^flaky: check-faults: the proxy let go$' "so are cases that no program of test/run has"
echo 'echo "lost 2, duplicated 0"; echo "1 passed, 1 failed, 0 skipped"; exit 1' >"$TMP/check-faults"
ci
is "$(lines "$TMP/check-faults.tries" '')" 1 "a lost record has no second try"
echo 'exit 2' >"$TMP/check-servers"
ci
like "$out" '^make check-servers did not reach the end of its tests \(exit code 2\)$' "a target without totals is reported"
unlike "$out" '^flaky' "and is not flaky"
is "$status:$(tail -n 1 <<<"$out")" "1:10 passed, 2 failed, 3 skipped" "but a failure"
done_testing
