#include "ops/state_row.h"
#include "base/loop.h"
#include "base/memory.h"
#include "db/pg_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_INTERVAL (10 * SECOND)

struct state_row {
        struct loop *loop;
        char *pipeline;
        struct pg_params *params;
        struct pg_link *link;
        struct task close;
        struct timer retry;
        bool enabled, dirty;
        enum state state, phase;
        int64_t since;
};

static void write_row(struct state_row *r);

static void run_close(void *context)
{
        struct state_row *r = context;

        r->link = pg_link_free(r->link);
        if (r->dirty)
                write_row(r);
}

static void on_written(void *context, PGresult *result, const struct error *e)
{
        struct state_row *r = context;

        (void)e;
        if (!result) {
                r->dirty = true;
                timer_set(&r->retry, RETRY_INTERVAL);
        }
        loop_defer(r->loop, &r->close);
}

static void on_up(void *context)
{
        struct state_row *r = context;
        char since[32];
        const char *values[] = {r->pipeline, state_name(r->state), state_name(r->phase), since};

        snprintf(since, sizeof since, "%.6f", (double)r->since / SECOND);
        r->dirty = false;
        pg_link_query(r->link, on_written, r,
                "insert into culvert.state as s (pipeline, sequence, state, phase, direction, "
                "since) "
                "values ($1, 1, $2, $3, 'forward', pg_catalog.to_timestamp($4::float8)) on "
                "conflict "
                "(pipeline) do update set sequence = s.sequence + 1, state = excluded.state, phase "
                "= "
                "excluded.phase, since = excluded.since, updated_at = pg_catalog.clock_timestamp()",
                4, values);
}

static void on_down(void *context, const struct error *e)
{
        struct state_row *r = context;

        (void)e;
        task_cancel(r->loop, &r->close);
        r->link = pg_link_free(r->link);
        r->dirty = true;
        timer_set(&r->retry, RETRY_INTERVAL);
}

static void write_row(struct state_row *r)
{
        static const struct pg_link_events events = {on_up, on_down};

        if (r->enabled && !r->link && r->params)
                r->link = pg_link_new(r->loop, r->params, &events, r);
}

static void on_retry(void *context)
{
        struct state_row *r = context;

        if (r->dirty)
                write_row(r);
}

struct state_row *state_row_new(struct loop *l, const struct config *c)
{
        AUTO_STRING name = memory_printf("culvert %s state", c->pipeline.name);
        struct state_row *r = memory_new_of(struct state_row);
        struct error ignored = ERROR_INIT; /* the sink names a bad URI */

        r->loop = l;
        r->pipeline = memory_string(c->pipeline.name);
        r->params = pg_params_new(&c->target, "target", name, false, &ignored);
        task_init(&r->close, run_close, r);
        timer_init(&r->retry, l, on_retry, r);
        return r;
}

struct state_row *state_row_free(struct state_row *r)
{
        if (!r)
                return NULL;
        timer_cancel(&r->retry);
        task_cancel(r->loop, &r->close);
        pg_link_free(r->link);
        pg_params_free(r->params);
        free(r->pipeline);
        free(r);
        return NULL;
}

void state_row_enable(struct state_row *r)
{
        r->enabled = true;
        if (r->dirty)
                write_row(r);
}

void state_row_set(struct state_row *r, enum state s, enum state phase, int64_t since)
{
        r->state = s;
        r->phase = phase;
        r->since = since;
        r->dirty = true;
        write_row(r);
}
