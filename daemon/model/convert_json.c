#include "model/convert_private.h"
#include "model/number.h"

#include <stdlib.h>
#include <string.h>

/*
 * JSON (RFC 8259) is scanned, not read into a tree: is it valid, does the target keep all of it?
 * MySQL stores integers of 64 bits and doubles. MySQL and jsonb keep one of two equal keys, and
 * jsonb has no \u0000. Keys are compared as they are written.
 */

#define DEPTH_MAX 1000

struct scan {
        const char *at, *end;
        struct buf *out; /* the text with MySQL's blanks; or NULL */
        bool numbers;    /* MySQL's limits */
        bool unique;     /* no key twice in an object */
        bool no_nul;     /* no \u0000 */
        unsigned depth;
        const char *wrong; /* why it was given up */
};

static bool scan_value(struct scan *s);

static bool give_up(struct scan *s, const char *why)
{
        s->wrong = why;
        return false;
}

static bool invalid(struct scan *s)
{
        return give_up(s, "it is not valid JSON");
}

static void skip_blanks(struct scan *s)
{
        while (s->at < s->end && strchr(" \t\n\r", *s->at) && *s->at)
                s->at++;
}

static void emit(struct scan *s, const char *from, size_t len)
{
        if (s->out)
                buf_add(s->out, from, len);
}

static bool take(struct scan *s, char c, const char *as)
{
        skip_blanks(s);
        if (s->at == s->end || *s->at != c)
                return false;
        s->at++;
        emit(s, as, strlen(as));
        return true;
}

/* Behind a backslash. */
static bool scan_escape(struct scan *s)
{
        char c = s->at < s->end ? *s->at++ : '\0';

        if (c && strchr("\"\\/bfnrt", c))
                return true;
        if (c != 'u' || s->end - s->at < 4)
                return invalid(s);
        if (s->no_nul && !memcmp(s->at, "0000", 4))
                return give_up(s, "it contains \\u0000");
        for (unsigned i = 0; i < 4; i++, s->at++)
                if (!*s->at || !strchr("0123456789abcdefABCDEF", *s->at))
                        return invalid(s);
        return true;
}

static bool scan_string(struct scan *s)
{
        const char *begin;

        skip_blanks(s);
        begin = s->at;
        if (s->at == s->end || *s->at++ != '"')
                return invalid(s);
        while (s->at < s->end && *s->at != '"') {
                char c = *s->at++;

                if ((unsigned char)c < ' ')
                        return invalid(s);
                if (c == '\\' && !scan_escape(s))
                        return false;
        }
        if (s->at == s->end)
                return invalid(s);
        s->at++;
        emit(s, begin, (size_t)(s->at - begin));
        return true;
}

static size_t scan_digits(struct scan *s)
{
        const char *begin = s->at;

        while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
                s->at++;
        return (size_t)(s->at - begin);
}

static bool fits_mysql(const char *text, const struct number *n, bool integer)
{
        uint64_t size;

        if (!integer)
                return number_survives_double(n, text);
        return number_u64(n, &size) && (!n->negative || size <= (uint64_t)INT64_MAX + 1);
}

/* The digits in front of the point: no zero before another one. */
static bool scan_whole(struct scan *s)
{
        bool zero;
        size_t n;

        if (*s->at == '-')
                s->at++;
        zero = s->at < s->end && *s->at == '0';
        n = scan_digits(s);
        return n == 1 || (n > 1 && !zero);
}

/* Behind the whole: *integer false where there is a fraction or an exponent. */
static bool scan_part(struct scan *s, bool *integer)
{
        *integer = true;
        if (s->at < s->end && *s->at == '.') {
                *integer = false;
                s->at++;
                if (scan_digits(s) == 0)
                        return false;
        }
        if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
                *integer = false;
                s->at++;
                if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
                        s->at++;
                return scan_digits(s) > 0;
        }
        return true;
}

static bool scan_number(struct scan *s)
{
        const char *begin = s->at;
        struct number n;
        bool integer;

        if (!scan_whole(s) || !scan_part(s, &integer))
                return invalid(s);
        if (s->numbers && (!number_parse(begin, (size_t)(s->at - begin), &n) ||
                                  !fits_mysql(begin, &n, integer)))
                return give_up(s, "it has a number that MySQL would round");
        emit(s, begin, (size_t)(s->at - begin));
        return true;
}

struct key {
        const char *text;
        size_t len;
};

static int compare_keys(const void *x, const void *y)
{
        const struct key *a = x, *b = y;

        if (a->len != b->len)
                return a->len < b->len ? -1 : 1;
        return memcmp(a->text, b->text, a->len);
}

static bool all_different(struct buf *keys)
{
        struct key *list = (struct key *)(void *)keys->data;
        size_t n = keys->len / sizeof *list;

        if (n < 2)
                return true;
        qsort(list, n, sizeof *list, compare_keys);
        for (size_t i = 1; i < n; i++)
                if (!compare_keys(&list[i - 1], &list[i]))
                        return false;
        return true;
}

static bool scan_object(struct scan *s)
{
        AUTO_BUF keys = BUF_INIT;

        if (take(s, '}', "}"))
                return true;
        do {
                struct key key;

                skip_blanks(s);
                key.text = s->at;
                if (!scan_string(s))
                        return false;
                key.len = (size_t)(s->at - key.text);
                if (s->unique)
                        buf_add(&keys, &key, sizeof key);
                if (!take(s, ':', ": "))
                        return invalid(s);
                if (!scan_value(s))
                        return false;
        } while (take(s, ',', ", "));
        if (!take(s, '}', "}"))
                return invalid(s);
        return all_different(&keys) || give_up(s, "it has a key twice, of which one would be lost");
}

static bool scan_array(struct scan *s)
{
        if (take(s, ']', "]"))
                return true;
        do {
                if (!scan_value(s))
                        return false;
        } while (take(s, ',', ", "));
        return take(s, ']', "]") || invalid(s);
}

static bool scan_word(struct scan *s)
{
        static const char *const words[] = {"true", "false", "null"};

        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                size_t len = strlen(words[i]);

                if ((size_t)(s->end - s->at) >= len && !memcmp(s->at, words[i], len)) {
                        s->at += len;
                        emit(s, words[i], len);
                        return true;
                }
        }
        return invalid(s);
}

static bool scan_nested(struct scan *s)
{
        bool object = *s->at == '{', good;

        if (++s->depth > DEPTH_MAX)
                return give_up(s, "it is nested too deeply");
        s->at++;
        emit(s, object ? "{" : "[", 1);
        good = object ? scan_object(s) : scan_array(s);
        s->depth--;
        return good;
}

static bool scan_value(struct scan *s)
{
        skip_blanks(s);
        if (s->at == s->end)
                return invalid(s);
        if (*s->at == '{' || *s->at == '[')
                return scan_nested(s);
        if (*s->at == '"')
                return scan_string(s);
        if (*s->at == '-' || (*s->at >= '0' && *s->at <= '9'))
                return scan_number(s);
        return scan_word(s);
}

static int to_json(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        bool mysql = c->to->engine == ENGINE_MYSQL;
        AUTO_BUF out = BUF_INIT;
        struct scan s = {.at = v->data,
                .end = v->data + v->len,
                .out = c->from->engine == ENGINE_MYSQL && c->from->class == TYPE_JSON ? &out : NULL,
                .numbers = mysql,
                .unique = mysql || c->to->class == TYPE_JSONB,
                .no_nul = c->to->class == TYPE_JSONB};

        if (convert_check_text(c, v, e) < 0)
                return -1;
        if (scan_value(&s)) {
                skip_blanks(&s);
                if (s.at < s.end)
                        invalid(&s);
        }
        if (s.wrong)
                return convert_refuse(c, s.wrong, e);
        if (s.out && (out.len != v->len || memcmp(buf_text(&out), v->data, out.len) != 0))
                convert_set(a, v, buf_text(&out), out.len);
        return 0;
}

convert_run *convert_to_json(
        const struct coltype *from, const struct coltype *to, const struct convert_policy *policy)
{
        (void)policy;
        if (from->engine == to->engine && from->class == to->class)
                return convert_pass;
        return from->class == TYPE_JSON || from->class == TYPE_JSONB || convert_is_text(from)
                       ? to_json
                       : NULL;
}
