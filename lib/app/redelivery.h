/* redelivery: deadletter's use case. Walks the dead letters of a topic and sends them again. The
 * transaction that sends a letter also writes its mark, "done", into a state topic, under a group
 * that one process at a time owns; so neither a crash nor a second retry sends it twice.
 * Owns the bus. Main thread. Callers: cmd/deadletter.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../base/map.h"
#include "../core/deadletter.h"
#include "../engines.h"
#include "outage.h"

enum redelivery_condition {
    REDELIVERY_WHOLE, /* the letter has all of its record */
    REDELIVERY_CUT,   /* it has a part of it: problem has its size */
    REDELIVERY_BROKEN /* it is not an envelope: problem is the reason, and letter is not set */
};

/* A dead letter that has not been sent again; valid for the call. */
struct redelivery_letter {
    const char *name; /* its position, "nodes.dlq-0-17" */
    const char *mark; /* its key in the state topic */
    int64_t at_ms;    /* when it became one, by the bus */
    size_t size;      /* of its envelope, bytes */
    enum redelivery_condition condition;
    const char *problem; /* why it can't be sent, or NULL */
    const char *origin;  /* the record's position; its topic alone if it never was on the bus */
    struct deadletter letter;
};

typedef bool redelivery_each(void *ctx, const struct redelivery_letter *letter); /* false: stop */

struct redelivery_item;
struct redelivery {
    const struct log *log;
    struct bus *bus;
    struct outage outage;
    struct buf state; /* the topic of the marks */
    struct map done;  /* marks of letters that were sent; removed when the walk finds the letter */
    /* The current walk: */
    struct buf topic; /* of dead letters */
    const char *only; /* the one letter asked for, or NULL */
    redelivery_each *each;
    void *ctx;
    struct arena arena; /* one letter's */
    /* Retry: */
    struct redelivery_item *items;
    size_t n_items, cap_items;
    struct arena texts; /* of items */
    size_t collected;   /* bytes of the envelopes that items are from */
    /* Counts of letters: found, sent again, and kept because they can't be sent (logged). */
    uint64_t found, sent, kept;
    bool has_more; /* there are more letters than one retry holds */
};

void redelivery_init(struct redelivery *r, const struct log *log);
/* Opens the bus and reads which letters are done. For a retry, waits until no other one is running.
 * BUS_OK, or what failed, with err. */
enum bus_rc redelivery_open(struct redelivery *r, const struct conf *settings, bool for_retry,
                            struct err *err);
/* Calls each for the letters that the operand names: "nodes.dlq-0-17" is one, "nodes" and
 * "nodes.dlq" are all of a topic. */
enum bus_rc redelivery_walk(struct redelivery *r, const char *operand, redelivery_each *each,
                            void *ctx, struct err *err);
/* Sends these letters again: to the partition that their key chooses or, without a key, to their
 * old one. Stops early on a signal; what was not sent is left for the next retry. */
enum bus_rc redelivery_retry(struct redelivery *r, const char *operand, struct err *err);
void redelivery_release(struct redelivery *r);

/* True if the operand names one letter. */
bool redelivery_is_letter(const char *operand);
