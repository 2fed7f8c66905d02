/*
 * A MySQL-family source as the copy sees it.
 *
 * MariaDB tells where in the binlog a consistent snapshot stands (binlog_snapshot_file and
 * _position, exact: HAZARDS A18), so each reader opens its own and no writer waits; readers that
 * opened at different moments stand at different positions. MySQL does not tell: the tables are
 * locked against writes for as long as it takes to open the readers' snapshots and to read the
 * position (HAZARDS B5), so all readers stand at the same one. The lock gives up after some seconds
 * and is tried again, since writers queue behind it.
 */
#include "base/memory.h"
#include "db/left.h"
#include "db/my_catalog.h"
#include "db/my_check.h"
#include "decoders/binlog.h"
#include "decoders/binlog_identity.h"
#include "decoders/binlog_state.h"
#include "ops/my_gtids.h"
#include "ops/my_prepared.h"
#include "ops/my_reader.h"
#include "ops/origin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOCK_TRIES 5
#define LOCK_SECONDS 3

struct origin {
        const struct config *config;
        struct halt *halt;
        struct my_params *params;
        MYSQL *conn;
        struct origin_reader *readers;
        unsigned readers_n;
        char *noted; /* GTIDs, before the last `point` */
        /* Of `arrange`: nothing that is prepared at the last `point` was prepared before it. */
        struct position since;
        char *since_gtids;
};

static void my_release(struct origin *o)
{
        for (unsigned i = 0; i < o->readers_n; i++) {
                my_reader_done(&o->readers[i]);
                halt_my_close(o->halt, &o->readers[i].conn);
        }
        free(o->readers);
        o->readers = NULL;
        o->readers_n = 0;
}

static struct origin *my_origin_close(struct origin *o)
{
        if (!o)
                return NULL;
        my_release(o);
        halt_my_close(o->halt, &o->conn);
        my_params_free(o->params);
        free(o->noted);
        free(o->since_gtids);
        free(o);
        return NULL;
}

static struct origin *my_origin_open(const struct config *c, struct halt *h, struct error *e)
{
        struct origin *o = memory_new_of(struct origin);

        o->config = c;
        o->halt = h;
        if (!(o->params = my_params_new(&c->source, "source", e)) ||
                !(o->conn = halt_my_connect(h, o->params, e)))
                return my_origin_close(o);
        return o;
}

static enum engine my_origin_engine(const struct origin *o)
{
        return my_engine(o->conn);
}

static char *my_origin_version(const struct origin *o)
{
        return my_version_text(o->conn);
}

static int my_origin_identity(struct origin *o, struct source_identity *id, struct error *e)
{
        struct position end;

        return binlog_identity(o->conn, id, &end, e);
}

/* Defaults of bytes and bits are SQL texts, and those of expressions are not known here. */
static bool is_plain_default(const struct def_column *c, enum engine engine)
{
        struct error ignored = ERROR_INIT;
        struct coltype *t = coltype_my(engine, c->native, &ignored);
        bool bytes = !t || coltype_is_bytes(t);

        coltype_free(t);
        return c->default_kind == DEFAULT_VALUE ? !bytes
                                                : c->default_kind == DEFAULT_NONE && !c->not_null;
}

static void set_absent(const struct table_def *t)
{
        for (uint16_t i = 0; i < t->shape->columns_n; i++) {
                int at = table_def_column(t, t->shape->columns[i].name);
                const struct def_column *c = at < 0 ? NULL : &t->columns[at];

                if (c && !c->generated && is_plain_default(c, t->engine))
                        relation_set_absent(t->shape, i,
                                c->default_kind == DEFAULT_VALUE ? c->default_text : NULL);
        }
}

static struct table_defs *my_origin_tables(
        struct origin *o, origin_select *select, void *context, struct error *e)
{
        struct table_defs *t = my_catalog_read(o->conn, o->params->database, select, context, e);

        for (unsigned i = 0; t && i < t->n; i++)
                set_absent(&t->items[i]);
        return t;
}

static int my_origin_verbatim(struct origin *o, struct table_def *t, struct error *e)
{
        return my_catalog_verbatim(o->conn, t, e);
}

static int my_origin_names(struct origin *o, origin_select *each, void *context, struct error *e)
{
        return my_catalog_names(o->conn, each, context, e);
}

/* A table map that has names has all that is needed; one that has none cannot be mended. */
static int my_origin_describe(struct origin *o, struct relation *shape, struct error *e)
{
        for (uint16_t i = 0; i < shape->columns_n && !shape->unnamed; i++) {
                struct coltype *t = coltype_my(my_origin_engine(o), shape->columns[i].native, e);

                if (!t)
                        return error_context(e, "column %s of %s.%s, as the log has it",
                                shape->columns[i].name, shape->schema, shape->name);
                coltype_free(t);
        }
        if (!shape->unnamed)
                return 0;
        return error_set(e, ERROR_DATA,
                "table %s.%s: the rows that come next in the log were written between two changes "
                "of its definition and without the names of columns (binlog_row_metadata is not "
                "FULL), so what they hold cannot be known: leave the table out ([tables] exclude), "
                "restart, then take it in again and copy it anew",
                shape->schema, shape->name);
}

static int my_origin_doubt(struct origin *o, struct position *end, struct error *e)
{
        AUTO_MY_RESULT r = my_query(o->conn, e, "show variables like 'binlog_row_metadata'");
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
        struct source_identity ignored;

        if (!r || binlog_identity(o->conn, &ignored, end, e) < 0)
                return -1;
        return !row || strcasecmp(row[1], "full") != 0;
}

static int my_origin_left(
        struct origin *o, const struct table_defs *t, struct buf *lines, struct error *e)
{
        return my_left(o->conn, t, lines, e);
}

static int my_origin_check(
        struct origin *o, const struct table_defs *t, struct checks *out, struct error *e)
{
        return my_check_source(o->conn, t, out, e);
}

static bool my_origin_logs_cascades(struct origin *o)
{
        return my_check_logs_cascades(o->conn);
}

static int note_gtids(struct origin *o, struct error *e)
{
        free(o->noted);
        o->noted = NULL;
        return my_gtids_note(o->conn, &o->noted, e);
}

/* The binlog needs nothing; where it stands now is where XA transactions may be prepared from. */
static int my_origin_arrange(
        struct origin *o, const struct table_defs *t, bool begun, struct error *e)
{
        struct source_identity id;

        (void)t;
        (void)begun;
        memory_free_string(&o->since_gtids);
        if (note_gtids(o, e) < 0 || binlog_identity(o->conn, &id, &o->since, e) < 0)
                return -1;
        return my_gtids_at(o->conn, id.slot, o->since, o->noted, &o->since_gtids, e);
}

/* The stream itself finds out whether its files are there still. */
static int my_origin_resume(
        struct origin *o, const struct carried *c, struct error *e)
{
        (void)o;
        (void)c;
        (void)e;
        return 0;
}

/* Whatever is done to a table, its changes are in the binlog. */
static int my_origin_watch(struct origin *o, const struct carried *c, struct error *e)
{
        (void)o;
        (void)c;
        (void)e;
        return 0;
}

/* ---- the consistent point ---- */

static int open_snapshot(struct origin *o, struct origin_reader *r, struct error *e)
{
        if (!(r->conn = halt_my_connect(o->halt, o->params, e)))
                return -1;
        return my_run(r->conn, e,
                "set session transaction isolation level repeatable read;" MY_READER_SESSION
                "start transaction with consistent snapshot");
}

static int snapshot_position(struct origin_reader *r, struct error *e)
{
        AUTO_MY_RESULT rows = my_query(r->conn, e, "show status like 'binlog_snapshot_%'");
        int64_t file = -1;
        MYSQL_ROW row;

        while (rows && (row = mysql_fetch_row(rows))) {
                if (!strcasecmp(row[0], "binlog_snapshot_file"))
                        file = binlog_file_number(row[1], NULL);
                else if (!strcasecmp(row[0], "binlog_snapshot_position"))
                        r->at.lsn = strtoull(row[1], NULL, 10);
        }
        if (rows && (file <= 0 || !r->at.lsn))
                return error_set(e, ERROR_CONFIG,
                        "the server does not tell where in the binary log a snapshot stands: is "
                        "log_bin on?");
        r->at.file = (uint32_t)file;
        return rows ? 0 : -1;
}

static int point_mariadb(struct origin *o, struct error *e)
{
        for (unsigned i = 0; i < o->readers_n; i++)
                if (open_snapshot(o, &o->readers[i], e) < 0 ||
                        snapshot_position(&o->readers[i], e) < 0)
                        return -1;
        return 0;
}

static void lock_statement(const struct table_defs *t, struct buf *sql)
{
        const char *comma = "flush tables ";

        for (unsigned i = 0; i < t->n; i++) {
                buf_str(sql, comma);
                my_table(sql, t->items[i].schema, t->items[i].name);
                comma = ", ";
        }
        buf_str(sql, " with read lock");
}

static int lock_tables(struct origin *o, const struct table_defs *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        int tries = 0;

        lock_statement(t, &sql);
        if (my_runf(o->conn, e, "set session lock_wait_timeout = %d", LOCK_SECONDS) < 0)
                return -1;
        while (my_run(o->conn, e, buf_text(&sql)) < 0) {
                if (mysql_errno(o->conn) != 1205) /* lock wait timeout */
                        return error_context(e, "the brief lock at the start of the copy");
                if (++tries == LOCK_TRIES)
                        return error_context(e,
                                "the brief lock at the start of the copy waits for transactions "
                                "that are open on the source");
                if (halt_check(o->halt, e) < 0)
                        return -1;
        }
        return 0;
}

static int open_locked(struct origin *o, struct error *e)
{
        struct source_identity ignored;
        struct position at;

        for (unsigned i = 0; i < o->readers_n; i++)
                if (open_snapshot(o, &o->readers[i], e) < 0)
                        return -1;
        if (note_gtids(o, e) < 0 || binlog_identity(o->conn, &ignored, &at, e) < 0)
                return -1;
        for (unsigned i = 0; i < o->readers_n; i++)
                o->readers[i].at = at;
        return 0;
}

static int point_mysql(struct origin *o, const struct table_defs *t, struct error *e)
{
        struct error ignored = ERROR_INIT;
        int rc;

        if (t->n && lock_tables(o, t, e) < 0)
                return -1;
        rc = open_locked(o, e);
        if (my_run(o->conn, rc < 0 ? &ignored : e, "unlock tables") < 0)
                rc = -1;
        return rc;
}

static int my_origin_point(struct origin *o, const struct table_defs *t, unsigned readers,
        struct position *start, struct error *e)
{
        struct source_identity ignored;

        my_release(o);
        if (my_prepared_wait(o->conn, o->halt, e) < 0 || note_gtids(o, e) < 0)
                return -1;
        if (readers == 0)
                return binlog_identity(o->conn, &ignored, start, e);
        o->readers = memory_new(readers * sizeof *o->readers);
        o->readers_n = readers;
        if ((my_origin_engine(o) == ENGINE_MARIADB ? point_mariadb(o, e) : point_mysql(o, t, e)) <
                0)
                return -1;
        *start = o->readers[0].at;
        for (unsigned i = 1; i < readers; i++)
                if (position_compare(o->readers[i].at, *start) < 0)
                        *start = o->readers[i].at;
        return 0;
}

/* With where the stream begins on account of what is prepared at `start`. */
static int my_origin_gtids(struct origin *o, struct position start, char **gtids, struct error *e)
{
        AUTO_BUF state = BUF_INIT;
        struct source_identity id;
        struct position ignored;

        if (binlog_identity(o->conn, &id, &ignored, e) < 0 ||
                my_gtids_at(o->conn, id.slot, start, o->noted, gtids, e) < 0)
                return -1;
        if (position_is_none(o->since) || position_compare(o->since, start) >= 0)
                return 0;
        if (*gtids)
                buf_str(&state, *gtids);
        binlog_state_write_since(&state, o->since, o->since_gtids);
        free(*gtids);
        *gtids = buf_take(&state);
        return 0;
}

static int my_origin_follow(struct origin *o, const char *gtids, struct error *e)
{
        return my_gtids_follow(o->conn, gtids, e);
}

/* MariaDB's snapshots that are opened one after another stand at different positions. */
static int my_origin_add(struct origin *o, const struct table_defs *t, unsigned *readers,
        struct position *start, struct error *e)
{
        if (my_origin_engine(o) == ENGINE_MARIADB && *readers > 1)
                *readers = 1;
        return my_origin_point(o, t, *readers, start, e);
}

/* ---- reading ---- */

static struct origin_reader *my_reader(struct origin *o, unsigned i)
{
        return &o->readers[i];
}

static struct position my_reader_position(const struct origin_reader *r)
{
        return r->at;
}

static int my_origin_keep(struct origin *o, struct error *e)
{
        return my_run(o->conn, e, "do 1");
}

static int my_origin_counters(struct origin *o, const struct table_defs *t, origin_counter *each,
        void *context, struct error *e)
{
        uint64_t *next = memory_new((t->n + 1) * sizeof *next);
        int rc = my_catalog_counters(o->conn, t, next, e);

        for (unsigned i = 0; rc == 0 && i < t->n; i++)
                for (unsigned k = 0; next[i] && k < t->items[i].columns_n; k++) {
                        AUTO_STRING text = memory_printf("%" PRIu64, next[i]);

                        if (t->items[i].columns[k].default_kind == DEFAULT_COUNTER && rc == 0)
                                rc = each(context, &t->items[i], t->items[i].columns[k].name, text,
                                        e);
                }
        free(next);
        return rc;
}

const struct origin_ops my_origin_ops = {
        .open = my_origin_open,
        .close = my_origin_close,
        .engine = my_origin_engine,
        .version = my_origin_version,
        .identity = my_origin_identity,
        .tables = my_origin_tables,
        .verbatim = my_origin_verbatim,
        .names = my_origin_names,
        .describe = my_origin_describe,
        .doubt = my_origin_doubt,
        .left = my_origin_left,
        .check = my_origin_check,
        .logs_cascades = my_origin_logs_cascades,
        .arrange = my_origin_arrange,
        .resume = my_origin_resume,
        .watch = my_origin_watch,
        .point = my_origin_point,
        .gtids = my_origin_gtids,
        .follow = my_origin_follow,
        .add = my_origin_add,
        .reader = my_reader,
        .position = my_reader_position,
        .read = my_reader_read,
        .next = my_reader_next,
        .keep = my_origin_keep,
        .release = my_release,
        .counters = my_origin_counters,
};
