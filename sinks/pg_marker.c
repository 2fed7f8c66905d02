#include "sinks/pg_marker.h"
#include "base/memory.h"

#include <stdlib.h>

#define MARK_INTERVAL (150 * MILLISECOND)

struct pg_marker {
        struct pg_link *link;
        char *pipeline;
        struct pg_marker_events events;
        void *context;
        struct timer timer;
        bool sent;
        struct position committed, durable, marking;
};

static void on_marked(void *context, PGresult *r, const struct error *e)
{
        struct pg_marker *m = context;

        m->sent = false;
        if (!r) {
                pg_link_fail(m->link, e);
                return;
        }
        m->durable = m->marking;
        if (position_compare(m->durable, m->committed) < 0)
                timer_set(&m->timer, MARK_INTERVAL);
        m->events.durable(m->context, m->durable);
}

static void on_due(void *context)
{
        struct pg_marker *m = context;
        const char *values[] = {m->pipeline};

        if (m->sent || position_compare(m->durable, m->committed) >= 0)
                return;
        m->sent = true;
        m->marking = m->committed;
        pg_link_query(m->link, on_marked, m,
                "insert into culvert.heartbeat as h (pipeline, beat) values ($1, 1) on conflict "
                "(pipeline) do update set beat = h.beat + 1",
                1, values);
}

static void on_set(void *context, PGresult *r, const struct error *e)
{
        struct pg_marker *m = context;

        if (r)
                m->events.up(m->context);
        else
                pg_link_fail(m->link, e);
}

static void on_up(void *context)
{
        struct pg_marker *m = context;

        pg_link_query(m->link, on_set, m,
                "set synchronous_commit = on; set tcp_keepalives_idle = 20;"
                "set tcp_keepalives_interval = 10; set tcp_keepalives_count = 4",
                0, NULL);
}

static void on_down(void *context, const struct error *e)
{
        struct pg_marker *m = context;

        m->events.failed(m->context, e);
}

struct pg_marker *pg_marker_new(struct loop *l, const struct pg_params *p, const char *pipeline,
        const struct pg_marker_events *events, void *context)
{
        static const struct pg_link_events link = {on_up, on_down};
        struct pg_marker *m = memory_new_of(struct pg_marker);

        m->pipeline = memory_string(pipeline);
        m->events = *events;
        m->context = context;
        timer_init(&m->timer, l, on_due, m);
        m->link = pg_link_new(l, p, &link, m);
        return m;
}

struct pg_marker *pg_marker_free(struct pg_marker *m)
{
        if (!m)
                return NULL;
        timer_cancel(&m->timer);
        pg_link_free(m->link);
        free(m->pipeline);
        free(m);
        return NULL;
}

void pg_marker_start(struct pg_marker *m, struct position p)
{
        m->committed = m->durable = p;
}

void pg_marker_committed(struct pg_marker *m, struct position p)
{
        m->committed = p;
        if (!timer_pending(&m->timer) && !m->sent)
                timer_set(&m->timer, MARK_INTERVAL);
}
