#pragma once
/*
 * What the files of flow/route share: route.c keeps the tables and what is expected of them,
 * route_filter.c binds filters, route_statement.c judges DDL that the log tells, route_apply.c
 * rewrites what the stream brings.
 */
#include "flow/mapping.h"
#include "flow/route.h"

#include <pthread.h>

struct entry;

struct expected {
        struct expected *next_entry;
        struct relation *shape, *next;
        struct relation *target; /* as the target has it; NULL: its types are the source's */
        struct position from;    /* what commits before it is in the table's copy */
};

#define BUCKETS 1024

struct route {
        const struct config *config;
        pthread_mutex_t lock; /* guards entries */
        struct entry *entries[BUCKETS], *by_target[BUCKETS];
        struct expected *expected[BUCKETS]; /* by relation id, else by name */
        bool ids;                           /* some have one */
        struct relation *refused;
        struct position accepted; /* statements up to there were seen to by the operator */
        struct mapping_ends ends; /* but for the shapes */
        struct cascades *cascades;
        bool parents_changed; /* since route_doubt: rows that may have been referred to */
};

/* What a source shape is tied to; lives in relation->binding. */
struct binding {
        struct route_table *table; /* NULL: not migrated */
        struct position from;      /* see struct expected */
        struct mapping mapping;
        struct filter_value *scratch;
        struct relation *source; /* where rows may be set aside in the source's form; else NULL */
};

/* NULL: the configuration does not select this table. Thread-safe. */
struct route_table *route_table_of(struct route *r, const char *schema, const char *name);
/* What is known of the table that a shape is of, or NULL. */
const struct expected *route_expected(const struct route *r, const struct relation *shape);
void route_keep(struct relation **place, const struct relation *r);
int route_no_column(
        const struct route_table *t, const char *option, const char *column, struct error *e);
unsigned route_bucket(const char *schema, const char *name);
/* Is it the expected shape of that table, told by name? */
bool route_is_named(const struct expected *x, const char *schema, const char *name);
