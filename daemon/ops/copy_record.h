#pragma once
/*
 * What the target remembers of the copy: culvert.copy (how far it is) and culvert.tables (what
 * there is to copy, and its shape). Every writer proves the epoch, and commits synchronously: the
 * next start decides by these rows. Blocking.
 */
#include "db/pg_meta.h"
#include "model/relation.h"

enum copy_stage {
        STAGE_NONE,     /* nothing was begun */
        STAGE_STARTING, /* the slot may have been made, nothing is loaded */
        STAGE_COPYING,  /* rows are being loaded */
        STAGE_LOADED,   /* all rows are there; indexes, sequences are not */
        STAGE_DONE      /* the stream may begin */
};

/* The words of culvert.copy, in every kind of target. */
const char *copy_stage_name(enum copy_stage stage);
int copy_stage_of(const char *name); /* -1: no such stage */

struct copy_record {
        enum copy_stage stage;
        struct position start;
        char *gtids; /* state there; NULL: not known */
        char *snapshot, *mode;
        char *published; /* pg_publication_mark; "" or NULL: not known */
        struct source_identity source;
};

/*
 * State of a table: "waiting", "copying", "copied"; for one that had rows of its own before
 * (existing = append) "append" and, once some of ours are in it, "appended"; "left" when it is no
 * longer migrated. A table that is added later has a start: where its copy's snapshot stands. All
 * its rows in, it is "joining" until the stream has come there, then "copied" and without a start;
 * one that could not be added is "refused".
 */
struct table_record {
        char *schema, *name; /* on the source */
        char *target_schema, *target_name;
        char *state;
        bool created; /* by us */
        bool staged;  /* under the source's name still, see ops/prepare_place.c */
        uint64_t rows;
        struct relation *shape;
        struct relation *next; /* a later shape that the operator accepted; NULL: none */
        char *mark;            /* ops/pg_marks.h; "" or NULL: not known */
        char *keys; /* model/table_keys.h, those that hold as long as `shape` does, under the
                       source's names; NULL: not known, or of no concern */
        struct position start; /* of a table that is being added; else none */
};

struct table_records {
        struct table_record *items;
        unsigned n;
};

/* The connection and the right to write. */
struct copy_book {
        PGconn *target;
        const char *pipeline;
        uint64_t epoch;
};

int copy_record_read(const struct copy_book *b, struct copy_record *r, struct error *e);
void copy_record_done(struct copy_record *r);
struct table_records *table_records_read(const struct copy_book *b, struct error *e);
struct table_records *table_records_free(struct table_records *t);
/* `t` NULL: there are none. */
struct table_record *table_records_find(
        const struct table_records *t, const char *schema, const char *name);

/* A transaction that proves the epoch first; ends with copy_book_commit or a lost connection. */
int copy_book_begin(const struct copy_book *b, struct error *e);
int copy_book_commit(const struct copy_book *b, struct error *e);
/* Takes back what has failed, so that the connection can be used again. */
void copy_book_rollback(const struct copy_book *b);

/* Inside of such a transaction. */
int copy_record_write(const struct copy_book *b, const struct copy_record *r, struct error *e);
int table_records_clear(const struct copy_book *b, struct error *e);
int table_record_write(const struct copy_book *b, const struct table_record *t, struct error *e);
/* The checkpoint belongs to that source from now on; the position is as good there. */
int copy_record_moved(const struct copy_book *b, const struct source_identity *to, struct error *e);
/* The checkpoint stands at the record's start, and belongs to its source. */
int copy_record_checkpoint(const struct copy_book *b, const struct copy_record *r, struct error *e);
/* The checkpoint's GTID state; NULL: it has none. The caller frees. */
int copy_record_gtids(const struct copy_book *b, char **gtids, struct error *e);
/* The end: the stage is done, and the checkpoint says where the stream begins. */
int copy_record_finish(const struct copy_book *b, const struct copy_record *r, struct error *e);
