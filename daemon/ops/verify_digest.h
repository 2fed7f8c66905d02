#pragma once
/*
 * Digests that the servers work out themselves: where both sides are of one engine, a range of the
 * key is the same on both when their digests are, and no row of it travels. Where they differ, or
 * none are to be had, rows are read (verify_walk.c): a digest alone never makes a difference.
 *
 * It is used where each column goes as it is, to a column of the same type, in the same characters,
 * no filter counts, and both sides sort the key alike. Then the digest is made of the texts that
 * would have been read; columns cannot run into each other, and NULL is no text.
 *
 * A row's digest has 64 bits of all its columns, key included, mixed in such a way that values that
 * are exchanged between rows or columns count. A range's is the number of its rows and the exact
 * sum of theirs, so that equal rows do not cancel each other out. Two ranges that differ have the
 * same digest with a chance of 2^-64: among a billion of them one in 10^10. As base/digest.h, it
 * does not withstand somebody who makes rows for that purpose.
 *
 *   PostgreSQL     integers, text and uuid by the server's hash functions with a seed for each
 *                  column, all others by hashtextextended of row(...)::text. Never
 * hashint8extended, which folds 64 bits into 32, or one that knows equal values of different texts
 *   MySQL family   SHA1 of the texts with their lengths in front. A row that is longer than
 *                  max_allowed_packet has none; a range with such a one counts as different
 */
#include "ops/verify_side.h"
#include "ops/verify_table.h"

/* Can the two servers, which are connected, do that? */
bool verify_digest_fits(
        const struct verify_side *from, const struct verify_side *to, const struct verify_table *t);

/* Both sides have the same rows behind the key `after` up to the key `to` (verify_keep; empty: no
 * bound). 1: they do, *rows is how many; 0: they do not, or there is no telling; -1: a connection
 * is lost, or it was asked to stop. Both sides are asked at once. */
int verify_digest_same(struct verify_side *from, struct verify_side *to,
        const struct verify_table *t, const struct buf *after, const struct buf *to_key,
        uint64_t *rows, struct error *e);

/* The expression of a row's digest, for tests: appends to `sql`. */
void verify_digest_row(
        struct buf *sql, const struct verify_side *s, const struct verify_table *t, bool target);
