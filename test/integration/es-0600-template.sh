#!/bin/bash
# The index template: store installs its own before the first document, and it takes precedence over others.
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

put '{"log_id":"a","node_id":"n","response_time_ms":"abc"}' \
    '{"log_id":"b","node_id":"n","response_time_ms":250}' \
    '{"log_id":"c","node_id":"n","error_details":{"error_code":"none","error_message":7},"mine":{"of":"mine"}}'
run distlog store --no-follow --quiet
is "$status" 0 "store succeeds"
like "$err" "stored 3, already there 0, dead letters 0" "an invalid number is no reason to reject a record"
is "$(documents)" 3 "all documents are there"
like "$(es GET "/_index_template/distlog-$INDEX")" '"priority":501' "the template is installed"
mapping=$(es GET "/$INDEX/_mapping")
like "$mapping" '"node_id":\{"type":"keyword","ignore_above":8191\}' \
    "it takes precedence over another one for the same index"
like "$mapping" '"response_time_ms":\{"type":"long"' "in each of its fields"
unlike "$mapping" '"mine"' "a key that distlog does not know is not indexed"
is "$(ids 'response_time_ms:250')" b "a number is found as a number"
is "$(ids '_ignored:response_time_ms')" a "an invalid number is not indexed"
run distlog search --node n --limit -1
is "$(grep -o '"response_time_ms":[^,}]*\|"mine":.*' <<<"$out" | sort | xargs)" \
    'mine:{of:mine}} response_time_ms:abc response_time_ms:250' "each record comes back as it was sent"

# A modified template is restored; with template: false it is left alone.
es PUT "/_index_template/distlog-$INDEX" '{"index_patterns":["'"$INDEX"'"],"priority":777}' >/dev/null
put '{"log_id":"d","node_id":"n"}'
run distlog store --no-follow --quiet -o store.elasticsearch.template=false
is "$status" 0 "store.elasticsearch.template: false"
like "$(es GET "/_index_template/distlog-$INDEX")" '"priority":777' "then the modified template is kept"
put '{"log_id":"e","node_id":"n"}'
run distlog store --no-follow --quiet -o store.elasticsearch.dynamic=true
template=$(es GET "/_index_template/distlog-$INDEX")
like "$template" '"priority":501' "otherwise it is restored"
like "$template" '"dynamic":"?true' "with the setting for dynamic fields"
done_testing
