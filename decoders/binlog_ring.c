#include "decoders/binlog_ring.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct binlog_ring {
        pthread_mutex_t lock;
        pthread_cond_t room;
        size_t bytes, bytes_max;
        unsigned first, n, size;
        bool asleep, closed, ended; /* asleep: the consumer found nothing */
        struct error why;
        struct binlog_packet packets[];
};

struct binlog_ring *binlog_ring_new(size_t bytes, unsigned packets)
{
        struct binlog_ring *r = memory_new(sizeof(*r) + packets * sizeof(r->packets[0]));

        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->room, NULL);
        r->bytes_max = bytes;
        r->size = packets;
        r->asleep = true;
        return r;
}

static struct binlog_packet pop(struct binlog_ring *r)
{
        struct binlog_packet p = r->packets[r->first];

        r->first = (r->first + 1) % r->size;
        r->n--;
        r->bytes -= p.len;
        return p;
}

static void drop_all(struct binlog_ring *r)
{
        while (r->n > 0)
                free(pop(r).data);
}

struct binlog_ring *binlog_ring_free(struct binlog_ring *r)
{
        if (!r)
                return NULL;
        drop_all(r);
        pthread_cond_destroy(&r->room);
        pthread_mutex_destroy(&r->lock);
        free(r);
        return NULL;
}

static bool has_room(const struct binlog_ring *r, size_t len)
{
        return r->n == 0 || (r->n < r->size && r->bytes + len <= r->bytes_max);
}

static enum binlog_pushed told(struct binlog_ring *r)
{
        enum binlog_pushed result = r->asleep ? BINLOG_PUSHED_WAKE : BINLOG_PUSHED;

        r->asleep = false;
        return result;
}

enum binlog_pushed binlog_ring_push(struct binlog_ring *r, const void *data, size_t len)
{
        struct binlog_packet p = {memory_copy(data, len), len};
        enum binlog_pushed result = BINLOG_CLOSED;

        pthread_mutex_lock(&r->lock);
        while (!r->closed && !has_room(r, len))
                pthread_cond_wait(&r->room, &r->lock);
        if (!r->closed) {
                r->packets[(r->first + r->n++) % r->size] = p;
                r->bytes += len;
                p.data = NULL;
                result = told(r);
        }
        pthread_mutex_unlock(&r->lock);
        free(p.data);
        return result;
}

enum binlog_pushed binlog_ring_end(struct binlog_ring *r, const struct error *why)
{
        enum binlog_pushed result = BINLOG_CLOSED;

        pthread_mutex_lock(&r->lock);
        if (!r->closed) {
                r->ended = true;
                r->why = *why;
                result = told(r);
        }
        pthread_mutex_unlock(&r->lock);
        return result;
}

enum binlog_taken binlog_ring_take(
        struct binlog_ring *r, struct binlog_packet *p, struct error *why)
{
        enum binlog_taken result = BINLOG_NOTHING;

        pthread_mutex_lock(&r->lock);
        if (r->n > 0) {
                *p = pop(r);
                pthread_cond_signal(&r->room);
                result = BINLOG_PACKET;
        } else if (r->ended) {
                *why = r->why;
                result = BINLOG_ENDED;
        } else {
                r->asleep = true;
        }
        pthread_mutex_unlock(&r->lock);
        return result;
}

void binlog_ring_close(struct binlog_ring *r)
{
        pthread_mutex_lock(&r->lock);
        r->closed = true;
        drop_all(r);
        pthread_cond_signal(&r->room);
        pthread_mutex_unlock(&r->lock);
}
