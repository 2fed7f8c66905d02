/* The thread's side: recovers, then writes what it is given and syncs it in groups. */
#include "spool/spool_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define BATCH_ITEMS 64

static int64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* With the lock. */
static void tell(struct spool *s)
{
        if (s->told)
                return;
        s->told = true;
        loop_post(s->loop, spool_wake, s);
}

static void fail(struct spool *s, const struct error *e)
{
        pthread_mutex_lock(&s->lock);
        s->failed = *e;
        tell(s);
        pthread_mutex_unlock(&s->lock);
}

static bool has_failed(const struct spool *s)
{
        return s->failed.class != ERROR_NONE; /* set by this thread alone */
}

static void open_queue(struct spool *s)
{
        struct error e = ERROR_INIT;

        if ((s->engine ? recover_archive : recover)(
                    s->disk, s->folder, s->pipeline, s->chain, &s->found, &e) < 0) {
                fail(s, &e);
                return;
        }
        pthread_mutex_lock(&s->lock);
        s->opened = true;
        tell(s);
        pthread_mutex_unlock(&s->lock);
}

/* A UUID of version 4. */
static void name_queue(char id[QUEUE_ID])
{
        uint8_t b[16] = {0};

        while (getrandom(b, sizeof b, 0) < 0 && errno == EINTR)
                ;
        b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
        b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
        snprintf(id, QUEUE_ID,
                "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
                b[15]);
}

/* ---- what is given ---- */

static int begin(struct spool *s, const struct spool_item *i, struct error *e)
{
        bool fresh = i->fresh || !s->found.any;
        struct segment_setup setup = {.disk = s->disk,
                .folder = s->folder,
                .chain = s->chain,
                .pipeline = s->pipeline,
                .source = i->source,
                .engine = s->engine,
                .frame_bytes = s->frame_bytes,
                .segment_bytes = s->segment_bytes};
        uint64_t next;

        next = s->writer ? segment_writer_next(s->writer) : s->found.any ? s->found.next : 1;
        s->writer = segment_writer_free(s->writer);
        if (fresh && recover_clear(s->disk, s->folder, s->chain, e) < 0)
                return -1;
        if (fresh)
                name_queue(setup.queue);
        else
                memcpy(setup.queue, s->found.queue, sizeof setup.queue);
        s->writer = segment_writer_new(
                &setup, next, fresh ? i->position : s->found.end, fresh ? i->text : s->found.gtids);
        chain_set_durable(s->chain, fresh ? i->position : s->found.end);
        pthread_mutex_lock(&s->lock);
        memcpy(s->queue, setup.queue, sizeof s->queue);
        s->begun = true;
        pthread_mutex_unlock(&s->lock);
        return 0;
}

static int work_on(struct spool *s, const struct spool_item *i, struct error *e)
{
        switch (i->work) {
        case SPOOL_BEGIN:
                return begin(s, i, e);
        case SPOOL_PIECE:
                return segment_writer_piece(s->writer, i->piece, e);
        case SPOOL_PASSED:
                return segment_writer_passed(s->writer, i->position, i->text, e);
        case SPOOL_FORGET:
                return segment_writer_forget(s->writer, i->position, e);
        }
        return 0;
}

static int sync_if_due(struct spool *s, struct error *e)
{
        uint64_t bytes = s->writer ? segment_writer_unsynced(s->writer) : 0;

        if (bytes == 0) {
                s->deadline = 0;
                return 0;
        }
        if (s->deadline == 0)
                s->deadline = now() + s->sync_delay;
        if (bytes < s->sync_bytes && now() < s->deadline)
                return 0;
        s->deadline = 0;
        return segment_writer_sync(s->writer, e);
}

struct batch { /* of items that are done */
        struct spool_item *first, **tail;
        unsigned n;
        size_t bytes;
};

/* Whatever was written or synced is told with the items that are handed back. */
static void hand_back(struct spool *s, struct batch *done)
{
        if (done->n == 0)
                return;
        pthread_mutex_lock(&s->lock);
        *s->done_tail = done->first;
        s->done_tail = done->tail;
        tell(s);
        pthread_mutex_unlock(&s->lock);
        *done = (struct batch){.tail = &done->first};
}

static void take_item(struct spool *s, struct spool_item *i, struct batch *done)
{
        struct error e = ERROR_INIT;

        if (!has_failed(s) && !atomic_load(&s->stop) &&
                (work_on(s, i, &e) < 0 || sync_if_due(s, &e) < 0))
                fail(s, &e);
        i->next = NULL;
        *done->tail = i;
        done->tail = &i->next;
        done->n++;
        done->bytes += i->bytes;
}

/* Not one by one, which would cost more than the work; nor all at the end, so that the loop has
 * room for more meanwhile. */
static void take_items(struct spool *s, struct spool_item *i)
{
        struct batch done = {.tail = &done.first};

        while (i) {
                struct spool_item *next = i->next;

                take_item(s, i, &done);
                if (done.n == BATCH_ITEMS || done.bytes >= s->memory / 8 || i->work == SPOOL_BEGIN)
                        hand_back(s, &done);
                i = next;
        }
        hand_back(s, &done);
}

static void sync_now(struct spool *s)
{
        struct error e = ERROR_INIT;

        if (has_failed(s))
                return;
        if (sync_if_due(s, &e) < 0) {
                fail(s, &e);
                return;
        }
        pthread_mutex_lock(&s->lock);
        tell(s);
        pthread_mutex_unlock(&s->lock);
}

/* While nothing comes, what is there need not wait for more to be read. */
static void write_begun(struct spool *s)
{
        struct error e = ERROR_INIT;

        if (!s->writer || has_failed(s) || !segment_writer_unsynced(s->writer))
                return;
        if (segment_writer_flush(s->writer, &e) < 0) {
                fail(s, &e);
                return;
        }
        pthread_mutex_lock(&s->lock);
        tell(s);
        pthread_mutex_unlock(&s->lock);
}

static bool has_work(struct spool *s)
{
        bool work;

        pthread_mutex_lock(&s->lock);
        work = s->given || atomic_load(&s->stop);
        pthread_mutex_unlock(&s->lock);
        return work;
}

/* All that waits; NULL: it is time to sync, or to stop. */
static struct spool_item *wait_for_items(struct spool *s, bool *stop)
{
        int64_t until = has_failed(s) ? 0 : s->deadline;
        struct timespec at = {until / SECOND, until % SECOND * 1000};
        struct spool_item *i;
        int rc = 0;

        pthread_mutex_lock(&s->lock);
        while (!s->given && !atomic_load(&s->stop) && rc != ETIMEDOUT)
                rc = until ? pthread_cond_timedwait(&s->work, &s->lock, &at)
                           : pthread_cond_wait(&s->work, &s->lock);
        *stop = atomic_load(&s->stop);
        i = *stop ? NULL : s->given;
        if (i) {
                s->given = NULL;
                s->given_tail = &s->given;
        }
        pthread_mutex_unlock(&s->lock);
        return i;
}

void *spool_thread(void *context)
{
        struct spool *s = context;
        bool stop = false;

        open_queue(s);
        while (!stop) {
                struct spool_item *i;

                if (!has_work(s))
                        write_begun(s);
                i = wait_for_items(s, &stop);
                if (i)
                        take_items(s, i);
                else if (!stop)
                        sync_now(s);
        }
        s->writer = segment_writer_free(s->writer);
        return NULL;
}
