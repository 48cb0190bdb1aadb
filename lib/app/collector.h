/* collector: what collect does with an HTTP request: checks its head, turns its body into records,
 * hands them to the ingest queue, and answers. What the head states about the records is found out
 * once, when the head has arrived, and kept with the request.
 * Owns the queue, the expected credentials, and one request's memory. Main thread, from within
 * http_server_run. Callers: cmd/collect.c.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../adapter/http/http_server.h"
#include "../core/access.h"
#include "ingest_queue.h"

/* The texts and lists are borrowed for the collector's life. */
struct collector_conf {
    const struct str_map *routes; /* tag → topic */
    const char *default_topic;    /* of the path /, unless routes has it */
    const char *user, *password, *token;
    const struct str_list *origins; /* web pages that may post: see core/access.h */
    struct ingest_limits limits;
    size_t max_inflated; /* bytes of a body after decompression or conversion to JSON */
};

struct collector {
    struct collector_conf conf;
    struct access access;
    struct ingest_queue queue;
    /* Of the request being handled. */
    struct arena arena;
    struct ingest_records records;
};

void collector_init(struct collector *c, const struct collector_conf *conf);
/* The queue's respond callback: answers a request; its ctx is not used. */
void collector_respond(void *ctx, struct http_request *r, unsigned status, const char *reason);
/* The callbacks of http_server_conf; ctx is the collector. */
void collector_on_head(void *ctx, struct http_request *r);
void collector_on_body(void *ctx, struct http_request *r);
/* After ingest_queue_release(&c->queue) and after the HTTP server was closed. A zeroed one is fine.
 */
void collector_release(struct collector *c);
