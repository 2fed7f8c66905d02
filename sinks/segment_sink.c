/*
 * Target segments:/path: an archive of the change stream, by the queue's own code (spool/spool.h).
 *
 * The archive is its own checkpoint: what is durable in the folder is the position. A crash leaves
 * an unfinished write or a transaction without its end; the first is cut off and the second passed
 * over by every reader, so a transaction that is read again is there once. One process has the
 * folder's lock, and with it the right to write: no second one can, whatever became of the first.
 *
 * Committed is what is durable: nobody reads an archive in between.
 */
#include "base/loop.h"
#include "base/memory.h"
#include "base/ring.h"
#include "sinks/sink.h"
#include "spool/archive.h"
#include "spool/spool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_BYTES ((size_t)256 * 1024)
#define SYNC_BYTES (UINT64_C(16) * 1024 * 1024)
#define SYNC_DELAY (50 * MILLISECOND)

/* A transaction that is given and not durable. */
struct given {
        struct position end;
        uint64_t rows;
};

struct sink {
        struct loop *loop;
        struct sink_events events;
        void *context;
        char *folder, *pipeline;
        uint64_t segment_bytes, memory;

        int lock; /* -1: not held */
        struct archive archive;
        struct spool *spool;
        struct task begin, fail;
        struct error error;
        bool ready, full;

        struct given *given; /* ring */
        uint64_t given_at, given_n, given_room;
        uint64_t rows;                /* of the transaction that is open */
        struct position idle, stored; /* asked for; durable */
        char *gtids;                  /* of the last transaction, or the last idle position */
};

static void stop(struct sink *s)
{
        s->spool = spool_close(s->spool);
        if (s->lock >= 0)
                close(s->lock);
        s->lock = -1;
        archive_done(&s->archive);
        task_cancel(s->loop, &s->begin);
        task_cancel(s->loop, &s->fail);
        s->ready = s->full = false;
        s->given_n = s->given_at = s->rows = 0;
        s->idle = s->stored = POSITION_NONE;
        memory_free_string(&s->gtids);
}

/* ---- what the spool says ---- */

static void run_fail(void *context)
{
        struct sink *s = context;
        struct error e = s->error;

        stop(s);
        s->events.failed(s->context, &e);
}

static void fail(struct sink *s, const struct error *e)
{
        s->error = *e;
        loop_defer(s->loop, &s->fail);
}

static int read_start(const struct sink *s, const struct recovered *found, struct sink_start *start,
        struct error *e)
{
        const char *gtids = position_gtids(s->archive.start ? s->archive.start : "");

        start->position = found->end;
        start->gtids = found->gtids;
        if (!found->any) {
                start->gtids = (char *)(uintptr_t)gtids;
                if (position_parse(&start->position, s->archive.start ? s->archive.start : "", e) <
                        0)
                        return error_context(e, "%s/archive", s->folder);
        }
        if (found->any && strcmp(found->source, s->archive.source) != 0)
                return error_set(e, ERROR_DATA,
                        "%s: its segments are of source %s, its file 'archive' of %s", s->folder,
                        found->source, s->archive.source);
        return identity_parse(&start->identity, s->archive.source, e);
}

static void on_opened(void *context, const struct recovered *found)
{
        struct sink *s = context;
        struct sink_start start = {0};
        struct error e = ERROR_INIT;
        struct spool_begin begin = {.source = s->archive.source};

        if (read_start(s, found, &start, &e) < 0) {
                fail(s, &e);
                return;
        }
        begin.position = start.position;
        begin.gtids = start.gtids;
        spool_begin(s->spool, &begin);
        s->stored = start.position;
        s->gtids = memory_string(start.gtids);
        s->ready = true;
        s->events.ready(s->context, &start);
}

/* How many transactions end at or before `p`, and their rows. */
static uint64_t take_given(struct sink *s, struct position p, struct position *end, uint64_t *rows)
{
        uint64_t n = 0;

        *rows = 0;
        while (s->given_n > 0 && position_compare(s->given[s->given_at].end, p) <= 0) {
                *end = s->given[s->given_at].end;
                *rows += s->given[s->given_at].rows;
                s->given_at = (s->given_at + 1) % s->given_room;
                s->given_n--;
                n++;
        }
        return n;
}

static void on_durable(void *context, struct position p)
{
        struct sink *s = context;
        struct position end = s->stored;
        uint64_t rows, n = take_given(s, p, &end, &rows);

        if (!position_is_none(s->idle) && position_compare(s->idle, p) <= 0) {
                end = position_max(end, s->idle);
                s->idle = POSITION_NONE;
        }
        if (position_compare(end, s->stored) <= 0)
                return;
        s->stored = end;
        s->events.committed(s->context, end, n, rows);
        s->events.durable(s->context, end);
}

/* Nobody reads it here. */
static void on_readable(void *context)
{
        (void)context;
}

static void on_room(void *context)
{
        struct sink *s = context;

        s->full = false;
        s->events.room(s->context);
}

static void on_failed(void *context, const struct error *e)
{
        fail(context, e);
}

/* ---- the table ---- */

/* Under the lock, nothing of it changes. */
static int open_archive(struct sink *s, struct error *e)
{
        int there;

        if (archive_folder(s->folder, ARCHIVE_MAKE, e) < 0 ||
                (s->lock = archive_lock(s->folder, e)) < 0 ||
                (there = archive_read(&s->archive, s->folder, e)) < 0)
                return -1;
        if (!there || !s->archive.source || !s->archive.start)
                return error_set(e, ERROR_CONFIG, "%s: its file 'archive' is gone", s->folder);
        return 0;
}

static void run_begin(void *context)
{
        static const struct spool_events events = {
                on_opened, on_durable, on_readable, on_room, on_failed};
        struct sink *s = context;
        struct error e = ERROR_INIT;
        struct spool_setup setup = {.folder = s->folder,
                .pipeline = s->pipeline,
                .frame_bytes = FRAME_BYTES,
                .segment_bytes = s->segment_bytes,
                .sync_bytes = SYNC_BYTES,
                .sync_delay = SYNC_DELAY,
                .memory = s->memory};

        if (open_archive(s, &e) < 0) {
                fail(s, &e);
                return;
        }
        setup.engine = s->archive.engine;
        s->spool = spool_open(s->loop, &setup, &events, s);
}

static struct sink *segment_sink_create(struct loop *l, const struct config *c,
        const struct sink_events *events, void *context, struct error *e)
{
        struct sink *s = memory_new_of(struct sink);

        (void)e;
        s->loop = l;
        s->events = *events;
        s->context = context;
        s->folder = memory_string(config_folder(&c->target));
        s->pipeline = memory_string(c->pipeline.name);
        s->segment_bytes = (uint64_t)c->queue.segment;
        s->memory = (uint64_t)c->apply.batch_bytes;
        s->lock = -1;
        task_init(&s->begin, run_begin, s);
        task_init(&s->fail, run_fail, s);
        return s;
}

static struct sink *segment_sink_destroy(struct sink *s)
{
        if (!s)
                return NULL;
        stop(s);
        free(s->given);
        free(s->folder);
        free(s->pipeline);
        free(s);
        return NULL;
}

static void segment_sink_start(struct sink *s)
{
        stop(s);
        loop_defer(s->loop, &s->begin);
}

static void note_given(struct sink *s, struct position end)
{
        if (s->given_n == s->given_room)
                s->given = ring_grow(
                        s->given, sizeof *s->given, &s->given_at, s->given_n, &s->given_room);
        s->given[(s->given_at + s->given_n++) % s->given_room] =
                (struct given){.end = end, .rows = s->rows};
        s->rows = 0;
}

static enum sink_push segment_sink_push(struct sink *s, struct txn **piece)
{
        struct position end = (*piece)->end;
        bool first = (*piece)->first, last = (*piece)->last;
        uint32_t rows = (*piece)->changes_n;
        AUTO_STRING gtids = last ? memory_string((*piece)->gtids) : NULL;

        if (s->full || !s->ready || spool_push(s->spool, piece) == SPOOL_FULL) {
                s->full = true;
                return SINK_FULL;
        }
        s->rows = (first ? 0 : s->rows) + rows;
        if (!last)
                return SINK_TAKEN;
        note_given(s, end);
        free(s->gtids);
        s->gtids = gtids;
        gtids = NULL;
        return SINK_TAKEN;
}

static bool segment_sink_idle(struct sink *s, struct position p, const char *gtids)
{
        if (!s->ready || position_compare(p, position_max(s->stored, s->idle)) <= 0)
                return false;
        s->idle = p;
        if (gtids)
                archive_set(&s->gtids, *gtids ? gtids : NULL);
        spool_passed(s->spool, p, s->gtids);
        return true;
}

/* What can be reloaded is of no concern here. */
static void segment_sink_reload(struct sink *s, const struct config *c)
{
        (void)s;
        (void)c;
}

static bool segment_sink_connected(const struct sink *s)
{
        return s->ready;
}

static const char *segment_sink_version(const struct sink *s)
{
        (void)s;
        return NULL;
}

const struct sink_ops segment_sink_ops = {
        .kind = KIND_SEGMENTS,
        .create = segment_sink_create,
        .destroy = segment_sink_destroy,
        .start = segment_sink_start,
        .stop = stop,
        .push = segment_sink_push,
        .idle = segment_sink_idle,
        .reload = segment_sink_reload,
        .connected = segment_sink_connected,
        .version = segment_sink_version,
};
