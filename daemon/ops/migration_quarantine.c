#include "base/log.h"
#include "base/memory.h"
#include "ops/migration_private.h"

#include <inttypes.h>
#include <stdlib.h>

static void say_result(const struct quarantine_result *r, enum quarantine_action action)
{
        if (action == QUARANTINE_LIST)
                return;
        log_event(LOG_LEVEL_INFO, LOG_PLAIN, NULL,
                "quarantine: %" PRIu64 " changes %s, %" PRIu64 " refused again, %" PRIu64
                " wait behind others",
                r->done, action == QUARANTINE_RETRY ? "applied" : "discarded", r->refused, r->left);
        if (r->failed)
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, &r->error, "quarantine");
}

/* The stream goes on where it stood; an operator may have stopped it meanwhile, or it may be about
 * to end. */
static void on_done(void *context, struct quarantine_result *r)
{
        struct migration *m = context;
        void (*done)(void *context, struct quarantine_result *r) = m->quarantine.done;

        say_result(r, m->quarantine.action);
        if (r->changes >= 0)
                pipeline_set_quarantined(m->pipeline, (uint64_t)r->changes);
        if (m->quarantine.resting && m->streaming && !m->shutdown_done)
                pipeline_start(m->pipeline, NULL);
        m->quarantine.resting = false;
        m->quarantine.done = NULL;
        migration_changed(m);
        done(m->quarantine.context, r);
        loop_defer(m->loop, &m->quarantine.end);
}

void migration_quarantine_end(void *context)
{
        struct migration *m = context;

        m->quarantine.job = quarantine_job_free(m->quarantine.job);
}

static bool is_migrated(const struct migration *m, const struct route_table *t)
{
        for (unsigned i = 0; i < m->progress.tables_n; i++)
                if (m->progress.tables[i].route == t)
                        return true;
        return false;
}

/* From the source's names to the target's. */
static int map_table(struct migration *m, struct quarantine_request *q, struct error *e)
{
        const struct route_table *t = q->table ? route_find(m->route, q->schema, q->table) : NULL;

        if (!q->table)
                return 0;
        if (!t || !is_migrated(m, t))
                return error_set(e, ERROR_CONFIG, "table %.255s.%.255s is not migrated", q->schema,
                        q->table);
        free(q->schema);
        free(q->table);
        q->schema = memory_string(t->schema);
        q->table = memory_string(t->name);
        return 0;
}

int migration_quarantine(struct migration *m, struct quarantine_request *q,
        void (*done)(void *context, struct quarantine_result *r), void *context, struct error *e)
{
        if (m->config->target.kind == KIND_SEGMENTS)
                return error_set(
                        e, ERROR_CONFIG, "an archive has no quarantine: nothing conflicts there");
        if (m->quarantine.job)
                return error_set(e, ERROR_CONFIG, "another command on the quarantine is under way");
        if (q->action != QUARANTINE_LIST && migration_is_repairing(m))
                return error_set(e, ERROR_CONFIG, "a repair is under way");
        if (m->shutdown_done)
                return error_set(e, ERROR_CONFIG, "the daemon ends");
        if (q->action != QUARANTINE_LIST && migration_check_walk(m, e) < 0)
                return -1;
        if (q->action != QUARANTINE_LIST && (m->preparing || m->saved.phase != STATE_STREAMING))
                return error_set(e, ERROR_CONFIG,
                        "the pipeline is starting or copying: try again when it streams");
        if (map_table(m, q, e) < 0)
                return -1;
        m->quarantine.action = q->action;
        m->quarantine.done = done;
        m->quarantine.context = context;
        m->quarantine.resting = q->action != QUARANTINE_LIST && m->streaming;
        if (m->quarantine.resting)
                pipeline_stop(m->pipeline);
        m->quarantine.job = quarantine_job_new(m->loop, m->config, m->route, q, on_done, m);
        return 0;
}
