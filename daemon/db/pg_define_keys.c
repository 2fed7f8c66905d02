#include "base/memory.h"
#include "db/pg_define_private.h"

#include <stdlib.h>
#include <string.h>

/* One row for each key column; an expression has no name. Columns of INCLUDE are no part of it. */
#define INDEXES_SQL                                                                                \
        "select u.at, x.relname, i.indisprimary, i.indisunique, a.attname,"                        \
        " (i.indoption::int2[])[k.at - 1] & 1 = 1, case when i.indisexclusion then 'exclusion'"    \
        "  when m.amname not in ('btree', 'hash') then m.amname"                                   \
        "  when i.indpred is not null then 'partial (where '"                                      \
        "   || pg_catalog.pg_get_expr(i.indpred, i.indrelid) || ')'"                               \
        "  when i.indexprs is not null then 'expression' else '' end,"                             \
        " case when k.attnum = 0 then pg_catalog.pg_get_indexdef(x.oid, k.at::int, false) end,"    \
        " not i.indimmediate"                                                                      \
        " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"                            \
        " join pg_catalog.pg_index i on i.indrelid = u.oid and i.indislive and i.indisvalid"       \
        " join pg_catalog.pg_class x on x.oid = i.indexrelid"                                      \
        " join pg_catalog.pg_am m on m.oid = x.relam"                                              \
        " cross join lateral pg_catalog.unnest(i.indkey::int2[]) with ordinality k(attnum, at)"    \
        " left join pg_catalog.pg_attribute a on a.attrelid = u.oid and a.attnum = k.attnum"       \
        "  and k.attnum > 0"                                                                       \
        " where k.at <= " /* number of key columns */

#define INDEXES_ORDER " order by u.at, not i.indisprimary, not i.indisunique, x.relname, k.at"

#define REFERENCES_SQL                                                                             \
        "select u.at, k.conname, a.attname, n.nspname, c.relname, f.attname, k.confdeltype,"       \
        " k.confupdtype, k.condeferrable, k.confmatchtype = 'f',"                                  \
        " pg_catalog.to_jsonb(k) ->> 'confdelsetcols' is not null" /* from 15 on */                \
        " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"                            \
        " join pg_catalog.pg_constraint k on k.conrelid = u.oid and k.contype = 'f'"               \
        "  and not exists (select from pg_catalog.pg_constraint p where p.oid = k.conparentid"     \
        "   and p.conrelid = k.conrelid)"                                                          \
        " join pg_catalog.pg_class c on c.oid = k.confrelid"                                       \
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                                \
        " cross join lateral pg_catalog.generate_subscripts(k.conkey, 1) p(at)"                    \
        " join pg_catalog.pg_attribute a on a.attrelid = u.oid and a.attnum = k.conkey[p.at]"      \
        " join pg_catalog.pg_attribute f on f.attrelid = c.oid and f.attnum = k.confkey[p.at]"     \
        " order by u.at, k.conname, p.at"

/*
 * A domain's check says VALUE where a table's has the column. It is put in unless the text has a
 * literal, in which the word could stand, too.
 */
#define CHECKS_SQL                                                                                 \
        "with recursive chain(oid, type) as (select oid, oid from pg_catalog.pg_type"              \
        "  where typtype = 'd' union all select chain.oid, t.typbasetype from chain"               \
        "  join pg_catalog.pg_type t on t.oid = chain.type and t.typtype = 'd')"                   \
        " select u.at, k.conname, pg_catalog.pg_get_expr(k.conbin, k.conrelid) as text"            \
        " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"                            \
        " join pg_catalog.pg_constraint k on k.conrelid = u.oid and k.contype = 'c'"               \
        " union all select u.at, a.attname || '_' || k.conname,"                                   \
        "  case when pg_catalog.strpos(x.text, '''') > 0 then x.text"                              \
        "   else pg_catalog.regexp_replace(x.text, '\\mVALUE\\M', pg_catalog.replace("             \
        "    pg_catalog.quote_ident(a.attname), '\\', '\\\\'), 'g') end"                           \
        " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"                            \
        " join pg_catalog.pg_attribute a on a.attrelid = u.oid and a.attnum > 0"                   \
        "  and not a.attisdropped"                                                                 \
        " join chain on chain.oid = a.atttypid"                                                    \
        " join pg_catalog.pg_constraint k on k.contypid = chain.type and k.contype = 'c'"          \
        " cross join lateral (select pg_catalog.pg_get_expr(k.conbin, 0) as text) x"               \
        " order by 1, 2"

/* ---- indexes ---- */

static struct def_index *index_of(struct table_def *d, const PGresult *r, int row)
{
        struct def_index *i = d->indexes_n ? &d->indexes[d->indexes_n - 1] : NULL;

        if (i && !strcmp(i->name, pg_text(r, row, 1)))
                return i;
        d->indexes = memory_grow(d->indexes, (d->indexes_n + 1) * sizeof *d->indexes);
        i = &d->indexes[d->indexes_n++];
        *i = (struct def_index){.name = memory_string(pg_text(r, row, 1)),
                .primary = pg_true(r, row, 2),
                .unique = pg_true(r, row, 3),
                .deferrable = pg_true(r, row, 8),
                .what = *pg_text(r, row, 6) ? memory_string(pg_text(r, row, 6)) : NULL};
        return i;
}

static void add_part(struct table_def *d, const PGresult *r, int row)
{
        struct def_index *i = index_of(d, r, row);
        const char *expression = PQgetisnull(r, row, 7) ? NULL : pg_text(r, row, 7);
        int column = expression ? 0 : table_def_column(d, pg_text(r, row, 4));

        if (column < 0)
                return;
        i->columns = memory_grow(i->columns, (i->columns_n + 1) * sizeof *i->columns);
        i->columns[i->columns_n++] = (struct def_index_column){.column = (unsigned)column,
                .expression = expression ? memory_string(expression) : NULL,
                .descending = pg_true(r, row, 5)};
}

int pg_define_indexes(PGconn *c, struct table_defs *t, const char *oids, struct error *e)
{
        const char *sql = PQserverVersion(c) >= 110000 ? INDEXES_SQL "i.indnkeyatts" INDEXES_ORDER
                                                       : INDEXES_SQL "i.indnatts" INDEXES_ORDER;
        AUTO_RESULT r = pg_query(c, e, sql, 1, &oids);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++)
                add_part(pg_define_at(t, r, row), r, row);
        return 0;
}

/* ---- foreign keys ---- */

static const char *action(char type)
{
        switch (type) {
        case 'c':
                return "CASCADE";
        case 'n':
                return "SET NULL";
        case 'd':
                return "SET DEFAULT";
        case 'r':
                return "RESTRICT";
        default:
                return "NO ACTION";
        }
}

static struct def_reference *reference_of(struct table_def *d, const PGresult *r, int row)
{
        struct def_reference *f = d->references_n ? &d->references[d->references_n - 1] : NULL;

        if (f && !strcmp(f->name, pg_text(r, row, 1)))
                return f;
        d->references = memory_grow(d->references, (d->references_n + 1) * sizeof *d->references);
        f = &d->references[d->references_n++];
        *f = (struct def_reference){.name = memory_string(pg_text(r, row, 1)),
                .to_schema = memory_string(pg_text(r, row, 3)),
                .to_table = memory_string(pg_text(r, row, 4)),
                .deferrable = pg_true(r, row, 8),
                .match_full = pg_true(r, row, 9),
                .some_set = pg_true(r, row, 10),
                .on_delete = memory_string(action(*pg_text(r, row, 6))),
                .on_update = memory_string(action(*pg_text(r, row, 7)))};
        return f;
}

static void add_pair(struct table_def *d, const PGresult *r, int row)
{
        struct def_reference *f = reference_of(d, r, row);
        int column = table_def_column(d, pg_text(r, row, 2));
        unsigned n = f->columns_n;

        if (column < 0)
                return;
        f->columns = memory_grow(f->columns, (n + 1) * sizeof *f->columns);
        f->to_columns = memory_grow(f->to_columns, (n + 1) * sizeof *f->to_columns);
        f->columns[n] = (unsigned)column;
        f->to_columns[n] = memory_string(pg_text(r, row, 5));
        f->columns_n++;
}

int pg_define_references(PGconn *c, struct table_defs *t, const char *oids, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, REFERENCES_SQL, 1, &oids);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++)
                add_pair(pg_define_at(t, r, row), r, row);
        return 0;
}

/* ---- checks ---- */

int pg_define_checks(PGconn *c, struct table_defs *t, const char *oids, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, CHECKS_SQL, 1, &oids);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++) {
                struct table_def *d = pg_define_at(t, r, row);

                d->checks = memory_grow(d->checks, (d->checks_n + 1) * sizeof *d->checks);
                d->checks[d->checks_n++] = (struct def_check){
                        memory_string(pg_text(r, row, 1)), memory_string(pg_text(r, row, 2))};
        }
        return 0;
}
