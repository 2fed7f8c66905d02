/* For how long the source keeps what was not read: looked at once a second, told when it changes.
 */
#include "base/log.h"
#include "ops/migration_private.h"

/* While nothing streams yet, the log is kept for the copy. */
static void watch_copy(struct migration *m)
{
        const struct prepare_progress *now = &m->progress;

        if (!m->preparing || !now->copying || position_is_none(now->from) ||
                !position_compare(now->from, m->watched))
                return;
        m->watched = now->from;
        pipeline_watch(m->pipeline, &now->source, now->from);
}

static void say_half(const struct retention *r)
{
        log_event(LOG_LEVEL_WARNING, LOG_LIMIT, NULL,
                "retention: %.0f %% of what the source keeps for this pipeline is used (its %s): "
                "when all is, the migration has to start again. Let the target catch up, or raise "
                "the limit",
                r->share * 100, r->limit);
}

static void say_short(const struct retention *r)
{
        log_event(LOG_LEVEL_WARNING, LOG_LIMIT, NULL,
                "retention: about %.1f hours until the source throws away log that was not read%s%s"
                ": then the migration has to start again",
                r->hours_left > 0 ? r->hours_left : 0, r->limit ? ", by its " : "",
                r->limit ? r->limit : "");
}

static void say(const struct retention *r, const struct source_retention *poll, bool started)
{
        switch (r->level) {
        case RETENTION_FINE:
                log_event(LOG_LEVEL_INFO, LOG_PLAIN, NULL,
                        "retention: fine again, the source keeps enough for this pipeline");
                break;
        case RETENTION_HALF:
                say_half(r);
                break;
        case RETENTION_SHORT:
                say_short(r);
                break;
        case RETENTION_LOST:
                log_failure(LOG_LEVEL_ERROR, LOG_LIMIT, &poll->lost,
                        started ? "retention: what was read already can still be applied, but a "
                                  "restart will not find the rest"
                                : "retention");
                break;
        }
}

/* What is here already may still be applied. With nothing here, and no stream to find out, there is
 * nothing to wait for. */
static bool is_over(const struct migration *m, const struct pipeline_status *p)
{
        return m->retention.level == RETENTION_LOST && m->streaming && !m->shutdown_done &&
               !m->yielding && !p->source_started && !p->queue_transactions;
}

void migration_look_at_retention(struct migration *m, const struct pipeline_status *p)
{
        const struct source_retention *poll = p->retention;
        struct error e = poll->lost;

        watch_copy(m);
        if (retention_take(&m->retention, poll)) {
                say(&m->retention, poll, p->source_started);
                migration_changed(m);
        }
        if (e.class == ERROR_NONE || !is_over(m, p))
                return;
        pipeline_stop(m->pipeline);
        migration_stop_with(m, &e);
}
