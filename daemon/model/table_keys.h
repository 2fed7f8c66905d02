#pragma once
/*
 * Text form of a table's foreign keys with actions (ON DELETE, ON UPDATE: CASCADE or SET NULL), one
 * line for culvert.tables, and back. What the source's catalogue says of them may be later than the
 * changes that the stream has still to bring.
 */
#include "model/table_def.h"

/* Does it change rows by itself? */
bool table_key_acts(const struct def_reference *f);

/* Those of `t`, whose columns are named by their own names; "1 0" when there are none. */
void table_keys_to_text(const struct table_def *t, struct buf *out);
/* Appends them to `t`; columns that `t` does not have are appended, too, by name alone. -1: it is
 * malformed, and `t` has some of them. */
int table_keys_from_text(struct table_def *t, const char *text);
