#pragma once
/*
 * Rows as JSON, exactly: {"id":"7","note":null,"picture":{"hex":"00ff"}}. A value is the text that
 * the target was to have; what is not UTF-8, or has a zero byte in it, goes in hex. Columns that
 * are not in the log are left out. Pure; any thread.
 */
#include "model/txn.h"

/* `only`: one flag a column, those that are wanted; NULL: all. */
void row_to_json(
        struct buf *out, const struct relation *r, const struct value *row, const bool *only);
/* relation->columns_n values in the arena; NULL: it is no such text, or names a column that the
 * relation does not have. */
struct value *row_from_json(
        struct arena *a, const struct relation *r, const char *text, struct error *e);
