#include "base/memory.h"
#include "db/pg_check.h"

#include <string.h>

#define TREE                                                                                       \
        "with recursive t(oid) as (select pg_catalog.unnest($1::oid[])"                            \
        " union select i.inhrelid from t join pg_catalog.pg_class p on p.oid = t.oid"              \
        "  and p.relkind = 'p' join pg_catalog.pg_inherits i on i.inhparent = t.oid)"

#define TRIGGERS_SQL                                                                               \
        TREE " select n.nspname, c.relname, g.tgname, g.tgenabled from t"                          \
             " join pg_catalog.pg_class c on c.oid = t.oid"                                        \
             " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                           \
             " join pg_catalog.pg_trigger g on g.tgrelid = t.oid"                                  \
             " where not g.tgisinternal and g.tgenabled <> 'D' order by 1, 2, 3"

/* Also of tables that are not migrated and point at one that is. */
#define ACTIONS_SQL                                                                                \
        TREE " select distinct n.nspname, c.relname, k.conname from pg_catalog.pg_constraint k"    \
             " join t on t.oid in (k.conrelid, k.confrelid)"                                       \
             " join pg_catalog.pg_class c on c.oid = k.conrelid"                                   \
             " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                           \
             " where k.contype = 'f' and not c.relispartition"                                     \
             " and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd')) order "  \
             "by 1, 2, 3"

#define DEFERRABLE_SQL                                                                             \
        TREE " select n.nspname, c.relname, k.conname, k.contype from t"                           \
             " join pg_catalog.pg_class c on c.oid = t.oid"                                        \
             " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"                           \
             " join pg_catalog.pg_constraint k on k.conrelid = t.oid"                              \
             " where k.condeferrable and k.contype in ('p', 'u', 'x') and not c.relispartition"    \
             " order by 1, 2, 3"

static int check_triggers(PGconn *c, const char *what, const char *oids, bool replica,
        struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, TRIGGERS_SQL, 1, &oids);

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++) {
                char enabled = *pg_text(r, i, 3);
                AUTO_BUF mend = BUF_INIT;

                if (replica ? enabled == 'O' : enabled == 'R')
                        continue;
                buf_str(&mend, "alter table ");
                pg_table(&mend, pg_text(r, i, 0), pg_text(r, i, 1));
                buf_str(&mend, replica ? " enable trigger " : " disable trigger ");
                pg_ident(&mend, pg_text(r, i, 2));
                checks_add(out, CHECK_WARNING, buf_text(&mend),
                        "%s: trigger %s on %s.%s fires for what culvert applies%s; what it writes "
                        "to "
                        "migrated tables arrives a second time from the source",
                        what, pg_text(r, i, 2), pg_text(r, i, 0), pg_text(r, i, 1),
                        enabled == 'O'   ? ""
                        : enabled == 'A' ? " (ENABLE ALWAYS)"
                                         : " (ENABLE REPLICA)");
        }
        return 0;
}

/* HAZARDS A15: the parent's delete takes the children with it, whose own deletes then find no row,
 * or, worse, takes one that was given another parent in the same transaction. */
static int check_actions(
        PGconn *c, const char *what, const char *oids, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, ACTIONS_SQL, 1, &oids);

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++) {
                AUTO_BUF mend = BUF_INIT;

                buf_str(&mend, "alter table ");
                pg_table(&mend, pg_text(r, i, 0), pg_text(r, i, 1));
                buf_str(&mend, " drop constraint ");
                pg_ident(&mend, pg_text(r, i, 2));
                buf_str(&mend, "; -- and add it again after the cutover, or let culvert's role set "
                               "session_replication_role");
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "%s: foreign key %s on %s.%s acts by itself (CASCADE, SET NULL or SET "
                        "DEFAULT) and would change rows a second time",
                        what, pg_text(r, i, 2), pg_text(r, i, 0), pg_text(r, i, 1));
        }
        return 0;
}

/* HAZARDS A3: under the replica role nothing checks a deferrable key. Those that identify rows are
 * errors of pg_check_columns. */
static int check_deferrable(
        PGconn *c, const char *what, const char *oids, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, DEFERRABLE_SQL, 1, &oids);

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++)
                checks_add(out, CHECK_WARNING, NULL,
                        "%s: %s %s on %s.%s is deferrable, so the server does not check it on what "
                        "culvert applies; the source does",
                        what, *pg_text(r, i, 3) == 'x' ? "exclusion constraint" : "key",
                        pg_text(r, i, 2), pg_text(r, i, 0), pg_text(r, i, 1));
        return 0;
}

int pg_check_rules(PGconn *c, const char *what, const char *oids, bool replica, struct checks *out,
        struct error *e)
{
        if (check_triggers(c, what, oids, replica, out, e) < 0)
                return -1;
        return replica ? check_deferrable(c, what, oids, out, e)
                       : check_actions(c, what, oids, out, e);
}
