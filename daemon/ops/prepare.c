#include "ops/prepare.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/thread.h"
#include "model/cascade.h"
#include "ops/copy_plan.h"
#include "ops/endpoint.h"
#include "ops/journal.h"
#include "ops/move.h"
#include "ops/prepare_private.h"
#include "ops/turn_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void close_all(struct prepare *p)
{
        halt_close(p->halt, &p->anchor);
        halt_close(p->halt, &p->replication);
        halt_close(p->halt, &p->source);
        halt_close(p->halt, &p->target);
        p->schema = pg_schema_free(p->schema);
}

static void report(void *context)
{
        struct prepare *p = context;
        struct prepare_result *result = p->result;

        if (p->threaded)
                pthread_join(p->thread, NULL);
        p->threaded = false;
        p->result = NULL;
        if (p->failed)
                prepare_result_free(result);
        p->events.done(p->context, p->failed ? NULL : result, p->failed ? &p->error : NULL);
}

/* pg_dump and COPY to COPY carry more than rows and columns. */
static bool is_native(const struct config *c)
{
        return c->source.kind == KIND_POSTGRESQL && c->target.kind == KIND_POSTGRESQL;
}

static bool has_journal(const struct config *c)
{
        return c->source.kind != KIND_SEGMENTS && c->target.kind != KIND_SEGMENTS;
}

/* Is it this direction's turn? */
static int ask_journal(struct prepare *p, struct endpoint *target, struct error *e)
{
        struct journal_entry j;

        if (journal_read_at(target, p->config, &j, e) < 0)
                return -1;
        if (journal_agrees(&j, p->config->forward != NULL))
                return j.sequence ? turn_tidy(p->config, target, e) : 0;
        if (j.state == STATE_COMPLETE) {
                error_set(e, ERROR_CONFIG, "the migration is complete");
                snprintf(e->code, sizeof e->code, PREPARE_COMPLETE_CODE);
                return -1;
        }
        error_set(e, ERROR_RETRY, "culvert.state on the target says %s, direction %s",
                state_name(j.state), j.reversed ? "reverse" : "forward");
        snprintf(e->code, sizeof e->code, PREPARE_JOURNAL_CODE);
        return -1;
}

static int check_journal(struct prepare *p, struct error *e)
{
        struct endpoint target;
        int rc;

        if (p->ahead || !has_journal(p->config))
                return 0;
        rc = endpoint_open(&target, journal_base(p->config), true, p->halt, e);
        if (rc == 0)
                rc = ask_journal(p, &target, e);
        endpoint_close(&target);
        return rc;
}

static int prepare_all(struct prepare *p, struct error *e)
{
        if (check_journal(p, e) < 0)
                return -1;
        return is_native(p->config) ? prepare_run(p, e) : move_run(p, e);
}

static void *run(void *context)
{
        struct prepare *p = context;

        p->failed = prepare_all(p, &p->error) < 0;
        if (p->failed && atomic_load(&p->stopped))
                error_set(&p->error, ERROR_RETRY, "stopped before it was finished");
        close_all(p);
        if (halt_asked(p->halt))
                halt_wait(p->halt, 1000);
        prepare_phase(p, p->failed ? p->phase : "done", false);
        loop_post(p->loop, report, p);
        return NULL;
}

static void start(struct prepare *p)
{
        p->threaded = thread_start(&p->thread, run, p);
        if (p->threaded)
                return;
        p->failed = true;
        error_set(&p->error, ERROR_RETRY, "no thread could be started");
        loop_post(p->loop, report, p);
}

struct prepare *prepare_new(struct loop *l, const struct config *c, struct route *r,
        const struct prepare_accept *accept, const struct prepare_events *events, void *context)
{
        struct prepare *p = memory_new_of(struct prepare);

        p->loop = l;
        p->config = c;
        p->route = r;
        p->accepted = accept->shape ? relation_ref(accept->shape) : NULL;
        p->accepted_table = accept->table ? memory_string(accept->table) : NULL;
        p->accept_marks = accept->marks;
        p->add = accept->add;
        p->ahead = accept->ahead;
        p->events = *events;
        p->context = context;
        p->phase = "checking";
        p->halt = halt_new();
        p->result = memory_new_of(struct prepare_result);
        pthread_mutex_init(&p->lock, NULL);
        start(p);
        return p;
}

void prepare_stop(struct prepare *p)
{
        atomic_store(&p->stopped, true);
        halt_ask(p->halt);
}

struct prepare *prepare_free(struct prepare *p)
{
        if (!p)
                return NULL;
        loop_unpost(p->loop, p);
        free(p->counters);
        free(p->lock_sql);
        copy_record_done(&p->record);
        table_records_free(p->known);
        pg_marks_free(p->marks, p->marks_n);
        pg_tables_free(p->tables);
        pg_tables_free(p->fresh);
        free(p->targets);
        free(p->append);
        free(p->staged);
        pg_params_free(p->source_params);
        pg_params_free(p->target_params);
        pg_params_free(p->replication_params);
        prepare_result_free(p->result);
        relation_unref(p->accepted);
        free(p->accepted_table);
        halt_free(p->halt);
        pthread_mutex_destroy(&p->lock);
        free(p);
        return NULL;
}

void prepare_result_free(struct prepare_result *r)
{
        if (!r)
                return;
        for (unsigned i = 0; i < r->shapes_n; i++)
                relation_unref(r->shapes[i]);
        for (unsigned i = 0; r->next && i < r->shapes_n; i++)
                relation_unref(r->next[i]);
        for (unsigned i = 0; r->targets && i < r->shapes_n; i++)
                relation_unref(r->targets[i]);
        for (unsigned i = 0; i < r->joining_n; i++)
                relation_unref(r->joining[i]);
        free(r->joining);
        cascades_unref(r->cascades);
        pg_marks_free(r->marks, r->shapes_n);
        free(r->targets);
        free(r->shapes);
        free(r->next);
        free(r->begin);
        free(r->fresh);
        free(r->refused);
        free(r->snapshot);
        free(r->published);
        free(r->source_version);
        free(r->target_version);
        free(r);
}

static void on_phase(void *context)
{
        struct prepare *p = context;

        p->events.changed(p->context);
}

void prepare_phase(struct prepare *p, const char *phase, bool copying)
{
        pthread_mutex_lock(&p->lock);
        p->phase = phase;
        p->copying = copying;
        p->begins_at = p->identity;
        p->begins = position_is_none(p->stored) ? p->record.start : p->stored;
        pthread_mutex_unlock(&p->lock);
        loop_post(p->loop, on_phase, p);
}

void prepare_show_counters(struct prepare *p, struct copy_counter *counters, unsigned n)
{
        struct copy_counter *old;

        pthread_mutex_lock(&p->lock);
        old = p->counters;
        p->counters = counters;
        p->counters_n = n;
        pthread_mutex_unlock(&p->lock);
        free(old);
}

static void set_counter(const struct prepare *p, struct copy_counter *n,
        const struct pg_table_info *t, enum copy_stage stage)
{
        const struct table_record *k = table_records_find(p->known, t->schema, t->name);
        bool copied = stage >= STAGE_LOADED && k;

        n->route = route_find(p->route, t->schema, t->name);
        n->estimated = t->rows < 0 ? -1 : (int64_t)t->rows;
        atomic_store(&n->state, copied ? TABLE_COPIED : TABLE_WAITING);
        atomic_store(&n->rows, copied ? k->rows : 0);
}

void prepare_set_counters(struct prepare *p)
{
        unsigned others = p->others ? p->others->n : 0, count = p->tables->n + others;
        struct copy_counter *n = memory_new((count + 1) * sizeof *n);

        for (unsigned i = 0; i < p->tables->n; i++)
                set_counter(p, &n[i], &p->tables->items[i], p->record.stage);
        for (unsigned i = 0; i < others; i++)
                set_counter(p, &n[p->tables->n + i], &p->others->items[i], STAGE_DONE);
        prepare_show_counters(p, n, count);
}

static void fill_tables(const struct prepare *p, struct prepare_progress *out)
{
        out->tables = memory_new((p->counters_n + 1) * sizeof *out->tables);
        out->tables_n = p->counters_n;
        out->tables_total = p->counters_n;
        for (unsigned i = 0; i < p->counters_n; i++) {
                const struct copy_counter *k = &p->counters[i];
                struct prepare_table *t = &out->tables[i];

                t->route = k->route;
                t->state = atomic_load(&k->state);
                t->rows_done = atomic_load(&k->rows);
                t->rows_estimated = k->estimated;
                out->rows_done += t->rows_done;
                out->tables_done += t->state == TABLE_COPIED;
                if (k->estimated < 0)
                        out->rows_estimated = -1;
                else if (out->rows_estimated >= 0)
                        out->rows_estimated += k->estimated;
        }
}

static double seconds_left(const struct prepare *p, const struct prepare_progress *now)
{
        struct timespec t;
        double elapsed;

        if (p->copy)
                return copy_seconds_left(p->copy);
        if (!p->copying || !p->copy_began || now->rows_estimated < 0)
                return -1;
        clock_gettime(CLOCK_MONOTONIC, &t);
        elapsed = (double)(t.tv_sec * SECOND + t.tv_nsec / 1000 - p->copy_began) / SECOND;
        return copy_eta((double)now->rows_done, (double)now->rows_estimated, elapsed);
}

void prepare_progress(struct prepare *p, struct prepare_progress *out)
{
        *out = (struct prepare_progress){0};
        pthread_mutex_lock(&p->lock);
        out->copying = p->copying;
        out->phase = p->phase;
        out->source = p->begins_at;
        out->from = p->begins;
        fill_tables(p, out);
        out->eta_seconds = seconds_left(p, out);
        pthread_mutex_unlock(&p->lock);
}

void prepare_progress_done(struct prepare_progress *out)
{
        free(out->tables);
        *out = (struct prepare_progress){0};
}
