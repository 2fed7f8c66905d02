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
 * Index 0 of an ENUM, which a server in strict mode stores for nobody (tried on both): MySQL takes
 * it as a text of the number 0, where that is no member. MariaDB takes it in no way but without
 * strict mode, as a text that is no member, with one warning for each: such a statement begins with
 * MY_VALUE_LENIENT, and the number of its warnings tells that nothing else was changed.
 */
#define MY_VALUE_LENIENT                                                                           \
        "set statement sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION' for "
/* Needs the value that? */
bool my_value_warns(const struct coltype *t, const struct value *v);
/* As my_value, of one that is stored: the text by which a server takes index 0. */
struct value my_value_stored(const struct coltype *t, const struct value *v);

/*
 * Appends `column <=> literal`: true when the column holds exactly this value, to the byte. The
 * target's collation may take 'a' for 'A', and most take 'a ' for 'a'; a FLOAT is never equal to
 * the decimal number that it is printed as. `column` is quoted already.
 */
int my_value_match(struct buf *out, const char *column, const struct coltype *t,
        const struct value *v, struct error *e);
