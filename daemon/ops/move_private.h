#pragma once
/*
 * What the files of ops/move share: move.c decides, move_tables.c looks at both sides, move_copy.c
 * loads, move_resume.c goes on with the stream, move_add.c adds tables to it, move_cascade.c and
 * move_keys.c have what foreign keys ask for.
 *
 * Belongs to the preparing thread; the copy's threads read it.
 */
#include "flow/mapping.h"
#include "ops/destination.h"
#include "ops/move.h"
#include "ops/origin.h"
#include "ops/prepare_private.h"

struct move {
        struct prepare *p;
        const struct origin_ops *from;
        struct origin *origin;
        const struct destination_ops *to;
        struct destination *destination;
        struct convert_policy policy;

        struct table_defs *tables;
        struct destined *destined; /* per table, as all that follow */
        struct relation **targets; /* as the target's catalogue has them; NULL: not there */
        struct mapping *mappings;
        struct position *begins; /* where the table's copy stands */
        bool *append;
        char **marks; /* see move_read_marks; NULL: there are none */

        const struct route_table **only; /* tables that come beside the stream; NULL: all */
        unsigned only_n;

        unsigned *order; /* of the copy: largest first */
        unsigned *units; /* where in `order` each unit of work begins, and behind the last one */
        unsigned units_n;
        atomic_uint next;  /* unit */
        struct halt *crew; /* ends the copy's threads, and their connections where it is p->halt */
        int64_t kept;
        bool went_on; /* the copy was complete but for indexes when this start found it */
};

/* An archive of PostgreSQL goes into PostgreSQL: text forms are the same (flow/mapping.h). */
bool move_is_as_it_is(const struct move *m);
/* Source tables into m->tables and m->destined. */
int move_read_tables(struct move *m, struct error *e);
/* The same of m->only, whatever else is selected. */
int move_read_only(struct move *m, struct error *e);
/* Are m->tables still what was read? A RETRY error if not. */
int move_check_same(struct move *m, struct error *e);
/* The start checks; warnings go to the log. */
int move_check(struct move *m, struct error *e);
/* Reads m->targets; refuses what may not be loaded. `fresh`: nothing was loaded by us yet. */
int move_look_at_target(struct move *m, bool fresh, struct error *e);
void move_forget_tables(struct move *m);
void move_set_counters(struct move *m);
/* Records of all tables and of the copy, in one transaction. */
int move_write_records(struct move *m, enum copy_stage stage, struct error *e);
/* One record, in a transaction: "waiting" or "append". */
int move_write_table(struct move *m, unsigned i, struct error *e);
/* One that is known, in a transaction of its own. */
int move_write_record(struct move *m, const struct table_record *k, struct error *e);
/* Empties what an interrupted copy has loaded, of m->only or of all. */
int move_empty_loaded(struct move *m, struct error *e);

/* Foreign keys that change rows behind the log's back: what stands in their way, by the catalogue;
 * for the stream, by the catalogue or as they are recorded; both by what is recorded, for a stream
 * that goes on, once its tables are known. */
int move_check_cascades(struct move *m, struct checks *out, struct error *e);
int move_cascades(struct move *m, bool recorded, struct error *e);
int move_resume_cascades(struct move *m, struct error *e);

/* Tables as what comes next in the log was written: what is recorded of those that are migrated,
 * the catalogue's of the others. Names, columns' names and foreign keys with actions only. */
struct move_recorded {
        struct table_defs *tables;
        struct destined *destined; /* per table */
};
int move_recorded(struct move *m, struct move_recorded *out, struct error *e);
void move_recorded_done(struct move_recorded *r);
/* Text of the catalogue's keys, for the record; NULL: the source logs what they do. The caller
 * frees. */
char *move_keys_text(const struct move *m, const struct table_def *t);
bool move_keys_same(const struct table_def *a, const struct table_def *b);
/* Records that have no keys yet take the catalogue's. */
int move_learn_keys(struct move *m, struct error *e);
/* DDL on `parent` is accepted: the keys that went with it to another name are recorded so. 1: there
 * are some. */
int move_follow_parent(struct move *m, const struct table_record *parent, struct error *e);
/* Tables that foreign keys tie together are one unit, unless all readers stand at one position. */
void move_set_order(struct move *m, unsigned readers);

/* Loads the rows of all tables. */
int move_load(struct move *m, struct error *e);
/* The same for m->tables that are added, from their position on; up to their indexes. */
int move_load_added(struct move *m, unsigned readers, struct error *e);
/* Between two servers of one engine a table is made from the server's own text. */
int move_read_verbatim(struct move *m, struct error *e);
/* Makes m->mappings. */
int move_map(struct move *m, struct error *e);

/* ops/origin.h, origin_counter, into the target; `context` is the move. */
int move_set_counter(void *context, const struct table_def *t, const char *column, const char *next,
        struct error *e);

/* The consistent point, into the record; `readers` as ops/origin.h has it. */
int move_point(struct move *m, unsigned readers, struct error *e);
/* Is the source the server of the checkpoint, or one that can take its place? Then the checkpoint
 * is made to stand there. */
int move_follow(struct move *m, const struct source_identity *stored, struct error *e);
/* m->marks, which go into the records of m->tables: as the copy's readers see them, if there are
 * any. */
int move_read_marks(struct move *m, struct error *e);
/* How the tables come into the log now, of the stream's and with `tables` of m->tables too, into
 * m->p->record. 1: it is to be written; 0: as it was; -1. */
int move_take_published(struct move *m, bool tables, struct error *e);
/* Can the stream go on, and did its log tell all since? Of m->p->result, or of m->tables whose copy
 * was interrupted when all rows were in. */
int move_check_streamed(struct move *m, struct error *e);
int move_check_loaded(struct move *m, struct error *e);
/* There is a checkpoint: the stream goes on from it. */
int move_resume(struct move *m, struct error *e);
/* Tables that were added and that the stream has come to: the last steps, or how far it is to go.
 */
int move_join(struct move *m, struct error *e);
/* Says what is new; copies it where that is asked for or was interrupted. */
int move_add(struct move *m, struct error *e);
