#include "sinks/my_silence.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct my_silence {
        struct loop *loop;
        const struct my_params *params;
        struct my_link *link, *second; /* second: NULL while nobody is asked */
        struct silence silence;
        struct task end; /* of the second: not from inside its own callbacks */
        uint64_t connection;
};

static void run_end(void *context)
{
        struct my_silence *s = context;

        s->second = my_link_free(s->second);
}

/* Our answers are a few bytes: who writes them, or reads, waits for us. */
static bool talks(const char *command, const char *state)
{
        static const char *const states[] = {
                "Sending to client", "Writing to net", "Reading from net", "Receiving from client"};

        for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
                if (!strcmp(state, states[i]))
                        return true;
        return !strcmp(command, "Sleep");
}

static void on_activity(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows)
{
        struct my_silence *s = context;
        MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;
        const char *command = row && row[0] ? row[0] : "", *state = row && row[1] ? row[1] : "";
        char what[200];

        (void)statement;
        (void)found;
        if (!row) {
                silence_answer(&s->silence, false, "the server does not know it any more");
                return;
        }
        if (talks(command, state)) {
                silence_answer(&s->silence, false, "the server waits for us");
                return;
        }
        snprintf(what, sizeof what, "connection %" PRIu64 ": %.60s%s%.60s", s->connection, command,
                *state ? ", " : "", state);
        silence_answer(&s->silence, true, what);
}

static void on_done(void *context, unsigned answered, const struct error *e)
{
        struct my_silence *s = context;

        (void)answered;
        if (e)
                silence_fails(&s->silence, e);
}

static void on_second_up(void *context)
{
        struct my_silence *s = context;
        AUTO_BUF sql = BUF_INIT;

        buf_printf(&sql,
                "select command, state from information_schema.processlist where id = %" PRIu64,
                s->connection);
        my_link_batch(s->second, &sql, on_activity, on_done, s);
}

static void on_second_down(void *context, const struct error *e)
{
        struct my_silence *s = context;

        silence_fails(&s->silence, e);
}

static void ask(void *context)
{
        static const struct my_link_events events = {on_second_up, on_second_down};
        struct my_silence *s = context;

        task_cancel(s->loop, &s->end);
        s->second = my_link_free(s->second);
        s->second = my_link_new(s->loop, s->params, &events, s);
}

static void unask(void *context)
{
        struct my_silence *s = context;

        if (s->second)
                loop_defer(s->loop, &s->end);
}

static void lost(void *context, const struct error *e)
{
        struct my_silence *s = context;

        my_link_fail(s->link, e);
}

struct my_silence *my_silence_new(struct loop *l, const struct my_params *p, struct my_link *k,
        int64_t limit, const struct silence_events *events, void *context)
{
        static const struct silence_ops ops = {ask, unask, lost};
        struct my_silence *s = memory_new_of(struct my_silence);

        s->loop = l;
        s->params = p;
        s->link = k;
        s->connection = mysql_thread_id(my_link_conn(k));
        s->silence =
                (struct silence){.events = *events, .context = context, .ops = ops, .engine = s};
        task_init(&s->end, run_end, s);
        silence_init(&s->silence, l, limit);
        return s;
}

struct my_silence *my_silence_free(struct my_silence *s)
{
        if (!s)
                return NULL;
        silence_done(&s->silence);
        task_cancel(s->loop, &s->end);
        my_link_free(s->second);
        free(s);
        return NULL;
}

void my_silence_heard(struct my_silence *s)
{
        if (s)
                silence_heard(&s->silence);
}

void my_silence_limit(struct my_silence *s, int64_t limit)
{
        if (s)
                silence_limit(&s->silence, limit);
}
