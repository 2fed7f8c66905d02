#include "spool/segment_file.h"
#include "base/crc32c.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".segment"
#define DIGITS 16

char *segment_path(const char *folder, uint64_t sequence)
{
        return memory_printf("%s/%0*" PRIu64 SUFFIX, folder, DIGITS, sequence);
}

uint64_t segment_sequence(const char *name)
{
        if (strspn(name, "0123456789") != DIGITS || strcmp(name + DIGITS, SUFFIX) != 0)
                return 0;
        return strtoull(name, NULL, 10);
}

/* `len` bytes at `at` into f->packed. 1; 0: the file ends before; -1. */
static int get(struct segment_file *f, uint64_t at, size_t len, struct error *e)
{
        ssize_t n;

        n = f->disk->ops->read(f->disk, f->fd, buf_room(&f->packed, len), len, at);
        if (n < 0)
                return disk_error(e, f->path, "cannot be read");
        f->packed.len += (size_t)n;
        return (size_t)n == len;
}

static int read_header(struct segment_file *f, struct error *e)
{
        size_t size;
        int rc;

        if (get(f, 0, SEGMENT_FIXED, e) < 0)
                return -1;
        size = segment_header_size(f->packed.data, f->packed.len, e);
        if (!size)
                return error_context(e, "%s", f->path);
        rc = get(f, SEGMENT_FIXED, size - SEGMENT_FIXED, e);
        if (rc < 0)
                return -1;
        if (rc == 0)
                return error_set(e, ERROR_DATA, "%s: the header is cut short", f->path);
        if (segment_header_read(&f->header, f->packed.data, size, &f->crc, e) < 0)
                return error_context(e, "%s", f->path);
        f->first = f->at = f->at_last = size;
        return 0;
}

int segment_file_open(struct segment_file *f, struct disk *disk, const char *path, struct error *e)
{
        *f = (struct segment_file){.disk = disk, .path = memory_string(path)};
        f->fd = disk->ops->open(disk, path);
        if (f->fd < 0) {
                disk_error(e, path, "cannot be opened");
        } else if (read_header(f, e) == 0) {
                return 0;
        }
        segment_file_done(f);
        return -1;
}

void segment_file_done(struct segment_file *f)
{
        if (!f->disk)
                return;
        if (f->fd >= 0)
                f->disk->ops->close(f->disk, f->fd);
        segment_header_done(&f->header);
        buf_done(&f->packed);
        free(f->path);
        *f = (struct segment_file){0};
}

int segment_file_context(const struct segment_file *f, struct error *e)
{
        return error_context(e, "%s, frame at %" PRIu64, f->path, f->at_last);
}

static int bad(struct segment_file *f, bool ended, struct error *e)
{
        f->ended = ended;
        error_set(e, ERROR_DATA, "%s", ended ? "the file ends inside the frame" : "damaged");
        segment_file_context(f, e);
        return SEGMENT_BAD;
}

int segment_file_next(struct segment_file *f, uint64_t size, struct frame *frame, struct error *e)
{
        int rc;

        f->at_last = f->at;
        if (f->at == size)
                return SEGMENT_END;
        if (f->at > size || size - f->at < FRAME_HEAD)
                return bad(f, true, e);
        buf_clear(&f->packed);
        if ((rc = get(f, f->at, FRAME_HEAD, e)) <= 0)
                return rc < 0 ? -1 : bad(f, true, e);
        if (!frame_read(frame, (const uint8_t *)f->packed.data, f->crc, f->at))
                return bad(f, false, e);
        if (size - f->at - FRAME_HEAD < frame->packed)
                return bad(f, true, e);
        if ((rc = get(f, f->at + FRAME_HEAD, frame->packed, e)) <= 0)
                return rc < 0 ? -1 : bad(f, true, e);
        if (crc32c(0, segment_file_packed(f), frame->packed) != frame->packed_crc)
                return bad(f, false, e);
        f->at += FRAME_HEAD + (uint64_t)frame->packed;
        return SEGMENT_FRAME;
}

const void *segment_file_packed(const struct segment_file *f)
{
        return f->packed.data + FRAME_HEAD;
}

int64_t segment_file_size(struct segment_file *f, struct error *e)
{
        int64_t size = f->disk->ops->size(f->disk, f->fd);

        return size < 0 ? disk_error(e, f->path, "its size cannot be read") : size;
}
