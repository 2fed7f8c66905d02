#include "sinks/pg_silence.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pg_silence {
        struct loop *loop;
        const struct pg_params *params;
        struct pg_link *link, *second; /* second: NULL while nobody is asked */
        struct silence silence;
        struct task end; /* of the second: not from inside its own callbacks */
        int pid;
};

static void run_end(void *context)
{
        struct pg_silence *s = context;

        s->second = pg_link_free(s->second);
}

/* What it does is its own statement, and not talking to us. */
static void on_activity(void *context, PGresult *r, const struct error *e)
{
        struct pg_silence *s = context;
        char what[200];

        if (!r) {
                silence_answer(&s->silence, false, e->message);
                return;
        }
        if (PQntuples(r) == 0) {
                silence_answer(&s->silence, false, "the server does not know it any more");
                return;
        }
        if (strcmp(pg_text(r, 0, 0), "active") != 0 || !strcmp(pg_text(r, 0, 1), "Client")) {
                silence_answer(&s->silence, false, "the server waits for us");
                return;
        }
        snprintf(what, sizeof what, "backend %d%s%.60s%s%.60s", s->pid,
                *pg_text(r, 0, 1) ? " waits for " : "", pg_text(r, 0, 1),
                *pg_text(r, 0, 1) ? ": " : "", pg_text(r, 0, 2));
        silence_answer(&s->silence, true, what);
}

static void on_second_up(void *context)
{
        struct pg_silence *s = context;
        char pid[16];
        const char *values[] = {pid};

        snprintf(pid, sizeof pid, "%d", s->pid);
        pg_link_query(s->second, on_activity, s,
                "select coalesce(state, ''), coalesce(wait_event_type, ''), coalesce(wait_event, "
                "'') from pg_catalog.pg_stat_activity where pid = $1::int and usename = "
                "current_user",
                1, values);
}

static void on_second_down(void *context, const struct error *e)
{
        struct pg_silence *s = context;

        silence_fails(&s->silence, e);
}

static void ask(void *context)
{
        static const struct pg_link_events events = {on_second_up, on_second_down};
        struct pg_silence *s = context;

        task_cancel(s->loop, &s->end);
        s->second = pg_link_free(s->second);
        s->second = pg_link_new(s->loop, s->params, &events, s);
}

static void unask(void *context)
{
        struct pg_silence *s = context;

        if (s->second)
                loop_defer(s->loop, &s->end);
}

static void lost(void *context, const struct error *e)
{
        struct pg_silence *s = context;

        pg_link_fail(s->link, e);
}

struct pg_silence *pg_silence_new(struct loop *l, const struct pg_params *p, struct pg_link *k,
        int64_t limit, const struct silence_events *events, void *context)
{
        static const struct silence_ops ops = {ask, unask, lost};
        struct pg_silence *s = memory_new_of(struct pg_silence);

        s->loop = l;
        s->params = p;
        s->link = k;
        s->pid = PQbackendPID(pg_link_conn(k));
        s->silence =
                (struct silence){.events = *events, .context = context, .ops = ops, .engine = s};
        task_init(&s->end, run_end, s);
        silence_init(&s->silence, l, limit);
        return s;
}

struct pg_silence *pg_silence_free(struct pg_silence *s)
{
        if (!s)
                return NULL;
        silence_done(&s->silence);
        task_cancel(s->loop, &s->end);
        pg_link_free(s->second);
        free(s);
        return NULL;
}

void pg_silence_heard(struct pg_silence *s)
{
        if (s)
                silence_heard(&s->silence);
}

void pg_silence_limit(struct pg_silence *s, int64_t limit)
{
        if (s)
                silence_limit(&s->silence, limit);
}
