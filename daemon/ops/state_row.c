#include "ops/state_row.h"
#include "base/loop.h"
#include "base/memory.h"
#include "db/my_link.h"
#include "db/pg_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_INTERVAL (10 * SECOND)

struct state_row {
        struct loop *loop;
        char *pipeline;
        struct pg_params *pg_params; /* one of the two kinds of target; NULL: no usable URI, or no
                                        database */
        struct my_params *my_params;
        struct pg_link *pg_link; /* while the row is written */
        struct my_link *my_link;
        struct task close;
        struct timer retry;
        bool enabled, dirty, holding;
        void (*held)(void *context); /* NULL: it has come, or nobody waits */
        void *held_context;
        struct state_line line;
};

static void write_row(struct state_row *r);

static void close_link(struct state_row *r)
{
        r->pg_link = pg_link_free(r->pg_link);
        r->my_link = my_link_free(r->my_link);
}

static void tell_held(struct state_row *r)
{
        void (*held)(void *context) = r->held;

        r->held = NULL;
        if (held)
                held(r->held_context);
}

static void run_close(void *context)
{
        struct state_row *r = context;

        close_link(r);
        if (r->holding)
                tell_held(r);
        else if (r->dirty && !timer_pending(&r->retry))
                write_row(r);
}

static void written(struct state_row *r, bool done)
{
        if (!done) {
                r->dirty = true;
                timer_set(&r->retry, RETRY_INTERVAL);
        }
        loop_defer(r->loop, &r->close);
}

static void on_down(void *context, const struct error *e)
{
        struct state_row *r = context;

        (void)e;
        r->dirty = true;
        timer_set(&r->retry, RETRY_INTERVAL);
        loop_defer(r->loop, &r->close);
}

static const char *direction_of(const struct state_line *line)
{
        return line->reversed ? "reverse" : "forward";
}

/* ---- PostgreSQL ---- */

static void on_pg_written(void *context, PGresult *result, const struct error *e)
{
        (void)e;
        written(context, result != NULL);
}

static void on_pg_up(void *context)
{
        struct state_row *r = context;
        char since[32];
        const char *values[] = {r->pipeline, state_name(r->line.state), state_name(r->line.phase),
                since, direction_of(&r->line)};

        snprintf(since, sizeof since, "%.6f", (double)r->line.since / SECOND);
        r->dirty = false;
        pg_link_query(r->pg_link, on_pg_written, r,
                "insert into culvert.state as s (pipeline, sequence, state, phase, direction, "
                "since) "
                "values ($1, 1, $2, $3, $5, pg_catalog.to_timestamp($4::float8)) on "
                "conflict "
                "(pipeline) do update set sequence = s.sequence + 1, state = excluded.state, phase "
                "= "
                "excluded.phase, direction = excluded.direction, since = excluded.since, "
                "updated_at = pg_catalog.clock_timestamp()",
                5, values);
}

/* ---- MySQL and MariaDB ---- */

static void on_my_written(void *context, unsigned answered, const struct error *e)
{
        (void)answered;
        written(context, e == NULL);
}

static void add_text(struct buf *sql, const char *text)
{
        my_literal(sql, text, strlen(text));
        buf_str(sql, ", ");
}

static void on_my_up(void *context)
{
        struct state_row *r = context;
        struct buf sql = BUF_INIT;

        r->dirty = false;
        buf_str(&sql, "insert into culvert.state (pipeline, state, phase, `sequence`, direction, "
                      "since, updated_at) values (");
        add_text(&sql, r->pipeline);
        add_text(&sql, state_name(r->line.state));
        add_text(&sql, state_name(r->line.phase));
        buf_str(&sql, "1, ");
        add_text(&sql, direction_of(&r->line));
        buf_printf(&sql,
                "from_unixtime(%.6f), utc_timestamp(6)) on duplicate key update "
                "`sequence` = `sequence` + 1, state = values(state), phase = values(phase), "
                "direction = values(direction), since = values(since), updated_at = "
                "values(updated_at)",
                (double)r->line.since / SECOND);
        my_link_batch(r->my_link, &sql, NULL, on_my_written, r);
        buf_done(&sql);
}

static void write_row(struct state_row *r)
{
        static const struct pg_link_events pg_events = {on_pg_up, on_down};
        static const struct my_link_events my_events = {on_my_up, on_down};

        if (!r->enabled || r->holding || r->pg_link || r->my_link)
                return;
        if (r->pg_params)
                r->pg_link = pg_link_new(r->loop, r->pg_params, &pg_events, r);
        else if (r->my_params)
                r->my_link = my_link_new(r->loop, r->my_params, &my_events, r);
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
        if (config_is_mysql(c->target.kind))
                r->my_params = my_params_new(&c->target, "target", &ignored);
        else if (c->target.kind == KIND_POSTGRESQL)
                r->pg_params = pg_params_new(&c->target, "target", name, false, &ignored);
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
        close_link(r);
        pg_params_free(r->pg_params);
        my_params_free(r->my_params);
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

void state_row_set(struct state_row *r, const struct state_line *line)
{
        r->line = *line;
        r->dirty = true;
        write_row(r);
}

void state_row_hold(struct state_row *r, void (*held)(void *context), void *context)
{
        r->holding = true;
        r->held = held;
        r->held_context = context;
        loop_defer(r->loop, &r->close);
}

void state_row_release(struct state_row *r)
{
        r->holding = false;
        r->held = NULL;
        if (r->dirty)
                write_row(r);
}
