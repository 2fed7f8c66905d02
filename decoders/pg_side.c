#include "decoders/pg_side.h"
#include "base/memory.h"

#include <stdlib.h>

struct pg_side {
        struct loop *loop;
        const struct pg_params *params;
        char *slot;
        int64_t interval, held;
        struct pg_side_events events;
        void *context;
        struct pg_link *link;
        bool up;
        unsigned marks_wanted, marks_sent;
        struct timer poll;
};

static void close_link(struct pg_side *s)
{
        s->link = pg_link_free(s->link);
        s->up = false;
        s->marks_wanted = s->marks_sent = 0;
}

static void on_mark(void *context, PGresult *r, const struct error *why)
{
        struct pg_side *s = context;
        struct position p = POSITION_NONE;
        struct error e = ERROR_INIT;

        s->marks_wanted--;
        s->marks_sent--;
        if (!r)
                e = *why;
        else
                position_parse(&p, pg_text(r, 0, 0), &e);
        s->events.marked(s->context, p, &e);
}

/* A transactional message: its commit flushes the log, so the stream passes it also when nothing
 * else is written, and everything committed before it lies before it. */
static void send_marks(struct pg_side *s)
{
        for (; s->up && s->marks_sent < s->marks_wanted; s->marks_sent++)
                pg_link_query(s->link, on_mark, s,
                        "select pg_catalog.pg_logical_emit_message(true, 'culvert', 'mark')", 0,
                        NULL);
}

static void on_up(void *context)
{
        struct pg_side *s = context;

        s->up = true;
        send_marks(s);
}

static void on_down(void *context, const struct error *e)
{
        struct pg_side *s = context;
        struct error copy = *e;
        unsigned marks = s->marks_wanted;

        close_link(s);
        while (marks--)
                s->events.marked(s->context, POSITION_NONE, &copy);
}

static void need_link(struct pg_side *s)
{
        static const struct pg_link_events events = {on_up, on_down};

        if (!s->link)
                s->link = pg_link_new(s->loop, s->params, &events, s);
}

static void on_held(void *context, PGresult *r, const struct error *e)
{
        struct pg_side *s = context;
        struct error ignored = ERROR_INIT;
        struct position end;

        (void)e; /* the next poll asks again */
        s->held = -1;
        if (!r || PQntuples(r) == 0)
                return;
        s->held = strtoll(pg_text(r, 0, 0), NULL, 10);
        if (position_parse(&end, pg_text(r, 0, 1), &ignored) == 0)
                s->events.log_end(s->context, end);
}

static void on_poll(void *context)
{
        struct pg_side *s = context;
        const char *slot = s->slot;

        timer_set(&s->poll, s->interval);
        need_link(s);
        if (s->up)
                pg_link_query(s->link, on_held, s,
                        "select pg_catalog.pg_wal_lsn_diff(l, restart_lsn)::bigint, l from "
                        "pg_catalog.pg_replication_slots, pg_catalog.pg_current_wal_lsn() l where "
                        "slot_name = $1",
                        1, &slot);
}

struct pg_side *pg_side_new(struct loop *l, const struct pg_params *p, const char *slot,
        int64_t interval, const struct pg_side_events *events, void *context)
{
        struct pg_side *s = memory_new_of(struct pg_side);

        s->loop = l;
        s->params = p;
        s->slot = memory_string(slot);
        s->interval = interval;
        s->held = -1;
        s->events = *events;
        s->context = context;
        timer_init(&s->poll, l, on_poll, s);
        return s;
}

struct pg_side *pg_side_free(struct pg_side *s)
{
        if (!s)
                return NULL;
        pg_side_stop(s);
        free(s->slot);
        free(s);
        return NULL;
}

void pg_side_start(struct pg_side *s)
{
        if (!timer_pending(&s->poll))
                timer_set(&s->poll, 0);
}

void pg_side_stop(struct pg_side *s)
{
        timer_cancel(&s->poll);
        close_link(s);
}

void pg_side_mark(struct pg_side *s)
{
        s->marks_wanted++;
        need_link(s);
        send_marks(s);
}

int64_t pg_side_held(const struct pg_side *s)
{
        return s->held;
}
