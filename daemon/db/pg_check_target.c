#include "base/memory.h"
#include "db/pg_array.h"
#include "db/pg_check.h"

#include <stdlib.h>
#include <string.h>

#define SERVER_SQL                                                                                 \
        "select current_setting('fsync'), pg_catalog.pg_is_in_recovery(),"                         \
        " (select reset_val from pg_catalog.pg_settings where name = "                             \
        "'default_transaction_read_only'),"                                                        \
        " current_user,"                                                                           \
        " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create'),"             \
        " n.oid is not null, n.oid is not null and pg_catalog.pg_has_role(n.nspowner, 'USAGE'),"   \
        " pg_catalog.pg_encoding_to_char(d.encoding)"                                              \
        " from pg_catalog.pg_database d left join pg_catalog.pg_namespace n on n.nspname = "       \
        "'culvert'"                                                                                \
        " where d.datname = pg_catalog.current_database()"

#define TABLES_SQL                                                                                 \
        "select u.at, c.oid, c.relkind, c.relpersistence, n.oid is not null,"                      \
        " n.oid is not null and pg_catalog.has_schema_privilege(n.oid, 'usage'),"                  \
        " n.oid is not null and pg_catalog.has_schema_privilege(n.oid, 'create'),"                 \
        " pg_catalog.has_table_privilege(c.oid, 'select')"                                         \
        "  and pg_catalog.has_table_privilege(c.oid, 'insert')"                                    \
        "  and pg_catalog.has_table_privilege(c.oid, 'update')"                                    \
        "  and pg_catalog.has_table_privilege(c.oid, 'delete')"                                    \
        "  and pg_catalog.has_table_privilege(c.oid, 'truncate'),"                                 \
        " pg_catalog.row_security_active(c.oid), current_user"                                     \
        " from unnest($1::text[], $2::text[]) with ordinality u(schema, name, at)"                 \
        " left join pg_catalog.pg_namespace n on n.nspname = u.schema"                             \
        " left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = u.name"        \
        " order by u.at"

struct target {
        const struct check_input *in;
        struct checks *out;
        bool *missing;
        bool may_create; /* schemas and the like in the database */
        struct check_names rights, rls;
        struct buf usage, create; /* schemas without the right */
        struct buf there, made;   /* oids: on the target; on the source, of what will be made */
        char *role;
};

static void check_home(struct target *t, const PGresult *r)
{
        AUTO_BUF role = BUF_INIT;

        pg_ident(&role, t->role);
        if (!pg_true(r, 0, 5))
                checks_add(t->out, CHECK_STATEMENT, "create schema culvert; -- and its tables",
                        "target");
        if (pg_true(r, 0, 5) && !pg_true(r, 0, 6)) {
                AUTO_STRING mend =
                        memory_printf("alter schema culvert owner to %s", buf_text(&role));

                checks_add(t->out, CHECK_ERROR, mend,
                        "target: schema culvert does not belong to role %s", t->role);
        } else if (!pg_true(r, 0, 5) && !t->may_create) {
                AUTO_STRING mend =
                        memory_printf("create schema culvert authorization %s", buf_text(&role));

                checks_add(t->out, CHECK_ERROR, mend,
                        "target: role %s cannot create schema culvert", t->role);
        }
}

static int check_server(struct target *t, PGconn *c, int source_version, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, SERVER_SQL, 0, NULL);

        if (!r)
                return -1;
        t->role = memory_string(pg_text(r, 0, 3));
        t->may_create = pg_true(r, 0, 4);
        if (!strcmp(pg_text(r, 0, 0), "off"))
                checks_add(t->out, CHECK_ERROR, "alter system set fsync = on; -- then reload",
                        "target: fsync is off: a crash could lose what the source was told is "
                        "safe");
        if (pg_true(r, 0, 1))
                checks_add(t->out, CHECK_ERROR, NULL,
                        "target: the server is a standby; connect to its primary");
        if (!strcmp(pg_text(r, 0, 2), "on"))
                checks_add(t->out, CHECK_ERROR, NULL,
                        "target: default_transaction_read_only is on for role %s", t->role);
        if (strcmp(pg_text(r, 0, 7), "UTF8") != 0)
                checks_add(t->out, CHECK_WARNING, NULL,
                        "target: encoding %s: text that it cannot hold will stop the migration",
                        pg_text(r, 0, 7));
        if (PQserverVersion(c) / 10000 < source_version / 10000)
                checks_add(t->out, CHECK_WARNING, NULL,
                        "target: the server (%d) is older than the source (%d): definitions that "
                        "are new to it cannot be created",
                        PQserverVersion(c) / 10000, source_version / 10000);
        check_home(t, r);
        return 0;
}

static void add_schema(struct buf *list, const char *schema)
{
        AUTO_BUF quoted = BUF_INIT;

        pg_ident(&quoted, schema);
        if (list->len && strstr(buf_text(list), buf_text(&quoted)))
                return;
        buf_printf(list, "%s%s", list->len ? ", " : "", buf_text(&quoted));
}

static void check_missing(struct target *t, const struct check_table *x, const PGresult *r, int row)
{
        if (!t->in->config->tables.create)
                checks_add(t->out, CHECK_ERROR, NULL,
                        "target: table %s.%s does not exist, and tables.create is no", x->schema,
                        x->name);
        else if (pg_true(r, row, 4) ? !(pg_true(r, row, 5) && pg_true(r, row, 6)) : !t->may_create)
                add_schema(&t->create, x->schema);
        if (x->source)
                pg_array_number(&t->made, x->source->oid);
}

static void check_existing(
        struct target *t, const struct check_table *x, const PGresult *r, int row)
{
        char kind = *pg_text(r, row, 2);

        if (kind != 'r' && kind != 'p') {
                checks_add(t->out, CHECK_ERROR, NULL, "target: %s.%s is not a table", x->schema,
                        x->name);
                return;
        }
        pg_array_number(&t->there, (uint32_t)strtoul(pg_text(r, row, 1), NULL, 10));
        if (*pg_text(r, row, 3) == 'u') {
                AUTO_BUF mend = BUF_INIT;

                buf_str(&mend, "alter table ");
                pg_table(&mend, x->schema, x->name);
                buf_str(&mend, " set logged");
                checks_add(t->out, CHECK_ERROR, buf_text(&mend),
                        "target: table %s.%s is unlogged: a crash would empty it", x->schema,
                        x->name);
        }
        if (!pg_true(r, row, 5))
                add_schema(&t->usage, x->schema);
        if (!pg_true(r, row, 7))
                check_names_add(&t->rights, x->schema, x->name);
        if (pg_true(r, row, 8))
                check_names_add(&t->rls, x->schema, x->name);
}

static void say(struct target *t)
{
        AUTO_BUF role = BUF_INIT;

        pg_ident(&role, t->role);
        AUTO_STRING usage = memory_printf(
                "grant usage on schema %s to %s", buf_text(&t->usage), buf_text(&role));
        AUTO_STRING create = memory_printf("grant usage, create on schema %s to %s -- or, where "
                                           "there is none yet: grant create on database ... to %s",
                buf_text(&t->create), buf_text(&role), buf_text(&role));
        AUTO_STRING rights = memory_printf("grant select, insert, update, delete, truncate on %s "
                                           "to %s",
                buf_text(&t->rights.sql), buf_text(&role));
        AUTO_STRING rls = memory_printf("alter role %s bypassrls", buf_text(&role));

        if (t->usage.len)
                checks_add(t->out, CHECK_ERROR, usage, "target: role %s has no USAGE on schema %s",
                        t->role, buf_text(&t->usage));
        if (t->create.len)
                checks_add(t->out, CHECK_ERROR, create,
                        "target: role %s may not create tables in schema %s", t->role,
                        buf_text(&t->create));
        if (t->rights.n)
                checks_add(t->out, CHECK_ERROR, rights, "target: role %s may not change %s",
                        t->role, check_names_said(&t->rights));
        if (t->rls.n)
                checks_add(t->out, CHECK_ERROR, rls,
                        "target: row-level security is in force for role %s on %s", t->role,
                        check_names_said(&t->rls));
}

static int check_tables(struct target *t, PGconn *c, struct error *e)
{
        AUTO_BUF schemas = BUF_INIT, names = BUF_INIT;
        PGresult *r;

        for (unsigned i = 0; i < t->in->n; i++) {
                pg_array_text(&schemas, t->in->tables[i].schema);
                pg_array_text(&names, t->in->tables[i].name);
        }
        r = pg_query(c, e, TABLES_SQL, 2,
                (const char *[]){pg_array_close(&schemas), pg_array_close(&names)});
        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++) {
                t->missing[row] = PQgetisnull(r, row, 1);
                if (t->missing[row])
                        check_missing(t, &t->in->tables[row], r, row);
                else
                        check_existing(t, &t->in->tables[row], r, row);
        }
        PQclear(r);
        say(t);
        return 0;
}

/* Tried rather than asked: managed servers have ways of their own to grant it. */
static int replica_right(PGconn *c, bool *may, struct error *e)
{
        struct error why = ERROR_INIT;

        if (pg_run(c, e, "begin") < 0)
                return -1;
        *may = pg_run(c, &why, "set local session_replication_role = 'replica'") == 0;
        return pg_run(c, e, "rollback");
}

static void say_replica(struct target *t, PGconn *c)
{
        AUTO_BUF mend = BUF_INIT;

        if (PQserverVersion(c) >= 150000) {
                buf_str(&mend, "grant set on parameter session_replication_role to ");
                pg_ident(&mend, t->role);
        }
        checks_add(t->out, CHECK_WARNING, buf_text(&mend),
                "target: role %s may not set session_replication_role, so foreign keys are checked "
                "and triggers fire for every change that culvert applies",
                t->role);
}

static int check_rules(struct target *t, PGconn *target, PGconn *source, struct error *e)
{
        bool replica = false;

        if (replica_right(target, &replica, e) < 0)
                return -1;
        if (!replica)
                say_replica(t, target);
        if (pg_check_rules(target, "target", pg_array_close(&t->there), replica, t->out, e) < 0)
                return -1;
        if (!source)
                return 0;
        return pg_check_rules(source, "target, once it is made like the source",
                pg_array_close(&t->made), replica, t->out, e);
}

int pg_check_target(PGconn *target, PGconn *source, const struct check_input *in, bool *missing,
        struct checks *out, struct error *e)
{
        struct target t = {.in = in, .out = out};
        int rc = -1;

        t.missing = memory_new((in->n + 1) * sizeof *t.missing);
        if (pg_check_session(target, "target", out, e) == 0 &&
                check_server(&t, target, source ? PQserverVersion(source) : 0, e) == 0 &&
                check_tables(&t, target, e) == 0 &&
                (!source || pg_check_columns(target, in, t.missing, out, e) == 0))
                rc = check_rules(&t, target, source, e);
        if (missing)
                memcpy(missing, t.missing, in->n * sizeof *missing);
        free(t.missing);
        free(t.role);
        check_names_done(&t.rights);
        check_names_done(&t.rls);
        buf_done(&t.usage);
        buf_done(&t.create);
        buf_done(&t.there);
        buf_done(&t.made);
        return rc < 0 ? error_context(e, "target") : 0;
}
