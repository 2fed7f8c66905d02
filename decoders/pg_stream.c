/*
 * PostgreSQL source: streams a logical slot through pgoutput on a replication connection.
 *
 * Streaming replication protocol: PostgreSQL documentation, "Streaming Replication Protocol".
 *   from the server  'w' start LSN, end of log, time, payload | 'k' end of log, time, reply wanted
 *   to the server    'r' written, flushed, applied, time, reply wanted
 *
 * The walsender ends a connection that does not answer for wal_sender_timeout, so status goes out
 * unprompted every third of it (10 s at most), also while nothing is read: it does not depend on
 * seeing the server's requests.
 */
#include "base/memory.h"
#include "db/pg_link.h"
#include "db/pg_slot.h"
#include "decoders/pg_side.h"
#include "decoders/pgoutput.h"
#include "decoders/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_INTERVAL (10 * SECOND)
#define ACK_INTERVAL (1 * SECOND)
/* Inside a long transaction of tables that are not published a walsender may say nothing for
 * minutes, and answers a request only when it looks; a peer that is gone is TCP's to notice. */
#define SILENCE_LIMIT (300 * SECOND)
#define EPOCH_2000 (INT64_C(946684800) * SECOND)

struct source {
        struct loop *loop;
        struct source_events events;
        void *context;
        uint64_t piece_bytes;
        char *slot, *publication;
        struct pg_params *stream_params, *side_params;

        struct pg_link *link;
        struct pgoutput *decoder;
        struct source_identity identity;
        struct position from, received, log_end, acknowledged, told;
        bool streaming, reading;
        int64_t status_interval, heard_at;
        struct timer status, ack, watch;
        struct task pump;

        struct pg_side *side;
};

static void fail(struct source *s, const struct error *e)
{
        if (s->link)
                pg_link_fail(s->link, e);
}

/* ---- status to the server ---- */

static void send_status(struct source *s, bool want_reply)
{
        AUTO_BUF b = BUF_INIT;
        PGconn *c;

        if (!s->streaming)
                return;
        c = pg_link_conn(s->link);
        buf_char(&b, 'r');
        buf_u64(&b, s->received.lsn);
        buf_u64(&b, s->acknowledged.lsn);
        buf_u64(&b, s->acknowledged.lsn);
        buf_u64(&b, (uint64_t)(loop_wall(s->loop) - EPOCH_2000));
        buf_char(&b, want_reply);
        if (PQputCopyData(c, b.data, (int)b.len) != 1) {
                struct error e = ERROR_INIT;

                pg_error(&e, c, NULL, "source");
                e.class = ERROR_RETRY;
                fail(s, &e);
                return;
        }
        s->told = s->acknowledged;
        timer_set(&s->status, s->status_interval);
        pg_link_flush(s->link);
}

static void on_status_due(void *context)
{
        send_status(context, false);
}

static void on_ack_due(void *context)
{
        struct source *s = context;

        if (position_compare(s->told, s->acknowledged) < 0)
                send_status(s, false);
}

/* Silence is asked about at half the limit, and is a lost connection at the limit. While we do not
 * read there is nothing to hear. */
static void on_watch(void *context)
{
        struct source *s = context;
        int64_t silent = loop_now(s->loop) - s->heard_at;
        struct error e = ERROR_INIT;

        timer_set(&s->watch, SILENCE_LIMIT / 4);
        if (!s->streaming || !s->reading)
                return;
        if (silent >= SILENCE_LIMIT) {
                error_set(
                        &e, ERROR_RETRY, "source: no word for %d s", (int)(SILENCE_LIMIT / SECOND));
                fail(s, &e);
        } else if (silent >= SILENCE_LIMIT / 2) {
                send_status(s, true);
        }
}

/* ---- messages from the server ---- */

static int on_payload(struct source *s, struct reader *in, struct error *e)
{
        struct position start = {.lsn = reader_u64(in)};
        struct position end = {.lsn = reader_u64(in)};

        reader_u64(in);
        if (!reader_ok(in))
                return error_set(e, ERROR_DATA, "source: truncated replication message");
        s->received = position_max(s->received, start);
        s->log_end = position_max(s->log_end, end);
        return pgoutput_message(s->decoder, in->at, reader_left(in), e);
}

/* A keepalive's position is where the walsender has read to: all that committed before has been
 * sent. Inside a transaction's messages it says nothing about that transaction. */
static int on_keepalive(struct source *s, struct reader *in, struct error *e)
{
        struct position end = {.lsn = reader_u64(in)};
        bool reply;

        reader_u64(in);
        reply = reader_u8(in);
        if (!reader_done(in))
                return error_set(e, ERROR_DATA, "source: truncated keepalive");
        s->received = position_max(s->received, end);
        s->log_end = position_max(s->log_end, end);
        if (pgoutput_idle(s->decoder))
                s->events.passed(s->context, end, s->log_end);
        if (reply && s->streaming)
                send_status(s, false);
        return 0;
}

static int on_message(struct source *s, const char *data, int len, struct error *e)
{
        struct reader in = reader_of(data, (size_t)len);

        switch (reader_u8(&in)) {
        case 'w':
                return on_payload(s, &in, e);
        case 'k':
                return on_keepalive(s, &in, e);
        default:
                return error_set(e, ERROR_DATA,
                        "source: replication message of unknown kind 0x%02x",
                        len ? (unsigned)(uint8_t)*data : 0u);
        }
}

static void stream_ended(struct source *s)
{
        struct error e = ERROR_INIT;
        AUTO_RESULT r = PQgetResult(pg_link_conn(s->link));

        if (r && PQresultStatus(r) == PGRES_FATAL_ERROR)
                pg_error(&e, pg_link_conn(s->link), r, "source");
        else
                error_set(&e, ERROR_RETRY, "source: the server ended the stream");
        fail(s, &e);
}

/* Takes what libpq has in its buffer, until there is nothing whole left or reading is stopped. */
static void pump(void *context)
{
        struct source *s = context;

        while (s->streaming && s->reading) {
                struct error e = ERROR_INIT;
                char *data = NULL;
                int n = PQgetCopyData(pg_link_conn(s->link), &data, 1);
                int rc;

                if (n == 0)
                        return;
                if (n < 0) {
                        s->streaming = false;
                        stream_ended(s);
                        return;
                }
                s->heard_at = loop_now(s->loop);
                rc = on_message(s, data, n, &e);
                PQfreemem(data);
                if (rc < 0) {
                        s->streaming = false;
                        fail(s, &e);
                        return;
                }
        }
}

/* ---- start ---- */

static void on_stream(void *context, PGresult *r, const struct error *e)
{
        struct source *s = context;

        if (!r) {
                fail(s, e);
                return;
        }
        pg_link_raw(s->link, pump);
        s->streaming = true;
        s->heard_at = loop_now(s->loop);
        pg_link_read(s->link, s->reading);
        send_status(s, false);
        timer_set(&s->watch, SILENCE_LIMIT / 4);
        s->events.ready(s->context);
        s->events.passed(s->context, s->from, s->log_end);
        loop_defer(s->loop, &s->pump);
}

/* pgoutput's protocol: 1 before 14, 2 for 14, 3 for 15, 4 from 16 on. Options of later versions
 * (streaming, two_phase, binary) are not asked for. */
static int protocol_of(int server_version)
{
        if (server_version >= 160000)
                return 4;
        if (server_version >= 150000)
                return 3;
        return server_version >= 140000 ? 2 : 1;
}

static void start_stream(struct source *s)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_BUF names = BUF_INIT;
        char text[POSITION_TEXT];
        int version = PQserverVersion(pg_link_conn(s->link));

        buf_str(&sql, "START_REPLICATION SLOT ");
        pg_ident(&sql, s->slot);
        buf_printf(&sql, " LOGICAL %s (proto_version '%d', publication_names ",
                position_format(s->from, text), protocol_of(version));
        pg_ident(&names, s->publication);
        pg_literal(&sql, buf_text(&names));
        if (version >= 140000)
                buf_str(&sql, ", messages 'true'");
        buf_str(&sql, ")");
        pg_link_query(s->link, on_stream, s, buf_text(&sql), 0, NULL);
}

static void on_timeout_known(void *context, PGresult *r, const struct error *e)
{
        struct source *s = context;
        int64_t timeout;

        if (!r) {
                fail(s, e);
                return;
        }
        timeout = strtoll(pg_text(r, 0, 0), NULL, 10) * MILLISECOND;
        s->status_interval = STATUS_INTERVAL;
        if (timeout > 0 && timeout / 3 < STATUS_INTERVAL)
                s->status_interval = timeout / 3;
        start_stream(s);
}

static int check_slot(struct source *s, PGresult *r, struct error *e)
{
        struct position confirmed;
        char text[POSITION_TEXT];

        if (PQntuples(r) == 0)
                return error_set(
                        e, ERROR_DATA, "resync required: slot %s is gone from the source", s->slot);
        if (strcmp(pg_text(r, 0, 0), "pgoutput") != 0 || !pg_true(r, 0, 4))
                return error_set(e, ERROR_DATA,
                        "resync required: slot %s is not a pgoutput slot of this database",
                        s->slot);
        if (pg_slot_usable(s->slot, pg_text(r, 0, 1), pg_text(r, 0, 5), e) < 0)
                return -1;
        if (position_parse(&confirmed, pg_text(r, 0, 2), e) < 0)
                return -1;
        /* The server would begin at confirmed_flush_lsn without a word (HAZARDS A5). */
        if (position_compare(confirmed, s->from) > 0)
                return error_set(e, ERROR_DATA,
                        "resync required: transactions between the checkpoint %s and slot %s at %s "
                        "exist neither here nor on the source",
                        position_format(s->from, text), s->slot, pg_text(r, 0, 2));
        return 0;
}

static void on_slot(void *context, PGresult *r, const struct error *why)
{
        struct source *s = context;
        struct error e = ERROR_INIT;

        if (!r) {
                fail(s, why);
                return;
        }
        if (check_slot(s, r, &e) < 0) {
                fail(s, &e);
                return;
        }
        pg_link_query(s->link, on_timeout_known, s,
                "select setting from pg_catalog.pg_settings where name = 'wal_sender_timeout'", 0,
                NULL);
}

/* A source that was put back to an older state of itself uses the same positions again; what they
 * name now would be skipped. */
static int check_log(const struct source *s, const char *log_end, struct error *e)
{
        char text[POSITION_TEXT];

        if (position_compare(s->log_end, s->from) >= 0)
                return 0;
        return error_set(e, ERROR_DATA,
                "resync required: the source's log ends at %s, before the checkpoint %s: it was "
                "put back to an older state",
                log_end, position_format(s->from, text));
}

/* Whether a promoted standby has all that the target has, is for the start to find out, before
 * positions of its timeline are stored. */
static int check_identity(
        const struct source *s, const struct source_identity *now, struct error *e)
{
        if (pg_slot_server_ready(pg_link_conn(s->link), e) < 0)
                return -1;
        if (identity_check(&s->identity, now, e) == 0)
                return 0;
        if (!strcmp(now->system, s->identity.system) && now->timeline > s->identity.timeline)
                snprintf(e->code, sizeof e->code, "%s", IDENTITY_OTHER_CODE);
        return -1;
}

static void on_identified(void *context, PGresult *r, const struct error *why)
{
        struct source *s = context;
        struct source_identity now = {0};
        struct error e = ERROR_INIT;
        AUTO_BUF sql = BUF_INIT;

        if (!r) {
                fail(s, why);
                return;
        }
        snprintf(now.system, sizeof now.system, "%s", pg_text(r, 0, 0));
        now.timeline = (uint32_t)strtoul(pg_text(r, 0, 1), NULL, 10);
        snprintf(now.slot, sizeof now.slot, "%s", s->slot);
        if (position_parse(&s->log_end, pg_text(r, 0, 2), &e) < 0 ||
                check_identity(s, &now, &e) < 0) {
                fail(s, &e);
                return;
        }
        if (check_log(s, pg_text(r, 0, 2), &e) < 0) {
                fail(s, &e);
                return;
        }
        buf_str(&sql, "select plugin, wal_status, confirmed_flush_lsn, active_pid, database = "
                      "pg_catalog.current_database(), " PG_SLOT_REASON
                      " from pg_catalog.pg_replication_slots s where "
                      "slot_type = 'logical' and slot_name = ");
        pg_literal(&sql, s->slot);
        pg_link_query(s->link, on_slot, s, buf_text(&sql), 0, NULL);
}

static void on_up(void *context)
{
        struct source *s = context;

        pg_link_query(s->link, on_identified, s, "IDENTIFY_SYSTEM", 0, NULL);
}

static void close_stream(struct source *s)
{
        s->streaming = false;
        timer_cancel(&s->status);
        timer_cancel(&s->ack);
        timer_cancel(&s->watch);
        task_cancel(s->loop, &s->pump);
        s->link = pg_link_free(s->link);
        s->decoder = pgoutput_free(s->decoder);
}

static void on_down(void *context, const struct error *e)
{
        struct source *s = context;
        struct error copy = *e;

        close_stream(s);
        s->events.failed(s->context, &copy);
}

/* ---- the side connection ---- */

static void on_marked(void *context, struct position p, const struct error *e)
{
        struct source *s = context;

        s->events.marked(s->context, p, e);
}

static void on_log_end(void *context, struct position p)
{
        struct source *s = context;

        s->log_end = position_max(s->log_end, p);
}

/* ---- the table ---- */

static void pg_stream_stop(struct source *s)
{
        if (s->streaming)
                send_status(s, false); /* the last acknowledgement, if the socket takes it */
        close_stream(s);
        pg_side_rest(s->side);
}

static void pg_stream_watch(
        struct source *s, const struct source_identity *identity, struct position from)
{
        (void)identity;
        (void)from; /* the slot knows */
        pg_side_start(s->side);
}

static struct source *pg_stream_destroy(struct source *s)
{
        if (!s)
                return NULL;
        if (s->side)
                pg_stream_stop(s);
        pg_side_free(s->side);
        pg_params_free(s->stream_params);
        pg_params_free(s->side_params);
        free(s->slot);
        free(s->publication);
        free(s);
        return NULL;
}

static struct source *pg_stream_create(struct loop *l, const struct config *c,
        const struct source_limits *limits, const struct source_events *events, void *context,
        struct error *e)
{
        static const struct pg_side_events side = {on_marked, on_log_end};
        AUTO_STRING name = memory_printf("culvert %s", c->pipeline.name);
        struct source *s = memory_new_of(struct source);

        s->loop = l;
        s->events = *events;
        s->context = context;
        s->piece_bytes = limits->piece_bytes;
        s->slot = memory_string(c->pg.slot);
        s->publication = memory_string(c->pg.publication);
        s->reading = true;
        timer_init(&s->status, l, on_status_due, s);
        timer_init(&s->ack, l, on_ack_due, s);
        timer_init(&s->watch, l, on_watch, s);
        task_init(&s->pump, pump, s);
        s->stream_params = pg_params_new(&c->source, "source", name, true, e);
        s->side_params = pg_params_new(&c->source, "source", name, false, e);
        if (!s->stream_params || !s->side_params)
                return pg_stream_destroy(s);
        s->side = pg_side_new(l, s->side_params, s->slot, c->pg.heartbeat, &side, s);
        return s;
}

static void pg_stream_start(struct source *s, const struct source_identity *identity,
        struct position from, const char *gtids, struct position durable)
{
        static const struct pg_link_events events = {on_up, on_down};
        const struct pgoutput_events decoded = {s->events.relation, s->events.piece};

        (void)gtids;
        close_stream(s);
        s->identity = *identity;
        s->from = s->received = from;
        s->acknowledged = s->told = durable;
        s->decoder = pgoutput_new(s->piece_bytes, &decoded, s->context);
        s->link = pg_link_new(s->loop, s->stream_params, &events, s);
        pg_side_start(s->side);
}

static void pg_stream_read(struct source *s, bool wanted)
{
        if (s->reading == wanted)
                return;
        s->reading = wanted;
        if (!s->streaming)
                return;
        s->heard_at = loop_now(s->loop);
        pg_link_read(s->link, wanted);
        if (wanted)
                loop_defer(s->loop, &s->pump);
}

static void pg_stream_acknowledge(struct source *s, struct position p)
{
        if (position_compare(p, s->acknowledged) <= 0)
                return;
        s->acknowledged = p;
        if (!timer_pending(&s->ack))
                timer_set(&s->ack, ACK_INTERVAL);
}

static void pg_stream_mark(struct source *s)
{
        pg_side_mark(s->side);
}

static const struct source_retention *pg_stream_retention(const struct source *s)
{
        return pg_side_retention(s->side);
}

static bool pg_stream_connected(const struct source *s)
{
        return s->streaming;
}

const struct source_ops pg_stream_ops = {
        .kind = KIND_POSTGRESQL,
        .create = pg_stream_create,
        .destroy = pg_stream_destroy,
        .start = pg_stream_start,
        .stop = pg_stream_stop,
        .watch = pg_stream_watch,
        .read = pg_stream_read,
        .acknowledge = pg_stream_acknowledge,
        .mark = pg_stream_mark,
        .retention = pg_stream_retention,
        .connected = pg_stream_connected,
};
