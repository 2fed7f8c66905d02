#include "base/memory.h"
#include "db/ddl.h"
#include "db/my.h"
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

/* Why there can be no such key on the target; NULL: there can. */
static const char *obstacle(const struct table_def *t, const struct def_reference *f,
        enum engine to, const struct ddl *out, const struct ddl_names *other,
        const struct table_def *def)
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
        if (def && t->engine == ENGINE_POSTGRESQL && !same_types(t, f, def, to))
                return "both ends would be of different types";
        return NULL;
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
                else if ((why = obstacle(t, f, to, out, &other, def)))
                        ddl_left_out(out, t, "foreign key %s: %s", f->name, why);
                else
                        add_reference(t, f, to, n, &other, out);
        }
        return 0;
}
