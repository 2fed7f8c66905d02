/* The consistent point: the slot, and the connection that holds its snapshot and the tables. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/prepare_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int import_snapshot(struct prepare *p, const char *name, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_RESULT r = NULL;

        if (!(p->anchor = halt_connect(p->halt, p->source_params, e)))
                return -1;
        buf_str(&sql, "begin isolation level repeatable read read only; set transaction snapshot ");
        pg_literal(&sql, name);
        if (pg_run(p->anchor, e, buf_text(&sql)) < 0 ||
                !(r = pg_query(p->anchor, e,
                          "select pg_catalog.pg_export_snapshot(), "
                          "pg_catalog.pg_current_snapshot()::text",
                          0, NULL)))
                return error_context(e, "source: taking over the snapshot");
        snprintf(p->snapshot, sizeof p->snapshot, "%s", pg_text(r, 0, 0));
        free(p->record.snapshot);
        p->record.snapshot = memory_string(pg_text(r, 0, 1));
        return 0;
}

/*
 * Not until the copy's end may a table be rewritten: the parts are ranges of its pages, and what
 * ALTER TABLE rewrites is empty for older snapshots. Every reader takes the locks at once, before
 * its first row: one that came for a table later would queue behind a TRUNCATE that waits for the
 * anchor, which waits for the reader, and no server sees that circle.
 */
static char *lock_statement(const struct prepare *p)
{
        struct buf sql = BUF_INIT;
        const char *comma = "set local lock_timeout = '30s'; lock table only ";

        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *t = &p->tables->items[i];

                buf_str(&sql, comma);
                pg_table(&sql, t->schema, t->name);
                comma = ", only ";
                for (unsigned k = 0; t->kind == 'p' && k < t->leaves_n; k++) {
                        buf_str(&sql, comma);
                        pg_table(&sql, t->leaves[k].schema, t->leaves[k].name);
                }
        }
        if (sql.len)
                buf_str(&sql, " in access share mode; set local lock_timeout = 0");
        return buf_take(&sql);
}

static int lock_tables(struct prepare *p, struct error *e)
{
        free(p->lock_sql);
        p->lock_sql = lock_statement(p);
        if (pg_run(p->anchor, e, *p->lock_sql ? p->lock_sql : "select 1") == 0)
                return 0;
        if (!strcmp(e->code, "42P01")) /* dropped since the snapshot: the next attempt knows */
                e->class = ERROR_RETRY;
        return error_context(e, "source");
}

static int begin_again(struct error *e, const char *schema, const char *name, const char *why)
{
        return error_set(e, ERROR_RETRY, "table %s.%s %s while the copy began; it begins again",
                schema, name, why);
}

/* What is copied is what the snapshot has; the publication and the target were looked at before. */
static int same_tables(const struct pg_tables *before, const struct pg_tables *now, struct error *e)
{
        AUTO_BUF what = BUF_INIT;

        for (unsigned i = 0; i < now->n; i++)
                if (!pg_tables_find(before, now->items[i].schema, now->items[i].name))
                        return begin_again(
                                e, now->items[i].schema, now->items[i].name, "was created");
        for (unsigned i = 0; i < before->n; i++) {
                const struct pg_table_info *b = &before->items[i];
                const struct pg_table_info *n = pg_tables_find(now, b->schema, b->name);

                if (!n || !relation_same(b->shape, n->shape, &what))
                        return begin_again(
                                e, b->schema, b->name, n ? "was altered" : "was dropped");
        }
        return 0;
}

/* The tables are read again, as the snapshot sees them, then locked. */
static int hold_tables(struct prepare *p, struct error *e)
{
        struct pg_tables *before = p->tables;
        int rc;

        p->tables = NULL;
        p->only = p->others ? before : NULL;
        rc = prepare_read_tables(p, p->anchor, e);
        if (rc == 0)
                rc = same_tables(before, p->tables, e);
        p->only = NULL;
        if (p->tables)
                pg_tables_free(before);
        else
                p->tables = before;
        if (rc < 0 || lock_tables(p, e) < 0)
                return -1;
        rc = pg_source_rewritten(p->anchor, e);
        return rc < 0 ? error_context(e, "source") : -rc;
}

static int make(struct prepare *p, const struct pg_slot_order *order, struct error *e)
{
        struct pg_slot made = {0};

        if (pg_slot_create(p->replication, p->source, order, p->halt, &made, e) < 0)
                return -1;
        p->record.start = made.start;
        return order->snapshot ? import_snapshot(p, made.snapshot, e) : 0;
}

/* The snapshot is held by the anchor now (HAZARDS B4). */
static int hold(struct prepare *p, struct error *e)
{
        halt_close(p->halt, &p->replication);
        return hold_tables(p, e) < 0 || prepare_read_marks(p, p->anchor, e) < 0 ? -1 : 0;
}

int prepare_make_slot(struct prepare *p, bool snapshot, struct error *e)
{
        const struct config *c = p->config;
        struct pg_slot_order order = {
                .slot = c->pg.slot, .snapshot = snapshot, .timeout = c->snapshot.slot_timeout};
        char start[POSITION_TEXT];

        if (make(p, &order, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY,
                &(struct log_fields){.position = position_format(p->record.start, start)},
                "slot %s was made; the stream will begin at %s", c->pg.slot, start);
        if (!snapshot)
                return 0;
        return hold(p, e) < 0 ? -1 : prepare_write_records(p, STAGE_COPYING, e);
}

int prepare_make_point(struct prepare *p, struct error *e)
{
        const struct config *c = p->config;
        AUTO_STRING slot = memory_printf("%.59s_add", c->pg.slot);
        struct pg_slot_order order = {.slot = slot,
                .snapshot = true,
                .temporary = true,
                .timeout = c->snapshot.slot_timeout};

        return make(p, &order, e) < 0 ? -1 : hold(p, e);
}
