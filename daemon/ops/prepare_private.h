#pragma once
/*
 * What the files of ops/prepare share: prepare.c is the interface and its thread, prepare_start.c
 * decides and begins, prepare_resume.c goes on with what is there, prepare_tables.c finds what is
 * to be migrated and looks at the target, prepare_check.c runs the checks, prepare_slot.c makes the
 * consistent point, prepare_load.c does the copy, prepare_place.c gives missing
 * tables their other names, prepare_add.c adds tables later.
 *
 * `lock` guards what the loop's thread reads; all else belongs to the preparing thread until
 * `done`.
 */
#include "db/pg_check.h"
#include "ops/copy.h"
#include "ops/copy_record.h"
#include "ops/pg_marks.h"
#include "ops/pg_schema.h"
#include "ops/pg_source.h"
#include "ops/prepare.h"

#include <pthread.h>

/* What the target holds for a migrated table. */
struct prepare_target {
        bool exists, rows, created; /* created: by us, now or in an earlier attempt */
};

struct prepare {
        struct loop *loop;
        const struct config *config;
        struct route *route;
        struct relation *accepted; /* only read by the thread; NULL: none */
        char *accepted_table;      /* see prepare_accept */
        bool accept_marks, add, ahead;
        struct prepare_events events;
        void *context;

        struct halt *halt;
        atomic_bool stopped; /* by prepare_stop, not by a failure */
        pthread_t thread;
        bool threaded;

        pthread_mutex_t lock;
        const char *phase;
        bool copying;
        struct source_identity begins_at; /* where the stream will begin, of the progress */
        struct position begins;
        struct copy_counter *counters;
        unsigned counters_n;
        struct copy *copy;  /* while rows are loaded */
        int64_t copy_began; /* CLOCK_MONOTONIC microseconds, where ops/move does it; else 0 */

        struct pg_params *source_params, *target_params, *replication_params;
        PGconn *source, *target, *replication, *anchor;
        struct copy_book book;
        struct source_identity identity;
        struct position stored; /* checkpoint */
        char stored_source[IDENTITY_TEXT];
        struct copy_record record;
        struct table_records *known; /* culvert.tables as found */

        struct pg_tables *tables;       /* to be migrated */
        struct pg_tables *fresh;        /* selected, and not recorded */
        struct pg_tables *others;       /* migrated already, while some are being added */
        const struct pg_tables *only;   /* none but these are read; NULL: all that are selected */
        struct prepare_target *targets; /* per table */
        bool *append;                   /* per table */
        bool *staged;                   /* per table, see prepare_place.c */
        char **marks;                   /* as the copy's snapshot has them */
        unsigned marks_n;
        bool replica_role, checked;
        char snapshot[64]; /* exported by the anchor */
        char *lock_sql;    /* that every reader of the copy runs, see prepare_slot.c */
        struct pg_schema *schema;

        struct prepare_result *result;
        struct error error;
        bool failed;
};

void prepare_phase(struct prepare *p, const char *phase, bool copying);
/* Counters from p->tables (and rows and states from `known` where they are done). */
void prepare_set_counters(struct prepare *p);

/* Everything; the preparing thread's body. */
int prepare_run(struct prepare *p, struct error *e);

/* Reads the selected tables on `c`; checks that what the configuration names is there. */
int prepare_read_tables(struct prepare *p, PGconn *c, struct error *e);
/* Shapes of p->tables, for the publication; the caller frees the array. */
const struct relation **prepare_shapes(const struct prepare *p);
/* Reads p->marks on `c`. */
int prepare_read_marks(struct prepare *p, PGconn *c, struct error *e);
/* What no change in the stream told since the record's mark was taken, as pg_marks_compare found
 * it: what is harmless, or accepted, is taken over. 1: the record is to be written; 0: as it was;
 * -1. */
int prepare_take_mark(const struct prepare *p, struct table_record *k, const char *now,
        int compared, struct error *e);
/* There is a checkpoint: the stream goes on from it. */
int prepare_resume(struct prepare *p, struct error *e);
/* All rows are in, the slot still has everything since: indexes, sequences and so on remain. */
int prepare_go_on(struct prepare *p, struct error *e);
/* Counters of `n` tables, for all readers of the progress; taken. */
void prepare_show_counters(struct prepare *p, struct copy_counter *counters, unsigned n);
/* What the checks have found: warnings to the log; errors, all of them, are one error. */
int prepare_judge(const struct checks *found, struct error *e);
/* The start checks on p->tables, once a start; warnings go to the log. */
int prepare_check(struct prepare *p, struct error *e);
/* Looks at the target's tables, and refuses what may not be loaded. */
int prepare_look_at_target(struct prepare *p, struct error *e);
/* TRUNCATE of target tables in one statement; "" does nothing. */
int prepare_truncate(struct prepare *p, const char *tables, struct error *e);

/* Slot, and for a copy the anchor with its locks. */
int prepare_make_slot(struct prepare *p, bool snapshot, struct error *e);
/* Writes culvert.copy and all rows of culvert.tables. */
int prepare_write_records(struct prepare *p, enum copy_stage stage, struct error *e);

/* The same for tables that are added: a slot that ends with its connection, and no records. */
int prepare_make_point(struct prepare *p, struct error *e);
/* One row of culvert.tables, as p->tables, p->append and p->targets have it. */
int prepare_write_table(
        struct prepare *p, unsigned i, const char *state, struct position start, struct error *e);
/* The mark of the publication, as it is now with `wanted`, into culvert.copy. */
int prepare_record_published(struct prepare *p, const struct pg_published *wanted, struct error *e);
/* Can the target's session switch triggers and foreign keys off? */
int prepare_try_replica_role(struct prepare *p, struct error *e);
/* Empties what an interrupted copy has loaded: the first one, or that of tables being added. */
int prepare_empty_loaded(struct prepare *p, bool added, struct error *e);

/* Tables that were added and that the stream has come to: the last steps, or how far it is to go.
 */
int prepare_join(struct prepare *p, struct error *e);
/* Copies p->fresh, where that is asked for or was interrupted; else says what is new. */
int prepare_add(struct prepare *p, struct error *e);
/* Takes what `which` says out of the list, into a list of its own. */
struct pg_tables *prepare_take_out(struct pg_tables *from,
        bool (*which)(const struct prepare *p, const struct pg_table_info *t),
        const struct prepare *p);

/* What p->tables[i] is called on the target now. */
void prepare_where(const struct prepare *p, unsigned i, const char **schema, const char **name);
/* Sets p->targets and p->staged of tables that are recorded. */
void prepare_set_targets(struct prepare *p);
/* Staged tables lose the columns that are excluded; before the load. */
int prepare_trim_staged(struct prepare *p, struct error *e);
/* Staged tables get their names; after all else is made. */
int prepare_place(struct prepare *p, struct error *e);
/* prepare_place, and the sequences. */
int prepare_settle(struct prepare *p, struct error *e);

/* The tables and their rows. */
int prepare_load_rows(struct prepare *p, struct error *e);
/* What follows the load: indexes, constraints and statistics; with references what ends it, too. */
int prepare_build(struct prepare *p, bool references, struct error *e);
/* What pg_dump has for the created ones of p->tables, into p->schema; NULL when there are none. */
int prepare_open_schema(struct prepare *p, struct error *e);
/* From "copying" to "loaded". */
int prepare_load(struct prepare *p, struct error *e);
/* From "loaded" to "done". */
int prepare_finish(struct prepare *p, struct error *e);
