#include "base/memory.h"
#include "db/my_check_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the server ---- */

/* The sink refuses what is an error here (sinks/my_session.c): said before the copy. MariaDB's 3 is
 * as 1, and one flush more. */
static void check_durability(const struct my_variables *v, struct checks *out)
{
        bool logged = my_variable_is(v, "log_bin", "ON");

        if (*my_variable(v, "innodb_flush_log_at_trx_commit") &&
                !my_variable_is(v, "innodb_flush_log_at_trx_commit", "1") &&
                !my_variable_is(v, "innodb_flush_log_at_trx_commit", "3"))
                checks_add(out, CHECK_ERROR,
                        "set global innodb_flush_log_at_trx_commit = 1; -- and in the server's "
                        "configuration",
                        "target: innodb_flush_log_at_trx_commit is %s: a crash of the server may "
                        "take back what was acknowledged to the source",
                        my_variable(v, "innodb_flush_log_at_trx_commit"));
        if (logged && !my_variable_is(v, "sync_binlog", "1"))
                checks_add(out, CHECK_ERROR,
                        "set global sync_binlog = 1; -- and in the server's configuration",
                        "target: sync_binlog is %s: after a crash the binary log decides what was "
                        "committed, and it may lack the end",
                        my_variable(v, "sync_binlog"));
        if (logged && my_variable_is(v, "binlog_format", "STATEMENT"))
                checks_add(out, CHECK_ERROR,
                        "set global binlog_format = 'ROW'; -- and in the server's configuration",
                        "target: binlog_format is STATEMENT, with which rows cannot be written "
                        "under READ COMMITTED");
        if (my_variable_is(v, "innodb_doublewrite", "OFF"))
                checks_add(out, CHECK_NOTE, NULL, "target: innodb_doublewrite is off");
}

static bool writes_always(const struct my_grants *g)
{
        return my_grants_has(g, "SUPER", NULL, NULL) ||
               my_grants_has(g, "READ_ONLY ADMIN", NULL, NULL) ||
               my_grants_has(g, "CONNECTION_ADMIN", NULL, NULL);
}

static void check_server(
        const struct my_variables *v, const struct my_grants *g, struct checks *out)
{
        double packet = strtod(my_variable(v, "max_allowed_packet"), NULL);

        check_durability(v, out);
        if (packet > 0 && packet < 64 * 1024 * 1024)
                checks_add(out, CHECK_WARNING,
                        "set global max_allowed_packet = 1073741824; -- and in the server's "
                        "configuration",
                        "target: max_allowed_packet is %.0f KiB: a row that is longer cannot be "
                        "written",
                        packet / 1024);
        if (my_variable_is(v, "super_read_only", "ON") ||
                (my_variable_is(v, "read_only", "ON") && !writes_always(g)))
                checks_add(out, CHECK_ERROR, "set global read_only = 0; -- if it is no replica",
                        "target: the server is read-only");
}

/* ---- names ---- */

static bool has_upper(const char *text)
{
        for (; *text; text++)
                if (*text >= 'A' && *text <= 'Z')
                        return true;
        return false;
}

/* With lower_case_table_names two names may be one, and others come back in lower case. */
static void check_names(
        const struct my_variables *v, const struct my_check_input *in, struct checks *out)
{
        if (my_variable_is(v, "lower_case_table_names", "0"))
                return;
        for (unsigned i = 0; i < in->n; i++) {
                const struct my_check_table *t = &in->tables[i];

                if (has_upper(t->schema) || has_upper(t->name))
                        checks_add(out, CHECK_WARNING, NULL,
                                "target: table %s.%s will be named in lower case there "
                                "(lower_case_table_names is %s)",
                                t->schema, t->name, my_variable(v, "lower_case_table_names"));
                for (unsigned k = 0; k < i; k++)
                        if (!strcasecmp(in->tables[k].name, t->name) &&
                                !strcasecmp(in->tables[k].schema, t->schema))
                                checks_add(out, CHECK_ERROR, NULL,
                                        "target: tables %s.%s and %s.%s would be one table there "
                                        "(lower_case_table_names is %s)",
                                        in->tables[k].schema, in->tables[k].name, t->schema,
                                        t->name, my_variable(v, "lower_case_table_names"));
        }
}

/* ---- rights ---- */

/* Without TRIGGER we would not see that there are some. */
static const char *const on_existing[] = {
        "SELECT", "INSERT", "UPDATE", "DELETE", "ALTER", "TRIGGER"};
static const char *const on_created[] = {
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "REFERENCES", "DROP"};
static const char *const on_culvert[] = {
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "DROP"};

static void say_missing(const struct my_grants *g, const struct buf *missing, const char *schema,
        struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;

        if (!missing->len)
                return;
        buf_printf(&mend, "grant %s on ", buf_text(missing));
        my_ident(&mend, schema);
        buf_printf(&mend, ".* to %s", g->user);
        checks_add(out, CHECK_ERROR, buf_text(&mend), "target: role %s has no %s on database %s",
                g->user, buf_text(missing), schema);
}

static void add_missing(struct buf *missing, const char *right)
{
        for (const char *at = buf_text(missing); (at = strstr(at, right));) {
                at += strlen(right);
                if (*at == ',' || *at == '\0')
                        return;
        }
        buf_printf(missing, "%s%s", missing->len ? ", " : "", right);
}

/* All tables of one schema; those before `first` have been seen. */
static void check_schema(const struct my_grants *g, const struct my_check_input *in, unsigned first,
        struct checks *out)
{
        const char *schema = in->tables[first].schema;
        AUTO_BUF missing = BUF_INIT;

        for (unsigned i = first; i < in->n; i++) {
                const struct my_check_table *t = &in->tables[i];
                const char *const *rights = t->create ? on_created : on_existing;
                unsigned n = t->create ? sizeof on_created / sizeof *on_created
                                       : sizeof on_existing / sizeof *on_existing;

                for (unsigned k = 0; !strcmp(t->schema, schema) && k < n; k++)
                        if (!my_grants_has(g, rights[k], schema, t->create ? NULL : t->name))
                                add_missing(&missing, rights[k]);
        }
        say_missing(g, &missing, schema, out);
}

static void check_rights(
        const struct my_grants *g, const struct my_check_input *in, struct checks *out)
{
        AUTO_BUF missing = BUF_INIT;

        for (unsigned i = 0; i < in->n; i++) {
                bool seen = false;

                for (unsigned k = 0; k < i && !seen; k++)
                        seen = !strcmp(in->tables[k].schema, in->tables[i].schema);
                if (!seen)
                        check_schema(g, in, i, out);
        }
        for (unsigned k = 0; k < sizeof on_culvert / sizeof *on_culvert; k++)
                if (!my_grants_has(g, on_culvert[k], "culvert", NULL))
                        add_missing(&missing, on_culvert[k]);
        say_missing(g, &missing, "culvert", out);
}

/* ---- tables that are there ---- */

static const struct my_check_table *find(
        const struct my_check_input *in, const char *schema, const char *name)
{
        for (unsigned i = 0; i < in->n; i++)
                if (!strcasecmp(in->tables[i].schema, schema) &&
                        !strcasecmp(in->tables[i].name, name))
                        return &in->tables[i];
        return NULL;
}

static void say_engine(const char *schema, const char *name, const char *engine, struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;

        buf_str(&mend, "alter table ");
        my_table(&mend, schema, name);
        buf_str(&mend, " engine = InnoDB");
        checks_add(out, CHECK_ERROR, buf_text(&mend),
                "target: table %s.%s is of engine %s, which has no transactions: a change could be "
                "applied twice",
                schema, name, engine);
}

static int check_engines(
        MYSQL *c, const struct my_check_input *in, struct checks *out, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e,
                "select t.table_schema, t.table_name, t.engine from information_schema.tables t"
                " join information_schema.engines g on g.engine = t.engine"
                " where t.table_type in ('BASE TABLE', 'SYSTEM VERSIONED')"
                " and coalesce(g.transactions, 'NO') <> 'YES'"
                " and t.table_schema not in ('mysql', 'sys', 'performance_schema',"
                " 'information_schema')");

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
                if (find(in, row[0], row[1]))
                        say_engine(row[0], row[1], row[2] ? row[2] : "unknown", out);
        return 0;
}

/* HAZARDS A9: nothing switches them off for our session. The mark is the session variable that
 * culvert sets. */
static int check_triggers(
        MYSQL *c, const struct my_check_input *in, struct checks *out, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e,
                "select event_object_schema, event_object_table, trigger_name,"
                " action_statement like '%@culvert_apply%'"
                " from information_schema.triggers order by 1, 2, 3");

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                AUTO_BUF mend = BUF_INIT;

                if (!find(in, row[0], row[1]) || (row[3] && !strcmp(row[3], "1")))
                        continue;
                buf_str(&mend, "drop trigger ");
                my_table(&mend, row[0], row[2]);
                buf_str(&mend, "; -- and create it again at the cutover, or let its body begin "
                               "with: if @culvert_apply is null then");
                checks_add(out, CHECK_WARNING, buf_text(&mend),
                        "target: trigger %s on %s.%s fires for what culvert applies; what it "
                        "writes to migrated tables arrives a second time from the source",
                        row[2], row[0], row[1]);
        }
        return 0;
}

int my_check_target(MYSQL *c, const struct my_check_input *in, struct checks *out, struct error *e)
{
        struct my_variables v = {0};
        struct my_grants g = {0};
        int result = -1;

        if (my_variables_read(c, &v, e) == 0 && my_grants_read(c, &g, e) == 0) {
                check_server(&v, &g, out);
                check_names(&v, in, out);
                check_rights(&g, in, out);
                result = check_engines(c, in, out, e) < 0 ? -1 : check_triggers(c, in, out, e);
        }
        my_variables_done(&v);
        my_grants_done(&g);
        return result < 0 ? error_context(e, "target") : 0;
}
