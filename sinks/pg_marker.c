#include "sinks/pg_marker.h"
#include "base/memory.h"
#include "db/pg_horizon.h"
#include "sinks/pg_silence.h"

#include <stdlib.h>

#define MARK_INTERVAL (150 * MILLISECOND)

struct pg_marker {
        struct loop *loop;
        const struct pg_params *params;
        struct pg_link *link;
        struct pg_silence *silence; /* NULL: the link is not up */
        int64_t limit;              /* of it */
        struct pg_marker_events events;
        void *context;
        struct timer timer;
        bool sent;         /* a question is on its way */
        bool wanted, told; /* pg_marker_look */
        struct position committed, durable, marking;
};

static void go_on(struct pg_marker *m)
{
        if (position_compare(m->durable, m->committed) < 0 && !timer_pending(&m->timer))
                timer_set(&m->timer, MARK_INTERVAL);
}

static void on_horizon(void *context, PGresult *r, const struct error *e)
{
        struct pg_marker *m = context;
        AUTO_BUF text = BUF_INIT;

        m->sent = false;
        pg_silence_heard(m->silence);
        if (!r) {
                pg_link_fail(m->link, e);
                return;
        }
        go_on(m);
        if (PQntuples(r) == 0)
                return;
        m->told = true;
        pg_horizon_text(r, &text);
        m->events.held(m->context, buf_text(&text));
}

static void look(struct pg_marker *m)
{
        m->wanted = false;
        m->sent = true;
        pg_link_query(m->link, on_horizon, m, pg_horizon_sql, 0, NULL);
}

static void on_marked(void *context, PGresult *r, const struct error *e)
{
        struct pg_marker *m = context;

        m->sent = false;
        pg_silence_heard(m->silence);
        if (!r) {
                pg_link_fail(m->link, e);
                return;
        }
        m->durable = m->marking;
        go_on(m);
        if (m->wanted)
                look(m);
        m->events.durable(m->context, m->durable);
}

static void on_due(void *context)
{
        struct pg_marker *m = context;

        if (m->sent || position_compare(m->durable, m->committed) >= 0)
                return;
        m->sent = true;
        m->marking = m->committed;
        pg_link_query(m->link, on_marked, m,
                "select pg_catalog.pg_logical_emit_message(true, 'culvert mark', '')", 0, NULL);
}

static void on_set(void *context, PGresult *r, const struct error *e)
{
        struct pg_marker *m = context;

        if (r)
                m->events.up(m->context);
        else
                pg_link_fail(m->link, e);
}

static bool owes_answer(void *context)
{
        const struct pg_marker *m = context;

        return m->sent;
}

static void on_waits(void *context, const char *text)
{
        struct pg_marker *m = context;

        m->events.held(m->context, text);
}

static void on_up(void *context)
{
        static const struct silence_events silence = {owes_answer, on_waits};
        struct pg_marker *m = context;

        m->silence = pg_silence_new(m->loop, m->params, m->link, m->limit, &silence, m);

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

struct pg_marker *pg_marker_new(struct loop *l, const struct pg_params *p, int64_t silence,
        const struct pg_marker_events *events, void *context)
{
        static const struct pg_link_events link = {on_up, on_down};
        struct pg_marker *m = memory_new_of(struct pg_marker);

        m->loop = l;
        m->params = p;
        m->limit = silence;
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
        pg_silence_free(m->silence);
        pg_link_free(m->link);
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

void pg_marker_look(struct pg_marker *m)
{
        if (m->told)
                return;
        m->wanted = true;
        if (!m->sent)
                look(m);
}
