#include "ops/copy_row.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void copy_row_done(struct copy_row *r)
{
        free(r->columns);
        free(r->values);
        buf_done(&r->text);
        *r = (struct copy_row){0};
}

/*
 * COPY's text format, as CopyAttributeOutText (PostgreSQL, copyto.c) writes it: \b \f \n \r \t \v
 * and \\ stand for their bytes, \N alone for NULL; any other escaped byte stands for itself.
 * Octal and hex forms are only read by servers, never written.
 */
static char unescape(char c)
{
        static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
        const char *at = c ? strchr(from, c) : NULL;

        return at ? to[at - from] : c;
}

/* The text of a value up to its tab, without escapes; behind what it wrote. NULL: cut in one. */
static char *copy_unescaped(char *to, const char *from, const char *stop)
{
        const char *mark;

        while ((mark = memchr(from, '\\', (size_t)(stop - from)))) {
                memcpy(to, from, (size_t)(mark - from));
                to += mark - from;
                if (mark + 1 == stop)
                        return NULL;
                *to++ = unescape(mark[1]);
                from = mark + 2;
        }
        memcpy(to, from, (size_t)(stop - from));
        return to + (stop - from);
}

/* The value to *to, which moves behind it and its NUL, as *at behind the value. A tab that is
 * escaped is written as \t, so the next one ends it. -1: cut in an escape. */
static int take_value(char **to, const char **at, const char *end, struct filter_value *v)
{
        const char *p = *at, *stop = memchr(p, '\t', (size_t)(end - p));
        char *behind;

        if (!stop)
                stop = end;
        *v = (struct filter_value){.text = *to};
        if (stop - p == 2 && p[0] == '\\' && p[1] == 'N') {
                v->null = true;
                p = stop;
        }
        if (!(behind = copy_unescaped(*to, p, stop)))
                return -1;
        v->len = (size_t)(behind - *to);
        *behind = '\0';
        *to = behind + 1;
        *at = stop;
        return 0;
}

int copy_row_split(struct copy_row *r, const char *line, size_t len, unsigned n)
{
        const char *at = line, *end = line + len;
        char *to;

        if (!r->columns)
                r->columns = memory_new(1664 * sizeof *r->columns);
        if (n > 1664)
                return -1;
        if (len && end[-1] == '\n')
                end--;
        buf_clear(&r->text);
        to = buf_room(&r->text, len + n + 1);
        for (unsigned i = 0; i < n; i++) {
                if (take_value(&to, &at, end, &r->columns[i]) < 0)
                        return -1;
                if (i + 1 < n && (at == end || *at++ != '\t'))
                        return -1;
        }
        return at == end ? 0 : -1;
}

int copy_filter_line(const struct copy_filter *f, struct copy_row *r, const char *line, size_t len)
{
        if (copy_row_split(r, line, len, f->columns_n) < 0)
                return -1;
        if (!r->values)
                r->values = memory_new(1664 * sizeof *r->values);
        for (unsigned i = 0; i < f->n; i++)
                r->values[i] = r->columns[f->at[i]];
        return filter_passes(f->filter, r->values);
}
