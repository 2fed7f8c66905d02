#pragma once
/*
 * Values as SQL text of the MySQL family. A value is the target's native text (model/convert.h):
 * numbers go without quotes, after it was checked that they are numbers; bytes and characters as
 * quoted literals. Pure; any thread.
 */
#include "model/coltype.h"
#include "model/txn.h"

/* Appends the literal of a value that is stored, or compared with "=". -1: DATA error, without the
 * value, when it is none of the type (a number that is not one). */
int my_value(struct buf *out, const struct coltype *t, const struct value *v, struct error *e);

/*
 * Appends `column <=> literal`: true when the column holds exactly this value, to the byte. The
 * target's collation may take 'a' for 'A', and most take 'a ' for 'a'; a FLOAT is never equal to
 * the decimal number that it is printed as. `column` is quoted already.
 */
int my_value_match(struct buf *out, const char *column, const struct coltype *t,
        const struct value *v, struct error *e);
