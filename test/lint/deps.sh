#!/usr/bin/env bash
# deps: what building needs is looked for; what is missing is named with the line that installs it.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"

run sh "$TOP/.ci/deps.sh" check
is "$status" 0 "everything is here, where the tests run"
is "$out$err" "" "and then it says nothing"

# Somebody who is not root, and whose compiler is missing.
mkdir "$TMP/fake" && printf '#!/bin/sh\necho 1000\n' >"$TMP/fake/id" && chmod +x "$TMP/fake/id"
run env PATH="$TMP/fake:$PATH" CC=no-such-compiler SUDO= sh "$TOP/.ci/deps.sh" build
is "$status" 1 "a missing package is an error"
like "$err" '^ +sudo apt-get install -y --no-install-recommends build-essential$' "with the line that installs it"
like "$err" 'make SUDO=sudo' "and the way to let make do it"
printf '#!/bin/sh\necho "as root: $*"\n' >"$TMP/fake/sudo" && chmod +x "$TMP/fake/sudo"
run env PATH="$TMP/fake:$PATH" CC=no-such-compiler SUDO=sudo sh "$TOP/.ci/deps.sh" build
is "$status" 0 "with SUDO=sudo it is installed"
like "$out$err" '^as root: apt-get install -y --no-install-recommends build-essential$' "by that very line"
run sh "$TOP/.ci/deps.sh"
is "$status" 2 "no argument is wrong usage"
done_testing
