/* What a worker does: it takes one table after another. */
#include "base/loop.h"
#include "base/memory.h"
#include "ops/verify_private.h"

#include <stdio.h>
#include <stdlib.h>

/* Spread evenly, and the first chunk always: a small table has no other. */
bool verify_is_sampled(const struct verify *v, uint64_t chunk)
{
        return chunk * v->run.sample % 100 < v->run.sample;
}

void verify_show_progress(struct verify_line *l, const struct verify_progress *p)
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
        verify_show_progress(l, p);
        pthread_mutex_unlock(&r->lock);
}

/* ---- one table ---- */

void verify_forget_found(struct verify_worker *w)
{
        for (unsigned i = 0; i < w->found_n; i++) {
                free(memory_unconst(w->found[i].key));
                free(memory_unconst(w->found[i].columns));
        }
        w->found_n = 0;
}

int verify_compare_table(struct verify_worker *w, struct error *e)
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
        verify_forget_found(w);
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
                if (w->task->at.phase != PHASE_OVER && verify_compare_table(w, e) < 0)
                        return -1;
        }
        return 0;
}

int verify_worker_open(struct verify_worker *w, struct error *e)
{
        struct verify *v = w->verify;
        int rc = verify_side_open(&w->from, v->config, false, v->halt, e);

        return rc < 0 ? -1 : verify_side_open(&w->to, v->config, true, v->halt, e);
}

void verify_worker_close(struct verify_worker *w)
{
        verify_ahead_done(&w->ahead);
        verify_side_close(&w->from);
        verify_side_close(&w->to);
        verify_set_done(&w->set);
        verify_set_done(&w->doubts);
        buf_done(&w->after);
        free(w->found);
}

int verify_work(struct verify *v, unsigned number, struct error *e)
{
        struct verify_worker w = {.verify = v, .number = number};
        int rc = verify_worker_open(&w, e);

        if (rc == 0)
                rc = compare_tables(&w, e);
        verify_worker_close(&w);
        return rc;
}
