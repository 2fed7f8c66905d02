#pragma once
/*
 * Made-up tables and transaction pieces for tests of the queue's files, and their text to compare.
 */
#include "base/buf.h"
#include "model/txn.h"

/* s.NAME with the key id and the texts a, b. */
struct relation *piece_table(const char *name);
/* Text NULL: SQL's NULL; "=": unchanged. */
struct value *piece_row(struct txn *t, const char *id, const char *a, const char *b);
/* An insert with one text of `len` bytes. */
struct change *piece_insert(struct txn *t, const struct relation *r, unsigned id, size_t len);
/* A whole transaction of `changes` inserts that commits at `end` - 5 and ends at `end`. */
struct txn *piece_whole(const struct relation *r, uint64_t end, unsigned changes, size_t len);
/* A table that has everything a relation can have, and a row of it. */
struct relation *piece_rich_table(const char *name);
struct value *piece_rich_row(struct txn *t);
/* A transaction with every kind of change. */
struct txn *piece_rich(void);
/* One with a change of which a value has no place on the target. */
struct txn *piece_misfit(void);

/* Everything of it, relations with all they have, in one text. */
void piece_text(const struct txn *t, struct buf *out);
