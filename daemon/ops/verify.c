#include "ops/verify.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/crew.h"
#include "ops/destination.h"
#include "ops/origin.h"
#include "ops/repair.h"
#include "ops/verify_beyond.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_AFTER (2 * SECOND)
#define WAIT_SLICE (100 * MILLISECOND)
#define REPAIR_ATTEMPTS 5 /* somebody waits for its end */

int64_t verify_now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static int64_t wall(void)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* ---- waiting, in the workers ---- */

/* Until it is told something, or the time is over; with the lock held. */
static void wait_a_little(struct verify *v, int64_t microseconds)
{
        int64_t until = verify_now() + microseconds;
        struct timespec t = {.tv_sec = until / SECOND, .tv_nsec = until % SECOND * 1000};

        pthread_cond_timedwait(&v->told, &v->lock, &t);
}

int verify_pause(struct verify_worker *w, int64_t microseconds, struct error *e)
{
        struct verify *v = w->verify;
        int64_t until = verify_now() + microseconds, left;

        pthread_mutex_lock(&v->lock);
        while (!halt_asked(v->halt) && (left = until - verify_now()) > 0)
                wait_a_little(v, left < WAIT_SLICE ? left : WAIT_SLICE);
        pthread_mutex_unlock(&v->lock);
        return halt_check(v->halt, e);
}

int verify_throttle(struct verify_worker *w, uint64_t rows, struct error *e)
{
        struct verify *v = w->verify;
        int64_t now = verify_now(), until;

        if (v->request.rate == 0 || rows == 0)
                return 0;
        pthread_mutex_lock(&v->lock);
        if (v->ready < now)
                v->ready = now;
        v->ready += (int64_t)((double)rows * SECOND / (double)v->request.rate);
        until = v->ready;
        pthread_mutex_unlock(&v->lock);
        return verify_pause(w, until - now, e);
}

static void on_ask(void *context)
{
        struct ask *a = context;

        a->verify->events.ask(a->verify->context, a->worker);
}

int verify_await(struct verify_worker *w, struct error *e)
{
        struct verify *v = w->verify;
        struct verify_wait *wait = &v->waits[w->number];
        bool passed;

        pthread_mutex_lock(&v->lock);
        *wait = (struct verify_wait){.asked = true};
        pthread_mutex_unlock(&v->lock);
        loop_post(v->loop, on_ask, &v->asks[w->number]);
        pthread_mutex_lock(&v->lock);
        while (!wait->passed && !halt_asked(v->halt))
                wait_a_little(v, WAIT_SLICE);
        passed = wait->passed;
        pthread_mutex_unlock(&v->lock);
        if (!passed)
                return halt_check(v->halt, e);
        pthread_mutex_lock(&v->report->lock);
        v->report->at = position_max(v->report->at, wait->at);
        pthread_mutex_unlock(&v->report->lock);
        return 0;
}

/* Spread evenly, and the first chunk always: a small table has no other. */
bool verify_is_sampled(const struct verify *v, uint64_t chunk)
{
        return chunk * v->run.sample % 100 < v->run.sample;
}

static void show_progress(struct verify_line *l, const struct verify_progress *p)
{
        l->state = p->state;
        l->rows = p->rows;
        l->seen = p->seen;
        l->differences = p->differences;
        l->undecided = p->undecided;
        l->total = p->total;
}

void verify_show(struct verify_worker *w)
{
        struct verify_report *r = w->verify->report;
        const struct verify_progress *p = &w->task->at;
        struct verify_line *l;

        pthread_mutex_lock(&r->lock);
        l = &r->lines[w->task->line];
        show_progress(l, p);
        pthread_mutex_unlock(&r->lock);
}

/* ---- one table ---- */

static void forget_found(struct verify_worker *w)
{
        for (unsigned i = 0; i < w->found_n; i++) {
                free(memory_unconst(w->found[i].key));
                free(memory_unconst(w->found[i].columns));
        }
        w->found_n = 0;
}

static int compare_table(struct verify_worker *w, struct error *e)
{
        struct verify_progress *p = &w->task->at;
        int rc;

        p->state = "running";
        verify_show(w);
        verify_hand_init(&w->hand, &w->task->table);
        verify_hand_init(&w->ahead.hand, &w->task->table);
        w->ahead.side = &w->from;
        w->ahead.table = &w->task->table;
        rc = w->task->table.way == VERIFY_BAG ? verify_bag(w, e) : verify_walk(w, e);
        if (rc == 0) {
                p->phase = PHASE_OVER;
                p->state = "done";
                p->total = (int64_t)p->seen;
                buf_clear(&w->after);
                w->parts = 0;
                rc = verify_save(w, e);
        }
        verify_ahead_drop(&w->ahead);
        verify_hand_done(&w->ahead.hand);
        verify_hand_done(&w->hand);
        verify_set_clear(&w->set);
        verify_set_clear(&w->doubts);
        buf_clear(&w->after);
        forget_found(w);
        if (rc < 0) {
                error_context(e, "verifying %s.%s", p->schema, p->name);
                snprintf(e->table, sizeof e->table, "%s.%s", p->schema, p->name);
        }
        return rc;
}

static int compare_tables(struct verify_worker *w, struct error *e)
{
        struct verify *v = w->verify;
        unsigned i;

        while ((i = atomic_fetch_add(&v->next, 1)) < v->tasks_n) {
                w->task = &v->tasks[v->order[i]];
                if (w->task->at.phase != PHASE_OVER && compare_table(w, e) < 0)
                        return -1;
        }
        return 0;
}

int verify_work(struct verify *v, unsigned number, struct error *e)
{
        struct verify_worker w = {.verify = v, .number = number};
        int rc = verify_side_open(&w.from, v->config, false, v->halt, e);

        if (rc == 0)
                rc = verify_side_open(&w.to, v->config, true, v->halt, e);
        if (rc == 0)
                rc = compare_tables(&w, e);
        verify_ahead_done(&w.ahead);
        verify_side_close(&w.from);
        verify_side_close(&w.to);
        verify_set_done(&w.set);
        verify_set_done(&w.doubts);
        buf_done(&w.after);
        free(w.found);
        return rc;
}

/* ---- the run on the target, and the report ---- */

static void take_line(void *context, const struct verify_progress *p)
{
        struct verify *v = context;
        struct verify_line *l = verify_report_line(v->report, p->schema, p->name);
        struct verify_task *t;

        show_progress(l, p);
        v->report->seen_before += p->seen;
        v->tasks = memory_grow(v->tasks, (v->tasks_n + 1) * sizeof *v->tasks);
        t = &v->tasks[v->tasks_n];
        *t = (struct verify_task){.line = v->tasks_n++, .at = *p};
        t->at.schema = l->schema; /* the report outlives the job */
        t->at.name = l->name;
        t->after_json = memory_string(p->after);
        t->at.after = t->after_json;
        if (!strcmp(p->state, "done"))
                t->at.phase = PHASE_OVER;
}

static void take_item(
        void *context, const char *schema, const char *name, const struct verify_finding *f)
{
        struct verify *v = context;

        if (f->kind == VERIFY_CHECK)
                verify_report_item(v->report, VERIFY_NO_LINE, f->kind, f->key, f->columns);
        for (unsigned i = 0; i < v->tasks_n; i++)
                if (!strcmp(v->tasks[i].at.schema, schema) && !strcmp(v->tasks[i].at.name, name))
                        verify_report_item(v->report, i, f->kind, f->key, f->columns);
}

static void forget_tasks(struct verify *v)
{
        for (unsigned i = 0; i < v->tasks_n; i++) {
                verify_table_done(&v->tasks[i].table);
                free(v->tasks[i].after_json);
        }
        free(v->tasks);
        free(v->order);
        verify_forget_notes(v); /* which borrow the names */
        v->tasks = NULL;
        v->order = NULL;
        v->tasks_n = 0;
}

/* What the target knows becomes the report, and what is to be done. */
static int load(struct verify *v, struct verify_side *s, struct error *e)
{
        struct verify_report *r = v->report;
        const char *pipeline = v->config->pipeline.name;
        struct error ignored = ERROR_INIT;
        int rc;

        verify_run_done(&v->run);
        forget_tasks(v);
        if (verify_store_run(s, pipeline, &v->run, e) < 0)
                return -1;
        pthread_mutex_lock(&r->lock);
        verify_report_clear(r);
        r->state = v->run.state;
        r->sample = v->run.sample;
        r->started = v->run.started;
        r->finished = v->run.finished;
        r->resumed = verify_now();
        snprintf(r->message, sizeof r->message, "%s", v->run.message);
        if (*v->run.position)
                position_parse(&r->at, v->run.position, &ignored);
        rc = v->run.number ? verify_store_read(s, pipeline, take_line, take_item, v, e) : 0;
        pthread_mutex_unlock(&r->lock);
        return rc;
}

static const struct table_def *def_of(
        const struct table_defs *defs, const char *schema, const char *name, struct error *e)
{
        const struct table_def *d = table_defs_find(defs, schema, name);

        if (!d)
                error_set(
                        e, ERROR_CONFIG, "table %s.%s is not on the source any more", schema, name);
        return d;
}

static int begin(struct verify *v, struct verify_side *s, struct error *e)
{
        struct verify_request *q = &v->request;
        struct verify_progress *tables;
        unsigned n = 0;
        int rc;

        verify_run_done(&v->run);
        if (verify_store_run(s, v->config->pipeline.name, &v->run, e) < 0)
                return -1;
        tables = memory_new((q->tables_n + 1) * sizeof *tables);
        for (unsigned i = 0; i < q->tables_n; i++) {
                const struct route_table *t = q->tables[i];

                if (q->schema && (strcmp(q->schema, t->source_schema) != 0 ||
                                         strcmp(q->name, t->source_name) != 0))
                        continue;
                tables[n++] = (struct verify_progress){
                        .schema = t->source_schema, .name = t->source_name, .total = -1};
        }
        free(v->run.schema);
        free(v->run.name);
        v->run = (struct verify_run){.number = v->run.number + 1,
                .schema = memory_string(q->schema),
                .name = memory_string(q->name),
                .sample = q->sample,
                .started = wall()};
        rc = verify_store_begin(s, v->config->pipeline.name, &v->run, tables, n, e);
        free(tables);
        if (rc == 0)
                q->begin = false;
        return rc;
}

/* ---- tables ---- */

static bool select_task(void *context, const char *schema, const char *name)
{
        const struct verify *v = context;

        for (unsigned i = 0; i < v->tasks_n; i++)
                if (!strcmp(v->tasks[i].at.schema, schema) && !strcmp(v->tasks[i].at.name, name))
                        return true;
        return false;
}

struct ends {
        const struct origin_ops *from;
        struct origin *origin;
        const struct destination_ops *to;
        struct destination *destination;
        struct table_defs *defs;
};

static int make_task(struct verify *v, struct ends *x, struct verify_task *task, struct error *e)
{
        const struct route_table *t = route_find(v->route, task->at.schema, task->at.name);
        const struct table_def *def = def_of(x->defs, task->at.schema, task->at.name, e);
        struct mapping_ends ends = {.from = x->from->engine(x->origin),
                .to = x->to->engine(x->destination),
                .policy = config_convert_policy(v->config)};
        struct relation *known = NULL;
        bool rows = false;
        int there;

        if (!def)
                return -1;
        if (!t)
                return error_set(e, ERROR_CONFIG, "table %s.%s is not migrated any more",
                        task->at.schema, task->at.name);
        there = x->to->table(x->destination, t->schema, t->name, &known, &rows, e);
        if (there < 0)
                return -1;
        if (!there)
                return error_set(
                        e, ERROR_CONFIG, "table %s.%s is not on the target", t->schema, t->name);
        ends.known = def->shape;
        if (ends.from != ENGINE_POSTGRESQL || ends.to != ENGINE_POSTGRESQL)
                ends.target = known;
        if (task->at.total < 0 && def->rows >= 0)
                task->at.total = (int64_t)def->rows;
        return verify_table_init(&task->table, def, t, known, &ends, e);
}

/* Rows that the target had before (existing = append) have nothing on the source. */
static void mark_mine(struct verify *v, const struct table_records *known)
{
        for (unsigned i = 0; known && i < v->tasks_n; i++) {
                const struct verify_progress *p = &v->tasks[i].at;
                const struct table_record *k = table_records_find(known, p->schema, p->name);

                v->tasks[i].table.mine = k && !strncmp(k->state, "append", 6);
        }
}

static int make_tasks(struct verify *v, struct ends *x, struct error *e)
{
        struct table_records *known;

        for (unsigned i = 0; i < v->tasks_n; i++)
                if (v->tasks[i].at.phase != PHASE_OVER && make_task(v, x, &v->tasks[i], e) < 0)
                        return error_context(
                                e, "verifying %s.%s", v->tasks[i].at.schema, v->tasks[i].at.name);
        if (!(known = x->to->read_tables(x->destination, e)))
                return -1;
        mark_mine(v, known);
        table_records_free(known);
        return 0;
}

static int look(struct verify *v, struct ends *x, struct error *e)
{
        if (!(x->origin = x->from->open(v->config, v->halt, e)) ||
                !(x->defs = x->from->tables(x->origin, select_task, v, e)))
                return error_context(e, "source");
        if (!(x->destination = x->to->open(v->config, v->halt, e)))
                return error_context(e, "target");
        return make_tasks(v, x, e);
}

static int larger_first(const void *a, const void *b, void *context)
{
        const struct verify *v = context;
        const struct verify_progress *x = &v->tasks[*(const unsigned *)a].at;
        const struct verify_progress *y = &v->tasks[*(const unsigned *)b].at;

        if (x->total != y->total)
                return x->total > y->total ? -1 : 1;
        return *(const unsigned *)a < *(const unsigned *)b ? -1 : 1;
}

static void set_order(struct verify *v)
{
        v->order = memory_new((v->tasks_n + 1) * sizeof *v->order);
        for (unsigned i = 0; i < v->tasks_n; i++)
                v->order[i] = i;
        if (v->tasks_n)
                qsort_r(v->order, v->tasks_n, sizeof *v->order, larger_first, v);
}

static void show_totals(struct verify *v)
{
        pthread_mutex_lock(&v->report->lock);
        for (unsigned i = 0; i < v->tasks_n; i++)
                v->report->lines[v->tasks[i].line].total = v->tasks[i].at.total;
        pthread_mutex_unlock(&v->report->lock);
}

static int work(void *context, unsigned worker, struct error *e)
{
        return verify_work(context, worker, e);
}

static int compare_all(struct verify *v, struct error *e)
{
        unsigned n = (unsigned)v->config->snapshot.workers;

        n = n > VERIFY_WORKERS ? VERIFY_WORKERS : n;
        n = n > v->tasks_n ? v->tasks_n : n;
        set_order(v);
        show_totals(v);
        atomic_store(&v->next, 0);
        return crew_run(n, work, NULL, v, v->halt, e);
}

/* ---- the job ---- */

static void report_at(struct verify *v, char text[POSITION_TEXT])
{
        pthread_mutex_lock(&v->report->lock);
        position_format(v->report->at, text);
        pthread_mutex_unlock(&v->report->lock);
}

static int end_run(struct verify *v, struct verify_side *s, enum verify_state state,
        const char *message, struct error *e)
{
        v->run.state = state;
        v->run.finished = state == VERIFY_IDLE ? 0 : wall();
        snprintf(v->run.message, sizeof v->run.message, "%s", message);
        report_at(v, v->run.position);
        if (verify_store_end(s, v->config->pipeline.name, &v->run, v->notes, v->notes_n, e) < 0)
                return -1;
        pthread_mutex_lock(&v->report->lock);
        for (unsigned i = 0; i < v->notes_n; i++) {
                const struct verify_note *n = &v->notes[i];

                verify_report_item(
                        v->report, n->line, n->finding.kind, n->finding.key, n->finding.columns);
        }
        v->report->state = state;
        v->report->finished = v->run.finished;
        snprintf(v->report->message, sizeof v->report->message, "%s", message);
        pthread_mutex_unlock(&v->report->lock);
        return 0;
}

static int compare_with(struct verify *v, struct verify_side *s, struct ends *x, struct error *e)
{
        if (look(v, x, e) < 0 || compare_all(v, e) < 0 || verify_beyond(v, x->defs, s, e) < 0)
                return -1;
        if (!v->run.name && verify_checks(v, e) < 0)
                return -1;
        return end_run(v, s, VERIFY_DONE, "", e);
}

/* What is to be mended; else a task is over. */
static void choose_damaged(struct verify *v)
{
        const struct verify_request *q = &v->request;

        for (unsigned i = 0; i < v->tasks_n; i++) {
                struct verify_progress *p = &v->tasks[i].at;
                bool wanted =
                        !q->schema || (!strcmp(q->schema, p->schema) && !strcmp(q->name, p->name));

                p->phase = wanted && p->differences + p->undecided > 0 ? PHASE_SOURCE : PHASE_OVER;
        }
}

static int repair_with(struct verify *v, struct verify_side *s, struct ends *x, struct error *e)
{
        struct error ignored = ERROR_INIT;
        int rc;

        if (v->run.number == 0)
                return error_set(
                        e, ERROR_CONFIG, "there is no result of a verification: verify start");
        choose_damaged(v);
        rc = look(v, x, e);
        if (rc == 0)
                rc = repair_run(v->request.repair, v, e);
        return load(v, s, rc < 0 ? &ignored : e) < 0 ? -1 : rc; /* what is left of the findings */
}

static int run_with(struct verify *v, struct verify_side *s, struct error *e)
{
        struct ends x = {.from = origin_ops_of(v->config->source.kind),
                .to = destination_ops_of(v->config->target.kind)};
        int rc;

        if ((v->request.begin && begin(v, s, e) < 0) || load(v, s, e) < 0)
                return -1;
        if (!v->request.repair && (v->run.number == 0 || v->run.state != VERIFY_RUNNING))
                return 0;
        rc = v->request.repair ? repair_with(v, s, &x, e) : compare_with(v, s, &x, e);
        forget_tasks(v);
        table_defs_free(x.defs);
        x.from->close(x.origin);
        x.to->close(x.destination);
        return rc;
}

/* One attempt, with connections and a halt of its own: what failed has ended the others' work. */
static int attempt(struct verify *v, struct error *e)
{
        struct verify_side s = {0};
        int rc;

        rc = verify_side_open(&s, v->config, true, v->halt, e);
        if (rc == 0)
                rc = run_with(v, &s, e);
        verify_side_close(&s);
        if (halt_asked(v->halt))
                halt_wait(v->halt, 1000);
        return rc;
}

static bool renew_halt(struct verify *v)
{
        bool goes_on;

        pthread_mutex_lock(&v->lock);
        v->halt = halt_free(v->halt);
        goes_on = !v->stopping;
        if (goes_on)
                v->halt = halt_new();
        pthread_mutex_unlock(&v->lock);
        return goes_on;
}

static void wait_to_retry(struct verify *v)
{
        int64_t until = verify_now() + RETRY_AFTER;

        pthread_mutex_lock(&v->lock);
        while (!v->stopping && verify_now() < until)
                wait_a_little(v, WAIT_SLICE);
        pthread_mutex_unlock(&v->lock);
}

/* Stopped by the operator, or failed for good: it does not go on after a restart. */
static void write_end(struct verify *v, const struct error *why)
{
        struct verify_side s = {0};
        struct error e = ERROR_INIT;
        enum verify_state state = why ? VERIFY_FAILED : VERIFY_IDLE;
        int rc;

        pthread_mutex_lock(&v->report->lock);
        v->report->state = state;
        snprintf(v->report->message, sizeof v->report->message, "%s", why ? why->message : "");
        pthread_mutex_unlock(&v->report->lock);
        if (v->run.number == 0 || v->request.begin)
                return;
        rc = verify_side_open(&s, v->config, true, v->last, &e);
        if (rc == 0)
                rc = end_run(v, &s, state, why ? why->message : "", &e);
        verify_side_close(&s);
        if (rc < 0)
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, &e,
                        "the end of the verification could not be written");
}

static void say_result(struct verify *v, const struct error *e)
{
        struct verify_sums s;

        verify_report_sums(v->report, verify_now(), &s);
        if (e)
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, e, "verification");
        else if (s.state == VERIFY_DONE && v->run.finished && v->run.state == VERIFY_DONE)
                log_event(s.differences ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, LOG_PLAIN, NULL,
                        "verification: %" PRIu64 " rows compared, %" PRIu64 " differences, %" PRIu64
                        " undecided",
                        s.rows, s.differences, s.undecided);
}

static void on_done(void *context)
{
        struct verify *v = context;

        if (v->threaded)
                pthread_join(v->thread, NULL);
        v->threaded = false;
        v->events.done(v->context);
}

static bool is_stopped(struct verify *v)
{
        bool stopped;

        pthread_mutex_lock(&v->lock);
        stopped = v->stopping;
        pthread_mutex_unlock(&v->lock);
        return stopped;
}

static void *run(void *context)
{
        struct verify *v = context;
        struct error e = ERROR_INIT, before = ERROR_INIT;
        bool went_on = !v->request.begin;
        int rc = -1;

        for (unsigned i = 0; rc < 0 && renew_halt(v); i++) {
                error_clear(&e);
                if ((rc = attempt(v, &e)) == 0 || is_stopped(v))
                        break;
                if (e.class != ERROR_RETRY || (v->request.repair && i >= REPAIR_ATTEMPTS))
                        break;
                if (strcmp(before.message, e.message) != 0)
                        log_failure(LOG_LEVEL_WARNING, LOG_RETRY, &e,
                                v->request.repair ? "repair is interrupted, trying again"
                                                  : "verification is interrupted, trying again");
                before = e;
                wait_to_retry(v);
        }
        if (v->request.repair) {
                if (rc < 0)
                        repair_fail(v->request.repair, &e);
        } else if (is_stopped(v) && rc < 0) {
                if (v->forget)
                        write_end(v, NULL);
        } else if (rc < 0) {
                write_end(v, &e);
                say_result(v, &e);
        } else if (!went_on || v->run.finished) {
                say_result(v, NULL);
        }
        loop_post(v->loop, on_done, v);
        return NULL;
}

static void start(struct verify *v)
{
        sigset_t all, old;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        v->threaded = pthread_create(&v->thread, NULL, run, v) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (v->threaded)
                return;
        if (v->request.repair) {
                struct error e = ERROR_INIT;

                error_set(&e, ERROR_RETRY, "no thread could be started");
                repair_fail(v->request.repair, &e);
                loop_post(v->loop, on_done, v);
                return;
        }
        v->report->state = VERIFY_FAILED;
        snprintf(v->report->message, sizeof v->report->message, "no thread could be started");
        loop_post(v->loop, on_done, v);
}

/* From now on nothing of an earlier one is shown. */
static void clear_report(struct verify_report *r, unsigned sample)
{
        pthread_mutex_lock(&r->lock);
        verify_report_clear(r);
        r->state = VERIFY_RUNNING;
        r->sample = sample;
        r->started = wall();
        pthread_mutex_unlock(&r->lock);
}

static void copy_request(struct verify *v, struct verify_request *q)
{
        v->request = *q;
        v->request.tables = memory_copy(q->tables, q->tables_n * sizeof(*q->tables));
        *q = (struct verify_request){0};
}

struct verify *verify_new(struct loop *l, const struct config *c, struct route *r,
        struct verify_request *request, struct verify_report *report,
        const struct verify_events *events, void *context)
{
        struct verify *v = memory_new_of(struct verify);
        pthread_condattr_t attributes;

        v->loop = l;
        v->config = c;
        v->route = r;
        copy_request(v, request);
        v->report = report;
        v->events = *events;
        v->context = context;
        v->last = halt_new();
        for (unsigned i = 0; i < VERIFY_WORKERS; i++)
                v->asks[i] = (struct ask){v, i};
        pthread_mutex_init(&v->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&v->told, &attributes);
        pthread_condattr_destroy(&attributes);
        if (v->request.begin)
                clear_report(report, v->request.sample);
        start(v);
        return v;
}

void verify_passed(struct verify *v, unsigned worker, struct position at)
{
        pthread_mutex_lock(&v->lock);
        v->waits[worker].passed = true;
        v->waits[worker].at = at;
        pthread_cond_broadcast(&v->told);
        pthread_mutex_unlock(&v->lock);
}

void verify_stop(struct verify *v, bool forget)
{
        pthread_mutex_lock(&v->lock);
        v->stopping = true;
        v->forget |= forget;
        if (v->halt)
                halt_ask(v->halt);
        pthread_cond_broadcast(&v->told);
        pthread_mutex_unlock(&v->lock);
}

/* Its own thread may still be telling the servers. */
static void end_halt(struct halt *h)
{
        if (h && halt_asked(h))
                halt_wait(h, 1000);
        halt_free(h);
}

struct verify *verify_free(struct verify *v)
{
        if (!v)
                return NULL;
        if (v->threaded) {
                verify_stop(v, false);
                halt_ask(v->last);
                pthread_join(v->thread, NULL);
        }
        loop_unpost(v->loop, v);
        for (unsigned i = 0; i < VERIFY_WORKERS; i++)
                loop_unpost(v->loop, &v->asks[i]);
        forget_tasks(v);
        verify_run_done(&v->run);
        free(v->request.schema);
        free(v->request.name);
        free(v->request.tables);
        end_halt(v->halt);
        end_halt(v->last);
        pthread_cond_destroy(&v->told);
        pthread_mutex_destroy(&v->lock);
        free(v);
        return NULL;
}
