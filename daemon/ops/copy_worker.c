/* One thread of the bulk copy: a reader on the source, a writer on the target, part after part. */
#include "base/memory.h"
#include "db/pg_meta.h"
#include "ops/copy_private.h"
#include "ops/prepare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows go out in messages of about this size: one message a row costs the target a tenth more. */
#define BATCH ((size_t)32 * 1024)
/* Bytes after which the counters that others read are brought up to date. */
#define COUNT_EVERY (256u * 1024)

struct worker {
        struct copy *copy;
        PGconn *source, *target;
        struct copy_row row;
        struct buf batch;
};

/* Opens the reader and proves that it sees what the others see (HAZARDS B4). */
static int open_source(struct worker *w, struct error *e)
{
        const struct copy_options *o = &w->copy->o;
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;

        if (!(w->source = halt_connect(o->halt, o->source, e)))
                return -1;
        buf_str(&sql, "begin isolation level repeatable read read only; set transaction snapshot ");
        pg_literal(&sql, o->snapshot);
        if (pg_run(w->source, e, buf_text(&sql)) < 0 ||
                !(r = pg_query(
                          w->source, e, "select pg_catalog.pg_current_snapshot()::text", 0, NULL)))
                return error_context(e, "source: taking over the snapshot");
        if (strcmp(pg_text(r, 0, 0), o->seen) != 0)
                return error_set(e, ERROR_BUG, "a reader sees snapshot %s instead of %s",
                        pg_text(r, 0, 0), o->seen);
        if (*o->lock_sql && pg_run(w->source, e, o->lock_sql) < 0)
                return error_context(e, "source: locks of a reader");
        return 0;
}

/* Messages below errors are switched off: while COPY runs, whatever the target says is its end. */
static int open_target(struct worker *w, struct error *e)
{
        const struct copy_options *o = &w->copy->o;

        if (!(w->target = halt_connect(o->halt, o->target, e)))
                return -1;
        if (pg_run(w->target, e,
                    "set client_min_messages = error; set synchronous_commit = off;"
                    "set tcp_keepalives_idle = 20; set tcp_keepalives_interval = 10;"
                    "set tcp_keepalives_count = 4") < 0)
                return error_context(e, "target");
        if (o->replica_role && pg_run(w->target, e, "set session_replication_role = replica") < 0)
                return error_context(e, "target");
        return 0;
}

/* Starts COPY; the connection is in `state` then. */
static int start_copy(
        PGconn *c, const char *sql, ExecStatusType state, const char *what, struct error *e)
{
        AUTO_RESULT r = PQexec(c, sql);

        return PQresultStatus(r) == state ? 0 : pg_error(e, c, r, what);
}

static int start_source(
        struct worker *w, const struct copy_part *p, const struct copy_table *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_printf(&sql, "copy (select %s from only ", t->source_list ? t->source_list : "");
        pg_table(&sql, p->leaf->schema, p->leaf->name);
        copy_part_range(p, &sql);
        buf_printf(&sql, ") to stdout%s", t->binary ? " with (format binary)" : "");
        return start_copy(w->source, buf_text(&sql), PGRES_COPY_OUT, "source", e);
}

static int start_target(struct worker *w, const struct copy_table *t, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "copy ");
        pg_table(&sql, t->schema, t->name);
        if (t->target_list && *t->target_list)
                buf_printf(&sql, " (%s)", t->target_list);
        buf_printf(&sql, " from stdin%s", t->binary ? " with (format binary)" : "");
        return start_copy(w->target, buf_text(&sql), PGRES_COPY_IN, "target", e);
}

static int put(struct worker *w, const char *data, size_t len, struct error *e)
{
        if (pg_speaks(w->target))
                return 1;
        if (PQputCopyData(w->target, data, (int)len) == 1)
                return 0;
        return pg_error(e, w->target, NULL, "target");
}

static int flush(struct worker *w, struct error *e)
{
        int rc = w->batch.len ? put(w, w->batch.data, w->batch.len, e) : 0;

        buf_clear(&w->batch);
        return rc;
}

static int put_row(struct worker *w, const char *row, size_t len, struct error *e)
{
        int rc = 0;

        if (w->batch.len + len > BATCH)
                rc = flush(w, e);
        if (rc == 0 && len > BATCH)
                return put(w, row, len, e);
        if (rc == 0)
                buf_add(&w->batch, row, len);
        return rc;
}

/* 1: the row goes on; 0: filtered out. */
static int wanted(
        struct worker *w, const struct copy_table *t, const char *row, size_t len, struct error *e)
{
        int rc;

        if (!t->filter.filter)
                return 1;
        if ((rc = copy_filter_line(&t->filter, &w->row, row, len)) < 0)
                return error_set(
                        e, ERROR_DATA, "the source sent a row that is not in COPY's text form");
        return rc;
}

struct counts {
        uint64_t rows, bytes, passed;
};

static void publish(struct counts *n, const struct copy_table *t, struct copy_progress *g)
{
        atomic_fetch_add_explicit(&t->counter->rows, n->passed, memory_order_relaxed);
        atomic_fetch_add_explicit(&g->rows, n->rows, memory_order_relaxed);
        atomic_fetch_add_explicit(&g->bytes, n->bytes, memory_order_relaxed);
        *n = (struct counts){0};
}

/* From one side to the other until the source has no more. 1: the target has refused; 0; -1. */
static int pump(struct worker *w, const struct copy_table *t, struct copy_progress *g,
        uint64_t *passed, struct error *e)
{
        struct counts n = {0};
        int rc = 0, len = 0;
        char *row = NULL;

        while (rc == 0 && (len = PQgetCopyData(w->source, &row, 0)) > 0) {
                int want = wanted(w, t, row, (size_t)len, e);

                rc = want > 0 ? put_row(w, row, (size_t)len, e) : want;
                PQfreemem(row);
                n.rows++;
                n.bytes += (uint64_t)len;
                n.passed += want > 0;
                *passed += want > 0;
                if (n.bytes > COUNT_EVERY)
                        publish(&n, t, g);
        }
        publish(&n, t, g);
        if (rc == 0 && len == -2)
                return pg_error(e, w->source, NULL, "source");
        return rc == 0 ? flush(w, e) : rc;
}

/* Reads results until there are none; the number of rows of COPY, or -1. */
static int64_t finish(PGconn *c, const char *what, struct error *e)
{
        int64_t rows = -1;
        PGresult *r;

        while ((r = PQgetResult(c))) {
                if (PQresultStatus(r) == PGRES_COMMAND_OK)
                        rows = strtoll(PQcmdTuples(r), NULL, 10);
                else
                        rows = pg_error(e, c, r, what);
                PQclear(r);
                if (PQstatus(c) == CONNECTION_BAD)
                        break;
        }
        return rows;
}

/* Both ends of COPY. Counts are exact, and the same on both sides. */
static int64_t end_copies(
        struct worker *w, const struct copy_table *t, uint64_t passed, struct error *e)
{
        int64_t read, written;

        if ((read = finish(w->source, "source", e)) < 0) {
                struct error ignored = ERROR_INIT;

                PQputCopyEnd(w->target, "the source failed");
                finish(w->target, "target", &ignored);
                return -1;
        }
        if (PQputCopyEnd(w->target, NULL) != 1)
                return pg_error(e, w->target, NULL, "target");
        if ((written = finish(w->target, "target", e)) < 0)
                return -1;
        if (t->filter.filter)
                read = (int64_t)passed;
        if (read != written)
                return error_set(e, ERROR_DATA,
                        "%" PRId64 " rows were read and %" PRId64
                        " written: a trigger or rule on the target keeps rows out",
                        read, written);
        /* The binary form's frame was counted as rows. */
        atomic_fetch_add(&t->counter->rows, (uint64_t)written - passed);
        return written;
}

static int64_t copy_rows(struct worker *w, const struct copy_part *p, const struct copy_table *t,
        struct copy_progress *g, struct error *e)
{
        uint64_t passed = 0;
        int rc;

        if (start_source(w, p, t, e) < 0 || start_target(w, t, e) < 0)
                return -1;
        buf_clear(&w->batch);
        rc = pump(w, t, g, &passed, e);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return end_copies(w, t, passed, e);
        PQputCopyEnd(w->target, "stopped");
        if (finish(w->target, "target", e) < 0)
                return -1;
        return error_set(e, ERROR_RETRY, "target: COPY ended early");
}

/* Part of the load's transaction: what it added, and how far the table is by that. */
static int record(struct worker *w, const struct copy_table *t, int64_t rows, const char *state,
        struct error *e)
{
        char text[24];
        const char *values[] = {
                w->copy->o.config->pipeline.name, t->info->schema, t->info->name, text, state};
        AUTO_RESULT r = NULL;

        snprintf(text, sizeof text, "%" PRId64, rows);
        r = pg_query(w->target, e,
                "update culvert.tables set rows = rows + $4::bigint, state = $5 where pipeline = "
                "$1 "
                "and source_schema = $2 and source_name = $3",
                5, values);
        if (!r)
                return -1;
        if (strcmp(PQcmdTuples(r), "1") != 0)
                return error_set(e, ERROR_BUG, "its row in culvert.tables is gone");
        return 0;
}

static const char *state_after(const struct copy_table *t)
{
        if (t->append)
                return "appended";
        return t->parts == 1 ? "copied" : "copying";
}

static int load(struct worker *w, const struct copy_part *p, const struct copy_table *t,
        struct copy_progress *g, struct error *e)
{
        const struct copy_options *o = &w->copy->o;
        int64_t rows;

        if (pg_run(w->target, e, "begin isolation level read committed read write") < 0 ||
                pg_meta_prove_epoch(w->target, o->config->pipeline.name, o->epoch, e) < 0)
                return -1;
        if ((rows = copy_rows(w, p, t, g, e)) < 0 || record(w, t, rows, state_after(t), e) < 0)
                return -1;
        return pg_run(w->target, e, "commit");
}

/* The last part of several ends the table, once all the others are committed. */
static int table_part_done(struct worker *w, struct copy_table *t, struct error *e)
{
        const struct copy_options *o = &w->copy->o;

        if (atomic_fetch_sub(&t->parts_left, 1) > 1)
                return 0;
        atomic_store(&t->counter->state, TABLE_COPIED);
        if (t->parts == 1)
                return 0;
        if (pg_run(w->target, e, "begin isolation level read committed read write") < 0 ||
                pg_meta_prove_epoch(w->target, o->config->pipeline.name, o->epoch, e) < 0 ||
                record(w, t, 0, "copied", e) < 0)
                return -1;
        return pg_run(w->target, e, "commit");
}

static int do_part(struct worker *w, unsigned i, struct error *e)
{
        struct copy_part *p = &w->copy->plan->parts[i];
        struct copy_table *t = &w->copy->tables[p->table];
        struct copy_progress *g = &w->copy->progress[i];

        atomic_store(&t->counter->state, TABLE_COPYING);
        if (load(w, p, t, g, e) < 0 || table_part_done(w, t, e) < 0) {
                error_context(e, "copy of %s.%s", t->info->schema, t->info->name);
                snprintf(e->table, sizeof e->table, "%s.%s", t->info->schema, t->info->name);
                return -1;
        }
        atomic_store(&g->done, true);
        return 0;
}

static int work(struct worker *w, struct error *e)
{
        unsigned i;

        if (open_source(w, e) < 0 || open_target(w, e) < 0)
                return -1;
        while ((i = atomic_fetch_add(&w->copy->next, 1)) < w->copy->plan->n)
                if (halt_check(w->copy->o.halt, e) < 0 || do_part(w, i, e) < 0)
                        return -1;
        return 0;
}

int copy_work(struct copy *c, struct error *e)
{
        struct worker w = {.copy = c};
        int rc = work(&w, e);

        halt_close(c->o.halt, &w.source);
        halt_close(c->o.halt, &w.target);
        copy_row_done(&w.row);
        buf_done(&w.batch);
        return rc;
}
