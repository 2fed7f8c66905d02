#include "db/pg_ddl_private.h"
#include "base/memory.h"
#include "db/pg.h"
#include "model/typemap.h"

#include <stdlib.h>
#include <string.h>

struct writer {
        const struct table_def *t;
        const struct ddl_names *n;
        struct ddl *out;
        struct buf sql;        /* CREATE TABLE */
        struct ddl_list after; /* what needs the table */
};

/* ---- types ---- */

static bool labels_fit(const struct coltype *type)
{
        for (unsigned i = 0; i < type->members_n; i++)
                if (strlen(type->members[i]) > PG_NAME_MAX)
                        return false;
        return true;
}

/* CREATE TYPE table_column; what it is called is the column's type. */
static char *make_enum(struct writer *w, const struct coltype *type, const char *column)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_BUF whole = BUF_INIT;
        AUTO_STRING wanted = memory_printf("%s_%s", w->n->table, column);
        AUTO_STRING name = ddl_name(w->n, PG_NAME_MAX, wanted);

        pg_table(&whole, w->n->schema, name);
        buf_printf(&sql, "create type %s as enum (", buf_text(&whole));
        for (unsigned i = 0; i < type->members_n; i++) {
                buf_str(&sql, i ? ", " : "");
                pg_literal(&sql, type->members[i]);
        }
        buf_char(&sql, ')');
        ddl_take(&w->out->before, name, buf_take(&sql));
        return buf_take(&whole);
}

/* The target's type; NULL: error. */
static char *column_type(struct writer *w, unsigned column, const struct coltype *type,
        const char *target, struct error *e)
{
        struct typemap_result r = {0};
        const struct def_column *c = &w->t->columns[column];

        if (w->t->engine == ENGINE_POSTGRESQL)
                return memory_string(c->native);
        if (typemap_native(type, ENGINE_POSTGRESQL, false, &r, e) < 0) {
                error_context(e, "column %s of %s.%s", c->name, w->t->schema, w->t->name);
                return NULL;
        }
        if (*r.native)
                return r.native;
        free(r.native);
        if (labels_fit(type))
                return make_enum(w, type, target);
        ddl_left_out(w->out, w->t,
                "column %s: text instead of an enum, whose labels have at most "
                "%d bytes",
                c->name, PG_NAME_MAX);
        return memory_string("text");
}

/* ---- columns ---- */

static bool has_identity(const char *native)
{
        return !strcmp(native, "smallint") || !strcmp(native, "integer") ||
               !strcmp(native, "bigint");
}

/* A counter of a type that identity columns cannot have (BIGINT UNSIGNED is numeric): a sequence
 * that belongs to the column. */
static void make_sequence(struct writer *w, const char *column)
{
        AUTO_BUF sequence = BUF_INIT;
        AUTO_BUF owned = BUF_INIT;
        AUTO_BUF literal = BUF_INIT;
        AUTO_STRING wanted = memory_printf("%s_%s_seq", w->n->table, column);
        AUTO_STRING name = ddl_name(w->n, PG_NAME_MAX, wanted);

        pg_table(&sequence, w->n->schema, name);
        pg_literal(&literal, buf_text(&sequence));
        ddl_take(&w->out->before, name,
                memory_printf("create sequence if not exists %s", buf_text(&sequence)));
        buf_printf(&w->sql, " default nextval(%s::regclass)", buf_text(&literal));
        buf_printf(&owned, "alter sequence %s owned by ", buf_text(&sequence));
        pg_table(&owned, w->n->schema, w->n->table);
        buf_char(&owned, '.');
        pg_ident(&owned, column);
        ddl_take(&w->after, "", buf_take(&owned));
}

static void counter(
        struct writer *w, const struct def_column *c, const char *target, const char *native)
{
        if (!has_identity(native))
                make_sequence(w, target);
        else
                buf_printf(
                        &w->sql, " generated %s as identity", c->always ? "always" : "by default");
}

static void say_column(struct writer *w, const struct def_column *c)
{
        if (c->on_update_now)
                ddl_left_out(w->out, w->t,
                        "column %s: ON UPDATE CURRENT_TIMESTAMP has no equal; a "
                        "trigger would do",
                        c->name);
        if (c->invisible)
                ddl_left_out(w->out, w->t, "column %s: is visible here", c->name);
}

static void comment(struct writer *w, const char *what, const char *column, const char *text)
{
        AUTO_BUF sql = BUF_INIT;

        buf_printf(&sql, "comment on %s ", what);
        pg_table(&sql, w->n->schema, w->n->table);
        if (column) {
                buf_char(&sql, '.');
                pg_ident(&sql, column);
        }
        buf_str(&sql, " is ");
        pg_literal(&sql, text);
        ddl_take(&w->after, "", buf_take(&sql));
}

/* False: the column is not made. The times of a versioned table's row are the source's: data. */
static bool generated(struct writer *w, const struct def_column *c, struct buf *expression)
{
        AUTO_STRING text = NULL;

        if (def_column_is_period(c)) {
                ddl_left_out(w->out, w->t, "column %s: an ordinary one here, with the source's %s",
                        c->name, c->generated);
                return true;
        }
        text = ddl_expression(w->t, c->generated, ENGINE_POSTGRESQL, w->n);
        if (!text) {
                ddl_left_out(w->out, w->t,
                        "column %s: generated as %s, which has no equal: it is "
                        "not made",
                        c->name, c->generated);
                return false;
        }
        buf_printf(expression, " generated always as (%s) stored", text);
        return true;
}

static int add_column(struct writer *w, unsigned column, const char *target, struct error *e)
{
        const struct def_column *c = &w->t->columns[column];
        AUTO_BUF expression = BUF_INIT;
        AUTO_STRING native = NULL;
        struct coltype *type;

        if (c->generated && !generated(w, c, &expression))
                return 0;
        if (!(type = ddl_type(w->t, column, e)) ||
                !(native = column_type(w, column, type, target, e))) {
                coltype_free(type);
                return -1;
        }
        w->out->made[column] = true;
        buf_str(&w->sql, w->sql.data[w->sql.len - 1] == '(' ? "\n  " : ",\n  ");
        pg_ident(&w->sql, target);
        buf_printf(&w->sql, " %s%s", native, buf_text(&expression));
        if (c->default_kind == DEFAULT_COUNTER)
                counter(w, c, target, native);
        else if (!c->generated)
                pg_ddl_default(&w->sql, w->t, c, type, native, w->out);
        buf_str(&w->sql, c->not_null ? " not null" : "");
        if (c->comment)
                comment(w, "column", target, c->comment);
        say_column(w, c);
        coltype_free(type);
        return 0;
}

/* ---- the table ---- */

static void add_checks(struct writer *w)
{
        for (unsigned i = 0; i < w->t->checks_n; i++) {
                const struct def_check *k = &w->t->checks[i];
                AUTO_STRING text = ddl_expression(w->t, k->expression, ENGINE_POSTGRESQL, w->n);

                if (!text) {
                        ddl_left_out(
                                w->out, w->t, "check %s (%s): not carried", k->name, k->expression);
                        continue;
                }
                buf_str(&w->sql, ",\n  constraint ");
                pg_ident(&w->sql, k->name);
                buf_printf(&w->sql, " check (%s)", text);
        }
}

static void add_schema(struct writer *w)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "create schema if not exists ");
        pg_ident(&sql, w->n->schema);
        ddl_take(&w->out->before, w->n->schema, buf_take(&sql));
}

static int add_table(struct writer *w, struct error *e)
{
        add_schema(w);
        buf_str(&w->sql, "create table ");
        pg_table(&w->sql, w->n->schema, w->n->table);
        buf_str(&w->sql, " (");
        for (unsigned i = 0; i < w->t->columns_n; i++) {
                const char *target = ddl_column(w->n, w->t, i);

                if (target && add_column(w, i, target, e) < 0)
                        return -1;
        }
        add_checks(w);
        buf_str(&w->sql, "\n)");
        if (w->t->comment)
                comment(w, "table", NULL, w->t->comment);
        if (w->t->versioned)
                ddl_left_out(w->out, w->t, "system versioning: the table keeps no history here");
        return 0;
}

static void take_all(struct ddl_list *to, struct ddl_list *from)
{
        for (unsigned i = 0; i < from->n; i++) {
                ddl_take(to, from->items[i].name, from->items[i].sql);
                free(from->items[i].name);
        }
        free(from->items);
        *from = (struct ddl_list){0};
}

int pg_ddl(const struct table_def *t, const struct ddl_names *n, struct ddl *out, struct error *e)
{
        struct writer w = {.t = t, .n = n, .out = out};
        int result;

        free(out->made);
        out->made = memory_new(t->columns_n * sizeof *out->made);
        result = add_table(&w, e);
        ddl_take(&out->table, n->table, buf_take(&w.sql));
        take_all(&out->table, &w.after);
        if (result < 0 || pg_ddl_indexes(t, n, out, e) < 0)
                return -1;
        return ddl_references(t, ENGINE_POSTGRESQL, n, out, e);
}
