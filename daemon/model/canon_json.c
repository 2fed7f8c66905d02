/*
 * JSON by value (RFC 8259), for comparing. What a server has stored is valid; what is not is left
 * as it is. Strings become their bytes with the length in front, so that nothing can be taken for
 * something else.
 */
#include "base/memory.h"
#include "model/canon.h"
#include "model/number.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 1000

struct parse {
        const char *at, *end;
        struct arena *arena;
        bool doubles;
        unsigned depth;
};

struct member {
        struct buf key, value;
        size_t order; /* of two equal keys the later one holds */
};

static bool parse_value(struct parse *p, struct buf *out);

static void skip_blanks(struct parse *p)
{
        while (p->at < p->end &&
                (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
                p->at++;
}

static bool take(struct parse *p, char c)
{
        skip_blanks(p);
        if (p->at == p->end || *p->at != c)
                return false;
        p->at++;
        return true;
}

/* ---- strings ---- */

static bool four_digits(struct parse *p, uint32_t *unit)
{
        char text[5] = "", *end;

        if (p->end - p->at < 4)
                return false;
        memcpy(text, p->at, 4);
        *unit = (uint32_t)strtoul(text, &end, 16);
        p->at += 4;
        return end == text + 4 && text[0] != '-' && text[0] != '+' && text[0] != ' ';
}

static void put_character(struct buf *out, uint32_t c)
{
        if (c < 0x80) {
                buf_char(out, (char)c);
                return;
        }
        if (c >= 0x10000) {
                buf_char(out, (char)(0xf0 | c >> 18));
                buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        } else if (c >= 0x800) {
                buf_char(out, (char)(0xe0 | c >> 12));
        } else {
                buf_char(out, (char)(0xc0 | c >> 6));
        }
        if (c >= 0x800)
                buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_char(out, (char)(0x80 | (c & 0x3f)));
}

static bool parse_unicode(struct parse *p, struct buf *out)
{
        uint32_t high, low;

        if (!four_digits(p, &high))
                return false;
        if (high < 0xd800 || high > 0xdbff || p->end - p->at < 6 || p->at[0] != '\\' ||
                p->at[1] != 'u') {
                put_character(out, high);
                return true;
        }
        p->at += 2;
        if (!four_digits(p, &low) || low < 0xdc00 || low > 0xdfff)
                return false;
        put_character(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        return true;
}

static bool parse_escape(struct parse *p, struct buf *out)
{
        static const char from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
        const char *known;

        if (p->at == p->end)
                return false;
        if (*p->at == 'u') {
                p->at++;
                return parse_unicode(p, out);
        }
        if (!*p->at || !(known = strchr(from, *p->at)))
                return false;
        p->at++;
        buf_char(out, to[known - from]);
        return true;
}

static bool parse_string(struct parse *p, struct buf *out)
{
        AUTO_BUF text = BUF_INIT;

        if (!take(p, '"'))
                return false;
        while (p->at < p->end && *p->at != '"') {
                const char *stop = p->at;

                while (stop < p->end && *stop != '"' && *stop != '\\')
                        stop++;
                buf_add(&text, p->at, (size_t)(stop - p->at));
                p->at = stop;
                if (p->at < p->end && *p->at == '\\') {
                        p->at++;
                        if (!parse_escape(p, &text))
                                return false;
                }
        }
        if (p->at++ >= p->end)
                return false;
        buf_printf(out, "s%zu:", text.len);
        buf_add(out, buf_text(&text), text.len);
        return true;
}

/* ---- numbers ---- */

static bool is_whole(const char *text, size_t len)
{
        return !memchr(text, '.', len) && !memchr(text, 'e', len) && !memchr(text, 'E', len);
}

/* How many digits behind the point a decimal of this text keeps. */
static long scale_of(const char *text, size_t len)
{
        const char *point = memchr(text, '.', len), *end = text + len;
        const char *e = memchr(text, 'e', len);
        long digits;

        e = e ? e : memchr(text, 'E', len);
        digits = point ? (e ? e : end) - point - 1 : 0;
        digits -= e ? strtol(e + 1, NULL, 10) : 0;
        return digits > 0 ? digits : 0;
}

static void put_double(struct buf *out, const char *text)
{
        double d = strtod(text, NULL);

        buf_printf(out, "d%.17g", d == 0 ? 0.0 : d);
}

static bool parse_number(struct parse *p, struct buf *out)
{
        const char *begin = p->at;
        struct number n = {0};
        size_t len, plain = 0;
        uint64_t size;
        char *text;

        while (p->at < p->end && *p->at && strchr("+-.0123456789eE", *p->at))
                p->at++;
        len = (size_t)(p->at - begin);
        text = arena_text(p->arena, begin, len);
        if (!number_parse(text, len, &n))
                return false;
        if (p->doubles && (!is_whole(text, len) || !number_u64(&n, &size) ||
                                  (n.negative && size > (uint64_t)INT64_MAX + 1))) {
                put_double(out, text);
                return true;
        }
        if (!number_expand(&n, p->arena))
                return false;
        if (number_is_zero(&n))
                n.negative = false;
        begin = number_text(&n, p->arena, &plain);
        buf_printf(out, "n%ld:", p->doubles ? 0 : scale_of(text, len));
        buf_add(out, begin, plain);
        return true;
}

/* ---- arrays and objects ---- */

static bool parse_array(struct parse *p, struct buf *out)
{
        buf_char(out, '[');
        if (!take(p, ']')) {
                do {
                        if (!parse_value(p, out))
                                return false;
                        buf_char(out, ',');
                } while (take(p, ','));
                if (!take(p, ']'))
                        return false;
        }
        buf_char(out, ']');
        return true;
}

static int by_key(const void *x, const void *y)
{
        const struct member *a = x, *b = y;
        size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
        int order = memcmp(a->key.data, b->key.data, n);

        if (order)
                return order;
        if (a->key.len != b->key.len)
                return a->key.len < b->key.len ? -1 : 1;
        return a->order < b->order ? -1 : 1;
}

static void put_members(struct buf *out, struct member *m, size_t n)
{
        if (n)
                qsort(m, n, sizeof *m, by_key);
        for (size_t i = 0; i < n; i++) {
                if (i + 1 < n && m[i].key.len == m[i + 1].key.len &&
                        !memcmp(m[i].key.data, m[i + 1].key.data, m[i].key.len))
                        continue;
                buf_add(out, m[i].key.data, m[i].key.len);
                buf_char(out, ':');
                buf_add(out, m[i].value.data, m[i].value.len);
                buf_char(out, ',');
        }
}

static bool parse_members(struct parse *p, struct member **m, size_t *n)
{
        if (take(p, '}'))
                return true;
        do {
                if ((*n & (*n - 1)) == 0)
                        *m = memory_grow(*m, (*n ? *n * 2 : 1) * sizeof **m);
                (*m)[*n] = (struct member){.order = *n};
                ++*n;
                if (!parse_string(p, &(*m)[*n - 1].key) || !take(p, ':') ||
                        !parse_value(p, &(*m)[*n - 1].value))
                        return false;
        } while (take(p, ','));
        return take(p, '}');
}

static bool parse_object(struct parse *p, struct buf *out)
{
        struct member *m = NULL;
        size_t n = 0;
        bool good = parse_members(p, &m, &n);

        buf_char(out, '{');
        if (good)
                put_members(out, m, n);
        buf_char(out, '}');
        for (size_t i = 0; i < n; i++) {
                buf_done(&m[i].key);
                buf_done(&m[i].value);
        }
        free(m);
        return good;
}

static bool parse_word(struct parse *p, struct buf *out, const char *word)
{
        size_t n = strlen(word);

        if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
                return false;
        p->at += n;
        buf_str(out, word);
        return true;
}

static bool parse_value(struct parse *p, struct buf *out)
{
        bool good;

        skip_blanks(p);
        if (p->at == p->end || ++p->depth > DEPTH_MAX)
                return false;
        switch (*p->at) {
        case '{':
                p->at++;
                good = parse_object(p, out);
                break;
        case '[':
                p->at++;
                good = parse_array(p, out);
                break;
        case '"':
                good = parse_string(p, out);
                break;
        case 't':
                good = parse_word(p, out, "true");
                break;
        case 'f':
                good = parse_word(p, out, "false");
                break;
        case 'n':
                good = parse_word(p, out, "null");
                break;
        default:
                good = parse_number(p, out);
        }
        p->depth--;
        return good;
}

bool canon_json(struct arena *a, struct value *v, bool doubles)
{
        struct parse p = {.at = v->data, .end = v->data + v->len, .arena = a, .doubles = doubles};
        AUTO_BUF out = BUF_INIT;

        if (!parse_value(&p, &out))
                return false;
        skip_blanks(&p);
        if (p.at != p.end)
                return false;
        v->data = arena_text(a, buf_text(&out), out.len);
        v->len = (uint32_t)out.len;
        return true;
}
