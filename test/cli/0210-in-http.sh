#!/bin/bash
# How collect answers each kind of HTTP request: see in_http.py.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

start collect distlog collect --listen 127.0.0.1:0 -o collect.max_body=1MB -o bus.max_record=1MB
wait_for 10 has "$TMP/collect.err" 'http://127.0.0.1:[0-9]+'
ok $? "collect listens on a free port and logs it"
port=$(sed -n 's/.*http:\/\/127.0.0.1:\([0-9]*\).*/\1/p' "$TMP/collect.err")
library=$(distlog --version | sed -n 's/.*libmicrohttpd \([0-9.]*\).*/\1/p')
python3 "$HERE/in_http.py" "$port" "$DISTLOG_DATA/bus.db" "$tests" "$library" >"$TMP/cases"
status=$?
grep -v '^# cases' "$TMP/cases"
tests=$(grep -Ec '^(not )?ok ' "$TMP/cases")
tests=$((tests + 1))
failures=$((failures + $(lines "$TMP/cases" '^not ok ')))
ok "$status" "in_http.py ran to its end"
stop collect
is "$status" 0 "SIGTERM: exit 0"
like "$(cat "$TMP/collect.err")" 'stopped: accepted [0-9]+ records, refused [0-9]+ requests' \
    "the last line counts records and requests"
unlike "$(cat "$TMP/collect.err")" 'Sanitizer|runtime error' "no sanitizer reported anything"
done_testing
