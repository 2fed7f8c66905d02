#include "db/pg_catalog.h"
#include "base/memory.h"
#include "db/pg_array.h"

#include <stdlib.h>
#include <string.h>

/*
 * Not partitions: they come with their root. Not tables that an extension made: CREATE EXTENSION
 * makes and fills them on the target.
 */
#define TABLES_SQL                                                                                 \
        "select c.oid, n.nspname, c.relname, c.relkind, c.relreplident,"                           \
        " c.relkind = 'r' and exists (select from pg_catalog.pg_inherits i"                        \
        "  where c.oid in (i.inhrelid, i.inhparent))"                                              \
        " from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"     \
        " where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'"       \
        " and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'culvert')"          \
        " and not exists (select from pg_catalog.pg_depend d"                                      \
        "  where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid"                  \
        "  and d.objsubid = 0 and d.deptype = 'e')"                                                \
        " order by n.nspname, c.relname"

/*
 * The identity's index is chosen as relcache.c does (RelationGetIndexList), its columns as
 * RelationGetIdentityKeyBitmap does: key columns only, not those of INCLUDE.
 */
#define COLUMNS_SQL(generated)                                                                     \
        "select u.at, a.attname, a.atttypid, a.atttypmod,"                                         \
        " pg_catalog.format_type(a.atttypid, a.atttypmod), " generated ", a.attidentity,"          \
        " a.attnotnull, case when c.relreplident = 'f' then " generated " = ''"                    \
        "  else coalesce(a.attnum = any(k.columns), false) end"                                    \
        " from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"                            \
        " join pg_catalog.pg_class c on c.oid = u.oid"                                             \
        " join pg_catalog.pg_attribute a on a.attrelid = c.oid"                                    \
        " left join lateral (select (i.indkey::int2[])[0:i.indnkeyatts - 1] as columns"            \
        "  from pg_catalog.pg_index i where i.indrelid = c.oid and i.indislive and i.indisvalid"   \
        "  and i.indisunique and i.indimmediate and i.indpred is null"                             \
        "  and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident"    \
        "  else false end limit 1) k on true"                                                      \
        " where a.attnum > 0 and not a.attisdropped order by u.at, a.attnum"

/* Rows are estimated as the planner does: the last density, times today's pages. */
#define LEAVES_SQL                                                                                 \
        "with recursive t(at, oid) as ("                                                           \
        " select u.at, u.oid from pg_catalog.unnest($1::oid[]) with ordinality u(oid, at)"         \
        " union all select t.at, i.inhrelid from t join pg_catalog.pg_class p on p.oid = t.oid"    \
        "  and p.relkind = 'p' join pg_catalog.pg_inherits i on i.inhparent = t.oid),"             \
        " s as (select t.at, n.nspname, c.relname, c.reltuples, c.relpages,"                       \
        "  coalesce(pg_catalog.pg_relation_size(c.oid), 0)"                                        \
        "   / pg_catalog.current_setting('block_size')::int8 as pages,"                            \
        "  coalesce(pg_catalog.pg_table_size(c.oid), 0) as bytes"                                  \
        "  from t join pg_catalog.pg_class c on c.oid = t.oid and c.relkind = 'r'"                 \
        "  join pg_catalog.pg_namespace n on n.oid = c.relnamespace)"                              \
        " select at, nspname, relname, pages, bytes, case when pages = 0 then 0"                   \
        "  when reltuples < 0 or relpages = 0 then -1"                                             \
        "  else reltuples::float8 / relpages * pages end"                                          \
        " from s order by at, nspname, relname"

/* pg_type.dat: types whose binary form holds no OID and does not hang on locale or encoding (the
 * session's encoding is UTF-8 on both sides). No money: its scale is the locale's. */
static const uint32_t BINARY_TYPES[] = {16, 17, 18, 19, 20, 21, 23, 25, 114, 700, 701, 650, 774,
        829, 869, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2950, 3802,
        /* their arrays; an array's elements carry built-in OIDs, the same on all servers */
        1000, 1001, 1002, 1003, 1005, 1007, 1016, 1009, 199, 1021, 1022, 651, 775, 1040, 1041, 1014,
        1015, 1182, 1183, 1115, 1185, 1187, 1270, 1561, 1563, 1231, 2951, 3807};

static bool binary_type(uint32_t oid)
{
        for (unsigned i = 0; i < sizeof BINARY_TYPES / sizeof *BINARY_TYPES; i++)
                if (BINARY_TYPES[i] == oid)
                        return true;
        return false;
}

static uint64_t number(const PGresult *r, int row, int column)
{
        return strtoull(pg_text(r, row, column), NULL, 10);
}

static void add_table(struct pg_tables *t, const PGresult *r, int row)
{
        struct pg_table_info *i;

        t->items = memory_grow(t->items, (t->n + 1) * sizeof *t->items);
        i = &t->items[t->n++];
        memset(i, 0, sizeof *i);
        i->oid = (uint32_t)number(r, row, 0);
        i->schema = memory_string(pg_text(r, row, 1));
        i->name = memory_string(pg_text(r, row, 2));
        i->kind = *pg_text(r, row, 3);
        i->identity = (enum replica_identity) * pg_text(r, row, 4);
        i->inherits = pg_true(r, row, 5);
}

static int read_tables(struct pg_tables *t, PGconn *c,
        bool (*select)(void *context, const char *schema, const char *name), void *context,
        struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, TABLES_SQL, 0, NULL);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++)
                if (select(context, pg_text(r, row, 1), pg_text(r, row, 2)))
                        add_table(t, r, row);
        return 0;
}

static char *oid_array(const struct pg_tables *t)
{
        struct buf b = BUF_INIT;

        for (unsigned i = 0; i < t->n; i++)
                pg_array_number(&b, t->items[i].oid);
        pg_array_close(&b);
        return buf_take(&b);
}

/* The table that a row of the two set queries belongs to; ordinality counts from 1. */
static struct pg_table_info *table_at(struct pg_tables *t, const PGresult *r, int row)
{
        return &t->items[number(r, row, 0) - 1];
}

static void add_column(struct pg_table_info *t, const PGresult *r, int row)
{
        struct pg_column *c;

        t->columns = memory_grow(t->columns, (t->columns_n + 1) * sizeof *t->columns);
        c = &t->columns[t->columns_n++];
        *c = (struct pg_column){.name = memory_string(pg_text(r, row, 1)),
                .type = (uint32_t)number(r, row, 2),
                .modifier = atoi(pg_text(r, row, 3)),
                .type_name = memory_string(pg_text(r, row, 4)),
                .generated = *pg_text(r, row, 5),
                .identity = *pg_text(r, row, 6),
                .not_null = pg_true(r, row, 7),
                .key = pg_true(r, row, 8)};
        c->binary = binary_type(c->type);
}

static int read_columns(struct pg_tables *t, PGconn *c, const char *oids, struct error *e)
{
        const char *sql =
                PQserverVersion(c) >= 120000 ? COLUMNS_SQL("a.attgenerated") : COLUMNS_SQL("''");
        AUTO_RESULT r = pg_query(c, e, sql, 1, &oids);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++)
                add_column(table_at(t, r, row), r, row);
        return 0;
}

static void add_leaf(struct pg_table_info *t, const PGresult *r, int row)
{
        double rows = strtod(pg_text(r, row, 5), NULL);

        t->leaves = memory_grow(t->leaves, (t->leaves_n + 1) * sizeof *t->leaves);
        t->leaves[t->leaves_n++] = (struct pg_leaf){.schema = memory_string(pg_text(r, row, 1)),
                .name = memory_string(pg_text(r, row, 2)),
                .pages = number(r, row, 3)};
        t->bytes += number(r, row, 4);
        t->rows = rows < 0 || t->rows < 0 ? -1 : t->rows + rows;
}

static int read_leaves(struct pg_tables *t, PGconn *c, const char *oids, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, LEAVES_SQL, 1, &oids);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++)
                add_leaf(table_at(t, r, row), r, row);
        return 0;
}

/* A key with a generated column is not usable: the stream leaves that column out. */
static bool usable_identity(const struct pg_table_info *t)
{
        bool any = false;

        if (t->identity == IDENTITY_FULL)
                return true;
        for (unsigned i = 0; i < t->columns_n; i++) {
                if (t->columns[i].key && t->columns[i].generated)
                        return false;
                any = any || t->columns[i].key;
        }
        return any;
}

static void make_shape(struct pg_table_info *t)
{
        uint16_t n = 0;

        for (unsigned i = 0; i < t->columns_n; i++)
                n += t->columns[i].generated == 0;
        t->shape = relation_new(t->oid, t->schema, t->name, t->identity, n);
        n = 0;
        for (unsigned i = 0; i < t->columns_n; i++) {
                const struct pg_column *c = &t->columns[i];

                if (!c->generated)
                        relation_set_column(t->shape, n++, c->name, c->type, c->modifier, c->key);
        }
        t->has_identity = usable_identity(t);
}

struct pg_tables *pg_tables_read(PGconn *c,
        bool (*select)(void *context, const char *schema, const char *name), void *context,
        struct error *e)
{
        struct pg_tables *t = memory_new_of(struct pg_tables);
        AUTO_STRING oids = NULL;

        if (read_tables(t, c, select, context, e) < 0)
                return pg_tables_free(t);
        oids = oid_array(t);
        if (read_columns(t, c, oids, e) < 0 || read_leaves(t, c, oids, e) < 0)
                return pg_tables_free(t);
        for (unsigned i = 0; i < t->n; i++)
                make_shape(&t->items[i]);
        return t;
}

static void table_done(struct pg_table_info *t)
{
        for (unsigned i = 0; i < t->columns_n; i++) {
                free(t->columns[i].name);
                free(t->columns[i].type_name);
        }
        for (unsigned i = 0; i < t->leaves_n; i++) {
                free(t->leaves[i].schema);
                free(t->leaves[i].name);
        }
        free(t->columns);
        free(t->leaves);
        free(t->schema);
        free(t->name);
        relation_unref(t->shape);
}

struct pg_tables *pg_tables_free(struct pg_tables *t)
{
        if (!t)
                return NULL;
        for (unsigned i = 0; i < t->n; i++)
                table_done(&t->items[i]);
        free(t->items);
        free(t);
        return NULL;
}

const struct pg_table_info *pg_tables_find(
        const struct pg_tables *t, const char *schema, const char *name)
{
        unsigned low = 0, high = t->n;

        while (low < high) {
                unsigned middle = (low + high) / 2;
                const struct pg_table_info *i = &t->items[middle];
                int order = strcmp(schema, i->schema);

                order = order ? order : strcmp(name, i->name);
                if (order == 0)
                        return i;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}
