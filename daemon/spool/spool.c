/* The loop's side. */
#include "spool/spool.h"
#include "base/memory.h"
#include "base/thread.h"
#include "spool/spool_private.h"

#include <stdlib.h>

static void item_free(struct spool_item *i)
{
        txn_free(i->piece);
        free(i->text);
        free(i->source);
        free(i);
}

/* Gives back how many bytes of pieces there were. */
static uint64_t free_all(struct spool_item *i)
{
        uint64_t bytes = 0;

        while (i) {
                struct spool_item *next = i->next;

                bytes += i->bytes;
                item_free(i);
                i = next;
        }
        return bytes;
}

/* ---- what the thread tells ---- */

static void report_durable(struct spool *s)
{
        struct position p = chain_durable(s->chain);

        if (position_compare(p, s->durable) <= 0)
                return;
        s->durable = p;
        s->events->durable(s->context, p);
}

/* The newest segment: what is written shows there. */
static void look(struct spool *s, uint64_t *sequence, uint64_t *bytes)
{
        struct chain_segment last = {0};

        chain_last(s->chain, &last);
        *sequence = last.sequence;
        *bytes = last.bytes;
}

static void report_readable(struct spool *s)
{
        uint64_t sequence, bytes;

        look(s, &sequence, &bytes);
        if (!s->waiting || (sequence == s->seen_sequence && bytes == s->seen_bytes && s->reading))
                return;
        s->waiting = false;
        s->events->readable(s->context);
}

static void report_room(struct spool *s)
{
        if (!s->full || s->bytes > s->memory / 2)
                return;
        s->full = false;
        s->events->room(s->context);
}

void spool_wake(void *context)
{
        struct spool *s = context;
        struct spool_item *done;
        struct error failed;
        bool opened, begun;

        pthread_mutex_lock(&s->lock);
        s->told = false;
        done = s->done;
        s->done = NULL;
        s->done_tail = &s->done;
        opened = s->opened;
        begun = s->begun;
        failed = s->failed;
        pthread_mutex_unlock(&s->lock);

        s->bytes -= free_all(done);
        if (opened && !s->opened_told) {
                s->opened_told = true;
                s->events->opened(s->context, &s->found);
        }
        if (begun) {
                if (!s->reader)
                        s->reader = segment_reader_new(s->disk, s->folder, s->chain);
                report_durable(s);
                report_readable(s);
                report_room(s);
        }
        if (failed.class != ERROR_NONE && !s->failed_told) {
                s->failed_told = true;
                s->events->failed(s->context, &failed);
        }
}

/* ---- its life ---- */

static void start_thread(struct spool *s)
{
        s->running = thread_start(&s->thread, spool_thread, s);
        if (s->running)
                return;
        error_set(&s->failed, ERROR_RETRY, "queue on disk: no thread could be started");
        s->told = true;
        loop_post(s->loop, spool_wake, s);
}

struct spool *spool_open(struct loop *l, const struct spool_setup *setup,
        const struct spool_events *events, void *context)
{
        struct spool *s = memory_new_of(struct spool);
        pthread_condattr_t monotonic;

        s->loop = l;
        s->disk = setup->disk ? setup->disk : disk_real();
        s->folder = memory_string(setup->folder);
        s->pipeline = memory_string(setup->pipeline);
        s->engine = memory_string(setup->engine);
        s->frame_bytes = setup->frame_bytes;
        s->segment_bytes = setup->segment_bytes;
        s->sync_bytes = setup->sync_bytes;
        s->sync_delay = setup->sync_delay;
        s->memory = setup->memory;
        s->chain = chain_new();
        s->given_tail = &s->given;
        s->done_tail = &s->done;
        s->events = events;
        s->context = context;
        pthread_mutex_init(&s->lock, NULL);
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&s->work, &monotonic);
        pthread_condattr_destroy(&monotonic);
        start_thread(s);
        return s;
}

static void stop_thread(struct spool *s)
{
        pthread_mutex_lock(&s->lock);
        atomic_store(&s->stop, true);
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
}

struct spool *spool_close(struct spool *s)
{
        if (!s)
                return NULL;
        if (s->running)
                stop_thread(s);
        loop_unpost(s->loop, s);
        free_all(s->given);
        free_all(s->done);
        segment_reader_free(s->reader);
        recovered_done(&s->found);
        chain_free(s->chain);
        pthread_cond_destroy(&s->work);
        pthread_mutex_destroy(&s->lock);
        free(s->folder);
        free(s->pipeline);
        free(s->engine);
        free(s);
        return NULL;
}

const char *spool_queue(const struct spool *s)
{
        return s->reader ? s->queue : "";
}

/* ---- in ---- */

static void give(struct spool *s, struct spool_item *i)
{
        pthread_mutex_lock(&s->lock);
        *s->given_tail = i;
        s->given_tail = &i->next;
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
}

static struct spool_item *item_new(enum spool_work work)
{
        struct spool_item *i = memory_new_of(struct spool_item);

        i->work = work;
        return i;
}

void spool_begin(struct spool *s, const struct spool_begin *b)
{
        struct spool_item *i = item_new(SPOOL_BEGIN);

        i->fresh = b->fresh;
        i->position = b->position;
        i->text = memory_string(b->gtids);
        i->source = memory_string(b->source);
        /* Known to the caller: no event tells it. */
        s->durable = b->fresh || !s->found.any ? b->position : s->found.end;
        s->reader = segment_reader_free(s->reader); /* of the queue before */
        s->reading = false;
        pthread_mutex_lock(&s->lock);
        s->begun = false;
        pthread_mutex_unlock(&s->lock);
        give(s, i);
}

enum spool_pushed spool_push(struct spool *s, struct txn **piece)
{
        size_t bytes = txn_bytes(*piece);
        struct spool_item *i;

        if (s->bytes > 0 && s->bytes + bytes > s->memory) {
                s->full = true;
                return SPOOL_FULL;
        }
        i = item_new(SPOOL_PIECE);
        i->piece = *piece;
        i->bytes = bytes;
        *piece = NULL;
        s->bytes += bytes;
        give(s, i);
        return SPOOL_PUSHED;
}

void spool_passed(struct spool *s, struct position p, const char *gtids)
{
        struct spool_item *i = item_new(SPOOL_PASSED);

        i->position = p;
        i->text = memory_string(gtids);
        give(s, i);
}

void spool_forget(struct spool *s, struct position p)
{
        struct spool_item *i = item_new(SPOOL_FORGET);

        i->position = p;
        give(s, i);
}

/* ---- out ---- */

void spool_seek(struct spool *s, struct position p)
{
        s->from = p;
        s->seek = true;
}

int spool_read(struct spool *s, struct segment_read *read, struct error *e)
{
        uint64_t sequence, bytes;
        int rc = SEGMENT_NOTHING;

        *read = (struct segment_read){0};
        look(s, &sequence, &bytes); /* before the read: what is written meanwhile is news */
        if (s->reader && s->seek && segment_reader_seek(s->reader, s->from, e) < 0)
                return -1;
        s->seek = s->seek && !s->reader;
        s->reading = s->reader;
        if (s->reader)
                rc = segment_reader_next(s->reader, read, e);
        if (rc == SEGMENT_NOTHING) {
                s->waiting = true;
                s->seen_sequence = sequence;
                s->seen_bytes = bytes;
        }
        return rc;
}

void spool_abandon(struct spool *s)
{
        if (s->reader)
                segment_reader_abandon(s->reader);
}

uint64_t spool_disk_bytes(struct spool *s)
{
        return chain_bytes(s->chain);
}

void spool_status(struct spool *s, struct spool_status *status)
{
        struct chain_segment first = {0}, last = {0};
        uint64_t ignored;

        chain_first(s->chain, &first);
        chain_last(s->chain, &last);
        chain_count(s->chain, 0, &ignored, &status->transactions);
        status->disk_bytes = spool_disk_bytes(s);
        status->memory_bytes = s->bytes;
        if (s->reader)
                segment_reader_left(s->reader, &status->transactions);
        status->begin = first.begin;
        status->written = last.end;
        status->durable = s->durable;
}
