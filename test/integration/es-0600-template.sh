#!/bin/bash
# The index template: before the first document there is one of distlog's own, which counts before others'.
# Also on: opensearch
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
on_es
others() { es DELETE "/_index_template/other-$INDEX" >/dev/null; }
at_end+=(others)
es PUT "/_index_template/other-$INDEX" '{"index_patterns":["'"$INDEX"'*"],"priority":500,
    "template":{"mappings":{"properties":{"node_id":{"type":"long"},"response_time_ms":{"type":"keyword"}}}}}' >/dev/null
put() { printf 'processed_logs\tk\t%s\n' "$@" | "$BUS" put; }
ids() { es GET "/$INDEX/_search?q=$1" | grep -o '"_id":"[^"]*"' | cut -d'"' -f4 | sort | xargs; }

put '{"log_id":"a","node_id":"n","response_time_ms":"abc"}' '{"log_id":"b","node_id":"n","response_time_ms":250}' \
    '{"log_id":"c","node_id":"n","error_details":{"error_code":"none","error_message":7},"mine":{"of":"mine"}}'
run distlog store --no-follow --quiet
is "$status" 0 "store"
like "$err" "stored 3, already there 0, dead letters 0" "a number that is none is no reason to refuse a record"
is "$(documents)" 3 "all are there"
like "$(es GET "/_index_template/distlog-$INDEX")" '"priority":501' "the template is installed"
mapping=$(es GET "/$INDEX/_mapping")
like "$mapping" '"node_id":\{"type":"keyword","ignore_above":8191\}' "and comes before another that would have the index"
like "$mapping" '"response_time_ms":\{"type":"long"' "in each of its fields"
unlike "$mapping" '"mine"' "a key that distlog does not know is not indexed"
is "$(ids 'response_time_ms:250')" b "a number is found as one"
is "$(ids '_ignored:response_time_ms')" a "and what is none is left out there"
run distlog search --node n --limit -1
is "$(grep -o '"response_time_ms":[^,}]*\|"mine":.*' <<<"$out" | sort | xargs)" 'mine:{of:mine}} response_time_ms:abc response_time_ms:250' "each record comes back as it was sent"

# A template of ours that was changed is put right; with template: false it is not touched.
es PUT "/_index_template/distlog-$INDEX" '{"index_patterns":["'"$INDEX"'"],"priority":777}' >/dev/null
put '{"log_id":"d","node_id":"n"}'
run distlog store --no-follow --quiet -o store.elasticsearch.template=false
is "$status" 0 "store.elasticsearch.template: false"
like "$(es GET "/_index_template/distlog-$INDEX")" '"priority":777' "leaves the template to others"
put '{"log_id":"e","node_id":"n"}'
run distlog store --no-follow --quiet -o store.elasticsearch.dynamic=true
template=$(es GET "/_index_template/distlog-$INDEX")
like "$template" '"priority":501' "else it is put right"
like "$template" '"dynamic":"?true' "by the settings"
done_testing
