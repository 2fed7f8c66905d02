#pragma once
/*
 * Canonical form of a value, for comparing the two sides: what the source's value became
 * (model/convert.h) and what the target has are the same value of the target's type when their
 * canonical forms are the same bytes. By the target column's type:
 *
 *   integers, years          digits, no zeros in front
 *   decimals                 without zeros at the end where the column has a scale, else as written
 *   floats, doubles          as they read back; -0 is 0 in the MySQL family
 *   char(n), binary(n)       without the padding
 *   dates and times          without zeros at the end of the fraction; UTC
 *   uuid, inet, boolean      in one spelling
 *   json of MySQL, jsonb     by value: keys sorted, escapes taken out; 1 and 1.0 differ, and in
 * jsonb 1.0 and 1.00 arrays                   each element quoted all else                 to the
 * byte: texts, bytes, json as text, enums by name
 *
 * NULL stays NULL. Immutable; any thread. Results live in the arena, or are the input's own bytes,
 * with a NUL behind them or not.
 */
#include "base/arena.h"
#include "model/coltype.h"
#include "model/txn.h"

struct canon;

/* Borrows the type. */
struct canon *canon_new(const struct coltype *t);
struct canon *canon_free(struct canon *c);
void canon_value(const struct canon *c, struct arena *a, struct value *v);

/* Do two engines sort values of these types alike, so that a range of the one is a range of the
 * other? */
bool canon_same_order(const struct coltype *a, const struct coltype *b);

/* JSON by value, in the arena; false: it is not JSON, or too deep. `doubles`: numbers are integers
 * of 64 bits and doubles, as in MySQL; else decimals with their scale, as in jsonb. */
bool canon_json(struct arena *a, struct value *v, bool doubles);
