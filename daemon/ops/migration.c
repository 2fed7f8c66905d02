#include "base/log.h"
#include "base/memory.h"
#include "ops/pg_marks.h"
#include "ops/migration_private.h"
#include "ops/row_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct migration_mark {
        struct migration_mark *next;
        struct migration *migration;
        void (*done)(void *context, struct position p, const struct error *e);
        void *context;
        bool cancelled; /* its answer is still to come, and goes nowhere */
};

/* ---- state ---- */

static enum state state_now(const struct migration *m)
{
        if (m->turn && turn_is_walking(m->turn))
                return turn_is_back(m->turn) ? STATE_ROLLING_BACK : STATE_CUTTING_OVER;
        if (m->completed)
                return STATE_COMPLETE;
        if (m->stopped)
                return STATE_STOPPED;
        if (m->saved.paused)
                return STATE_PAUSED;
        if (m->streaming)
                return migration_is_reversed(m) ? STATE_REVERSED : STATE_STREAMING;
        return m->preparing && m->progress.copying ? STATE_COPYING : STATE_STARTING;
}

static void tell(void *context)
{
        struct migration *m = context;

        if (m->turn)
                turn_look(m->turn);
        for (struct migration_listener *l = m->listeners, *next; l; l = next) {
                next = l->next;
                l->changed(l->context);
        }
}

/* Listeners are told once a round, whatever happened in it. */
void migration_changed(struct migration *m)
{
        loop_defer(m->loop, &m->tell);
}

static void save(struct migration *m)
{
        struct error e = ERROR_INIT;

        if (saved_write(&m->saved, m->config->pipeline.state_dir, &e) < 0)
                log_failure(LOG_LEVEL_ERROR, LOG_PLAIN, &e, "the saved state");
}

/* What an operator is told is done has to outlive us: it is saved before anything is changed. A
 * RETRY error where it cannot be. */
static int save_first(struct migration *m, const struct saved *now, struct error *e)
{
        if (saved_write(now, m->config->pipeline.state_dir, e) < 0) {
                e->class = ERROR_RETRY;
                return error_context(e, "nothing was changed: the state could not be saved");
        }
        m->saved = *now;
        return 0;
}

static void refresh(struct migration *m)
{
        enum state now = state_now(m);
        enum state phase = migration_phase(m);

        migration_changed(m);
        if (now == m->state && phase == m->told_phase)
                return;
        if (now != m->state) {
                m->since = loop_wall(m->loop);
                log_event(LOG_LEVEL_INFO, LOG_STATE, NULL, "%s -> %s", state_name(m->state),
                        state_name(now));
        }
        m->state = now;
        m->told_phase = phase;
        state_row_set(m->row, &(struct state_line){now, phase, migration_is_reversed(m), m->since});
}

void migration_refresh(struct migration *m)
{
        refresh(m);
}

enum state migration_phase(const struct migration *m)
{
        return migration_is_reversed(m) ? STATE_REVERSED : m->saved.phase;
}

static void set_phase(struct migration *m, enum state phase)
{
        if (m->saved.phase == phase)
                return;
        m->saved.phase = phase;
        save(m);
}

static void log_stop(const struct migration *m, const struct error *e)
{
        AUTO_BUF text = BUF_INIT;
        struct log_fields fields = {.position = e->position, .table = e->table};

        buf_printf(&text, "stopped: %s", e->message);
        if (*e->table && !strstr(e->message, e->table))
                buf_printf(&text, ", table %s", e->table);
        row_key_for_log(&text, m->config, e->key);
        log_event(LOG_LEVEL_ERROR, LOG_STOPPED, &fields, "%s", buf_text(&text));
}

void migration_stop_with(struct migration *m, const struct error *e)
{
        m->error = *e;
        m->stopped = true;
        m->streaming = false;
        log_stop(m, e);
        if (m->turn)
                turn_stream_failed(m->turn, e);
        refresh(m);
}

/* ---- pipeline ---- */

static void pipeline_changed(void *context)
{
        migration_changed(context);
}

/* The start decides whether the stream may go on at a server that took the other's place. */
static void look_at_source(struct migration *m, const struct error *e)
{
        log_failure(LOG_LEVEL_WARNING, LOG_RETRY, e, "the source is another server, looking at it");
        m->error = *e;
        m->streaming = false;
        timer_set(&m->retry, backoff_next(&m->backoff));
        refresh(m);
}

static void pipeline_stopped(void *context, const struct error *e)
{
        if (!strcmp(e->code, IDENTITY_OTHER_CODE))
                look_at_source(context, e);
        else
                migration_stop_with(context, e);
}

static void pipeline_note(void *context, bool warning, const struct error *e, const char *text)
{
        enum log_level level = warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;

        (void)context;
        if (e)
                log_failure(level, LOG_RETRY, e, text);
        else
                log_event(level, LOG_PLAIN, NULL, "%s", text);
}

static void pipeline_marked(void *context, struct position p, const struct error *e)
{
        struct migration *m = context;
        struct migration_mark *mark = m->marks;

        if (!mark)
                return;
        m->marks = mark->next;
        if (!m->marks)
                m->marks_tail = &m->marks;
        if (!mark->cancelled)
                mark->done(mark->context, p, e->class == ERROR_NONE ? NULL : e);
        free(mark);
}

/* The stream stands where tables that were added are a part of it from now on. */
static void pipeline_reached(void *context)
{
        struct migration *m = context;

        m->streaming = false;
        migration_start_prepare(m);
}

/* The operator looks at what went to quarantine, and resumes. */
static void pipeline_overcome(void *context, const struct error *e)
{
        struct migration *m = context;

        m->saved.paused = true;
        m->error = *e;
        save(m);
        log_failure(LOG_LEVEL_ERROR, LOG_STOPPED, e, "paused");
        refresh(m);
}

int migration_make_pipeline(struct migration *m, struct error *e)
{
        static const struct pipeline_events events = {pipeline_changed, pipeline_stopped,
                pipeline_note, pipeline_marked, pipeline_reached, pipeline_overcome};
        struct pipeline_setup setup = {
                .config = m->config,
                .source = source_ops_of(m->config->source.kind),
                .sink = sink_ops_of(m->config->target.kind),
                .route = m->route,
                .seed = (uint64_t)loop_wall(m->loop),
                .events = &events,
                .context = m,
        };

        if (!setup.source || !setup.sink)
                return error_set(e, ERROR_CONFIG, "this kind of database is not built yet");
        m->pipeline = pipeline_new(m->loop, &setup, e);
        return m->pipeline ? 0 : -1;
}

/* ---- prepare ---- */

/* What the operator accepted before a restart holds for that source and that copy alone. */
static void take_accepted(struct migration *m, const struct prepare_result *r)
{
        char now[IDENTITY_TEXT], of[IDENTITY_TEXT];

        m->identity = r->identity;
        if (position_is_none(m->saved.accepted))
                return;
        if (position_is_none(r->start) && !strcmp(identity_format(&r->identity, now),
                                                  identity_format(&m->saved.accepted_of, of))) {
                route_accept_statements(m->route, m->saved.accepted);
                return;
        }
        m->saved.accepted = POSITION_NONE;
        save(m);
}

static void begin_stream(struct migration *m, const struct prepare_result *r)
{
        struct snapshot *snapshot = NULL;
        struct error e = ERROR_INIT;

        route_expect_none(m->route);
        for (unsigned i = 0; i < r->shapes_n; i++) {
                route_expect(m->route, r->shapes[i], r->next ? r->next[i] : NULL);
                route_target(m->route, r->shapes[i], r->targets ? r->targets[i] : NULL);
                route_begin(m->route, r->shapes[i], r->begin ? r->begin[i] : POSITION_NONE);
        }
        route_engines(m->route, r->from, r->to, &r->policy);
        route_cascades(m->route, r->cascades);
        if (r->doubtful)
                route_doubt(m->route, r->doubtful->source_schema, r->doubtful->source_name,
                        &(struct route_doubt){
                                .read = r->doubt, .rows = r->doubt_rows, .keys = r->doubt_keys});
        m->source_engine = r->from;
        m->target_engine = r->to;
        snprintf(m->source_version, sizeof m->source_version, "%s", r->source_version);
        snprintf(m->target_version, sizeof m->target_version, "%s", r->target_version);
        if (r->snapshot && *r->snapshot) {
                snapshot = memory_new_of(struct snapshot);
                if (snapshot_parse(snapshot, r->snapshot, &e) < 0) {
                        free(snapshot);
                        migration_stop_with(m, &e);
                        return;
                }
        }
        take_accepted(m, r);
        if (r->moved)
                route_forget_statements(m->route);
        set_phase(m, STATE_STREAMING);
        m->accept = m->accept_marks = false;
        if (*m->saved.accepting) {
                *m->saved.accepting = '\0';
                save(m);
        }
        route_forget_refused(m->route);
        error_clear(&m->error);
        m->streaming = true;
        pipeline_pause(m->pipeline, m->saved.paused);
        pipeline_until(m->pipeline, r->until);
        pipeline_start(m->pipeline, snapshot);
        migration_watch(m, r);
        migration_verify_resume(m);
}

static void shutdown_step(struct migration *m)
{
        void (*done)(void *context) = m->shutdown_done;

        if (!done || m->preparing)
                return;
        m->shutdown_done = NULL;
        done(m->shutdown_context);
}

static void on_pipeline_shut(void *context)
{
        struct migration *m = context;

        m->streaming = false;
        shutdown_step(m);
}

void migration_retry(struct migration *m, const struct error *e)
{
        int64_t delay = backoff_next(&m->backoff);

        if (strcmp(m->error.message, e->message) != 0)
                log_failure(LOG_LEVEL_WARNING, LOG_RETRY, e, "cannot start yet, trying again");
        m->error = *e;
        timer_set(&m->retry, delay);
        refresh(m);
}

static void on_prepared(void *context, struct prepare_result *r, const struct error *e)
{
        struct migration *m = context;
        struct error copy = e ? *e : (struct error)ERROR_INIT;

        prepare_progress_done(&m->progress);
        prepare_progress(m->prepare, &m->progress);
        m->progress.copying = false;
        m->prepare = prepare_free(m->prepare);
        m->preparing = false;
        if (m->shutdown_done) {
                shutdown_step(m);
        } else if (r) {
                backoff_reset(&m->backoff);
                m->joining = !position_is_none(r->until);
                m->add &= r->fresh_n > 0 && !r->refused;
                free(m->refused);
                m->refused = r->refused ? memory_string(r->refused) : NULL;
                state_row_enable(m->row);
                begin_stream(m, r);
                refresh(m);
        } else if (!strcmp(copy.code, PREPARE_COMPLETE_CODE)) {
                m->completed = true;
                refresh(m);
        } else if (!strcmp(copy.code, PREPARE_JOURNAL_CODE)) {
                migration_mend(m);
        } else if (copy.class == ERROR_RETRY) {
                migration_retry(m, &copy);
        } else {
                migration_stop_with(m, &copy);
        }
        prepare_result_free(r);
}

static void take_progress(struct migration *m)
{
        if (!m->prepare)
                return;
        prepare_progress_done(&m->progress);
        prepare_progress(m->prepare, &m->progress);
        if (m->progress.copying)
                state_row_enable(m->row);
        refresh(m);
}

static void on_preparing(void *context)
{
        take_progress(context);
}

void migration_start_prepare(struct migration *m)
{
        static const struct prepare_events events = {on_preparing, on_prepared};
        struct prepare_accept accept = {
                .shape = m->accept ? route_refused(m->route) : NULL,
                .table = *m->saved.accepting ? m->saved.accepting : NULL,
                .marks = m->accept_marks,
                .add = m->add,
        };

        timer_cancel(&m->retry); /* `resume` comes before it */
        m->preparing = true;
        m->prepare = prepare_new(m->loop, m->config, m->route, &accept, &events, m);
        refresh(m);
}

static void on_retry(void *context)
{
        migration_start_prepare(context);
}

/* ---- once a second ---- */

static void say_progress(struct migration *m)
{
        struct pipeline_status s;
        char text[POSITION_TEXT];

        if (m->preparing && m->progress.copying) {
                log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                        "copying (%s): %" PRIu64 " of %" PRIu64 " tables, %" PRIu64 " rows",
                        m->progress.phase, m->progress.tables_done, m->progress.tables_total,
                        m->progress.rows_done);
        } else if (m->streaming) {
                pipeline_status(m->pipeline, &s);
                log_event(LOG_LEVEL_DEBUG, LOG_PLAIN, NULL,
                        "applied to %s: %" PRIu64 " transactions, %" PRIu64 " rows",
                        position_format(s.applied, text), s.transactions, s.rows);
        }
}

static void on_second(void *context)
{
        struct migration *m = context;
        struct pipeline_status s;

        timer_set(&m->second, SECOND);
        take_progress(m);
        pipeline_status(m->pipeline, &s);
        memmove(m->rows_at, m->rows_at + 1, sizeof m->rows_at - sizeof *m->rows_at);
        m->rows_at[RATE_SLOTS] = s.rows;
        if (m->seconds < RATE_SLOTS)
                m->seconds++;
        if (++m->since_line >= 60) {
                m->since_line = 0;
                say_progress(m);
        }
        migration_look_at_retention(m, &s);
        migration_verify_look(m);
}

/* ---- public ---- */

struct migration *migration_new(struct loop *l, const struct config *c, struct error *e)
{
        struct migration *m = memory_new_of(struct migration);

        m->loop = l;
        m->forward = c;
        m->state = STATE_STARTING;
        m->since = loop_wall(l);
        m->marks_tail = &m->marks;
        m->progress.rows_estimated = -1;
        m->progress.eta_seconds = -1;
        m->retention = (struct retention)RETENTION_INIT;
        m->row = state_row_new(l, c);
        backoff_init(&m->backoff, (uint64_t)loop_wall(l));
        timer_init(&m->retry, l, on_retry, m);
        timer_init(&m->second, l, on_second, m);
        task_init(&m->tell, tell, m);
        task_init(&m->again, migration_yield, m);
        task_init(&m->quarantine.end, migration_quarantine_end, m);
        migration_verify_init(m);
        if (!(c = migration_remembered(m, e)) || migration_open(m, c, e) < 0)
                return migration_free(m);
        m->told_phase = migration_phase(m);
        return m;
}

struct migration *migration_free(struct migration *m)
{
        if (!m)
                return NULL;
        timer_cancel(&m->retry);
        timer_cancel(&m->second);
        task_cancel(m->loop, &m->tell);
        task_cancel(m->loop, &m->again);
        m->turn = turn_free(m->turn);
        m->mend = job_free(m->mend);
        migration_complete_done(m);
        migration_close(m);
        state_row_free(m->row);
        config_free(m->reverse);
        free(m);
        return NULL;
}

void migration_start(struct migration *m)
{
        timer_set(&m->second, SECOND);
        if (m->saved.paused)
                log_event(LOG_LEVEL_INFO, LOG_STATE, NULL,
                        "paused, as before the restart; culvertctl resume goes on");
        /* a copy that was paused before it began waits for the operator */
        if (m->saved.paused && m->saved.phase == STATE_COPYING)
                refresh(m);
        else
                migration_start_prepare(m);
}

void migration_shutdown(
        struct migration *m, int64_t grace, void (*done)(void *context), void *context)
{
        m->shutdown_done = done;
        m->shutdown_context = context;
        m->shutdown_grace = grace;
        timer_cancel(&m->retry);
        if (m->turn && !turn_is_over(m->turn)) {
                turn_abort(m->turn, "the daemon ends");
                return;
        }
        migration_shutdown_step(m);
}

/* No walk is under way any more. */
void migration_shutdown_step(struct migration *m)
{
        int64_t grace = m->shutdown_grace;

        if (m->verify.job)
                verify_stop(m->verify.job, false);
        if (m->mend)
                job_stop(m->mend);
        else if (m->preparing)
                prepare_stop(m->prepare);
        else
                pipeline_shutdown(m->pipeline, grace, on_pipeline_shut, m);
}

int migration_pause(struct migration *m, struct error *e)
{
        struct saved now = m->saved;

        if (m->preparing && m->progress.copying)
                return error_set(e, ERROR_CONFIG,
                        "the copy is under way and stands on one snapshot of the source; pause is "
                        "for the stream that follows");
        if (m->stopped)
                return error_set(e, ERROR_CONFIG, "the pipeline is stopped on an error");
        if (migration_check_walk(m, e) < 0)
                return -1;
        now.paused = true;
        if (save_first(m, &now, e) < 0)
                return -1;
        pipeline_pause(m->pipeline, true);
        refresh(m);
        return 0;
}

int migration_drain(struct migration *m, bool draining, struct error *e)
{
        if (draining && m->stopped)
                return error_set(e, ERROR_CONFIG, "the pipeline is stopped on an error");
        if (draining && m->saved.paused)
                return error_set(e, ERROR_CONFIG,
                        "the pipeline is paused, and drain applies what is queued: resume first");
        if (draining && !m->streaming)
                return error_set(e, ERROR_CONFIG, "the stream has not begun yet");
        if (draining && migration_check_walk(m, e) < 0)
                return -1;
        pipeline_drain(m->pipeline, draining);
        return 0;
}

bool migration_is_draining(const struct migration *m)
{
        return m->streaming && pipeline_is_draining(m->pipeline);
}

bool migration_is_drained(const struct migration *m)
{
        return m->streaming && pipeline_is_drained(m->pipeline);
}

/* The stream stopped at a statement that its log told; it goes on behind it. False: it did not. */
static bool accept_statement(const struct migration *m, struct saved *now)
{
        bool altered = !strcmp(m->error.code, ROUTE_STATEMENT_CODE);
        bool written = !strcmp(m->error.code, ROUTE_WRITE_CODE);
        struct error ignored = ERROR_INIT;
        struct position at;

        if (!m->stopped || !(altered || written))
                return false;
        if (position_parse(&at, m->error.position, &ignored) == 0) {
                now->accepted = at;
                now->accepted_of = m->identity;
        }
        if (altered)
                snprintf(now->accepting, sizeof now->accepting, "%s", m->error.table);
        return true;
}

int migration_resume(struct migration *m, struct error *e)
{
        struct saved now = m->saved;
        bool accepted = accept_statement(m, &now);

        if (!m->saved.paused && !m->stopped)
                return error_set(e, ERROR_CONFIG, "the pipeline is neither paused nor stopped");
        now.paused = false;
        if ((m->saved.paused || accepted) && save_first(m, &now, e) < 0)
                return -1;
        if (accepted)
                route_accept_statements(m->route, now.accepted);
        if (!m->stopped)
                error_clear(&m->error);
        pipeline_pause(m->pipeline, false);
        if (m->streaming && m->add)
                watcher_look(m->watcher);
        if (m->stopped || (!m->streaming && !m->preparing)) {
                m->accept = m->stopped;
                m->accept_marks = m->stopped && !strcmp(m->error.code, PG_MARKS_CODE);
                m->stopped = false;
                error_clear(&m->error);
                migration_start_prepare(m);
        }
        refresh(m);
        return 0;
}

void migration_reload(struct migration *m, const struct config *c)
{
        if (m->reverse)
                config_reload(m->reverse, c);
        pipeline_reload(m->pipeline, m->config);
        m->add = true;
        if (m->streaming)
                watcher_look(m->watcher);
}

struct migration_mark *migration_mark(struct migration *m,
        void (*done)(void *context, struct position p, const struct error *e), void *context)
{
        struct migration_mark *mark = memory_new_of(struct migration_mark);

        *mark = (struct migration_mark){.migration = m, .done = done, .context = context};
        *m->marks_tail = mark;
        m->marks_tail = &mark->next;
        pipeline_mark(m->pipeline);
        return mark;
}

void migration_mark_cancel(struct migration_mark *mark)
{
        mark->cancelled = true;
}

void migration_listen(struct migration *m, struct migration_listener *listener)
{
        listener->next = m->listeners;
        m->listeners = listener;
}

void migration_unlisten(struct migration *m, struct migration_listener *listener)
{
        for (struct migration_listener **at = &m->listeners; *at; at = &(*at)->next)
                if (*at == listener) {
                        *at = listener->next;
                        return;
                }
}
