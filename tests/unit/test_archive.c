/* Archives: the file beside the segments, the lock, and following what is written. */
#include "base/memory.h"
#include "spool/archive.h"
#include "spool/follow.h"
#include "spool/recover.h"
#include "spool/segment_file.h"
#include "spool/segment_reader.h"
#include "spool/segment_writer.h"
#include "tests/support/pieces.h"
#include "tests/support/sim_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDER "/a"
#define QUEUE "01234567-89ab-4cde-8f01-23456789abcd"
#define OTHER "11234567-89ab-4cde-8f01-23456789abcd"
#define AT(n) ((struct position){.lsn = (n)})

/* Format 1, which every later version reads. */
#define SAMPLE                                                                                     \
        "culvert-archive 1\n4:shop\n10:postgresql\n5:15.14\n14:7123/1/culvert\n4:done\n4:none\n"   \
        "0:\n6:0/12AB\n0:\ntable\n6:public\n1:t\n6:copied\n0:\n3:abc\n3:abd\n0:\n0:\n3:1 0\nend\n"

static char folder[64];

static int set_up(void **state)
{
        const char *top = getenv("TMPDIR");

        (void)state;
        snprintf(folder, sizeof folder, "%.40s/archive-XXXXXX", top ? top : "/tmp");
        return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
        AUTO_STRING command = memory_printf("rm -rf '%s'", folder);

        (void)state;
        return system(command);
}

static void put_file(const char *text)
{
        AUTO_STRING path = memory_printf("%s/archive", folder);
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static void test_sample(void **state)
{
        struct archive a;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(archive_read(&a, folder, &e), 0);
        put_file(SAMPLE);
        assert_int_equal(archive_read(&a, folder, &e), 1);
        assert_string_equal(a.pipeline, "shop");
        assert_string_equal(a.engine, "postgresql");
        assert_string_equal(a.source, "7123/1/culvert");
        assert_string_equal(a.start, "0/12AB");
        assert_null(a.published);
        assert_int_equal(a.n, 1);
        assert_string_equal(a.tables[0].first, "abc");
        assert_string_equal(a.tables[0].keys, "1 0");
        assert_null(a.tables[0].next);
        archive_done(&a);
}

static void test_written_is_read(void **state)
{
        struct archive a = {0}, b;
        struct archive_table *t = archive_add(&a, "a b", "ta\nble\n");
        struct error e = ERROR_INIT;

        (void)state;
        archive_set(&a.pipeline, "shop");
        archive_set(&a.engine, "mariadb");
        archive_set(&a.stage, "starting");
        archive_set(&t->state, "copied");
        archive_set(&t->first, "3:x\n");
        archive_set(&t->shape, "end\n");
        assert_ptr_equal(archive_add(&a, "a b", "ta\nble\n"), t);
        assert_int_equal(archive_write(&a, folder, &e), 0);
        assert_int_equal(archive_read(&b, folder, &e), 1);
        assert_string_equal(archive_table(&b, "a b", "ta\nble\n")->shape, "end\n");
        assert_string_equal(b.tables[0].first, "3:x\n");
        assert_null(b.tables[0].mark);
        archive_done(&a);
        archive_done(&b);
}

/* Cut at every byte, it is refused by name; so is a newer one. */
static void test_damaged_file(void **state)
{
        AUTO_STRING newer = memory_printf("culvert-archive 2%s", SAMPLE + 17);
        AUTO_STRING want = memory_printf("%s/archive is damaged", folder);
        struct archive a;
        struct error e = ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < strlen(SAMPLE); i++) {
                AUTO_STRING part = memory_printf("%.*s", (int)i, SAMPLE);

                put_file(part);
                assert_int_equal(archive_read(&a, folder, &e), -1);
                assert_non_null(strstr(e.message, want));
        }
        put_file(newer);
        assert_int_equal(archive_read(&a, folder, &e), -1);
        assert_non_null(strstr(e.message, "has format 2, this culvert"));
}

static void test_lock(void **state)
{
        AUTO_STRING made = memory_printf("%s/made", folder);
        AUTO_STRING file = memory_printf("%s/archive", folder);
        struct error e = ERROR_INIT;
        struct stat st;
        int lock;

        (void)state;
        assert_int_equal(archive_folder(made, ARCHIVE_READ, &e), -1);
        assert_int_equal(archive_folder(made, ARCHIVE_MAKE, &e), 0);
        assert_int_equal(stat(made, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_false(archive_is_locked(made));
        lock = archive_lock(made, &e);
        assert_true(lock >= 0);
        assert_true(archive_is_locked(made));
        assert_int_equal(archive_lock(made, &e), -1);
        assert_int_equal(e.class, ERROR_RETRY);
        assert_non_null(strstr(e.message, "another culvertd writes to this archive"));
        close(lock);
        assert_false(archive_is_locked(made));
        put_file("x");
        assert_int_equal(archive_folder(file, ARCHIVE_MAKE, &e), -1);
        assert_non_null(strstr(e.message, file));
}

/* ---- following ---- */

struct world {
        struct sim_disk *sim;
        struct disk *disk;
        struct chain *written, *chain;
        struct segment_writer *writer;
        struct relation *table;
        struct follow *follow;
        struct segment_reader *reader;
};

static struct segment_writer *writer_of(
        struct world *w, const char *queue, uint64_t sequence, uint64_t begin)
{
        struct segment_setup setup = {.disk = w->disk,
                .folder = FOLDER,
                .chain = w->written,
                .pipeline = "shop",
                .source = "42/1/slot",
                .engine = "postgresql",
                .frame_bytes = 300,
                .segment_bytes = 2000};

        snprintf(setup.queue, sizeof setup.queue, "%s", queue);
        return segment_writer_new(&setup, sequence, AT(begin), NULL);
}

static struct world *open_world(void)
{
        struct world *w = memory_new_of(struct world);

        w->sim = sim_disk_new(1);
        w->disk = sim_disk_as_disk(w->sim);
        w->written = chain_new();
        w->chain = chain_new();
        w->table = piece_table("t");
        w->writer = writer_of(w, QUEUE, 1, 100);
        w->follow = follow_new(w->disk, FOLDER, w->chain);
        w->reader = segment_reader_new(w->disk, FOLDER, w->chain);
        return w;
}

static void close_world(struct world *w)
{
        segment_reader_free(w->reader);
        follow_free(w->follow);
        segment_writer_free(w->writer);
        chain_free(w->chain);
        chain_free(w->written);
        relation_unref(w->table);
        sim_disk_free(w->sim);
        free(w);
}

static void write_txn(struct world *w, uint64_t end)
{
        struct txn *t = piece_whole(w->table, end, 2, 40);
        struct error e = ERROR_INIT;

        assert_int_equal(segment_writer_piece(w->writer, t, &e), 0);
        assert_int_equal(segment_writer_sync(w->writer, &e), 0);
        txn_free(t);
}

static int look(struct world *w, struct error *e)
{
        int rc;

        while ((rc = follow_look(w->follow, e)) > 0)
                ;
        return rc;
}

static void expect_end(struct world *w, uint64_t end)
{
        struct error e = ERROR_INIT;

        assert_int_equal(look(w, &e), 0);
        assert_int_equal(follow_end(w->follow).lsn, end);
}

static void expect_looked(struct world *w, const char *want)
{
        struct error e = ERROR_INIT;

        assert_int_equal(look(w, &e), -1);
        assert_non_null(strstr(e.message, want));
}

/* Ends of all transactions that come now. */
static void expect_read(struct world *w, uint64_t first, uint64_t last)
{
        struct error e = ERROR_INIT;
        struct segment_read got;
        int rc;

        while ((rc = segment_reader_next(w->reader, &got, &e)) > 0) {
                if (rc != SEGMENT_PIECE)
                        continue;
                assert_int_equal(got.piece->end.lsn, first);
                first += 10;
                txn_free(got.piece);
        }
        assert_string_equal(e.message, "");
        assert_int_equal(first, last + 10);
}

static void test_follow_what_is_written(void **state)
{
        struct world *w = open_world();
        struct error e = ERROR_INIT;
        char *gtids = NULL;
        struct position begin;

        (void)state;
        expect_end(w, 0);
        assert_int_equal(follow_begin(w->disk, FOLDER, &begin, &gtids, &e), 0);
        write_txn(w, 110);
        expect_end(w, 110);
        assert_int_equal(segment_reader_seek(w->reader, AT(100), &e), 0);
        expect_read(w, 110, 110);
        for (uint64_t end = 120; end <= 900; end += 10) {
                write_txn(w, end);
                expect_end(w, end);
                expect_read(w, end, end);
        }
        assert_true(sim_disk_files(w->sim) > 3);
        assert_int_equal(follow_begin(w->disk, FOLDER, &begin, &gtids, &e), 1);
        assert_int_equal(begin.lsn, 100);
        close_world(w);
}

/* Whoever comes later reads headers, and then all. */
static void test_follow_what_is_there(void **state)
{
        struct world *w = open_world();
        struct error e = ERROR_INIT;

        (void)state;
        for (uint64_t end = 110; end <= 900; end += 10)
                write_txn(w, end);
        expect_end(w, 900);
        assert_int_equal(segment_reader_seek(w->reader, AT(500), &e), 0);
        expect_read(w, 510, 900);
        close_world(w);
}

/* What is not whole is waited for; the writer cuts it off and goes on. */
static void test_torn_tail(void **state)
{
        struct world *w = open_world();
        AUTO_STRING path = segment_path(FOLDER, 1);
        AUTO_STRING torn = memory_new(300);
        struct recovered found;
        struct error e = ERROR_INIT;

        (void)state;
        write_txn(w, 110);
        expect_end(w, 110);
        assert_int_equal(segment_reader_seek(w->reader, AT(100), &e), 0);
        expect_read(w, 110, 110);
        for (size_t n = 1; n < 300; n += 13) {
                struct buf *file = sim_disk_file(w->sim, path);
                size_t len = file->len;

                buf_add(file, torn, n);
                expect_end(w, 110);
                file->len = len;
        }
        buf_add(sim_disk_file(w->sim, path), torn, 50);
        w->writer = segment_writer_free(w->writer);
        chain_free(w->written);
        w->written = chain_new();
        assert_int_equal(recover_archive(w->disk, FOLDER, "shop", w->written, &found, &e), 0);
        assert_int_equal(found.end.lsn, 110);
        assert_string_equal(found.engine, "postgresql");
        w->writer = writer_of(w, QUEUE, found.next, 110);
        recovered_done(&found);
        write_txn(w, 120);
        expect_end(w, 120);
        expect_read(w, 120, 120);
        close_world(w);
}

static void damage(struct world *w, uint64_t sequence, size_t at)
{
        AUTO_STRING path = segment_path(FOLDER, sequence);

        sim_disk_file(w->sim, path)->data[at] ^= 0x20;
}

/* In a segment that was closed, and where a later frame says that it had been synced. */
static void test_damage(void **state)
{
        struct world *w = open_world();
        AUTO_STRING path = segment_path(FOLDER, 1);
        struct segment_file file;
        struct error e = ERROR_INIT;
        size_t frame;

        (void)state;
        write_txn(w, 110);
        write_txn(w, 120);
        assert_int_equal(segment_file_open(&file, w->disk, path, &e), 0);
        frame = file.first;
        segment_file_done(&file);
        damage(w, 1, frame + FRAME_HEAD + 3);
        expect_looked(w, ", frame at ");
        expect_looked(w, "0000000000000001.segment");
        close_world(w);
}

static void test_gaps(void **state)
{
        struct world *w = open_world();
        AUTO_STRING second = segment_path(FOLDER, 2);
        AUTO_STRING away = memory_string("/a/away");
        struct recovered found;
        struct error e = ERROR_INIT;

        (void)state;
        for (uint64_t end = 110; end <= 900; end += 10)
                write_txn(w, end);
        assert_int_equal(w->disk->ops->rename(w->disk, second, away), 0);
        expect_looked(w, "/a: segment 2 is missing");
        chain_free(w->written);
        w->written = chain_new();
        assert_int_equal(recover_archive(w->disk, FOLDER, "shop", w->written, &found, &e), -1);
        assert_non_null(strstr(e.message, "segment 2 is missing"));
        close_world(w);
}

static void test_another_archive(void **state)
{
        struct world *w = open_world();

        (void)state;
        write_txn(w, 110);
        expect_end(w, 110);
        segment_writer_free(w->writer);
        w->writer = writer_of(w, OTHER, 2, 110);
        write_txn(w, 120);
        expect_looked(w, "0002.segment: belongs to another archive");
        close_world(w);
}

/* Nothing of an archive is deleted, even where a queue would not miss it; old segments may be
 * taken away. */
static void test_recover_keeps_all(void **state)
{
        struct world *w = open_world();
        AUTO_STRING first = segment_path(FOLDER, 1);
        struct recovered found;
        struct error e = ERROR_INIT;
        struct txn *t = piece_whole(w->table, 110, 200, 40);
        unsigned files;

        (void)state;
        assert_int_equal(segment_writer_piece(w->writer, t, &e), 0);
        txn_free(t);
        write_txn(w, 120);
        w->writer = segment_writer_free(w->writer);
        assert_int_equal(w->disk->ops->unlink(w->disk, first), 0);
        files = sim_disk_files(w->sim);
        assert_true(files > 2);
        chain_free(w->written);
        w->written = chain_new();
        assert_int_equal(recover_archive(w->disk, FOLDER, "shop", w->written, &found, &e), 0);
        assert_int_equal(found.end.lsn, 120);
        assert_int_equal(sim_disk_files(w->sim), files);
        recovered_done(&found);
        close_world(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_sample, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_written_is_read, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_damaged_file, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
                cmocka_unit_test(test_follow_what_is_written),
                cmocka_unit_test(test_follow_what_is_there),
                cmocka_unit_test(test_torn_tail),
                cmocka_unit_test(test_damage),
                cmocka_unit_test(test_gaps),
                cmocka_unit_test(test_another_archive),
                cmocka_unit_test(test_recover_keeps_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
