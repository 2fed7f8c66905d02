#pragma once
/* Parts of the counters. */
#include "flow/route.h"
#include "ops/counters.h"
#include "ops/endpoint.h"

/* BIGINT UNSIGNED and what is below zero, and one step beyond both. */
typedef __int128 counter_value;

#define COUNTERS_AT_ONCE 500 /* tables or sequences of one query */

struct counter {
        /* Of the source. */
        char *schema, *table, *column;    /* table NULL: a sequence that no column uses */
        char *sequence_schema, *sequence; /* PostgreSQL; else NULL */
        counter_value next;               /* what it gives next */
        counter_value reserve;            /* how much of what comes then sessions may have cached */
        bool down, cycles;
        /* On the target. */
        const char *to_schema, *to_table,
                *to_column;             /* of the route's, or of the configuration's */
        char *target;                   /* its name as SQL has it; NULL: none */
        char *may;                      /* NULL: we may set it; else the GRANT */
        counter_value has, least, most; /* what it gives next; its bounds */
        bool has_extreme;
        counter_value extreme; /* of the column */
        bool unindexed;        /* the extreme of the column was not looked for */
        /* Decided. */
        bool moves;
        counter_value to;
};

struct counters {
        const struct config *config;
        struct halt *halt;
        const struct fence_table *tables;
        unsigned tables_n;
        struct route *route;
        struct counter *items;
        unsigned n;
        struct error *e;
};

/* A new one, zeroed; valid until the next. */
struct counter *counters_add(struct counters *c);
/* "orders.id of table shop.orders" or "sequence s.q", for messages. */
void counter_name(const struct counter *k, struct buf *out);

bool counter_parse(const char *text, counter_value *v); /* whole numbers; else false */
#define COUNTER_TEXT 48
const char *counter_text(counter_value v, char text[COUNTER_TEXT]);

/* By kind of database. */
struct counters_ops {
        /* Adds what the source has. */
        int (*read)(struct counters *c);
        /* Fills in what the target has for each. */
        int (*look)(struct counters *c);
        /* Sets those that move. */
        int (*set)(struct counters *c);
};
extern const struct counters_ops counters_pg_ops, counters_my_ops;
