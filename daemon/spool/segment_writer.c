#include "spool/segment_writer.h"
#include "base/memory.h"
#include "spool/record.h"
#include "spool/segment_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct segment_writer {
        struct disk *disk;
        struct chain *chain;
        char *folder;
        struct segment_header header; /* of the next segment, or of the open one */
        size_t frame_bytes;
        uint64_t segment_bytes;
        struct error failed;

        int fd; /* -1: no segment is open */
        char *path;
        uint32_t crc;        /* of its header */
        uint64_t at, synced; /* its bytes */

        struct record_writer *records;
        struct frame_packer *packer;
        struct buf raw, packed; /* of the frame that is begun */
        uint32_t transactions;  /* in it */

        /* behind all that was given */
        struct position end;
        char *gtids;
        bool inside;

        struct position passed; /* not in a frame yet; or none */
        char *passed_gtids;
};

static void set_text(char **to, const char *text)
{
        char *copy = memory_string(text);

        free(*to);
        *to = copy;
}

struct segment_writer *segment_writer_new(const struct segment_setup *setup, uint64_t sequence,
        struct position begin, const char *gtids)
{
        struct segment_writer *w = memory_new_of(struct segment_writer);
        struct segment_header *h = &w->header;

        w->disk = setup->disk;
        w->chain = setup->chain;
        w->folder = memory_string(setup->folder);
        w->frame_bytes = setup->frame_bytes;
        w->segment_bytes = setup->segment_bytes;
        snprintf(h->queue, sizeof h->queue, "%s", setup->queue);
        snprintf(h->pipeline, sizeof h->pipeline, "%s", setup->pipeline);
        snprintf(h->source, sizeof h->source, "%s", setup->source);
        snprintf(h->engine, sizeof h->engine, "%s", setup->engine ? setup->engine : "");
        h->sequence = sequence;
        w->fd = -1;
        w->records = record_writer_new();
        w->packer = frame_packer_new();
        w->end = begin;
        w->gtids = memory_string(gtids);
        return w;
}

struct segment_writer *segment_writer_free(struct segment_writer *w)
{
        if (!w)
                return NULL;
        if (w->fd >= 0)
                w->disk->ops->close(w->disk, w->fd);
        record_writer_free(w->records);
        frame_packer_free(w->packer);
        segment_header_done(&w->header);
        buf_done(&w->raw);
        buf_done(&w->packed);
        free(w->gtids);
        free(w->passed_gtids);
        free(w->folder);
        free(w->path);
        free(w);
        return NULL;
}

/* Keeps the error for every later call. */
static int fail(struct segment_writer *w, struct error *e)
{
        w->failed = *e;
        return -1;
}

static int fail_disk(struct segment_writer *w, const char *path, const char *what, struct error *e)
{
        disk_error(e, path, what);
        return fail(w, e);
}

static int check(const struct segment_writer *w, struct error *e)
{
        if (w->failed.class == ERROR_NONE)
                return 0;
        *e = w->failed;
        return -1;
}

/* ---- segments ---- */

static void publish_segment(struct segment_writer *w)
{
        struct chain_segment s = {.sequence = w->header.sequence,
                .bytes = w->at,
                .begin = w->header.begin,
                .end = w->header.begin,
                .inside = w->header.inside};

        chain_add(w->chain, &s);
}

/* The file has its name when its header is safe, and nothing is written to it before the name is
 * safe. */
static int name_segment(struct segment_writer *w, const char *part, struct error *e)
{
        AUTO_BUF header = BUF_INIT;
        const struct disk_ops *ops = w->disk->ops;

        w->crc = segment_header_write(&header, &w->header);
        if (ops->write(w->disk, w->fd, header.data, header.len, 0) < 0)
                return fail_disk(w, part, "cannot be written", e);
        if (ops->sync(w->disk, w->fd) < 0)
                return fail_disk(w, part, "cannot be synced", e);
        if (ops->rename(w->disk, part, w->path) < 0)
                return fail_disk(w, w->path, "cannot be named", e);
        if (ops->sync_dir(w->disk, w->folder) < 0)
                return fail_disk(w, w->folder, "cannot be synced", e);
        w->at = w->synced = header.len;
        return 0;
}

static int begin_segment(struct segment_writer *w, struct error *e)
{
        AUTO_STRING part = NULL;

        free(w->path);
        w->path = segment_path(w->folder, w->header.sequence);
        part = memory_printf("%s.new", w->path);
        w->header.begin = w->end;
        w->header.inside = w->inside;
        set_text(&w->header.gtids, w->gtids);
        w->fd = w->disk->ops->create(w->disk, part);
        if (w->fd < 0)
                return fail_disk(w, part, "cannot be created", e);
        if (name_segment(w, part, e) < 0)
                return -1;
        record_writer_begin(w->records);
        publish_segment(w);
        return 0;
}

static int sync_segment(struct segment_writer *w, struct error *e)
{
        if (w->fd >= 0 && w->synced < w->at) {
                if (w->disk->ops->sync(w->disk, w->fd) < 0)
                        return fail_disk(w, w->path, "cannot be synced", e);
                w->synced = w->at;
        }
        chain_set_durable(w->chain, w->end);
        return 0;
}

static int end_segment(struct segment_writer *w, struct error *e)
{
        if (sync_segment(w, e) < 0)
                return -1;
        w->disk->ops->close(w->disk, w->fd);
        w->fd = -1;
        w->header.sequence++;
        return 0;
}

/* ---- frames ---- */

static int write_frame(struct segment_writer *w, struct error *e)
{
        struct frame f = {.transactions = w->transactions,
                .inside = w->inside,
                .end = w->end,
                .synced = w->synced};

        if (frame_pack(w->packer, &f, &w->raw, &w->packed, e) < 0)
                return fail(w, e);
        frame_write((uint8_t *)w->packed.data, &f, w->crc, w->at);
        if (w->disk->ops->write(w->disk, w->fd, w->packed.data, w->packed.len, w->at) < 0)
                return fail_disk(w, w->path, "cannot be written", e);
        w->at += w->packed.len;
        chain_grow(w->chain, w->packed.len, f.transactions, f.end);
        w->transactions = 0;
        buf_clear(&w->raw);
        if (w->raw.cap > 4 * w->frame_bytes) { /* that was a giant row's */
                buf_done(&w->raw);
                buf_done(&w->packed);
        }
        return w->at >= w->segment_bytes ? end_segment(w, e) : 0;
}

static int put_passed(struct segment_writer *w, struct error *e)
{
        if (position_is_none(w->passed))
                return 0;
        if (w->fd < 0 && begin_segment(w, e) < 0)
                return -1;
        record_put_passed(&w->raw, w->passed, w->passed_gtids);
        w->end = w->passed;
        w->inside = false;
        set_text(&w->gtids, w->passed_gtids);
        w->passed = POSITION_NONE;
        return 0;
}

static int check_order(struct segment_writer *w, const struct txn *t, struct error *e)
{
        char a[POSITION_TEXT], b[POSITION_TEXT];

        if ((!t->first || position_compare(t->commit, w->end) >= 0) &&
                (!t->last || position_compare(t->end, t->commit) >= 0) && (t->first || w->inside))
                return 0;
        return error_set(e, ERROR_BUG, "a transaction at %s for the queue, which is at %s%s",
                position_format(t->commit, a), position_format(w->end, b),
                t->first ? "" : ", and not from its beginning");
}

/* Only a piece that is larger than a frame is cut: the others stay as the source made them.
 * The header of a segment and the frames say how it is behind the records that they have, so the
 * state moves with the records. */
static int put_part(
        struct segment_writer *w, const struct txn *t, const struct change **from, struct error *e)
{
        if (w->fd < 0 && begin_segment(w, e) < 0)
                return -1;
        if (record_put_piece(w->records, &w->raw, t, from, w->raw.len + w->frame_bytes, e) < 0)
                return fail(w, e);
        w->inside = *from || !t->last;
        if (w->inside)
                return 0;
        w->end = t->end;
        set_text(&w->gtids, t->gtids);
        w->transactions++;
        return 0;
}

int segment_writer_piece(struct segment_writer *w, const struct txn *t, struct error *e)
{
        const struct change *from = t->changes;

        if (check(w, e) < 0 || put_passed(w, e) < 0)
                return -1;
        if (check_order(w, t, e) < 0)
                return fail(w, e);
        do {
                if (put_part(w, t, &from, e) < 0)
                        return -1;
                if (w->raw.len >= w->frame_bytes && write_frame(w, e) < 0)
                        return -1;
        } while (from);
        return 0;
}

int segment_writer_passed(
        struct segment_writer *w, struct position p, const char *gtids, struct error *e)
{
        if (check(w, e) < 0)
                return -1;
        if (position_compare(p, position_max(w->end, w->passed)) <= 0)
                return 0;
        w->passed = p;
        set_text(&w->passed_gtids, gtids);
        return 0;
}

int segment_writer_flush(struct segment_writer *w, struct error *e)
{
        if (check(w, e) < 0 || put_passed(w, e) < 0)
                return -1;
        return w->raw.len ? write_frame(w, e) : 0;
}

int segment_writer_sync(struct segment_writer *w, struct error *e)
{
        return segment_writer_flush(w, e) < 0 ? -1 : sync_segment(w, e);
}

uint64_t segment_writer_unsynced(const struct segment_writer *w)
{
        return w->raw.len + (w->fd >= 0 ? w->at - w->synced : 0) + !position_is_none(w->passed);
}

uint64_t segment_writer_next(const struct segment_writer *w)
{
        return w->header.sequence + (w->fd >= 0);
}

/* The folder is synced after each: a power loss must not bring an older one back alone. */
static int delete_first(struct segment_writer *w, uint64_t sequence, struct error *e)
{
        AUTO_STRING path = segment_path(w->folder, sequence);

        if (w->disk->ops->unlink(w->disk, path) < 0)
                return fail_disk(w, path, "cannot be deleted", e);
        if (w->disk->ops->sync_dir(w->disk, w->folder) < 0)
                return fail_disk(w, w->folder, "cannot be synced", e);
        chain_drop_first(w->chain);
        return 0;
}

int segment_writer_forget(struct segment_writer *w, struct position p, struct error *e)
{
        struct chain_segment first, needed;

        if (check(w, e) < 0)
                return -1;
        if (!chain_find(w->chain, p, &needed))
                return 0;
        while (chain_first(w->chain, &first) && first.sequence < needed.sequence)
                if (delete_first(w, first.sequence, e) < 0)
                        return -1;
        return 0;
}
