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

/* Appends the value to r->text and a NUL; moves *at behind its tab. -1: cut in an escape. */
static int take_value(struct copy_row *r, const char **at, const char *end, struct filter_value *v)
{
        const char *p = *at;
        size_t start = r->text.len;

        *v = (struct filter_value){0};
        if (end - p >= 2 && p[0] == '\\' && p[1] == 'N' && (end - p == 2 || p[2] == '\t')) {
                v->null = true;
                p += 2;
        }
        for (; p < end && *p != '\t'; p++) {
                if (*p != '\\') {
                        buf_char(&r->text, *p);
                        continue;
                }
                if (++p == end)
                        return -1;
                buf_char(&r->text, unescape(*p));
        }
        v->len = r->text.len - start;
        buf_char(&r->text, '\0');
        *at = p;
        return 0;
}

/* The buffer may have moved while it grew: values point into it only now. */
static void point(struct copy_row *r, unsigned n)
{
        const char *at = buf_text(&r->text);

        for (unsigned i = 0; i < n; i++) {
                r->columns[i].text = at;
                at += r->columns[i].len + 1;
        }
}

int copy_row_split(struct copy_row *r, const char *line, size_t len, unsigned n)
{
        const char *at = line, *end = line + len;

        if (!r->columns)
                r->columns = memory_new(1664 * sizeof *r->columns);
        if (n > 1664)
                return -1;
        if (len && end[-1] == '\n')
                end--;
        buf_clear(&r->text);
        for (unsigned i = 0; i < n; i++) {
                if (take_value(r, &at, end, &r->columns[i]) < 0)
                        return -1;
                if (i + 1 < n && (at == end || *at++ != '\t'))
                        return -1;
        }
        if (at != end)
                return -1;
        point(r, n);
        return 0;
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
