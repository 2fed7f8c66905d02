/*
 * A MySQL-family target as the copy sees it: tables by db/my_ddl.h, rows by ops/my_loader.h in
 * one transaction a table, records as everywhere (ops/copy_record.h). DDL commits by itself there
 * (HAZARDS B7), so every statement may find its work done by an attempt that was interrupted.
 */
#include "base/memory.h"
#include "db/my_catalog.h"
#include "db/my_check.h"
#include "db/my_ddl.h"
#include "ops/destination.h"
#include "ops/my_loader.h"
#include "ops/my_record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct destination {
        const struct config *config;
        struct halt *halt;
        struct my_params *params;
        MYSQL *conn;
        struct my_book book;
        uint64_t packet; /* max_allowed_packet */
        bool infile;     /* LOAD DATA LOCAL is allowed */
};

static struct destination *my_destination_close(struct destination *d)
{
        if (!d)
                return NULL;
        halt_my_close(d->halt, &d->conn);
        my_params_free(d->params);
        free(d);
        return NULL;
}

/* Rows arrive in no order that foreign keys would like, and dates as the source has them. */
static MYSQL *connect_target(struct destination *d, struct error *e)
{
        MYSQL *c = halt_my_connect(d->halt, d->params, e);

        if (c && my_run(c, e,
                         "set @culvert_apply = 1, foreign_key_checks = 0, "
                         "sql_mode = concat(@@sql_mode, ',ALLOW_INVALID_DATES')") < 0)
                halt_my_close(d->halt, &c);
        return c;
}

/* Loaders have handlers that read no file. */
static int read_limits(struct destination *d, struct error *e)
{
        AUTO_MY_RESULT r = my_query(d->conn, e, "select @@max_allowed_packet, @@local_infile");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

        if (row) {
                d->packet = strtoull(row[0], NULL, 10);
                d->infile = d->params->local_infile = !strcmp(row[1], "1");
        }
        return r ? 0 : -1;
}

static struct destination *my_destination_open(
        const struct config *c, struct halt *h, struct error *e)
{
        struct destination *d = memory_new_of(struct destination);

        d->config = c;
        d->halt = h;
        d->book.pipeline = c->pipeline.name;
        if (!(d->params = my_params_new(&c->target, "target", e)) ||
                !(d->conn = connect_target(d, e)) || read_limits(d, e) < 0)
                return my_destination_close(d);
        d->book.target = d->conn;
        return d;
}

static enum engine my_destination_engine(const struct destination *d)
{
        return my_engine(d->conn);
}

static char *my_destination_version(const struct destination *d)
{
        return my_version_text(d->conn);
}

static int my_destination_format(struct destination *d, struct error *e)
{
        return my_meta_check(d->conn, e);
}

static bool my_destination_begun(struct destination *d)
{
        struct error ignored = ERROR_INIT;
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        buf_str(&sql, "select 1 from culvert.checkpoint where pipeline = ");
        my_literal(&sql, d->book.pipeline, strlen(d->book.pipeline));
        r = my_query(d->conn, &ignored, buf_text(&sql));
        return r && mysql_num_rows(r) > 0;
}

static int my_destination_claim(
        struct destination *d, struct position *p, char source[IDENTITY_TEXT], struct error *e)
{
        return my_meta_open(d->conn, d->book.pipeline, &d->book.epoch, p, source, e);
}

/* ---- records ---- */

static int my_destination_begin(struct destination *d, struct error *e)
{
        return my_book_begin(&d->book, e);
}

static int my_destination_commit(struct destination *d, struct error *e)
{
        return my_book_commit(&d->book, e);
}

static void my_destination_rollback(struct destination *d)
{
        my_book_rollback(&d->book);
}

static int my_read_record(struct destination *d, struct copy_record *r, struct error *e)
{
        return my_record_read(&d->book, r, e);
}

static int my_write_record(struct destination *d, const struct copy_record *r, struct error *e)
{
        return my_record_write(&d->book, r, e);
}

static struct table_records *my_read_tables(struct destination *d, struct error *e)
{
        return my_records_read(&d->book, e);
}

/* What waits in quarantine, of one table or of all. */
static void write_forget(
        struct buf *sql, const struct destination *d, const char *schema, const char *name)
{
        buf_str(sql, "delete from culvert.quarantine where pipeline = ");
        my_literal(sql, d->book.pipeline, strlen(d->book.pipeline));
        if (!schema)
                return;
        buf_str(sql, " and table_schema = ");
        my_literal(sql, schema, strlen(schema));
        buf_str(sql, " and table_name = ");
        my_literal(sql, name, strlen(name));
}

static int my_clear_tables(struct destination *d, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        write_forget(&sql, d, NULL, NULL);
        return my_run(d->conn, e, buf_text(&sql)) < 0 ? -1 : my_records_clear(&d->book, e);
}

static int my_write_table(struct destination *d, const struct table_record *t, struct error *e)
{
        return my_records_write(&d->book, t, e);
}

static int my_gtids(struct destination *d, char **gtids, struct error *e)
{
        return my_record_gtids(&d->book, gtids, e);
}

static int my_checkpoint(struct destination *d, const struct copy_record *r, struct error *e)
{
        return my_record_checkpoint(&d->book, r, e);
}

static int my_finish(struct destination *d, const struct copy_record *r, struct error *e)
{
        return my_record_finish(&d->book, r, e);
}

/* ---- tables ---- */

static int my_table_there(struct destination *d, const char *schema, const char *name,
        struct relation **shape, bool *rows, struct error *e)
{
        return my_catalog_table(d->conn, schema, name, shape, rows, e);
}

static int my_destination_check(struct destination *d, const struct destined *t, unsigned n,
        struct checks *out, struct error *e)
{
        struct my_check_table *tables = memory_new((n + 1) * sizeof *tables);
        const struct my_check_input in = {
                .config = d->config, .params = d->params, .tables = tables, .n = n};
        int rc;

        for (unsigned i = 0; i < n; i++)
                tables[i] = (struct my_check_table){.def = t[i].def,
                        .schema = t[i].route->schema,
                        .name = t[i].route->name,
                        .create = t[i].create};
        rc = my_check_target(d->conn, &in, out, e);
        free(tables);
        return rc;
}

static int my_destination_cascades(struct destination *d, const struct cascades *c,
        const bool *made, struct checks *out, struct error *e)
{
        return my_check_cascades(d->conn, c, made, out, e);
}

static int my_write_ddl(struct destination *d, const struct table_def *t, const struct ddl_names *n,
        struct ddl *out, struct error *e)
{
        return my_ddl(t, my_engine(d->conn), n, out, e);
}

/* Duplicate database, table, key, foreign key, primary key (mysqld_error.h). */
static bool is_duplicate(unsigned number)
{
        return number == 1007 || number == 1050 || number == 1061 || number == 1826 ||
               number == 1068 || number == 1022;
}

static int my_run_ddl(struct destination *d, const char *sql, struct error *e)
{
        if (my_run(d->conn, e, sql) == 0)
                return 0;
        if (!is_duplicate(mysql_errno(d->conn)))
                return -1;
        error_clear(e);
        return 1;
}

/* TRUNCATE commits by itself and would not be under the epoch's proof. */
static int my_empty(struct destination *d, const char *schema, const char *name, struct error *e)
{
        AUTO_BUF sql = BUF_INIT, forget = BUF_INIT;

        buf_str(&sql, "delete from ");
        my_table(&sql, schema, name);
        write_forget(&forget, d, schema, name);
        if (my_book_begin(&d->book, e) < 0 || my_run(d->conn, e, buf_text(&sql)) < 0 ||
                my_run(d->conn, e, buf_text(&forget)) < 0) {
                my_book_rollback(&d->book);
                return error_context(e, "emptying %s.%s", schema, name);
        }
        return my_book_commit(&d->book, e);
}

/* InnoDB itself stays above what is in the column. */
static int my_set_counter(struct destination *d, const struct destined *t, const char *column,
        const char *next, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        (void)column;
        if (strspn(next, "0123456789") != strlen(next))
                return 0; /* a sequence that goes down or below 0 */
        buf_str(&sql, "alter table ");
        my_table(&sql, t->route->schema, t->route->name);
        buf_printf(&sql, " auto_increment = %s", next);
        return my_run(d->conn, e, buf_text(&sql)) < 0 ? error_context(e, "auto_increment of %s.%s",
                                                                t->route->schema, t->route->name)
                                                      : 0;
}

static int my_analyze(struct destination *d, const char *schema, const char *name, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;

        buf_str(&sql, "analyze table ");
        my_table(&sql, schema, name);
        r = my_query(d->conn, e, buf_text(&sql));
        return r ? 0 : -1;
}

/* ---- loading ---- */

static struct loader *my_loader(struct destination *d, struct error *e)
{
        const struct my_loader_setup setup = {.halt = d->halt,
                .pipeline = d->book.pipeline,
                .epoch = d->book.epoch,
                .packet = d->packet,
                .infile = d->infile};
        MYSQL *c = connect_target(d, e);

        return c ? my_loader_new(c, &setup) : NULL;
}

const struct destination_ops my_destination_ops = {
        .open = my_destination_open,
        .close = my_destination_close,
        .engine = my_destination_engine,
        .version = my_destination_version,
        .format = my_destination_format,
        .begun = my_destination_begun,
        .claim = my_destination_claim,
        .begin = my_destination_begin,
        .commit = my_destination_commit,
        .rollback = my_destination_rollback,
        .read_record = my_read_record,
        .write_record = my_write_record,
        .read_tables = my_read_tables,
        .clear_tables = my_clear_tables,
        .write_table = my_write_table,
        .gtids = my_gtids,
        .checkpoint = my_checkpoint,
        .finish = my_finish,
        .table = my_table_there,
        .check = my_destination_check,
        .cascades = my_destination_cascades,
        .ddl = my_write_ddl,
        .run = my_run_ddl,
        .empty = my_empty,
        .set_counter = my_set_counter,
        .analyze = my_analyze,
        .loader = my_loader,
        .unload = my_loader_free,
        .load = my_loader_load,
        .row = my_loader_row,
        .may_set_aside = my_loader_may_set_aside,
        .set_aside = my_loader_set_aside,
        .refused = my_loader_refused,
        .loaded = my_loader_loaded,
};
