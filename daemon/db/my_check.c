#include "base/memory.h"
#include "db/my_check_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the log ---- */

static void check_log(const struct my_variables *v, struct checks *out)
{
        if (my_variable_is(v, "log_bin", "OFF"))
                checks_add(out, CHECK_ERROR,
                        "log_bin = ON in the server's configuration ([mysqld]), and "
                        "a restart",
                        "source: the binary log is off");
        if (*my_variable(v, "binlog_format") && !my_variable_is(v, "binlog_format", "ROW"))
                checks_add(out, CHECK_ERROR,
                        "set global binlog_format = 'ROW'; -- and in the server's configuration; "
                        "sessions that are open keep what they have: have them connect again",
                        "source: binlog_format is %s", my_variable(v, "binlog_format"));
        if (my_variable_is(v, "server_id", "0"))
                checks_add(out, CHECK_ERROR,
                        "set global server_id = 1; -- and in the server's configuration",
                        "source: server_id is 0, so the server sends no log");
        if (*my_variable(v, "binlog_row_metadata") &&
                !my_variable_is(v, "binlog_row_metadata", "FULL"))
                checks_add(out, CHECK_WARNING,
                        "set global binlog_row_metadata = 'FULL'; -- and in the server's "
                        "configuration",
                        "source: binlog_row_metadata is %s: without names and signs of columns in "
                        "the log, tables must not be altered while changes of before are still to "
                        "be read",
                        my_variable(v, "binlog_row_metadata"));
        if (my_variable_is(v, "mysql56_temporal_format", "OFF"))
                checks_add(out, CHECK_WARNING,
                        "set global mysql56_temporal_format = ON; -- and in the server's "
                        "configuration",
                        "source: mysql56_temporal_format is OFF: DATETIME, TIME and TIMESTAMP "
                        "columns that are made or altered get a form of which the log does not "
                        "tell the digits, and stop the pipeline");
}

static bool any_without_key(const struct table_defs *t)
{
        for (unsigned i = 0; i < t->n; i++)
                if (t->items[i].shape && t->items[i].shape->identity == IDENTITY_FULL)
                        return true;
        return false;
}

static void check_image(
        const struct my_variables *v, const struct table_defs *t, struct checks *out)
{
        const char *image = my_variable(v, "binlog_row_image");
        bool keyless = any_without_key(t);

        if (!*image || !strncasecmp(image, "FULL", 4))
                return;
        checks_add(out, keyless ? CHECK_ERROR : CHECK_WARNING,
                "set global binlog_row_image = 'FULL'; -- and in the server's configuration; "
                "sessions that are open keep what they have: have them connect again",
                "source: binlog_row_image is %s: %s", image,
                keyless ? "rows of tables without a key cannot be told apart"
                        : "filters and cascades may lack old values");
}

/* ---- what is kept of it ---- */

/* Seconds; 0: for ever, or until space is short. */
static double retention(const struct my_variables *v)
{
        double seconds = strtod(my_variable(v, "binlog_expire_logs_seconds"), NULL);

        if (my_variable_is(v, "binlog_expire_logs_auto_purge", "OFF"))
                return 0;
        if (seconds > 0)
                return seconds;
        return strtod(my_variable(v, "expire_logs_days"), NULL) * 86400;
}

static void check_room(const char *name, const char *room, struct checks *out)
{
        if (*room && strcmp(room, "0") != 0)
                checks_add(out, CHECK_WARNING, NULL,
                        "source: binary logs are kept up to %s bytes in all (%s): culvert must not "
                        "be behind by more, neither by the copy nor by a pause",
                        room, name);
}

static void check_retention(
        const struct my_variables *v, const struct table_defs *t, struct checks *out)
{
        double seconds = retention(v), hours;
        const char *room = my_variable(v, "max_binlog_total_size");
        uint64_t bytes = 0;

        for (unsigned i = 0; i < t->n; i++)
                bytes += t->items[i].bytes;
        hours = check_copy_hours(bytes);
        if (seconds > 0)
                checks_add(out,
                        seconds < 86400 || seconds < hours * 3600 * 2 ? CHECK_WARNING : CHECK_NOTE,
                        NULL,
                        "source: binary logs are kept for %.1f hours: culvert must not be behind "
                        "by more; the copy alone takes about %.1f hours at %d MiB/s",
                        seconds / 3600, hours, CHECK_COPY_MIB);
        check_room("max_binlog_total_size", room, out);
        if (!*room)
                check_room("binlog_space_limit", my_variable(v, "binlog_space_limit"), out);
}

/* ---- filters of the log ---- */

/* Is the name in the comma-separated list? */
static bool listed(const char *list, const char *name)
{
        size_t len = strlen(name);

        for (const char *at = list; *at;) {
                size_t n = strcspn(at, ",");

                if (n == len && !strncmp(at, name, n))
                        return true;
                at += n + (at[n] == ',');
        }
        return false;
}

static void check_filter(
        const char *do_db, const char *ignore_db, const struct table_defs *t, struct checks *out)
{
        const char *last = "";

        for (unsigned i = 0; i < t->n; i++) {
                const char *schema = t->items[i].schema;

                if (!strcmp(schema, last))
                        continue;
                last = schema;
                if ((*do_db && !listed(do_db, schema)) || listed(ignore_db, schema))
                        checks_add(out, CHECK_ERROR,
                                "take binlog_do_db and binlog_ignore_db out of the server's "
                                "configuration, and restart it",
                                "source: changes of database %s are kept out of the binary log "
                                "(binlog_do_db, binlog_ignore_db)",
                                schema);
        }
}

static int check_filters(MYSQL *c, const struct table_defs *t, struct checks *out, struct error *e)
{
        bool newer = my_engine(c) == ENGINE_MYSQL && my_version(c) >= 80200;
        AUTO_MY_RESULT r = my_query(c, e, newer ? "show binary log status" : "show master status");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        if (row && mysql_num_fields(r) >= 4)
                check_filter(row[2] ? row[2] : "", row[3] ? row[3] : "", t, out);
        return r ? 0 : -1;
}

/* ---- rights ---- */

static void need(struct buf *missing, const struct my_grants *g, const char *right,
        const char *other, const char *say)
{
        if (my_grants_has(g, right, NULL, NULL) || (other && my_grants_has(g, other, NULL, NULL)))
                return;
        buf_printf(missing, "%s%s", missing->len ? ", " : "", say ? say : right);
}

static void say_missing(
        const struct buf *missing, const char *on, const char *user, struct checks *out)
{
        AUTO_STRING mend = NULL;

        if (!missing->len)
                return;
        mend = memory_printf("grant %s on %s to %s", buf_text(missing), on, user);
        checks_add(out, CHECK_ERROR, mend, "source: role %s has no %s on %s", user,
                buf_text(missing), on);
}

/* On MariaDB from 10.5 on, REPLICATION CLIENT is called BINLOG MONITOR. */
static void check_global(MYSQL *c, const struct my_grants *g, struct checks *out)
{
        AUTO_BUF missing = BUF_INIT;
        bool maria = my_engine(c) == ENGINE_MARIADB;

        need(&missing, g, "REPLICATION SLAVE", NULL, NULL);
        if (maria && my_version(c) >= 100502)
                need(&missing, g, "BINLOG MONITOR", NULL, NULL);
        else
                need(&missing, g, "REPLICATION CLIENT", NULL, NULL);
        if (!maria)
                need(&missing, g, "RELOAD", "FLUSH_TABLES",
                        my_version(c) >= 80023 ? "FLUSH_TABLES" : "RELOAD");
        say_missing(&missing, "*.*", g->user, out);
}

/* By database: SELECT, and LOCK TABLES where the start of the copy locks. */
static void check_schema(MYSQL *c, const struct my_grants *g, const struct table_defs *t,
        unsigned first, struct checks *out)
{
        const char *schema = t->items[first].schema;
        bool lock = my_engine(c) == ENGINE_MYSQL, select = true;
        AUTO_BUF missing = BUF_INIT;
        AUTO_BUF on = BUF_INIT;

        for (unsigned i = first; i < t->n && !strcmp(t->items[i].schema, schema); i++)
                select = select && my_grants_has(g, "SELECT", schema, t->items[i].name);
        if (!select)
                buf_str(&missing, "SELECT");
        if (lock && !my_grants_has(g, "LOCK TABLES", schema, NULL))
                buf_printf(&missing, "%sLOCK TABLES", select ? "" : ", ");
        my_ident(&on, schema);
        buf_str(&on, ".*");
        say_missing(&missing, buf_text(&on), g->user, out);
}

static void check_rights(
        MYSQL *c, const struct my_grants *g, const struct table_defs *t, struct checks *out)
{
        check_global(c, g, out);
        for (unsigned i = 0; i < t->n; i++)
                if (i == 0 || strcmp(t->items[i].schema, t->items[i - 1].schema) != 0)
                        check_schema(c, g, t, i, out);
}

static int check_all(MYSQL *c, const struct table_defs *t, const struct my_variables *v,
        const struct my_grants *g, struct checks *out, struct error *e)
{
        bool monitor = my_grants_has(g, "BINLOG MONITOR", NULL, NULL) ||
                       my_grants_has(g, "REPLICATION CLIENT", NULL, NULL) ||
                       my_grants_has(g, "SUPER", NULL, NULL);

        check_log(v, out);
        check_image(v, t, out);
        check_retention(v, t, out);
        check_rights(c, g, t, out);
        if (monitor && check_filters(c, t, out, e) < 0)
                return -1;
        return my_check_tables(t, v, out);
}

int my_check_source(MYSQL *c, const struct table_defs *tables, struct checks *out, struct error *e)
{
        struct my_variables v = {0};
        struct my_grants g = {0};
        int result = -1;

        if (my_variables_read(c, &v, e) == 0 && my_grants_read(c, &g, e) == 0)
                result = check_all(c, tables, &v, &g, out, e);
        my_variables_done(&v);
        my_grants_done(&g);
        return result < 0 ? error_context(e, "source") : 0;
}
