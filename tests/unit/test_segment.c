/* Segment files: their bytes, the writer, recovery and the reader. tests/simulation/sim_spool.c has
 * what happens at random; here is what must happen exactly. */
#include "base/memory.h"
#include "spool/record.h"
#include "spool/recover.h"
#include "spool/segment_file.h"
#include "spool/segment_reader.h"
#include "spool/segment_writer.h"
#include "tests/support/pieces.h"
#include "tests/support/sim_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER "/q"
#define QUEUE "01234567-89ab-4cde-8f01-23456789abcd"
#define AT(n) ((struct position){.lsn = (n)})

struct world {
        struct sim_disk *sim;
        struct disk *disk;
        struct chain *chain;
        struct segment_writer *writer;
        struct relation *table;
};

static struct world *open_world(uint64_t segment_bytes, size_t frame_bytes)
{
        struct world *w = memory_new_of(struct world);
        struct segment_setup setup = {.folder = FOLDER,
                .queue = QUEUE,
                .pipeline = "shop",
                .source = "42/1/slot",
                .frame_bytes = frame_bytes,
                .segment_bytes = segment_bytes};

        w->sim = sim_disk_new(1);
        w->disk = setup.disk = sim_disk_as_disk(w->sim);
        w->chain = setup.chain = chain_new();
        w->writer = segment_writer_new(&setup, 1, AT(100), "g100");
        w->table = piece_table("t");
        return w;
}

static void close_world(struct world *w)
{
        segment_writer_free(w->writer);
        chain_free(w->chain);
        relation_unref(w->table);
        sim_disk_free(w->sim);
        free(w);
}

/* The process ends and another one begins. */
static int reopen(struct world *w, struct recovered *r, struct error *e)
{
        int rc;

        w->writer = segment_writer_free(w->writer);
        sim_disk_kill(w->sim);
        chain_free(w->chain);
        w->chain = chain_new();
        rc = recover(w->disk, FOLDER, "shop", w->chain, r, e);
        if (rc == 0 && r->any) {
                struct segment_setup setup = {.disk = w->disk,
                        .chain = w->chain,
                        .folder = FOLDER,
                        .queue = QUEUE,
                        .pipeline = "shop",
                        .source = "42/1/slot",
                        .frame_bytes = 1000,
                        .segment_bytes = 1000};

                w->writer = segment_writer_new(&setup, r->next, r->end, r->gtids);
        }
        return rc;
}

static void write_piece(struct world *w, struct txn *t)
{
        struct error e = ERROR_INIT;

        assert_int_equal(segment_writer_piece(w->writer, t, &e), 0);
        txn_free(t);
}

static void write_whole(struct world *w, uint64_t end)
{
        write_piece(w, piece_whole(w->table, end, 2, 40));
}

static void sync_all(struct world *w)
{
        struct error e = ERROR_INIT;

        assert_int_equal(segment_writer_sync(w->writer, &e), 0);
}

static struct segment_reader *read_from(struct world *w, uint64_t p)
{
        struct segment_reader *r = segment_reader_new(w->disk, FOLDER, w->chain);
        struct error e = ERROR_INIT;

        assert_int_equal(segment_reader_seek(r, AT(p), &e), 0);
        return r;
}

static int next(struct segment_reader *r, struct segment_read *got)
{
        struct error e = ERROR_INIT;
        int rc;

        while ((rc = segment_reader_next(r, got, &e)) == SEGMENT_WORKED)
                ;
        assert_string_equal(e.message, "");
        return rc;
}

static void expect_piece(struct segment_reader *r, uint64_t commit, bool first, bool last)
{
        struct segment_read got;

        assert_int_equal(next(r, &got), SEGMENT_PIECE);
        assert_int_equal(got.piece->commit.lsn, commit);
        assert_int_equal(got.piece->first, first);
        assert_int_equal(got.piece->last, last);
        txn_free(got.piece);
}

static void expect_whole(struct segment_reader *r, uint64_t end)
{
        expect_piece(r, end - 5, true, true);
}

static void expect_nothing(struct segment_reader *r)
{
        struct segment_read got;

        assert_int_equal(next(r, &got), SEGMENT_NOTHING);
}

static char *newest_path(struct world *w)
{
        struct chain_segment s;

        assert_true(chain_last(w->chain, &s));
        return segment_path(FOLDER, s.sequence);
}

static void test_header(void **state)
{
        struct segment_header h = {.queue = QUEUE,
                .pipeline = "shop",
                .source = "a-b/3/slot",
                .sequence = 12,
                .begin = {.lsn = 4, .file = 2},
                .gtids = NULL,
                .inside = true};
        struct segment_header back;
        struct error e = ERROR_INIT;
        AUTO_STRING gtids = memory_string("0-1-5");
        AUTO_BUF out = BUF_INIT;
        uint32_t crc, crc_back;

        (void)state;
        h.gtids = gtids;
        crc = segment_header_write(&out, &h);
        assert_int_equal(segment_header_size(out.data, SEGMENT_FIXED, &e), out.len);
        assert_int_equal(segment_header_read(&back, out.data, out.len, &crc_back, &e), 0);
        assert_int_equal(crc, crc_back);
        assert_string_equal(back.queue, QUEUE);
        assert_string_equal(back.pipeline, "shop");
        assert_string_equal(back.source, "a-b/3/slot");
        assert_int_equal(back.sequence, 12);
        assert_int_equal(position_compare(back.begin, h.begin), 0);
        assert_string_equal(back.gtids, "0-1-5");
        assert_true(back.inside);
        segment_header_done(&back);
        out.data[20] ^= 1;
        assert_int_equal(segment_header_read(&back, out.data, out.len, &crc_back, &e), -1);
        assert_string_equal(e.message, "the header is damaged");
        out.data[11] = 9; /* the format */
        assert_int_equal(segment_header_size(out.data, SEGMENT_FIXED, &e), 0);
        assert_non_null(strstr(e.message, "segment format 9; this culvert knows format 2"));
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_int_equal(segment_header_size("culvert\n12345678", SEGMENT_FIXED, &e), 0);
        assert_string_equal(e.message, "not a segment file of culvert");
}

/* A frame is good in its own place alone. */
static void test_frame_head(void **state)
{
        struct frame f = {.packed = 7,
                .raw = 9,
                .transactions = 3,
                .packed_crc = 77,
                .inside = true,
                .end = {.lsn = UINT64_MAX - 1, .file = 5},
                .synced = 1234567890123};
        struct frame back;
        uint8_t head[FRAME_HEAD];

        (void)state;
        frame_write(head, &f, 42, 1000);
        assert_true(frame_read(&back, head, 42, 1000));
        assert_int_equal(back.packed, 7);
        assert_int_equal(back.raw, 9);
        assert_int_equal(back.transactions, 3);
        assert_int_equal(back.packed_crc, 77);
        assert_true(back.inside);
        assert_int_equal(position_compare(back.end, f.end), 0);
        assert_int_equal(back.synced, 1234567890123);
        assert_false(frame_read(&back, head, 42, 1001));
        assert_false(frame_read(&back, head, 43, 1000));
        for (unsigned i = 0; i < FRAME_HEAD * 8; i++) {
                head[i / 8] ^= (uint8_t)(1 << i % 8);
                assert_false(frame_read(&back, head, 42, 1000));
                head[i / 8] ^= (uint8_t)(1 << i % 8);
        }
}

/* A large frame, beyond the steps in which its memory grows; and one that lies about its size. */
static void test_pack(void **state)
{
        struct frame_packer *p = frame_packer_new();
        AUTO_BUF raw = BUF_INIT;
        AUTO_BUF packed = BUF_INIT;
        AUTO_BUF back = BUF_INIT;
        struct frame f = {0};
        struct error e = ERROR_INIT;

        (void)state;
        for (unsigned i = 0; i < 5 * 1024 * 1024; i++)
                buf_u64(&raw, (uint64_t)i * i * 2654435761u);
        assert_int_equal(frame_pack(p, &f, &raw, &packed, &e), 0);
        assert_int_equal(frame_unpack(p, &f, packed.data + FRAME_HEAD, &back, &e), 0);
        assert_int_equal(back.len, raw.len);
        assert_memory_equal(back.data, raw.data, raw.len);
        f.raw--;
        assert_int_equal(frame_unpack(p, &f, packed.data + FRAME_HEAD, &back, &e), -1);
        f.raw = FRAME_MAX;
        assert_int_equal(frame_unpack(p, &f, packed.data + FRAME_HEAD, &back, &e), -1);
        assert_true(back.cap < 256u * 1024 * 1024);
        assert_string_equal(e.message, "what is packed is malformed");
        frame_packer_free(p);
}

static void test_write_and_read(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct error e = ERROR_INIT;
        struct segment_reader *r;
        struct segment_read got;

        (void)state;
        r = read_from(w, 100);
        expect_nothing(r);
        write_whole(w, 200);
        expect_nothing(r); /* it is not written yet */
        assert_int_equal(segment_writer_flush(w->writer, &e), 0);
        expect_whole(r, 200); /* and need not be synced */
        assert_int_equal(chain_durable(w->chain).lsn, 0);
        sync_all(w);
        assert_int_equal(chain_durable(w->chain).lsn, 200);
        assert_int_equal(segment_writer_passed(w->writer, AT(250), "g250", &e), 0);
        assert_int_equal(segment_writer_passed(w->writer, AT(260), "g260", &e), 0);
        assert_int_equal(segment_writer_passed(w->writer, AT(255), "g255", &e), 0);
        assert_true(segment_writer_unsynced(w->writer) > 0);
        sync_all(w);
        assert_int_equal(chain_durable(w->chain).lsn, 260);
        assert_int_equal(next(r, &got), SEGMENT_PASSED);
        assert_int_equal(got.passed.lsn, 260);
        assert_string_equal(got.gtids, "g260");
        expect_nothing(r);
        segment_reader_free(r);
        close_world(w);
}

static void test_order(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct txn *t = piece_whole(w->table, 300, 1, 5);
        struct error e = ERROR_INIT;

        (void)state;
        write_whole(w, 300);
        assert_int_equal(segment_writer_piece(w->writer, t, &e), -1);
        assert_int_equal(e.class, ERROR_BUG);
        assert_string_equal(e.message, "a transaction at 0/127 for the queue, which is at 0/12C");
        txn_free(t);
        close_world(w);
}

/* A transaction in any number of pieces. */
static void expect_pieces(struct segment_reader *r, uint64_t end, unsigned n)
{
        struct segment_read got;

        for (unsigned changes = 0; changes < n;) {
                assert_int_equal(next(r, &got), SEGMENT_PIECE);
                assert_int_equal(got.piece->commit.lsn, end - 5);
                assert_int_equal(got.piece->first, changes == 0);
                changes += got.piece->changes_n;
                assert_int_equal(got.piece->last, changes == n);
                txn_free(got.piece);
        }
}

/* Many segments, begun inside transactions too; reading from each position. */
static void test_many_segments(void **state)
{
        struct world *w = open_world(700, 300);
        struct chain_segment s;

        (void)state;
        for (uint64_t end = 200; end <= 2000; end += 100)
                write_piece(w, piece_whole(w->table, end, end == 1000 ? 100 : 3, 50));
        sync_all(w);
        assert_true(chain_last(w->chain, &s));
        assert_true(s.sequence > 5);
        for (uint64_t from = 100; from <= 2000; from += 50) {
                struct segment_reader *r = read_from(w, from);

                for (uint64_t end = (from / 100 + 1) * 100; end <= 2000; end += 100)
                        expect_pieces(r, end, end == 1000 ? 100 : 3);
                expect_nothing(r);
                segment_reader_free(r);
        }
        close_world(w);
}

static void test_forget(void **state)
{
        struct world *w = open_world(400, 1500);
        struct segment_reader *r;
        struct chain_segment s;
        struct error e = ERROR_INIT;
        uint64_t newest, bytes, transactions;

        (void)state;
        for (uint64_t end = 200; end <= 1000; end += 100) {
                write_piece(w, piece_whole(w->table, end, end == 500 ? 60 : 3, 30));
                sync_all(w);
        }
        chain_last(w->chain, &s);
        newest = s.sequence;
        for (uint64_t p = 100; p <= 1000; p += 100) {
                assert_int_equal(segment_writer_forget(w->writer, AT(p), &e), 0);
                chain_first(w->chain, &s);
                assert_true(s.start.lsn > 0 && s.start.lsn <= p);
                r = read_from(w, p);
                if (p < 1000 && p != 400)
                        expect_whole(r, p + 100);
                segment_reader_free(r);
        }
        r = segment_reader_new(w->disk, FOLDER, w->chain);
        assert_int_equal(segment_reader_seek(r, AT(100), &e), -1);
        assert_non_null(strstr(e.message, "gap: what is in /q begins at "));
        segment_reader_free(r);
        assert_int_equal(segment_writer_forget(w->writer, AT(5000), &e), 0);
        chain_first(w->chain, &s);
        assert_int_equal(s.sequence, newest); /* stays, whatever it has */
        chain_count(w->chain, 0, &bytes, &transactions);
        assert_int_equal(bytes, sim_disk_bytes(w->sim));
        assert_int_equal(chain_bytes(w->chain), bytes);
        close_world(w);
}

/* Segments that all begin inside a transaction, as with large ones: what is not needed goes. */
static void test_forget_between_large(void **state)
{
        struct world *w = open_world(300, 700);
        struct chain_segment s, last;
        struct error e = ERROR_INIT;

        (void)state;
        for (uint64_t end = 200; end <= 3000; end += 100)
                write_piece(w, piece_whole(w->table, end, 25, 40));
        sync_all(w);
        for (uint64_t p = 1000; p <= 3000; p += 500) {
                struct segment_reader *r;

                assert_int_equal(segment_writer_forget(w->writer, AT(p), &e), 0);
                chain_first(w->chain, &s);
                assert_true(s.inside);
                assert_true(s.start.lsn <= p && s.end.lsn + 100 >= p);
                r = read_from(w, p);
                for (uint64_t end = p + 100; end <= 3000; end += 100)
                        expect_pieces(r, end, 25);
                expect_nothing(r);
                segment_reader_free(r);
        }
        chain_last(w->chain, &last);
        assert_true(last.sequence - s.sequence < 3);
        close_world(w);
}

/* Cut at every byte: what is whole before it is there, and the queue goes on behind it. */
static void test_cut_at_every_byte(void **state)
{
        struct world *w;
        size_t size = 0, cut = 0;

        (void)state;
        do {
                struct recovered r;
                struct error e = ERROR_INIT;
                struct segment_reader *reader;
                struct buf *file;
                AUTO_STRING path = NULL;
                size_t ends[4];
                uint64_t want = 100;

                w = open_world(1 << 20, 1 << 16);
                sync_all(w);
                for (unsigned i = 0; i < 4; i++) {
                        write_whole(w, 200 + 100 * i);
                        assert_int_equal(segment_writer_flush(w->writer, &e), 0);
                        if (i == 0)
                                path = newest_path(w);
                        file = sim_disk_file(w->sim, path);
                        ends[i] = file->len;
                        if (i == 0 && cut == 0)
                                cut = file->len - 150; /* in the first frame */
                }
                size = file->len;
                file->len = cut;
                for (unsigned i = 0; i < 4; i++)
                        want = ends[i] <= cut ? 200 + 100 * i : want;
                if (reopen(w, &r, &e) < 0)
                        fail_msg("cut at %zu: %s", cut, e.message);
                assert_int_equal(r.end.lsn, want);
                assert_int_equal(r.begin.lsn, 100);
                write_whole(w, want + 100);
                sync_all(w);
                reader = read_from(w, 100);
                for (uint64_t end = 200; end <= want + 100; end += 100)
                        expect_whole(reader, end);
                expect_nothing(reader);
                segment_reader_free(reader);
                recovered_done(&r);
                close_world(w);
        } while (++cut <= size);
}

static void damage(struct world *w, const char *path, size_t at)
{
        sim_disk_file(w->sim, path)->data[at] ^= 0x10;
}

/* A transaction that has not ended is not covered; its pieces are void when it comes again. */
static void test_unended(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct txn *t = piece_whole(w->table, 300, 2, 10);
        struct segment_reader *reader;
        struct segment_read got;
        struct recovered r;
        struct error e = ERROR_INIT;

        (void)state;
        write_whole(w, 200);
        t->last = false;
        t->end = POSITION_NONE;
        write_piece(w, t);
        sync_all(w);
        assert_int_equal(chain_durable(w->chain).lsn, 200);
        assert_int_equal(reopen(w, &r, &e), 0);
        assert_int_equal(r.end.lsn, 200);
        recovered_done(&r);
        write_whole(w, 300);
        sync_all(w);
        reader = read_from(w, 100);
        expect_whole(reader, 200);
        expect_piece(reader, 295, true, false);
        assert_int_equal(next(reader, &got), SEGMENT_ABANDONED);
        expect_whole(reader, 300);
        segment_reader_free(reader);
        close_world(w);
}

/* The same when the source's connection is lost and the process lives. */
static void test_comes_again(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct segment_reader *reader;
        struct segment_read got;
        struct error e = ERROR_INIT;

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                struct txn *t = piece_whole(w->table, 300, 2, 10);

                t->last = i == 2;
                t->end = i == 2 ? AT(300) : POSITION_NONE;
                write_piece(w, t);
        }
        assert_int_equal(segment_writer_flush(w->writer, &e), 0);
        reader = read_from(w, 100);
        expect_piece(reader, 295, true, false);
        assert_int_equal(next(reader, &got), SEGMENT_ABANDONED);
        expect_piece(reader, 295, true, false);
        assert_int_equal(next(reader, &got), SEGMENT_ABANDONED);
        expect_whole(reader, 300);
        expect_nothing(reader);
        segment_reader_free(reader);
        close_world(w);
}

static void test_damage(void **state)
{
        struct world *w = open_world(1, 1 << 16); /* each sync a segment */
        AUTO_STRING first = segment_path(FOLDER, 1);
        struct recovered r;
        struct error e = ERROR_INIT;
        size_t frame;

        (void)state;
        write_whole(w, 200);
        sync_all(w);
        write_whole(w, 300);
        sync_all(w);
        frame = sim_disk_file(w->sim, first)->len - 100;
        damage(w, first, frame);
        assert_int_equal(reopen(w, &r, &e), -1);
        assert_int_equal(strncmp(e.message, "/q/0000000000000001.segment, frame at ", 38), 0);
        damage(w, first, frame);
        assert_int_equal(reopen(w, &r, &e), 0);
        recovered_done(&r);
        /* missing, cut, of another queue */
        sim_disk_file(w->sim, first)->len--;
        assert_int_equal(reopen(w, &r, &e), -1);
        assert_non_null(strstr(e.message, "the file ends inside the frame"));
        sim_disk_file(w->sim, first)->len++;
        assert_int_equal(w->disk->ops->unlink(w->disk, first), 0);
        assert_int_equal(reopen(w, &r, &e), 0); /* forgotten, as far as can be seen */
        assert_int_equal(r.begin.lsn, 200);
        recovered_done(&r);
        close_world(w);
}

static void test_missing_segment(void **state)
{
        struct world *w = open_world(1, 1 << 16);
        AUTO_STRING second = segment_path(FOLDER, 2);
        struct recovered r;
        struct error e = ERROR_INIT;

        (void)state;
        for (uint64_t end = 200; end <= 400; end += 100) {
                write_whole(w, end);
                sync_all(w);
        }
        assert_int_equal(w->disk->ops->unlink(w->disk, second), 0);
        assert_int_equal(reopen(w, &r, &e), -1);
        assert_string_equal(e.message, "/q: segment 2 is missing");
        close_world(w);
}

/* Deleting ends with a power loss: what the transaction goes through whose beginning is gone is
 * deleted, too. But not when its end is not there. */
static void test_leftovers(void **state)
{
        (void)state;
        for (unsigned left = 0; left < 3; left++) {
                struct world *w = open_world(1, 100);
                AUTO_STRING first = segment_path(FOLDER, 1);
                struct chain_segment s;
                struct recovered r;
                struct error e = ERROR_INIT;

                struct txn *t = piece_whole(w->table, 200, 10, 50);

                t->last = left < 2;
                write_piece(w, t);
                sync_all(w);
                if (left == 0)
                        write_piece(w, piece_whole(w->table, 300, 1, 5));
                sync_all(w);
                chain_last(w->chain, &s);
                assert_true(s.sequence > 3);
                assert_int_equal(w->disk->ops->unlink(w->disk, first), 0);
                if (left < 2) {
                        assert_int_equal(reopen(w, &r, &e), 0);
                        assert_int_equal(r.begin.lsn, 200);
                        assert_int_equal(r.end.lsn, left ? 200 : 300);
                        assert_int_equal(sim_disk_files(w->sim), left ? 1 : 2);
                        recovered_done(&r);
                } else {
                        unsigned files = sim_disk_files(w->sim);

                        assert_int_equal(reopen(w, &r, &e), -1);
                        assert_string_equal(
                                e.message, "/q: segment 1 is missing, where a transaction begins");
                        assert_int_equal(sim_disk_files(w->sim), files);
                }
                close_world(w);
        }
}

/* In the newest segment: damage where a later frame says that all before it was synced. */
static void test_damage_or_unfinished(void **state)
{
        (void)state;
        for (unsigned synced = 0; synced < 2; synced++) {
                struct world *w = open_world(1 << 20, 1 << 16);
                struct recovered r;
                struct error e = ERROR_INIT;
                AUTO_STRING path = NULL;
                size_t at;

                write_whole(w, 200);
                sync_all(w);
                path = newest_path(w);
                at = sim_disk_file(w->sim, path)->len;
                write_whole(w, 300);
                if (synced)
                        sync_all(w);
                assert_int_equal(segment_writer_flush(w->writer, &e), 0);
                write_whole(w, 400);
                assert_int_equal(segment_writer_flush(w->writer, &e), 0);
                damage(w, path, at + FRAME_HEAD + 5);
                if (synced) {
                        AUTO_STRING want = memory_printf("%s, frame at %zu: damaged", path, at);

                        assert_int_equal(reopen(w, &r, &e), -1);
                        assert_string_equal(e.message, want);
                } else {
                        assert_int_equal(reopen(w, &r, &e), 0);
                        assert_int_equal(r.end.lsn, 200);
                        assert_string_equal(e.message, "");
                        recovered_done(&r);
                }
                close_world(w);
        }
}

/* A segment that does not begin where the one before it ended. */
static void test_gap(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct segment_setup setup = {.disk = w->disk,
                .chain = w->chain,
                .folder = FOLDER,
                .queue = QUEUE,
                .pipeline = "shop",
                .source = "42/1/slot",
                .frame_bytes = 1000,
                .segment_bytes = 1000};
        struct segment_reader *r;
        struct segment_read got;
        struct recovered found;
        struct error e = ERROR_INIT;
        int rc;

        (void)state;
        write_whole(w, 200);
        sync_all(w);
        segment_writer_free(w->writer);
        w->writer = segment_writer_new(&setup, 2, AT(250), NULL);
        write_whole(w, 300);
        sync_all(w);
        r = read_from(w, 100);
        expect_whole(r, 200);
        while ((rc = segment_reader_next(r, &got, &e)) == SEGMENT_WORKED)
                ;
        assert_int_equal(rc, -1);
        assert_string_equal(e.message,
                "/q/0000000000000002.segment: gap: segment 2 begins at 0/FA, the one before it "
                "ends at 0/C8");
        segment_reader_free(r);
        assert_int_equal(reopen(w, &found, &e), -1);
        assert_string_equal(e.message,
                "/q/0000000000000002.segment: gap: begins at 0/FA, the segment before it ends at "
                "0/C8");
        close_world(w);
}

static void test_other_pipeline(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct chain *chain = chain_new();
        struct recovered r;
        struct error e = ERROR_INIT;

        (void)state;
        write_whole(w, 200);
        sync_all(w);
        assert_int_equal(recover(w->disk, FOLDER, "other", chain, &r, &e), -1);
        assert_string_equal(
                e.message, "/q/0000000000000001.segment: belongs to pipeline shop, not other");
        chain_free(chain);
        close_world(w);
}

/* HAZARDS B9: after a failed sync the next would succeed and prove nothing. */
static void test_failed_sync(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct txn *t = piece_whole(w->table, 300, 2, 10);
        struct recovered r;
        struct error e = ERROR_INIT, again = ERROR_INIT;

        (void)state;
        write_whole(w, 200);
        sync_all(w);
        assert_int_equal(segment_writer_piece(w->writer, t, &e), 0);
        sim_disk_fail(w->sim, 1, EIO);
        assert_int_equal(segment_writer_sync(w->writer, &e), -1);
        assert_string_equal(
                e.message, "/q/0000000000000001.segment: cannot be synced: Input/output error");
        assert_string_equal(e.code, "");
        assert_int_equal(segment_writer_sync(w->writer, &again), -1);
        assert_string_equal(again.message, e.message);
        assert_int_equal(segment_writer_piece(w->writer, t, &again), -1);
        assert_int_equal(segment_writer_forget(w->writer, AT(200), &again), -1);
        assert_int_equal(chain_durable(w->chain).lsn, 200);
        /* It can be read still; recovery makes it safe before it says that it is there. */
        assert_int_equal(reopen(w, &r, &e), 0);
        assert_int_equal(r.end.lsn, 300);
        recovered_done(&r);
        sim_disk_power_loss(w->sim);
        assert_int_equal(reopen(w, &r, &e), 0);
        assert_int_equal(r.end.lsn, 300);
        recovered_done(&r);
        txn_free(t);
        close_world(w);
}

static void test_disk_full(void **state)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        struct recovered r;
        struct error e = ERROR_INIT;

        (void)state;
        write_whole(w, 200);
        sync_all(w);
        sim_disk_capacity(w->sim, sim_disk_bytes(w->sim) + 60);
        write_whole(w, 300);
        assert_int_equal(segment_writer_sync(w->writer, &e), -1);
        assert_string_equal(e.code, DISK_FULL_CODE);
        assert_int_equal(e.class, ERROR_RETRY);
        assert_int_equal(reopen(w, &r, &e), 0); /* needs no more space */
        assert_int_equal(r.end.lsn, 200);
        recovered_done(&r);
        close_world(w);
}

/* What a release wrote, every later one reads. Made by this program with CULVERT_SAMPLE=FILE. */
static void make_sample(struct world *w, unsigned format)
{
        struct txn *t = piece_whole(w->table, 200, 2, 10);
        struct error e = ERROR_INIT;

        t->last = false;
        t->end = POSITION_NONE;
        write_piece(w, t);
        assert_int_equal(segment_writer_flush(w->writer, &e), 0);
        t = piece_whole(w->table, 200, 1, 10);
        t->first = false;
        t->gtids = "g200";
        write_piece(w, t);
        assert_int_equal(segment_writer_passed(w->writer, AT(300), "g300", &e), 0);
        write_piece(w, piece_rich());
        if (format >= 2)
                write_piece(w, piece_misfit());
        sync_all(w);
}

static char *data_path(const char *name)
{
        const char *top = getenv("CULVERT_TOP");

        return memory_printf("%s%stests/unit/data/%s", top ? top : "", top ? "/" : "", name);
}

/* All that a file has, as text. */
static void file_text(struct disk *disk, const char *path, struct buf *out)
{
        struct record_reader *records = record_reader_new();
        struct frame_packer *packer = frame_packer_new();
        struct segment_file f;
        struct error e = ERROR_INIT;
        struct frame frame;
        int64_t size;
        AUTO_BUF raw = BUF_INIT;

        if (segment_file_open(&f, disk, path, &e) < 0)
                fail_msg("%s", e.message);
        size = segment_file_size(&f, &e);
        buf_printf(out, "%s %s %s %d %d %s\n", f.header.queue, f.header.pipeline, f.header.source,
                (int)f.header.sequence, (int)f.header.begin.lsn, f.header.gtids);
        while (segment_file_next(&f, (uint64_t)size, &frame, &e) == SEGMENT_FRAME) {
                struct record record;
                struct reader in;

                assert_int_equal(
                        frame_unpack(packer, &frame, segment_file_packed(&f), &raw, &e), 0);
                in = reader_of(raw.data, raw.len);
                while (record_next(records, &in, &record, &e) > 0) {
                        if (record.piece)
                                piece_text(record.piece, out);
                        else
                                buf_printf(out, "passed %d %s\n", (int)record.passed.lsn,
                                        record.gtids);
                        txn_free(record.piece);
                }
        }
        assert_string_equal(e.message, "");
        segment_file_done(&f);
        record_reader_free(records);
        frame_packer_free(packer);
}

static void assert_sample(unsigned format)
{
        struct world *w = open_world(1 << 20, 1 << 16);
        AUTO_STRING name = memory_printf("segment-%u.segment", format);
        AUTO_STRING path = data_path(name);
        AUTO_STRING newest = NULL;
        AUTO_BUF is = BUF_INIT;
        AUTO_BUF should = BUF_INIT;

        make_sample(w, format);
        newest = newest_path(w);
        if (getenv("CULVERT_SAMPLE") && format == SEGMENT_FORMAT) {
                FILE *to = fopen(getenv("CULVERT_SAMPLE"), "w");
                struct buf *file = sim_disk_file(w->sim, newest);

                assert_non_null(to);
                fwrite(file->data, 1, file->len, to);
                fclose(to);
        }
        file_text(w->disk, newest, &should);
        file_text(disk_real(), path, &is);
        assert_int_equal(is.len, should.len);
        assert_memory_equal(is.data, should.data, is.len);
        close_world(w);
}

static void test_samples(void **state)
{
        (void)state;
        for (unsigned format = 1; format <= SEGMENT_FORMAT; format++)
                assert_sample(format);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_header),
                cmocka_unit_test(test_frame_head),
                cmocka_unit_test(test_pack),
                cmocka_unit_test(test_write_and_read),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_many_segments),
                cmocka_unit_test(test_forget),
                cmocka_unit_test(test_forget_between_large),
                cmocka_unit_test(test_cut_at_every_byte),
                cmocka_unit_test(test_unended),
                cmocka_unit_test(test_comes_again),
                cmocka_unit_test(test_damage),
                cmocka_unit_test(test_missing_segment),
                cmocka_unit_test(test_leftovers),
                cmocka_unit_test(test_damage_or_unfinished),
                cmocka_unit_test(test_gap),
                cmocka_unit_test(test_other_pipeline),
                cmocka_unit_test(test_failed_sync),
                cmocka_unit_test(test_disk_full),
                cmocka_unit_test(test_samples),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
