/* A verification beside the stream: what it wants to know of the source's position and of the
 * target's. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/migration_private.h"
#include "ops/verify_fresh.h"
#include "ops/verify_values.h"

#include <stdlib.h>

/* ---- marks ---- */

static void on_marked(void *context, struct position p, const struct error *e)
{
        struct verify_ask *a = context;

        a->asking = false;
        a->asked = NULL;
        if (e || position_is_none(p))
                a->ask_again = loop_now(a->migration->loop) + SECOND;
        else
                a->mark = p;
        migration_changed(a->migration);
}

static void ask_for_mark(struct verify_ask *a)
{
        struct migration *m = a->migration;
        struct migration_mark *asked;

        if (a->asking || !position_is_none(a->mark) || !m->streaming ||
                loop_now(m->loop) < a->ask_again)
                return;
        a->asking = true;
        asked = migration_mark(m, on_marked, a);
        if (a->asking) /* else it was answered already */
                a->asked = asked;
}

void migration_verify_look(struct migration *m)
{
        struct pipeline_status p;

        if (!m->verify.job)
                return;
        migration_repair_look(m);
        pipeline_status(m->pipeline, &p);
        for (unsigned i = 0; i < VERIFY_WORKERS; i++) {
                struct verify_ask *a = &m->verify.asks[i];

                if (!a->wanted)
                        continue;
                ask_for_mark(a);
                if (position_is_none(a->mark) || position_compare(p.applied, a->mark) < 0)
                        continue;
                a->wanted = false;
                verify_passed(m->verify.job, i, a->mark);
        }
}

static void on_changed(void *context)
{
        migration_verify_look(context);
}

static void forget(struct verify_ask *a)
{
        if (a->asked)
                migration_mark_cancel(a->asked);
        *a = (struct verify_ask){.migration = a->migration};
}

static void on_ask(void *context, unsigned worker)
{
        struct migration *m = context;
        struct verify_ask *a = &m->verify.asks[worker];

        forget(a);
        a->wanted = true;
        migration_verify_look(m);
}

/* ---- what the stream shows ---- */

static void see(void *context, const struct txn *piece)
{
        struct migration *m = context;

        if (m->verify.repair)
                repair_see(m->verify.repair, piece);
        if (m->verify.fresh)
                verify_fresh_see(m->verify.fresh, piece);
        if (m->turn)
                turn_see(m->turn, piece);
}

void migration_tap(struct migration *m)
{
        bool wanted = m->verify.repair || m->verify.fresh || (m->turn && turn_sees(m->turn));

        pipeline_tap(m->pipeline, wanted ? see : NULL, m);
}

/* No job may have it. */
static void set_fresh(struct migration *m, struct verify_fresh *f)
{
        verify_fresh_free(m->verify.fresh);
        m->verify.fresh = f;
        migration_tap(m);
}

static void tell_rest(struct migration *m, const struct error *why)
{
        migration_verified *done = m->verify.rested;

        m->verify.rested = NULL;
        if (m->verify.fresh)
                verify_fresh_forget_rest(m->verify.fresh);
        if (done)
                done(m->verify.rest_context, why);
}

/* ---- the job ---- */

static void drop(struct migration *m)
{
        for (unsigned i = 0; i < VERIFY_WORKERS; i++)
                forget(&m->verify.asks[i]);
        m->verify.job = verify_free(m->verify.job);
        m->verify.ended = false;
        if (m->verify.repair) {
                migration_repair_go(m);
                m->verify.repair = repair_free(m->verify.repair);
                migration_tap(m);
        }
}

/* A continuous one goes on when a repair is over; else it is over with its job. */
static void end_job(struct migration *m)
{
        bool repaired = m->verify.repair != NULL;
        struct verify_request q = {0};

        drop(m);
        if (!repaired)
                set_fresh(m, NULL);
        else if (m->verify.fresh && !m->shutdown_done)
                migration_verify_begin(m, &q);
}

static void run_end(void *context)
{
        struct migration *m = context;

        if (m->verify.values_read)
                m->verify.values = verify_values_free(m->verify.values);
        m->verify.values_read = false;
        if (m->verify.ended)
                end_job(m);
}

static void on_done(void *context)
{
        struct migration *m = context;
        void (*stopped)(void *context) = m->verify.stopped;
        struct error ended = ERROR_INIT;

        error_set(&ended, ERROR_CONFIG, "the verification has ended");
        tell_rest(m, &ended);
        m->verify.stopped = NULL;
        m->verify.ended = true;
        if (m->verify.repair)
                migration_repair_ended(m);
        loop_defer(m->loop, &m->verify.end);
        migration_changed(m);
        if (stopped)
                stopped(m->verify.context);
}

void migration_verify_begin(struct migration *m, struct verify_request *q)
{
        static const struct verify_events events = {on_ask, on_done};
        const struct route_table **tables =
                memory_new((m->progress.tables_n + 1) * sizeof(*tables));

        for (unsigned i = 0; i < m->progress.tables_n; i++)
                tables[i] = m->progress.tables[i].route;
        q->tables = tables;
        q->tables_n = m->progress.tables_n;
        q->rate = (uint64_t)m->config->verify.rate;
        drop(m);
        m->verify.repair = q->repair;
        q->fresh = m->verify.fresh;
        migration_tap(m);
        m->verify.job = verify_new(m->loop, m->config, m->route, q, m->verify.report, &events, m);
        free(tables);
        migration_changed(m);
}

static bool has_rows_on_both(const struct migration *m)
{
        return m->config->source.kind != KIND_SEGMENTS && m->config->target.kind != KIND_SEGMENTS;
}

void migration_verify_resume(struct migration *m)
{
        struct verify_request q = {0};

        if (m->verify.loaded || !has_rows_on_both(m))
                return;
        m->verify.loaded = true;
        set_fresh(m, verify_fresh_new(m->loop)); /* it may be a continuous one that goes on */
        migration_verify_begin(m, &q);
}

bool migration_verify_is_running(struct migration *m)
{
        struct verify_sums s;

        verify_report_sums(m->verify.report, loop_now(m->loop), &s);
        return m->verify.job && !m->verify.ended && s.state == VERIFY_RUNNING;
}

/* All is compared, and what changes is. */
static bool is_following(struct migration *m)
{
        struct verify_sums s;

        verify_report_sums(m->verify.report, loop_now(m->loop), &s);
        return m->verify.job && !m->verify.ended && !m->verify.repair && m->verify.fresh &&
               s.state == VERIFY_DONE && s.continuous;
}

bool migration_verify_has_result(struct migration *m)
{
        bool has;

        pthread_mutex_lock(&m->verify.report->lock);
        has = m->verify.report->lines_n > 0;
        pthread_mutex_unlock(&m->verify.report->lock);
        return has;
}

bool migration_is_migrated(const struct migration *m, const char *schema, const char *table)
{
        const struct route_table *t = route_find(m->route, schema, table);

        for (unsigned i = 0; t && i < m->progress.tables_n; i++)
                if (m->progress.tables[i].route == t)
                        return true;
        return false;
}

int migration_verify_start(struct migration *m, const char *schema, const char *table,
        unsigned sample, bool continuous, struct error *e)
{
        struct verify_request q = {.begin = true, .continuous = continuous};
        struct error another = ERROR_INIT;

        if (!has_rows_on_both(m))
                return error_set(e, ERROR_CONFIG, "an archive has changes and no rows to compare");
        if (m->shutdown_done)
                return error_set(e, ERROR_CONFIG, "the daemon ends");
        if (m->saved.phase != STATE_STREAMING || !m->verify.loaded)
                return error_set(e, ERROR_CONFIG,
                        "the pipeline is starting or copying: try again when it streams");
        if (migration_verify_is_running(m) || m->verify.stopped)
                return error_set(e, ERROR_CONFIG, "a verification is under way");
        if (migration_is_repairing(m))
                return error_set(e, ERROR_CONFIG, "a repair is under way");
        if (table && !migration_is_migrated(m, schema, table))
                return error_set(
                        e, ERROR_CONFIG, "table %.255s.%.255s is not migrated", schema, table);
        q.schema = memory_string(schema);
        q.name = memory_string(table);
        q.sample = continuous ? 100 : sample ? sample : (unsigned)m->config->verify.sample;
        error_set(&another, ERROR_CONFIG, "another verification was started");
        tell_rest(m, &another);
        drop(m);
        set_fresh(m, continuous ? verify_fresh_new(m->loop) : NULL);
        migration_verify_begin(m, &q);
        return 0;
}

int migration_verify_stop(
        struct migration *m, void (*done)(void *context), void *context, struct error *e)
{
        if (!migration_verify_is_running(m) && !is_following(m))
                return error_set(e, ERROR_CONFIG, "no verification is under way");
        if (m->verify.stopped)
                return error_set(e, ERROR_CONFIG, "it is being stopped already");
        m->verify.stopped = done;
        m->verify.context = context;
        verify_stop(m->verify.job, true);
        return 0;
}

static void on_rest(void *context)
{
        tell_rest(context, NULL);
}

int migration_verify_rest(
        struct migration *m, migration_verified *done, void *context, struct error *e)
{
        if (!is_following(m))
                return error_set(e, ERROR_CONFIG,
                        "no continuous verification has compared all: verify start --continuous");
        if (m->verify.rested || !verify_fresh_rest(m->verify.fresh, on_rest, m))
                return error_set(e, ERROR_CONFIG, "what has changed is being verified already");
        m->verify.rested = done;
        m->verify.rest_context = context;
        return 0;
}

static void show_fresh(struct migration *m)
{
        if (m->verify.fresh)
                verify_fresh_show(m->verify.fresh, m->verify.report);
}

void migration_verify_sums(struct migration *m, struct verify_sums *s)
{
        show_fresh(m);
        verify_report_sums(m->verify.report, loop_now(m->loop), s);
}

cJSON *migration_verify_status(struct migration *m)
{
        show_fresh(m);
        return verify_report_json(m->verify.report, loop_now(m->loop));
}

static void on_values(void *context, cJSON *status, const struct error *why)
{
        struct migration *m = context;

        m->verify.values_read = true;
        loop_defer(m->loop, &m->verify.end);
        m->verify.shown(m->verify.show_context, status, why);
}

int migration_verify_values(
        struct migration *m, migration_values *done, void *context, struct error *e)
{
        if (m->verify.values)
                return error_set(e, ERROR_CONFIG, "values are being read for somebody already");
        if (!migration_verify_has_result(m))
                return error_set(e, ERROR_CONFIG, "there is no result of a verification");
        m->verify.shown = done;
        m->verify.show_context = context;
        m->verify.values = verify_values_new(m->loop, m->config, m->route, m->verify.report,
                migration_verify_status(m), on_values, m);
        return 0;
}

void migration_verify_init(struct migration *m)
{
        m->verify.report = verify_report_new();
        for (unsigned i = 0; i < VERIFY_WORKERS; i++)
                m->verify.asks[i].migration = m;
        task_init(&m->verify.end, run_end, m);
        m->verify.listener = (struct migration_listener){.changed = on_changed, .context = m};
        migration_listen(m, &m->verify.listener);
}

void migration_verify_done(struct migration *m)
{
        task_cancel(m->loop, &m->verify.end);
        drop(m);
        m->verify.rested = NULL;
        m->verify.values = verify_values_free(m->verify.values);
        m->verify.fresh = verify_fresh_free(m->verify.fresh);
        migration_unlisten(m, &m->verify.listener);
        m->verify.report = verify_report_free(m->verify.report);
}
