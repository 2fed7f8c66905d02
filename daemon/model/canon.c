#include "model/canon.h"
#include "base/memory.h"
#include "model/number.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void canon_run(const struct coltype *t, struct arena *a, struct value *v);

struct canon {
        canon_run *run; /* NULL: to the byte */
        const struct coltype *type;
};

static void put(struct arena *a, struct value *v, const char *text, size_t len)
{
        v->data = arena_text(a, text, len);
        v->len = (uint32_t)len;
}

static bool is_pg(const struct coltype *t)
{
        return t->engine == ENGINE_POSTGRESQL;
}

/* ---- numbers ---- */

/* As most integers are: digits, none of them a zero in front. */
static bool is_plain(const struct value *v)
{
        const char *at = v->data, *end = at + v->len;

        at += at < end && *at == '-';
        if (at == end || *at == '0')
                return v->len == 1 && *v->data == '0';
        while (at < end && isdigit((unsigned char)*at))
                at++;
        return at == end;
}

static void plain_number(const struct coltype *t, struct arena *a, struct value *v)
{
        struct number n = {0};
        size_t len = 0;

        (void)t;
        if (is_plain(v) || !number_parse(v->data, v->len, &n) || !number_expand(&n, a))
                return;
        if (number_is_zero(&n))
                n.negative = false;
        v->data = number_text(&n, a, &len);
        v->len = (uint32_t)len;
}

static void bits_of(struct arena *a, struct value *v, uint64_t bits)
{
        char text[24];

        put(a, v, text, (size_t)snprintf(text, sizeof text, "%016llx", (unsigned long long)bits));
}

/* NaN and the infinities have one text each. */
static bool is_finite_number(const struct value *v)
{
        struct number n = {0};

        return number_parse(v->data, v->len, &n);
}

static void double_bits(const struct coltype *t, struct arena *a, struct value *v)
{
        double d;
        uint64_t bits = 0;

        if (!is_finite_number(v))
                return;
        d = t->class == TYPE_FLOAT ? (double)strtof(v->data, NULL) : strtod(v->data, NULL);
        memcpy(&bits, &d, sizeof d);
        if (d == 0 && !is_pg(t))
                bits = 0;
        bits_of(a, v, bits);
}

static void boolean(const struct coltype *t, struct arena *a, struct value *v)
{
        (void)t;
        (void)a;
        v->data = v->len && strchr("tTyY1", *v->data) ? "t" : "f";
        v->len = 1;
}

/* ---- texts and bytes that are padded ---- */

static void cut_end(struct value *v, uint64_t pads)
{
        char pad[sizeof pads];

        memcpy(pad, &pads, sizeof pad);
        while (v->len >= sizeof pad && !memcmp(v->data + v->len - sizeof pad, pad, sizeof pad))
                v->len -= (uint32_t)sizeof pad;
        while (v->len > 0 && v->data[v->len - 1] == *pad)
                v->len--;
}

static void without_blanks(const struct coltype *t, struct arena *a, struct value *v)
{
        (void)t;
        (void)a;
        cut_end(v, UINT64_C(0x2020202020202020));
}

static void without_zeros(const struct coltype *t, struct arena *a, struct value *v)
{
        (void)t;
        (void)a;
        cut_end(v, 0);
}

static void bit_bytes(const struct coltype *t, struct arena *a, struct value *v)
{
        (void)t;
        (void)a;
        while (v->len > 0 && *v->data == '\0') {
                v->data++;
                v->len--;
        }
}

/* ---- times ---- */

/* "12:00:00.500000+00" to "12:00:00.5+00". */
static void short_fraction(const struct coltype *t, struct arena *a, struct value *v)
{
        const char *point = memchr(v->data, '.', v->len), *stop, *end = v->data + v->len;
        size_t front;
        char *text;

        (void)t;
        if (!point)
                return;
        for (stop = point + 1; stop < end && isdigit((unsigned char)*stop); stop++)
                ;
        front = (size_t)(stop - v->data);
        while (v->data[front - 1] == '0')
                front--;
        front -= v->data[front - 1] == '.';
        text = arena_alloc(a, v->len + 1u);
        memcpy(text, v->data, front);
        memcpy(text + front, stop, (size_t)(end - stop));
        v->len = (uint32_t)(front + (size_t)(end - stop));
        text[v->len] = '\0';
        v->data = text;
}

static void time_of_day(const struct coltype *t, struct arena *a, struct value *v)
{
        short_fraction(t, a, v);
        if (v->len == 9 && !memcmp(v->data, "-00:00:00", 9))
                put(a, v, v->data + 1, 8);
}

/* ---- one spelling ---- */

static void lower_hex(struct arena *a, struct value *v, bool dashes)
{
        char *text = arena_alloc(a, v->len + 1u);
        uint32_t n = 0;

        for (uint32_t i = 0; i < v->len; i++)
                if (dashes || !strchr("-{}", v->data[i]))
                        text[n++] = (char)tolower((unsigned char)v->data[i]);
        text[n] = '\0';
        v->data = text;
        v->len = n;
}

static void uuid(const struct coltype *t, struct arena *a, struct value *v)
{
        (void)t;
        lower_hex(a, v, false);
}

static void geometry_hex(const struct coltype *t, struct arena *a, struct value *v)
{
        (void)t;
        lower_hex(a, v, true);
}

static void inet(const struct coltype *t, struct arena *a, struct value *v)
{
        unsigned char address[16];
        char text[INET6_ADDRSTRLEN + 1];
        int family = memchr(v->data, ':', v->len) ? AF_INET6 : AF_INET;

        (void)t;
        if (v->len < sizeof text && inet_pton(family, v->data, address) == 1 &&
                inet_ntop(family, address, text, sizeof text))
                put(a, v, text, strlen(text));
}

static void json_by_value(const struct coltype *t, struct arena *a, struct value *v)
{
        canon_json(a, v, !is_pg(t));
}

/* ---- arrays ---- */

/* Behind an element, whose text is added in quotes; NULL: cut inside of an escape. */
static const char *add_element(struct buf *out, const char *at, const char *end)
{
        bool quoted = *at == '"';
        size_t begin = out->len;

        buf_char(out, '"');
        for (at += quoted; at < end && (quoted ? *at != '"' : !*at || !strchr(",{}", *at)); at++) {
                if (*at == '\\' && ++at == end)
                        return NULL;
                if (*at == '"' || *at == '\\')
                        buf_char(out, '\\');
                buf_char(out, *at);
        }
        buf_char(out, '"');
        if (!quoted && out->len - begin == 6 && !strncasecmp(out->data + begin, "\"null\"", 6)) {
                out->len = begin;
                buf_str(out, "NULL");
        }
        return at + (quoted && at < end);
}

static void quoted_array(const struct coltype *t, struct arena *a, struct value *v)
{
        const char *at = v->data, *end = at + v->len;
        AUTO_BUF out = BUF_INIT;

        (void)t;
        while (at && at < end) {
                if (*at && strchr("{},", *at))
                        buf_char(&out, *at++);
                else
                        at = add_element(&out, at, end);
        }
        if (at)
                put(a, v, buf_text(&out), out.len);
}

/* ---- choice ---- */

static bool is_named(const struct coltype *t, const char *name)
{
        const char *dot = t->native ? strrchr(t->native, '.') : NULL;
        const char *base = dot ? dot + 1 : t->native ? t->native : "";
        size_t n = strlen(name);

        return !strncmp(base, name, n) && (base[n] == '\0' || base[n] == '(');
}

static canon_run *of_other(const struct coltype *t)
{
        if (is_named(t, "inet"))
                return inet;
        return is_named(t, "geometry") || is_named(t, "geography") ? geometry_hex : NULL;
}

static canon_run *choose(const struct coltype *t)
{
        switch (t->class) {
        case TYPE_INTEGER:
        case TYPE_YEAR:
                return plain_number;
        case TYPE_DECIMAL:
                return t->length ? plain_number : NULL;
        case TYPE_FLOAT:
        case TYPE_DOUBLE:
                return double_bits;
        case TYPE_BOOL:
                return boolean;
        case TYPE_BIT:
                return is_pg(t) ? NULL : bit_bytes;
        case TYPE_CHAR:
                return without_blanks;
        case TYPE_BINARY:
                return without_zeros;
        case TYPE_TIME:
        case TYPE_INTERVAL:
                return time_of_day;
        case TYPE_TIMETZ:
        case TYPE_DATETIME:
        case TYPE_TIMESTAMPTZ:
                return short_fraction;
        case TYPE_UUID:
                return uuid;
        case TYPE_INET4:
        case TYPE_INET6:
                return inet;
        case TYPE_JSON:
                return t->engine == ENGINE_MYSQL ? json_by_value : NULL;
        case TYPE_JSONB:
                return json_by_value;
        case TYPE_ARRAY:
                return quoted_array;
        case TYPE_OTHER:
                return of_other(t);
        default:
                return NULL;
        }
}

struct canon *canon_new(const struct coltype *t)
{
        struct canon *c = memory_new_of(struct canon);

        c->type = t;
        c->run = choose(t);
        return c;
}

struct canon *canon_free(struct canon *c)
{
        free(c);
        return NULL;
}

void canon_value(const struct canon *c, struct arena *a, struct value *v)
{
        if (c->run && v->kind == VALUE_TEXT)
                c->run(c->type, a, v);
}

static bool is_number(const struct coltype *t)
{
        return t->class == TYPE_INTEGER || t->class == TYPE_DECIMAL || t->class == TYPE_YEAR;
}

static bool is_moment(const struct coltype *t)
{
        return t->class == TYPE_DATE || t->class == TYPE_DATETIME || t->class == TYPE_TIMESTAMPTZ;
}

bool canon_same_order(const struct coltype *a, const struct coltype *b)
{
        if (is_number(a) || is_moment(a))
                return is_number(a) ? is_number(b) : is_moment(b);
        return a->class == TYPE_UUID && b->class == TYPE_UUID && a->engine == b->engine;
}
