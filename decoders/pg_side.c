#include "decoders/pg_side.h"
#include "base/memory.h"
#include "db/pg_slot.h"

#include <math.h>
#include <stdlib.h>

#define REST 3 /* intervals between two looks while nothing streams */

struct pg_side {
        struct loop *loop;
        const struct pg_params *params;
        char *slot;
        int64_t interval;
        struct source_retention retention;
        struct pg_side_events events;
        void *context;
        struct pg_link *link;
        bool up, asked, resting; /* asked: the poll's answer is still to come */
        unsigned marks_wanted, marks_sent;
        struct timer poll;
};

static void close_link(struct pg_side *s)
{
        s->link = pg_link_free(s->link);
        s->up = s->asked = false;
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

/* ---- what is held ---- */

/* safe_wal_size is what may still be written until the slot is lost, and no number where nothing
 * limits it; it came with 13. A slot that is in use does not age; inactive_since came with 17, the
 * timeout with 18. */
enum { HELD, LOG_END, WAL_STATUS, REASON, SAFE, IDLE, TIMEOUT };

#define POLL_SQL                                                                                   \
        "select pg_catalog.pg_wal_lsn_diff(l, s.restart_lsn)::bigint, l, "                         \
        "s.wal_status, " PG_SLOT_REASON ", pg_catalog.to_jsonb(s) ->> 'safe_wal_size',"            \
        " case when s.active_pid is null then pg_catalog.date_part('epoch',"                       \
        "  pg_catalog.clock_timestamp() -"                                                         \
        "  (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz) end,"                       \
        " pg_catalog.date_part('epoch',"                                                           \
        "  pg_catalog.current_setting('idle_replication_slot_timeout', true)::interval)"           \
        " from pg_catalog.pg_replication_slots s, pg_catalog.pg_current_wal_lsn() l"               \
        " where s.slot_name = $1"

static int64_t number(const PGresult *r, int column, int64_t unknown)
{
        const char *text = pg_text(r, 0, column);

        return *text ? strtoll(text, NULL, 10) : unknown;
}

static double seconds(const PGresult *r, int column, double unknown)
{
        const char *text = pg_text(r, 0, column);
        double v = *text ? strtod(text, NULL) : unknown;

        return isfinite(v) ? v : unknown;
}

static void take_slot(struct pg_side *s, const PGresult *r, struct position end)
{
        struct source_retention *to = &s->retention;
        int64_t safe = number(r, SAFE, INT64_MIN);

        to->asked = loop_now(s->loop);
        to->held = number(r, HELD, -1);
        to->written = end.lsn;
        to->limit = "max_slot_wal_keep_size";
        to->clock = "idle_replication_slot_timeout";
        if (to->held >= 0 && safe != INT64_MIN) {
                to->used = to->held;
                if (__builtin_add_overflow(to->held, safe, &to->allowed))
                        to->allowed = INT64_MAX;
                if (to->allowed < 0)
                        to->allowed = 0;
        }
        to->expiry = seconds(r, TIMEOUT, 0);
        to->age = to->expiry > 0 ? seconds(r, IDLE, -1) : -1;
        pg_slot_usable(s->slot, pg_text(r, 0, WAL_STATUS), pg_text(r, 0, REASON), &to->lost);
}

static void on_slot(void *context, PGresult *r, const struct error *e)
{
        struct pg_side *s = context;
        struct error ignored = ERROR_INIT;
        struct position end;

        (void)e; /* the next poll asks again */
        s->asked = false;
        s->retention = SOURCE_RETENTION_UNKNOWN;
        if (!r || PQntuples(r) == 0 || PQnfields(r) <= TIMEOUT ||
                position_parse(&end, pg_text(r, 0, LOG_END), &ignored) < 0)
                return;
        take_slot(s, r, end);
        s->events.log_end(s->context, end);
}

static void look(struct pg_side *s)
{
        const char *slot = s->slot;

        if (!s->up || s->asked)
                return;
        s->asked = true;
        pg_link_query(s->link, on_slot, s, POLL_SQL, 1, &slot);
}

/* ---- the connection ---- */

static void on_up(void *context)
{
        struct pg_side *s = context;

        s->up = true;
        send_marks(s);
        if (timer_pending(&s->poll))
                look(s);
}

static void on_down(void *context, const struct error *e)
{
        struct pg_side *s = context;
        struct error copy = *e;
        unsigned marks = s->marks_wanted;

        close_link(s);
        s->retention = SOURCE_RETENTION_UNKNOWN;
        while (marks--)
                s->events.marked(s->context, POSITION_NONE, &copy);
}

static void need_link(struct pg_side *s)
{
        static const struct pg_link_events events = {on_up, on_down};

        if (!s->link)
                s->link = pg_link_new(s->loop, s->params, &events, s);
}

static void on_poll(void *context)
{
        struct pg_side *s = context;

        timer_set(&s->poll, s->resting ? s->interval * REST : s->interval);
        need_link(s);
        look(s);
}

struct pg_side *pg_side_new(struct loop *l, const struct pg_params *p, const char *slot,
        int64_t interval, const struct pg_side_events *events, void *context)
{
        struct pg_side *s = memory_new_of(struct pg_side);

        s->loop = l;
        s->params = p;
        s->slot = memory_string(slot);
        s->interval = interval;
        s->retention = SOURCE_RETENTION_UNKNOWN;
        s->events = *events;
        s->context = context;
        timer_init(&s->poll, l, on_poll, s);
        return s;
}

struct pg_side *pg_side_free(struct pg_side *s)
{
        if (!s)
                return NULL;
        timer_cancel(&s->poll);
        close_link(s);
        free(s->slot);
        free(s);
        return NULL;
}

void pg_side_start(struct pg_side *s)
{
        if (s->resting) /* a slot that was lost before a new copy is another one now */
                s->retention = SOURCE_RETENTION_UNKNOWN;
        if (s->resting || !timer_pending(&s->poll))
                timer_set(&s->poll, 0);
        s->resting = false;
}

void pg_side_rest(struct pg_side *s)
{
        close_link(s);
        s->resting = true;
        if (timer_pending(&s->poll))
                timer_set(&s->poll, s->interval * REST);
}

void pg_side_mark(struct pg_side *s)
{
        s->marks_wanted++;
        need_link(s);
        send_marks(s);
}

const struct source_retention *pg_side_retention(const struct pg_side *s)
{
        return &s->retention;
}
