#include "db/pg_array.h"
#include "db/pg_check.h"
#include "model/cascade.h"

#include <string.h>

/* Columns of all plain indexes, in their order: schema, table, index, column (null: an expression).
 */
#define INDEXES_SQL                                                                                \
        "select n.nspname, c.relname, i.indexrelid, a.attname from (select distinct x.s, x.t"      \
        "  from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) x(s, t))" \
        " w"                                                                                       \
        " join pg_catalog.pg_namespace n on n.nspname = w.s"                                       \
        " join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.t"                \
        " join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisvalid and i.indpred is null" \
        " cross join pg_catalog.unnest(i.indkey::int2[]) with ordinality k(number, place)"         \
        " left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.number"       \
        "  and k.number > 0 where k.place <= i.indnkeyatts order by i.indexrelid, k.place"

static bool in_key(const struct cascade_key *k, const char *column)
{
        for (unsigned i = 0; i < k->columns_n; i++)
                if (!strcmp(k->columns[i], column))
                        return true;
        return false;
}

/* Does an index begin with a column of the key? That many rows at most are looked at. */
static bool has_index(const PGresult *r, const struct cascade_key *k)
{
        for (int i = 0; i < PQntuples(r); i++) {
                bool first = i == 0 || strcmp(pg_text(r, i, 2), pg_text(r, i - 1, 2)) != 0;

                if (first && !PQgetisnull(r, i, 3) &&
                        cascade_is_from(k, pg_text(r, i, 0), pg_text(r, i, 1)) &&
                        in_key(k, pg_text(r, i, 3)))
                        return true;
        }
        return false;
}

static void say_index(const struct cascade_key *k, struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;

        buf_str(&mend, "create index on ");
        pg_table(&mend, k->schema, k->table);
        for (unsigned i = 0; i < k->columns_n; i++) {
                buf_str(&mend, i ? ", " : " (");
                pg_ident(&mend, k->columns[i]);
        }
        buf_char(&mend, ')');
        checks_add(out, CHECK_WARNING, buf_text(&mend),
                "target: table %s.%s has no index for foreign key %s, so every change that it "
                "follows reads the whole table",
                k->schema, k->table, k->name);
}

static void say_replica(struct checks *out)
{
        checks_add(out, CHECK_ERROR,
                "grant set on parameter session_replication_role to culvert's role; -- from "
                "PostgreSQL 15 on",
                "target: the foreign keys that culvert is to make there act by themselves, also "
                "where the source's did not, unless the role may set session_replication_role");
}

int pg_check_cascades(PGconn *c, const struct cascades *keys, const bool *made, bool replica,
        struct checks *out, struct error *e)
{
        AUTO_BUF schemas = BUF_INIT, tables = BUF_INIT;
        AUTO_RESULT r = NULL;
        bool makes = false;

        for (unsigned i = 0; i < keys->n; i++) {
                pg_array_text(&schemas, keys->keys[i].schema);
                pg_array_text(&tables, keys->keys[i].table);
                makes |= made[i];
        }
        r = pg_query(c, e, INDEXES_SQL, 2,
                (const char *[]){pg_array_close(&schemas), pg_array_close(&tables)});
        if (!r)
                return -1;
        for (unsigned i = 0; i < keys->n; i++)
                if (!made[i] && !has_index(r, &keys->keys[i]))
                        say_index(&keys->keys[i], out);
        if (makes && !replica)
                say_replica(out);
        return 0;
}
