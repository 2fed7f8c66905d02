#include "base/memory.h"
#include "db/my.h"
#include "db/my_ddl_private.h"

#include <stdlib.h>
#include <string.h>

/*
 * The text of SHOW CREATE TABLE:
 *
 *   CREATE TABLE `name` (
 *     `column` type ...,
 *     PRIMARY KEY (`column`),
 *     UNIQUE KEY `name` (`column`(10)),       KEY, FULLTEXT KEY, SPATIAL KEY
 *     CONSTRAINT `name` FOREIGN KEY ...,      or CHECK (...)
 *   ) ENGINE=InnoDB ...
 *
 * Names are in backticks wherever they stand, also in expressions, so that they can be changed
 * without understanding what is around them.
 */
struct source {
        const struct table_def *t;
        const struct ddl_names *n;
        struct ddl *out;
        struct buf sql;
        int kept; /* index that the counter needs, or -1 */
};

/* Behind a quoted text that begins at `at`, at most at `end`. */
static const char *after_quote(const char *at, const char *end)
{
        char quote = *at++;

        for (; at < end; at++) {
                if (*at == '\\' && quote != '`')
                        at++;
                else if (*at == quote && at + 1 < end && at[1] == quote)
                        at++;
                else if (*at == quote)
                        return at + 1;
        }
        return end;
}

static bool is_quote(char c)
{
        return c == '`' || c == '\'' || c == '"';
}

/* The end of the element that begins at `at`: its comma, or the parenthesis that ends the list. */
static const char *element_end(const char *at, const char *end)
{
        unsigned depth = 0;

        while (at < end) {
                if (is_quote(*at)) {
                        at = after_quote(at, end);
                        continue;
                }
                if (depth == 0 && (*at == ',' || *at == ')'))
                        break;
                depth += *at == '(';
                depth -= *at == ')';
                at++;
        }
        return at;
}

/* The name in backticks at `at`, without them. */
static char *name_at(const char *at, const char *end)
{
        AUTO_BUF name = BUF_INIT;

        for (at++; at < end; at++) {
                if (*at == '`' && (at + 1 >= end || at[1] != '`'))
                        break;
                at += *at == '`';
                buf_char(&name, *at);
        }
        return memory_string(buf_text(&name));
}

/* Copies with the columns' new names. False: it uses one that is left out. */
static bool renamed(struct source *s, struct buf *out, const char *at, const char *end)
{
        while (at < end) {
                const char *next = is_quote(*at) ? after_quote(at, end) : at + 1;
                AUTO_STRING name = *at == '`' ? name_at(at, next) : NULL;
                int column = name ? table_def_column(s->t, name) : -1;

                if (column >= 0 && at[-1] != '.' && *next != '.') {
                        const char *target = ddl_column(s->n, s->t, (unsigned)column);

                        if (!target)
                                return false;
                        my_ident(out, target);
                } else {
                        buf_add(out, at, (size_t)(next - at));
                }
                at = next;
        }
        return true;
}

static void add_line(struct source *s, const struct buf *text)
{
        buf_str(&s->sql, s->sql.data[s->sql.len - 1] == '(' ? "\n  " : ",\n  ");
        buf_add(&s->sql, text->data, text->len);
}

/* my_catalog_exact.c has taken it out of the text; MySQL's own tells it. */
static bool is_default_unknown(const struct def_column *c)
{
        return c->shown_default && c->default_kind == DEFAULT_EXPRESSION;
}

static void add_column(struct source *s, const char *at, const char *end)
{
        AUTO_STRING name = name_at(at, end);
        AUTO_BUF text = BUF_INIT;
        int column = table_def_column(s->t, name);

        if (column < 0 || !ddl_column(s->n, s->t, (unsigned)column))
                return;
        if (!renamed(s, &text, at, end)) {
                ddl_left_out(s->out, s->t, "column %s: it uses a column that is left out", name);
                return;
        }
        s->out->made[column] = true;
        add_line(s, &text);
        if (s->t->engine == ENGINE_MARIADB && is_default_unknown(&s->t->columns[column]))
                ddl_left_out(s->out, s->t, "column %s: default %s is not known", name,
                        s->t->columns[column].default_text);
}

/* The index that the counter needs, known once all columns are (they come first). */
static int counter_index(const struct source *s)
{
        for (unsigned i = 0; i < s->t->columns_n; i++)
                if (s->t->columns[i].default_kind == DEFAULT_COUNTER && s->out->made[i])
                        return my_ddl_counter_index(s->t, s->out, i);
        return -1;
}

static void add_key(struct source *s, const char *at, const char *end)
{
        const char *start = memchr(at, '`', (size_t)(end - at));
        const char *rest = start ? after_quote(start, end) : end;
        AUTO_STRING name = start ? name_at(start, end) : memory_string("");
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF sql = BUF_INIT;

        buf_add(&text, at, (size_t)(rest - at));
        if (!renamed(s, &text, rest, end)) {
                ddl_left_out(s->out, s->t, "index %s: a column of it is left out", name);
                return;
        }
        s->kept = counter_index(s);
        if (s->kept >= 0 && !strcmp(s->t->indexes[s->kept].name, name)) {
                add_line(s, &text);
                return;
        }
        buf_str(&sql, "alter table ");
        my_table(&sql, s->n->schema, s->n->table);
        buf_printf(&sql, " add %s", buf_text(&text));
        ddl_take(&s->out->indexes, name, buf_take(&sql));
}

/* Checks; foreign keys are made from the definition, since other tables' names are in them. */
static void add_constraint(struct source *s, const char *at, const char *end)
{
        const char *start = memchr(at, '`', (size_t)(end - at));
        const char *rest = start ? after_quote(start, end) : at;
        AUTO_STRING name = start ? name_at(start, end) : memory_string("");
        AUTO_BUF text = BUF_INIT;

        if (end - rest > 12 && !strncmp(rest, " FOREIGN KEY", 12))
                return;
        buf_add(&text, at, (size_t)(rest - at));
        if (renamed(s, &text, rest, end))
                add_line(s, &text);
        else
                ddl_left_out(s->out, s->t, "check %s: a column of it is left out", name);
}

static void add_other(struct source *s, const char *at, const char *end)
{
        AUTO_BUF text = BUF_INIT;

        if (renamed(s, &text, at, end))
                add_line(s, &text);
        else
                ddl_left_out(s->out, s->t, "%.*s: a column of it is left out",
                        (int)strcspn(at, "("), at);
}

static bool begins(const char *at, const char *end, const char *with)
{
        return (size_t)(end - at) >= strlen(with) && !strncmp(at, with, strlen(with));
}

static void add_element(struct source *s, const char *at, const char *end)
{
        static const char *const keys[] = {
                "KEY ", "UNIQUE KEY ", "FULLTEXT KEY ", "SPATIAL KEY ", "VECTOR KEY "};

        if (*at == '`') {
                add_column(s, at, end);
                return;
        }
        for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
                if (begins(at, end, keys[i])) {
                        add_key(s, at, end);
                        return;
                }
        if (begins(at, end, "CONSTRAINT "))
                add_constraint(s, at, end);
        else
                add_other(s, at, end);
}

/* Returns where the list ends: at its parenthesis. */
static const char *elements(struct source *s, const char *at, const char *end)
{
        while (at < end && *at != ')') {
                const char *stop;

                at += strspn(at, " \n");
                stop = element_end(at, end);
                while (stop > at && stop[-1] == '\n')
                        stop--;
                if (stop > at)
                        add_element(s, at, stop);
                at = element_end(at, end);
                at += at < end && *at == ',';
        }
        return at;
}

int my_ddl_verbatim(
        const struct table_def *t, const struct ddl_names *n, struct ddl *out, struct error *e)
{
        static const char start[] = "CREATE TABLE `";
        const char *at = t->verbatim, *end = at + strlen(at);
        struct source s = {.t = t, .n = n, .out = out, .kept = -1};
        bool whole = false;

        buf_str(&s.sql, "create table ");
        my_table(&s.sql, n->schema, n->table);
        buf_str(&s.sql, " (");
        if (!strncmp(at, start, sizeof start - 1)) {
                at = after_quote(at + sizeof start - 2, end);
                if (!strncmp(at, " (", 2))
                        at = elements(&s, at + 2, end);
                whole = *at == ')';
        }
        buf_char(&s.sql, '\n');
        if (!whole || !renamed(&s, &s.sql, at, end)) {
                buf_done(&s.sql);
                return error_set(e, ERROR_DATA, "the definition of %s.%s %s", t->schema, t->name,
                        whole ? "is partitioned by a column that is left out"
                              : "is not what was expected");
        }
        ddl_take(&out->table, n->table, buf_take(&s.sql));
        return 0;
}
