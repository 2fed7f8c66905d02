#pragma once
/*
 * Origin: a source database as the start and the copy see it, whatever its engine, where the two
 * sides are not both PostgreSQL (those have pg_dump and COPY to COPY, ops/prepare_*.c). One table
 * of functions per engine. Blocking: `open` to `close` belong to the preparing thread, each reader
 * to the thread that took it.
 */
#include "db/pg_check.h"
#include "flow/route.h"
#include "model/table_def.h"
#include "ops/halt.h"

struct origin;
struct origin_reader;

/* What the stream carries, and the mark of how it comes into the log ("" or NULL: not known). */
struct carried {
        const struct relation *const *shapes;
        unsigned n;
        const char *published;
};

typedef bool origin_select(void *context, const char *schema, const char *name);
/* `next`: what the counter (auto_increment, sequence) of a column will give next. */
typedef int origin_counter(void *context, const struct table_def *t, const char *column,
        const char *next, struct error *e);

struct origin_ops {
        struct origin *(*open)(const struct config *c, struct halt *h, struct error *e);
        struct origin *(*close)(struct origin *o); /* takes NULL and half-open ones */
        enum engine (*engine)(const struct origin *o);
        char *(*version)(const struct origin *o); /* "10.11.19"; the caller frees */
        int (*identity)(struct origin *o, struct source_identity *id, struct error *e);
        /* Those for which `select` is true, with everything that creating them needs. */
        struct table_defs *(*tables)(
                struct origin *o, origin_select *select, void *context, struct error *e);
        /* The server's own CREATE TABLE into t->verbatim; NULL: there is none of that kind. */
        int (*verbatim)(struct origin *o, struct table_def *t, struct error *e);
        /* The names of all tables, without more: for a look once a minute. */
        int (*names)(struct origin *o, origin_select *each, void *context, struct error *e);
        /* What the log tells of a shape less than the catalogue does: types' names. */
        int (*describe)(struct origin *o, struct relation *shape, struct error *e);
        /* Where the log ends. 1: its rows do not tell which columns they have; 0: they do; -1. */
        int (*doubt)(struct origin *o, struct position *end, struct error *e);
        /* Appends lines about what no copy carries: views, routines and so on. */
        int (*left)(
                struct origin *o, const struct table_defs *t, struct buf *lines, struct error *e);
        int (*check)(
                struct origin *o, const struct table_defs *t, struct checks *out, struct error *e);
        /* Is all that the engine's foreign keys change in the log (HAZARDS A14)? */
        bool (*logs_cascades)(struct origin *o);
        /* What the log needs before a position is taken: publication, no slot left over. `begun`:
         * an earlier attempt of ours was interrupted. */
        int (*arrange)(struct origin *o, const struct table_defs *t, bool begun, struct error *e);
        /* Can a stream go on, from wherever it will? "resync required" if not. */
        int (*resume)(struct origin *o, const struct carried *c, struct error *e);
        /* Do the changes of these tables still reach the log, and did they all the time? A DATA
         * error if not. */
        int (*watch)(struct origin *o, const struct carried *c, struct error *e);
        /* Of a log that does not tell all that happens to its tables; else all three are NULL. What
         * c->published is to be from now on (ops/pg_publication.h); the caller frees. */
        char *(*published)(struct origin *o, const struct carried *c, struct error *e);
        /* A mark of each table (ops/pg_marks.h, which frees them), as the readers see it; without
         * readers, as it is. */
        char **(*marks)(struct origin *o, const struct carried *c, struct error *e);
        /* See pg_marks_compare. */
        int (*compare)(struct origin *o, const struct relation *shape, const char *known,
                const char *now, struct error *e);
        /* Takes the position where the stream begins. With readers: every one of them sees the
         * database as it was at its own position, which is `start` or later (HAZARDS B5). */
        int (*point)(struct origin *o, const struct table_defs *t, unsigned readers,
                struct position *start, struct error *e);
        /* The GTID state at `start`, which `point` gave (model/position.h); NULL into it: there is
         * none. No such function: no GTIDs. The caller frees. */
        int (*gtids)(struct origin *o, struct position start, char **gtids, struct error *e);
        /* Can this server take the place of the one that the state is of? A DATA error if not. */
        int (*follow)(struct origin *o, const char *gtids, struct error *e);
        /* Where the server's place may be taken by one whose log is the same up to a position: is
         * it the one that was stored (0), or one that has everything before `at` (1)? */
        int (*branch)(struct origin *o, const struct source_identity *stored,
                const struct source_identity *now, struct position at, struct error *e);
        /* As `arrange` and `point`, for tables that come beside the stream: all readers stand at
         * `start`. There may be fewer of them than asked for. */
        int (*add)(struct origin *o, const struct table_defs *t, unsigned *readers,
                struct position *start, struct error *e);
        struct origin_reader *(*reader)(struct origin *o, unsigned i);
        struct position (*position)(const struct origin_reader *r);
        /* Begins to read the rows of a table: all columns of its shape, in order. */
        int (*read)(struct origin_reader *r, const struct table_def *t, struct error *e);
        /* 1: a row, valid until the next call; 0: there are no more; -1. */
        int (*next)(struct origin_reader *r, struct value *row, struct error *e);
        /* A sign of life on connections that only hold something; about every 10 s. */
        int (*keep)(struct origin *o, struct error *e);
        void (*release)(struct origin *o); /* the readers are done */
        int (*counters)(struct origin *o, const struct table_defs *t, origin_counter *each,
                void *context, struct error *e);
};

const struct origin_ops *origin_ops_of(enum config_kind kind);
extern const struct origin_ops my_origin_ops, pg_origin_ops;
/* An archive has no rows: no reader, nothing of the copy. */
extern const struct origin_ops segment_origin_ops;
