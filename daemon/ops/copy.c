#include "ops/copy.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/copy_private.h"
#include "ops/crew.h"
#include "ops/prepare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define KEEP_EVERY (10 * SECOND)
#define SPEAK_EVERY (60 * SECOND)

static int64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* What had rows before is not divided: a part of it could not be told from the rest, so the fewer
 * moments at which an interruption leaves one, the better. */
static int init_tables(struct copy *c, struct error *e)
{
        for (unsigned i = 0; i < c->o.tables->n; i++) {
                const struct pg_table_info *t = &c->o.tables->items[i];

                c->whole[i] = c->o.append[i];
                if (copy_table_init(&c->tables[i], &c->o, i, e) < 0)
                        return error_context(e, "table %s.%s", t->schema, t->name);
        }
        return 0;
}

static void count_parts(struct copy *c)
{
        for (unsigned i = 0; i < c->plan->n; i++)
                c->tables[c->plan->parts[i].table].parts++;
        for (unsigned i = 0; i < c->o.tables->n; i++) {
                struct copy_table *t = &c->tables[i];

                atomic_store(&t->parts_left, t->parts);
                if (t->parts == 0) /* a partitioned table without partitions */
                        atomic_store(&t->counter->state, TABLE_COPIED);
        }
}

struct copy *copy_new(const struct copy_options *o, struct error *e)
{
        struct copy *c = memory_new_of(struct copy);
        unsigned n = o->tables->n ? o->tables->n : 1;

        c->o = *o;
        c->tables = memory_new(n * sizeof *c->tables);
        c->whole = memory_new(n * sizeof *c->whole);
        c->started = c->spoken = c->kept = now();
        if (init_tables(c, e) < 0)
                return copy_free(c);
        c->plan = copy_plan_new(o->tables, c->whole, (unsigned)o->config->snapshot.workers,
                PQserverVersion(o->anchor) >= 140000);
        c->progress = memory_new((c->plan->n ? c->plan->n : 1) * sizeof *c->progress);
        count_parts(c);
        c->started = c->spoken = c->kept = now(); /* before others can look at the progress */
        return c;
}

struct copy *copy_free(struct copy *c)
{
        if (!c)
                return NULL;
        for (unsigned i = 0; i < c->o.tables->n; i++)
                copy_table_done(&c->tables[i]);
        copy_plan_free(c->plan);
        free(c->progress);
        free(c->tables);
        free(c->whole);
        free(c);
        return NULL;
}

double copy_seconds_left(const struct copy *c)
{
        double done = 0;

        for (unsigned i = 0; i < c->plan->n; i++) {
                const struct copy_part *p = &c->plan->parts[i];
                const struct copy_progress *g = &c->progress[i];
                double share = atomic_load(&g->done) ? 1
                                                     : copy_part_share(p, atomic_load(&g->rows),
                                                               atomic_load(&g->bytes));

                done += share * p->bytes;
        }
        return copy_eta(done, c->plan->bytes, (double)(now() - c->started) / SECOND);
}

static void speak(const struct copy *c)
{
        unsigned copied = 0;
        uint64_t rows = 0;
        double left = copy_seconds_left(c);

        for (unsigned i = 0; i < c->o.tables->n; i++) {
                copied += atomic_load(&c->o.counters[i].state) == TABLE_COPIED;
                rows += atomic_load(&c->o.counters[i].rows);
        }
        if (left < 0)
                log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                        "copying: %u of %u tables, %" PRIu64 " rows", copied, c->o.tables->n, rows);
        else
                log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                        "copying: %u of %u tables, %" PRIu64 " rows, about %.0f s left", copied,
                        c->o.tables->n, rows, left);
}

/* A sign of life on the connection that holds the snapshot (HAZARDS B4), and a line a minute. */
static int tick(void *context, struct error *e)
{
        struct copy *c = context;
        int64_t t = now();

        if (t - c->spoken >= SPEAK_EVERY) {
                c->spoken = t;
                speak(c);
        }
        if (t - c->kept < KEEP_EVERY)
                return 0;
        c->kept = t;
        if (pg_run(c->o.anchor, e, "select 1") < 0)
                return error_context(e, "the connection that holds the copy's snapshot");
        return 0;
}

static int work(void *context, unsigned worker, struct error *e)
{
        (void)worker;
        return copy_work(context, e);
}

int copy_run(struct copy *c, struct error *e)
{
        unsigned n = (unsigned)c->o.config->snapshot.workers;

        if (n > c->plan->n)
                n = c->plan->n;
        return crew_run(n, work, tick, c, c->o.halt, e);
}
