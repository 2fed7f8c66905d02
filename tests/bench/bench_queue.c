/*
 * How fast the queue on disk is written without a source: the transactions of another queue's
 * segments are read into memory, and given to a queue of the daemon's own kind, its thread, frames
 * and syncs included, as fast as it takes them. The clock runs from the first one to when the last
 * is durable.
 *
 *   bench_queue SEGMENTS FOLDER     seconds, transactions, changes, bytes on disk
 *
 * SEGMENTS is a folder that nobody writes to meanwhile; FOLDER is made, and left.
 */
#include "base/loop.h"
#include "base/memory.h"
#include "flow/queue.h"
#include "spool/record.h"
#include "spool/segment_file.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY (32 << 20)        /* [queue] memory, as it is by default */
#define DISK (INT64_C(64) << 30) /* nothing is in its way */
#define ROUND 256                /* pieces given before the loop has its turn */

struct bench {
        struct loop *loop;
        struct queue queue;
        struct txn *first, **tail; /* what is to be given */
        struct txn *next;
        struct position end;
        uint64_t transactions, changes;
        bool opened, durable;
        struct task give;
        int64_t began, ended;
};

static void die(const struct error *e)
{
        fprintf(stderr, "bench_queue: %s\n", e->message);
        exit(1);
}

/* ---- what there is to write ---- */

static void keep(struct bench *b, struct txn *t)
{
        t->next = NULL;
        *b->tail = t;
        b->tail = &t->next;
        b->changes += t->changes_n;
        b->transactions += t->last;
        if (t->last)
                b->end = t->end;
}

static void read_frame(struct bench *b, struct record_reader *records, const struct buf *raw)
{
        struct reader in = reader_of(raw->data, raw->len);
        struct error e = ERROR_INIT;
        struct record record;
        int rc;

        while ((rc = record_next(records, &in, &record, &e)) > 0)
                if (record.piece)
                        keep(b, record.piece);
        if (rc < 0)
                die(&e);
}

static void read_file(struct bench *b, struct record_reader *records, const char *path)
{
        struct frame_packer *packer = frame_packer_new();
        struct error e = ERROR_INIT;
        struct segment_file f;
        struct frame frame;
        AUTO_BUF raw = BUF_INIT;
        int64_t size;
        int rc;

        if (segment_file_open(&f, disk_real(), path, &e) < 0 ||
                (size = segment_file_size(&f, &e)) < 0)
                die(&e);
        record_reader_begin(records);
        while ((rc = segment_file_next(&f, (uint64_t)size, &frame, &e)) == SEGMENT_FRAME) {
                if (frame_unpack(packer, &frame, segment_file_packed(&f), &raw, &e) < 0)
                        die(&e);
                read_frame(b, records, &raw);
        }
        if (rc != SEGMENT_END)
                die(&e);
        segment_file_done(&f);
        frame_packer_free(packer);
}

static int is_segment(const struct dirent *d)
{
        size_t n = strlen(d->d_name);

        return n > 8 && !strcmp(d->d_name + n - 8, ".segment");
}

/* Their names are in order. */
static void read_all(struct bench *b, const char *folder)
{
        struct record_reader *records = record_reader_new();
        struct dirent **names;
        int n = scandir(folder, &names, is_segment, alphasort);

        for (int i = 0; i < n; i++) {
                AUTO_STRING path = memory_printf("%s/%s", folder, names[i]->d_name);

                read_file(b, records, path);
                free(names[i]);
        }
        if (n > 0)
                free(names);
        record_reader_free(records);
        if (b->transactions == 0) {
                fprintf(stderr, "bench_queue: no transaction in %s\n", folder);
                exit(1);
        }
}

/* ---- writing it ---- */

static void run_give(void *context)
{
        struct bench *b = context;

        for (int i = 0; i < ROUND && b->next && queue_wants(&b->queue); i++) {
                struct txn *t = b->next;

                b->next = t->next;
                queue_push(&b->queue, &t);
        }
        if (b->next && queue_wants(&b->queue))
                loop_defer(b->loop, &b->give);
}

static void on_opened(void *context)
{
        struct bench *b = context;

        b->opened = true;
}

static void on_more(void *context)
{
        (void)context;
}

static void on_room(void *context)
{
        struct bench *b = context;

        loop_defer(b->loop, &b->give);
}

static void on_durable(void *context, struct position p)
{
        struct bench *b = context;

        b->durable = position_compare(p, b->end) >= 0;
        b->ended = loop_now(b->loop);
}

static void on_failed(void *context, const struct error *e)
{
        (void)context;
        die(e);
}

static void write_all(struct bench *b, const char *folder)
{
        static const struct queue_events events = {
                on_opened, on_more, on_room, on_durable, on_failed};
        const struct queue_setup setup = {.loop = b->loop,
                .memory = MEMORY,
                .disk = DISK,
                .folder = folder,
                .pipeline = "bench"};
        const struct queue_point from = {{.lsn = 1}, NULL};

        queue_init(&b->queue, &setup, &events, b);
        while (!b->opened && loop_run_once(b->loop))
                ;
        queue_rewind(&b->queue, from.at, "bench");
        queue_divert(&b->queue, from, from, "bench");
        b->next = b->first;
        b->began = loop_now(b->loop);
        loop_defer(b->loop, &b->give);
        while (!b->durable && loop_run_once(b->loop))
                ;
}

int main(int argc, char **argv)
{
        struct bench b = {.tail = &b.first};
        struct error e = ERROR_INIT;

        if (argc != 3) {
                fprintf(stderr, "usage: bench_queue SEGMENTS FOLDER\n");
                return 2;
        }
        if (!(b.loop = loop_new(&e)))
                die(&e);
        task_init(&b.give, run_give, &b);
        read_all(&b, argv[1]);
        write_all(&b, argv[2]);
        printf("%.3f %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", (double)(b.ended - b.began) / SECOND,
                b.transactions, b.changes, queue_disk_bytes(&b.queue));
        queue_done(&b.queue);
        loop_free(b.loop);
        return 0;
}
