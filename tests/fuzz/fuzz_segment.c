/*
 * Segment files of the queue. The first byte chooses: the bytes are a file, or the records of a
 * frame of one, so that what lies behind the checksums is reached, too; or a piece that was read is
 * written again and must be the same.
 */
#include "base/memory.h"
#include "spool/record.h"
#include "spool/segment_file.h"
#include "tests/support/pieces.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
        if (!ok)
                abort();
}

/* ---- a disk of one file ---- */

struct memory_disk {
        struct disk disk; /* first */
        const uint8_t *data;
        size_t size;
};

static int open_it(struct disk *d, const char *path)
{
        (void)d;
        (void)path;
        return 0;
}

static void close_it(struct disk *d, int fd)
{
        (void)d;
        (void)fd;
}

static int64_t size_of(struct disk *d, int fd)
{
        (void)fd;
        return (int64_t)((struct memory_disk *)d)->size;
}

static ssize_t read_it(struct disk *disk, int fd, void *to, size_t len, uint64_t at)
{
        const struct memory_disk *d = (struct memory_disk *)disk;
        size_t left = at < d->size ? d->size - (size_t)at : 0;

        (void)fd;
        len = len < left ? len : left;
        if (len)
                memcpy(to, d->data + at, len);
        return (ssize_t)len;
}

static const struct disk_ops memory_ops = {
        .open = open_it, .close = close_it, .size = size_of, .read = read_it};

/* ---- what is read ---- */

static void write_again(const struct txn *t)
{
        struct record_writer *w = record_writer_new();
        struct record_reader *r = record_reader_new();
        const struct change *from = t->changes;
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT;
        AUTO_BUF a = BUF_INIT;
        AUTO_BUF b = BUF_INIT;
        struct record back;
        struct reader in;

        must(record_put_piece(w, &out, t, &from, SIZE_MAX, &e) == 0 && !from);
        in = reader_of(out.data, out.len);
        must(record_next(r, &in, &back, &e) == RECORD_PIECE && reader_left(&in) == 0);
        piece_text(t, &a);
        piece_text(back.piece, &b);
        must(a.len == b.len && !memcmp(a.data, b.data, a.len));
        txn_free(back.piece);
        record_writer_free(w);
        record_reader_free(r);
}

static void read_records(struct record_reader *r, const void *data, size_t size)
{
        struct reader in = reader_of(data, size);
        struct record record;
        struct error e = ERROR_INIT;
        int rc;

        while ((rc = record_next(r, &in, &record, &e)) > 0) {
                if (record.piece)
                        write_again(record.piece);
                txn_free(record.piece);
        }
        must(rc == 0 || e.class == ERROR_DATA);
}

static void read_file(const uint8_t *data, size_t size)
{
        struct memory_disk d = {{&memory_ops}, data, size};
        struct record_reader *records = record_reader_new();
        struct frame_packer *packer = frame_packer_new();
        struct segment_file f;
        struct error e = ERROR_INIT;
        struct frame frame;
        AUTO_BUF raw = BUF_INIT;

        if (segment_file_open(&f, &d.disk, "f", &e) == 0)
                while (segment_file_next(&f, size, &frame, &e) == SEGMENT_FRAME &&
                        frame_unpack(packer, &frame, segment_file_packed(&f), &raw, &e) == 0)
                        read_records(records, raw.data, raw.len);
        segment_file_done(&f);
        record_reader_free(records);
        frame_packer_free(packer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct record_reader *r;
        struct reader in;
        struct error e = ERROR_INIT;
        char *gtids = NULL;

        if (size == 0)
                return 0;
        if (*data & 1) {
                read_file(data + 1, size - 1);
                return 0;
        }
        r = record_reader_new();
        read_records(r, data + 1, size - 1);
        record_reader_begin(r); /* with what is known from the segment before */
        read_records(r, data + 1, size - 1);
        record_reader_free(r);
        in = reader_of(data + 1, size - 1);
        if (record_last_gtids(&in, &gtids, &e) == 0)
                free(gtids);
        return 0;
}
