#pragma once
/*
 * One side of a verification as a worker reads it: a blocking connection, rows of one table by
 * ranges of a key or by single keys, with values in the engine's native text (model/convert.h). A
 * row is seen once and not kept, however wide it is; only the last one is held.
 *
 * struct verify_columns is made by the job's thread and read by all; a side belongs to its thread.
 */
#include "ops/copy_row.h"
#include "ops/my_reader.h"
#include "ops/halt.h"

/* A table on one side. Names and shape are borrowed. */
struct verify_columns {
        const char *schema, *name;
        const struct relation *shape;
        struct coltype **types; /* of each column */
        bool *all;              /* is read for comparing rows; what is not comes as NULL */
        bool *few;              /* the same for comparing keys */
        bool *is_key;
        uint16_t *key; /* the key's columns, in its order */
        unsigned key_n;
};

void verify_columns_done(struct verify_columns *c);

struct verify_side {
        const char *what; /* "source" or "target" */
        struct halt *halt;
        bool is_my;
        PGconn *pg;
        char *line;
        struct copy_row copied;
        struct origin_reader my;
        uint16_t columns_n;
};

int verify_side_open(struct verify_side *s, const struct config *c, bool target, struct halt *h,
        struct error *e);
void verify_side_close(struct verify_side *s);

/* ---- SQL: each appends to `sql` ---- */

void verify_add_name(struct buf *sql, const struct verify_side *s, const char *name);
void verify_add_table(
        struct buf *sql, const struct verify_side *s, const char *schema, const char *name);
void verify_select(
        struct buf *sql, const struct verify_side *s, const struct verify_columns *c, bool few);
enum verify_bound { BOUND_BEYOND, BOUND_FROM, BOUND_TO }; /* > >= <= */
/* `key`: key_n values, none of them NULL. */
int verify_bound(struct buf *sql, const struct verify_side *s, const struct verify_columns *c,
        enum verify_bound bound, const struct value *key, struct error *e);
void verify_order(struct buf *sql, const struct verify_side *s, const struct verify_columns *c);
/* One more key of a list: the first call begins with "where", verify_among_end ends it. */
int verify_among(struct buf *sql, const struct verify_side *s, const struct verify_columns *c,
        bool first, const struct value *key, struct error *e);
void verify_among_end(struct buf *sql, const struct verify_columns *c);

/* The first field of the first row; NULL: there is none, or it is NULL. The caller frees. */
int verify_side_text(struct verify_side *s, const char *sql, char **text, struct error *e);

/* ---- reading ---- */

int verify_side_read(struct verify_side *s, const struct verify_columns *c, const struct buf *sql,
        struct error *e);
/* 1: a row, valid until the next call; 0: there are no more; -1. */
int verify_side_next(struct verify_side *s, struct value *row, struct error *e);
