/*
 * Source segments:/path: an archive (spool/archive.h) is replayed, to its end and then as it grows.
 * Positions, identity and GTID states are those of the source that was archived, so a checkpoint
 * means the same to an archive of that source and to the source itself.
 *
 * A transaction is given when its end is in the archive: the target would otherwise hold one open
 * for as long as nobody writes the rest. Nothing is acknowledged: the files stay.
 */
#include "base/loop.h"
#include "base/memory.h"
#include "decoders/source.h"
#include "spool/archive.h"
#include "spool/follow.h"
#include "spool/segment_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_INTERVAL SECOND
#define LOOK_SOON (20 * MILLISECOND) /* after a write: a look lists the folder */
#define STEP_PIECES 32
#define TOLD_ROOM 1024 /* a power of two */

struct source {
        struct loop *loop;
        struct source_events events;
        void *context;
        const struct config *config;
        char *folder;

        struct chain *chain; /* these three outlive a stop: what was abandoned is known to them */
        struct follow *follow;
        struct segment_reader *reader;

        bool started, streaming, reading, opened;
        struct source_identity identity;
        struct position from;
        struct txn *held;    /* its transaction has no end yet */
        struct position end; /* of the archive, as far as it was looked at */
        bool doubted;        /* once: what is damaged at the end may have been under way */
        unsigned marks;
        struct timer look;
        bool soon; /* it is set so */
        struct task step;
        int notify; /* -1: none; the timer alone */
        struct watch *watch;

        const struct relation *told[TOLD_ROOM]; /* since the start: by address, references held */
        unsigned told_n;
        struct source_retention retention;
};

static void wake(struct source *s)
{
        if (s->started)
                loop_defer(s->loop, &s->step);
}

/* ---- relations ---- */

static void forget_told(struct source *s)
{
        for (unsigned i = 0; i < TOLD_ROOM; i++) {
                relation_unref(s->told[i]);
                s->told[i] = NULL;
        }
        s->told_n = 0;
}

static const struct relation **told_place(struct source *s, const struct relation *r)
{
        uintptr_t at = (uintptr_t)r / 64;

        while (s->told[at % TOLD_ROOM] && s->told[at % TOLD_ROOM] != r)
                at++;
        return &s->told[at % TOLD_ROOM];
}

static bool is_migrated(const struct source *s, const struct relation *r)
{
        return config_selects(s->config, r->schema, r->name);
}

/* There is no copy that would have what the archive has of a table from before it was taken in. */
static int check_known(const struct source *s, const struct relation *r, struct error *e)
{
        if (!is_migrated(s, r) || s->events.known(s->context, r->schema, r->name, 0))
                return 0;
        error_set(e, ERROR_DATA,
                "table %s.%s comes into the archive here, and is not replayed yet: make it on the "
                "target, then reload and resume",
                r->schema, r->name);
        snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
        return -1;
}

static int tell(struct source *s, const struct relation *r, struct error *e)
{
        const struct relation **place = told_place(s, r);

        if (*place)
                return 0;
        if (check_known(s, r, e) < 0 || s->events.relation(s->context, r, e) < 0)
                return -1;
        if (s->told_n >= TOLD_ROOM / 2) { /* to be told again does no harm */
                forget_told(s);
                place = told_place(s, r);
        }
        *place = relation_ref(r);
        s->told_n++;
        return 0;
}

static int tell_all(struct source *s, const struct txn *t, struct error *e)
{
        for (const struct change *c = t->changes; c; c = c->next) {
                if (c->op != CHANGE_TRUNCATE && tell(s, c->relation, e) < 0)
                        return -1;
                for (uint32_t i = 0; c->op == CHANGE_TRUNCATE && i < c->truncated_n; i++)
                        if (tell(s, c->truncated[i], e) < 0)
                                return -1;
        }
        return 0;
}

/* ---- reading ---- */

static void close_stream(struct source *s)
{
        s->started = s->streaming = false;
        timer_cancel(&s->look);
        s->soon = false;
        task_cancel(s->loop, &s->step);
        s->held = txn_free(s->held);
        forget_told(s);
}

static void fail(struct source *s, const struct error *e)
{
        struct error copy = *e;

        close_stream(s);
        s->events.failed(s->context, &copy);
}

/* 1: given; 0: it is held; -1. */
static int give(struct source *s, struct txn *t, struct error *e)
{
        int rc;

        s->held = NULL;
        if (position_compare(t->commit, s->end) >= 0) {
                s->held = t;
                return 0;
        }
        if ((rc = tell_all(s, t, e)) == 0)
                rc = s->events.piece(s->context, &t, e);
        txn_free(t);
        return rc < 0 ? -1 : 1;
}

static int abandoned(struct error *e)
{
        return error_set(e, ERROR_RETRY,
                "the archiving of a transaction was interrupted: it begins again further on");
}

/* 1: there may be more; 0: all was read; -1. */
static int read_one(struct source *s, struct error *e)
{
        struct segment_read read;

        if (s->held)
                return give(s, s->held, e);
        switch (segment_reader_next(s->reader, &read, e)) {
        case SEGMENT_NOTHING:
                return 0;
        case SEGMENT_WORKED:
                return 1;
        case SEGMENT_PIECE:
                return give(s, read.piece, e);
        case SEGMENT_PASSED:
                s->events.passed(s->context, read.passed, position_max(s->end, read.passed));
                return 1;
        case SEGMENT_ABANDONED:
                return abandoned(e);
        default:
                return -1;
        }
}

static void answer_marks(struct source *s)
{
        const struct error none = ERROR_INIT;

        for (; s->marks; s->marks--)
                s->events.marked(s->context, position_max(s->end, s->from), &none);
}

/* The folder was looked at to its end: the stream stands. */
static int begin(struct source *s, struct error *e)
{
        if (segment_reader_seek(s->reader, s->from, e) < 0)
                return -1;
        s->streaming = true;
        s->events.ready(s->context);
        s->events.passed(s->context, s->from, position_max(s->end, s->from));
        wake(s);
        return 0;
}

static void look_later(struct source *s)
{
        if (!s->soon)
                timer_set(&s->look, LOOK_INTERVAL);
}

/* What ends at or before the archive's end was given: an open transaction ends later. */
static void end_reached(struct source *s)
{
        if (position_compare(s->end, s->from) >= 0)
                s->events.passed(s->context, s->end, s->end);
        look_later(s);
}

/* 1: all that is whole was given; 0: there is more; -1. */
static int read_some(struct source *s, struct error *e)
{
        int rc = 1;

        for (int i = 0; s->reading && rc > 0 && i < STEP_PIECES; i++)
                rc = read_one(s, e);
        if (rc > 0 && s->reading)
                wake(s);
        else if (rc == 0)
                end_reached(s);
        else
                look_later(s);
        return rc < 0 ? -1 : rc == 0;
}

/* Damage at the end is an unfinished write as long as somebody writes; he may have ended between
 * the look and the question. */
static int check_end(struct source *s, struct error *e)
{
        const struct error *doubt = follow_doubt(s->follow);

        if (!doubt || archive_is_locked(s->folder)) {
                s->doubted = false;
                return 0;
        }
        if (!s->doubted) {
                s->doubted = true;
                wake(s);
                return 0;
        }
        s->doubted = false;
        *e = *doubt;
        return error_context(e,
                "the end of the archive is damaged, and nobody writes to it (if that is from a "
                "crash, a start of its pipeline cuts it off; then resume)");
}

static int step(struct source *s, struct error *e)
{
        int rc = follow_look(s->follow, e);

        if (rc < 0)
                return -1;
        s->end = position_max(s->end, follow_end(s->follow));
        if (rc > 0)
                wake(s);
        else
                answer_marks(s);
        if (!s->streaming)
                return rc > 0 ? 0 : begin(s, e);
        if ((rc = read_some(s, e)) < 0)
                return -1;
        return rc > 0 ? check_end(s, e) : 0;
}

/* ---- the folder ---- */

static int open_archive(struct source *s, struct error *e)
{
        struct archive a;
        struct source_identity id;
        int rc = archive_read(&a, s->folder, e);

        if (rc > 0)
                rc = identity_parse(&id, a.source ? a.source : "", e) < 0 ||
                                     identity_check(&s->identity, &id, e) < 0
                             ? -1
                             : 0;
        else if (rc == 0)
                rc = error_set(e, ERROR_CONFIG, "its file 'archive' is gone");
        archive_done(&a);
        return rc < 0 ? error_context(e, "%s", s->folder) : 0;
}

static void run_step(void *context)
{
        struct source *s = context;
        struct error e = ERROR_INIT;

        if (!s->opened && open_archive(s, &e) == 0)
                s->opened = true;
        if (!s->opened || step(s, &e) < 0)
                fail(s, &e);
}

static void on_look(void *context)
{
        struct source *s = context;

        s->soon = false;
        wake(s);
}

static void on_notice(void *context, int ready)
{
        struct source *s = context;
        char events[4096] __attribute__((aligned(8)));

        (void)ready;
        while (read(s->notify, events, sizeof events) > 0)
                ;
        if (!s->started || s->soon)
                return;
        s->soon = true;
        timer_set(&s->look, LOOK_SOON);
}

/* Of help only; where it cannot be had, the timer looks. */
static void listen_to(struct source *s)
{
        s->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (s->notify < 0)
                return;
        if (inotify_add_watch(s->notify, s->folder, IN_MODIFY | IN_MOVED_TO) < 0) {
                close(s->notify);
                s->notify = -1;
                return;
        }
        s->watch = watch_new(s->loop, s->notify, on_notice, s);
        watch_set(s->watch, LOOP_READ);
}

static void close_folder(struct source *s)
{
        s->reader = segment_reader_free(s->reader);
        s->follow = follow_free(s->follow);
        s->chain = chain_free(s->chain);
        s->watch = watch_free(s->watch);
        if (s->notify >= 0)
                close(s->notify);
        s->notify = -1;
}

static void open_folder(struct source *s)
{
        s->chain = chain_new();
        s->follow = follow_new(disk_real(), s->folder, s->chain);
        s->reader = segment_reader_new(disk_real(), s->folder, s->chain);
        listen_to(s);
}

/* ---- the table ---- */

static struct source *segment_stream_create(struct loop *l, const struct config *c,
        const struct source_limits *limits, const struct source_events *events, void *context,
        struct error *e)
{
        struct source *s = memory_new_of(struct source);

        (void)limits; /* pieces are as they were archived */
        (void)e;
        s->loop = l;
        s->events = *events;
        s->context = context;
        s->config = c;
        s->folder = memory_string(config_folder(&c->source));
        s->notify = -1;
        s->reading = true;
        s->retention = SOURCE_RETENTION_UNKNOWN;
        timer_init(&s->look, l, on_look, s);
        task_init(&s->step, run_step, s);
        return s;
}

static struct source *segment_stream_destroy(struct source *s)
{
        if (!s)
                return NULL;
        close_stream(s);
        close_folder(s);
        free(s->folder);
        free(s);
        return NULL;
}

static void segment_stream_start(struct source *s, const struct source_identity *identity,
        struct position from, const char *gtids, struct position durable)
{
        (void)gtids; /* the archive has them, too */
        (void)durable;
        close_stream(s);
        s->identity = *identity;
        s->from = from;
        s->started = true;
        s->opened = false;
        if (!s->follow)
                open_folder(s);
        wake(s);
}

static void segment_stream_stop(struct source *s)
{
        s->marks = 0;
        close_stream(s);
}

static void segment_stream_watch(
        struct source *s, const struct source_identity *identity, struct position from)
{
        (void)s;
        (void)identity;
        (void)from;
}

static void segment_stream_read(struct source *s, bool wanted)
{
        if (wanted && !s->reading)
                wake(s);
        s->reading = wanted;
}

static void segment_stream_acknowledge(struct source *s, struct position p)
{
        (void)s;
        (void)p;
}

static void segment_stream_mark(struct source *s)
{
        s->marks++;
        wake(s);
}

static const struct source_retention *segment_stream_retention(const struct source *s)
{
        return &s->retention;
}

static bool segment_stream_connected(const struct source *s)
{
        return s->streaming;
}

const struct source_ops segment_stream_ops = {
        .kind = KIND_SEGMENTS,
        .create = segment_stream_create,
        .destroy = segment_stream_destroy,
        .start = segment_stream_start,
        .stop = segment_stream_stop,
        .watch = segment_stream_watch,
        .read = segment_stream_read,
        .acknowledge = segment_stream_acknowledge,
        .mark = segment_stream_mark,
        .retention = segment_stream_retention,
        .connected = segment_stream_connected,
};
