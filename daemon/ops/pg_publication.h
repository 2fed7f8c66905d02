#pragma once
/*
 * The publication on a PostgreSQL source: of exactly the migrated tables, all their columns and
 * rows, all kinds of change, and culvert.checkpoint where the source has one. A table that leaves
 * it is lost silently (EDGE-CASES 10), so it is compared with what is wanted. Blocking.
 */
#include "db/pg.h"
#include "model/relation.h"

/* The tables, by schema and name; borrowed. */
struct pg_published {
        const struct relation *const *shapes;
        unsigned n;
};

/*
 * Before the slot is made: creates it or brings it into step. What our role may not do is a CONFIG
 * error with the statement that an administrator runs; one too long for that goes to `statement`
 * as well, which is "" otherwise.
 */
int pg_publication_make(PGconn *source, const char *name, const struct pg_published *wanted,
        struct buf *statement, struct error *e);

/* Adds tables, and leaves what is in it alone; errors as above. */
int pg_publication_add(PGconn *source, const char *name, const struct pg_published *added,
        struct buf *statement, struct error *e);

/*
 * While the stream depends on it: a table that is missing, published in part, or gone from the
 * source is a DATA error, since changes may have been lost. Tables that are published and not
 * wanted are counted in *extra (may be NULL); they do no harm.
 */
int pg_publication_check(PGconn *source, const char *name, const struct pg_published *wanted,
        unsigned *extra, struct error *e);
/*
 * What changes when the publication, or what it says of a wanted table, is changed: a table that
 * left it and came back looks as before, and its changes in between are lost. Row versions of
 * pg_publication and pg_publication_rel, as one short text; the caller frees. NULL: error.
 */
char *pg_publication_mark(
        PGconn *source, const char *name, const struct pg_published *wanted, struct error *e);
/* 0 when it is still the mark; else a DATA error. "" and NULL are no mark. */
int pg_publication_same(PGconn *source, const char *name, const struct pg_published *wanted,
        const char *mark, struct error *e);
/* Takes out what is not wanted and adds culvert.checkpoint, where our role may; else does nothing.
 */
int pg_publication_trim(
        PGconn *source, const char *name, const struct pg_published *wanted, struct error *e);
