#include "model/convert_private.h"
#include "model/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers: whatever holds one (BOOL, BIT and text too) becomes a struct number, which the target's
 * range is compared with. */

static bool spelled(const struct value *v, const char *word)
{
        return strlen(word) == v->len && !memcmp(v->data, word, v->len);
}

static bool truth(const struct value *v, bool *is)
{
        *is = spelled(v, "t") || spelled(v, "true") || spelled(v, "1");
        return *is || spelled(v, "f") || spelled(v, "false") || spelled(v, "0");
}

/* The value as a number, and its text in `v`. */
static int take(const struct convert *c, struct arena *a, struct value *v, struct number *n,
        struct error *e)
{
        char text[24];
        uint64_t bits;
        bool is;

        if (c->from->class == TYPE_BOOL) {
                if (!truth(v, &is))
                        return convert_refuse(c, "it is not a truth value", e);
                convert_set(a, v, is ? "1" : "0", 1);
        } else if (c->from->class == TYPE_BIT) {
                if (!convert_bits_value(c->from, v, &bits))
                        return convert_refuse(c, "its bits are no number of 64 bits", e);
                convert_set(a, v, text,
                        (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)bits));
        }
        if (!number_parse(v->data, v->len, n))
                return convert_refuse(c, "it is not a number", e);
        return 0;
}

static int take_plain(const struct convert *c, struct arena *a, struct value *v, struct number *n,
        struct error *e)
{
        if (take(c, a, v, n, e) < 0)
                return -1;
        return number_expand(n, a) ? 0 : convert_refuse(c, "it is out of range", e);
}

/* Texts that are the number already stay as they are. */
static void put(struct arena *a, struct value *v, const struct number *n)
{
        size_t len;
        char *text = number_text(n, a, &len);

        v->data = text;
        v->len = (uint32_t)len;
}

struct range {
        uint64_t below, above; /* how far down and up from zero */
};

static struct range range_of(const struct coltype *t)
{
        unsigned bits = t->width * 8u;
        uint64_t all = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;

        if (t->is_unsigned)
                return (struct range){0, all};
        return (struct range){all / 2 + 1, all / 2};
}

static int to_integer(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        struct range range = range_of(c->to);
        struct number n = {0};
        uint64_t size;

        if (take_plain(c, a, v, &n, e) < 0)
                return -1;
        if (n.part_n > 0)
                return convert_refuse(c, "it has a fraction", e);
        if (!number_u64(&n, &size) || size > (n.negative ? range.below : range.above))
                return convert_refuse(c, "it is out of range", e);
        put(a, v, &n);
        return 0;
}

convert_run *convert_to_integer(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (from->class == TYPE_INTEGER && !from->zerofill) {
                struct range x = range_of(from), y = range_of(to);

                if (x.below <= y.below && x.above <= y.above)
                        return convert_pass;
        }
        return convert_is_numeric(from) ? to_integer : NULL;
}

/* With the zeros that it has: they say how exact it is, and cost nothing. */
static bool fits_as_written(const struct convert *c, const struct value *v)
{
        const char *point = memchr(v->data, '.', v->len);
        size_t part = point ? (size_t)(v->data + v->len - point) - 1 : 0;

        return c->from->class == TYPE_DECIMAL && !c->from->zerofill &&
               (!c->to->length || part <= c->to->scale);
}

static int to_decimal(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        const struct coltype *to = c->to;
        struct number n = {0};

        if (take_plain(c, a, v, &n, e) < 0)
                return -1;
        if (to->is_unsigned && n.negative && !number_is_zero(&n))
                return convert_refuse(c, "it is negative", e);
        if (to->length && n.whole_n > to->length - to->scale)
                return convert_refuse(c, "it has too many digits before the point", e);
        if (to->length && n.part_n > to->scale)
                return convert_refuse(c, "it has too many digits behind the point", e);
        if (!fits_as_written(c, v))
                put(a, v, &n);
        return 0;
}

/* Decimal digits of the largest number, and is it ever negative? */
static unsigned integer_digits(const struct coltype *t)
{
        static const uint8_t digits[] = {0, 3, 5, 8, 10, 0, 0, 0, 19};

        return t->width == 8 && t->is_unsigned ? 20 : digits[t->width];
}

static bool decimal_holds(const struct coltype *to, const struct coltype *from)
{
        unsigned whole, part;

        if (from->zerofill || (to->is_unsigned && !from->is_unsigned) ||
                (from->class == TYPE_DECIMAL && convert_is_pg(from))) /* has NaN */
                return false;
        if (from->class == TYPE_INTEGER) {
                whole = integer_digits(from);
                part = 0;
        } else if (from->class == TYPE_DECIMAL && from->length) {
                whole = from->length - from->scale;
                part = from->scale;
        } else {
                return false;
        }
        return !to->length || (whole <= to->length - to->scale && part <= to->scale);
}

convert_run *convert_to_decimal(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (convert_is_pg(to) && strstr(to->native, ",-"))
                return NULL; /* numeric(3,-2) rounds to hundreds */
        if (decimal_holds(to, from))
                return convert_pass;
        return convert_is_numeric(from) ? to_decimal : NULL;
}

/* PostgreSQL's three numbers that MySQL does not have. */
static bool special(const struct value *v)
{
        return spelled(v, "NaN") || spelled(v, "Infinity") || spelled(v, "-Infinity");
}

/* A literal -0 is an integer to MySQL, and has no sign. MariaDB shows -0 as 0, and loses the sign
 * with the next update. */
static void put_float(
        const struct convert *c, struct arena *a, struct value *v, char *text, int len)
{
        if (!strcmp(text, "-0") && c->from->engine == ENGINE_MARIADB)
                len = snprintf(text, NUMBER_MAX, "0");
        else if (!strcmp(text, "-0") && !convert_is_pg(c->to))
                len = snprintf(text, NUMBER_MAX, "-0e0");
        convert_set(a, v, text, (size_t)len);
}

static int to_double(const struct convert *c, struct arena *a, struct value *v,
        const struct number *n, struct error *e)
{
        char text[NUMBER_MAX] = "";
        double d = strtod(v->data, NULL);
        uint64_t size;

        if (c->from->class == TYPE_FLOAT) {
                d = (double)strtof(v->data, NULL); /* the number itself, not its short text */
        } else if (c->from->class != TYPE_DOUBLE && !number_survives_double(n, v->data) &&
                   !(number_u64(n, &size) && d < 1.8e19 && d > -1.8e19 &&
                           (uint64_t)(n->negative ? -d : d) == size)) {
                return convert_refuse(c, "a double would round it", e);
        }
        if (!isfinite(d))
                return convert_refuse(c, "it is out of range", e);
        put_float(c, a, v, text, number_of_double(text, d));
        return 0;
}

static int to_single(const struct convert *c, struct arena *a, struct value *v,
        const struct number *n, struct error *e)
{
        char text[NUMBER_MAX] = "";
        float f = strtof(v->data, NULL);
        int len;

        if (c->from->class == TYPE_DOUBLE
                        ? (double)f != strtod(v->data, NULL)
                        : c->from->class != TYPE_FLOAT && !number_survives_float(n, v->data))
                return convert_refuse(c, "a float would round it", e);
        if (!isfinite(f))
                return convert_refuse(c, "it is out of range", e);
        if (convert_is_pg(c->to))
                len = number_of_float(text, f);
        else /* MySQL reads a double first; nine digits of the largest float are beyond it */
                len = number_of_double(text, (double)f);
        put_float(c, a, v, text, len);
        return 0;
}

static int to_float(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        struct number n = {0};

        if (convert_is_pg(c->from) && special(v))
                return convert_is_pg(c->to) ? 0 : convert_refuse(c, "NaN and infinities", e);
        if (take(c, a, v, &n, e) < 0)
                return -1;
        if (c->to->is_unsigned && n.negative && !number_is_zero(&n))
                return convert_refuse(c, "it is negative", e);
        return c->to->class == TYPE_FLOAT ? to_single(c, a, v, &n, e) : to_double(c, a, v, &n, e);
}

convert_run *convert_to_float(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        return convert_is_numeric(from) ? to_float : NULL;
}

static int to_bool(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        struct number n = {0};
        uint64_t size;
        bool is = false;

        if (!convert_is_text(c->from) || !truth(v, &is)) {
                if (take_plain(c, a, v, &n, e) < 0)
                        return -1;
                if (!number_u64(&n, &size) || size > 1 || (n.negative && size))
                        return convert_refuse(c, "it is neither 0 nor 1", e);
                is = size == 1;
        }
        convert_set(a, v, is ? "t" : "f", 1);
        return 0;
}

convert_run *convert_to_bool(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        if (from->class == TYPE_BOOL)
                return convert_pass;
        return convert_is_numeric(from) ? to_bool : NULL;
}

static int to_year(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        struct number n = {0};
        uint64_t size;
        char text[8];

        if (take_plain(c, a, v, &n, e) < 0)
                return -1;
        if (n.negative || !number_u64(&n, &size) || (size && (size < 1901 || size > 2155)))
                return convert_refuse(c, "it is not 0 or a year from 1901 to 2155", e);
        convert_set(a, v, text, (size_t)snprintf(text, sizeof text, "%04u", (unsigned)size));
        return 0;
}

convert_run *convert_to_year(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)to;
        (void)policy;
        if (from->class == TYPE_YEAR)
                return convert_pass;
        return convert_is_numeric(from) ? to_year : NULL;
}

void convert_number_text(const struct coltype *from, struct arena *a, struct value *v)
{
        char text[NUMBER_MAX];
        struct number n = {0};

        if (!number_parse(v->data, v->len, &n))
                return; /* NaN and infinities of PostgreSQL */
        if (from->class == TYPE_FLOAT)
                convert_set(a, v, text, (size_t)number_of_float(text, strtof(v->data, NULL)));
        else if (from->class == TYPE_DOUBLE)
                convert_set(a, v, text, (size_t)number_of_double(text, strtod(v->data, NULL)));
        else if (from->zerofill)
                put(a, v, &n);
}
