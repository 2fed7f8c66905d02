#include "ops/pg_schema_pick.h"
#include "base/memory.h"
#include "db/pg_array.h"

#include <stdlib.h>
#include <string.h>

#define CLASS_FUNCTION 1255

/* Names come quoted where they need it, as pg_identify_object gives them. `trusted` is new in 13.
 */
#define EXTENSIONS_SQL(trusted)                                                                    \
        "select x.name, a.name is not null, r.rolsuper or exists (select from"                     \
        "  pg_catalog.pg_available_extension_versions v where v.name = a.name"                     \
        "  and v.version = a.default_version and (not v.superuser or " trusted "))"                \
        " from pg_catalog.unnest($1::text[]) x(name)"                                              \
        " left join pg_catalog.pg_available_extensions a on pg_catalog.quote_ident(a.name) = "     \
        "x.name"                                                                                   \
        " join pg_catalog.pg_roles r on r.rolname = current_user"                                  \
        " where not exists (select from pg_catalog.pg_extension e"                                 \
        "  where pg_catalog.quote_ident(e.extname) = x.name)"

/* 12 internal, 13 c; aggregates say internal too */
#define CODE_SQL                                                                                   \
        "select oid from pg_catalog.pg_proc where oid >= 16384 and prolang in (12, 13)"            \
        " and prosrc <> 'aggregate_dummy'"

#define POLICY_ROLES_SQL                                                                           \
        "select p.oid, r.rolname from pg_catalog.pg_policy p, pg_catalog.unnest(p.polroles) o"     \
        " join pg_catalog.pg_roles r on r.oid = o"
#define MISSING_ROLES_SQL                                                                          \
        "select distinct x.name from pg_catalog.unnest($1::text[]) x(name)"                        \
        " where not exists (select from pg_catalog.pg_roles r where r.rolname = x.name)"

static struct pg_pick *find_extension(struct pg_picks *p, const char *name)
{
        for (unsigned i = 0; i < p->n; i++)
                if (pg_pick_is(&p->items[i], "EXTENSION") && p->items[i].name.identity &&
                        !strcmp(p->items[i].name.identity, name))
                        return &p->items[i];
        return NULL;
}

static int cannot_create(struct pg_graph *g, struct pg_pick *x, bool available, struct error *e)
{
        const char *name = x->name.identity;

        if (!x->node || x->node->state != NODE_CARRIED) {
                x->left = memory_printf("no migrated table needs it, and %s",
                        available ? "only an administrator can create it on the target"
                                  : "the target server does not have it");
                if (x->node)
                        pg_graph_block(g, x->node);
                return 0;
        }
        if (available)
                return error_set(e, ERROR_CONFIG,
                        "extension %s is needed; an administrator runs on the target: CREATE "
                        "EXTENSION %s",
                        name, name);
        return error_set(e, ERROR_CONFIG,
                "extension %s is needed and the target server does not have it; install its "
                "package there",
                name);
}

/* Extensions that a table needs must be there or be creatable; the others come if they can, since
 * functions may call them. */
int pg_pick_extensions(struct pg_picks *p, struct pg_graph *g, PGconn *target, struct error *e)
{
        const char *sql = PQserverVersion(target) >= 130000 ? EXTENSIONS_SQL("v.trusted")
                                                            : EXTENSIONS_SQL("false");
        AUTO_RESULT r = NULL;
        AUTO_BUF names = BUF_INIT;

        for (unsigned i = 0; i < p->n; i++)
                if (pg_pick_is(&p->items[i], "EXTENSION") && p->items[i].name.identity)
                        pg_array_text(&names, p->items[i].name.identity);
        r = pg_query(target, e, sql, 1, (const char *[]){pg_array_close(&names)});
        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++) {
                struct pg_pick *x = find_extension(p, pg_text(r, row, 0));

                if (pg_true(r, row, 1) && pg_true(r, row, 2)) {
                        if (x->node)
                                pg_graph_carry(g, x->node);
                } else if (cannot_create(g, x, pg_true(r, row, 1), e) < 0) {
                        return -1;
                }
        }
        return 0;
}

/* Functions in C want a library on the target and a superuser: only where a table needs them. */
int pg_pick_code(struct pg_graph *g, PGconn *source, struct error *e)
{
        AUTO_RESULT r = pg_query(source, e, CODE_SQL, 0, NULL);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++) {
                struct pg_node *n = pg_graph_find(
                        g, CLASS_FUNCTION, (uint32_t)strtoul(pg_text(r, row, 0), NULL, 10));

                if (n && n->state == NODE_IDLE && !n->member && !n->blocked)
                        pg_graph_block(g, n);
        }
        return 0;
}

static struct pg_pick *find_policy(struct pg_picks *p, const char *oid)
{
        uint32_t number = (uint32_t)strtoul(oid, NULL, 10);

        for (unsigned i = 0; i < p->n; i++)
                if (pg_pick_is(&p->items[i], "POLICY") && p->items[i].entry->oid == number)
                        return &p->items[i];
        return NULL;
}

static bool holds(const PGresult *names, const char *name)
{
        for (int i = 0; i < PQntuples(names); i++)
                if (!strcmp(pg_text(names, i, 0), name))
                        return true;
        return false;
}

/* A policy for a role that the target does not have cannot be made. Without it the table is closed
 * to all but its owner, never open. */
int pg_pick_policies(struct pg_picks *p, PGconn *source, PGconn *target, struct error *e)
{
        AUTO_RESULT r = pg_query(source, e, POLICY_ROLES_SQL, 0, NULL);
        AUTO_RESULT missing = NULL;
        AUTO_BUF names = BUF_INIT;

        if (!r)
                return -1;
        for (int i = 0; i < PQntuples(r); i++)
                pg_array_text(&names, pg_text(r, i, 1));
        missing =
                pg_query(target, e, MISSING_ROLES_SQL, 1, (const char *[]){pg_array_close(&names)});
        if (!missing)
                return -1;
        for (int i = 0; i < PQntuples(r); i++) {
                struct pg_pick *x = find_policy(p, pg_text(r, i, 0));

                if (x && !x->left && holds(missing, pg_text(r, i, 1)))
                        x->left = memory_printf("role %s is not on the target", pg_text(r, i, 1));
        }
        return 0;
}

/* Indexes, constraints, defaults, owned sequences, triggers and so on, by pg_depend on the column.
 */
#define COLUMN_USERS_SQL                                                                           \
        "select d.classid::int8, d.objid::int8, c.relname, a.attname"                              \
        " from rows from (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::text[])) x(oid, "    \
        "name)"                                                                                    \
        " join pg_catalog.pg_attribute a on a.attrelid = x.oid and a.attname = x.name"             \
        " join pg_catalog.pg_class c on c.oid = x.oid"                                             \
        " join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass"           \
        "  and d.refobjid = x.oid and d.refobjsubid = a.attnum"

int pg_pick_columns(
        struct pg_picks *p, const struct pg_excluded *x, PGconn *source, struct error *e)
{
        const char *values[] = {x->tables, x->columns};
        AUTO_RESULT r = pg_query(source, e, COLUMN_USERS_SQL, 2, values);

        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++) {
                uint32_t class = (uint32_t)strtoul(pg_text(r, row, 0), NULL, 10);
                uint32_t oid = (uint32_t)strtoul(pg_text(r, row, 1), NULL, 10);

                for (unsigned i = 0; i < p->n; i++) {
                        struct pg_pick *user = &p->items[i];

                        if (user->name.class != class || user->entry->oid != oid || !user->carried)
                                continue;
                        user->carried = false;
                        user->left = memory_printf("uses column %s of %s, which is excluded",
                                pg_text(r, row, 3), pg_text(r, row, 2));
                }
        }
        return 0;
}
