#include "base/buf.h"
#include "model/convert_private.h"
#include "model/number.h"

#include <ctype.h>
#include <string.h>

/*
 * Bytes. bytea travels as "\x6162", the MySQL family's types as themselves.
 *
 * Geometry. MySQL: 4 bytes SRID, little-endian, then WKB: byte order (1: little-endian), 4 bytes
 * type (1 point to 7 collection), coordinates. EWKB, which PostGIS reads: byte order, type with
 * 0x20000000 set where 4 bytes SRID follow, coordinates; 0x80000000 and 0x40000000 are Z and M.
 */

#define EWKB_SRID 0x20000000u
#define GEOMETRY_HEAD 9 /* SRID, byte order, type: either form */
#define GEOMETRY_TYPES 7

static const char digits[] = "0123456789abcdef";

static void put_hex(struct arena *a, struct value *v, const char *prefix)
{
        size_t front = strlen(prefix), len = front + 2 * (size_t)v->len;
        char *text = arena_alloc(a, len + 1), *at = text + front;

        memcpy(text, prefix, front);
        for (uint32_t i = 0; i < v->len; i++) {
                uint8_t byte = (uint8_t)v->data[i];

                *at++ = digits[byte >> 4];
                *at++ = digits[byte & 15];
        }
        *at = '\0';
        v->data = text;
        v->len = (uint32_t)len;
}

static int hex_digit(char c)
{
        const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

        return at ? (int)(at - digits) : -1;
}

static bool read_hex(struct arena *a, struct value *v, const char *from, size_t len)
{
        char *bytes = arena_alloc(a, len / 2 + 1);

        if (len % 2)
                return false;
        for (size_t i = 0; i < len / 2; i++) {
                int high = hex_digit(from[2 * i]), low = hex_digit(from[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                bytes[i] = (char)(high << 4 | low);
        }
        bytes[len / 2] = '\0';
        v->data = bytes;
        v->len = (uint32_t)(len / 2);
        return true;
}

bool convert_unhex(struct arena *a, struct value *v)
{
        if (v->len < 2 || memcmp(v->data, "\\x", 2) != 0)
                return false;
        return read_hex(a, v, v->data + 2, v->len - 2);
}

/* The zeros at the end of BINARY(n) are part of it, whoever cut them off. */
static void pad(const struct convert *c, struct arena *a, struct value *v)
{
        char *bytes;

        if (c->from->class != TYPE_BINARY || v->len >= c->from->length)
                return;
        bytes = arena_zero(a, (size_t)c->from->length + 1);
        memcpy(bytes, v->data, v->len);
        v->data = bytes;
        v->len = c->from->length;
}

static int uuid_bytes(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        char text[32];
        size_t n = 0;

        for (uint32_t i = 0; i < v->len; i++)
                if (v->data[i] != '-' && n < sizeof text)
                        text[n++] = v->data[i];
        return read_hex(a, v, text, n) ? 0 : convert_refuse(c, "it is not a UUID", e);
}

static int to_bytes(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        const struct coltype *to = c->to;

        if (c->from->class == TYPE_UUID) {
                if (uuid_bytes(c, a, v, e) < 0)
                        return -1;
        } else if (c->from->class == TYPE_BLOB && convert_is_pg(c->from) && !convert_unhex(a, v)) {
                return convert_refuse(c, "it is not bytea in hex form", e);
        }
        pad(c, a, v);
        if (to->length && v->len > to->length)
                return convert_refuse(c, "it is too long", e);
        if (to->class == TYPE_BINARY && v->len < to->length)
                return convert_refuse(c, "it is shorter, and would get zeros at its end", e);
        if (convert_is_pg(to))
                put_hex(a, v, "\\x");
        return 0;
}

/* WKB with its head as PostGIS has it. */
static int geometry_to_hex(
        const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        const uint8_t *in = (const uint8_t *)v->data;
        AUTO_BUF out = BUF_INIT;

        if (v->len < GEOMETRY_HEAD || in[4] != 1 || in[6] || in[7] || in[8])
                return convert_refuse(c, "it is not a geometry with little-endian WKB", e);
        buf_add(&out, in + 4, 4);
        if (in[0] || in[1] || in[2] || in[3]) {
                buf_char(&out, (char)(EWKB_SRID >> 24));
                buf_add(&out, in, 4);
        } else {
                buf_char(&out, 0);
        }
        buf_add(&out, in + GEOMETRY_HEAD, v->len - GEOMETRY_HEAD);
        convert_set(a, v, buf_text(&out), out.len);
        put_hex(a, v, c->to->class == TYPE_BLOB ? "\\x" : "");
        return 0;
}

static int hex_to_geometry(
        const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        static const char no_srid[4];
        AUTO_BUF out = BUF_INIT;
        const uint8_t *in;
        bool srid;

        if (!(c->from->class == TYPE_BLOB ? convert_unhex(a, v) : read_hex(a, v, v->data, v->len)))
                return convert_refuse(c, "it is not EWKB in hex form", e);
        in = (const uint8_t *)v->data;
        srid = v->len >= GEOMETRY_HEAD && in[4] == EWKB_SRID >> 24;
        if (v->len < 5 || in[0] != 1 || (in[4] && !srid) || in[2] || in[3] || in[1] < 1 ||
                in[1] > GEOMETRY_TYPES)
                return convert_refuse(c, "it is not little-endian EWKB of a plane geometry", e);
        buf_add(&out, srid ? in + 5 : (const void *)no_srid, 4);
        buf_add(&out, in, 4);
        buf_char(&out, 0);
        buf_add(&out, in + (srid ? GEOMETRY_HEAD : 5), v->len - (srid ? GEOMETRY_HEAD : 5));
        convert_set(a, v, buf_text(&out), out.len);
        return 0;
}

convert_run *convert_to_geometry(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (from->class == TYPE_GEOMETRY)
                return convert_is_pg(to) ? geometry_to_hex : convert_pass;
        if (!convert_is_pg(from))
                return NULL;
        return from->class == TYPE_BLOB ||
                               (from->class == TYPE_OTHER && strstr(from->native, "geo"))
                       ? hex_to_geometry
                       : NULL;
}

convert_run *convert_to_bytes(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        if (from->class == TYPE_GEOMETRY)
                return convert_is_pg(to) ? convert_to_geometry(from, to, policy) : NULL;
        if ((from->class == TYPE_BIT && convert_is_pg(from)) || coltype_is_vector(from))
                return NULL;
        if (from->class == TYPE_UUID || coltype_is_bytes(from) || convert_is_text(from) ||
                from->class == TYPE_BLOB)
                return to_bytes;
        return NULL;
}

bool convert_bits_value(const struct coltype *from, const struct value *v, uint64_t *number)
{
        bool text = convert_is_pg(from);

        *number = 0;
        if (v->len > (text ? 64 : 8))
                return false;
        for (uint32_t i = 0; i < v->len; i++) {
                if (text && v->data[i] != '0' && v->data[i] != '1')
                        return false;
                *number = text ? *number << 1 | (v->data[i] == '1')
                               : *number << 8 | (uint8_t)v->data[i];
        }
        return true;
}

static void put_bits(struct arena *a, struct value *v, uint64_t number, uint32_t n)
{
        char *text = arena_alloc(a, n + 1);

        for (uint32_t i = 0; i < n; i++)
                text[i] = number >> (n - 1 - i) & 1 ? '1' : '0';
        text[n] = '\0';
        v->data = text;
        v->len = n;
}

void convert_bits_text(const struct coltype *from, struct arena *a, struct value *v)
{
        uint64_t number;

        if (!convert_is_pg(from) && convert_bits_value(from, v, &number))
                put_bits(a, v, number, from->length);
}

static void put_bit_bytes(struct arena *a, struct value *v, uint64_t number, uint32_t bits)
{
        uint32_t n = (bits + 7) / 8;
        char *bytes = arena_alloc(a, n + 1);

        for (uint32_t i = 0; i < n; i++)
                bytes[i] = (char)(number >> (8 * (n - 1 - i)));
        bytes[n] = '\0';
        v->data = bytes;
        v->len = n;
}

/* The value as a number; text, and bits of PostgreSQL, are zeros and ones. */
static bool bits_of(const struct convert *c, const struct value *v, uint64_t *number, uint32_t *n)
{
        struct coltype text = {.engine = ENGINE_POSTGRESQL};
        struct number integer;

        *n = convert_is_pg(c->from) || convert_is_text(c->from) ? v->len : c->from->length;
        if (c->from->class == TYPE_BIT)
                return convert_bits_value(c->from, v, number);
        if (convert_is_text(c->from))
                return convert_bits_value(&text, v, number);
        *n = c->to->length;
        if (c->from->class == TYPE_BOOL) {
                *number = v->len > 0 && (v->data[0] == 't' || v->data[0] == '1');
                return true;
        }
        return number_parse(v->data, v->len, &integer) && !integer.negative &&
               number_u64(&integer, number);
}

static int to_bit(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        const struct coltype *to = c->to;
        uint64_t number;
        uint32_t n;

        if (!bits_of(c, v, &number, &n) || n > 64)
                return convert_refuse(c, "it is not up to 64 bits", e);
        if (to->varying ? to->length && n > to->length : n != to->length)
                return convert_refuse(c, "it has another number of bits", e);
        if (n < 64 && number >> n)
                return convert_refuse(c, "it is out of range", e);
        if (convert_is_pg(to))
                put_bits(a, v, number, n);
        else
                put_bit_bytes(a, v, number, n);
        return 0;
}

/* PostgreSQL reads bit strings of any length by itself. */
static int check_bits(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)a;
        if (c->to->length && (c->to->varying ? v->len > c->to->length : v->len != c->to->length))
                return convert_refuse(c, "it has another number of bits", e);
        for (uint32_t i = 0; i < v->len; i++)
                if (v->data[i] != '0' && v->data[i] != '1')
                        return convert_refuse(c, "it is not made of zeros and ones", e);
        return 0;
}

convert_run *convert_to_bit(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (convert_is_pg(to) && convert_is_text(from))
                return check_bits;
        if (from->class == TYPE_INTEGER || from->class == TYPE_BOOL)
                return to->varying || !to->length ? NULL : to_bit;
        return from->class == TYPE_BIT || convert_is_text(from) ? to_bit : NULL;
}
