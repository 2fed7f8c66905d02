#include "sinks/my_value.h"
#include "db/my.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *digits(const char *at)
{
        return at + strspn(at, "0123456789");
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before the exponent. It goes into SQL as it
 * is, so nothing else may pass ("--" begins a comment). `exact`: without an exponent. */
static bool is_number(const struct value *v, bool *exact)
{
        const char *at = v->data, *whole, *fraction;

        at += *at == '-' || *at == '+';
        whole = digits(at);
        fraction = *whole == '.' ? digits(whole + 1) : whole;
        if (whole == at && fraction <= whole + 1)
                return false;
        *exact = *fraction != 'e' && *fraction != 'E';
        if (!*exact) {
                at = fraction + 1;
                at += *at == '-' || *at == '+';
                if ((fraction = digits(at)) == at)
                        return false;
        }
        return fraction == v->data + v->len;
}

static int not_a_number(const struct coltype *t, struct error *e)
{
        return error_set(e, ERROR_DATA, "a value for a column of type %s is not a number",
                t->native ? t->native : "number");
}

/*
 * A number with an exponent is a DOUBLE to the server, one without is a DECIMAL of at most 65
 * digits. A FLOAT is written as the DOUBLE that it is: as such it is stored without change, and
 * found again.
 */
static int add_float(
        struct buf *out, const struct coltype *t, const struct value *v, struct error *e)
{
        bool exact;

        if (!is_number(v, &exact))
                return not_a_number(t, e);
        if (t->class == TYPE_FLOAT) {
                float f = strtof(v->data, NULL);

                if (!isfinite(f))
                        return not_a_number(t, e);
                buf_printf(out, "%.17e", (double)f);
                return 0;
        }
        buf_add(out, v->data, v->len);
        buf_str(out, exact ? "e0" : "");
        return 0;
}

static int add_number(
        struct buf *out, const struct coltype *t, const struct value *v, struct error *e)
{
        bool exact;

        if (!is_number(v, &exact))
                return not_a_number(t, e);
        buf_add(out, v->data, v->len);
        return 0;
}

/* The bits of a column are compared as a number, and not as the string that x'..' is. */
static int add_bits(
        struct buf *out, const struct coltype *t, const struct value *v, struct error *e)
{
        uint64_t n = 0;

        if (v->len > sizeof n)
                return not_a_number(t, e);
        for (uint32_t i = 0; i < v->len; i++)
                n = n << 8 | (uint8_t)v->data[i];
        buf_printf(out, "%" PRIu64, n);
        return 0;
}

/* Quoted bytes with their own character set: half as long as x'..', and a statement has a limit. No
 * byte of UTF-8 behind the first of a character is a quote or a backslash, and what is not UTF-8 is
 * taken byte by byte. */
static void add_bytes(struct buf *out, const void *data, size_t len)
{
        buf_str(out, "_binary");
        my_literal(out, data, len);
}

/* The server pads what it stores with zeros, and not what it compares. */
static void add_padded(struct buf *out, const struct coltype *t, const struct value *v)
{
        AUTO_BUF bytes = BUF_INIT;

        buf_add(&bytes, v->data, v->len);
        while (bytes.len < t->length)
                buf_char(&bytes, '\0');
        add_bytes(out, bytes.data, bytes.len);
}

bool my_value_warns(const struct coltype *t, const struct value *v)
{
        return t->engine == ENGINE_MARIADB && v->kind == VALUE_TEXT &&
               coltype_is_enum_error(t, v->data, v->len);
}

struct value my_value_stored(const struct coltype *t, const struct value *v)
{
        static const char zeros[] = "0000000000";
        const uint32_t number_max = 5; /* longer ones are no numbers to a server */
        bool number = t->engine == ENGINE_MYSQL;
        uint32_t most = number ? number_max : sizeof zeros - 1;

        if (v->kind != VALUE_TEXT || !coltype_is_enum_error(t, v->data, v->len) ||
                (!number && v->len == 0))
                return *v;
        for (uint32_t n = number ? 1 : number_max + 1; n <= most; n++)
                if (!coltype_has_member(t, zeros, n))
                        return (struct value){VALUE_TEXT, n, zeros};
        return *v;
}

int my_value(struct buf *out, const struct coltype *t, const struct value *v, struct error *e)
{
        if (v->kind != VALUE_TEXT) {
                buf_str(out, "NULL");
                return 0;
        }
        switch (t->class) {
        case TYPE_BOOL:
        case TYPE_INTEGER:
        case TYPE_DECIMAL:
                return add_number(out, t, v, e);
        case TYPE_FLOAT:
        case TYPE_DOUBLE:
                return add_float(out, t, v, e);
        case TYPE_BIT:
                return add_bits(out, t, v, e);
        default:
                if (t->class == TYPE_BINARY)
                        add_padded(out, t, v);
                else if (coltype_is_bytes(t))
                        add_bytes(out, v->data, v->len);
                else
                        my_literal(out, v->data, v->len);
                return 0;
        }
}

/* Characters, as the bytes that they are in UTF-8. A CHAR comes back without its last spaces. */
static void match_text(
        struct buf *out, const char *column, const struct coltype *t, const struct value *v)
{
        size_t len = v->len;

        while (t->class == TYPE_CHAR && len && v->data[len - 1] == ' ')
                len--;
        buf_printf(out, "cast(convert(%s using utf8mb4) as binary) <=> ", column);
        add_bytes(out, v->data, len);
}

/* A VECTOR is compared with nothing but vectors. */
static void match_hex(struct buf *out, const char *column, const struct value *v)
{
        buf_printf(out, "hex(%s) <=> '", column);
        for (uint32_t i = 0; i < v->len; i++)
                buf_printf(out, "%02X", (uint8_t)v->data[i]);
        buf_str(out, "'");
}

/* '' is what both an empty member and index 0 are shown as. */
static bool match_index(
        struct buf *out, const char *column, const struct coltype *t, const struct value *v)
{
        unsigned empty = coltype_empty_member(t);
        bool error = coltype_is_enum_error(t, v->data, v->len);

        if (!empty || (v->len != 0 && !error))
                return false;
        buf_printf(out, "%s + 0 <=> %u", column, error ? 0 : empty);
        return true;
}

static void match_json(struct buf *out, const char *column, const struct value *v)
{
        buf_printf(out, "%s <=> cast(", column);
        my_literal(out, v->data, v->len);
        buf_str(out, " as json)");
}

int my_value_match(struct buf *out, const char *column, const struct coltype *t,
        const struct value *v, struct error *e)
{
        if (v->kind != VALUE_TEXT) {
                buf_printf(out, coltype_is_vector(t) ? "hex(%s) <=> NULL" : "%s <=> NULL", column);
                return 0;
        }
        if (match_index(out, column, t, v))
                return 0;
        switch (t->class) {
        case TYPE_CHAR:
        case TYPE_VARCHAR:
        case TYPE_TEXT:
        case TYPE_ENUM:
        case TYPE_SET:
                match_text(out, column, t, v);
                return 0;
        case TYPE_OTHER:
        case TYPE_GEOMETRY:
                match_hex(out, column, v);
                return 0;
        case TYPE_JSON:
                if (t->engine == ENGINE_MYSQL)
                        match_json(out, column, v);
                else
                        match_text(out, column, t, v);
                return 0;
        default:
                buf_printf(out, "%s <=> ", column);
                return my_value(out, t, v, e);
        }
}
