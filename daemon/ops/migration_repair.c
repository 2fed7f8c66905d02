/* A repair in the place of a verification: the stream shows it what it brings, and stands while it
 * writes. */
#include "base/memory.h"
#include "ops/migration_private.h"

#include <inttypes.h>

bool migration_is_repairing(const struct migration *m)
{
        return m->verify.repair && !m->verify.ended;
}

static int64_t quarantined(const struct migration *m)
{
        struct pipeline_status p;

        pipeline_status(m->pipeline, &p);
        return p.quarantined;
}

/* Changes that wait there would be applied over what is written now. */
static int check_quarantine(const struct migration *m, struct error *e)
{
        int64_t n = quarantined(m);

        if (m->quarantine.job)
                return error_set(e, ERROR_CONFIG, "a command on the quarantine is under way");
        if (n <= 0)
                return 0;
        return error_set(e, ERROR_CONFIG,
                "%" PRId64 " changes wait in quarantine, and would be applied to what is mended: "
                "quarantine retry or discard first",
                n);
}

static int check_stream(const struct migration *m, struct error *e)
{
        if (m->shutdown_done)
                return error_set(e, ERROR_CONFIG, "the daemon ends");
        if (migration_check_walk(m, e) < 0)
                return -1;
        if (m->stopped)
                return error_set(e, ERROR_CONFIG,
                        "the pipeline is stopped on an error, and a repair needs the stream: "
                        "resume first");
        if (m->saved.paused)
                return error_set(e, ERROR_CONFIG,
                        "the pipeline is paused, and a repair needs the stream: resume first");
        if (!m->streaming || m->yielding)
                return error_set(e, ERROR_CONFIG,
                        "the pipeline is starting or copying: try again when it streams");
        if (migration_is_draining(m))
                return error_set(e, ERROR_CONFIG, "the pipeline is being drained");
        return check_quarantine(m, e);
}

/* ---- the stream stands, and goes on ---- */

static void stand(void *context)
{
        struct migration *m = context;
        struct error e = ERROR_INIT;

        if (check_stream(m, &e) < 0) {
                repair_stood(m->verify.repair, &e);
                return;
        }
        pipeline_stop(m->pipeline);
        m->verify.resting = true;
        repair_stood(m->verify.repair, NULL);
}

/* An operator may have stopped it meanwhile, or it may be about to end. */
void migration_repair_go(void *context)
{
        struct migration *m = context;

        if (!m->verify.resting)
                return;
        m->verify.resting = false;
        if (m->streaming && !m->shutdown_done)
                pipeline_start(m->pipeline, NULL);
        migration_changed(m);
}

/* What it waits for may not come: it ends, and what it has written is there. */
void migration_repair_look(struct migration *m)
{
        struct error e = ERROR_INIT;

        if (!migration_is_repairing(m) || *m->verify.broken.message)
                return;
        if (m->streaming && !m->stopped && !m->saved.paused)
                return;
        if (check_stream(m, &e) == 0)
                return;
        m->verify.broken = e;
        verify_stop(m->verify.job, false);
}

/* ---- the job ---- */

void migration_repair_ended(struct migration *m)
{
        migration_repaired *done = m->verify.repaired;
        const struct error *failed = repair_error(m->verify.repair);
        struct error e = failed ? *failed : (struct error)ERROR_INIT;

        migration_repair_go(m);
        if (failed && *m->verify.broken.message)
                e = m->verify.broken;
        else if (failed && !*e.message)
                error_set(&e, ERROR_CONFIG, "the repair was ended");
        m->verify.repaired = NULL;
        if (done)
                done(m->verify.repair_context, m->verify.repair, failed ? &e : NULL);
}

static int check(struct migration *m, const char *schema, const char *table, struct error *e)
{
        if (m->config->source.kind == KIND_SEGMENTS || m->config->target.kind == KIND_SEGMENTS)
                return error_set(e, ERROR_CONFIG, "an archive has changes and no rows to mend");
        if (migration_is_repairing(m))
                return error_set(e, ERROR_CONFIG, "a repair is under way");
        if (m->verify.rested)
                return error_set(e, ERROR_CONFIG,
                        "what has changed is being verified for a cutover: try again");
        if (m->preparing || m->saved.phase != STATE_STREAMING || !m->verify.loaded)
                return error_set(e, ERROR_CONFIG,
                        "the pipeline is starting or copying: try again when it streams");
        if (migration_verify_is_running(m) || m->verify.stopped)
                return error_set(e, ERROR_CONFIG,
                        "a verification is under way: wait for its end, or verify stop");
        if (!migration_verify_has_result(m))
                return error_set(e, ERROR_CONFIG,
                        "there is no result of a verification to repair: verify start");
        if (table && !migration_is_migrated(m, schema, table))
                return error_set(
                        e, ERROR_CONFIG, "table %.255s.%.255s is not migrated", schema, table);
        return check_stream(m, e);
}

int migration_repair(struct migration *m, const struct migration_repair_request *q,
        migration_repaired *done, void *context, struct error *e)
{
        static const struct repair_events events = {stand, migration_repair_go};
        struct verify_request request = {0};

        if (check(m, q->schema, q->table, e) < 0)
                return -1;
        request.schema = memory_string(q->schema);
        request.name = memory_string(q->table);
        request.repair = repair_new(m->loop, q->dry_run, &events, m);
        m->verify.repaired = done;
        m->verify.repair_context = context;
        error_clear(&m->verify.broken);
        migration_verify_begin(m, &request);
        return 0;
}
