#include "base/memory.h"
#include "ops/migration_private.h"

#include <string.h>

static void fill_copy(const struct migration *m, struct status *s)
{
        static const char *const modes[] = {"bulk", "trickle", "none"};

        s->snapshot.mode = modes[m->config->snapshot.mode];
        s->snapshot.tables_done = m->progress.tables_done;
        s->snapshot.tables_total = m->progress.tables_total;
        s->snapshot.rows_done = m->progress.rows_done;
        s->snapshot.rows_estimated = m->progress.rows_estimated;
        s->snapshot.eta_seconds = m->progress.eta_seconds;
}

/* Age of the oldest change that is here and not on the target; -1: unknown. Where the stream is
 * not connected nobody knows what waits, and since when we have not heard is the bound. */
static double lag_seconds(const struct migration *m, const struct pipeline_status *p)
{
        int64_t age = 0;

        if (!m->streaming)
                return -1;
        if (p->oldest)
                age = loop_wall(m->loop) - p->oldest;
        else if (p->source_connected && !p->caught_up)
                return -1;
        else if (!p->source_connected && !p->heard)
                return -1;
        else if (!p->source_connected)
                age = loop_now(m->loop) - p->heard;
        return age > 0 ? (double)age / SECOND : 0;
}

static const char *acknowledges(enum config_acknowledge policy)
{
        switch (policy) {
        case ACKNOWLEDGE_QUEUED:
                return "queued";
        case ACKNOWLEDGE_AUTO:
                return "auto";
        default:
                return "applied";
        }
}

static void fill_stream(const struct migration *m, struct status *s)
{
        struct pipeline_status p;
        uint64_t rows;

        pipeline_status(m->pipeline, &p);
        /* The copy has connections of its own, and ends with an error when one is lost. */
        if (m->preparing && m->progress.copying)
                p.source_connected = p.sink_connected = true;
        s->settling = m->saved.paused && p.in_sink;
        s->source.connected = p.source_connected;
        s->source.position = p.log_end;
        s->source.acknowledged = p.acknowledged;
        s->target.connected = p.sink_connected;
        s->target.position = p.applied;
        s->target.acknowledged = p.acknowledged;
        s->silent = p.owed ? (loop_now(m->loop) - p.owed) / SECOND : 0;
        s->lag.bytes = m->streaming && !position_is_none(p.log_end)
                               ? (int64_t)position_distance(p.applied, p.log_end)
                               : -1;
        s->lag.seconds = lag_seconds(m, &p);
        s->lag.transactions = (int64_t)p.pending;
        s->queue.memory_bytes = p.queue_bytes;
        s->queue.transactions = p.queue_transactions;
        s->queue.disk_bytes = p.queue_disk_bytes;
        s->queue.acknowledge = acknowledges(m->config->queue.acknowledge);
        s->applied.position = p.applied;
        s->applied.transactions = p.transactions;
        s->applied.rows = p.rows;
        rows = p.rows - m->rows_at[RATE_SLOTS - m->seconds];
        s->applied.rows_per_second = m->seconds ? (double)rows / m->seconds : 0;
        s->retention.bytes_held_at_source = p.retention->held;
        s->retention.hours_left = m->retention.hours_left;
        s->retention.share = m->retention.share;
        s->retention.limit = m->retention.level == RETENTION_HALF ? m->retention.limit : NULL;
        s->retention.lost = p.retention->lost.class == ERROR_NONE ? NULL : &p.retention->lost;
        s->quarantined = p.quarantined;
        s->overwritten = p.overwritten;
        if (p.error)
                s->error = p.error;
}

static void fill_verify(const struct migration *m, struct status *s)
{
        struct verify_sums v;

        verify_report_sums(m->verify.report, loop_now(m->loop), &v);
        s->verify.state = verify_state_name(v.state);
        s->verify.rows_compared = v.rows;
        s->verify.differences = v.differences;
        s->verify.rows_total = v.total;
        s->verify.finished_at = v.finished;
}

static const char *next_step(const struct status *s)
{
        switch (s->state) {
        case STATE_STOPPED:
                return "resume, when the cause is mended";
        case STATE_PAUSED:
                return s->quarantined > 0 ? "quarantine list, then resume" : "resume";
        case STATE_STREAMING:
                if (s->error)
                        return "wait: the connection is tried again";
                if (s->quarantined > 0)
                        return "quarantine list, to see what waits";
                return s->fresh ? "reload, to copy the tables that are new" : "wait --lag 0";
        case STATE_REVERSED:
                return s->quarantined > 0 ? "quarantine list, to see what waits"
                                          : "rollback, or complete when there is to be no way back";
        case STATE_CUTTING_OVER:
        case STATE_ROLLING_BACK:
                return "cutover --attach";
        case STATE_COMPLETE:
                return "stop: nothing is left to do";
        default:
                return "watch";
        }
}

/* mysql:// and mariadb:// mean the same: the server says which it is, once it was asked. */
static const char *kind_of(enum config_kind kind, enum engine engine)
{
        if (kind == KIND_SEGMENTS)
                return "segments";
        if (!config_is_mysql(kind))
                return "postgresql";
        if (engine == ENGINE_POSTGRESQL)
                return kind == KIND_MARIADB ? "mariadb" : "mysql";
        return engine == ENGINE_MARIADB ? "mariadb" : "mysql";
}

/* `source` and `target` are the configured sides, whichever way the stream goes. */
static void swap_ends(struct status *s)
{
        struct status_end source = s->source;

        s->source = s->target;
        s->target = source;
}

void migration_status(struct migration *m, struct status *s)
{
        *s = (struct status){.pipeline = m->forward->pipeline.name, .state = m->state};
        s->phase = migration_phase(m);
        s->reversed = migration_is_reversed(m);
        s->since = m->since;
        s->source.kind = kind_of(m->config->source.kind, m->source_engine);
        s->target.kind = kind_of(m->config->target.kind, m->target_engine);
        fill_stream(m, s);
        fill_copy(m, s);
        fill_verify(m, s);
        s->source.server_version = *m->source_version ? m->source_version : NULL;
        s->target.server_version = *m->target_version ? m->target_version : NULL;
        if (m->error.class != ERROR_NONE)
                s->error = &m->error;
        if (s->reversed)
                swap_ends(s);
        s->fresh = m->streaming ? m->fresh_n : 0;
        s->refused = m->refused;
        s->next = next_step(s);
}

static const char *table_state(const struct migration *m, const struct prepare_table *t)
{
        if (m->streaming || (m->saved.phase == STATE_STREAMING && t->state == TABLE_COPIED))
                return "streaming";
        return t->state == TABLE_COPIED    ? "copied"
               : t->state == TABLE_COPYING ? "copying"
                                           : "waiting";
}

static void tell_fresh(const struct route_table *r,
        void (*each)(void *context, const struct status_table *t), void *context)
{
        AUTO_STRING source = memory_printf("%s.%s", r->source_schema, r->source_name);
        AUTO_STRING target = memory_printf("%s.%s", r->schema, r->name);

        each(context,
                &(struct status_table){
                        .source = source, .target = target, .state = "new", .rows_estimated = -1});
}

void migration_tables(struct migration *m,
        void (*each)(void *context, const struct status_table *t), void *context)
{
        for (unsigned i = 0; i < m->progress.tables_n; i++) {
                const struct prepare_table *t = &m->progress.tables[i];
                const struct route_table *r = t->route;
                AUTO_STRING source = memory_printf("%s.%s", r->source_schema, r->source_name);
                AUTO_STRING target = memory_printf("%s.%s", r->schema, r->name);
                struct status_table row = {
                        .source = source,
                        .target = target,
                        .state = table_state(m, t),
                        .rows_copied = t->rows_done,
                        .rows_estimated = t->rows_estimated,
                        .durable = r->durable,
                        .committed = r->committed,
                };

                each(context, &row);
        }
        for (unsigned i = 0; m->streaming && i < m->fresh_n; i++)
                tell_fresh(m->fresh[i], each, context);
        if (m->streaming)
                watcher_look_soon(m->watcher);
}
