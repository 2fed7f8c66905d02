#include "db/pg_define_private.h"
#include "base/memory.h"
#include "db/pg_array.h"

#include <stdlib.h>
#include <string.h>

/* Ordinality counts from 1. */
struct table_def *pg_define_at(struct table_defs *t, const PGresult *r, int row)
{
        return &t->items[strtoul(pg_text(r, row, 0), NULL, 10) - 1];
}

static char *oid_array(const struct pg_tables *t)
{
        struct buf b = BUF_INIT;

        for (unsigned i = 0; i < t->n; i++)
                pg_array_number(&b, t->items[i].oid);
        pg_array_close(&b);
        return buf_take(&b);
}

static struct table_defs *empty_defs(const struct pg_tables *t)
{
        struct table_defs *d = memory_new_of(struct table_defs);

        d->n = t->n;
        d->items = memory_new((t->n ? t->n : 1) * sizeof *d->items);
        for (unsigned i = 0; i < t->n; i++)
                d->items[i] = (struct table_def){.engine = ENGINE_POSTGRESQL,
                        .schema = memory_string(t->items[i].schema),
                        .name = memory_string(t->items[i].name),
                        .rows = t->items[i].rows,
                        .bytes = t->items[i].bytes,
                        .shape = t->items[i].shape ? relation_ref(t->items[i].shape) : NULL};
        return d;
}

static int read_comments(PGconn *c, struct table_defs *t, const char *oids, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e,
                "select u.at, pg_catalog.obj_description(u.oid, 'pg_class')"
                " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"
                " where pg_catalog.obj_description(u.oid, 'pg_class') is not null",
                1, &oids);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++) {
                struct table_def *d = pg_define_at(t, r, row);

                d->comment = memory_string(pg_text(r, row, 1));
        }
        return 0;
}

struct table_defs *pg_define_read(PGconn *c, const struct pg_tables *t, struct error *e)
{
        struct table_defs *d = empty_defs(t);
        AUTO_STRING oids = oid_array(t);

        if (read_comments(c, d, oids, e) < 0 || pg_define_columns(c, d, oids, e) < 0 ||
                pg_define_indexes(c, d, oids, e) < 0 || pg_define_references(c, d, oids, e) < 0 ||
                pg_define_checks(c, d, oids, e) < 0) {
                error_context(e, "reading the definitions of tables");
                return table_defs_free(d);
        }
        return d;
}

/* ---- a target's table ---- */

/* 0: not there. */
static int find_table(PGconn *c, const char *schema, const char *name, struct pg_table_info *info,
        struct error *e)
{
        const char *values[] = {schema, name};
        AUTO_RESULT r = pg_query(c, e,
                "select c.oid, c.relkind from pg_catalog.pg_class c"
                " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
                " where n.nspname = $1 and c.relname = $2",
                2, values);

        if (!r)
                return -1;
        if (PQntuples(r) == 0)
                return 0;
        info->kind = *pg_text(r, 0, 1);
        if (info->kind != 'r' && info->kind != 'p')
                return error_set(e, ERROR_CONFIG, "it is no table but %s",
                        info->kind == 'v' ? "a view" : "something else");
        info->oid = (uint32_t)strtoul(pg_text(r, 0, 0), NULL, 10);
        return 1;
}

static bool identifies(const struct table_def *d, const struct def_index *i)
{
        for (unsigned p = 0; p < i->columns_n; p++)
                if (!d->columns[i->columns[p].column].not_null)
                        return false;
        return i->unique && !i->what && i->columns_n > 0;
}

static const struct def_index *identity(const struct table_def *d)
{
        for (unsigned i = 0; i < d->indexes_n; i++)
                if (identifies(d, &d->indexes[i]))
                        return &d->indexes[i];
        return NULL;
}

/* As the other family writes it, so that one parser reads both. */
static void put_enum(struct buf *out, const struct def_column *c)
{
        buf_str(out, "enum(");
        for (unsigned i = 0; i < c->members_n; i++) {
                buf_str(out, i ? "," : "");
                pg_literal(out, c->members[i]);
        }
        buf_char(out, ')');
}

static struct relation *make_shape(const struct table_def *d)
{
        const struct def_index *key = identity(d);
        struct relation *r = relation_new(0, d->schema, d->name,
                key ? IDENTITY_DEFAULT : IDENTITY_FULL, (uint16_t)d->columns_n);

        for (unsigned i = 0; i < d->columns_n; i++) {
                const struct def_column *c = &d->columns[i];
                AUTO_BUF native = BUF_INIT;

                if (c->members_n)
                        put_enum(&native, c);
                else
                        buf_str(&native, c->native);
                buf_str(&native, c->generated ? " generated" : "");
                relation_set_column(
                        r, (uint16_t)i, c->name, c->oid, c->modifier, !key && !c->generated);
                relation_set_native(r, (uint16_t)i, buf_text(&native));
        }
        for (unsigned p = 0; key && p < key->columns_n; p++)
                r->columns[key->columns[p].column].key = true;
        return r;
}

static int has_rows(PGconn *c, const char *schema, const char *name, bool *rows, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;

        buf_str(&sql, "select exists (select from ");
        pg_table(&sql, schema, name);
        buf_char(&sql, ')');
        if (!(r = pg_query(c, e, buf_text(&sql), 0, NULL)))
                return -1;
        *rows = pg_true(r, 0, 0);
        return 0;
}

static int read_shape(
        PGconn *c, const struct pg_tables *one, struct relation **shape, struct error *e)
{
        struct table_defs *d = empty_defs(one);
        AUTO_STRING oids = oid_array(one);
        int result = -1;

        if (pg_define_columns(c, d, oids, e) == 0 && pg_define_indexes(c, d, oids, e) == 0) {
                *shape = make_shape(d->items);
                result = 0;
        }
        table_defs_free(d);
        return result;
}

int pg_define_table(PGconn *c, const char *schema, const char *name, struct relation **shape,
        bool *rows, struct error *e)
{
        AUTO_STRING own_schema = memory_string(schema);
        AUTO_STRING own_name = memory_string(name);
        struct pg_table_info info = {.schema = own_schema, .name = own_name, .rows = -1};
        int there = find_table(c, schema, name, &info, e);

        if (there > 0 && (has_rows(c, schema, name, rows, e) < 0 ||
                                 read_shape(c, &(struct pg_tables){&info, 1}, shape, e) < 0))
                there = -1;
        return there < 0 ? error_context(e, "table %s.%s", schema, name) : there;
}
