#pragma once
/*
 * Marks: what may happen to a migrated table without one row change in the stream.
 *
 *   A column that is dropped and added again under its name and type loses its values; the stream
 *   then shows the same definition as before. pg_attribute.attnum tells the two apart.
 *   Partitions, published through their root: ATTACH brings rows in, DETACH and DROP take them
 *   out, TRUNCATE of one empties it, and pgoutput sends nothing of it (EDGE-CASES 40).
 *
 * A mark is a JSON text of what the catalogue says of one table: its columns' numbers, its leaves
 * and their files. It is taken in the copy's snapshot, kept in culvert.tables, and compared once a
 * minute and at each start. What is harmless is taken over: a partition that was born empty, a file
 * that was only rewritten (VACUUM FULL, CLUSTER), a TRUNCATE of the root, which the stream has.
 *
 * What cannot be seen: a partition that is truncated when it is its root's only one, and rows of a
 * partition that our role may not read (a warning says so).
 *
 * Blocking, for worker threads.
 */
#include "ops/pg_publication.h"

/* The code of these errors (class DATA): `resume` accepts what they say. */
#define PG_MARKS_CODE "CV001"

/* One text a table, in the order of `wanted`; "" for a table that is gone. NULL: error. */
char **pg_marks_read(PGconn *c, const struct pg_published *wanted, struct error *e);
void pg_marks_free(char **marks, unsigned n);

/*
 * Compares what was known of a table with what is: 0: the same, or harmless; 1: harmless as far as
 * our role may look, `e` says where it may not; else a DATA error with PG_MARKS_CODE. `c` is asked
 * about rows of the partitions that are new or have a new file. A known mark of "" is the same.
 */
int pg_marks_compare(PGconn *c, const struct relation *shape, const char *known, const char *now,
        struct error *e);
