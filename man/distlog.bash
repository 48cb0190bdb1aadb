# Bash completion of distlog. Made by `make generate` from the tables in cmd/ and lib/.
# SPDX-License-Identifier: Apache-2.0
_distlog()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' i flags='--config --help --version' words='' files=yes
    local commands='node collect pubsub store alert search delete nodes deadletter up config help'
    local settings='bus.type= bus.max_record= bus.local.path= bus.local.max_age= bus.local.max_size= bus.local.min_free= bus.kafka.brokers= bus.kafka.create_topics= bus.kafka.partitions= bus.kafka.replication= bus.kafka.retention= bus.kafka.instance= bus.kafka.properties= topics.input= topics.processed= topics.alerts= store.type= store.group= store.index= store.quiet= store.local.path= store.elasticsearch.urls= store.elasticsearch.user= store.elasticsearch.password= store.elasticsearch.api_key= store.elasticsearch.ca= store.elasticsearch.batch= store.elasticsearch.in_flight= store.elasticsearch.timeout= store.elasticsearch.template= store.elasticsearch.dynamic= log.level= log.format= node.name= node.id= node.url= node.heartbeat= node.interval= node.weights= node.message= node.time_format= node.keep_going= node.queue= node.parallel= node.timeout= node.ca= node.user= node.password= node.token= node.quiet= collect.listen= collect.routes= collect.max_body= collect.max_inflated= collect.max_records= collect.max_buffered= collect.max_header= collect.max_connections= collect.keepalive_timeout= collect.request_timeout= collect.cors_allow_origins= collect.tls.cert= collect.tls.key= collect.auth.user= collect.auth.password= collect.auth.token= pubsub.group= pubsub.heartbeat_timeout= pubsub.heartbeat_grace= pubsub.repeat_interval= pubsub.liveness= pubsub.on_error= pubsub.unregistered= pubsub.forget_after= pubsub.time_format= alert.group= up.watchdog= '
    case ${COMP_WORDS[0]##*/} in distlog-*) command=${COMP_WORDS[0]##*/distlog-} ;; esac
    command=${command#distlog-}
    for ((i = 1; i < COMP_CWORD && ${#command} == 0; i++)); do
        case ${COMP_WORDS[i]} in
        -c | -o | --config) i=$((i + 1)) ;;
        -*) ;;
        *) command=${COMP_WORDS[i]} ;;
        esac
    done
    case $command in
    node) flags='--name --id --url --heartbeat --interval --weights --message --time-format --keep-going --queue --parallel --timeout --ca --nodes --count --for --seed --quiet --config --help --version' ;;
    collect) flags='--listen --config --help --version' ;;
    pubsub) flags='--group --heartbeat-timeout --heartbeat-grace --repeat-interval --liveness --on-error --unregistered --forget-after --time-format --no-follow --drain --config --help --version' ;;
    store) flags='--group --index --quiet --no-follow --drain --config --help --version' ;;
    alert) flags='--group --from-start --no-follow --drain --config --help --version' ;;
    search) flags='--limit --format --follow --node --service --level --type --since --until --text --config --help --version' ;;
    delete) flags='--older-than --dry-run --yes --node --service --level --type --since --until --text --config --help --version' ;;
    nodes) flags='--format --config --help --version' ;;
    deadletter) flags='--raw --config --help --version' ;;
    up) flags='--demo --for --config --help --version' ;;
    config) flags='--origin --check --config --help --version' ;;
    help) flags='--config --help --version' ;;
    esac
    case $command:$prev in
    *:-c | *:--config) ;;
    *:-o) words=$settings files='' ;;
    node:--name) words='' files= ;;
    node:--id) words='' files= ;;
    node:--url) words='' files= ;;
    node:--heartbeat) words='' files= ;;
    node:--interval) words='' files= ;;
    node:--weights) words='' files= ;;
    node:--message) words='' files= ;;
    node:--time-format) words='local rfc3339' files='' ;;
    node:--queue) words='' files= ;;
    node:--parallel) words='' files= ;;
    node:--timeout) words='' files= ;;
    node:--ca) words='' files=yes ;;
    node:--nodes) words='' files= ;;
    node:--count) words='' files= ;;
    node:--for) words='' files= ;;
    node:--seed) words='' files= ;;
    collect:--listen) words='' files= ;;
    pubsub:--group) words='' files= ;;
    pubsub:--heartbeat-timeout) words='' files= ;;
    pubsub:--heartbeat-grace) words='' files= ;;
    pubsub:--repeat-interval) words='' files= ;;
    pubsub:--liveness) words='heartbeat any' files='' ;;
    pubsub:--on-error) words='deregister keep' files='' ;;
    pubsub:--unregistered) words='drop dead_letter forward' files='' ;;
    pubsub:--forget-after) words='' files= ;;
    pubsub:--time-format) words='local rfc3339' files='' ;;
    store:--group) words='' files= ;;
    store:--index) words='' files= ;;
    alert:--group) words='' files= ;;
    search:--limit) words='' files= ;;
    search:--format) words='json raw' files='' ;;
    search:--node) words='' files= ;;
    search:--service) words='' files= ;;
    search:--level) words='' files= ;;
    search:--type) words='' files= ;;
    search:--since) words='' files= ;;
    search:--until) words='' files= ;;
    search:--text) words='' files= ;;
    delete:--older-than) words='' files= ;;
    delete:--node) words='' files= ;;
    delete:--service) words='' files= ;;
    delete:--level) words='' files= ;;
    delete:--type) words='' files= ;;
    delete:--since) words='' files= ;;
    delete:--until) words='' files= ;;
    delete:--text) words='' files= ;;
    nodes:--format) words='table json' files='' ;;
    deadletter:*deadletter) words='list show retry' files='' ;;
    up:--for) words='' files= ;;
    help:help) words=$commands files='' ;;
    *) case $cur in
        -*) words=$flags files='' ;;
        *) [ -n "$command" ] || { words=$commands files=''; } ;;
        esac ;;
    esac
    [ "${words: -2}" != '= ' ] || compopt -o nospace 2>/dev/null
    COMPREPLY=()
    [ -z "$words" ] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    [ -z "$files" ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    [ -z "$files" ] || compopt -o filenames 2>/dev/null
}
complete -F _distlog distlog distlog-node distlog-collect distlog-pubsub distlog-store distlog-alert distlog-search distlog-delete distlog-nodes distlog-deadletter distlog-up distlog-config distlog-help
