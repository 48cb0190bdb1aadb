/* text: see text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct man_text texts[] = {
    {"node",
     "A simulated service. It registers, sends a heartbeat every 5 s and a log record every "
     "second, posts each record as JSON over HTTP to node.url, in order, and prints it once it "
     "has been accepted. It ends after its first ERROR; with --keep-going it registers again "
     "instead.\n\n"
     "While the collector is unavailable, records are kept and posted later, in order. A node "
     "keeps up to node.queue records; beyond that new ones are dropped, counted and reported. A "
     "record that is refused with status 400 is reported and skipped; 401, 403 and 404 end the "
     "command with exit code 1.\n\n"
     "On TERM or INT the node says goodbye with a heartbeat of status DOWN, so that no alert is "
     "raised.",
     (const struct man_example[]){
         {"distlog node --name order --count 3",
          "The second of the three presets, with three logs."},
         {"distlog node --name billing --id node_77 --keep-going --for 3s",
          "A service of your own that survives its errors."},
         {"distlog node --nodes 2000 --keep-going --for 3s", "Two thousand nodes in one process."},
         {NULL, NULL},
     }},
    {"collect",
     "Accepts records over HTTP as Fluentd's in_http does: the path is the tag (POST "
     "/log.input), and collect.routes maps each tag to a topic. A body is a JSON object or an "
     "array of objects (application/json), one object a line (application/x-ndjson), a form "
     "with json= or ndjson=, or MessagePack (application/msgpack), each either plain or with "
     "Content-Encoding gzip or deflate.\n\n"
     "The answer 200 means that every record is durable on the bus. 400 gives the reason why a "
     "body was refused; no record of it is accepted. 503 with Retry-After means that the bus "
     "cannot accept records at the moment, or did not acknowledge all of them: send the request "
     "again; some records of an array may then be on the bus twice.\n\n"
     "Chunk extensions are ignored; with libmicrohttpd 1.0, which misreads them, a request that "
     "has any is refused with 400.\n\n"
     "GET /healthz answers 200, or 503 with the reason while the bus is unavailable or has not "
     "accepted a record within the last 10 s.\n\n"
     "collect listens on 127.0.0.1 by default. Before opening it to a network, set collect.tls "
     "and collect.auth.",
     (const struct man_example[]){
         {"distlog collect", "Serve the programs of this machine."},
         {"distlog collect -o collect.routes=log.input=nodes,audit=audit_log",
          "Put what is posted to /audit on a topic of its own."},
         {"DISTLOG_COLLECT_AUTH_TOKEN=s3cret distlog collect --listen '*:9880'",
          "Serve other machines, with a bearer token (and with collect.tls, unless the network "
          "is trusted)."},
         {NULL, NULL},
     }},
    {"pubsub",
     "Reads the topic IN. A node is registered from its REGISTRATION until its first ERROR or "
     "its goodbye (a HEARTBEAT with status DOWN). Records of registered nodes are published to "
     "PROCESSED, warnings and errors to ALERTS as well. Registrations and departures are "
     "published to PROCESSED. Malformed records go to IN.dlq.\n\n"
     "If two heartbeats of a node are more than heartbeat_timeout apart, one HEARTBEAT_MISSED "
     "and one HEARTBEAT_RECOVERED are published to both topics, and a line is printed on "
     "standard output while the silence lasts. Only the bus's timestamps count, and only "
     "silence that the bus has confirmed: a pubsub that was stopped or is behind raises no "
     "false alerts, and it reports the gaps that occurred while it was down.\n\n"
     "Without operands, the topics are those of the section topics of the settings.",
     (const struct man_example[]){
         {"distlog pubsub --no-follow", "Route the backlog, then exit."},
         {"distlog pubsub nodes processed_logs alerts --heartbeat-timeout 15s --no-follow",
          "The same with the topics named, and a longer heartbeat timeout."},
         {NULL, NULL},
     }},
    {"store",
     "Reads the topic PROCESSED (topics.processed) and writes one document for each record. The "
     "document's id is the record's log_id, or its position on the bus if it has none. Records "
     "are committed on the bus only after the store has acknowledged their documents, and a "
     "document that already exists is counted and left unchanged: after a crash at any moment "
     "nothing is lost and nothing is stored twice.\n\n"
     "Prints a line for each document once it is stored. A record that is not a JSON object, or "
     "that the store will never accept, goes to the topic PROCESSED.dlq with the reason.\n\n"
     "If the bus or the store does not answer, store logs the outage once and retries until it "
     "is over.",
     (const struct man_example[]){
         {"distlog store --no-follow", "Store the backlog, then exit."},
         {"distlog store --quiet --no-follow processed_logs",
          "The same without a line for each document."},
         {NULL, NULL},
     }},
    {"alert",
     "Reads the topic ALERTS (topics.alerts) and prints a line for each record: the level, the "
     "node and the log_id of a warning or an error, or which node missed a heartbeat or is "
     "back.\n\n"
     "Without a group it starts with new alerts and stores no position: any number of readers "
     "see every alert. With --group it continues where that group left off, so that none is "
     "missed.",
     (const struct man_example[]){
         {"distlog alert --from-start --no-follow",
          "Print all alerts that the bus still has, then exit."},
         {"distlog alert --group pager --no-follow", "Print the alerts since the last time."},
         {NULL, NULL},
     }},
    {"search",
     "WHAT is a message type (REGISTRATION or HEARTBEAT) or a log level, in upper or lower "
     "case; without it, all documents match. Options restrict the search further; a document "
     "must match all of them.\n\n"
     "Prints the documents as the nodes sent them, one JSON object a line, newest first. A "
     "document's time is the timestamp of its record if that names a time zone, otherwise the "
     "time at which the bus accepted the record. The store that was opened is named on standard "
     "error.",
     (const struct man_example[]){
         {"distlog search ERROR", "The ten newest errors."},
         {"distlog search heartbeat --node node_01 --limit 1", "The last heartbeat of node_01."},
         {"distlog search warn --since 15m --text 'log message'", "Warnings by time and by words."},
         {"distlog search --limit -1 --format raw >all.ndjson", "Everything, with ids and times."},
         {NULL, NULL},
     }},
    {"delete",
     "Deletes every document of the index, or with options those that match all of them, and "
     "prints the store's answer. Unless --yes is given, it asks for confirmation if it would "
     "delete everything and standard input is a terminal. The store that was opened is named on "
     "standard error.\n\n"
     "Documents that are stored while it runs are kept. If it is stopped, the documents that it "
     "has not reached yet remain. If the store could not delete some documents, delete fails "
     "and reports the first reason.\n\n"
     "In Elasticsearch and OpenSearch a deletion is a task of the engine: to follow it, delete "
     "needs the cluster privilege monitor, to stop it cancel_task. The engine keeps a small "
     "record of each finished task in its index .tasks, which distlog has no right to clear.",
     (const struct man_example[]){
         {"distlog delete --older-than 30d", "Keep one month."},
         {"distlog delete --type HEARTBEAT --older-than 1d --dry-run",
          "How many documents would that be?"},
         {"distlog delete --yes", "Delete everything, without asking."},
         {NULL, NULL},
     }},
    {"nodes",
     "Prints each node that pubsub knows: its service, whether it is UP or silent and since "
     "when, and when it was last seen. A node is silent if it was last seen more than "
     "pubsub.heartbeat_timeout ago. Nodes that have left (after an ERROR or a goodbye) are not "
     "listed.\n\n"
     "It reads what the group pubsub.group keeps on the bus, and needs no running pubsub. If "
     "there are records that pubsub has not routed yet, it logs how many.",
     (const struct man_example[]){
         {"distlog nodes", "A table of all nodes."},
         {"distlog nodes --format json | grep '\"silent\"' || echo all well",
          "Which nodes are silent?"},
         {NULL, NULL},
     }},
    {"deadletter",
     "A record that pubsub cannot interpret, or that the store refuses permanently, becomes a "
     "dead letter: it goes to the topic TOPIC.dlq, with the reason and its origin. A letter is "
     "named after its position there: nodes.dlq-0-17 has offset 17 in partition 0.\n\n"
     "list prints a line for each dead letter: its name, when it became one, where the record "
     "came from, its key, and the reason, separated by tabs. Without a TOPIC it lists the "
     "letters of topics.input and topics.processed.\n\n"
     "show prints one letter and its record, with control characters escaped, or with --raw "
     "only the bytes of the record, unchanged.\n\n"
     "retry sends letters again, to the topic that they came from and under the same key: the "
     "one named, or all that exist when it starts. Each letter is sent exactly once, even if "
     "retry is killed, and is no longer listed afterwards; a record that fails again comes back "
     "as a new letter. On the bus it is a new record with a new timestamp, behind everything "
     "that is already there. A retry holds up to 64 MB of letters, and reports if there are "
     "more. A record that was too large to be kept whole cannot be sent again: this is "
     "reported, and its letter stays until retention removes it, as it eventually removes all "
     "letters.",
     (const struct man_example[]){
         {"distlog deadletter list", "Which records failed, and why?"},
         {"distlog deadletter list processed_logs | cut -f 5 | sort | uniq -c",
          "How often does each reason occur?"},
         {"distlog deadletter show --raw nodes.dlq-0-0 >record",
          "The record as its sender wrote it."},
         {"distlog deadletter retry nodes.dlq-0-0", "Send this one again."},
         {"distlog deadletter retry", "Send all of them again, once the cause is fixed."},
         {NULL, NULL},
     }},
    {"up",
     "Starts alert, store, pubsub and collect on this machine, each as a process of its own, "
     "with the settings that up was given. A stage that crashes is restarted; one that exits "
     "with code 2, or fails three times at its start, stops them all. Each line of output is "
     "shown behind the name of the stage that printed it, in colour on a terminal unless "
     "NO_COLOR is set.\n\n"
     "TERM or INT stops the stages from front to back: collect first, then each of the others "
     "once it has processed its backlog. The last line has the numbers of records that were "
     "accepted, routed and stored. A second signal ends everything at once; records on the bus "
     "stay there for the next start. The stages end if up dies.",
     (const struct man_example[]){
         {"distlog up --demo --for 25s", "See it work: nodes, logs, alerts, a missed heartbeat."},
         {"distlog up -o collect.listen=127.0.0.1:8080 --for 3s", "Use another port."},
         {NULL, NULL},
     }},
    {"config",
     "Prints every setting with the value that the other commands would use, as YAML that -c "
     "reads back.\n\n"
     "A secret is never printed: a comment stands for it, or the name of the file that it was "
     "read from. A secret given with -o is overwritten on the command line as soon as it has "
     "been read, but until then ps shows it to everybody on the machine: use a *_file setting "
     "or the environment instead. A process that holds a secret leaves no core dump, and only "
     "root can inspect it.\n\n"
     "Settings come from the following sources; later ones override earlier ones: the built-in "
     "defaults, one configuration file (the one named with -c FILE, else by $DISTLOG_CONFIG, "
     "else the first that exists of ./distlog.yaml, ~/.config/distlog/distlog.yaml and "
     "/etc/distlog/distlog.yaml), the environment, and the command line. If DISTLOG_CONFIG is "
     "set but empty, no file is read. If there is a ./distlog.yaml that others may change, "
     "every command that needs settings refuses to run; see distlog.yaml(5). The environment "
     "variable of a setting is DISTLOG_ followed by its key in capitals with _ for each dot: "
     "DISTLOG_BUS_LOCAL_PATH. Variables whose names begin with DISTLOG_ but do not belong to a "
     "setting are ignored.",
     (const struct man_example[]){
         {"distlog config", "Every setting that is in effect."},
         {"distlog config --origin -o bus.type=local",
          "The same, with where each value came from."},
         {"distlog config --check", "Only check the settings."},
         {NULL, NULL},
     }},
    {"help",
     "Prints the list of commands, or the options of one command with their defaults, as --help "
     "after the command does. It needs no configuration.",
     (const struct man_example[]){
         {"distlog help", "The list of commands."},
         {"distlog help search", "How to search."},
         {NULL, NULL},
     }},
};

const struct man_text *man_text(const char *command) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].command, command) == 0)
            return &texts[i];
    fprintf(stderr, "man/text.c: no text for the command %s\n", command);
    exit(1);
}
