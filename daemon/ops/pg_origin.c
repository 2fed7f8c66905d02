/*
 * A PostgreSQL source as a copy to another engine sees it: the slot's exported snapshot, which all
 * readers import, so that they stand at one position; rows by COPY in its text form.
 */
#include "base/log.h"
#include "base/memory.h"
#include "db/left.h"
#include "db/pg_define.h"
#include "ops/copy_row.h"
#include "ops/origin.h"
#include "ops/pg_marks.h"
#include "ops/pg_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct origin_reader {
        PGconn *conn;
        struct position at;
        struct copy_row row;
        char *line;
        uint16_t columns_n;
};

struct origin {
        const struct config *config;
        struct halt *halt;
        struct pg_params *params, *replication_params;
        PGconn *conn, *replication, *anchor; /* the anchor holds the snapshot (HAZARDS B4) */
        struct pg_tables *tables;
        struct origin_reader *readers;
        unsigned readers_n;
};

/* See pg_origin_names. */
struct pass {
        origin_select *each;
        void *context;
};

static void pg_release(struct origin *o)
{
        for (unsigned i = 0; i < o->readers_n; i++) {
                PQfreemem(o->readers[i].line);
                copy_row_done(&o->readers[i].row);
                halt_close(o->halt, &o->readers[i].conn);
        }
        free(o->readers);
        o->readers = NULL;
        o->readers_n = 0;
        halt_close(o->halt, &o->anchor);
}

static struct origin *pg_origin_close(struct origin *o)
{
        if (!o)
                return NULL;
        pg_release(o);
        halt_close(o->halt, &o->replication);
        halt_close(o->halt, &o->conn);
        pg_params_free(o->params);
        pg_params_free(o->replication_params);
        pg_tables_free(o->tables);
        free(o);
        return NULL;
}

static struct origin *pg_origin_open(const struct config *c, struct halt *h, struct error *e)
{
        AUTO_STRING name = memory_printf("culvert %s", c->pipeline.name);
        struct origin *o = memory_new_of(struct origin);

        o->config = c;
        o->halt = h;
        if (!(o->params = pg_params_new(&c->source, "source", name, false, e)) ||
                !(o->replication_params = pg_params_new(&c->source, "source", name, true, e)) ||
                !(o->conn = halt_connect(h, o->params, e)))
                return pg_origin_close(o);
        return o;
}

static enum engine pg_origin_engine(const struct origin *o)
{
        (void)o;
        return ENGINE_POSTGRESQL;
}

static char *pg_origin_version(const struct origin *o)
{
        const char *text = PQparameterStatus(o->conn, "server_version");

        return memory_printf("%.*s", (int)strcspn(text ? text : "", " "), text ? text : "");
}

static int connect_replication(struct origin *o, struct error *e)
{
        if (!o->replication)
                o->replication = halt_connect(o->halt, o->replication_params, e);
        return o->replication ? 0 : error_context(e, "replication connection");
}

static int pg_origin_identity(struct origin *o, struct source_identity *id, struct error *e)
{
        return connect_replication(o, e) < 0
                       ? -1
                       : pg_source_identity(o->replication, o->config->pg.slot, id, e);
}

/* What pgoutput tells of a type is its number only; the names stay with the expected shape. */
static void name_types(const struct table_def *t)
{
        for (uint16_t i = 0; i < t->shape->columns_n; i++) {
                int at = table_def_column(t, t->shape->columns[i].name);

                if (at >= 0)
                        relation_set_native(t->shape, i, t->columns[at].native);
        }
}

static struct table_defs *pg_origin_tables(
        struct origin *o, origin_select *select, void *context, struct error *e)
{
        struct pg_tables *t = pg_tables_read(o->conn, select, context, e);
        struct table_defs *defs;

        if (!t)
                return NULL;
        pg_tables_free(o->tables);
        o->tables = t;
        if (!(defs = pg_define_read(o->conn, t, e)))
                return NULL;
        for (unsigned i = 0; i < defs->n; i++)
                name_types(&defs->items[i]);
        return defs;
}

static bool pass_name(void *context, const char *schema, const char *name)
{
        struct pass *p = context;

        p->each(p->context, schema, name);
        return false; /* the rest of it is not wanted */
}

static int pg_origin_names(struct origin *o, origin_select *each, void *context, struct error *e)
{
        struct pass p = {each, context};
        struct pg_tables *none = pg_tables_read(o->conn, pass_name, &p, e);

        pg_tables_free(none);
        return none ? 0 : -1;
}

static int pg_origin_describe(struct origin *o, struct relation *shape, struct error *e)
{
        for (uint16_t i = 0; i < shape->columns_n; i++) {
                const struct column *c = &shape->columns[i];
                AUTO_STRING type = memory_printf("%" PRIu32, c->type);
                AUTO_STRING modifier = memory_printf("%" PRId32, c->modifier);
                const char *values[] = {type, modifier};
                AUTO_RESULT r = pg_query(o->conn, e,
                        "select pg_catalog.format_type($1::oid, $2::integer)", 2, values);

                if (!r)
                        return -1;
                relation_set_native(shape, i, pg_text(r, 0, 0));
        }
        return 0;
}

/* Its keys act by statements of their own. */
static bool pg_origin_logs_cascades(struct origin *o)
{
        (void)o;
        return true;
}

/* Every message that describes a table has its columns' names. */
static int pg_origin_doubt(struct origin *o, struct position *end, struct error *e)
{
        (void)o;
        (void)e;
        *end = POSITION_NONE;
        return 0;
}

static int pg_origin_left(
        struct origin *o, const struct table_defs *t, struct buf *lines, struct error *e)
{
        return pg_left(o->conn, t, lines, e);
}

static int pg_origin_check(
        struct origin *o, const struct table_defs *t, struct checks *out, struct error *e)
{
        struct check_table *tables = memory_new((o->tables->n + 1) * sizeof *tables);
        const struct check_input in = {.config = o->config, .tables = tables, .n = o->tables->n};
        int rc;

        (void)t;
        for (unsigned i = 0; i < o->tables->n; i++)
                tables[i] = (struct check_table){.source = &o->tables->items[i],
                        .schema = o->tables->items[i].schema,
                        .name = o->tables->items[i].name,
                        .shape = o->tables->items[i].shape};
        rc = pg_check_source(o->conn, &in, out, e);
        free(tables);
        return rc;
}

/* ---- slot and publication ---- */

static int clear_slot(struct origin *o, bool begun, struct error *e)
{
        const char *slot = o->config->pg.slot;
        int there = pg_slot_exists(o->conn, slot, e);

        if (there <= 0)
                return there;
        if (!begun)
                return pg_slot_unknown(slot, e);
        return pg_slot_drop(o->conn, slot, e);
}

static int pg_origin_arrange(
        struct origin *o, const struct table_defs *t, bool begun, struct error *e)
{
        const struct relation **shapes = memory_new((t->n + 1) * sizeof(*shapes));
        const struct pg_published wanted = {.shapes = shapes, .n = t->n};
        AUTO_BUF statement = BUF_INIT;
        int rc = clear_slot(o, begun, e);

        for (unsigned i = 0; i < t->n; i++)
                shapes[i] = t->items[i].shape;
        if (rc == 0)
                rc = pg_publication_make(
                        o->conn, o->config->pg.publication, &wanted, &statement, e);
        free(shapes);
        return rc;
}

static int pg_origin_watch(struct origin *o, const struct carried *c, struct error *e)
{
        const struct pg_published wanted = {.shapes = c->shapes, .n = c->n};
        const char *name = o->config->pg.publication;

        return pg_publication_check(o->conn, name, &wanted, NULL, e) < 0
                       ? -1
                       : pg_publication_same(o->conn, name, &wanted, c->published, e);
}

/* For a standby that may be promoted; the stream needs it not. */
static void keep_for_failover(struct origin *o)
{
        const char *slot = o->config->pg.slot;
        struct error e = ERROR_INIT;

        if (connect_replication(o, &e) < 0 ||
                pg_slot_set_failover(o->conn, o->replication, slot, &e) < 0)
                log_warning("slot %s is not kept on standbys: %s", slot, e.message);
}

static int pg_origin_resume(struct origin *o, const struct carried *c, struct error *e)
{
        if (pg_slot_check(o->conn, o->config->pg.slot, e) < 0 || pg_origin_watch(o, c, e) < 0)
                return -1;
        keep_for_failover(o);
        return 0;
}

static int pg_origin_branch(struct origin *o, const struct source_identity *stored,
        const struct source_identity *now, struct position at, struct error *e)
{
        return connect_replication(o, e) < 0 ? -1
                                             : pg_source_follow(o->replication, stored, now, at, e);
}

static char *pg_origin_published(struct origin *o, const struct carried *c, struct error *e)
{
        const struct pg_published wanted = {.shapes = c->shapes, .n = c->n};

        return pg_publication_mark(o->conn, o->config->pg.publication, &wanted, e);
}

static char **pg_origin_marks(struct origin *o, const struct carried *c, struct error *e)
{
        const struct pg_published wanted = {.shapes = c->shapes, .n = c->n};

        return pg_marks_read(o->anchor ? o->anchor : o->conn, &wanted, e);
}

static int pg_origin_compare(struct origin *o, const struct relation *shape, const char *known,
        const char *now, struct error *e)
{
        return pg_marks_compare(o->conn, shape, known, now, e);
}

/* ---- the consistent point ---- */

static int import_snapshot(PGconn *c, const char *name, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "begin isolation level repeatable read read only; set transaction snapshot ");
        pg_literal(&sql, name);
        return pg_run(c, e, buf_text(&sql));
}

/* Until the copy's end no table may be rewritten or truncated: either would be empty for the
 * snapshot. */
static int lock_tables(struct origin *o, const struct table_defs *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        const char *comma = "set local lock_timeout = '30s'; lock table ";

        for (unsigned i = 0; i < t->n; i++) {
                buf_str(&sql, comma);
                pg_table(&sql, t->items[i].schema, t->items[i].name);
                comma = ", ";
        }
        buf_str(&sql, t->n ? " in access share mode; set local lock_timeout = 0" : "select 1");
        if (pg_run(o->anchor, e, buf_text(&sql)) == 0)
                return 0;
        if (!strcmp(e->code, "42P01")) /* dropped since: the next attempt knows */
                e->class = ERROR_RETRY;
        return -1;
}

static bool select_known(void *context, const char *schema, const char *name)
{
        return pg_tables_find(context, schema, name) != NULL;
}

/* What is copied is what the snapshot has. */
static int check_shapes(struct origin *o, struct error *e)
{
        struct pg_tables *now = pg_tables_read(o->anchor, select_known, o->tables, e);
        AUTO_BUF what = BUF_INIT;
        int rc = now ? 0 : -1;

        for (unsigned i = 0; rc == 0 && i < o->tables->n; i++) {
                const struct pg_table_info *b = &o->tables->items[i];
                const struct pg_table_info *n = pg_tables_find(now, b->schema, b->name);

                if (!n || !relation_same(b->shape, n->shape, &what))
                        rc = error_set(e, ERROR_RETRY,
                                "table %s.%s was altered while the copy began; it begins again",
                                b->schema, b->name);
        }
        pg_tables_free(now);
        return rc;
}

static int hold(struct origin *o, const struct table_defs *t, const char *snapshot, struct error *e)
{
        if (!(o->anchor = halt_connect(o->halt, o->params, e)) ||
                import_snapshot(o->anchor, snapshot, e) < 0)
                return error_context(e, "taking over the snapshot");
        if (check_shapes(o, e) < 0 || lock_tables(o, t, e) < 0)
                return -1;
        return pg_source_rewritten(o->anchor, e) == 0 ? 0 : -1;
}

static int open_readers(struct origin *o, const char *snapshot, struct position at, struct error *e)
{
        for (unsigned i = 0; i < o->readers_n; i++) {
                struct origin_reader *r = &o->readers[i];

                r->at = at;
                if (!(r->conn = halt_connect(o->halt, o->params, e)) ||
                        import_snapshot(r->conn, snapshot, e) < 0)
                        return -1;
        }
        return 0;
}

static int make_point(struct origin *o, const struct table_defs *t,
        const struct pg_slot_order *order, unsigned readers, struct position *start,
        struct error *e)
{
        struct pg_slot made = {0};

        pg_release(o);
        if (connect_replication(o, e) < 0 ||
                pg_slot_create(o->replication, o->conn, order, o->halt, &made, e) < 0)
                return -1;
        *start = made.start;
        if (readers == 0)
                return 0;
        o->readers = memory_new(readers * sizeof *o->readers);
        o->readers_n = readers;
        if (hold(o, t, made.snapshot, e) < 0 || open_readers(o, made.snapshot, made.start, e) < 0)
                return -1;
        halt_close(o->halt, &o->replication); /* the anchor holds the snapshot */
        return 0;
}

static int pg_origin_point(struct origin *o, const struct table_defs *t, unsigned readers,
        struct position *start, struct error *e)
{
        const struct pg_slot_order order = {.slot = o->config->pg.slot,
                .snapshot = readers > 0,
                .timeout = o->config->snapshot.slot_timeout};

        return make_point(o, t, &order, readers, start, e);
}

static int publish(struct origin *o, const struct table_defs *t, struct error *e)
{
        const struct relation **shapes = memory_new((t->n + 1) * sizeof(*shapes));
        const struct pg_published added = {.shapes = shapes, .n = t->n};
        AUTO_BUF statement = BUF_INIT;
        int rc;

        for (unsigned i = 0; i < t->n; i++)
                shapes[i] = t->items[i].shape;
        rc = pg_publication_add(o->conn, o->config->pg.publication, &added, &statement, e);
        if (statement.len)
                log_error("to be run on the source by an administrator: %s", buf_text(&statement));
        free(shapes);
        return rc;
}

/* A slot for its snapshot only: making one waits for every transaction that is running, so that
 * whatever commits behind its position began when the tables were published already. */
static int pg_origin_add(struct origin *o, const struct table_defs *t, unsigned *readers,
        struct position *start, struct error *e)
{
        AUTO_STRING slot = memory_printf("%.59s_add", o->config->pg.slot);
        const struct pg_slot_order order = {.slot = slot,
                .snapshot = *readers > 0,
                .temporary = true,
                .timeout = o->config->snapshot.slot_timeout};

        return publish(o, t, e) < 0 ? -1 : make_point(o, t, &order, *readers, start, e);
}

/* ---- reading ---- */

static struct origin_reader *pg_reader(struct origin *o, unsigned i)
{
        return &o->readers[i];
}

static struct position pg_reader_position(const struct origin_reader *r)
{
        return r->at;
}

static int pg_read(struct origin_reader *r, const struct table_def *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT done = NULL;

        buf_str(&sql, "copy (select ");
        for (uint16_t i = 0; i < t->shape->columns_n; i++) {
                buf_str(&sql, i ? ", " : "");
                pg_ident(&sql, t->shape->columns[i].name);
        }
        buf_str(&sql, " from ");
        pg_table(&sql, t->schema, t->name);
        buf_str(&sql, ") to stdout");
        done = PQexec(r->conn, buf_text(&sql));
        r->columns_n = t->shape->columns_n;
        return PQresultStatus(done) == PGRES_COPY_OUT ? 0 : pg_error(e, r->conn, done, "source");
}

static int end_of_copy(struct origin_reader *r, struct error *e)
{
        PGresult *result;
        int rc = 0;

        while ((result = PQgetResult(r->conn))) {
                if (PQresultStatus(result) != PGRES_COMMAND_OK && rc == 0)
                        rc = pg_error(e, r->conn, result, "source");
                PQclear(result);
                if (PQstatus(r->conn) == CONNECTION_BAD)
                        break;
        }
        return rc;
}

static int pg_next(struct origin_reader *r, struct value *row, struct error *e)
{
        int len;

        PQfreemem(r->line);
        r->line = NULL;
        len = PQgetCopyData(r->conn, &r->line, 0);
        if (len == -1)
                return end_of_copy(r, e);
        if (len < 0)
                return pg_error(e, r->conn, NULL, "source");
        if (copy_row_split(&r->row, r->line, (size_t)len, r->columns_n) < 0)
                return error_set(
                        e, ERROR_DATA, "the source sent a row that is not in COPY's text form");
        for (uint16_t i = 0; i < r->columns_n; i++) {
                const struct filter_value *v = &r->row.columns[i];

                row[i] = (struct value){.kind = v->null ? VALUE_NULL : VALUE_TEXT,
                        .len = (uint32_t)v->len,
                        .data = v->text};
        }
        return 1;
}

static int pg_origin_keep(struct origin *o, struct error *e)
{
        if (o->anchor && pg_run(o->anchor, e, "select 1") < 0)
                return error_context(e, "the connection that holds the copy's snapshot");
        return pg_run(o->conn, e, "select 1");
}

static int read_counter(struct origin *o, const struct table_def *t, const char *column,
        origin_counter *each, void *context, struct error *e)
{
        AUTO_BUF table = BUF_INIT, sql = BUF_INIT;
        AUTO_RESULT name = NULL;
        AUTO_RESULT next = NULL;
        const char *values[] = {NULL, column};

        pg_table(&table, t->schema, t->name);
        values[0] = buf_text(&table);
        name = pg_query(o->conn, e,
                "select s::regclass::text, i.seqincrement from "
                "(select pg_catalog.pg_get_serial_sequence($1, $2) as s) x "
                "join pg_catalog.pg_sequence i on i.seqrelid = s::regclass",
                2, values);
        if (!name || PQntuples(name) == 0)
                return name ? 0 : -1;
        buf_printf(&sql,
                "select case when is_called then last_value + %s else last_value end from %s",
                pg_text(name, 0, 1), pg_text(name, 0, 0));
        if (!(next = pg_query(o->conn, e, buf_text(&sql), 0, NULL)))
                return -1;
        return each(context, t, column, pg_text(next, 0, 0), e);
}

static int pg_origin_counters(struct origin *o, const struct table_defs *t, origin_counter *each,
        void *context, struct error *e)
{
        for (unsigned i = 0; i < t->n; i++)
                for (unsigned k = 0; k < t->items[i].columns_n; k++)
                        if (t->items[i].columns[k].default_kind == DEFAULT_COUNTER &&
                                read_counter(o, &t->items[i], t->items[i].columns[k].name, each,
                                        context, e) < 0)
                                return -1;
        return 0;
}

const struct origin_ops pg_origin_ops = {
        .open = pg_origin_open,
        .close = pg_origin_close,
        .engine = pg_origin_engine,
        .version = pg_origin_version,
        .identity = pg_origin_identity,
        .tables = pg_origin_tables,
        .names = pg_origin_names,
        .describe = pg_origin_describe,
        .doubt = pg_origin_doubt,
        .left = pg_origin_left,
        .check = pg_origin_check,
        .logs_cascades = pg_origin_logs_cascades,
        .arrange = pg_origin_arrange,
        .resume = pg_origin_resume,
        .branch = pg_origin_branch,
        .watch = pg_origin_watch,
        .published = pg_origin_published,
        .marks = pg_origin_marks,
        .compare = pg_origin_compare,
        .point = pg_origin_point,
        .add = pg_origin_add,
        .reader = pg_reader,
        .position = pg_reader_position,
        .read = pg_read,
        .next = pg_next,
        .keep = pg_origin_keep,
        .release = pg_release,
        .counters = pg_origin_counters,
};
