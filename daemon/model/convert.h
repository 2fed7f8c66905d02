#pragma once
/*
 * Converters: one per column, chosen once by (source type, target type), used alike by copy and
 * stream. From the source's native text to the target's; what the target cannot hold is a DATA
 * error that names the types and the reason, never the value. Nothing is rounded, cut or zeroed.
 *
 * Native text of a value:
 *   PostgreSQL     as pgoutput and COPY (unescaped) give it with culvert's session settings: UTC,
 *                  ISO dates, extra_float_digits 1, bytea hex
 *   MySQL family   as the server gives it in the text protocol with utf8mb4 and time_zone +00:00;
 *                  BINARY, BLOB, BIT (big-endian) and GEOMETRY (SRID, then WKB) as their bytes;
 *                  FLOAT as a number that reads back to the same 4 bytes. The binlog decoder makes
 *                  the same text.
 * Where one value has several texts (floats, JSON spacing), the converter makes one of them, so
 * that both paths end alike.
 *
 * Immutable; any thread. Results live in the arena, or are the input's own bytes.
 */
#include "base/arena.h"
#include "model/coltype.h"
#include "model/txn.h"

struct convert;

/* What becomes of index 0 of an ENUM, the empty text that the MySQL family stores for what was none
 * of the members, in an enum of PostgreSQL. */
enum enum_error { ENUM_ERROR_REFUSE, ENUM_ERROR_NULL, ENUM_ERROR_EMPTY };

struct convert_policy {
        enum { ZERO_DATE_ERROR, ZERO_DATE_NULL, ZERO_DATE_VALUE } zero_date;
        char date[11]; /* ZERO_DATE_VALUE: YYYY-MM-DD */
        enum enum_error enum_error;
        /* DATETIME columns hold UTC: a reverse stream from tables that culvert made. Without it
         * DATETIME to timestamptz is refused. */
        bool datetime_utc;
};

/* *out is NULL where the text may go as it is. -1: no value of the one type has a place in the
 * other (CONFIG error naming both). */
int convert_new(const struct coltype *from, const struct coltype *to,
        const struct convert_policy *policy, struct convert **out, struct error *e);
struct convert *convert_free(struct convert *c);

/* VALUE_TEXT in, VALUE_TEXT or (by policy) VALUE_NULL out; other kinds pass. `c` NULL: as it is. */
int convert_value(const struct convert *c, struct arena *a, const struct value *in,
        struct value *out, struct error *e);
