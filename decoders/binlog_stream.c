/*
 * MySQL-family source: follows a server's binary log as a replica does.
 *
 * A thread fetches (decoders/binlog_reader.h); everything else happens on the loop: packets are
 * taken from the reader in bounded rounds and decoded (decoders/binlog.h). While reading is not
 * wanted nothing is taken, the reader's ring fills, and the server waits.
 *
 * The server sends a heartbeat when it has had nothing to send for 5 s: the header of an event and
 * the name of the file. Its position says where the server stands, also behind events that are not
 * sent to us; heartbeats are not part of the log and do not reach the decoder.
 *
 * Header of an event, 19 bytes, little-endian:
 *   time 4 | type 1 | server id 4 | length 4 | end of the event in its file 4 | flags 2
 */
#include "base/memory.h"
#include "decoders/binlog.h"
#include "decoders/binlog_gtid.h"
#include "decoders/binlog_reader.h"
#include "decoders/binlog_replica.h"
#include "decoders/binlog_side.h"
#include "decoders/binlog_state.h"
#include "decoders/source.h"

#include <stdlib.h>
#include <string.h>

#define SILENCE_LIMIT (30 * SECOND) /* six heartbeats */
#define ROUND_EVENTS 256
#define ROUND_BYTES (1024 * 1024)
#define STATUS_SIZE 1 /* in front of every event */
#define HEADER_SIZE 19
#define FORMAT_EVENT 15
#define HEARTBEAT_EVENT 27

struct source {
        struct loop *loop;
        struct source_events events;
        void *context;
        struct source_limits limits;
        char *name;
        uint32_t server_id;
        unsigned displaced; /* how often another replica had our id */
        struct my_params *params;

        struct binlog_reader *reader;
        struct binlog *decoder;
        struct binlog_state state; /* at `from` */
        struct position from, passed, log_end, acknowledged;
        struct position heartbeat;      /* what the server had to send before it has been taken */
        bool streaming, reading, fresh; /* fresh: a heartbeat has not been passed on yet */
        int64_t heard_at;
        struct timer watch;
        struct task pump, refuse;
        struct error refusal; /* of what it was asked to begin with */

        struct binlog_side *side;
};

static void close_stream(struct source *s)
{
        s->streaming = false;
        timer_cancel(&s->watch);
        task_cancel(s->loop, &s->pump);
        task_cancel(s->loop, &s->refuse);
        s->reader = binlog_reader_free(s->reader);
        s->decoder = binlog_free(s->decoder);
}

static void fail(struct source *s, const struct error *e)
{
        struct error copy = *e;

        close_stream(s);
        s->events.failed(s->context, &copy);
}

/* ---- where it begins ---- */

/* Transactions that are prepared are to be read again. */
static bool prepared(const struct source *s)
{
        return !position_is_none(s->state.since);
}

static struct position begin_position(const struct source *s)
{
        return prepared(s) ? s->state.since : s->from;
}

/* By GTID, where positions mean nothing: from the state there. NULL: by position. */
static char *begin_gtids(const struct source *s)
{
        const char *at = prepared(s) ? s->state.since_gtids : gtids_plain(s->state.gtids);

        return gtids_by_state(s->state.gtids) ? memory_printf("%c%s", GTID_BY_STATE, at) : NULL;
}

static int read_state(struct source *s, const char *text, struct error *e)
{
        binlog_state_done(&s->state);
        if (binlog_state_parse(&s->state, text, e) < 0)
                return error_context(e, "the checkpoint's state");
        if (gtids_by_state(s->state.gtids) && prepared(s) && !s->state.since_gtids)
                return error_set(e, ERROR_DATA,
                        "resync required: XA transactions are prepared since before GTIDs were "
                        "known, and on this server the stream begins by GTID");
        return 0;
}

/* ---- packets ---- */

static void begin(struct source *s)
{
        const struct binlog_begin *known = binlog_reader_begin(s->reader);
        const struct binlog_events decoded = {
                s->events.known, s->events.relation, s->events.piece, s->events.statement};
        const struct binlog_setup setup = {.engine = known->engine,
                .piece_bytes = s->limits.piece_bytes,
                .kept_bytes = s->limits.kept_bytes,
                .from = binlog_replica_start(begin_position(s)),
                .gtids = prepared(s) ? s->state.since_gtids : s->state.gtids,
                .delivered = prepared(s) ? s->from : POSITION_NONE,
                .delivered_gtids = s->state.gtids,
                .exact = gtids_by_state(s->state.gtids) ? known->log_end : POSITION_NONE,
                .lower_case = known->lower_case};

        s->decoder = binlog_new(&setup, &decoded, s->context);
        s->log_end = position_max(s->log_end, known->log_end);
        s->streaming = true;
        s->events.ready(s->context);
        s->events.passed(s->context, s->from, s->log_end);
}

static bool is_heartbeat(const uint8_t *event, size_t len)
{
        return len >= HEADER_SIZE && event[4] == HEARTBEAT_EVENT;
}

/* The name is followed by a checksum of four bytes, which may look like digits, where the log has
 * checksums. The decoder has been told which file it is; only the offset is of interest. */
static void on_heartbeat(struct source *s, const uint8_t *event)
{
        uint32_t offset = event[13] | (uint32_t)event[14] << 8 | (uint32_t)event[15] << 16 |
                          (uint32_t)event[16] << 24;

        s->heartbeat = (struct position){.file = binlog_position(s->decoder).file, .lsn = offset};
        s->fresh = true;
}

/* Its time is when the file was opened, also where the stream begins inside of it. */
static void on_format(struct source *s, const uint8_t *event)
{
        uint32_t at = event[0] | (uint32_t)event[1] << 8 | (uint32_t)event[2] << 16 |
                      (uint32_t)event[3] << 24;

        binlog_side_opened(s->side, binlog_position(s->decoder).file, at);
}

static int on_packet(struct source *s, const struct binlog_packet *p, struct error *e)
{
        const uint8_t *event = p->data + STATUS_SIZE;
        size_t len = p->len - STATUS_SIZE;

        if (!s->streaming)
                begin(s);
        if (is_heartbeat(event, len)) {
                on_heartbeat(s, event);
                return 0;
        }
        if (binlog_event(s->decoder, event, len, e) < 0)
                return -1;
        if (event[4] == FORMAT_EVENT)
                on_format(s, event);
        return 0;
}

/* Between two transactions all that commits before the decoder's position has been delivered, and
 * what the server has left out up to its heartbeat's as well. */
static void pass(struct source *s)
{
        struct position end;

        if (!s->streaming || !binlog_idle(s->decoder))
                return;
        end = position_max(binlog_position(s->decoder), s->heartbeat);
        if (!s->fresh && position_compare(end, s->passed) <= 0)
                return;
        s->fresh = false;
        s->passed = position_max(s->passed, end);
        s->log_end = position_max(s->log_end, s->passed);
        s->events.passed(s->context, s->passed, s->log_end);
}

/* One packet; whether there may be another. */
static bool take(struct source *s, size_t *bytes)
{
        struct binlog_packet p;
        struct error e = ERROR_INIT;
        int rc;

        switch (binlog_reader_take(s->reader, &p, &e)) {
        case BINLOG_NOTHING:
                return false;
        case BINLOG_ENDED:
                s->displaced += binlog_reader_displaced(s->reader);
                pass(s);
                fail(s, &e);
                return false;
        case BINLOG_PACKET:
                break;
        }
        s->heard_at = loop_now(s->loop);
        *bytes += p.len;
        rc = on_packet(s, &p, &e);
        free(p.data);
        if (rc < 0)
                fail(s, &e);
        return rc >= 0;
}

static void pump(void *context)
{
        struct source *s = context;
        size_t bytes = 0;

        for (unsigned n = 0; s->reader && s->reading; n++) {
                if (n >= ROUND_EVENTS || bytes >= ROUND_BYTES) {
                        loop_defer(s->loop, &s->pump);
                        break;
                }
                if (!take(s, &bytes))
                        break;
        }
        pass(s);
}

static void on_wake(void *context)
{
        struct source *s = context;

        loop_defer(s->loop, &s->pump);
}

/* While we do not read there is nothing to hear. A packet of a gigabyte is heard when it is whole;
 * until then the network tells. */
static void on_watch(void *context)
{
        struct source *s = context;
        int64_t silent = loop_now(s->loop) - s->heard_at, network;
        struct error e = ERROR_INIT;

        timer_set(&s->watch, SILENCE_LIMIT / 4);
        if (!s->reading || silent < SILENCE_LIMIT)
                return;
        network = binlog_reader_silence(s->reader);
        if (network >= 0 && network < SILENCE_LIMIT)
                return;
        error_set(&e, ERROR_RETRY, "source: nothing heard for %d s", (int)(SILENCE_LIMIT / SECOND));
        fail(s, &e);
}

static void refuse(void *context)
{
        struct source *s = context;

        fail(s, &s->refusal);
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

static void binlog_stream_stop(struct source *s)
{
        close_stream(s);
        binlog_side_rest(s->side);
}

static void binlog_stream_watch(
        struct source *s, const struct source_identity *identity, struct position from)
{
        binlog_side_start(s->side, identity, from);
}

static struct source *binlog_stream_destroy(struct source *s)
{
        if (!s)
                return NULL;
        if (s->side)
                binlog_stream_stop(s);
        binlog_side_free(s->side);
        my_params_free(s->params);
        free(s->name);
        binlog_state_done(&s->state);
        free(s);
        return NULL;
}

static struct source *binlog_stream_create(struct loop *l, const struct config *c,
        const struct source_limits *limits, const struct source_events *events, void *context,
        struct error *e)
{
        static const struct binlog_side_events side = {on_marked, on_log_end};
        struct source *s = memory_new_of(struct source);

        mysql_library_init(0, NULL, NULL); /* else by two threads at once, of reader and side */
        s->loop = l;
        s->events = *events;
        s->context = context;
        s->limits = *limits;
        s->name = memory_string(c->pipeline.name);
        s->server_id = (uint32_t)c->my.server_id;
        s->reading = true;
        timer_init(&s->watch, l, on_watch, s);
        task_init(&s->pump, pump, s);
        task_init(&s->refuse, refuse, s);
        s->params = my_params_new(&c->source, "source", e);
        if (!s->params)
                return binlog_stream_destroy(s);
        /* The log is of all databases; that ours was dropped is in it, with its place. */
        free(s->params->database);
        s->params->database = NULL;
        s->side = binlog_side_new(l, s->params, c->pg.heartbeat, &side, s);
        return s;
}

static void start_reader(struct source *s, const struct source_identity *identity)
{
        AUTO_STRING gtids = begin_gtids(s);
        const struct binlog_reader_setup setup = {.params = s->params,
                .name = s->name,
                .server_id = s->server_id,
                .skip = s->displaced,
                .identity = *identity,
                .from = begin_position(s),
                .gtids = gtids};

        s->heard_at = loop_now(s->loop);
        timer_set(&s->watch, SILENCE_LIMIT / 4);
        s->reader = binlog_reader_new(s->loop, &setup, on_wake, s);
}

static void binlog_stream_start(struct source *s, const struct source_identity *identity,
        struct position from, const char *state, struct position durable)
{
        close_stream(s);
        s->from = s->passed = from;
        s->heartbeat = POSITION_NONE;
        s->fresh = false;
        s->log_end = POSITION_NONE;
        s->acknowledged = durable;
        error_clear(&s->refusal);
        if (read_state(s, state, &s->refusal) < 0) {
                loop_defer(s->loop, &s->refuse);
                return;
        }
        start_reader(s, identity);
        binlog_side_start(s->side, identity, durable);
}

static void binlog_stream_read(struct source *s, bool wanted)
{
        if (s->reading == wanted)
                return;
        s->reading = wanted;
        s->heard_at = loop_now(s->loop);
        if (wanted && s->reader)
                loop_defer(s->loop, &s->pump);
}

/* The server need not know; what it keeps is its own affair. */
static void binlog_stream_acknowledge(struct source *s, struct position p)
{
        if (position_compare(p, s->acknowledged) <= 0)
                return;
        s->acknowledged = p;
        binlog_side_acknowledge(s->side, p);
}

static void binlog_stream_mark(struct source *s)
{
        binlog_side_mark(s->side);
}

static const struct source_retention *binlog_stream_retention(const struct source *s)
{
        return binlog_side_retention(s->side);
}

static bool binlog_stream_connected(const struct source *s)
{
        return s->streaming;
}

#define BINLOG_STREAM(K)                                                                           \
        {                                                                                          \
                .kind = (K), .create = binlog_stream_create, .destroy = binlog_stream_destroy,     \
                .start = binlog_stream_start, .stop = binlog_stream_stop,                          \
                .read = binlog_stream_read, .acknowledge = binlog_stream_acknowledge,              \
                .watch = binlog_stream_watch, .mark = binlog_stream_mark,                          \
                .retention = binlog_stream_retention, .connected = binlog_stream_connected,        \
        }

const struct source_ops mysql_stream_ops = BINLOG_STREAM(KIND_MYSQL);
const struct source_ops mariadb_stream_ops = BINLOG_STREAM(KIND_MARIADB);
