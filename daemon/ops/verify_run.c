/* One run: what the target knows of it, what is compared, how it ends. */
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/crew.h"
#include "ops/destination.h"
#include "ops/origin.h"
#include "ops/repair.h"
#include "ops/verify_beyond.h"
#include "ops/verify_fresh.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t verify_wall(void)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* ---- what the target knows, and the report ---- */

static void take_line(void *context, const struct verify_progress *p)
{
        struct verify *v = context;
        struct verify_line *l = verify_report_line(v->report, p->schema, p->name);
        struct verify_task *t;

        verify_show_progress(l, p);
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

void verify_forget_tasks(struct verify *v)
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
        verify_forget_tasks(v);
        if (verify_store_run(s, pipeline, &v->run, e) < 0)
                return -1;
        pthread_mutex_lock(&r->lock);
        verify_report_clear(r);
        r->state = v->run.state;
        r->sample = v->run.sample;
        r->continuous = v->run.continuous;
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
                .continuous = q->continuous,
                .started = verify_wall()};
        rc = verify_store_begin(s, v->config->pipeline.name, &v->run, tables, n, e);
        free(tables);
        if (rc == 0)
                q->begin = false;
        return rc;
}

/* It was continuous, in a process that knew what has changed since. */
static bool is_unknown(const struct verify *v)
{
        return !v->request.repair && v->request.fresh && v->run.continuous &&
               !verify_fresh_is_bound(v->request.fresh) &&
               (v->run.state == VERIFY_RUNNING || v->run.state == VERIFY_DONE);
}

static int begin_again(struct verify *v, struct verify_side *s, struct error *e)
{
        struct verify_request *q = &v->request;

        free(q->schema);
        free(q->name);
        q->schema = memory_string(v->run.schema);
        q->name = memory_string(v->run.name);
        q->sample = v->run.sample;
        q->continuous = true;
        log_event(LOG_LEVEL_WARNING, LOG_PLAIN, NULL,
                "verification: what has changed since is not known after the restart, so it begins "
                "anew");
        return begin(v, s, e);
}

static int begin_or_load(struct verify *v, struct verify_side *s, struct error *e)
{
        bool begun = v->request.begin;

        if ((begun && begin(v, s, e) < 0) || load(v, s, e) < 0)
                return -1;
        if (begun || !is_unknown(v))
                return 0;
        return begin_again(v, s, e) < 0 ? -1 : load(v, s, e);
}

/* ---- comparing ---- */

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

/* ---- the end ---- */

static void report_at(struct verify *v, char text[POSITION_TEXT])
{
        pthread_mutex_lock(&v->report->lock);
        position_format(v->report->at, text);
        pthread_mutex_unlock(&v->report->lock);
}

int verify_end_run(struct verify *v, struct verify_side *s, enum verify_state state,
        const char *message, struct error *e)
{
        bool was = v->run.state == state;

        v->run.state = state;
        if (state == VERIFY_IDLE)
                v->run.finished = 0;
        else if (!was || !v->run.finished) /* a continuous one that is stopped was done before */
                v->run.finished = verify_wall();
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
        v->report->continuous = v->run.continuous;
        v->report->finished = v->run.finished;
        snprintf(v->report->message, sizeof v->report->message, "%s", message);
        pthread_mutex_unlock(&v->report->lock);
        return 0;
}

void verify_say_result(struct verify *v)
{
        struct verify_sums s;

        verify_report_sums(v->report, verify_now(), &s);
        if (s.state == VERIFY_DONE && v->run.finished && v->run.state == VERIFY_DONE)
                log_event(s.differences ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, LOG_PLAIN, NULL,
                        "verification: %" PRIu64 " rows compared, %" PRIu64 " differences, %" PRIu64
                        " undecided",
                        s.rows, s.differences, s.undecided);
}

static int compare_run(
        struct verify *v, struct verify_side *s, struct verify_ends *x, struct error *e)
{
        if (compare_all(v, e) < 0 || verify_beyond(v, x->defs, s, e) < 0)
                return -1;
        if (!v->run.name && verify_checks(v, e) < 0)
                return -1;
        return verify_end_run(v, s, VERIFY_DONE, "", e);
}

static void close_ends(struct verify_ends *x)
{
        x->from->close(x->origin);
        x->to->close(x->destination);
        x->origin = NULL;
        x->destination = NULL;
}

static int compare_with(
        struct verify *v, struct verify_side *s, struct verify_ends *x, struct error *e)
{
        bool follows = v->run.continuous && v->request.fresh;

        if (verify_look(v, x, e) < 0)
                return -1;
        if (follows)
                verify_fresh_bind(v->request.fresh, v->tasks, v->tasks_n);
        if (v->run.state == VERIFY_RUNNING) {
                if (compare_run(v, s, x, e) < 0)
                        return -1;
                if (follows)
                        verify_say_result(v);
        }
        if (!follows)
                return 0;
        close_ends(x);
        return verify_follow(v, e);
}

static bool has_work(const struct verify *v)
{
        if (v->request.repair)
                return true;
        return v->run.number != 0 &&
               (v->run.state == VERIFY_RUNNING ||
                       (v->run.state == VERIFY_DONE && v->run.continuous && v->request.fresh));
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

static int repair_with(
        struct verify *v, struct verify_side *s, struct verify_ends *x, struct error *e)
{
        struct error ignored = ERROR_INIT;
        int rc;

        if (v->run.number == 0)
                return error_set(
                        e, ERROR_CONFIG, "there is no result of a verification: verify start");
        choose_damaged(v);
        rc = verify_look(v, x, e);
        if (rc == 0)
                rc = repair_run(v->request.repair, v, e);
        return load(v, s, rc < 0 ? &ignored : e) < 0 ? -1 : rc; /* what is left of the findings */
}

int verify_run_once(struct verify *v, struct verify_side *s, struct error *e)
{
        struct verify_ends x = {.from = origin_ops_of(v->config->source.kind),
                .to = destination_ops_of(v->config->target.kind)};
        int rc;

        if (begin_or_load(v, s, e) < 0)
                return -1;
        if (!has_work(v))
                return 0;
        rc = v->request.repair ? repair_with(v, s, &x, e) : compare_with(v, s, &x, e);
        verify_forget_tasks(v);
        table_defs_free(x.defs);
        close_ends(&x);
        return rc;
}
