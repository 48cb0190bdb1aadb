/* text: see text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct man_text texts[] = {
    {"node",
     "A simulated service. It registers, sends a heartbeat every 5 s and a log every second, "
     "posts each record as JSON over HTTP to node.url, in order, and prints it once it has been "
     "taken. After its first ERROR it ends, or with --keep-going registers again.\n\n"
     "While the collector is away records are kept and posted later, in order; when there are "
     "node.queue of them new ones are dropped, counted and reported. A record that is "
     "refused with a status of 400 is reported and left out; 401, 403 and 404 end the command "
     "with exit code 1.\n\n"
     "TERM or INT: says goodbye with a heartbeat of status DOWN, so that nobody is alarmed.",
     (const struct man_example[]){
         {"distlog node --name order --count 3", "the second of the three presets; three logs"},
         {"distlog node --name billing --id node_77 --keep-going --for 3s",
          "a service of your own that survives its errors"},
         {"distlog node --nodes 2000 --keep-going --for 3s", "two thousand nodes in one process"},
         {NULL, NULL}}},
    {"collect",
     "Listens for HTTP as Fluentd's in_http does: the path is the tag (POST /log.input), and a "
     "tag's route names the topic. A body is a JSON object or an array of objects "
     "(application/json), a line each (application/x-ndjson), a form with json= or ndjson=, or "
     "MessagePack (application/msgpack), as it is or with Content-Encoding gzip or deflate.\n\n"
     "200 is the answer when the bus has every record durably. 400 says what is wrong with a "
     "body, and nothing of it was taken. 503 with Retry-After means that the bus can't take "
     "records now, or did not answer for all of them: send the request again; records of an "
     "array may then be there twice.\n\n"
     "Extensions of chunks are ignored; with libmicrohttpd 1.0, which misreads them, a request "
     "that has any is refused with 400.\n\n"
     "GET /healthz answers 200, or 503 with the reason while the bus is away or has not taken a "
     "record within the last 10 s.\n\n"
     "It listens on 127.0.0.1 unless told otherwise. Before opening it to a network, set "
     "collect.tls and collect.auth.",
     (const struct man_example[]){
         {"distlog collect", "for the programs of this machine"},
         {"distlog collect -o collect.routes=log.input=nodes,audit=audit_log",
          "what is posted to /audit goes to a topic of its own"},
         {"DISTLOG_COLLECT_AUTH_TOKEN=s3cret distlog collect --listen '*:9880'",
          "for other machines, with a bearer token (and collect.tls, unless the network is "
          "trusted)"},
         {NULL, NULL},
     }},
    {"pubsub",
     "Reads the topic IN. A node is known from its REGISTRATION on, until its first ERROR or "
     "its goodbye (a HEARTBEAT with status DOWN). The records of known nodes go to PROCESSED, "
     "warnings and errors to ALERTS as well, and who comes and goes is told in PROCESSED. "
     "Records that make no sense go to IN.dlq.\n\n"
     "When two heartbeats of a node are further apart than heartbeat_timeout, that is one "
     "HEARTBEAT_MISSED and one HEARTBEAT_RECOVERED in both topics, and a line on standard "
     "output while the silence lasts. Only the bus's timestamps count, and only silence that "
     "the bus has confirmed: a pubsub that was stopped or is behind raises no false alarm, "
     "and tells of the silences that it slept through.\n\n"
     "Without operands the topics are those of the topics section.",
     (const struct man_example[]){
         {"distlog pubsub --no-follow", "route what is there, and end"},
         {"distlog pubsub nodes processed_logs alerts --heartbeat-timeout 15s --no-follow",
          "the same with the topics named, and more patience with silent nodes"},
         {NULL, NULL},
     }},
    {"store",
     "Reads the topic PROCESSED (topics.processed) and makes a document of each record, with "
     "its log_id as the document's id, or else its place on the bus. Documents are "
     "acknowledged by the store before the bus is told that they are done, and a document "
     "that is there already is counted and left alone: after a crash at any moment nothing "
     "is lost and nothing is there twice.\n\n"
     "Prints a line for each document once it is stored. A record that is not a JSON object, "
     "or that the store will never take, goes to the topic PROCESSED.dlq with the reason.\n\n"
     "If bus or store does not answer, store waits for it and says so once.",
     (const struct man_example[]){
         {"distlog store --no-follow", "store what is there, and end"},
         {"distlog store --quiet --no-follow processed_logs", "the same without a line for each"},
         {NULL, NULL},
     }},
    {"alert",
     "Reads the topic ALERTS (topics.alerts) and prints a line for each record: the level, "
     "the node and the log_id of a warning or an error, and who missed a heartbeat or is "
     "back.\n\n"
     "Without a group it begins now and keeps no place: any number of readers see every "
     "alert. With --group it goes on where that group left off, so that none is missed.",
     (const struct man_example[]){
         {"distlog alert --from-start --no-follow", "all alerts that the bus still has, and end"},
         {"distlog alert --group pager --no-follow", "what came since the last time"},
         {NULL, NULL},
     }},
    {"search",
     "WHAT is a message type, REGISTRATION or HEARTBEAT, or else a log level, in any letter "
     "case; without it all documents match. Further restrictions are options, and all of "
     "them must hold.\n\n"
     "Prints the documents as the nodes sent them, one JSON object a line, newest first. "
     "Times are the record's own where it names its zone, else the time at which the bus "
     "took it. Names the store that it opened on standard error.",
     (const struct man_example[]){
         {"distlog search ERROR", "the ten newest errors"},
         {"distlog search heartbeat --node node_01 --limit 1", "when node_01 was last heard"},
         {"distlog search warn --since 15m --text 'log message'", "by time and by words"},
         {"distlog search --limit -1 --format raw >all.ndjson", "everything, with ids and times"},
         {NULL, NULL},
     }},
    {"delete",
     "Deletes every document of the index, or with options those that match all of them, "
     "and prints the store's answer. Asks first when it would delete everything and a "
     "person is at the terminal, unless --yes. Names the store that it opened on standard "
     "error.\n\n"
     "Documents that are stored while it runs stay. Stopped midway, it leaves what it has "
     "not come to. What the store could not delete is a failure, told with the first reason.\n\n"
     "In Elasticsearch and OpenSearch a deletion is a task of the engine: to follow it, "
     "delete needs the cluster privilege monitor, to stop it cancel_task. The engine keeps "
     "a small record of each task that is done in its index .tasks, which distlog has no "
     "right to clear.",
     (const struct man_example[]){
         {"distlog delete --older-than 30d", "keep a month"},
         {"distlog delete --type HEARTBEAT --older-than 1d --dry-run", "how many would it be?"},
         {"distlog delete --yes", "all of it, without a question"},
         {NULL, NULL},
     }},
    {"nodes",
     "Prints each node that pubsub knows: its service, whether it is UP or silent, since "
     "when, and its last proof of life. A node is silent when its last proof is older than "
     "pubsub.heartbeat_timeout. Nodes that left (an ERROR, a goodbye) are not known any "
     "more.\n\n"
     "It looks at what the group pubsub.group keeps in the bus, and needs no running "
     "pubsub; if there are records that pubsub has not routed yet it says so.",
     (const struct man_example[]){
         {"distlog nodes", "a table"},
         {"distlog nodes --format json | grep '\"silent\"' || echo all well", "who is silent"},
         {NULL, NULL},
     }},
    {"deadletter",
     "A record that makes no sense to pubsub or that the store refuses for good becomes a dead "
     "letter: it "
     "goes to the topic TOPIC.dlq, with the reason and where it came from. A letter is called by "
     "its place "
     "there: nodes.dlq-0-17 has offset 17 in partition 0.\n\n"
     "list prints a line for each letter that waits: its name, when it became one, where the "
     "record came "
     "from, its key, and the reason, with a tab between. Without a TOPIC these are "
     "the letters of topics.input and topics.processed.\n\n"
     "show prints one letter and its record, with control characters escaped, or with --raw the "
     "bytes of "
     "the record as they are.\n\n"
     "retry sends letters once more, to the topic that they came from and under the same key: the "
     "one "
     "named, or all that wait at its beginning. What was sent is done with and no longer listed, "
     "exactly "
     "once, also when retry is killed; a record that fails again comes back as a new letter. On "
     "the bus it "
     "is a new record with a time of its own, behind all that is there already. A retry holds 64 "
     "MB of "
     "letters and says when there are more. A record that was too large to be kept whole can't be "
     "sent "
     "again: that is said, and it goes on waiting until retention takes it, as it does all "
     "letters.",
     (const struct man_example[]){
         {"distlog deadletter list", "what waits, and why"},
         {"distlog deadletter list processed_logs | cut -f 5 | sort | uniq -c",
          "how often each reason"},
         {"distlog deadletter show --raw nodes.dlq-0-0 >record",
          "the record as its sender wrote it"},
         {"distlog deadletter retry nodes.dlq-0-0", "this one again"},
         {"distlog deadletter retry", "all of them, once the cause is cured"},
         {NULL, NULL},
     }},
    {"up",
     "Starts alert, store, pubsub and collect on this machine, each as a process of its own, "
     "with the configuration that up was given. One that crashes is started again; one that "
     "ends with exit code 2, or fails three times at its start, ends them all. Every line is "
     "shown behind the name of the stage that printed it, in colour on a terminal unless "
     "NO_COLOR is set.\n\n"
     "TERM or INT stops them front to back: collect first, then each of the others when it has "
     "handled what was left for it. The last line says how many records were accepted, routed "
     "and stored. A second signal ends everything at once; what is on the bus stays there for "
     "the next start. The children end when up dies.",
     (const struct man_example[]){
         {"distlog up --demo --for 25s", "see it work: nodes, logs, alerts, a silence"},
         {"distlog up -o collect.listen=127.0.0.1:8080 --for 3s", "on another port"},
         {NULL, NULL}}},
    {"config",
     "Prints every setting with the value that the other commands would use, as YAML that -c "
     "reads back.\n\n"
     "A secret is never printed: a comment stands for it, or the name of the file that it was "
     "read from. One that is given with -o is overwritten on the command line as soon as it is "
     "read, but until then ps shows it to everybody on the machine: a *_file setting or the "
     "environment is the better place. A process that has one leaves no core, and only root can "
     "look into it.\n\n"
     "Settings come, later ones winning, from the built-in defaults, the first configuration "
     "file that is there (-c FILE, $DISTLOG_CONFIG, ./distlog.yaml, "
     "~/.config/distlog/distlog.yaml, /etc/distlog/distlog.yaml), the environment, and the "
     "command line. If DISTLOG_CONFIG is set and empty, no file is read. A ./distlog.yaml that "
     "others may change ends every command; see distlog.yaml(5). An environment name "
     "is DISTLOG_ and the key in capitals with _ for each dot: DISTLOG_BUS_LOCAL_PATH. Names "
     "beginning with DISTLOG_ that are no setting are left alone.",
     (const struct man_example[]){
         {"distlog config", "every setting as it is in effect"},
         {"distlog config --origin -o bus.type=local", "and where each came from"},
         {"distlog config --check", "only check"},
         {NULL, NULL},
     }},
    {"help",
     "Prints the list of commands, or a command's options with their defaults. The same "
     "as --help after the command. It needs no configuration.",
     (const struct man_example[]){
         {"distlog help", "what there is"},
         {"distlog help search", "how to search"},
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
