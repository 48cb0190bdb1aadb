#!/bin/bash
# Injection: whatever a node sends and a person searches for is data: never a part of JSON, of SQL, or of a
# query language.
# Also on: elasticsearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

levels=('ERROR' 'ERROR" OR 1=1' "ERROR' OR '1'='1" "'; DROP TABLE doc; --" '"}},{"match_all":{}}' '*' \
    'ER*' 'ERROR%' '\" OR \"\"=\"' \
    '${HOME}' '%s%n' 'a\' 'log_level:ERROR' '_exists_:node_id' '[* TO *]' '/.*/')
# One document for each hostile text: as its level, its node and its words.
python3 - "${levels[@]}" >"$TMP/records" <<'END'
import json, sys
for i, text in enumerate(sys.argv[1:]):
    print(json.dumps({"log_id": f"{text}_{i}", "node_id": text, "log_level": text.upper(), "message": f"word{i} {text}",
                      "message_type": "LOG", "service_name": text, "timestamp": "2026-11-24 06:34:49"}))
END
sed "s/^/processed_logs\tn\t/" "$TMP/records" | "$BUS" put
run distlog store --no-follow
like "$err" "stored ${#levels[@]}, already there 0, dead letters 0" \
    "documents full of quotation marks are stored"

# found ARGUMENTS…: prints how many documents are found.
found() {
    run distlog search --limit -1 "$@"
    echo "$status $(tail -n +2 <<<"$out" | grep -c .)"
}
for i in "${!levels[@]}"; do
    text=${levels[$i]}
    is "$(found -- "$text")" "0 1" "the level $text finds only its own document"
    is "$(found --level "$text" --type LOG)" "0 1" "… as an option"
    is "$(found --node "$text")" "0 1" "… as a node"
    is "$(found --service "$text")" "0 1" "… as a service"
    is "$(found --text "word$i")" "0 1" "… as a word"
done
for text in 'word1" OR word2' 'word1 OR word2' 'word1 NOT word2' 'word*' '^word1' 'NEAR(word1 word2)' \
    'message:word1' '{x} word1 : word2' '"' "'" '(' '-word1' '+word1 | word2' \
    'word1"}},{"match_all":{}}'; do
    got=$(found --text "$text")
    case $got in "0 0" | "0 1") ok 0 "--text $text is words: $got" ;; *) ok 1 \
        "--text $text is words: $got, $err" ;; esac
done
is "$(found --node 'ERROR' --service "' OR 1=1 --")" "0 0" \
    "a text that closes a quotation is a condition like any other"

# A deletion deletes what it names, and nothing else.
run distlog delete --yes --level '"}},{"match_all":{}}' --dry-run
like "$out" '"count":1[^0-9]' "delete: an injection counts one document"
run distlog delete --yes --node "' OR '1'='1"
like "$out" '"deleted":0[^0-9]' "delete: an injection that is no document's id deletes nothing"
run distlog delete --yes --node "'; DROP TABLE doc; --"
like "$out" '"deleted":1[^0-9]' "delete: one that is a document's id deletes that document"
is "$(found)" "0 $((${#levels[@]} - 1))" "all others are there"
done_testing
