/*
 * Counters of the MySQL family: AUTO_INCREMENT. InnoDB moves a table's by itself past what the
 * stream inserts, so few are left to be set, by an ALTER TABLE each that only touches the
 * definition.
 */
#include "base/memory.h"
#include "db/my.h"
#include "db/my_check_private.h"
#include "ops/counters_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOCK_SECONDS 3 /* an ALTER waits for whoever reads the table */

static MYSQL *connect_to(struct counters *c, bool target)
{
        MYSQL *conn = endpoint_my(c->config, target, c->halt, c->e);

        /* MySQL answers from statistics that may be a day old, unless asked not to */
        if (conn && my_engine(conn) == ENGINE_MYSQL && my_version(conn) >= 80000 &&
                my_run(conn, c->e, "set session information_schema_stats_expiry = 0") < 0)
                halt_my_close(c->halt, &conn);
        return conn;
}

static void add_schema(struct buf *list, const char *schema)
{
        AUTO_BUF literal = BUF_INIT;

        my_literal(&literal, schema, strlen(schema));
        if (list->len && strstr(buf_text(list), buf_text(&literal)))
                return;
        buf_printf(list, "%s%s", list->len ? ", " : "", buf_text(&literal));
}

/* Columns with a counter: schema, table, column, type, next value, do names of tables fold. */
static MYSQL_RES *ask(MYSQL *conn, const struct buf *schemas, struct error *e)
{
        return my_queryf(conn, e,
                "select c.table_schema, c.table_name, c.column_name, c.column_type, "
                "coalesce(t.auto_increment, 1), @@lower_case_table_names <> 0 from "
                "information_schema.columns c join information_schema.tables t on t.table_schema = "
                "c.table_schema and t.table_name = c.table_name where c.extra like "
                "'%%auto_increment%%' and c.table_schema in (%s) and t.table_schema in (%s)",
                buf_text(schemas), buf_text(schemas));
}

static bool same(const char *a, const char *b, bool folds)
{
        return folds ? !strcasecmp(a, b) : !strcmp(a, b);
}

static bool is_asked(const struct counters *c, MYSQL_ROW row)
{
        bool folds = !strcmp(row[5], "1");

        for (unsigned i = 0; i < c->tables_n; i++)
                if (same(c->tables[i].schema, row[0], folds) &&
                        same(c->tables[i].name, row[1], folds))
                        return true;
        return false;
}

static int read_from(struct counters *c, MYSQL *conn)
{
        AUTO_BUF schemas = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        for (unsigned i = 0; i < c->tables_n; i++)
                add_schema(&schemas, c->tables[i].schema);
        if (!(r = ask(conn, &schemas, c->e)))
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                struct counter *k = is_asked(c, row) ? counters_add(c) : NULL;

                if (!k)
                        continue;
                k->schema = memory_string(row[0]);
                k->table = memory_string(row[1]);
                k->column = memory_string(row[2]);
                counter_parse(row[4], &k->next);
        }
        return 0;
}

static int my_read(struct counters *c)
{
        MYSQL *conn = connect_to(c, false);
        int rc = conn ? read_from(c, conn) : -1;

        halt_my_close(c->halt, &conn);
        return rc;
}

/* ---- the target ---- */

/* The largest value of an integer type; others have no end here. */
static counter_value most_of(const char *type)
{
        static const struct {
                const char *name;
                unsigned bits;
        } types[] = {
                {"tinyint", 8}, {"smallint", 16}, {"mediumint", 24}, {"int", 32}, {"bigint", 64}};
        unsigned bits = 100;

        for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
                if (!strncasecmp(type, types[i].name, strlen(types[i].name)))
                        bits = types[i].bits;
        return ((counter_value)1 << (bits - !strcasestr(type, "unsigned"))) - 1;
}

static void take_target(struct counters *c, MYSQL_ROW row, bool may)
{
        bool folds = !strcmp(row[5], "1");

        for (unsigned i = 0; i < c->n; i++) {
                struct counter *k = &c->items[i];
                AUTO_BUF name = BUF_INIT;

                if (!k->table || !same(k->to_schema, row[0], folds) ||
                        !same(k->to_table, row[1], folds) || strcasecmp(k->to_column, row[2]) != 0)
                        continue;
                free(k->target);
                my_table(&name, row[0], row[1]);
                k->target = buf_take(&name);
                k->least = 0;
                k->most = most_of(row[3]);
                counter_parse(row[4], &k->has);
                if (k->down) { /* it counts up from what is there */
                        k->next = k->has;
                        k->reserve = 0;
                        k->down = false;
                }
                k->cycles = false;
                k->may = may ? NULL : memory_printf("grant alter on %s", k->target);
        }
}

static int find_targets(struct counters *c, MYSQL *conn)
{
        struct my_grants grants = {0};
        AUTO_BUF schemas = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        for (unsigned i = 0; i < c->n; i++)
                if (c->items[i].table)
                        add_schema(&schemas, c->items[i].to_schema);
        if (schemas.len == 0)
                return 0;
        if (my_grants_read(conn, &grants, c->e) == 0)
                r = ask(conn, &schemas, c->e);
        for (MYSQL_ROW row; r && (row = mysql_fetch_row(r));)
                take_target(c, row, my_grants_has(&grants, "ALTER", row[0], row[1]));
        my_grants_done(&grants);
        return r ? 0 : -1;
}

/* A column with a counter has an index. */
static int read_extremes(struct counters *c, MYSQL *conn)
{
        for (unsigned at = 0; at < c->n; at += COUNTERS_AT_ONCE) {
                AUTO_BUF sql = BUF_INIT;
                AUTO_MY_RESULT r = NULL;

                for (unsigned i = at; i < c->n && i < at + COUNTERS_AT_ONCE; i++) {
                        if (!c->items[i].target)
                                continue;
                        buf_printf(&sql, "%sselect %u, max(", sql.len ? " union all " : "", i);
                        my_ident(&sql, c->items[i].to_column);
                        buf_printf(&sql, ") from %s", c->items[i].target);
                }
                if (sql.len == 0)
                        continue;
                if (!(r = my_query(conn, c->e, buf_text(&sql))))
                        return -1;
                for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                        struct counter *k = &c->items[strtoul(row[0], NULL, 10)];

                        k->has_extreme = row[1] && counter_parse(row[1], &k->extreme);
                }
        }
        return 0;
}

static int my_look(struct counters *c)
{
        MYSQL *conn = connect_to(c, true);
        int rc = conn ? find_targets(c, conn) : -1;

        if (rc == 0)
                rc = read_extremes(c, conn);
        halt_my_close(c->halt, &conn);
        return rc;
}

static int set_some(struct counters *c, MYSQL *conn, unsigned *at)
{
        AUTO_BUF sql = BUF_INIT;

        for (unsigned n = 0; *at < c->n && n < COUNTERS_AT_ONCE; ++*at) {
                const struct counter *k = &c->items[*at];
                char text[COUNTER_TEXT];

                if (!k->target || !k->moves)
                        continue;
                buf_printf(&sql, "%salter table %s auto_increment = %s", n++ ? ";" : "", k->target,
                        counter_text(k->to, text));
        }
        return sql.len ? my_run(conn, c->e, buf_text(&sql)) : 0;
}

static int my_set(struct counters *c)
{
        unsigned at = 0, n = 0;
        MYSQL *conn;
        int rc;

        for (unsigned i = 0; i < c->n; i++)
                n += c->items[i].target && c->items[i].moves;
        if (n == 0)
                return 0;
        if (!(conn = connect_to(c, true)))
                return -1;
        rc = my_runf(conn, c->e, "set session lock_wait_timeout = %d", LOCK_SECONDS);
        while (rc == 0 && at < c->n)
                rc = set_some(c, conn, &at);
        halt_my_close(c->halt, &conn);
        return rc < 0 ? error_context(c->e, "setting auto_increment") : 0;
}

const struct counters_ops counters_my_ops = {.read = my_read, .look = my_look, .set = my_set};
