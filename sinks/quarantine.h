#pragma once
/*
 * Quarantine: changes that the target has refused, in its table culvert.quarantine, and which rows
 * they are of. Later changes of such a row follow them there, so that its order is kept; a change
 * that moves a key counts for both keys. What is in memory is read from the table when a connection
 * begins, and again after a retry or a discard, so that a rolled back transaction leaves nothing.
 *
 * A row is known by a hash of its table and its key, the one by which the target finds it. Keys are
 * taken for one that differ only in the case of ASCII letters, blanks at the end, and zeros at the
 * end of a fraction: most targets take them for one, too, and what is taken for one without need
 * merely waits with the other. So at most QUARANTINE_ROWS_MAX rows are held, 16 bytes each; how
 * many changes there are to each is not limited.
 *
 * A change waits as the target was to have it. Where a value of its new row has no place there
 * (struct misfit), it waits as the source had it, with the engine whose types those are, and is
 * converted when it is tried again. Its row is known by the converted key all the same, so the key
 * itself must have its place.
 *
 * TRUNCATE ends a table's quarantine: what was waiting is of rows that are gone at the source.
 *
 * Not for tables without a key that both sides have: equal rows could not be told apart. Pure but
 * for memory; belongs to its sink.
 */
#include "model/config.h"
#include "model/txn.h"

#define QUARANTINE_ROWS_MAX 100000

struct quarantine_key {
        uint64_t table, row;
};

struct quarantine {
        struct quarantine_key *slots; /* row 0: empty */
        size_t n, room, max;
        uint64_t changes; /* in the table, those of the open transaction too */
};

#define QUARANTINE_INIT                                                                            \
        {                                                                                          \
                .max = QUARANTINE_ROWS_MAX                                                         \
        }

void quarantine_clear(struct quarantine *q); /* frees all that it holds */
/* -1: more rows than may be held. */
int quarantine_add(struct quarantine *q, struct quarantine_key k, struct error *e);
bool quarantine_has(const struct quarantine *q, uint64_t row);
bool quarantine_has_table(const struct quarantine *q, uint64_t table);
void quarantine_forget(struct quarantine *q, uint64_t table); /* all rows of it */

/* What is done with a change that the target's table refuses: its on_conflict, but that changes are
 * set aside, too, where it had quarantine, and some are there. */
enum config_conflict quarantine_policy(
        const struct quarantine *q, const struct config *c, const char *schema, const char *name);

/* Of a table whose rows go one by one where they may be refused. */
struct quarantine_table {
        uint64_t hash;
        bool overwrite; /* what is refused is tried in other ways (sinks/overwrite.h), not set aside
                         */
        bool key[];     /* one a column */
};

/* The error of a table without one that may find a row; returns -1. */
int quarantine_no_key(const struct relation *r, enum config_conflict policy, struct error *e);

uint64_t quarantine_hash(const char *schema, const char *name); /* of a table */
/* All columns false: the caller says which are the key. */
struct quarantine_table *quarantine_table_new(
        const struct relation *r, enum config_conflict policy);

/* The rows that a change is of: one, or two where it moves a key. */
struct quarantine_rows {
        struct quarantine_key keys[2];
        unsigned n;
};

/* -1: a value of the key has no place on the target, so nobody could tell of which row the change
 * is. NULL for `t`: nothing of the table is set aside, and no value at all may be without one. */
int quarantine_check_key(const struct quarantine_table *t, const struct change *c, struct error *e);
void quarantine_rows_of(
        const struct quarantine_table *t, const struct change *c, struct quarantine_rows *rows);
bool quarantine_has_any(const struct quarantine *q, const struct quarantine_rows *rows);
int quarantine_add_all(struct quarantine *q, const struct quarantine_rows *rows, struct error *e);

/* What culvert.quarantine is told of a change. */
struct quarantine_entry {
        struct quarantine_rows rows;
        const char *operation;
        const char *source; /* engine, of rows in the source's form; NULL: the target's */
        struct buf key, old, new, shape; /* old, new: empty for none */
        char code[8];
        const char *message;
};

/* `why` NULL: a change before it is there, or a value has no place on the target. It must outlive
 * the entry, as must the change. */
void quarantine_entry_init(struct quarantine_entry *n, const struct quarantine_table *t,
        const struct change *c, const struct error *why);
void quarantine_entry_done(struct quarantine_entry *n);

/* A change as the table has it, again, in a piece of its own. */
struct quarantine_text {
        const char *operation, *old, *new; /* old, new: NULL for none */
        bool old_full;
};

struct txn *quarantine_change(
        const struct relation *r, const struct quarantine_text *from, struct error *e);
