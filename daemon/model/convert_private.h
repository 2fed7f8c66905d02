#pragma once
/*
 * Inside of the converters: each target class has a chooser, which gives the function that takes a
 * value of the source's type there. Constant after convert_new; any thread.
 */
#include "model/convert.h"

/* `v` is the value's text when called, and what became of it afterwards. */
typedef int convert_run(const struct convert *c, struct arena *a, struct value *v, struct error *e);
/* NULL: no place. convert_pass: the text may go as it is. */
typedef convert_run *convert_chooser(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy);

struct convert {
        convert_run *run;
        struct coltype *from, *to;
        struct convert_policy policy;
};

convert_chooser convert_to_bool, convert_to_integer, convert_to_decimal, convert_to_float,
        convert_to_year, convert_to_bit, convert_to_text, convert_to_known_text, convert_to_uuid,
        convert_to_inet, convert_to_bytes, convert_to_geometry, convert_to_date,
        convert_to_datetime, convert_to_timestamptz, convert_to_time, convert_to_interval,
        convert_to_enum, convert_to_set, convert_to_array, convert_to_json;

convert_run convert_pass;
/* An ENUM's value to a type that is known by its name alone. */
convert_run convert_enum_by_name;
/* An ENUM's value as a server shows it. */
convert_run convert_enum_to_text;

/* A DATA error: "a value of type X has no place in Y: REASON". Returns -1. */
int convert_refuse(const struct convert *c, const char *reason, struct error *e);

/* Makes `v` a text in the arena. */
void convert_set(struct arena *a, struct value *v, const char *text, size_t len);

bool convert_is_pg(const struct coltype *t);
bool convert_is_text(const struct coltype *t);    /* CHAR, VARCHAR, TEXT */
bool convert_is_numeric(const struct coltype *t); /* may hold numbers: also BIT, BOOL and text */
/* A type of PostgreSQL by its name, whatever the schema and the modifiers. */
bool convert_is_named(const struct coltype *t, const char *name);

/* BIT, either form, as a number; false: more than 64 bits, or not such a value. */
bool convert_bits_value(const struct coltype *from, const struct value *v, uint64_t *number);
/* MySQL's BIT as text of zeros and ones. */
void convert_bits_text(const struct coltype *from, struct arena *a, struct value *v);
/* PostgreSQL's "\x6162" to bytes; false: not such a text. */
bool convert_unhex(struct arena *a, struct value *v);
/* FLOAT and DOUBLE: the shortest text that reads back; integers without ZEROFILL's zeros. */
void convert_number_text(const struct coltype *from, struct arena *a, struct value *v);

/* Characters, validity and length of the text, as the target wants them. */
int convert_check_text(const struct convert *c, const struct value *v, struct error *e);
