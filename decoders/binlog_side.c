#include "decoders/binlog_side.h"
#include "base/memory.h"
#include "decoders/binlog_identity.h"
#include "decoders/binlog_keep.h"
#include "decoders/binlog_logs.h"

#include <stdlib.h>
#include <string.h>

#define REST 3 /* intervals between two looks while nothing streams */

struct binlog_side {
        struct loop *loop;
        const struct my_params *params;
        int64_t interval;
        struct source_identity identity; /* whose files they are */
        struct position acknowledged;
        struct source_retention retention;
        struct binlog_keep keep;
        struct binlog_side_events events;
        void *context;
        struct my_link *link;
        bool up, polling, resting;
        struct look {                         /* answers of the poll that is under way */
                struct position acknowledged; /* when it was sent */
                struct binlog_logs logs;
                int64_t now;    /* of the server's clock, in seconds */
                bool is_theirs; /* another server answered */
        } look;
        struct position counted; /* end of the log up to where its bytes are counted */
        uint64_t written;
        unsigned marks_wanted, marks_sent;
        struct position mark; /* of the batch that is being answered */
        struct error mark_error;
        struct timer poll;
};

static void close_link(struct binlog_side *s)
{
        s->link = my_link_free(s->link);
        binlog_logs_done(&s->look.logs);
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

static void take_server(struct look *look, MYSQL_RES *rows, const char *system)
{
        MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;

        look->is_theirs = !row || !row[0] || strcmp(row[0], system) != 0;
}

static void take_clock(struct look *look, MYSQL_RES *rows)
{
        MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;

        look->now = row && row[0] ? strtoll(row[0], NULL, 10) : 0;
}

static void take_variables(struct binlog_keep *k, MYSQL_RES *rows)
{
        MYSQL_ROW row;

        binlog_keep_begin(k);
        while (rows && mysql_num_fields(rows) >= 2 && (row = mysql_fetch_row(rows)))
                if (row[0] && row[1])
                        binlog_keep_variable(k, row[0], row[1]);
}

enum { STATUS, SERVER, CLOCK, VARIABLES, LOGS, ANSWERS };

static void on_poll_answer(void *context, unsigned statement, uint64_t found, MYSQL_RES *rows)
{
        struct binlog_side *s = context;
        struct error ignored = ERROR_INIT;
        struct position end;

        (void)found;
        switch (statement) {
        case STATUS:
                if (binlog_status_read(rows, NULL, 0, &end, &ignored) == 0)
                        s->events.log_end(s->context, end);
                break;
        case SERVER:
                take_server(&s->look, rows, s->identity.system);
                break;
        case CLOCK:
                take_clock(&s->look, rows);
                break;
        case VARIABLES:
                take_variables(&s->keep, rows);
                break;
        case LOGS:
                if (rows)
                        binlog_logs_read(&s->look.logs, rows, s->identity.slot);
                break;
        }
}

/* Positions are no numbers of bytes: what came since the last look is counted. */
static void count_written(struct binlog_side *s)
{
        const struct binlog_logs *logs = &s->look.logs;
        struct position end = {0};

        if (logs->n)
                end = (struct position){
                        .file = logs->log[logs->n - 1].file, .lsn = logs->log[logs->n - 1].size};
        if (position_compare(end, s->counted) < 0)
                s->written = 0;
        else if (!position_is_none(s->counted))
                s->written += (uint64_t)binlog_logs_held(logs, s->counted);
        s->counted = end;
}

/* What is missing is missing for a stream that begins; one that has read on does not need it. */
static void take_look(struct binlog_side *s)
{
        const struct binlog_logs *logs = &s->look.logs;
        struct position from = s->look.acknowledged;
        struct source_retention *to = &s->retention;

        count_written(s);
        if (logs->n)
                binlog_keep_look(&s->keep, logs->log[logs->n - 1].file, s->look.now);
        binlog_keep_forget(&s->keep, from.file);
        to->asked = loop_now(s->loop);
        to->written = s->written;
        binlog_keep_say(&s->keep, logs, from, s->look.now, to);
        binlog_logs_check(logs, s->identity.slot, from, &to->lost);
}

static void on_poll_done(void *context, unsigned answered, const struct error *e)
{
        struct binlog_side *s = context;

        (void)e; /* the next poll asks again */
        s->polling = false;
        s->retention = SOURCE_RETENTION_UNKNOWN;
        if (answered == ANSWERS && !s->look.is_theirs && s->look.now > 0)
                take_look(s);
        binlog_logs_done(&s->look.logs);
}

static void send_poll(struct binlog_side *s)
{
        AUTO_BUF more = BUF_INIT;

        if (!s->up || s->polling)
                return;
        s->polling = true;
        s->look.acknowledged = s->acknowledged;
        buf_printf(&more, "; %s; SELECT unix_timestamp(); " BINLOG_KEEP_SQL "; SHOW BINARY LOGS",
                binlog_system_sql(my_engine(my_link_conn(s->link))));
        send(s, buf_text(&more), on_poll_answer, on_poll_done);
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
        s->retention = SOURCE_RETENTION_UNKNOWN;
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

        timer_set(&s->poll, s->resting ? s->interval * REST : s->interval);
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
        s->retention = SOURCE_RETENTION_UNKNOWN;
        s->events = *events;
        s->context = context;
        timer_init(&s->poll, l, on_poll, s);
        return s;
}

struct binlog_side *binlog_side_free(struct binlog_side *s)
{
        if (!s)
                return NULL;
        timer_cancel(&s->poll);
        close_link(s);
        free(s);
        return NULL;
}

void binlog_side_start(
        struct binlog_side *s, const struct source_identity *identity, struct position acknowledged)
{
        if (strcmp(s->identity.system, identity->system) != 0 ||
                strcmp(s->identity.slot, identity->slot) != 0) {
                binlog_keep_clear(&s->keep);
                s->counted = POSITION_NONE;
                s->look.acknowledged = acknowledged;
                s->retention = SOURCE_RETENTION_UNKNOWN;
        }
        s->identity = *identity;
        s->acknowledged = acknowledged;
        if (s->resting) /* what was missing before a new copy is not missing now */
                s->retention = SOURCE_RETENTION_UNKNOWN;
        if (s->resting || !timer_pending(&s->poll))
                timer_set(&s->poll, 0);
        s->resting = false;
}

void binlog_side_rest(struct binlog_side *s)
{
        close_link(s);
        s->resting = true;
        if (timer_pending(&s->poll))
                timer_set(&s->poll, s->interval * REST);
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

void binlog_side_opened(struct binlog_side *s, uint32_t file, int64_t at)
{
        binlog_keep_opened(&s->keep, file, at);
}

const struct source_retention *binlog_side_retention(const struct binlog_side *s)
{
        return &s->retention;
}
