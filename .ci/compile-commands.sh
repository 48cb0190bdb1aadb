#!/bin/sh
# compile-commands.sh MAKE-ARGUMENT…: prints compile_commands.json, which editors and clang's tools read:
# the compilations that `make all programs` would run, one for each source.
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$(dirname "$0")/.."
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -nB V=1 "$@" all programs 2>/dev/null |
    TOP=$PWD python3 -c '
import json, os, shlex, sys
rows = {}
for line in sys.stdin:
    words = shlex.split(line, comments=True) if " -c -o " in line else []
    if words and words[-1].endswith(".c") and words[-1] not in rows:
        rows[words[-1]] = {"directory": os.environ["TOP"], "file": words[-1], "arguments": words}
json.dump(list(rows.values()), sys.stdout, indent=1)
print()'
