/*
 * Simulation of a pipeline: the real pipeline, route, queue and checkpoint between a made-up source
 * and a made-up target, on a simulated clock, with trouble at random places. Each seed is one
 * story; the same seed tells the same story.
 *
 *   sim_pipeline            SIM_SEEDS seeds (default 6000) from SIM_FIRST (default 1)
 *   sim_pipeline COUNT      so many
 *   sim_pipeline COUNT SEED so many from SEED
 *
 * What must hold in each: the target has the source's transactions exactly once, whole and in
 * order, at any moment; nothing is acknowledged that the target may still lose; the queue keeps
 * its bound; the tables of source and sink are called as their headers allow; and once the trouble
 * ends, everything arrives.
 *
 * In some stories the log tells statements (DDL, writes that were not logged by row), which stop
 * the pipeline where all before them is applied and nothing behind them; the operator accepts them.
 * In some the source has GTIDs and is replaced, again and again, by another server, where the same
 * transactions are at other positions.
 */
#include "base/loop.h"
#include "base/memory.h"
#include "flow/pipeline.h"
#include "model/config_private.h"
#include "tests/support/story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK (5 * MILLISECOND) /* coarse, so that things happen at the same moment */
#define TROUBLE_ENDS (20 * SECOND)
#define MUST_BE_DONE (2000 * SECOND)
#define QUEUE_MEMORY (64 * 1024)
#define TRANSACTIONS_MAX 60
#define NO_DDL TRANSACTIONS_MAX
#define STATEMENT_ROOM 32 /* of a statement in the log; it lies in the middle */
#define SERVERS 11

enum { TABLE_WANTED, TABLE_OTHER, TABLES };

/* One transaction of the source. Wanted changes are numbered from 0 over the whole story. */
struct fact {
        uint64_t commit, end;
        int64_t at; /* when it commits, from the start of the story */
        unsigned changes, payload;
        uint64_t wanted;        /* bit i: change i is of the wanted table */
        unsigned before, after; /* wanted changes of the story before and with it */
};

struct mark_of_target { /* what a target transaction stores */
        unsigned rows;
        struct position position;
        int seen; /* GTIDs: so many transactions of the source; -1: not known */
};

struct world {
        struct loop *loop;
        struct config *config;
        struct route *route;
        struct pipeline *pipeline;
        uint64_t random;
        int64_t began;
        struct fact facts[TRANSACTIONS_MAX];
        unsigned facts_n;

        /* the source's server */
        unsigned ddl;     /* the wanted table gets a column before this transaction */
        bool ddl_known;   /* the operator has taken it over */
        unsigned held_at; /* the source shows nothing from here on */
        uint64_t xids;    /* 64-bit id of the first transaction; the stream has 32 bits of it */
        unsigned until;   /* the stream is to end before this transaction; NO_DDL: it is not */
        unsigned copied;  /* the copy's snapshot had this transaction already; NO_DDL: none */
        bool snapshot_known;
        uint64_t confirmed;
        uint64_t statements, accepted; /* bit i: the log has one before transaction i */
        bool has_gtids;
        unsigned server;   /* which one is the source now */
        uint64_t followed; /* where POSITION_BY_GTID is */

        /* the target's server */
        struct mark_of_target committed, durable;
        unsigned ever_rows;
        unsigned poison;  /* this transaction meets a deadlock each time; NO_DDL: none */
        unsigned belongs; /* the source that the stored position belongs to */

        /* trouble, in percent a step */
        unsigned source_fails, sink_fails, deadlocks, crashes, data_errors;

        /* the operator */
        struct timer operator;
        struct task restart;
        bool stopped, started, shutting_down, paused;
        bool must_stop; /* an error was reported that no retry mends */
        struct sink *sink;
        struct source *source;
        unsigned stuck, accepted_of[TRANSACTIONS_MAX]; /* the server that told the statement */
        unsigned failovers;
        int64_t shutdown_at, grace;
        unsigned marks_asked, marks_answered, gave_up, processes;
        struct error last;
        size_t largest_piece;
        char problem[400];
};

static struct world *w;

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void problem(const char *format, ...)
{
        va_list args;

        if (*w->problem)
                return;
        va_start(args, format);
        vsnprintf(w->problem, sizeof w->problem, format, args);
        va_end(args);
        loop_stop(w->loop);
}

#define must(what, ...)                                                                            \
        do {                                                                                       \
                if (!(what))                                                                       \
                        problem(__VA_ARGS__);                                                      \
        } while (0)

static uint64_t below(uint64_t n)
{
        return story_below(&w->random, n);
}

static bool chance(unsigned percent)
{
        return below(100) < percent;
}

static int64_t soon(unsigned ticks)
{
        return (int64_t)below(ticks + 1) * TICK;
}

static int64_t elapsed(void)
{
        return loop_now(w->loop) - w->began;
}

static bool trouble(unsigned percent)
{
        return elapsed() < TROUBLE_ENDS && chance(percent);
}

/* The servers' binlogs: neither number nor offset of a file has to do with those of another.
 * Without GTIDs there is one server, and its positions are those of the facts. */
static uint32_t file_of(unsigned server)
{
        return w->has_gtids ? 2 + (server * 7 + 3) % SERVERS : 0;
}

static uint64_t shift_of(unsigned server)
{
        return server * 7919 % 13 * 1000;
}

/* Where the source has this place of the story. */
static struct position place_of(uint64_t lsn)
{
        return (struct position){.lsn = lsn + shift_of(w->server), .file = file_of(w->server)};
}

/* And back, from any server's. */
static uint64_t story_of(struct position p)
{
        if (position_is_none(p))
                return 0;
        if (position_compare(p, POSITION_BY_GTID) == 0)
                return w->followed;
        for (unsigned i = 0; i < SERVERS; i++)
                if (file_of(i) == p.file)
                        return p.lsn - shift_of(i);
        problem("a position of no server");
        return 0;
}

static unsigned rows_until(uint64_t lsn)
{
        unsigned n = 0;

        for (unsigned i = 0; i < w->facts_n && w->facts[i].end <= lsn; i++)
                n = w->facts[i].after;
        return n;
}

/* Wanted changes of all transactions that end at or before `p`. */
static unsigned rows_before(struct position p)
{
        return rows_until(story_of(p));
}

static unsigned rows_of_first(int transactions)
{
        return transactions > 0 ? w->facts[transactions - 1].after : 0;
}

/* "~g7": the stream begins by GTID. -1: not known. */
static int parse_gtids(const char *text)
{
        if (!text || !*text)
                return -1;
        text += *text == '~';
        must(*text == 'g', "GTIDs that no transaction had");
        return atoi(text + 1);
}

static bool has_statement(unsigned i)
{
        return i < w->facts_n && w->statements >> i & 1;
}

static bool happened(unsigned i)
{
        return i < w->facts_n && i < w->held_at && w->facts[i].at <= elapsed();
}

/* The log grows without transactions for us too, but not past the next one. */
static uint64_t log_end(void)
{
        unsigned i = 0;
        uint64_t end, grown;

        while (happened(i))
                i++;
        end = i ? w->facts[i - 1].end : 1000;
        grown = end + (uint64_t)(elapsed() - (i ? w->facts[i - 1].at : 0)) / 1000;
        end = i < w->facts_n ? w->facts[i].commit - (has_statement(i) ? STATEMENT_ROOM : 0) : grown;
        return grown > end ? end : grown;
}

/* ---- the source ---- */

enum phase { IDLE, STARTING, UP };

struct source {
        struct source_events events;
        void *context;
        uint64_t piece_bytes;
        struct timer timer;
        enum phase phase;
        bool reading, in_event, in_failed;
        unsigned fact, change; /* what comes next */
        unsigned marks;
        unsigned told; /* the statement before this transaction was told, if there is one */
        bool other;    /* the stream is asked of another server than the source is */
        struct relation *shapes[TABLES];
        bool shape_is_new;
};

static struct relation *shape_of(int table, bool changed)
{
        uint16_t n = table == TABLE_WANTED && changed ? 3 : 2;
        struct relation *r = relation_new(100 + (uint32_t)table, "public",
                table == TABLE_WANTED ? "wanted" : "other", IDENTITY_DEFAULT, n);

        relation_set_column(r, 0, "id", 23, -1, true);
        relation_set_column(r, 1, "payload", 25, -1, false);
        if (n == 3)
                relation_set_column(r, 2, "note", 25, -1, false);
        return r;
}

static void forget_shapes(struct source *s)
{
        for (int i = 0; i < TABLES; i++)
                s->shapes[i] = relation_unref(s->shapes[i]);
}

static void source_idle(struct source *s)
{
        s->phase = IDLE;
        s->marks = 0;
        timer_cancel(&s->timer);
        forget_shapes(s);
}

static void source_fail(struct source *s, const struct error *e)
{
        source_idle(s);
        w->must_stop |= e->class != ERROR_RETRY;
        s->in_event = s->in_failed = true;
        s->events.failed(s->context, e);
        s->in_event = s->in_failed = false;
}

static void source_lost(struct source *s)
{
        struct error e = ERROR_INIT;

        error_set(&e, ERROR_RETRY, "source is gone (%u)", (unsigned)below(3));
        source_fail(s, &e);
}

static int tell_shape(struct source *s, int table, bool changed, struct error *e)
{
        int rc;

        if (s->shapes[table] && (table != TABLE_WANTED || s->shape_is_new == changed))
                return 0;
        relation_unref(s->shapes[table]);
        s->shapes[table] = shape_of(table, changed);
        if (table == TABLE_WANTED)
                s->shape_is_new = changed;
        s->in_event = true;
        rc = s->events.relation(s->context, s->shapes[table], e);
        s->in_event = false;
        return rc;
}

static void add_change(struct source *s, struct txn *t, const struct fact *f, unsigned i)
{
        int table = f->wanted >> i & 1 ? TABLE_WANTED : TABLE_OTHER;
        struct change *c = txn_add(t, CHANGE_INSERT, s->shapes[table]);
        char id[16], payload[3000];
        uint64_t earlier = f->wanted & ((UINT64_C(1) << i) - 1);

        snprintf(id, sizeof id, "%u", f->before + (unsigned)__builtin_popcountll(earlier));
        memset(payload, 'x', sizeof payload);
        c->new = arena_zero(t->arena, s->shapes[table]->columns_n * sizeof *c->new);
        c->new[0] = (struct value){
                VALUE_TEXT, (uint32_t)strlen(id), arena_text(t->arena, id, strlen(id))};
        c->new[1] =
                (struct value){VALUE_TEXT, f->payload, arena_text(t->arena, payload, f->payload)};
}

/* The next piece of the transaction under way, or what stops the stream. */
static int source_piece(struct source *s, struct error *e)
{
        unsigned at = s->fact;
        const struct fact *f = &w->facts[at];
        unsigned most = 1 + (unsigned)below(f->changes + 1);
        struct txn *t;
        int rc;

        for (int i = 0; i < TABLES; i++)
                if (tell_shape(s, i, at >= w->ddl, e) < 0)
                        return -1;
        t = txn_new();
        t->first = s->change == 0;
        t->commit = place_of(f->commit);
        t->xid = (uint32_t)(w->xids + at);
        t->committed_at = w->began + f->at;
        for (; s->change < f->changes && most && txn_bytes(t) < s->piece_bytes; most--)
                add_change(s, t, f, s->change++);
        if (txn_bytes(t) > w->largest_piece)
                w->largest_piece = txn_bytes(t);
        if (s->change == f->changes) {
                t->last = true;
                t->end = place_of(f->end);
                s->fact++;
                if (w->has_gtids) {
                        char gtids[16];

                        snprintf(gtids, sizeof gtids, "g%u", s->fact);
                        t->gtids = arena_text(t->arena, gtids, strlen(gtids));
                }
                s->change = 0;
        }
        s->in_event = true;
        rc = s->events.piece(s->context, &t, e);
        s->in_event = false;
        txn_free(t);
        must(rc < 0 || at != w->copied || !w->snapshot_known,
                "a transaction that the copy had was taken from the stream");
        return rc;
}

static bool tells_statement(const struct source *s)
{
        return s->change == 0 && s->told != s->fact && has_statement(s->fact);
}

static int source_statement(struct source *s, struct error *e)
{
        uint64_t commit = w->facts[s->fact].commit;
        struct statement told = {.kind = s->fact % 2 ? STATEMENT_ALTER : STATEMENT_WRITE,
                .schema = "public",
                .table = "wanted",
                .at = place_of(commit - STATEMENT_ROOM + 8),
                .end = place_of(commit - 8)};
        int rc;

        s->told = s->fact;
        s->in_event = true;
        rc = s->events.statement(s->context, &told, e);
        s->in_event = false;
        return rc;
}

/* What the log has next: a statement, or a piece. */
static int source_next(struct source *s, struct error *e)
{
        return tells_statement(s) ? source_statement(s, e) : source_piece(s, e);
}

static void source_keepalive(struct source *s)
{
        uint64_t end = happened(s->fact) ? w->facts[s->fact].commit : log_end();

        if (s->change > 0)
                return;
        if (tells_statement(s) && end > w->facts[s->fact].commit - STATEMENT_ROOM)
                end = w->facts[s->fact].commit - STATEMENT_ROOM;
        s->in_event = true;
        s->events.passed(s->context, place_of(end), place_of(log_end()));
        s->in_event = false;
}

static void source_answer_marks(struct source *s)
{
        struct error none = ERROR_INIT;

        s->in_event = true;
        for (; s->marks; s->marks--)
                s->events.marked(s->context, place_of(log_end()), &none);
        s->in_event = false;
}

static void check_queue(void)
{
        struct pipeline_status status;

        pipeline_status(w->pipeline, &status);
        /* route may add to a piece, which at most doubles its arena */
        must(status.queue_bytes <= QUEUE_MEMORY + 2 * w->largest_piece,
                "the queue holds %" PRIu64 " bytes", status.queue_bytes);
}

static void source_step(void *context)
{
        struct source *s = context;
        struct error e = ERROR_INIT;

        if (trouble(s->phase == STARTING ? 10 : w->source_fails)) {
                source_lost(s);
                return;
        }
        if (s->phase == STARTING && s->other) {
                error_set(&e, ERROR_DATA, "the source is another server");
                snprintf(e.code, sizeof e.code, "%s", IDENTITY_OTHER_CODE);
                source_fail(s, &e);
                return;
        }
        timer_set(&s->timer, soon(8));
        if (s->phase == STARTING) {
                s->phase = UP;
                s->in_event = true;
                s->events.ready(s->context);
                s->in_event = false;
                return;
        }
        if (chance(50))
                source_answer_marks(s);
        for (uint64_t burst = 1 + below(8); burst && s->reading && happened(s->fact); burst--) {
                if (source_next(s, &e) < 0) {
                        source_fail(s, &e);
                        return;
                }
                check_queue();
        }
        if (s->reading && chance(40))
                source_keepalive(s);
}

static struct source *fake_source_create(struct loop *l, const struct config *c,
        const struct source_limits *limits, const struct source_events *events, void *context,
        struct error *e)
{
        struct source *s = memory_new_of(struct source);

        (void)c;
        (void)e;
        s->events = *events;
        s->context = context;
        s->piece_bytes = limits->piece_bytes;
        w->source = s;
        timer_init(&s->timer, l, source_step, s);
        return s;
}

static struct source *fake_source_destroy(struct source *s)
{
        must(!s->in_event, "source destroyed inside its event");
        source_idle(s);
        free(s);
        return NULL;
}

/* As PostgreSQL does it: what commits at or after `from`, but never what was confirmed before. */
static void begin_at(struct source *s, struct position from, int seen)
{
        uint64_t at = story_of(from);

        must(at >= w->confirmed, "source started before what it was told to forget");
        must(seen < 0 || rows_of_first(seen) == rows_until(at),
                "the GTIDs that the source is started with are not those of the position");
        for (s->fact = 0; s->fact < w->facts_n && w->facts[s->fact].commit < at;)
                s->fact++;
        s->told = s->fact < w->facts_n && at + 8 >= w->facts[s->fact].commit ? s->fact : NO_DDL;
        if (!w->has_gtids && chance(30)) /* what was delivered may come again, if not confirmed */
                while (s->fact > (w->ddl_known ? w->ddl : 0) &&
                        w->facts[s->fact - 1].commit >= w->confirmed && chance(60)) {
                        s->fact--;
                        s->told = NO_DDL;
                }
}

static void begin_by_gtid(struct source *s, int seen)
{
        must(w->has_gtids && seen >= 0, "source started by GTID without GTIDs");
        s->fact = (unsigned)seen;
        s->told = NO_DDL;
}

static void fake_source_start(struct source *s, const struct source_identity *identity,
        struct position from, const char *gtids, struct position durable)
{
        int seen = parse_gtids(gtids);

        must(s->phase == IDLE && (!s->in_event || s->in_failed), "source started at a bad moment");
        must(!w->must_stop, "source started again after an error that no retry mends");
        must(strtoul(identity->system, NULL, 10) == w->belongs, "source started for another one");
        must(position_compare(from, durable) >= 0, "source started before what is durable");
        s->other = w->belongs != w->server;
        if (position_compare(from, POSITION_BY_GTID) == 0)
                begin_by_gtid(s, seen);
        else
                begin_at(s, from, seen);
        s->change = 0;
        s->phase = STARTING;
        s->reading = true;
        timer_set(&s->timer, soon(20));
}

static void fake_source_stop(struct source *s)
{
        must(!s->in_event || s->in_failed, "source stopped inside its event");
        source_idle(s);
}

static void fake_source_read(struct source *s, bool wanted)
{
        s->reading = wanted;
}

static void fake_source_acknowledge(struct source *s, struct position p)
{
        must(s->phase != IDLE, "an idle source was acknowledged to");
        must(position_compare(p, w->durable.position) <= 0,
                "acknowledged %" PRIx64 ", durable is %" PRIx64, p.lsn, w->durable.position.lsn);
        if (s->phase == UP && story_of(p) > w->confirmed && chance(70))
                w->confirmed = story_of(p);
}

static void fake_source_mark(struct source *s)
{
        s->marks++;
}

static void fake_source_watch(
        struct source *s, const struct source_identity *identity, struct position from)
{
        (void)s;
        (void)identity;
        (void)from;
}

static const struct source_retention *fake_source_retention(const struct source *s)
{
        static const struct source_retention unknown = {.held = -1, .allowed = -1, .age = -1};

        (void)s;
        return &unknown;
}

static bool fake_source_connected(const struct source *s)
{
        return s->phase == UP;
}

static const struct source_ops fake_source = {KIND_POSTGRESQL, fake_source_create,
        fake_source_destroy, fake_source_start, fake_source_stop, fake_source_watch,
        fake_source_read, fake_source_acknowledge, fake_source_mark, fake_source_retention,
        fake_source_connected};

/* ---- the target ---- */

struct sink {
        struct sink_events events;
        void *context;
        struct timer timer;
        enum phase phase;
        bool in_event, in_failed, full, partial, refresh;
        struct txn *head, **tail;
        unsigned held, room;
        /* the open target transaction, and whether its commit is on the way */
        struct mark_of_target open;
        uint64_t open_transactions, open_rows;
        bool committing;
        struct position idle, sync; /* wanted; what the sync under way makes durable */
        int idle_seen;              /* GTIDs at `idle` */
        struct mark_of_target sync_to;
        bool syncing;
        uint64_t epoch;
};

static void sink_begin(struct sink *s)
{
        s->open = w->committed;
        s->open_transactions = s->open_rows = 0;
        s->committing = false;
}

static void target_commits(struct sink *s)
{
        must(position_compare(s->open.position, w->committed.position) >= 0,
                "the target's position went back");
        must(s->open.rows == rows_before(s->open.position),
                "the target commits %u rows at %" PRIx64 ", the source had %u", s->open.rows,
                s->open.position.lsn, rows_before(s->open.position));
        for (unsigned i = 0; i < w->facts_n; i++)
                must(!has_statement(i) || w->accepted >> i & 1 ||
                                s->open.rows <= w->facts[i].before,
                        "rows from behind a statement were applied before it was accepted");
        w->committed = s->open;
        if (w->committed.rows > w->ever_rows)
                w->ever_rows = w->committed.rows;
}

static void sink_empty(struct sink *s)
{
        if (s->committing && chance(50)) /* the commit was on its way when the connection went */
                target_commits(s);
        while (s->head) {
                struct txn *t = s->head;

                s->head = t->next;
                txn_free(t);
        }
        s->tail = &s->head;
        s->held = 0;
        s->full = s->partial = s->syncing = s->refresh = false;
        s->idle = POSITION_NONE;
        s->phase = IDLE;
        sink_begin(s);
        timer_cancel(&s->timer);
}

static void sink_fail(struct sink *s, enum error_class class, const char *code)
{
        struct error e = ERROR_INIT;

        error_set(&e, class, "target says no (%u)", (unsigned)below(3));
        snprintf(e.code, sizeof e.code, "%s", code);
        sink_empty(s);
        if (class != ERROR_RETRY)
                w->must_stop = true;
        else if (*code == '4') /* what it was to do lies before the source's error */
                w->must_stop = false;
        s->in_event = s->in_failed = true;
        s->events.failed(s->context, &e);
        s->in_event = s->in_failed = false;
}

/* Commits were asynchronous: those that are not flushed are gone. */
static void target_crashes(struct sink *s)
{
        sink_empty(s);
        w->committed = w->durable;
        sink_fail(s, ERROR_RETRY, "57P01");
}

static void sink_comes_up(struct sink *s)
{
        char gtids[16];
        struct sink_start start = {.position = w->committed.position,
                .gtids = w->committed.seen < 0 ? NULL : gtids,
                .epoch = ++s->epoch,
                .identity = {.timeline = 1, .slot = "sim"}};

        snprintf(gtids, sizeof gtids, "%sg%d",
                position_compare(start.position, POSITION_BY_GTID) ? "" : "~", w->committed.seen);
        snprintf(start.identity.system, sizeof start.identity.system, "%u", w->belongs);
        s->phase = UP;
        sink_begin(s);
        w->durable = w->committed; /* the epoch's commit was synchronous, and all before it */
        s->in_event = true;
        s->events.ready(s->context, &start);
        if (chance(5))
                s->events.warning(s->context, "made up");
        s->in_event = false;
}

/* Applies one piece. false: the target refused. */
static bool sink_apply(struct sink *s)
{
        struct txn *t = s->head;
        bool refused = w->poison < w->facts_n && story_of(t->commit) == w->facts[w->poison].commit;

        must(t->first == !s->partial, "a piece does not fit the one before");
        for (const struct change *c = t->changes; c && !refused; c = c->next) {
                must(!strcmp(c->relation->name, "wanted"), "a change of another table came");
                must(strtoul(c->new[0].data, NULL, 10) == s->open.rows,
                        "change %s came, %u was next", c->new[0].data, s->open.rows);
                s->open.rows++;
                s->open_rows++;
        }
        s->head = t->next;
        if (!s->head)
                s->tail = &s->head;
        s->held--;
        s->partial = !t->last;
        if (t->last) {
                s->open.position = t->end;
                s->open.seen = parse_gtids(t->gtids);
                s->open_transactions++;
        }
        txn_free(t);
        return !refused;
}

static void sink_committed(struct sink *s)
{
        uint64_t transactions = s->open_transactions, rows = s->open_rows;

        target_commits(s);
        sink_begin(s);
        s->in_event = true;
        s->events.committed(s->context, w->committed.position, transactions, rows);
        s->in_event = false;
}

static void sink_sync(struct sink *s)
{
        if (!s->syncing) {
                s->sync_to = w->committed;
                s->syncing = position_compare(s->sync_to.position, w->durable.position) > 0;
                return;
        }
        s->syncing = false;
        w->durable = s->sync_to;
        s->in_event = true;
        s->events.durable(s->context, w->durable.position);
        s->in_event = false;
}

static void sink_give_room(struct sink *s)
{
        if (!s->full || s->held > s->room / 2)
                return;
        s->full = false;
        s->in_event = true;
        s->events.room(s->context);
        s->in_event = false;
}

/* One thing that a target does. false: it failed. */
static bool sink_act(struct sink *s)
{
        if (chance(30)) {
                sink_sync(s);
        } else if (s->committing) {
                sink_committed(s);
        } else if (!s->partial && s->open_transactions && (!s->head || chance(40))) {
                s->committing = true;
        } else if (s->head) {
                if (!sink_apply(s)) {
                        sink_fail(s, ERROR_RETRY, "40P01");
                        return false;
                }
        } else if (!s->partial &&
                   (s->refresh || position_compare(s->idle, w->committed.position) > 0)) {
                if (position_compare(s->idle, w->committed.position) > 0) {
                        s->open.position = s->idle;
                        s->open.seen = s->idle_seen;
                }
                s->committing = true;
                s->refresh = false;
        }
        sink_give_room(s);
        return true;
}

static void sink_step(void *context)
{
        struct sink *s = context;

        if (trouble(s->phase == STARTING ? 10 : w->sink_fails)) {
                sink_fail(s, ERROR_RETRY, "");
        } else if (trouble(w->crashes)) {
                target_crashes(s);
        } else if (s->phase == UP && trouble(w->deadlocks)) {
                sink_fail(s, ERROR_RETRY, "40P01");
        } else if (trouble(w->data_errors)) {
                sink_fail(s, ERROR_DATA, "23505");
        } else {
                timer_set(&s->timer, soon(6));
                if (s->phase == STARTING)
                        sink_comes_up(s);
                else
                        for (uint64_t n = 1 + below(6); n && sink_act(s); n--)
                                ;
        }
}

static struct sink *fake_sink_create(struct loop *l, const struct config *c,
        const struct sink_events *events, void *context, struct error *e)
{
        struct sink *s = memory_new_of(struct sink);

        (void)c;
        (void)e;
        s->events = *events;
        s->context = context;
        s->room = 1 + (unsigned)below(20);
        w->sink = s;
        s->tail = &s->head;
        timer_init(&s->timer, l, sink_step, s);
        return s;
}

static struct sink *fake_sink_destroy(struct sink *s)
{
        must(!s->in_event, "sink destroyed inside its event");
        sink_empty(s);
        free(s);
        return NULL;
}

static void fake_sink_start(struct sink *s)
{
        must(s->phase == IDLE && (!s->in_event || s->in_failed), "sink started at a bad moment");
        must(!w->must_stop, "sink started again after an error that no retry mends");
        s->phase = STARTING;
        timer_set(&s->timer, soon(20));
}

static void fake_sink_stop(struct sink *s)
{
        must(!s->in_event || s->in_failed, "sink stopped inside its event");
        sink_empty(s);
}

static enum sink_push fake_sink_push(struct sink *s, struct txn **piece)
{
        must(s->phase == UP, "a piece was pushed to a sink that is not ready");
        if (s->held >= s->room || chance(3)) {
                s->full = true;
                return SINK_FULL;
        }
        (*piece)->next = NULL;
        *s->tail = *piece;
        s->tail = &(*piece)->next;
        s->held++;
        *piece = NULL;
        return SINK_TAKEN;
}

static bool fake_sink_idle(struct sink *s, struct position p, const char *gtids)
{
        must(s->phase == UP, "an idle position for a sink that is not ready");
        must(!s->head && !s->partial && !s->open_transactions,
                "an idle position while something is pending");
        must(rows_before(p) == w->committed.rows, "an idle position past what is applied");
        if (position_compare(p, s->idle) > 0) {
                s->idle = p;
                s->idle_seen = gtids ? parse_gtids(gtids) : w->committed.seen;
                must(!w->has_gtids || s->idle_seen >= 0, "an idle position without GTIDs");
        }
        s->refresh |= chance(50); /* where readers look, an older position may stand */
        return s->refresh || position_compare(s->idle, w->committed.position) > 0;
}

static void fake_sink_reload(struct sink *s, const struct config *c)
{
        (void)s;
        (void)c;
}

static bool fake_sink_connected(const struct sink *s)
{
        return s->phase == UP;
}

static const char *fake_sink_version(const struct sink *s)
{
        (void)s;
        return NULL;
}

static const struct sink_ops fake_sink = {KIND_POSTGRESQL, fake_sink_create, fake_sink_destroy,
        fake_sink_start, fake_sink_stop, fake_sink_push, fake_sink_idle, fake_sink_reload,
        fake_sink_connected, fake_sink_version};

/* ---- the operator ---- */

static void check_status(void)
{
        struct pipeline_status s;

        if (!w->pipeline)
                return;
        pipeline_status(w->pipeline, &s);
        must(!s.owed || s.owed <= loop_now(w->loop), "the target owes an answer of the future");
        must(!s.owed || w->sink->phase == UP, "a target that is away owes an answer");
        must(rows_before(s.applied) <= w->ever_rows,
                "status says %" PRIx64 " is applied (%u rows), the target has had %u rows",
                s.applied.lsn, rows_before(s.applied), w->ever_rows);
        must(story_of(s.acknowledged) <= story_of(w->durable.position) ||
                        (w->failovers && rows_before(s.acknowledged) <= w->durable.rows),
                "status says more is acknowledged than is durable");
        must(route_find(w->route, "public", "wanted")->durable.inserts <= w->durable.rows,
                "%" PRIu64 " rows are counted, %u are durable",
                route_find(w->route, "public", "wanted")->durable.inserts, w->durable.rows);
}

static void on_changed(void *context)
{
        (void)context;
        check_status();
}

static bool was_copied(const struct error *e)
{
        return w->copied != NO_DDL && strstr(e->message, "was in the copy already");
}

static bool is_statement(const struct error *e)
{
        return !strcmp(e->code, ROUTE_STATEMENT_CODE) || !strcmp(e->code, ROUTE_WRITE_CODE);
}

static unsigned fact_of_statement(const struct error *e)
{
        struct error none = ERROR_INIT;
        struct position end = POSITION_NONE;
        unsigned i = 0;

        position_parse(&end, e->position, &none);
        while (i < w->facts_n && !(has_statement(i) && w->facts[i].commit - 8 == story_of(end)))
                i++;
        must(i < w->facts_n, "stopped on a statement that the log has not");
        return i < w->facts_n ? i : 0;
}

/* Whoever accepts it does so for all that came before. */
static void check_stop_on_statement(const struct error *e)
{
        unsigned i = fact_of_statement(e);

        must(w->committed.rows == w->facts[i].before,
                "%u rows where a statement stopped it, not %u", w->committed.rows,
                w->facts[i].before);
        must(!(w->accepted >> i & 1) || w->accepted_of[i] != w->belongs,
                "an accepted statement stopped it again");
}

static void on_stopped(void *context, const struct error *e)
{
        (void)context;
        must(!w->stopped, "stopped twice");
        must(w->started, "stopped, and was not running");
        must(e->class == (was_copied(e) ? ERROR_BUG : ERROR_DATA), "stopped with class %s: %s",
                error_class_name(e->class), e->message);
        if (is_statement(e))
                check_stop_on_statement(e);
        w->must_stop = false;
        w->gave_up += strstr(e->message, "given up") != NULL;
        w->stopped = true;
        w->started = false;
        w->last = *e;
        check_status();
}

static void on_note(void *context, bool warning, const struct error *e, const char *text)
{
        (void)context;
        (void)warning;
        (void)e;
        must(*text != '\0', "a note without text");
}

static void on_marked(void *context, struct position p, const struct error *e)
{
        (void)context;
        must((e->class == ERROR_NONE) == !position_is_none(p), "a mark without position or error");
        w->marks_answered++;
}

static void set_until(void)
{
        struct position until =
                w->until == NO_DDL ? POSITION_NONE : place_of(w->facts[w->until].commit);

        pipeline_until(w->pipeline, until);
}

/* All before it, nothing after it, and the position is where the next start finds it. */
static void on_reached(void *context)
{
        (void)context;
        must(w->started && w->until != NO_DDL, "the stream ended, and was not to");
        must(w->committed.rows == w->facts[w->until].before,
                "%u rows where the stream ended, not %u", w->committed.rows,
                w->facts[w->until].before);
        must(story_of(w->committed.position) >= w->facts[w->until].commit,
                "the position where the stream ended is not stored");
        w->until = NO_DDL;
        set_until();
        pipeline_start(w->pipeline, NULL);
}

/* Nothing goes to quarantine in these stories. */
static void on_overcome(void *context, const struct error *e)
{
        (void)context;
        (void)e;
        problem("it paused by itself");
}

static void new_pipeline(void)
{
        static const struct pipeline_events events = {
                on_changed, on_stopped, on_note, on_marked, on_reached, on_overcome};
        struct error e = ERROR_INIT;
        struct pipeline_setup setup = {.config = w->config,
                .source = &fake_source,
                .sink = &fake_sink,
                .route = w->route,
                .seed = below(1000),
                .events = &events};

        w->pipeline = pipeline_new(w->loop, &setup, &e);
        set_until();
        w->processes++;
        w->started = w->stopped = w->paused = w->must_stop = false;
}

static void start(void)
{
        w->stopped = false;
        w->started = true;
        w->snapshot_known = false;
        pipeline_start(w->pipeline, NULL);
}

/* The snapshot of the copy before this story: it has what came before, and now and then, which
 * must never be, one transaction that the stream brings too. The others are in progress in it. */
static void start_after_copy(void)
{
        bool bad = w->copied != NO_DDL;
        struct snapshot *seen = memory_new_of(struct snapshot);
        AUTO_BUF text = BUF_INIT;
        struct error e = ERROR_INIT;

        buf_printf(&text, "%" PRIu64 ":%" PRIu64 ":", w->xids - 9,
                bad ? w->xids + w->copied + 1 : w->xids);
        buf_printf(&text, "%" PRIu64, w->xids - 9);
        for (unsigned i = 0; bad && i < w->copied; i++)
                buf_printf(&text, ",%" PRIu64, w->xids + i);
        if (snapshot_parse(seen, buf_text(&text), &e) < 0)
                problem("%s", e.message);
        w->started = true;
        w->snapshot_known = true;
        pipeline_start(w->pipeline, seen);
}

static void stop(void)
{
        pipeline_stop(w->pipeline);
        w->started = w->must_stop = false;
}

static void new_process(void *context)
{
        (void)context;
        w->pipeline = pipeline_free(w->pipeline);
        w->shutting_down = false;
        new_pipeline();
        start();
}

static void on_shut_down(void *context)
{
        (void)context;
        must(w->shutting_down, "shut down twice");
        must(loop_now(w->loop) <= w->shutdown_at + w->grace, "shutting down took too long");
        must(loop_now(w->loop) == w->shutdown_at + w->grace || w->started == false ||
                        position_compare(w->committed.position, w->durable.position) >= 0,
                "shut down early");
        loop_defer(w->loop, &w->restart);
}

static void expect_shapes(bool changed)
{
        for (int i = 0; i < TABLES; i++) {
                struct relation *r = shape_of(i, changed);

                route_expect(w->route, r, NULL);
                relation_unref(r);
        }
}

/* As ops/migration.c does at `resume`. */
static void accept_statement(void)
{
        unsigned i = fact_of_statement(&w->last);
        struct error none = ERROR_INIT;
        struct position end;

        w->accepted |= UINT64_C(1) << i;
        w->accepted_of[i] = w->belongs;
        if (position_parse(&end, w->last.position, &none) == 0)
                route_accept_statements(w->route, end);
}

/* As ops/move_follow.c does: the target's GTIDs are what it has, wherever that is now. */
static void follow(void)
{
        int seen = w->committed.seen;

        must(seen >= 0 && rows_of_first(seen) == w->committed.rows,
                "the target has %u rows, and GTIDs of %u", w->committed.rows, rows_of_first(seen));
        w->followed = seen > 0 ? w->facts[seen - 1].end : 900;
        w->committed.position = POSITION_BY_GTID;
        w->durable = w->committed;
        w->belongs = w->server;
        route_forget_statements(w->route);
}

/* Writers and culvert go to another server, which has all that the old one had. */
static void fail_over(void)
{
        if (!w->has_gtids || w->server + 1 >= SERVERS)
                return;
        w->server++;
        w->failovers++;
        w->confirmed = 0;
        if (w->source->phase != IDLE)
                source_lost(w->source);
}

/* What an operator does about a stop: deadlocks are over, a new column is taken over once all
 * before it is applied. */
static void repair(void)
{
        if (was_copied(&w->last)) {
                must(w->committed.rows <= w->facts[w->copied].before,
                        "rows that the copy had were applied again");
                w->copied = NO_DDL;
        }
        if (strstr(w->last.message, "given up"))
                w->poison = NO_DDL;
        if (strstr(w->last.message, "the definition of public.wanted changed"))
                w->held_at = w->ddl;
        if (is_statement(&w->last))
                accept_statement();
        if (!strcmp(w->last.code, IDENTITY_OTHER_CODE))
                follow();
        start();
}

static void take_over_ddl(void)
{
        if (w->ddl == NO_DDL || w->held_at != w->ddl || w->ddl_known)
                return;
        if (w->ddl > 0 && story_of(w->durable.position) < w->facts[w->ddl - 1].end)
                return;
        must(w->committed.rows <= w->facts[w->ddl].before, "rows of the new shape were applied");
        stop();
        w->ddl_known = true;
        w->held_at = TRANSACTIONS_MAX;
        expect_shapes(true);
        start();
}

static void set_paused(bool paused)
{
        w->paused = paused;
        pipeline_pause(w->pipeline, paused);
}

/* A pause or a shutdown does not leave the target with half a transaction whose end is here. */
static void check_not_stuck(void)
{
        struct pipeline_status s;
        bool waits;

        pipeline_status(w->pipeline, &s);
        waits = w->started && w->sink->phase == UP && w->sink->partial && !w->sink->head &&
                s.queue_bytes > 0;
        w->stuck = waits ? w->stuck + 1 : 0;
        must(w->stuck < 10, "half a transaction was left on the target");
}

static void misbehave(void)
{
        switch (below(16)) {
        case 0:
                set_paused(true);
                break;
        case 1:
        case 2:
                set_paused(false);
                break;
        case 3:
                if (w->started) {
                        w->marks_asked++;
                        pipeline_mark(w->pipeline);
                }
                break;
        case 4:
                w->shutting_down = true;
                w->shutdown_at = loop_now(w->loop);
                w->grace = 10 * MILLISECOND + soon(400);
                pipeline_shutdown(w->pipeline, w->grace, on_shut_down, NULL);
                break;
        case 5:
                new_process(NULL); /* kill -9 */
                break;
        case 6:
                stop();
                start();
                break;
        case 7:
                pipeline_reload(w->pipeline, w->config);
                break;
        case 8:
                fail_over();
                break;
        default:
                break;
        }
}

static bool all_done(void)
{
        struct pipeline_status s;
        const struct fact *last = &w->facts[w->facts_n - 1];

        pipeline_status(w->pipeline, &s);
        return w->started && w->durable.rows == last->after && s.pending == 0 && s.owed == 0 &&
               s.queue_bytes == 0 && story_of(s.acknowledged) >= last->end &&
               w->confirmed >= last->end;
}

static void on_operator(void *context)
{
        (void)context;
        timer_set(&w->operator, TICK + soon(200));
        if (w->shutting_down)
                return;
        if (w->stopped && chance(50)) {
                repair();
        } else if (elapsed() < TROUBLE_ENDS) {
                misbehave();
        } else {
                if (w->paused)
                        set_paused(false);
                if (all_done()) {
                        /* what an earlier process had under way is in no counter */
                        must(w->processes > 1 ||
                                        route_find(w->route, "public", "wanted")->durable.inserts ==
                                                w->durable.rows,
                                "%" PRIu64 " rows are counted of %u",
                                route_find(w->route, "public", "wanted")->durable.inserts,
                                w->durable.rows);
                        must(w->until == NO_DDL, "the stream did not end");
                        must(w->accepted == w->statements, "a statement was not told");
                        loop_stop(w->loop);
                }
        }
        if (!w->shutting_down && w->started)
                take_over_ddl();
        check_not_stuck();
        must(w->until == NO_DDL || w->committed.rows <= w->facts[w->until].before,
                "rows from behind the stream's end were applied");
        must(elapsed() < MUST_BE_DONE, "not done: %u of %u rows, %s%s", w->committed.rows,
                w->facts[w->facts_n - 1].after, w->stopped ? "stopped: " : "",
                w->stopped ? w->last.message : "");
}

/* ---- a story ---- */

static void make_facts(void)
{
        uint64_t lsn = 1000;
        int64_t at = 0;
        unsigned rows = 0, size = chance(30) ? 2900 : 40, busy = 1 + (unsigned)below(60);

        w->facts_n = 1 + (unsigned)below(TRANSACTIONS_MAX);
        for (unsigned i = chance(25) ? 0 : w->facts_n; i < w->facts_n; i++)
                w->statements |= (uint64_t)chance(6) << i;
        for (unsigned i = 0; i < w->facts_n; i++) {
                struct fact *f = &w->facts[i];

                lsn += chance(30) ? 0 : below(5000); /* may begin where the last one ends */
                lsn += chance(2) ? UINT64_C(40) << 20 : 0;
                lsn += w->statements >> i & 1 ? STATEMENT_ROOM : 0;
                at += (int64_t)below(busy) * 10 * TICK;
                f->commit = lsn;
                f->end = lsn += 8 + below(100);
                f->at = at;
                f->changes = chance(80) ? 1 + (unsigned)below(4) : (unsigned)below(60);
                f->payload = (unsigned)below(size);
                if (chance(85))
                        for (unsigned k = 0; k < f->changes; k++)
                                f->wanted |= (uint64_t)chance(80) << k;
                f->before = rows;
                f->after = rows += (unsigned)__builtin_popcountll(f->wanted);
        }
}

static void make_trouble(void)
{
        w->source_fails = chance(60) ? (unsigned)below(8) : 0;
        w->sink_fails = chance(60) ? (unsigned)below(6) : 0;
        w->crashes = chance(40) ? (unsigned)below(4) : 0;
        w->deadlocks = chance(40) ? (unsigned)below(4) : 0;
        w->data_errors = chance(25) ? 1 : 0;
        w->poison = chance(15) ? (unsigned)below(w->facts_n) : NO_DDL;
        w->ddl = chance(25) ? (unsigned)below(w->facts_n) : NO_DDL;
        w->held_at = TRANSACTIONS_MAX;
        w->xids = chance(50) ? 700 : (UINT64_C(3) << 32) - below(TRANSACTIONS_MAX);
        w->copied = chance(10) ? (unsigned)below(w->facts_n) : NO_DDL;
        w->until = w->copied == NO_DDL && chance(30) ? (unsigned)below(w->facts_n) : NO_DDL;
        w->has_gtids = w->copied == NO_DDL && w->until == NO_DDL && chance(40);
}

static struct config *make_config(void)
{
        static const char text[] = "[source]\nuri = postgresql://a@h/x\n[target]\n"
                                   "uri = postgresql://a@h/y\n[tables]\nexclude = public.other\n";
        struct config *c = config_parse("/sim.conf", text, sizeof text - 1, false);

        if (c->problems_n) {
                printf("the configuration is not taken: %s\n", c->problems[0].text);
                exit(1);
        }
        c->queue.memory = QUEUE_MEMORY;
        c->queue.disk = 0;
        c->apply.retry_attempts = 4;
        return c;
}

static void begin(uint64_t seed)
{
        w->random = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
        for (int i = 0; i < 20; i++)
                below(2);
        w->loop = loop_new_simulated();
        w->began = loop_now(w->loop);
        w->config = make_config();
        w->route = route_new(w->config);
        make_facts();
        make_trouble();
        expect_shapes(false);
        w->confirmed = 900;
        w->committed = w->durable =
                (struct mark_of_target){.position = place_of(900), .seen = w->has_gtids ? 0 : -1};
        timer_init(&w->operator, w->loop, on_operator, NULL);
        task_init(&w->restart, new_process, NULL);
        timer_set(&w->operator, TICK);
        new_pipeline();
        start_after_copy();
}

static bool tell(uint64_t seed)
{
        struct world world = {0};

        w = &world;
        begin(seed);
        loop_run(w->loop);
        w->pipeline = pipeline_free(w->pipeline);
        must(w->marks_answered == w->marks_asked, "%u marks asked, %u answered", w->marks_asked,
                w->marks_answered);
        must(w->poison == NO_DDL || !w->facts[w->poison].wanted || *w->problem,
                "a deadlock without end was endured");
        w->route = route_free(w->route);
        w->config = config_free(w->config);
        w->loop = loop_free(w->loop);
        if (*w->problem)
                printf("seed %" PRIu64 ": %s\n", seed, w->problem);
        return !*w->problem;
}

int main(int argc, char **argv)
{
        const char *count = argc > 1 ? argv[1] : getenv("SIM_SEEDS");
        const char *from = argc > 2 ? argv[2] : getenv("SIM_FIRST");
        uint64_t n = count ? strtoull(count, NULL, 10) : 6000;
        uint64_t first = from ? strtoull(from, NULL, 10) : 1;
        uint64_t failed = 0;

        for (uint64_t i = 0; i < n; i++)
                failed += !tell(first + i);
        printf("%" PRIu64 " passed, %" PRIu64 " failed\n", n - failed, failed);
        return failed || !n ? 1 : 0;
}
