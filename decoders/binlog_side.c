#include "decoders/binlog_side.h"
#include "base/memory.h"
#include "decoders/binlog_identity.h"
#include "decoders/binlog_logs.h"

#include <stdlib.h>
#include <string.h>

struct binlog_side {
        struct loop *loop;
        const struct my_params *params;
        int64_t interval, held;
        char *base;
        struct position acknowledged;
        struct binlog_side_events events;
        void *context;
        struct my_link *link;
        bool up, polling;
        unsigned marks_wanted, marks_sent;
        struct position mark; /* of the batch that is being answered */
        struct error mark_error;
        struct timer poll;
};

static void close_link(struct binlog_side *s)
{
        s->link = my_link_free(s->link);
        s->up = s->polling = false;
        s->marks_wanted = s->marks_sent = 0;
}

static void send(
        struct binlog_side *s, const char *more, my_link_answer *answer, my_link_done *done)
{
        AUTO_BUF sql = BUF_INIT;
        MYSQL *c = my_link_conn(s->link);

        buf_str(&sql, binlog_status_sql(my_engine(c), my_version(c)));
        buf_str(&sql, more);
        my_link_batch(s->link, &sql, answer, done, s);
}

/* ---- marks ---- */

static void on_mark(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows)
{
        struct binlog_side *s = context;

        (void)statement;
        (void)found;
        error_clear(&s->mark_error);
        binlog_status_read(rows, NULL, 0, &s->mark, &s->mark_error);
}

static void on_mark_done(void *context, unsigned answered, const struct error *e)
{
        struct binlog_side *s = context;
        struct error why = answered ? s->mark_error : *e;

        s->marks_wanted--;
        s->marks_sent--;
        s->events.marked(s->context, why.class == ERROR_NONE ? s->mark : POSITION_NONE, &why);
}

/* The end of the log. The stream gets there without more being written: it has every event up to
 * the end, and heartbeats tell the position behind what is not sent to it. */
static void send_marks(struct binlog_side *s)
{
        for (; s->up && s->marks_sent < s->marks_wanted; s->marks_sent++)
                send(s, "", on_mark, on_mark_done);
}

/* ---- what is held ---- */

static void on_poll_answer(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows)
{
        struct binlog_side *s = context;
        struct binlog_logs logs = {0};
        struct position end;
        struct error ignored = ERROR_INIT;

        (void)found;
        if (statement == 0) {
                if (binlog_status_read(rows, NULL, 0, &end, &ignored) == 0)
                        s->events.log_end(s->context, end);
                return;
        }
        if (rows)
                binlog_logs_read(&logs, rows, s->base);
        s->held = binlog_logs_held(&logs, s->acknowledged);
        binlog_logs_done(&logs);
}

static void on_poll_done(void *context, unsigned answered, const struct error *e)
{
        struct binlog_side *s = context;

        (void)e; /* the next poll asks again */
        s->polling = false;
        if (answered < 2)
                s->held = -1;
}

static void send_poll(struct binlog_side *s)
{
        if (!s->up || s->polling)
                return;
        s->polling = true;
        send(s, "; SHOW BINARY LOGS", on_poll_answer, on_poll_done);
}

/* ---- the connection ---- */

static void on_up(void *context)
{
        struct binlog_side *s = context;

        s->up = true;
        send_marks(s);
        if (timer_pending(&s->poll))
                send_poll(s);
}

static void on_down(void *context, const struct error *e)
{
        struct binlog_side *s = context;
        struct error copy = *e;
        unsigned marks = s->marks_wanted;

        close_link(s);
        s->held = -1;
        while (marks--)
                s->events.marked(s->context, POSITION_NONE, &copy);
}

static void need_link(struct binlog_side *s)
{
        static const struct my_link_events events = {on_up, on_down};

        if (!s->link)
                s->link = my_link_new(s->loop, s->params, &events, s);
}

static void on_poll(void *context)
{
        struct binlog_side *s = context;

        timer_set(&s->poll, s->interval);
        need_link(s);
        send_poll(s);
}

struct binlog_side *binlog_side_new(struct loop *l, const struct my_params *p, int64_t interval,
        const struct binlog_side_events *events, void *context)
{
        struct binlog_side *s = memory_new_of(struct binlog_side);

        s->loop = l;
        s->params = p;
        s->interval = interval;
        s->held = -1;
        s->events = *events;
        s->context = context;
        timer_init(&s->poll, l, on_poll, s);
        return s;
}

struct binlog_side *binlog_side_free(struct binlog_side *s)
{
        if (!s)
                return NULL;
        binlog_side_stop(s);
        free(s->base);
        free(s);
        return NULL;
}

void binlog_side_start(struct binlog_side *s, const char *base, struct position acknowledged)
{
        free(s->base);
        s->base = memory_string(base);
        s->acknowledged = acknowledged;
        if (!timer_pending(&s->poll))
                timer_set(&s->poll, 0);
}

void binlog_side_stop(struct binlog_side *s)
{
        timer_cancel(&s->poll);
        close_link(s);
}

void binlog_side_mark(struct binlog_side *s)
{
        s->marks_wanted++;
        need_link(s);
        send_marks(s);
}

void binlog_side_acknowledge(struct binlog_side *s, struct position p)
{
        s->acknowledged = p;
}

int64_t binlog_side_held(const struct binlog_side *s)
{
        return s->held;
}
