#include "model/pattern.h"
#include "base/buf.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 255

static bool is_wild(char c)
{
        return c == '*' || c == '?';
}

static int quoted_part(const char **p, struct buf *out, bool escape, struct error *e)
{
        const char *s = *p + 1;

        for (; *s; s++) {
                if (*s == '"' && s[1] != '"')
                        break;
                if (*s == '"')
                        s++;
                if (escape && (is_wild(*s) || *s == '\\'))
                        buf_char(out, '\\');
                buf_char(out, *s);
        }
        if (*s != '"')
                return error_set(e, ERROR_CONFIG, "a quote is not closed");
        *p = s + 1;
        return 0;
}

static int bare_part(const char **p, struct buf *out, bool escape, struct error *e)
{
        const char *s = *p;

        for (; *s && *s != '.'; s++) {
                if (*s == '"' || *s == ',' || (unsigned char)*s <= ' ')
                        return error_set(e, ERROR_CONFIG,
                                "a name with a quote, a comma or a space needs \"double quotes\"");
                if (is_wild(*s) && !escape)
                        return error_set(e, ERROR_CONFIG, "a name without * and ? is wanted");
                if (*s == '\\' && escape)
                        buf_char(out, '\\');
                buf_char(out, *s);
        }
        *p = s;
        return 0;
}

/* One part up to a dot or the end. With `escape`, characters that stand for themselves but look
 * like wildcards get a backslash. */
static char *take_part(const char **p, bool escape, struct error *e)
{
        AUTO_BUF out = BUF_INIT;
        int rc = **p == '"' ? quoted_part(p, &out, escape, e) : bare_part(p, &out, escape, e);

        if (rc < 0)
                return NULL;
        if (out.len == 0) {
                error_set(e, ERROR_CONFIG, "a name is empty");
                return NULL;
        }
        if (out.len > NAME_MAX_BYTES) {
                error_set(e, ERROR_CONFIG, "a name is longer than %d bytes", NAME_MAX_BYTES);
                return NULL;
        }
        if (**p && **p != '.') {
                error_set(e, ERROR_CONFIG, "text after a closing quote");
                return NULL;
        }
        return buf_take(&out);
}

/* One or two parts; the first is in *one, the second, if any, in *two. */
static int take_parts(const char *text, bool escape, char **one, char **two, struct error *e)
{
        AUTO_STRING first = take_part(&text, escape, e);
        AUTO_STRING second = NULL;

        if (!first)
                return -1;
        if (*text == '.') {
                text++;
                second = take_part(&text, escape, e);
                if (!second)
                        return -1;
        }
        if (*text) {
                error_set(e, ERROR_CONFIG, "more than schema.table");
                return -1;
        }
        *one = first;
        *two = second;
        first = second = NULL;
        return 0;
}

int pattern_split(const char *text, char **schema, char **name, struct error *e)
{
        if (take_parts(text, true, schema, name, e) < 0)
                return -1;
        if (*name)
                return 0;
        memory_free_string(schema);
        error_set(e, ERROR_CONFIG, "schema.table is wanted");
        return -1;
}

int pattern_name(const char *text, char **schema, char **name, struct error *e)
{
        char *one = NULL, *two = NULL;

        if (take_parts(text, false, &one, &two, e) < 0)
                return -1;
        if (two && !schema) {
                free(one);
                free(two);
                return error_set(e, ERROR_CONFIG, "one name without a dot is wanted");
        }
        if (schema)
                *schema = two ? one : NULL;
        *name = two ? two : one;
        return 0;
}

bool pattern_is_plain(const char *text)
{
        bool quoted = false;

        for (; *text; text++) {
                if (*text == '"')
                        quoted = !quoted;
                else if (is_wild(*text) && !quoted)
                        return false;
        }
        return true;
}

/* The next character of UTF-8 text. */
static const char *step(const char *s)
{
        do
                s++;
        while (((unsigned char)*s & 0xc0) == 0x80);
        return s;
}

/* Goes back to the last * only, so the time is bounded by the product of the lengths. */
static bool part_matches(const char *pattern, const char *name)
{
        const char *star = NULL, *from = NULL;

        while (*name) {
                bool literal = *pattern == '\\';

                if (*pattern == '*') {
                        star = ++pattern;
                        from = name;
                } else if (*pattern == '?') {
                        pattern++;
                        name = step(name);
                } else if (pattern[literal] == *name) {
                        pattern += 1 + literal;
                        name++;
                } else if (star) {
                        pattern = star;
                        name = from = step(from);
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return !*pattern;
}

bool pattern_matches(const char *pattern, const char *schema, const char *name)
{
        AUTO_STRING in_schema = NULL;
        AUTO_STRING in_name = NULL;
        struct error e;

        if (pattern_split(pattern, &in_schema, &in_name, &e) < 0)
                return false;
        return part_matches(in_schema, schema) && part_matches(in_name, name);
}

/* A copy of the item without blanks around it; NULL: nothing is left. */
static char *trimmed(const char *s, size_t len)
{
        AUTO_BUF out = BUF_INIT;

        while (len > 0 && (*s == ' ' || *s == '\t'))
                s++, len--;
        while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
                len--;
        buf_add(&out, s, len);
        return len ? buf_take(&out) : NULL;
}

static size_t item_length(const char *s)
{
        bool quoted = false;
        size_t n = 0;

        for (; s[n] && (s[n] != ',' || quoted); n++)
                if (s[n] == '"')
                        quoted = !quoted;
        return n;
}

int pattern_list(const char *text, char ***items, unsigned *n, struct error *e)
{
        *items = NULL;
        *n = 0;
        if (!text[strspn(text, " \t")])
                return 0;
        for (;;) {
                size_t len = item_length(text);
                char *item = trimmed(text, len);

                if (!item)
                        break;
                if ((*n & (*n - 1)) == 0)
                        *items = memory_grow(*items, (*n ? *n * 2 : 1) * sizeof **items);
                (*items)[(*n)++] = item;
                if (!text[len])
                        return 0;
                text += len + 1;
        }
        while (*n > 0)
                free((*items)[--*n]);
        free(*items);
        *items = NULL;
        return error_set(e, ERROR_CONFIG, "an item of the list is empty");
}
