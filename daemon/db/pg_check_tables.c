#include "base/memory.h"
#include "db/pg_check.h"

#include <string.h>

/* The wanted tables with all their partitions, at every level. */
#define TREE                                                                                       \
        "with recursive t(root, oid) as ("                                                         \
        " select o, o from pg_catalog.unnest($1::oid[]) o"                                         \
        " union all select t.root, i.inhrelid from t join pg_catalog.pg_class p on p.oid = t.oid"  \
        "  and p.relkind = 'p' join pg_catalog.pg_inherits i on i.inhparent = t.oid)"

#define RIGHTS_SQL                                                                                 \
        TREE " select n.nspname, c.relname, pg_catalog.has_schema_privilege(n.oid, 'usage'),"      \
             " pg_catalog.has_table_privilege(c.oid, 'select'),"                                   \
             " pg_catalog.row_security_active(c.oid), c.relkind, c.relpersistence, current_user"   \
             " from t join pg_catalog.pg_class c on c.oid = t.oid"                                 \
             " join pg_catalog.pg_namespace n on n.oid = c.relnamespace order by 1, 2"

/* A partition's own identity says what its rows are logged with; the stream names the root's. */
#define LEAVES_SQL                                                                                 \
        TREE ", k as (select t.root, c.oid, c.relreplident, c.relkind, array(select a.attname"     \
             "   from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0"         \
             "   and not a.attisdropped and case when c.relreplident = 'f' then true"              \
             "   else a.attnum = any(x.columns) end) as columns"                                   \
             "  from t join pg_catalog.pg_class c on c.oid = t.oid"                                \
             "  left join lateral (select (i.indkey::int2[])[0:i.indnkeyatts - 1] as columns"      \
             "   from pg_catalog.pg_index i where i.indrelid = c.oid and i.indislive and "         \
             "i.indisvalid"                                                                        \
             "   and i.indisunique and i.indimmediate and i.indpred is null"                       \
             "   and case c.relreplident when 'd' then i.indisprimary when 'i' then "              \
             "i.indisreplident"                                                                    \
             "   else false end limit 1) x on true)"                                               \
             " select n.nspname, c.relname, rn.nspname, rc.relname"                                \
             " from k leaf join k root on root.oid = leaf.root and leaf.oid <> leaf.root"          \
             " join pg_catalog.pg_class c on c.oid = leaf.oid"                                     \
             " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                           \
             " join pg_catalog.pg_class rc on rc.oid = root.oid"                                   \
             " join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace"                        \
             " where leaf.relkind = 'r' and leaf.relreplident <> 'f' and (root.relreplident = 'f'" \
             "  or not leaf.columns @> root.columns)"

/* What the configuration selects and culvert cannot carry. */
#define OTHERS_SQL                                                                                 \
        "select n.nspname, c.relname, c.relkind, c.relpersistence from pg_catalog.pg_class c"      \
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                                \
        " where (c.relkind = 'f' or c.relkind in ('r', 'p') and (c.relpersistence = 'u'"           \
        "  or exists (select from pg_catalog.pg_depend d where d.objid = c.oid"                    \
        "  and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype = 'e')))"                 \
        " and not c.relispartition and n.nspname !~ '^pg_'"                                        \
        " and n.nspname <> 'information_schema' order by 1, 2"

static void complain(struct checks *out, struct check_names *n, const char *what, const char *mend)
{
        if (n->n > 0)
                checks_add(out, CHECK_ERROR, mend, "source: %s: %s", what, check_names_said(n));
        check_names_done(n);
}

/* What is wrong with the tables, gathered by kind. */
struct faults {
        struct check_names select, rls, storage;
        struct buf schemas; /* without USAGE */
        char *last_schema;
};

static void sort_fault(struct faults *f, const PGresult *r, int row)
{
        const char *schema = pg_text(r, row, 0), *name = pg_text(r, row, 1);
        char kind = *pg_text(r, row, 5);

        if (kind == 'f' || (kind == 'r' && *pg_text(r, row, 6) != 'p'))
                check_names_add(&f->storage, schema, name);
        if (!pg_true(r, row, 2) && (!f->last_schema || strcmp(schema, f->last_schema) != 0)) {
                buf_str(&f->schemas, f->schemas.len ? ", " : "");
                pg_ident(&f->schemas, schema);
                memory_free_string(&f->last_schema);
                f->last_schema = memory_string(schema);
        }
        if (!pg_true(r, row, 3))
                check_names_add(&f->select, schema, name);
        else if (pg_true(r, row, 4))
                check_names_add(&f->rls, schema, name);
}

static void say_faults(struct faults *f, const char *role, struct checks *out)
{
        AUTO_BUF quoted = BUF_INIT;

        pg_ident(&quoted, role);
        AUTO_STRING usage = memory_printf(
                "grant usage on schema %s to %s", buf_text(&f->schemas), buf_text(&quoted));
        AUTO_STRING select = memory_printf(
                "grant select on %s to %s", buf_text(&f->select.sql), buf_text(&quoted));
        AUTO_STRING rls = memory_printf("alter role %s bypassrls", buf_text(&quoted));

        if (f->schemas.len)
                checks_add(out, CHECK_ERROR, usage, "source: role %s has no USAGE on schema %s",
                        role, buf_text(&f->schemas));
        complain(out, &f->select, "no SELECT on what is to be copied", select);
        complain(out, &f->rls, "row-level security would hide rows", rls);
        complain(out, &f->storage,
                "partitions that are unlogged or foreign: their rows are in no "
                "log and cannot be migrated",
                NULL);
        buf_done(&f->schemas);
        memory_free_string(&f->last_schema);
}

static int check_rights(PGconn *c, const char *oids, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, RIGHTS_SQL, 1, &oids);
        struct faults f = {0};

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++)
                sort_fault(&f, r, i);
        say_faults(&f, PQntuples(r) ? pg_text(r, 0, 7) : "", out);
        return 0;
}

static int check_leaves(PGconn *c, const char *oids, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, LEAVES_SQL, 1, &oids);

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++) {
                AUTO_BUF mend = BUF_INIT;

                buf_str(&mend, "alter table ");
                pg_table(&mend, pg_text(r, i, 0), pg_text(r, i, 1));
                buf_str(&mend, " replica identity full");
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "source table %s.%s: its replica identity does not hold that of the "
                        "partitioned table %s.%s, so old keys would be missing",
                        pg_text(r, i, 0), pg_text(r, i, 1), pg_text(r, i, 2), pg_text(r, i, 3));
        }
        return 0;
}

static const char *why_not(char kind, char persistence)
{
        if (kind == 'f')
                return "a foreign table";
        return persistence == 'u' ? "unlogged, so its changes are in no log" : "an extension's own";
}

static int check_others(PGconn *c, const struct config *config, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, OTHERS_SQL, 0, NULL);

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++)
                if (config_selects(config, pg_text(r, i, 0), pg_text(r, i, 1)))
                        checks_add(out, CHECK_NOTE, NULL,
                                "source table %s.%s is not carried: it is %s", pg_text(r, i, 0),
                                pg_text(r, i, 1), why_not(*pg_text(r, i, 2), *pg_text(r, i, 3)));
        return 0;
}

int pg_check_source_tables(PGconn *c, const struct check_input *in, const char *oids,
        struct checks *out, struct error *e)
{
        if (check_rights(c, oids, out, e) < 0 || check_leaves(c, oids, out, e) < 0)
                return -1;
        return check_others(c, in->config, out, e);
}
