/* The two directions of a migration: each has a route, a pipeline and a folder of its own, and one
 * of them is open at a time. */
#include "base/log.h"
#include "base/memory.h"
#include "model/config_reverse.h"
#include "ops/fence.h"
#include "ops/migration_private.h"
#include "ops/turn_steps.h"

#include <stdlib.h>
#include <string.h>

bool migration_is_reversed(const struct migration *m)
{
        return m->reverse && m->config == m->reverse;
}

/* ---- open and close ---- */

int migration_open(struct migration *m, const struct config *c, struct error *e)
{
        m->config = c;
        m->route = route_new(c);
        m->progress = (struct prepare_progress){.rows_estimated = -1, .eta_seconds = -1};
        m->retention = (struct retention)RETENTION_INIT;
        return saved_read(&m->saved, c->pipeline.state_dir, e) < 0 ? -1
                                                                   : migration_make_pipeline(m, e);
}

void migration_close(struct migration *m)
{
        quarantine_job_free(m->quarantine.job);
        m->quarantine.job = NULL;
        migration_verify_done(m);
        m->watcher = watcher_free(m->watcher);
        m->pipeline = pipeline_free(m->pipeline);
        prepare_progress_done(&m->progress);
        m->route = route_free(m->route);
        free(m->fresh);
        m->fresh = NULL;
        m->fresh_n = 0;
        free(m->refused);
        m->refused = NULL;
}

/* Of that direction; NULL: there is no way back. */
static const struct config *config_of(struct migration *m, bool reversed, struct error *e)
{
        if (!reversed)
                return m->forward;
        if (!m->reverse)
                m->reverse = config_reverse(m->forward, e);
        return m->reverse;
}

const struct config *migration_opposite(struct migration *m, struct error *e)
{
        return config_of(m, !migration_is_reversed(m), e);
}

const struct config *migration_remembered(struct migration *m, struct error *e)
{
        bool reversed;

        if (saved_direction_read(&reversed, m->forward->pipeline.state_dir, e) < 0)
                return NULL;
        return config_of(m, reversed, e);
}

/* What was counted and heard is of the other stream. */
static void forget(struct migration *m)
{
        memset(m->rows_at, 0, sizeof m->rows_at);
        m->seconds = 0;
        m->stopped = m->streaming = m->accept = m->accept_marks = m->add = false;
        m->yielding = m->joining = false;
        *m->source_version = *m->target_version = '\0';
        m->watched = POSITION_NONE;
        error_clear(&m->error);
}

int migration_turn_to(struct migration *m, bool reversed, struct error *e)
{
        const struct config *c = config_of(m, reversed, e);

        if (!c || saved_direction_write(reversed, m->forward->pipeline.state_dir, e) < 0)
                return -1;
        migration_close(m);
        migration_verify_init(m);
        forget(m);
        return migration_open(m, c, e);
}

/* ---- cutover and rollback ---- */

int migration_turn(struct migration *m, const struct turn_request *q,
        const struct turn_events *events, void *context, struct error *e)
{
        return turn_new(m, q, events, context, e) ? 0 : -1;
}

int migration_check_walk(const struct migration *m, struct error *e)
{
        if (!m->turn || !turn_is_walking(m->turn))
                return 0;
        return error_set(e, ERROR_CONFIG, "a %s is under way",
                turn_is_back(m->turn) ? "rollback" : "cutover");
}

bool migration_is_turning(const struct migration *m)
{
        return m->turn && !turn_is_over(m->turn);
}

void migration_turn_attach(struct migration *m, const struct turn_events *events, void *context)
{
        turn_attach(m->turn, events, context);
}

void migration_turn_abort(struct migration *m, const char *why)
{
        turn_abort(m->turn, why);
}

struct cJSON *migration_turn_body(struct migration *m)
{
        return turn_body(m->turn);
}

/* ---- what was interrupted ---- */

static int mend(void *context, struct halt *h, struct error *e)
{
        struct migration *m = context;
        struct journal_entry j;

        if (journal_read(m->forward, h, &j, e) < 0)
                return -1;
        m->led_reverse = j.reversed;
        if (!j.sequence) /* the folder is of other databases */
                return 0;
        return turn_settle(m->forward, m->reverse, j.reversed, h, e);
}

static void on_mended(void *context, const struct error *failed)
{
        struct migration *m = context;
        struct error e = failed ? *failed : (struct error)ERROR_INIT;
        bool reversed = m->led_reverse;

        m->mend = job_free(m->mend);
        m->preparing = false;
        if (m->shutdown_done) {
                migration_shutdown_step(m);
                return;
        }
        if (!failed && reversed != migration_is_reversed(m) &&
                migration_turn_to(m, reversed, &e) < 0) {
                migration_stop_with(m, &e);
                return;
        }
        if (!failed)
                migration_start_prepare(m);
        else if (e.class == ERROR_RETRY)
                migration_retry(m, &e);
        else
                migration_stop_with(m, &e);
}

void migration_mend(struct migration *m)
{
        struct error e = ERROR_INIT;

        if (!config_of(m, true, &e)) {
                migration_stop_with(m, &e);
                return;
        }
        log_event(LOG_LEVEL_WARNING, LOG_STATE, NULL,
                "a cutover or rollback was interrupted, or the folder %s is of before it: the side "
                "that leads is opened, then its stream begins",
                m->forward->pipeline.state_dir);
        m->preparing = true;
        m->mend = job_new(m->loop, mend, on_mended, m);
}
