/*
 * A PostgreSQL target as the copy from another engine sees it: tables by db/pg_ddl.h, rows by COPY
 * in its text form, records as everywhere (ops/copy_record.h).
 */
#include "base/memory.h"
#include "db/pg_ddl.h"
#include "db/pg_define.h"
#include "ops/destination.h"
#include "sinks/pg_binding.h"
#include "sinks/quarantine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH ((size_t)64 * 1024) /* rows go out in messages of about this size */

#define ASIDE_MAX (64 << 20) /* bytes of rows set aside, of a table; they wait in memory */

struct destination {
        const struct config *config;
        struct halt *halt;
        struct pg_params *params;
        PGconn *conn;
        struct copy_book book;
        bool replica; /* the role may set session_replication_role */
};

struct loader {
        struct destination *destination;
        PGconn *conn;
        struct buf batch;
        uint16_t columns_n;
        uint64_t refused;              /* row that COPY did not take, from 1; 0: not known */
        struct quarantine_table *keys; /* NULL: no row of the table is set aside */
        struct buf aside;              /* the statements that do, for when COPY has ended */
};

static struct destination *pg_destination_close(struct destination *d)
{
        if (!d)
                return NULL;
        halt_close(d->halt, &d->conn);
        pg_params_free(d->params);
        free(d);
        return NULL;
}

static PGconn *connect_target(struct destination *d, struct error *e)
{
        PGconn *c = halt_connect(d->halt, d->params, e);

        if (!c)
                return NULL;
        if (pg_run(c, e,
                    "set client_min_messages = error; set tcp_keepalives_idle = 20;"
                    "set tcp_keepalives_interval = 10; set tcp_keepalives_count = 4") < 0)
                halt_close(d->halt, &c);
        return c;
}

static int try_replica_role(struct destination *d, struct error *e)
{
        if (pg_run(d->conn, e, "set session_replication_role = replica") == 0) {
                d->replica = true;
                return pg_run(d->conn, e, "set session_replication_role = origin");
        }
        if (strcmp(e->code, "42501") != 0)
                return error_context(e, "target");
        error_clear(e);
        return 0;
}

static struct destination *pg_destination_open(
        const struct config *c, struct halt *h, struct error *e)
{
        AUTO_STRING name = memory_printf("culvert %s", c->pipeline.name);
        struct destination *d = memory_new_of(struct destination);

        d->config = c;
        d->halt = h;
        d->book.pipeline = c->pipeline.name;
        if (!(d->params = pg_params_new(&c->target, "target", name, false, e)) ||
                !(d->conn = connect_target(d, e)) || try_replica_role(d, e) < 0)
                return pg_destination_close(d);
        d->book.target = d->conn;
        return d;
}

static enum engine pg_destination_engine(const struct destination *d)
{
        (void)d;
        return ENGINE_POSTGRESQL;
}

static char *pg_destination_version(const struct destination *d)
{
        const char *text = PQparameterStatus(d->conn, "server_version");

        return memory_printf("%.*s", (int)strcspn(text ? text : "", " "), text ? text : "");
}

static int pg_destination_format(struct destination *d, struct error *e)
{
        return pg_meta_check(d->conn, e);
}

static bool pg_destination_begun(struct destination *d)
{
        struct error ignored = ERROR_INIT;
        AUTO_RESULT r = pg_query(d->conn, &ignored,
                "select from culvert.checkpoint where pipeline = $1", 1, &d->book.pipeline);

        return r && PQntuples(r) > 0;
}

static int pg_destination_claim(
        struct destination *d, struct position *p, char source[IDENTITY_TEXT], struct error *e)
{
        return pg_meta_open(d->conn, d->book.pipeline, &d->book.epoch, p, source, e);
}

/* ---- records ---- */

static int pg_destination_begin(struct destination *d, struct error *e)
{
        return copy_book_begin(&d->book, e);
}

static int pg_destination_commit(struct destination *d, struct error *e)
{
        return copy_book_commit(&d->book, e);
}

static void pg_destination_rollback(struct destination *d)
{
        copy_book_rollback(&d->book);
}

static int pg_read_record(struct destination *d, struct copy_record *r, struct error *e)
{
        return copy_record_read(&d->book, r, e);
}

static int pg_write_record(struct destination *d, const struct copy_record *r, struct error *e)
{
        return copy_record_write(&d->book, r, e);
}

static struct table_records *pg_read_tables(struct destination *d, struct error *e)
{
        return table_records_read(&d->book, e);
}

static int pg_clear_tables(struct destination *d, struct error *e)
{
        AUTO_RESULT done = pg_query(d->conn, e,
                "delete from culvert.quarantine where pipeline = $1", 1, &d->book.pipeline);

        return done ? table_records_clear(&d->book, e) : -1;
}

static int pg_write_table(struct destination *d, const struct table_record *t, struct error *e)
{
        return table_record_write(&d->book, t, e);
}

static int pg_gtids(struct destination *d, char **gtids, struct error *e)
{
        return copy_record_gtids(&d->book, gtids, e);
}

static int pg_checkpoint(struct destination *d, const struct copy_record *r, struct error *e)
{
        return copy_record_checkpoint(&d->book, r, e);
}

static int pg_finish(struct destination *d, const struct copy_record *r, struct error *e)
{
        return copy_record_finish(&d->book, r, e);
}

/* ---- tables ---- */

/* PostgreSQL would cut it silently, and two names might become one. */
static int check_name(const char *what, const char *name, struct error *e)
{
        return strlen(name) <= 63
                       ? 0
                       : error_set(e, ERROR_CONFIG,
                                 "the name of %s %.80s... is longer than PostgreSQL's "
                                 "63 bytes: give it another one ([table] to, column.NAME.to, "
                                 "[schemas])",
                                 what, name);
}

static int pg_table_there(struct destination *d, const char *schema, const char *name,
        struct relation **shape, bool *rows, struct error *e)
{
        if (check_name("schema", schema, e) < 0 || check_name("table", name, e) < 0)
                return -1;
        return pg_define_table(d->conn, schema, name, shape, rows, e);
}

static int pg_destination_check(struct destination *d, const struct destined *t, unsigned n,
        struct checks *out, struct error *e)
{
        struct check_table *tables = memory_new((n + 1) * sizeof *tables);
        const struct check_input in = {.config = d->config, .tables = tables, .n = n};
        int rc;

        for (unsigned i = 0; i < n; i++)
                tables[i] = (struct check_table){
                        .schema = t[i].route->schema, .name = t[i].route->name};
        rc = pg_check_target(d->conn, NULL, &in, NULL, out, e);
        free(tables);
        return rc;
}

static int pg_destination_cascades(struct destination *d, const struct cascades *c,
        const bool *made, struct checks *out, struct error *e)
{
        return pg_check_cascades(d->conn, c, made, d->replica, out, e);
}

static int pg_write_ddl(struct destination *d, const struct table_def *t, const struct ddl_names *n,
        struct ddl *out, struct error *e)
{
        (void)d;
        for (unsigned i = 0; i < t->columns_n; i++) {
                const char *name = ddl_column(n, t, i);

                if (name && check_name("column", name, e) < 0)
                        return -1;
        }
        return pg_ddl(t, n, out, e);
}

/* SQLSTATEs of duplicate objects (PostgreSQL, Appendix A). */
static bool is_duplicate(const struct error *e)
{
        static const char *const codes[] = {"42P07", "42710", "42P06", "42P16", "42701"};

        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
                if (!strcmp(e->code, codes[i]))
                        return true;
        return false;
}

/* "create schema if not exists" wants the right to create even where there is nothing to do. */
static bool is_schema_there(struct destination *d, const char *sql, const struct error *e)
{
        struct error ignored = ERROR_INIT;
        AUTO_RESULT r = NULL;

        if (strcmp(e->code, "42501") != 0)
                return false;
        r = pg_query(d->conn, &ignored,
                "select from pg_catalog.pg_namespace where 'create schema if not exists \"' || "
                "replace(nspname, '\"', '\"\"') || '\"' = $1",
                1, &sql);
        return r && PQntuples(r) == 1;
}

static int pg_run_ddl(struct destination *d, const char *sql, struct error *e)
{
        if (pg_run(d->conn, e, sql) == 0)
                return 0;
        if (!is_duplicate(e) && !is_schema_there(d, sql, e))
                return -1;
        error_clear(e);
        return 1;
}

static int pg_empty(struct destination *d, const char *schema, const char *name, struct error *e)
{
        const char *values[] = {d->book.pipeline, schema, name};
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT done = NULL;

        buf_str(&sql, "truncate ");
        pg_table(&sql, schema, name);
        if (copy_book_begin(&d->book, e) < 0 ||
                pg_run(d->conn, e, "set local lock_timeout = '30s'") < 0 ||
                pg_run(d->conn, e, buf_text(&sql)) < 0 ||
                !(done = pg_query(d->conn, e,
                          "delete from culvert.quarantine where pipeline = $1 and table_schema = "
                          "$2 "
                          "and table_name = $3",
                          3, values))) {
                copy_book_rollback(&d->book);
                return error_context(e, "emptying %s.%s", schema, name);
        }
        return copy_book_commit(&d->book, e);
}

/* Past what the source would give next, and past what is in the column. */
static int pg_set_counter(struct destination *d, const struct destined *t, const char *column,
        const char *next, struct error *e)
{
        AUTO_BUF table = BUF_INIT, sql = BUF_INIT;
        AUTO_RESULT done = NULL;
        const char *values[] = {NULL, column, next};

        pg_table(&table, t->route->schema, t->route->name);
        values[0] = buf_text(&table);
        buf_str(&sql,
                "select pg_catalog.setval(s, greatest($3::numeric, coalesce(m, 0) + 1)::bigint,"
                " false) from (select pg_catalog.pg_get_serial_sequence($1, $2) as s, "
                "(select max(");
        pg_ident(&sql, column);
        buf_printf(&sql, ")::numeric from %s) as m) x where s is not null", buf_text(&table));
        done = pg_query(d->conn, e, buf_text(&sql), 3, values);
        return done ? 0 : error_context(e, "sequence of %s.%s", t->route->schema, t->route->name);
}

static int pg_analyze(struct destination *d, const char *schema, const char *name, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "analyze ");
        pg_table(&sql, schema, name);
        return pg_run(d->conn, e, buf_text(&sql));
}

/* ---- loading ---- */

static struct loader *pg_unload(struct loader *l)
{
        if (!l)
                return NULL;
        halt_close(l->destination->halt, &l->conn);
        free(l->keys);
        buf_done(&l->aside);
        buf_done(&l->batch);
        free(l);
        return NULL;
}

static struct loader *pg_loader(struct destination *d, struct error *e)
{
        struct loader *l = memory_new_of(struct loader);

        l->destination = d;
        if (!(l->conn = connect_target(d, e)) ||
                pg_run(l->conn, e, "set synchronous_commit = off") < 0 ||
                (d->replica && pg_run(l->conn, e, "set session_replication_role = replica") < 0))
                return pg_unload(l);
        return l;
}

/* Nothing can be asked while COPY runs. */
static int pg_may_set_aside(struct loader *l, const struct relation *target, struct error *e)
{
        const char *values[] = {target->schema, target->name};
        AUTO_RESULT d = pg_query(l->conn, e, pg_binding_sql, 2, values);
        AUTO_BUF text = BUF_INIT;
        struct relation *own;
        struct pg_binding *b;
        int rc = -1;

        if (!d)
                return -1;
        relation_to_text(target, &text);
        own = relation_from_text(buf_text(&text));
        b = pg_binding_new(own, 1, 0, d, e);
        if (b && pg_binding_set_aside(b, CONFLICT_QUARANTINE, e) == 0) {
                l->keys = quarantine_table_new(own, CONFLICT_QUARANTINE);
                for (uint16_t i = 0; i < own->columns_n; i++)
                        l->keys->key[i] = pg_binding_quarantine(b)->key[i];
                rc = 0;
        }
        relation_unref(own);
        return rc;
}

static void add_literal(struct buf *sql, const char *text)
{
        buf_str(sql, ", ");
        if (text)
                pg_literal(sql, text);
        else
                buf_str(sql, "null");
}

static void write_aside(struct buf *sql, const char *pipeline, const struct change *c,
        struct position at, const struct quarantine_entry *n)
{
        char position[POSITION_TEXT];

        buf_str(sql,
                "insert into culvert.quarantine (pipeline, table_schema, table_name, operation, "
                "row_key, new_row, old_full, shape, position, xid, committed_at, code, message, "
                "row_id, source) values (");
        pg_literal(sql, pipeline);
        add_literal(sql, c->relation->schema);
        add_literal(sql, c->relation->name);
        add_literal(sql, n->operation);
        add_literal(sql, buf_text(&n->key));
        add_literal(sql, buf_text(&n->new));
        buf_str(sql, ", false");
        add_literal(sql, buf_text(&n->shape));
        add_literal(sql, position_format(at, position));
        buf_str(sql, ", 0, pg_catalog.clock_timestamp()");
        add_literal(sql, n->code);
        add_literal(sql, n->message);
        buf_printf(sql, ", %" PRId64, (int64_t)n->rows.keys[0].row);
        add_literal(sql, n->source);
        buf_str(sql, ");");
}

static int pg_set_aside(
        struct loader *l, const struct change *c, struct position at, struct error *e)
{
        struct quarantine_entry n;

        if (quarantine_check_key(l->keys, c, e) < 0)
                return -1;
        quarantine_entry_init(&n, l->keys, c, NULL);
        write_aside(&l->aside, l->destination->book.pipeline, c, at, &n);
        quarantine_entry_done(&n);
        if (l->aside.len <= ASIDE_MAX)
                return 0;
        return error_set(e, ERROR_DATA,
                "more than %d MiB of rows have values without a place on the target",
                ASIDE_MAX >> 20);
}

static int end_aside(struct loader *l, struct error *e)
{
        int rc = l->aside.len ? pg_run(l->conn, e, buf_text(&l->aside)) : 0;

        buf_clear(&l->aside);
        free(l->keys);
        l->keys = NULL;
        return rc;
}

static int pg_load(struct loader *l, const struct relation *target, struct error *e)
{
        const struct destination *d = l->destination;
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;

        if (pg_run(l->conn, e, "begin isolation level read committed read write") < 0 ||
                pg_meta_prove_epoch(l->conn, d->book.pipeline, d->book.epoch, e) < 0)
                return -1;
        buf_str(&sql, "copy ");
        pg_table(&sql, target->schema, target->name);
        for (uint16_t i = 0; i < target->columns_n; i++) {
                buf_str(&sql, i ? ", " : " (");
                pg_ident(&sql, target->columns[i].name);
        }
        buf_str(&sql, target->columns_n ? ") from stdin" : " from stdin");
        r = PQexec(l->conn, buf_text(&sql));
        l->columns_n = target->columns_n;
        l->refused = 0;
        buf_clear(&l->batch);
        return PQresultStatus(r) == PGRES_COPY_IN ? 0 : pg_error(e, l->conn, r, "target");
}

/* One value in COPY's text form (PostgreSQL documentation, COPY, "Text Format"). */
static void put_text(struct buf *out, const char *text, size_t len)
{
        static const char special[256] = {['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

        for (size_t from = 0; from < len;) {
                size_t to = from;

                while (to < len && !special[(unsigned char)text[to]])
                        to++;
                buf_add(out, text + from, to - from);
                if (to < len) {
                        buf_char(out, '\\');
                        buf_char(out, special[(unsigned char)text[to++]]);
                }
                from = to;
        }
}

/* "COPY items, line 7, column price: ..." */
static uint64_t refused_line(const PGresult *r)
{
        const char *context = PQresultErrorField(r, PG_DIAG_CONTEXT);
        const char *line =
                context && !strncmp(context, "COPY ", 5) ? strstr(context, ", line ") : NULL;

        return line ? strtoull(line + 7, NULL, 10) : 0;
}

static int64_t take_results(struct loader *l, struct error *e)
{
        int64_t rows = -1;
        PGresult *r;

        while ((r = PQgetResult(l->conn))) {
                if (PQresultStatus(r) == PGRES_COMMAND_OK) {
                        rows = strtoll(PQcmdTuples(r), NULL, 10);
                } else {
                        l->refused = refused_line(r);
                        rows = pg_error(e, l->conn, r, "target");
                }
                PQclear(r);
                if (PQstatus(l->conn) == CONNECTION_BAD)
                        break;
        }
        return rows;
}

static int give_up(struct loader *l, struct error *e)
{
        PQputCopyEnd(l->conn, "stopped");
        return take_results(l, e) < 0 ? -1 : error_set(e, ERROR_RETRY, "target: COPY ended early");
}

static int flush(struct loader *l, struct error *e)
{
        int rc = l->batch.len ? PQputCopyData(l->conn, l->batch.data, (int)l->batch.len) : 1;

        buf_clear(&l->batch);
        if (rc == 1 && pg_speaks(l->conn))
                return give_up(l, e);
        return rc == 1 ? 0 : pg_error(e, l->conn, NULL, "target");
}

static int pg_row(struct loader *l, const struct value *row, struct error *e)
{
        for (uint16_t i = 0; i < l->columns_n; i++) {
                if (i)
                        buf_char(&l->batch, '\t');
                if (row[i].kind == VALUE_TEXT)
                        put_text(&l->batch, row[i].data, row[i].len);
                else
                        buf_str(&l->batch, "\\N");
        }
        buf_char(&l->batch, '\n');
        return l->batch.len > BATCH ? flush(l, e) : 0;
}

static int64_t end_copy(struct loader *l, struct error *e)
{
        if (flush(l, e) < 0)
                return -1;
        if (PQputCopyEnd(l->conn, NULL) != 1)
                return pg_error(e, l->conn, NULL, "target");
        return take_results(l, e);
}

static uint64_t pg_refused(const struct loader *l)
{
        return l->refused;
}

static int record(struct loader *l, const char *schema, const char *name, const char *state,
        uint64_t rows, struct position at, struct error *e)
{
        char text[24], start[POSITION_TEXT];
        const char *values[] = {l->destination->book.pipeline, schema, name, text, state,
                position_format(at, start)};
        AUTO_RESULT r = NULL;

        snprintf(text, sizeof text, "%" PRIu64, rows);
        r = pg_query(l->conn, e,
                "update culvert.tables set rows = $4::bigint, state = $5, start_position = $6 "
                "where "
                "pipeline = $1 and source_schema = $2 and source_name = $3",
                6, values);
        if (!r)
                return -1;
        if (strcmp(PQcmdTuples(r), "1") != 0)
                return error_set(e, ERROR_BUG, "its row in culvert.tables is gone");
        return 0;
}

static int pg_loaded(struct loader *l, const char *schema, const char *name, const char *state,
        uint64_t rows, struct position at, struct error *e)
{
        int64_t written = end_copy(l, e);

        if (written < 0)
                return -1;
        if ((uint64_t)written != rows)
                return error_set(e, ERROR_DATA,
                        "%" PRIu64 " rows were read and %" PRId64
                        " written: a trigger or rule on the target keeps rows out",
                        rows, written);
        if (end_aside(l, e) < 0 || record(l, schema, name, state, rows, at, e) < 0)
                return -1;
        return pg_run(l->conn, e, "commit");
}

const struct destination_ops pg_destination_ops = {
        .open = pg_destination_open,
        .close = pg_destination_close,
        .engine = pg_destination_engine,
        .version = pg_destination_version,
        .format = pg_destination_format,
        .begun = pg_destination_begun,
        .claim = pg_destination_claim,
        .begin = pg_destination_begin,
        .commit = pg_destination_commit,
        .rollback = pg_destination_rollback,
        .read_record = pg_read_record,
        .write_record = pg_write_record,
        .read_tables = pg_read_tables,
        .clear_tables = pg_clear_tables,
        .write_table = pg_write_table,
        .gtids = pg_gtids,
        .checkpoint = pg_checkpoint,
        .finish = pg_finish,
        .table = pg_table_there,
        .check = pg_destination_check,
        .cascades = pg_destination_cascades,
        .ddl = pg_write_ddl,
        .run = pg_run_ddl,
        .empty = pg_empty,
        .set_counter = pg_set_counter,
        .analyze = pg_analyze,
        .loader = pg_loader,
        .unload = pg_unload,
        .load = pg_load,
        .row = pg_row,
        .may_set_aside = pg_may_set_aside,
        .set_aside = pg_set_aside,
        .refused = pg_refused,
        .loaded = pg_loaded,
};
