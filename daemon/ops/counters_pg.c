/* Counters of PostgreSQL: sequences, whoever owns or uses them. */
#include "base/memory.h"
#include "db/pg_array.h"
#include "ops/counters_private.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_PAGES 1000 /* a table that is read whole, where no index helps */

/* (seq, tab, col, owned): which columns have a sequence. A partition's default is its root's. */
#define LINKS                                                                                      \
        "(select d.objid as seq, d.refobjid as tab, d.refobjsubid as col, true as owned"           \
        " from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass"           \
        " and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')"          \
        " and d.refobjsubid > 0"                                                                   \
        " union all select x.refobjid, f.adrelid, f.adnum, false from pg_catalog.pg_depend x"      \
        " join pg_catalog.pg_attrdef f on f.oid = x.objid"                                         \
        " where x.classid = 'pg_catalog.pg_attrdef'::regclass"                                     \
        " and x.refclassid = 'pg_catalog.pg_class'::regclass)"

#define SOURCE_SQL                                                                                 \
        "with l as (select * from " LINKS " x offset 0),"                                          \
        " u as (select t.oid, n.nspname, t.relname from unnest($1::text[], "                       \
        "$2::text[]) a(schema, name) join pg_catalog.pg_namespace n on n.nspname = a.schema"       \
        "  join pg_catalog.pg_class t on t.relnamespace = n.oid and t.relname = a.name),"          \
        " found as (select l.seq, u.nspname, u.relname, a.attname from u join l on l.tab = u.oid"  \
        "  join pg_catalog.pg_attribute a on a.attrelid = u.oid and a.attnum = l.col"              \
        "  union select s.oid, null, null, null from pg_catalog.pg_class s"                        \
        "  join pg_catalog.pg_namespace n on n.oid = s.relnamespace"                               \
        "  where s.relkind = 'S' and n.nspname = any ($1::text[])"                                 \
        "  and s.oid not in (select l.seq from l join pg_catalog.pg_class t on t.oid = l.tab"      \
        "   where not t.relispartition))"                                                          \
        " select n.nspname, s.relname, f.nspname, f.relname, f.attname, q.seqincrement,"           \
        " q.seqcache, q.seqcycle from found f join pg_catalog.pg_class s on s.oid = f.seq"         \
        " join pg_catalog.pg_namespace n on n.oid = s.relnamespace"                                \
        " join pg_catalog.pg_sequence q on q.seqrelid = s.oid"                                     \
        " where s.relkind = 'S' and s.relpersistence <> 't' order by 1, 2, 3, 4, 5"

static struct counter *take_source(struct counters *c, const PGresult *r, int row)
{
        struct counter *k = counters_add(c);
        counter_value increment = 1, cache = 1;

        k->sequence_schema = memory_string(pg_text(r, row, 0));
        k->sequence = memory_string(pg_text(r, row, 1));
        if (!PQgetisnull(r, row, 3)) {
                k->schema = memory_string(pg_text(r, row, 2));
                k->table = memory_string(pg_text(r, row, 3));
                k->column = memory_string(pg_text(r, row, 4));
        }
        counter_parse(pg_text(r, row, 5), &increment);
        counter_parse(pg_text(r, row, 6), &cache);
        k->down = increment < 0;
        k->cycles = pg_true(r, row, 7);
        k->reserve = increment < 0 ? -increment : increment; /* until its value is read */
        if (cache > 1)
                k->next = cache;
        return k;
}

/* `next` is the number of cached values until here, `reserve` the step. */
static void take_value(struct counter *k, const PGresult *r, int row)
{
        counter_value last = 0, step = k->reserve, cache = k->next ? k->next : 1;

        counter_parse(pg_text(r, row, 1), &last);
        k->reserve = (cache - 1) * step;
        k->next = pg_true(r, row, 2) ? k->down ? last - step : last + step : last;
}

/* The answers of several statements that went out as one; `take` gets each row. */
static int take_all(struct counters *c, PGconn *conn,
        void (*take)(struct counter *k, const PGresult *r, int row))
{
        int rc = 0;

        for (PGresult *r; (r = PQgetResult(conn)); PQclear(r)) {
                if (rc == 0 && PQresultStatus(r) != PGRES_TUPLES_OK)
                        rc = pg_error(c->e, conn, r, "reading sequences");
                for (int row = 0; rc == 0 && row < PQntuples(r); row++)
                        take(&c->items[strtoul(pg_text(r, row, 0), NULL, 10)], r, row);
        }
        return rc;
}

/*
 * `each` appends "select N, ..." for counter N, or nothing and returns false. A statement for each,
 * many in one round trip: as one UNION the server takes ten times as long to plan them.
 */
static int by_statements(struct counters *c, PGconn *conn,
        bool (*each)(const struct counter *k, unsigned i, struct buf *sql),
        void (*take)(struct counter *k, const PGresult *r, int row))
{
        for (unsigned at = 0; at < c->n; at += COUNTERS_AT_ONCE) {
                AUTO_BUF sql = BUF_INIT;

                for (unsigned i = at; i < c->n && i < at + COUNTERS_AT_ONCE; i++)
                        if (each(&c->items[i], i, &sql))
                                buf_str(&sql, ";");
                if (sql.len == 0)
                        continue;
                if (!PQsendQuery(conn, buf_text(&sql)))
                        return pg_error(c->e, conn, NULL, "reading sequences");
                if (take_all(c, conn, take) < 0)
                        return -1;
        }
        return 0;
}

static bool source_value(const struct counter *k, unsigned i, struct buf *sql)
{
        buf_printf(sql, "select %u, last_value, is_called from ", i);
        pg_table(sql, k->sequence_schema, k->sequence);
        return true;
}

static int read_from(struct counters *c, PGconn *conn)
{
        AUTO_RESULT r = fence_tables_query(conn, c->tables, c->tables_n, SOURCE_SQL, c->e);

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++)
                take_source(c, r, i);
        return by_statements(c, conn, source_value, take_value);
}

static int pg_read(struct counters *c)
{
        PGconn *conn = endpoint_pg(c->config, false, c->halt, c->e);
        int rc = conn ? read_from(c, conn) : -1;

        halt_close(c->halt, &conn);
        return rc;
}

/* ---- the target ---- */

/*
 * By columns, the sequence that the column owns before one that its default takes; or by the
 * sequence's own name. Of the column: is it a number, and can its extreme be found by an index?
 */
#define TARGET_SQL                                                                                 \
        "with u as (select u.at, u.schema, u.name, u.col, u.seq, n.oid as home"                    \
        "  from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality"            \
        "  u(schema, name, col, seq, at)"                                                          \
        "  join pg_catalog.pg_namespace n on n.nspname = u.schema),"                               \
        " l as (select * from " LINKS " x offset 0),"                                              \
        " found as (select u.at, l.seq, l.owned, t.oid as tab, t.relpages, a.attnum, a.atttypid"   \
        "  from u join pg_catalog.pg_class t on t.relnamespace = u.home and t.relname = u.name"    \
        "  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attname = u.col"             \
        "   and not a.attisdropped"                                                                \
        "  join l on l.tab = t.oid and l.col = a.attnum where u.seq = ''"                          \
        "  union all select u.at, s.oid, false, null, null, null, null from u"                     \
        "  join pg_catalog.pg_class s on s.relnamespace = u.home and s.relname = u.seq"            \
        "  where u.seq <> '')"                                                                     \
        " select distinct on (f.at) f.at - 1, s.oid::regclass, q.seqmin, q.seqmax, "               \
        "q.seqincrement,"                                                                          \
        " q.seqcycle, pg_catalog.has_sequence_privilege(s.oid, 'UPDATE')"                          \
        "  and pg_catalog.has_sequence_privilege(s.oid, 'SELECT'),"                                \
        " coalesce(y.typcategory = 'N', false), coalesce(f.relpages < $5::int, false) or exists"   \
        "  (select from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid"  \
        "   join pg_catalog.pg_am m on m.oid = x.relam where i.indrelid = f.tab"                   \
        "   and i.indisvalid and i.indpred is null and i.indkey[0] = f.attnum"                     \
        "   and m.amname = 'btree'), current_user"                                                 \
        " from found f join pg_catalog.pg_class s on s.oid = f.seq and s.relkind = 'S'"            \
        " join pg_catalog.pg_sequence q on q.seqrelid = s.oid"                                     \
        " left join pg_catalog.pg_type y on y.oid = f.atttypid"                                    \
        " order by f.at, f.owned desc"

static void take_target(struct counters *c, const PGresult *r, int row)
{
        unsigned long at = strtoul(pg_text(r, row, 0), NULL, 10);
        struct counter *k = at < c->n ? &c->items[at] : NULL;
        counter_value increment = 1;

        if (!k)
                return;
        k->target = memory_string(pg_text(r, row, 1));
        counter_parse(pg_text(r, row, 2), &k->least);
        counter_parse(pg_text(r, row, 3), &k->most);
        counter_parse(pg_text(r, row, 4), &increment);
        if (!k->sequence) /* auto_increment only counts up, and what comes then is the target's */
                k->down = increment < 0;
        k->cycles = k->cycles && pg_true(r, row, 5);
        if (!pg_true(r, row, 6)) {
                AUTO_BUF mend = BUF_INIT;

                buf_printf(&mend, "grant select, update on sequence %s to ", k->target);
                pg_ident(&mend, pg_text(r, row, 9));
                k->may = buf_take(&mend);
        }
        k->has_extreme = k->table && pg_true(r, row, 7) && pg_true(r, row, 8);
        k->unindexed = k->table && pg_true(r, row, 7) && !pg_true(r, row, 8);
}

static int find_targets(struct counters *c, PGconn *conn)
{
        AUTO_BUF schemas = BUF_INIT, tables = BUF_INIT, columns = BUF_INIT, sequences = BUF_INIT;
        AUTO_STRING small = memory_printf("%d", SMALL_PAGES);
        AUTO_RESULT r = NULL;
        const char *values[5];

        for (unsigned i = 0; i < c->n; i++) {
                const struct counter *k = &c->items[i];

                pg_array_text(&schemas, k->to_schema);
                pg_array_text(&tables, k->table ? k->to_table : "");
                pg_array_text(&columns, k->table ? k->to_column : "");
                pg_array_text(&sequences, k->table ? "" : k->sequence);
        }
        values[0] = pg_array_close(&schemas);
        values[1] = pg_array_close(&tables);
        values[2] = pg_array_close(&columns);
        values[3] = pg_array_close(&sequences);
        values[4] = small;
        if (!(r = pg_query(conn, c->e, TARGET_SQL, 5, values)))
                return -1;
        for (int i = 0; i < PQntuples(r); i++)
                take_target(c, r, i);
        return 0;
}

/* Its place, its step, and the column's extreme. */
static bool target_value(const struct counter *k, unsigned i, struct buf *sql)
{
        if (!k->target || k->may)
                return false;
        buf_printf(sql, "select %u, last_value, is_called, ", i);
        if (k->has_extreme) {
                buf_printf(sql, "(select %s(", k->down ? "min" : "max");
                pg_ident(sql, k->to_column);
                buf_str(sql, ")::numeric from ");
                pg_table(sql, k->to_schema, k->to_table);
                buf_str(sql, ")");
        } else {
                buf_str(sql, "null::numeric");
        }
        buf_str(sql, ", (select seqincrement from pg_catalog.pg_sequence where seqrelid = ");
        pg_literal(sql, k->target);
        buf_printf(sql, "::regclass) from %s", k->target);
        return true;
}

static void take_target_value(struct counter *k, const PGresult *r, int row)
{
        counter_value last = 0, increment = 1;

        counter_parse(pg_text(r, row, 1), &last);
        counter_parse(pg_text(r, row, 4), &increment);
        k->has = pg_true(r, row, 2) ? last + increment : last;
        k->has_extreme = k->has_extreme && counter_parse(pg_text(r, row, 3), &k->extreme);
}

static int pg_look(struct counters *c)
{
        PGconn *conn = endpoint_pg(c->config, true, c->halt, c->e);
        int rc = conn ? find_targets(c, conn) : -1;

        if (rc == 0)
                rc = by_statements(c, conn, target_value, take_target_value);
        halt_close(c->halt, &conn);
        return rc;
}

/* Several columns may have one sequence: the farthest of their values. */
#define SET_SQL                                                                                    \
        "select pg_catalog.setval(s, case when down then lo else hi end, false) from"              \
        " (select s::regclass as s, bool_or(down) as down, min(v) as lo, max(v) as hi"             \
        " from unnest($1::text[], $2::bigint[], $3::bool[]) u(s, v, down) group by 1) x"

static int pg_set(struct counters *c)
{
        AUTO_BUF names = BUF_INIT, to = BUF_INIT, down = BUF_INIT;
        PGconn *conn;
        AUTO_RESULT r = NULL;
        const char *values[3];
        unsigned n = 0;

        for (unsigned i = 0; i < c->n; i++) {
                const struct counter *k = &c->items[i];
                char text[COUNTER_TEXT];

                if (!k->target || !k->moves)
                        continue;
                pg_array_text(&names, k->target);
                pg_array_text(&to, counter_text(k->to, text));
                pg_array_text(&down, k->down ? "t" : "f");
                n++;
        }
        if (n == 0)
                return 0;
        values[0] = pg_array_close(&names);
        values[1] = pg_array_close(&to);
        values[2] = pg_array_close(&down);
        if (!(conn = endpoint_pg(c->config, true, c->halt, c->e)))
                return -1;
        if (pg_run(conn, c->e, "set synchronous_commit = on") == 0)
                r = pg_query(conn, c->e, SET_SQL, 3, values);
        halt_close(c->halt, &conn);
        return r ? 0 : -1;
}

const struct counters_ops counters_pg_ops = {.read = pg_read, .look = pg_look, .set = pg_set};
