#include "db/my_catalog_private.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/*
 * The catalogue of either engine is in utf8mb3: of a member or a default it shows a character of
 * four bytes as '?', and so does SHOW CREATE TABLE (MySQL shows such a default in hexadecimal). The
 * server itself knows better when values are made of them: a recursive query whose column has the
 * type of the ENUM takes the numbers of its members, and default() gives the default; only of a NOT
 * NULL column in an empty table it does not. Both need no right but SELECT, and read one row at
 * most. (Tried on MariaDB 10.11 and MySQL 9.7.)
 */

#define STEPS_USUAL 1000 /* of a recursive query, unless a session asks for more */

/* ---- what is shown ---- */

static bool has_long_characters(const struct coltype *t)
{
        return t->charset && t->charset->max_bytes >= 4;
}

/* Is `shown` the exact text with '?' for each character of four bytes? */
static bool shows(const char *shown, const char *exact)
{
        while (*exact) {
                bool is_long = ((unsigned char)*exact & 0xf8) == 0xf0;

                if (*shown++ != (is_long ? '?' : *exact))
                        return false;
                for (exact++; is_long && ((unsigned char)*exact & 0xc0) == 0x80;)
                        exact++;
        }
        return *shown == '\0';
}

/* Bytes of "enum('a','b')" in front of " charset utf8mb4"; a member may say the same. */
static size_t type_length(const char *native)
{
        const char *last = native + strlen(native);

        for (const char *at = native; (at = strstr(at, " charset ")); at++)
                last = at;
        return (size_t)(last - native);
}

static int unknown(const struct table_def *d, const struct def_column *c, struct error *e)
{
        return error_set(e, ERROR_CONFIG,
                "column %s of %s.%s: the catalogue shows '?' for a character of its members that "
                "has four bytes, and this server does not tell which it is: give the members other "
                "names, or exclude the column",
                c->name, d->schema, d->name);
}

/* ---- members ---- */

static void members_query(struct buf *sql, const struct table_def *d, const struct def_column *c,
        const struct coltype *t)
{
        buf_str(sql, "with recursive c (n, m) as (select 0, t.");
        my_ident(sql, c->name);
        buf_str(sql, " from (select 1 as one) x left join ");
        my_table(sql, d->schema, d->name);
        buf_printf(sql,
                " t on false union all select n + 1, %s from c where n < %u)"
                " select m from c where n > 0 order by n",
                t->class == TYPE_SET ? "1 << n" : "n + 1", t->members_n);
}

static int take_steps(MYSQL *c, unsigned n, struct error *e)
{
        if (n < STEPS_USUAL)
                return 0;
        return my_runf(c, e, "set session %s = %u",
                my_engine(c) == ENGINE_MARIADB ? "max_recursive_iterations"
                                               : "cte_max_recursion_depth",
                n + 1);
}

/* "enum('a','b') charset utf8mb4" with the exact members. */
static int put_members(struct buf *out, const struct coltype *t, MYSQL_RES *r)
{
        const char *comma = t->class == TYPE_SET ? "set(" : "enum(";

        if (mysql_num_rows(r) != t->members_n)
                return -1;
        for (unsigned i = 0; i < t->members_n; i++) {
                MYSQL_ROW row = mysql_fetch_row(r);

                if (!row[0] || !shows(t->members[i], row[0]))
                        return -1;
                buf_str(out, comma);
                coltype_my_member(out, row[0], strlen(row[0]));
                comma = ",";
        }
        buf_printf(out, ") charset %s", t->charset->name);
        return 0;
}

static int read_members(MYSQL *conn, const struct table_def *d, struct def_column *c,
        const struct coltype *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_BUF native = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        members_query(&sql, d, c, t);
        if (take_steps(conn, t->members_n, e) < 0 || !(r = my_query(conn, e, buf_text(&sql))))
                return e->class == ERROR_RETRY ? -1 : unknown(d, c, e);
        if (put_members(&native, t, r) < 0)
                return unknown(d, c, e);
        free(c->shown);
        c->shown = c->native;
        c->shown[type_length(c->shown)] = '\0';
        c->native = buf_take(&native);
        return 0;
}

static bool hides_members(const struct coltype *t)
{
        for (unsigned i = 0; i < t->members_n; i++)
                if (strchr(t->members[i], '?'))
                        return true;
        return false;
}

/* ---- defaults ---- */

/* One that cannot be had is not known. */
static int read_default(
        MYSQL *conn, const struct table_def *d, struct def_column *c, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW row;

        buf_str(&sql, "select default(t.");
        my_ident(&sql, c->name);
        buf_str(&sql, ") from (select 1 as one) x left join ");
        my_table(&sql, d->schema, d->name);
        buf_str(&sql, " t on true limit 1");
        if (!(r = my_query(conn, e, buf_text(&sql))) && e->class == ERROR_RETRY)
                return -1;
        error_clear(e);
        row = r ? mysql_fetch_row(r) : NULL;
        free(c->shown_default);
        c->shown_default = c->default_text;
        if (row && row[0] && shows(c->shown_default, row[0])) {
                c->default_text = memory_string(row[0]);
                return 0;
        }
        c->default_kind = DEFAULT_EXPRESSION;
        c->default_text = memory_printf(
                "'%s', in which '?' may be any character of four bytes,", c->shown_default);
        return 0;
}

int my_catalog_exact(MYSQL *conn, struct table_def *d, struct error *e)
{
        for (unsigned i = 0; i < d->columns_n; i++) {
                struct def_column *c = &d->columns[i];
                struct error ignored = ERROR_INIT;
                struct coltype *t = coltype_my(d->engine, c->native, &ignored);
                int rc = 0;

                if (t && has_long_characters(t) && hides_members(t))
                        rc = read_members(conn, d, c, t, e);
                if (rc == 0 && t && has_long_characters(t) && c->default_kind == DEFAULT_VALUE &&
                        strchr(c->default_text, '?'))
                        rc = read_default(conn, d, c, e);
                coltype_free(t);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

/* ---- SHOW CREATE TABLE ---- */

/* Replaces `from` in the text where it is at `at` or behind, before `end`. */
static bool replace(char **text, size_t at, size_t end, const char *from, const char *to)
{
        char *found = strstr(*text + at, from);
        char *made;

        if (!found || found >= *text + end)
                return false;
        made = memory_printf("%.*s%s%s", (int)(found - *text), *text, to, found + strlen(from));
        free(*text);
        *text = made;
        return true;
}

static size_t line_end(const char *text, size_t at)
{
        return at + strcspn(text + at, "\n");
}

static void exact_column(char **text, const struct def_column *c)
{
        AUTO_BUF name = BUF_INIT;
        AUTO_BUF shown = BUF_INIT;
        AUTO_BUF exact = BUF_INIT;
        const char *line;
        size_t at;

        buf_str(&name, "\n  ");
        my_ident(&name, c->name);
        buf_char(&name, ' ');
        if (!(line = strstr(*text, buf_text(&name))))
                return;
        at = (size_t)(line - *text) + name.len;
        if (c->shown) {
                buf_add(&exact, c->native, type_length(c->native));
                replace(text, at, line_end(*text, at), c->shown, buf_text(&exact));
                buf_clear(&exact);
        }
        if (!c->shown_default)
                return;
        buf_str(&shown, " DEFAULT ");
        coltype_my_member(&shown, c->shown_default, strlen(c->shown_default));
        if (c->default_kind == DEFAULT_VALUE) {
                buf_str(&exact, " DEFAULT ");
                coltype_my_member(&exact, c->default_text, strlen(c->default_text));
        }
        replace(text, at, line_end(*text, at), buf_text(&shown), buf_text(&exact));
}

void my_catalog_exact_text(char **text, const struct table_def *d)
{
        for (unsigned i = 0; i < d->columns_n; i++)
                exact_column(text, &d->columns[i]);
}
