#pragma once
/*
 * Destination: a target database as the start and the copy see it, the counterpart of ops/origin.h.
 * Keeps culvert's own records there (ops/copy_record.h), makes tables, loads rows. Blocking: `open`
 * to `close` belong to the preparing thread, each loader to the thread that opened it.
 */
#include "db/ddl.h"
#include "db/pg_check.h"
#include "flow/route.h"
#include "model/table_def.h"
#include "ops/copy_record.h"
#include "ops/halt.h"

struct cascades;
struct destination;
struct loader;

/* A source table and what it is called on the target. Borrowed. */
struct destined {
        const struct table_def *def;
        const struct route_table *route;
        bool create; /* culvert makes it */
};

struct destination_ops {
        struct destination *(*open)(const struct config *c, struct halt *h, struct error *e);
        struct destination *(*close)(struct destination *d); /* takes NULL and half-open ones */
        enum engine (*engine)(const struct destination *d);
        char *(*version)(const struct destination *d); /* the caller frees */
        /* Of an archive, which is of its source's engine: that one, once it is known. Else NULL. */
        void (*from)(struct destination *d, enum engine from, const char *version);
        /* 0: culvert's own tables are there and of our format; 1: not there; -1: a newer format. */
        int (*format)(struct destination *d, struct error *e);
        /* Is there a checkpoint of this pipeline? With culvert's tables only. */
        bool (*begun)(struct destination *d);
        /* Lock, own tables, epoch; what the checkpoint stands on. */
        int (*claim)(struct destination *d, struct position *p, char source[IDENTITY_TEXT],
                struct error *e);

        /* A transaction that proves the epoch, and the records in it. */
        int (*begin)(struct destination *d, struct error *e);
        int (*commit)(struct destination *d, struct error *e);
        void (*rollback)(struct destination *d); /* after a failure in between */
        int (*read_record)(struct destination *d, struct copy_record *r, struct error *e);
        int (*write_record)(struct destination *d, const struct copy_record *r, struct error *e);
        struct table_records *(*read_tables)(struct destination *d, struct error *e);
        /* All of them, and what waits in quarantine: a copy begins. */
        int (*clear_tables)(struct destination *d, struct error *e);
        int (*write_table)(struct destination *d, const struct table_record *t, struct error *e);
        /* The checkpoint's GTID state (model/position.h); NULL: it has none. The caller frees. */
        int (*gtids)(struct destination *d, char **gtids, struct error *e);
        /* The checkpoint stands at the record's start and belongs to its source. */
        int (*checkpoint)(struct destination *d, const struct copy_record *r, struct error *e);
        /* The copy is done, and the checkpoint stands at its start. */
        int (*finish)(struct destination *d, const struct copy_record *r, struct error *e);

        /* 1: there, `*shape` with the types' names, `*rows` whether it has any; 0: not; -1. */
        int (*table)(struct destination *d, const char *schema, const char *name,
                struct relation **shape, bool *rows, struct error *e);
        int (*check)(struct destination *d, const struct destined *t, unsigned n,
                struct checks *out, struct error *e);
        /* What the target needs where the source's foreign keys change rows that it does not log.
         * `made` (of each key): culvert makes it. */
        int (*cascades)(struct destination *d, const struct cascades *c, const bool *made,
                struct checks *out, struct error *e);
        /* Writes what makes a table (db/ddl.h). -1: a column has no place on the target. */
        int (*ddl)(struct destination *d, const struct table_def *t, const struct ddl_names *n,
                struct ddl *out, struct error *e);
        /* One statement of it. 0: done; 1: what it makes is there already; -1. */
        int (*run)(struct destination *d, const char *sql, struct error *e);
        /* Removes all rows, and what of them waits in quarantine, in a transaction of its own that
         * proves the epoch. */
        int (*empty)(struct destination *d, const char *schema, const char *name, struct error *e);
        int (*set_counter)(struct destination *d, const struct destined *t, const char *column,
                const char *next, struct error *e);
        int (*analyze)(
                struct destination *d, const char *schema, const char *name, struct error *e);

        struct loader *(*loader)(struct destination *d, struct error *e); /* any thread */
        struct loader *(*unload)(struct loader *l);                       /* closes; takes NULL */
        /* A transaction that proves the epoch; rows of `target`'s columns in the target's text. */
        int (*load)(struct loader *l, const struct relation *target, struct error *e);
        int (*row)(struct loader *l, const struct value *row, struct error *e);
        /* NULL: rows cannot be set aside there. Before `load`: rows of the table may be. -1: it has
         * no key that both sides have. */
        int (*may_set_aside)(struct loader *l, const struct relation *target, struct error *e);
        /* An insert of which a value has no place on the target (struct misfit): into
         * culvert.quarantine, in the same transaction. `at`: where the copy stands. */
        int (*set_aside)(
                struct loader *l, const struct change *c, struct position at, struct error *e);
        /* Behind a failure: which row of this load was refused, from 1; 0: not known. */
        uint64_t (*refused)(const struct loader *l);
        /* Commits the rows with the table's record, in which their number and `state` are new. */
        int (*loaded)(struct loader *l, const char *schema, const char *name, const char *state,
                uint64_t rows, struct position at, struct error *e);
};

const struct destination_ops *destination_ops_of(enum config_kind kind);
extern const struct destination_ops my_destination_ops, pg_destination_ops;
/* An archive has no tables: nothing is created there, and nothing but the stream comes. */
extern const struct destination_ops segment_destination_ops;
