#include "base/memory.h"
#include "db/ddl.h"
#include "db/my.h"
#include "db/my_ddl_private.h"
#include "db/pg.h"
#include "model/typemap.h"

#include <stdlib.h>
#include <string.h>

void ddl_columns(struct buf *out, const struct table_def *t, enum engine to,
        const struct ddl_names *n, const unsigned *columns, unsigned columns_n)
{
        for (unsigned i = 0; i < columns_n; i++) {
                buf_str(out, i ? ", " : "");
                ddl_ident(out, to, ddl_column(n, t, columns[i]));
        }
}

static void put_table(struct buf *out, enum engine to, const struct ddl_names *n)
{
        if (to == ENGINE_POSTGRESQL)
                pg_table(out, n->schema, n->table);
        else
                my_table(out, n->schema, n->table);
}

static const char *target_column(const struct ddl_names *n, const char *source)
{
        return n->column ? n->column(n->context, source) : source;
}

static bool has_column(const struct def_reference *f, const struct table_def *to, unsigned column)
{
        for (unsigned i = 0; i < f->columns_n; i++)
                if (!strcmp(f->to_columns[i], to->columns[column].name))
                        return true;
        return false;
}

/* Will the target have a unique key on exactly the columns that are referred to? InnoDB needs an
 * index only, PostgreSQL a unique one. */
static bool has_key(const struct def_reference *f, const struct table_def *to)
{
        for (unsigned i = 0; i < to->indexes_n; i++) {
                const struct def_index *x = &to->indexes[i];
                bool same = x->unique && !x->what && x->columns_n == f->columns_n;

                for (unsigned p = 0; same && p < x->columns_n; p++)
                        same = x->columns[p].prefix == 0 && has_column(f, to, x->columns[p].column);
                if (same)
                        return true;
        }
        return false;
}

static char *native_of(const struct table_def *t, int column, enum engine to, struct error *e)
{
        struct coltype *type = column < 0 ? NULL : ddl_type(t, (unsigned)column, e);
        struct typemap_result r = {0};

        if (type && typemap_native(type, to, true, &r, e) < 0)
                r.native = NULL;
        coltype_free(type);
        return r.native;
}

/* MySQL and MariaDB want both ends of a key to be of one type. */
static bool same_types(const struct table_def *t, const struct def_reference *f,
        const struct table_def *to, enum engine engine)
{
        struct error ignored = ERROR_INIT;

        for (unsigned i = 0; i < f->columns_n; i++) {
                AUTO_STRING a = native_of(t, (int)f->columns[i], engine, &ignored);
                AUTO_STRING b =
                        native_of(to, table_def_column(to, f->to_columns[i]), engine, &ignored);

                if (!a || !b || strcmp(a, b) != 0)
                        return false;
        }
        return true;
}

/* Does the SQL, which is of the target already, look at a column of the key? */
static bool looks_at(const char *sql, const struct table_def *t, const struct def_reference *f,
        enum engine to, const struct ddl_names *n)
{
        for (unsigned i = 0; sql && i < f->columns_n; i++) {
                AUTO_BUF name = BUF_INIT;

                ddl_columns(&name, t, to, n, &f->columns[i], 1);
                if (strstr(sql, buf_text(&name)))
                        return true;
        }
        return false;
}

static bool in_check(const struct table_def *t, const struct def_reference *f, enum engine to,
        const struct ddl_names *n)
{
        for (unsigned i = 0; i < t->checks_n; i++) {
                AUTO_STRING sql = ddl_expression(t, t->checks[i].expression, to, n);

                if (looks_at(sql, t, f, to, n))
                        return true;
        }
        return false;
}

static bool in_generated(const struct table_def *t, const struct def_reference *f, enum engine to,
        const struct ddl *out, const struct ddl_names *n)
{
        for (unsigned i = 0; i < t->columns_n; i++) {
                AUTO_STRING sql = out->made[i] && t->columns[i].generated
                                          ? ddl_expression(t, t->columns[i].generated, to, n)
                                          : NULL;

                if (looks_at(sql, t, f, to, n))
                        return true;
        }
        return false;
}

static bool acts(const char *action)
{
        return !strcmp(action, "CASCADE") || !strcmp(action, "SET NULL");
}

/* What PostgreSQL allows, and the servers of the family refuse. */
static const char *my_obstacle(const struct table_def *t, const struct def_reference *f,
        enum engine to, const struct ddl *out, const struct ddl_names *n)
{
        bool null = !strcmp(f->on_delete, "SET NULL") || !strcmp(f->on_update, "SET NULL");
        bool changes = null || acts(f->on_update);
        struct error ignored = ERROR_INIT;
        unsigned bytes = 0;

        for (unsigned i = 0; i < f->columns_n; i++) {
                AUTO_STRING native = native_of(t, (int)f->columns[i], to, &ignored);

                if (null && t->columns[f->columns[i]].not_null)
                        return "SET NULL of a column that is NOT NULL is not allowed there";
                bytes += native ? my_ddl_key_bytes(native, 0) : 0;
        }
        if (bytes > MY_KEY_BYTES_MAX)
                return "its index would be longer than 3072 bytes";
        if ((changes || acts(f->on_delete)) && in_generated(t, f, to, out, n))
                return "a generated column is made of a column of it, which allows no actions "
                       "there";
        if (changes && in_check(t, f, to, n))
                return "a check looks at a column of it, which allows no such actions there";
        return NULL;
}

/* Why there can be no such key on the target; NULL: there can. */
static const char *obstacle(const struct table_def *t, const struct def_reference *f,
        enum engine to, const struct ddl *out, const struct ddl_names *n,
        const struct ddl_names *other, const struct table_def *def)
{
        for (unsigned i = 0; i < f->columns_n; i++)
                if (!out->made[f->columns[i]] || !target_column(other, f->to_columns[i]))
                        return "a column of it is left out";
        if (f->columns_n == 0)
                return "its columns are not known";
        if (to == ENGINE_POSTGRESQL)
                return def && !has_key(f, def) ? "what it refers to is no unique key" : NULL;
        if (!strcmp(f->on_delete, "SET DEFAULT") || !strcmp(f->on_update, "SET DEFAULT"))
                return "SET DEFAULT is not known there";
        if (f->some_set)
                return "ON DELETE SET NULL of some of its columns is not known there";
        if (def && t->engine == ENGINE_POSTGRESQL && !same_types(t, f, def, to))
                return "both ends would be of different types";
        return t->engine == ENGINE_POSTGRESQL ? my_obstacle(t, f, to, out, n) : NULL;
}

/* culvert itself writes without looking at keys, in the order of the source. */
static void say_lost(
        const struct table_def *t, const struct def_reference *f, enum engine to, struct ddl *out)
{
        if (to == ENGINE_POSTGRESQL)
                return;
        if (f->deferrable)
                ddl_left_out(out, t,
                        "foreign key %s: DEFERRABLE is lost: it is checked at each statement there",
                        f->name);
        if (f->match_full && f->columns_n > 1)
                ddl_left_out(out, t,
                        "foreign key %s: MATCH FULL is lost: a NULL in one column is enough there",
                        f->name);
}

static void add_reference(const struct table_def *t, const struct def_reference *f, enum engine to,
        const struct ddl_names *n, const struct ddl_names *other, struct ddl *out)
{
        bool pg = to == ENGINE_POSTGRESQL;
        AUTO_BUF sql = BUF_INIT;
        /* PostgreSQL has such names per table, the others per database. */
        AUTO_STRING name = pg ? memory_string(f->name) : ddl_name(n, 64, f->name);

        buf_str(&sql, "alter table ");
        put_table(&sql, to, n);
        buf_str(&sql, " add constraint ");
        ddl_ident(&sql, to, name);
        buf_str(&sql, " foreign key (");
        ddl_columns(&sql, t, to, n, f->columns, f->columns_n);
        buf_str(&sql, ") references ");
        put_table(&sql, to, other);
        buf_str(&sql, " (");
        for (unsigned i = 0; i < f->columns_n; i++) {
                buf_str(&sql, i ? ", " : "");
                ddl_ident(&sql, to, target_column(other, f->to_columns[i]));
        }
        buf_printf(&sql, ") on delete %s on update %s", f->on_delete, f->on_update);
        ddl_take(&out->references, name, buf_take(&sql));
        say_lost(t, f, to, out);
}

int ddl_references(const struct table_def *t, enum engine to, const struct ddl_names *n,
        struct ddl *out, struct error *e)
{
        for (unsigned i = 0; i < t->references_n; i++) {
                const struct def_reference *f = &t->references[i];
                const struct table_def *def = NULL;
                struct ddl_names other = {0};
                const char *why;

                if (!f->on_delete || !f->on_update || !f->to_table)
                        return error_set(e, ERROR_BUG, "foreign key %s of %s.%s is not whole",
                                f->name, t->schema, t->name);
                if (!n->refers ||
                        !n->refers(n->refers_context, f->to_schema, f->to_table, &other, &def))
                        ddl_left_out(out, t, "foreign key %s: %s.%s is not migrated", f->name,
                                f->to_schema, f->to_table);
                else if ((why = obstacle(t, f, to, out, n, &other, def)))
                        ddl_left_out(out, t, "foreign key %s: %s", f->name, why);
                else
                        add_reference(t, f, to, n, &other, out);
        }
        return 0;
}
