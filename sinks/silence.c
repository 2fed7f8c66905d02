#include "sinks/silence.h"

#include <stdio.h>

#define ANSWER_LIMIT (20 * SECOND) /* of the second; a link gives up connecting before */
#define LOOKS 4                    /* within the limit */
#define LOOK_MAX (5 * SECOND)

static double quiet_seconds(const struct silence *s)
{
        return (double)(loop_now(s->loop) - s->heard) / SECOND;
}

static void end_asking(struct silence *s)
{
        if (!s->asking)
                return;
        s->asking = false;
        s->ops.unask(s->engine);
}

static void lose(struct silence *s, const char *why)
{
        struct error e = ERROR_INIT;

        error_set(&e, ERROR_RETRY,
                "target: no answer for %.1f s, and %s: the connection is given up",
                quiet_seconds(s), why);
        end_asking(s);
        s->ops.lost(s->engine, &e);
}

void silence_heard(struct silence *s)
{
        s->heard = loop_now(s->loop);
        s->told = false;
        end_asking(s);
}

static void ask(struct silence *s)
{
        s->asking = true;
        s->asked = loop_now(s->loop);
        s->ops.ask(s->engine);
}

static void look(struct silence *s)
{
        int64_t now = loop_now(s->loop);

        if (!s->events.owes(s->context)) {
                silence_heard(s);
                return;
        }
        if (s->asking && now - s->asked > ANSWER_LIMIT)
                lose(s, "a second connection has none either");
        else if (!s->asking && now - s->heard >= s->limit &&
                 (!s->told || now - s->asked >= s->limit))
                ask(s);
}

static void set_timer(struct silence *s)
{
        int64_t delay = s->limit / LOOKS;

        if (delay > 0)
                timer_set(&s->timer, delay < LOOK_MAX ? delay : LOOK_MAX);
}

static void on_timer(void *context)
{
        struct silence *s = context;

        set_timer(s);
        look(s);
}

void silence_answer(struct silence *s, bool works, const char *what)
{
        char text[400];
        bool tell = works && !s->told;

        if (!s->asking)
                return;
        if (!works) {
                lose(s, what);
                return;
        }
        end_asking(s);
        s->told = true;
        s->asked = loop_now(s->loop);
        snprintf(text, sizeof text,
                "the target has not answered for %.1f s, but works on it (%s): waiting",
                quiet_seconds(s), what);
        if (tell)
                s->events.waits(s->context, text);
}

void silence_fails(struct silence *s, const struct error *e)
{
        char why[500];

        snprintf(why, sizeof why, "a second connection fails (%.400s)", e->message);
        silence_answer(s, false, why);
}

void silence_limit(struct silence *s, int64_t limit)
{
        if (s->limit == limit)
                return;
        s->limit = limit;
        timer_cancel(&s->timer);
        set_timer(s);
}

void silence_init(struct silence *s, struct loop *l, int64_t limit)
{
        s->loop = l;
        s->limit = limit;
        timer_init(&s->timer, l, on_timer, s);
        s->heard = loop_now(l);
        set_timer(s);
}

void silence_done(struct silence *s)
{
        timer_cancel(&s->timer);
        end_asking(s);
}
