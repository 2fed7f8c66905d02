#include "base/memory.h"
#include "db/pg_array.h"
#include "db/pg_check.h"

#include <stdlib.h>
#include <string.h>

/* attgenerated is new in 12 */
#define COLUMNS_SQL                                                                                \
        "select u.at, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull"    \
        "  and not a.atthasdef and a.attidentity = '',"                                            \
        " coalesce(to_jsonb(a) ->> 'attgenerated', '') <> ''"                                      \
        " from unnest($1::text[], $2::text[]) with ordinality u(schema, name, at)"                 \
        " join pg_catalog.pg_namespace n on n.nspname = u.schema"                                  \
        " join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = u.name"             \
        " join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0"                   \
        "  and not a.attisdropped order by u.at, a.attnum"

/* Unique indexes of the target on exactly the columns that identify rows. */
#define KEYS_SQL                                                                                   \
        "select w.at, pg_catalog.bool_or(i.indimmediate), pg_catalog.min(k.conname::text)"         \
        " from (select at, pg_catalog.array_agg(name collate \"C\" order by name collate \"C\") "  \
        "as columns"                                                                               \
        "  from unnest($3::int[], $4::text[]) x(at, name) group by at) w"                          \
        " join unnest($1::text[], $2::text[]) with ordinality u(schema, name, at) on u.at = w.at"  \
        " join pg_catalog.pg_namespace n on n.nspname = u.schema"                                  \
        " join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = u.name"             \
        " join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisunique and i.indisvalid"     \
        "  and i.indpred is null and i.indexprs is null"                                           \
        " left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.conrelid = "     \
        "c.oid"                                                                                    \
        " where w.columns = array(select a.attname::text collate \"C\" from "                      \
        "pg_catalog.pg_attribute a"                                                                \
        "  where a.attrelid = c.oid and a.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1])"   \
        "  order by 1) group by w.at"

/* Columns of one target table are rows first to last of the result. */
struct found {
        const PGresult *r;
        int first, last;
};

static int find_column(const struct found *f, const char *name)
{
        for (int i = f->first; i < f->last; i++)
                if (!strcmp(pg_text(f->r, i, 1), name))
                        return i;
        return -1;
}

/* The shape has target names; the source's column of that type tells what the type is called. */
static const char *type_name(const struct pg_table_info *t, const struct column *c)
{
        for (unsigned i = 0; i < t->columns_n; i++)
                if (t->columns[i].type == c->type && t->columns[i].modifier == c->modifier)
                        return t->columns[i].type_name;
        return "";
}

static void check_column(const struct check_table *t, const struct column *c, const struct found *f,
        struct checks *out)
{
        int row = find_column(f, c->name);
        const char *type = type_name(t->source, c);
        AUTO_BUF mend = BUF_INIT;

        if (row < 0) {
                buf_str(&mend, "alter table ");
                pg_table(&mend, t->schema, t->name);
                buf_str(&mend, " add column ");
                pg_ident(&mend, c->name);
                buf_printf(&mend, " %s", type);
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "target: table %s.%s has no column %s", t->schema, t->name, c->name);
        } else if (pg_true(f->r, row, 4)) {
                checks_add(out, CHECK_ERROR, NULL,
                        "target: column %s of %s.%s is generated there and cannot be written; "
                        "leave "
                        "it out with columns.exclude",
                        c->name, t->schema, t->name);
        } else if (strcmp(pg_text(f->r, row, 2), type) != 0) {
                checks_add(out, CHECK_WARNING, NULL,
                        "target: column %s of %s.%s has type %s, the source's is %s", c->name,
                        t->schema, t->name, pg_text(f->r, row, 2), type);
        }
}

/* Columns that the source does not fill: its generated ones that are plain here, and new ones. */
static void check_extra(
        const struct check_table *t, const struct found *f, int row, struct checks *out)
{
        const char *name = pg_text(f->r, row, 1);
        bool generated = false;
        AUTO_BUF mend = BUF_INIT;

        if (relation_column(t->shape, name) >= 0 || pg_true(f->r, row, 4))
                return;
        for (unsigned i = 0; i < t->source->columns_n; i++)
                if (t->source->columns[i].generated && !strcmp(t->source->columns[i].name, name))
                        generated = true;
        if (pg_true(f->r, row, 3)) {
                buf_str(&mend, "alter table ");
                pg_table(&mend, t->schema, t->name);
                buf_str(&mend, " alter column ");
                pg_ident(&mend, name);
                buf_str(&mend, " drop not null");
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "target: column %s of %s.%s is NOT NULL without a default, and the source "
                        "does not fill it",
                        name, t->schema, t->name);
        } else {
                checks_add(out, generated ? CHECK_WARNING : CHECK_NOTE, NULL,
                        "target: column %s of %s.%s gets its default: %s", name, t->schema, t->name,
                        generated ? "it is generated on the source and plain here"
                                  : "the source does not fill it");
        }
}

static int check_columns(PGconn *c, const struct check_input *in, const bool *missing,
        const char *schemas, const char *names, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, COLUMNS_SQL, 2, (const char *[]){schemas, names});
        struct found f = {.r = r};

        if (!r)
                return -1;
        for (unsigned i = 0; i < in->n; i++) {
                const struct check_table *t = &in->tables[i];

                f.first = f.last;
                while (f.last < PQntuples(r) && atoi(pg_text(r, f.last, 0)) == (int)i + 1)
                        f.last++;
                if (missing[i])
                        continue;
                for (uint16_t k = 0; k < t->shape->columns_n; k++)
                        check_column(t, &t->shape->columns[k], &f, out);
                for (int row = f.first; row < f.last; row++)
                        check_extra(t, &f, row, out);
        }
        return 0;
}

static void check_key(const struct check_table *t, const PGresult *r, int row, struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;

        if (row < 0) {
                checks_add(out, CHECK_WARNING, NULL,
                        "target: table %s.%s has no unique index on the columns that identify "
                        "rows, "
                        "so each update and delete reads the table, and duplicates stop the "
                        "migration",
                        t->schema, t->name);
        } else if (!pg_true(r, row, 1)) {
                buf_str(&mend, "alter table ");
                pg_table(&mend, t->schema, t->name);
                buf_str(&mend, " drop constraint ");
                pg_ident(&mend, pg_text(r, row, 2));
                buf_str(&mend, "; -- and add it again without DEFERRABLE");
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "target: constraint %s on %s.%s identifies its rows and is deferrable: the "
                        "server would not check it on what culvert applies",
                        pg_text(r, row, 2), t->schema, t->name);
        }
}

static int row_of(const PGresult *r, unsigned at)
{
        for (int i = 0; i < PQntuples(r); i++)
                if (atoi(pg_text(r, i, 0)) == (int)at)
                        return i;
        return -1;
}

static bool wants_key(const struct check_table *t, bool missing)
{
        return !missing && t->source->has_identity && t->source->identity != IDENTITY_FULL;
}

static int check_keys(PGconn *c, const struct check_input *in, const bool *missing,
        const char *schemas, const char *names, struct checks *out, struct error *e)
{
        AUTO_BUF at = BUF_INIT, columns = BUF_INIT;
        PGresult *r;

        for (unsigned i = 0; i < in->n; i++) {
                const struct relation *shape = in->tables[i].shape;

                for (uint16_t k = 0; wants_key(&in->tables[i], missing[i]) && k < shape->columns_n;
                        k++) {
                        if (!shape->columns[k].key)
                                continue;
                        pg_array_number(&at, i + 1);
                        pg_array_text(&columns, shape->columns[k].name);
                }
        }
        r = pg_query(c, e, KEYS_SQL, 4,
                (const char *[]){schemas, names, pg_array_close(&at), pg_array_close(&columns)});
        if (!r)
                return -1;
        for (unsigned i = 0; i < in->n; i++)
                if (wants_key(&in->tables[i], missing[i]))
                        check_key(&in->tables[i], r, row_of(r, i + 1), out);
        PQclear(r);
        return 0;
}

int pg_check_columns(PGconn *target, const struct check_input *in, const bool *missing,
        struct checks *out, struct error *e)
{
        AUTO_BUF schemas = BUF_INIT, names = BUF_INIT;

        for (unsigned i = 0; i < in->n; i++) {
                pg_array_text(&schemas, in->tables[i].schema);
                pg_array_text(&names, in->tables[i].name);
        }
        pg_array_close(&schemas);
        pg_array_close(&names);
        if (check_columns(target, in, missing, buf_text(&schemas), buf_text(&names), out, e) < 0)
                return -1;
        return check_keys(target, in, missing, buf_text(&schemas), buf_text(&names), out, e);
}
