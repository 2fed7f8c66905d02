#include "flow/queue.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES ((size_t)256 * 1024)
#define SEGMENT_BYTES (UINT64_C(64) * 1024 * 1024)
#define SYNC_BYTES (UINT64_C(16) * 1024 * 1024)
#define SYNC_DELAY (50 * MILLISECOND)

/* ---- pieces in memory ---- */

static void account(struct queue *q, const struct txn *t, int sign)
{
        q->bytes += (uint64_t)sign * txn_bytes(t);
        q->pieces += (uint64_t)sign;
        q->transactions += t->last ? (uint64_t)sign : 0;
}

static void append(struct queue *q, struct txn ***tail, struct txn *t)
{
        t->next = NULL;
        **tail = t;
        *tail = &t->next;
        account(q, t, 1);
}

static struct txn *take_first(struct queue *q, struct txn **head, struct txn ***tail)
{
        struct txn *t = *head;

        if (!t)
                return NULL;
        *head = t->next;
        if (!*head)
                *tail = head;
        t->next = NULL;
        account(q, t, -1);
        return t;
}

static void put_back(struct queue *q, struct txn **head, struct txn ***tail, struct txn *t)
{
        t->next = *head;
        *head = t;
        if (!t->next)
                *tail = &t->next;
        account(q, t, 1);
}

static void drop_list(struct queue *q, struct txn **head, struct txn ***tail)
{
        struct txn *t;

        while ((t = take_first(q, head, tail)))
                txn_free(t);
}

/* Where the transaction that has not ended begins in a list. */
static struct txn **find_open(struct txn **head)
{
        struct txn **open = head;

        for (struct txn *t = *head; t; t = t->next)
                if (t->last)
                        open = &t->next;
        return open;
}

static struct txn *detach_open(struct queue *q, struct txn **head, struct txn ***tail)
{
        struct txn **open = find_open(head), *first = *open;

        *open = NULL;
        *tail = open;
        for (struct txn *t = first; t; t = t->next)
                account(q, t, -1);
        return first;
}

static void drop_open(struct queue *q, struct txn **head, struct txn ***tail)
{
        struct txn *t = detach_open(q, head, tail);

        while (t) {
                struct txn *next = t->next;

                txn_free(t);
                t = next;
        }
}

/* ---- the spool ---- */

static void set_end(struct queue *q, struct position end, const char *state)
{
        char *copy = memory_string(state);

        q->end = position_max(q->end, end);
        free(q->state);
        q->state = copy;
}

/* False: it is full. */
static bool push_spool(struct queue *q, struct txn **piece)
{
        bool last = (*piece)->last;
        struct position end = (*piece)->end;
        AUTO_STRING state = last ? memory_string((*piece)->gtids) : NULL;

        if (spool_push(q->spool, piece) == SPOOL_FULL)
                return false;
        if (last)
                set_end(q, end, state);
        return true;
}

static void on_opened(void *context, const struct recovered *found)
{
        struct queue *q = context;

        recovered_done(&q->found);
        q->found = *found;
        q->found.gtids = memory_string(found->gtids);
        q->opened = true;
        q->events->opened(q->context);
}

static void on_durable(void *context, struct position p)
{
        struct queue *q = context;

        q->durable = p;
        q->events->durable(q->context, p);
}

static void on_readable(void *context)
{
        struct queue *q = context;

        q->events->more(q->context);
}

static void on_room(void *context)
{
        struct queue *q = context;

        while (q->waiting) {
                struct txn *t = take_first(q, &q->waiting, &q->waiting_tail);

                if (push_spool(q, &t))
                        continue;
                put_back(q, &q->waiting, &q->waiting_tail, t);
                return;
        }
        q->events->room(q->context);
}

static void on_failed(void *context, const struct error *e)
{
        struct queue *q = context;

        q->events->failed(q->context, e);
}

static const struct spool_events from_spool = {
        on_opened, on_durable, on_readable, on_room, on_failed};

static void open_spool(struct queue *q)
{
        const struct spool_setup setup = {.folder = q->folder,
                .pipeline = q->pipeline,
                .frame_bytes = FRAME_BYTES,
                .segment_bytes = q->disk / 4 < SEGMENT_BYTES ? q->disk / 4 : SEGMENT_BYTES,
                .sync_bytes = SYNC_BYTES,
                .sync_delay = SYNC_DELAY,
                .memory = q->low};

        if (q->disk)
                q->spool = spool_open(q->loop, &setup, &from_spool, q);
}

static void begin_spool(
        struct queue *q, bool fresh, struct position p, const char *state, const char *source)
{
        const struct spool_begin begin = {source, fresh, p, state};

        spool_begin(q->spool, &begin);
        if (source != q->source) {
                free(q->source);
                q->source = memory_string(source);
        }
        q->begun = true;
        q->cleared = fresh;
        q->begin = q->end = q->durable = p;
        set_end(q, p, state);
}

/* ---- its life ---- */

void queue_init(struct queue *q, const struct queue_setup *setup, const struct queue_events *events,
        void *context)
{
        *q = (struct queue){.high = setup->memory,
                .low = setup->memory / 2,
                .disk = setup->disk,
                .loop = setup->loop,
                .events = events,
                .context = context,
                .folder = memory_string(setup->folder),
                .pipeline = memory_string(setup->pipeline)};
        q->tail = &q->head;
        q->waiting_tail = &q->waiting;
        open_spool(q);
}

void queue_drop(struct queue *q)
{
        drop_list(q, &q->head, &q->tail);
        drop_list(q, &q->waiting, &q->waiting_tail);
        q->open = q->resting = false;
}

static void close_spool(struct queue *q)
{
        q->spool = spool_close(q->spool);
        recovered_done(&q->found);
        q->found.any = q->opened = q->begun = q->diverted = false;
}

void queue_done(struct queue *q)
{
        queue_drop(q);
        close_spool(q);
        free(q->folder);
        free(q->pipeline);
        free(q->state);
        free(q->source);
        q->folder = q->pipeline = q->state = q->source = NULL;
}

void queue_reopen(struct queue *q)
{
        queue_drop(q);
        close_spool(q);
        open_spool(q);
}

bool queue_is_open(const struct queue *q)
{
        return !q->spool || q->opened;
}

bool queue_has_disk(const struct queue *q)
{
        return q->spool && q->opened;
}

/* ---- the side of the source ---- */

static void to_disk(struct queue *q, struct txn *t)
{
        if (!q->disk_oldest)
                q->disk_oldest = t->committed_at;
        if (q->waiting || !push_spool(q, &t))
                append(q, &q->waiting_tail, t);
}

static void pass(struct queue *q, struct position p, const char *state)
{
        if (position_compare(p, q->end) <= 0)
                return;
        set_end(q, p, state);
        spool_passed(q->spool, p, state);
}

bool queue_may_divert(struct queue *q)
{
        struct txn *t;

        if (q->diverted || !queue_has_disk(q))
                return false;
        if (!q->open)
                return true;
        t = *find_open(&q->head);
        return t && t->first;
}

void queue_divert(
        struct queue *q, struct queue_point begin, struct queue_point now, const char *source)
{
        struct txn *t = detach_open(q, &q->head, &q->tail), *next;

        begin_spool(q, true, begin.at, begin.state, source);
        spool_seek(q->spool, begin.at);
        q->out = begin.at;
        q->diverted = true;
        q->cleared = false;
        q->disk_oldest = 0;
        pass(q, now.at, now.state);
        for (; t; t = next) {
                next = t->next;
                to_disk(q, t);
        }
}

void queue_push(struct queue *q, struct txn **piece)
{
        struct txn *t = *piece;

        *piece = NULL;
        q->open = !t->last;
        if (q->diverted)
                to_disk(q, t);
        else
                append(q, &q->tail, t);
}

void queue_passed(struct queue *q, struct position p, const char *state)
{
        if (q->diverted && !q->open && !q->waiting)
                pass(q, p, state);
}

/* On disk the next transaction's first piece tells that this one was abandoned. */
void queue_drop_partial(struct queue *q)
{
        q->open = false;
        drop_open(q, &q->waiting, &q->waiting_tail);
        if (!q->diverted)
                drop_open(q, &q->head, &q->tail);
}

void queue_abandon(struct queue *q)
{
        if (q->diverted)
                spool_abandon(q->spool);
}

static bool is_full(struct queue *q)
{
        uint64_t limit = q->disk_is_full ? q->disk - q->disk / 8 : q->disk;

        q->disk_is_full = queue_disk_bytes(q) >= limit;
        return q->waiting || q->disk_is_full;
}

bool queue_wants(struct queue *q)
{
        bool memory = q->bytes >= (q->resting ? q->low + 1 : q->high);

        if (q->diverted)
                q->resting = is_full(q);
        else /* what comes goes to disk, if it can */
                q->resting = memory && !queue_may_divert(q);
        return !q->resting;
}

/* ---- the side of the sink ---- */

static int pop_spool(struct queue *q, struct queue_item *item, struct error *e)
{
        struct segment_read read;
        int rc = spool_read(q->spool, &read, e);

        item->from_disk = true;
        switch (rc) {
        case SEGMENT_WORKED:
                return QUEUE_AGAIN;
        case SEGMENT_PIECE:
                item->piece = read.piece;
                q->disk_oldest = read.piece->committed_at;
                if (read.piece->last)
                        q->out = read.piece->end;
                return QUEUE_PIECE;
        case SEGMENT_PASSED:
        case SEGMENT_ABANDONED:
                item->passed = read.passed;
                item->state = read.gtids;
                q->out = position_max(q->out, read.passed);
                return rc == SEGMENT_PASSED ? QUEUE_PASSED : QUEUE_ABANDONED;
        default:
                return rc < 0 ? -1 : QUEUE_NOTHING;
        }
}

int queue_pop(struct queue *q, struct queue_item *item, struct error *e)
{
        *item = (struct queue_item){0};
        if (!q->head)
                return q->diverted ? pop_spool(q, item, e) : QUEUE_NOTHING;
        item->piece = take_first(q, &q->head, &q->tail);
        return QUEUE_PIECE;
}

void queue_unpop(struct queue *q, struct txn **piece)
{
        put_back(q, &q->head, &q->tail, *piece);
        *piece = NULL;
}

bool queue_is_drained(const struct queue *q)
{
        if (q->head || q->open)
                return false;
        return !q->diverted || (!q->waiting && position_compare(q->out, q->end) >= 0);
}

void queue_leave(struct queue *q)
{
        q->diverted = false;
}

bool queue_covers(const struct queue *q, struct position p)
{
        return q->diverted && position_compare(q->begin, p) <= 0;
}

/* What a process before this one left. */
static bool take_found(struct queue *q, struct position p, const char *source)
{
        if (!q->found.any || q->begun || strcmp(q->found.source, source) != 0 ||
                position_compare(q->found.begin, p) > 0 || position_compare(p, q->found.end) > 0)
                return false;
        begin_spool(q, false, q->found.end, q->found.gtids, source);
        q->begin = q->found.begin;
        q->diverted = true;
        return true;
}

static bool has_from(const struct queue *q, struct position p, const char *source)
{
        return queue_covers(q, p) && position_compare(p, q->end) <= 0 && !strcmp(q->source, source);
}

bool queue_rewind(struct queue *q, struct position p, const char *source)
{
        drop_list(q, &q->head, &q->tail);
        if (!q->spool)
                return false;
        if (!take_found(q, p, source) && !has_from(q, p, source)) {
                q->diverted = false;
                return false;
        }
        spool_seek(q->spool, p);
        q->out = p;
        return true;
}

bool queue_is_choked(const struct queue *q)
{
        return q->diverted && q->open && q->disk_is_full && position_compare(q->out, q->end) >= 0;
}

void queue_applied(struct queue *q, struct position p)
{
        if (!q->begun || q->cleared)
                return;
        if (!q->diverted && position_compare(p, q->end) >= 0)
                begin_spool(q, true, p, NULL, q->source); /* the newest goes, too */
        else
                spool_forget(q->spool, p);
}

/* ---- what is asked ---- */

uint64_t queue_disk_bytes(const struct queue *q)
{
        return queue_has_disk(q) ? spool_disk_bytes(q->spool) : 0;
}

uint64_t queue_transactions(const struct queue *q)
{
        struct spool_status s = {0};

        if (q->diverted && queue_has_disk(q))
                spool_status(q->spool, &s);
        return q->transactions + s.transactions;
}

int64_t queue_oldest(const struct queue *q)
{
        if (q->head)
                return q->head->committed_at;
        return q->diverted && !queue_is_drained(q) ? q->disk_oldest : 0;
}
