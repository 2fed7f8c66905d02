#pragma once
/*
 * What LOAD DATA LOCAL reads, and the statement that tells how. All of it is UTF-8; pure, any
 * thread.
 *
 * Fields end with a tab, rows with a newline. Both, the backslash and NUL have a backslash before
 * them, or before a letter that stands for them; \N is NULL.
 */
#include "model/coltype.h"
#include "model/txn.h"

/* `types`: of the target's columns. */
void my_load_sql(struct buf *out, const struct relation *target, struct coltype *const *types);
/* Appends one field; what parts it from the next is the caller's. -1: as my_value. */
int my_load_value(struct buf *out, const struct coltype *t, const struct value *v, struct error *e);
