#pragma once
/*
 * Transaction pieces as records of a segment, proto/change.proto, and back. Pure functions over
 * bytes.
 *
 * The writer's side reads pieces and the relations that they hold, and takes no reference: it may
 * run beside the loop's thread, which must not free the piece meanwhile. The reader's side makes
 * relations and belongs to the loop's thread.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/txn.h"

/* A change, old and new row together. Larger than what any source sends. */
#define RECORD_MAX (UINT32_C(1) << 31)

struct record_writer;

struct record_writer *record_writer_new(void);
struct record_writer *record_writer_free(struct record_writer *w);
/* A segment begins: tables are defined again. */
void record_writer_begin(struct record_writer *w);
/*
 * Appends a piece of `t` with the changes from `*from` on (`t->changes` at first), and definitions
 * that are missing. When `out` gets longer than `limit` and more changes are left, the piece ends
 * there, and `*from` is the first that is left; NULL: none, the whole of `t` is written.
 * -1: a change is larger than RECORD_MAX.
 */
int record_put_piece(struct record_writer *w, struct buf *out, const struct txn *t,
        const struct change **from, size_t limit, struct error *e);
void record_put_passed(struct buf *out, struct position p, const char *gtids);

struct record_reader;

struct record_reader *record_reader_new(void);
struct record_reader *record_reader_free(struct record_reader *r);
/* A segment begins: numbers of tables are void. A table that is defined as in the segment before
 * is the same relation. */
void record_reader_begin(struct record_reader *r);

enum record_kind { RECORD_END, RECORD_PIECE, RECORD_PASSED };

struct record {
        struct txn *piece;      /* RECORD_PIECE; the caller's */
        struct position passed; /* RECORD_PASSED */
        const char *gtids;      /* RECORD_PASSED; until the next call; or NULL */
};

/* The next piece or position of the frame `in`. A kind, or -1: damaged (ERROR_DATA). */
int record_next(struct record_reader *r, struct reader *in, struct record *record, struct error *e);
/* The GTID state behind the frame `in`, which has the end of a transaction or a position; the
 * caller frees; NULL if there is none. Needs no tables. */
int record_last_gtids(struct reader *in, char **gtids, struct error *e);
