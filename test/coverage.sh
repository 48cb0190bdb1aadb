#!/usr/bin/env bash
# coverage.sh OBJECTS ROOM…: a table of the lines and branches of the product's rooms that ran, from what the programs
# built in OBJECTS with COV=1 left there; the last line has the sums. A room that isn't there has no rows.
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$(dirname "$0")/.."
objects=$1
shift
summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
filters=()
for room; do filters+=(--filter "$PWD/$room/"); done
gcovr --root . --object-directory "$objects" "${filters[@]}" --exclude-unreachable-branches \
    --json-summary "$summary" "$objects" >/dev/null
python3 - "$summary" <<'END'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    summary = json.load(file)


def row(name, of):
    def share(kind):
        covered, total = of[f"{kind}_covered"], of[f"{kind}_total"]
        percent = 100 * covered / total if total else 100
        return f"{covered:6} of {total:<6} {percent:5.1f} %"
    print(f"{name:32} {share('line')}   {share('branch')}")


print(f"{'':32} {'lines':>14} {'':9} {'branches':>17}")
for of in sorted(summary["files"], key=lambda of: of["filename"]):
    row(of["filename"], of)
row("all", summary)
END
