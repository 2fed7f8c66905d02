#include "base/memory.h"
#include "db/pg_check.h"

#include <string.h>

#define OPTIONS "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

/* pubviaroot is new in 13 */
#define PUBLICATION_SQL                                                                            \
        "select p.oid is not null, p.oid is not null and pg_catalog.pg_has_role(p.pubowner, "      \
        "'USAGE'),"                                                                                \
        " p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate"                           \
        "  and coalesce((to_jsonb(p) ->> 'pubviaroot')::bool, true),"                              \
        " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create'), "            \
        "current_user"                                                                             \
        " from (select) one left join pg_catalog.pg_publication p on p.pubname = $1"

/* culvert.checkpoint: where the source was a target, the reverse stream knows its own by it */
#define TABLES_SQL                                                                                 \
        "select n.nspname, c.relname, pg_catalog.pg_has_role(c.relowner, 'USAGE'),"                \
        " k.tablename is not null from pg_catalog.pg_class c"                                      \
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                                \
        " left join pg_catalog.pg_publication_tables k on k.pubname = $2"                          \
        "  and k.schemaname = n.nspname and k.tablename = c.relname"                               \
        " where c.oid = any($1::oid[]) or c.oid = pg_catalog.to_regclass('culvert.checkpoint')"    \
        " order by 1, 2"

struct publication {
        bool there, ours, options, may_create; /* ours: our role may alter it */
        const char *name, *role;
        struct check_names missing; /* wanted and not published */
        struct check_names foreign; /* those of them that our role does not own */
};

static void create_sql(
        const struct publication *p, const struct check_names *tables, struct buf *out)
{
        buf_str(out, "create publication ");
        pg_ident(out, p->name);
        if (tables->n)
                buf_printf(out, " for table %s", buf_text(&tables->sql));
        buf_str(out, " with (" OPTIONS ")");
}

static void alter_sql(const struct publication *p, struct buf *out)
{
        if (p->missing.n) {
                buf_str(out, "alter publication ");
                pg_ident(out, p->name);
                buf_printf(
                        out, " add table %s%s", buf_text(&p->missing.sql), p->options ? "" : "; ");
        }
        if (!p->options) {
                buf_str(out, "alter publication ");
                pg_ident(out, p->name);
                buf_str(out, " set (" OPTIONS ")");
        }
}

static void judge_missing(struct publication *p, struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;

        create_sql(p, &p->missing, &mend);
        if (p->foreign.n > 0)
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "source: there is no publication %s, and role %s cannot create it: it does "
                        "not own %s",
                        p->name, p->role, check_names_said(&p->foreign));
        else if (!p->may_create)
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "source: there is no publication %s, and role %s cannot create it: it has "
                        "no "
                        "CREATE on the database",
                        p->name, p->role);
        else
                checks_add(out, CHECK_STATEMENT, buf_text(&mend), "source");
}

static void judge_there(struct publication *p, struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;
        const char *what = p->missing.n ? "does not publish " : "publishes not all kinds of change";

        if (p->missing.n == 0 && p->options)
                return;
        alter_sql(p, &mend);
        if (p->ours && p->foreign.n == 0)
                checks_add(out, CHECK_STATEMENT, buf_text(&mend), "source");
        else
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "source: publication %s %s%s, and role %s may not change that", p->name,
                        what, p->missing.n ? check_names_said(&p->missing) : "", p->role);
}

int pg_check_publication(PGconn *c, const struct check_input *in, const char *oids,
        struct checks *out, struct error *e)
{
        struct publication p = {.name = in->config->pg.publication, .missing.prefix = "only "};
        AUTO_RESULT r = pg_query(c, e, PUBLICATION_SQL, 1, &p.name);
        AUTO_RESULT t = r ? pg_query(c, e, TABLES_SQL, 2, (const char *[]){oids, p.name}) : NULL;

        if (!t)
                return -1;
        p.there = pg_true(r, 0, 0);
        p.ours = pg_true(r, 0, 1);
        p.options = pg_true(r, 0, 2);
        p.may_create = pg_true(r, 0, 3);
        p.role = pg_text(r, 0, 4);
        for (int i = 0; i < PQntuples(t); i++) {
                if (pg_true(t, i, 3))
                        continue;
                check_names_add(&p.missing, pg_text(t, i, 0), pg_text(t, i, 1));
                if (!pg_true(t, i, 2))
                        check_names_add(&p.foreign, pg_text(t, i, 0), pg_text(t, i, 1));
        }
        if (p.there)
                judge_there(&p, out);
        else
                judge_missing(&p, out);
        check_names_done(&p.missing);
        check_names_done(&p.foreign);
        return 0;
}
