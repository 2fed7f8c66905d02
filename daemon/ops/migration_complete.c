/* The end of a migration: the stream stops, and what culvert made is removed. */
#include "base/memory.h"
#include "ops/complete.h"
#include "ops/migration_private.h"

#include <stdlib.h>

#define STOP_GRACE (10 * SECOND)

static int work(void *context, struct halt *h, struct error *e)
{
        struct migration *m = context;

        if (m->complete.list)
                return complete_list(
                        m->forward, m->reverse, m->complete.purge, h, &m->complete.lines, e);
        return complete_run(m->forward, m->reverse, m->complete.purge, h, e);
}

/* What was not removed is removed by the next try: the start finds out how far it came. */
static void on_done(void *context, const struct error *failed)
{
        struct migration *m = context;
        migration_completed *done = m->complete.done;
        struct error e = failed ? *failed : (struct error)ERROR_INIT;
        bool list = m->complete.list;

        m->complete.job = job_free(m->complete.job);
        m->complete.done = NULL;
        if (!list && !failed) {
                m->completed = true;
        } else if (!list && !m->completed && !m->shutdown_done) {
                state_row_release(m->row);
                migration_start_prepare(m);
        }
        migration_refresh(m);
        done(m->complete.context, buf_text(&m->complete.lines), failed ? &e : NULL);
}

static void on_shut(void *context)
{
        struct migration *m = context;

        m->streaming = false;
        m->complete.shutting = false;
        state_row_hold(m->row, NULL, NULL); /* it stays what the journal says */
        m->complete.job = job_new(m->loop, work, on_done, m);
}

static int check(struct migration *m, struct error *e)
{
        if (m->shutdown_done)
                return error_set(e, ERROR_CONFIG, "the daemon ends");
        if (m->complete.job || m->complete.shutting)
                return error_set(e, ERROR_CONFIG, "it is under way");
        if (m->completed)
                return 0;
        if (m->turn && !turn_is_over(m->turn))
                return error_set(e, ERROR_CONFIG, "a cutover or rollback is under way");
        if (!migration_is_reversed(m))
                return error_set(e, ERROR_CONFIG,
                        "the source leads: a migration is complete behind a cutover");
        if (!m->streaming || m->yielding || m->verify.job || m->quarantine.job)
                return error_set(e, ERROR_CONFIG,
                        "the stream does not run, or another command uses it: try again when that "
                        "is over");
        return 0;
}

int migration_complete(struct migration *m, const struct migration_complete_request *q,
        migration_completed *done, void *context, struct error *e)
{
        if (check(m, e) < 0 || (!m->reverse && !migration_opposite(m, e)))
                return -1;
        m->complete.list = q->list;
        m->complete.purge = q->purge;
        m->complete.done = done;
        m->complete.context = context;
        buf_clear(&m->complete.lines);
        if (q->list || m->completed) {
                m->complete.job = job_new(m->loop, work, on_done, m);
                return 0;
        }
        m->complete.shutting = true;
        pipeline_shutdown(m->pipeline, STOP_GRACE, on_shut, m);
        return 0;
}

void migration_complete_done(struct migration *m)
{
        m->complete.job = job_free(m->complete.job);
        buf_done(&m->complete.lines);
}
