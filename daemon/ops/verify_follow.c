/*
 * A continuous verification, when all is compared: what the stream has changed since
 * (verify_fresh.h) is read again, as rows in doubt are (verify_settle.c), or the whole table where
 * the rows are not known. What was found of those rows before is replaced by what is found now.
 */
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/verify_fresh.h"

#include <inttypes.h>
#include <stdlib.h>

#define LOOK_EVERY (100 * MILLISECOND)
#define DOUBTS_MAX 2000u

/* ---- rows ---- */

static void doubt(struct verify_worker *w, const struct verify_set *keys, uint32_t i)
{
        const struct verify_table *t = &w->task->table;
        struct verify_hand *h = &w->hand;
        struct verify_row *row;
        struct digest key;
        bool known;

        verify_kept(&keys->keys, keys->rows[i].to, h->key, t->to.key_n);
        for (unsigned k = 0; k < t->to.key_n; k++) {
                h->mapped[t->to.key[k]] = h->key[k];
                canon_value(t->canon[t->to.key[k]], h->arena, &h->mapped[t->to.key[k]]);
        }
        key = verify_key_digest(h, t);
        row = verify_set_add(&w->doubts, &key, &known);
        if (known)
                return;
        row->to = verify_keep(&w->doubts.keys, h->key, t->to.key_n);
        if (verify_key_back(t, h->arena, h->key, h->own) == 0)
                row->from = verify_keep(&w->doubts.keys, h->own, t->from.key_n);
}

static void show_found(struct verify_worker *w, char *const *keys, unsigned n)
{
        struct verify_report *r = w->verify->report;
        unsigned line = w->task->line;

        pthread_mutex_lock(&r->lock);
        for (unsigned i = 0; i < n; i++)
                verify_report_forget(r, line, keys[i]);
        for (unsigned i = 0; i < w->found_n; i++)
                verify_report_item(r, line, w->found[i].kind, w->found[i].key, w->found[i].columns);
        pthread_mutex_unlock(&r->lock);
        verify_forget_found(w);
        verify_show(w);
}

/* The keys are those of the doubts, if anything may have been found of them before. */
static int settle_some(struct verify_worker *w, char **keys, unsigned n, struct error *e)
{
        struct verify *v = w->verify;
        const struct verify_progress *p = &w->task->at;

        for (unsigned i = 0; i < n; i++)
                keys[i] = verify_key_json(w, &w->doubts.rows[i]);
        if (verify_throttle(w, w->doubts.n, e) < 0 || verify_settle(w, e) < 0)
                return -1;
        if (n == 0 && w->found_n == 0)
                return 0;
        if (w->found_n > 0)
                log_event(LOG_LEVEL_WARNING, LOG_PLAIN, NULL,
                        "verification: of the rows of %s.%s that have changed, %u differ or are "
                        "undecided",
                        p->schema, p->name, w->found_n);
        if (verify_store_replace(&w->to, v->config->pipeline.name, &v->run, &w->task->at, keys, n,
                    w->found, w->found_n, e) < 0)
                return -1;
        show_found(w, keys, n);
        return 0;
}

static int settle_doubts(struct verify_worker *w, struct error *e)
{
        const struct verify_progress *p = &w->task->at;
        unsigned n = p->differences + p->undecided > 0 ? w->doubts.n : 0;
        char **keys = memory_new((n + 1) * sizeof *keys);
        int rc = settle_some(w, keys, n, e);

        for (unsigned i = 0; i < n; i++)
                free(keys[i]);
        free(keys);
        return rc;
}

static int compare_rows(struct verify_worker *w, const struct verify_set *keys, struct error *e)
{
        int rc = 0;

        verify_hand_init(&w->hand, &w->task->table);
        for (uint32_t i = 0; rc == 0 && i < keys->n; i++) {
                doubt(w, keys, i);
                if (w->doubts.n >= DOUBTS_MAX || i + 1 == keys->n)
                        rc = settle_doubts(w, e);
        }
        verify_set_clear(&w->doubts);
        verify_forget_found(w);
        verify_hand_done(&w->hand);
        return rc;
}

/* ---- whole tables ---- */

static int compare_whole(struct verify_worker *w, struct error *e)
{
        struct verify *v = w->verify;
        struct verify_task *task = w->task;
        struct verify_progress *p = &task->at;

        memory_free_string(&task->after_json);
        p->after = NULL;
        p->phase = PHASE_SOURCE;
        p->state = "running";
        p->chunk = p->rows = p->seen = p->differences = p->undecided = 0;
        if (verify_store_replace(
                    &w->to, v->config->pipeline.name, &v->run, p, NULL, 0, NULL, 0, e) < 0)
                return -1;
        pthread_mutex_lock(&v->report->lock);
        verify_report_forget(v->report, task->line, NULL);
        pthread_mutex_unlock(&v->report->lock);
        return verify_compare_table(w, e);
}

/* ---- cycles ---- */

static int compare_taken(struct verify_worker *w, struct verify_fresh *f, struct error *e)
{
        for (unsigned i = 0; i < w->verify->tasks_n; i++) {
                bool all;
                const struct verify_set *keys = verify_fresh_taken(f, i, &all);
                int rc = 0;

                w->task = &w->verify->tasks[i];
                if (all)
                        rc = compare_whole(w, e);
                else if (keys->n > 0)
                        rc = compare_rows(w, keys, e);
                if (rc < 0)
                        return error_context(e, "verifying again what has changed of %s.%s",
                                w->task->at.schema, w->task->at.name);
        }
        return 0;
}

static int one_cycle(struct verify_worker *w, struct verify_fresh *f, struct error *e)
{
        int rc;

        verify_fresh_take(f);
        rc = compare_taken(w, f, e);
        if (rc < 0)
                verify_fresh_back(f);
        else
                verify_fresh_done(f);
        return rc;
}

int verify_follow(struct verify *v, struct error *e)
{
        struct verify_worker w = {.verify = v};
        int rc = verify_worker_open(&w, e);

        while (rc == 0)
                rc = verify_fresh_is_due(v->request.fresh) ? one_cycle(&w, v->request.fresh, e)
                                                           : verify_pause(&w, LOOK_EVERY, e);
        verify_worker_close(&w);
        return rc;
}
