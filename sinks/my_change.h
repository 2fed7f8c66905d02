#pragma once
/*
 * The SQL of row changes for a bound table (sinks/my_binding.h). Pure but for the binding; loop
 * thread only.
 */
#include "sinks/my_binding.h"

/* Appends the row of an insert, "(1, 'a')", to follow b->insert or another row. */
int my_change_row(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e);

/* Appends the key of a row to be deleted, "1" or "`a` = 1 and `b` = 2", to follow b->delete or
 * another key. */
int my_change_key(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e);

/* How many values of the change the target takes with a warning only (my_value.h). */
unsigned my_change_warnings(const struct my_binding *b, const struct change *c);

enum { MY_CHANGE_NOTHING = 1 };
/* Appends the statement of an update or a delete. MY_CHANGE_NOTHING: there is nothing to write. */
int my_change_sql(
        struct buf *out, const struct my_binding *b, const struct change *c, struct error *e);
