#include "spool/segment_tail.h"
#include "base/memory.h"
#include "spool/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)1024 * 1024)

/* A later frame is searched for, since the lengths in between mean nothing. */
int segment_tail_is_witnessed(struct segment_file *f, uint64_t bad, uint64_t size, struct error *e)
{
        AUTO_BUF chunk = BUF_INIT;
        struct error ignored = ERROR_INIT;

        for (uint64_t at = bad; at < size; at += CHUNK) {
                size_t len = size - at < CHUNK + 3 ? (size_t)(size - at) : CHUNK + 3;
                ssize_t n = f->disk->ops->read(f->disk, f->fd, buf_room(&chunk, len), len, at);
                const char *found = chunk.data;

                if (n < 0)
                        return disk_error(e, f->path, "cannot be read");
                while ((found = memmem(found, (size_t)(chunk.data + n - found), FRAME_MAGIC, 4))) {
                        struct frame frame;
                        int rc;

                        f->at = at + (uint64_t)(found++ - chunk.data);
                        rc = segment_file_next(f, size, &frame, &ignored);
                        if (rc < 0)
                                return disk_error(e, f->path, "cannot be read");
                        if (rc == SEGMENT_FRAME && frame.synced > bad)
                                return 1;
                }
        }
        return 0;
}

static int rewrite(struct segment_file *f, int fd, uint64_t from, uint64_t to, struct error *e)
{
        AUTO_BUF chunk = BUF_INIT;

        buf_room(&chunk, CHUNK);
        for (uint64_t at = from; at < to;) {
                size_t len = to - at < CHUNK ? (size_t)(to - at) : CHUNK;
                ssize_t n = f->disk->ops->read(f->disk, fd, chunk.data, len, at);

                if (n < (ssize_t)len)
                        return disk_error(e, f->path, "cannot be read");
                if (f->disk->ops->write(f->disk, fd, chunk.data, len, at) < 0)
                        return disk_error(e, f->path, "cannot be written");
                at += len;
        }
        return 0;
}

/* Cuts at `end`, and makes what is behind `safe` safe. */
static int mend(struct segment_file *f, uint64_t safe, uint64_t end, uint64_t size, struct error *e)
{
        const struct disk_ops *ops = f->disk->ops;
        int fd = ops->change(f->disk, f->path), rc = -1;

        if (fd < 0)
                return disk_error(e, f->path, "cannot be opened");
        if (end < size && ops->truncate(f->disk, fd, end) < 0)
                disk_error(e, f->path, "cannot be cut");
        else if (rewrite(f, fd, safe, end, e) == 0)
                rc = ops->sync(f->disk, fd) < 0 ? disk_error(e, f->path, "cannot be synced") : 0;
        ops->close(f->disk, fd);
        return rc;
}

/* The GTID state behind the frame at `at`, which has the newest end of the segment. */
static int read_gtids(
        struct segment_file *f, uint64_t at, uint64_t size, struct segment_tail *t, struct error *e)
{
        struct frame_packer *packer = frame_packer_new();
        AUTO_BUF raw = BUF_INIT;
        struct frame frame;
        int rc;

        f->at = at;
        rc = segment_file_next(f, size, &frame, e);
        if (rc == SEGMENT_FRAME)
                rc = frame_unpack(packer, &frame, segment_file_packed(f), &raw, e);
        if (rc >= 0) {
                struct reader in = reader_of(raw.data, raw.len);

                rc = record_last_gtids(&in, &t->gtids, e);
        }
        t->gtids_known = rc == 0;
        frame_packer_free(packer);
        return rc < 0 ? segment_file_context(f, e) : 0;
}

int segment_tail_read(struct segment_file *f, bool newest, struct segment_tail *t, struct error *e)
{
        int64_t size = segment_file_size(f, e);
        uint64_t safe = f->first, moved = 0;
        struct position begin = t->end;
        struct frame frame;
        int rc = size < 0 ? -1 : 0;

        while (rc >= 0 && (rc = segment_file_next(f, (uint64_t)size, &frame, e)) == SEGMENT_FRAME) {
                if (position_compare(frame.end, t->end) < 0)
                        return error_set(e, ERROR_DATA,
                                "%s, frame at %" PRIu64 ": positions go back", f->path, f->at_last);
                if (position_compare(frame.end, t->end) > 0)
                        moved = f->at_last;
                if (position_is_none(t->start) && position_compare(frame.end, begin) > 0)
                        t->start = frame.end;
                t->end = frame.end;
                t->inside = frame.inside;
                t->transactions += frame.transactions;
                safe = frame.synced > safe ? frame.synced : safe;
        }
        if (rc < 0)
                return -1;
        t->size = f->at_last;
        if (rc == SEGMENT_BAD &&
                (!newest || (rc = segment_tail_is_witnessed(f, t->size, (uint64_t)size, e)) != 0))
                return -1;
        if (newest && mend(f, safe < t->size ? safe : t->size, t->size, (uint64_t)size, e) < 0)
                return -1;
        error_clear(e);
        return newest && position_compare(begin, t->end) < 0 ? read_gtids(f, moved, t->size, t, e)
                                                             : 0;
}
