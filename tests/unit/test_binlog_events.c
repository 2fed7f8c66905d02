/*
 * Single events: made by hand, or taken from a recorded file and changed.
 */
#include "base/memory.h"
#include "tests/support/binlog_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- positions ---- */

static void test_file_numbers(void **state)
{
        size_t base = 0;

        (void)state;
        assert_int_equal(binlog_file_number("mysql-bin.000003", &base), 3);
        assert_int_equal(base, 9);
        assert_int_equal(binlog_file_number("a.b.1000000", NULL), 1000000);
        assert_int_equal(binlog_file_number("bin", NULL), -1);
        assert_int_equal(binlog_file_number("bin.", NULL), -1);
        assert_int_equal(binlog_file_number(".000001", NULL), -1);
        assert_int_equal(binlog_file_number("bin.0000x1", NULL), -1);
        assert_int_equal(binlog_file_number("bin.000000", NULL), -1);
        assert_int_equal(binlog_file_number("bin.99999999999", NULL), -1);
}

static void test_beyond_four_gigabytes(void **state)
{
        struct feed f;

        (void)state;
        feed_start(&f, 1 << 20);
        assert_int_equal(feed_rotate(&f, 0x20, 4294967200, "bin.000001"), 0);
        f.at = 4294967200;
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_false(binlog_idle(f.b));
        assert_int_equal(feed_gtid(&f, 0), -1);
        assert_int_equal(binlog_position(f.b).lsn, 4294967200 + 42);
        feed_stop(&f);

        feed_start(&f, 1 << 20);
        assert_int_equal(feed_rotate(&f, 0x20, 4294967200, "bin.000001"), 0);
        f.at = 4294967200;
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(feed_gtid(&f, 0), 0);
                assert_int_equal(feed_xid(&f), 0);
        }
        assert_int_equal(binlog_position(f.b).lsn, f.at);
        assert_true(f.at > UINT32_MAX);
        feed_stop(&f);
}

static void test_rotation(void **state)
{
        struct feed f;

        (void)state;
        feed_start(&f, 1 << 20);
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'a', 3), 0);
        assert_int_equal(feed_insert(&f, 1, "x"), 0);
        assert_int_equal(feed_xid(&f), 0);
        feed_expect(
                &f, "relation t.a\npiece first last 000001:4-000001:161\n  insert t.a new|1|x\n");
        assert_int_equal(feed_rotate(&f, 0, 4, "bin.000002"), 0);
        assert_int_equal(binlog_position(f.b).file, 2);
        assert_int_equal(feed_rotate(&f, 0x20, 4, "bin.000002"), 0);
        f.at = 4;
        assert_int_equal(feed_gtid(&f, 0), 0);
        feed_fails(&f, feed_insert(&f, 2, "y"), "no map describes");
        feed_stop(&f);

        feed_start(&f, 1 << 20);
        assert_int_equal(feed_rotate(&f, 0, 4, "bin.000003"), 0);
        feed_fails(&f, feed_rotate(&f, 0x20, 4, "bin.000002"), "resync required");
        feed_stop(&f);
}

/* A server that went down in the middle of a group: at its next start the group never was. */
static void test_abandoned_group(void **state)
{
        struct feed f;

        (void)state;
        feed_start(&f, 1 << 20);
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'a', 3), 0);
        assert_int_equal(feed_insert(&f, 1, "x"), 0);
        assert_int_equal(feed_rotate(&f, 0, 4, "bin.000002"), 0);
        assert_true(binlog_idle(f.b));
        feed_expect(&f, "relation t.a\n");
        feed_stop(&f);
}

/* ---- damage ---- */

static void test_checksum(void **state)
{
        size_t len;
        char *file = heard_read("binlog-mariadb-full.bin", &len);
        struct heard h = {0};
        struct error e = ERROR_INIT;
        struct binlog *b = heard_decoder(&h, 1 << 20);

        (void)state;
        file[4 + 256 + 25] ^= 1;
        assert_int_equal(heard_file(b, file, len, &e), -1);
        assert_non_null(strstr(e.message, "checksum"));
        binlog_free(b);
        heard_done(&h);
        free(file);
}

static void test_no_checksums(void **state)
{
        struct feed f;
        static const char stop_event[] = "\0\0\0\0\x03\0\0\0\0\x13\0\0\0\0\0\0\0\x20\0";

        (void)state;
        feed_start(&f, 1 << 20);
        assert_int_equal(feed_describe(&f, "8.0.30", 0), 0);
        assert_int_equal(binlog_event(f.b, stop_event, 19, &f.e), 0);
        feed_fails(&f, feed_describe(&f, "8.0.30", 2), "checksum algorithm");
        feed_stop(&f);
}

static void test_unknown_events(void **state)
{
        struct feed f;

        (void)state;
        feed_start(&f, 1 << 20);
        assert_int_equal(feed_give_bytes(&f, 200, 0x80, "x", 1), 0);
        assert_int_equal(feed_give_bytes(&f, 164, 0x80, "x", 1), 0);
        assert_int_equal(feed_give_bytes(&f, 27, 0, "bin.000001", 10), 0);
        assert_int_equal(feed_give_bytes(&f, 3, 0, "", 0), 0);
        feed_fails(&f, feed_give_bytes(&f, 200, 0, "x", 1), "unknown type 200");
        feed_fails(&f, feed_give_bytes(&f, 164, 0, "x", 1), "encrypted");
        feed_fails(&f, feed_give_bytes(&f, 26, 0, "\x01\0\0", 3), "resync required");
        feed_stop(&f);
}

static void test_no_description(void **state)
{
        struct feed f = {.at = 4};

        (void)state;
        f.b = heard_decoder(&f.h, 1);
        feed_fails(&f, feed_gtid(&f, 0), "without their description");
        feed_stop(&f);
}

/* Each event of a file, cut at each length or with a byte changed, is refused or read, and nothing
 * worse. */
static void damage(struct binlog *b, char *event, uint32_t len, unsigned seed)
{
        struct error e = ERROR_INIT;
        uint32_t cut = 23 + seed % (len - 22), at = 19 + seed / 7 % (cut - 22);
        uint32_t crc;

        event[at] = (char)(event[at] ^ (1 << seed % 8));
        for (unsigned i = 0; i < 4; i++)
                event[9 + i] = (char)(cut >> 8 * i);
        crc = (uint32_t)crc32(0, (const Bytef *)event, cut - 4);
        for (unsigned i = 0; i < 4; i++)
                event[cut - 4 + i] = (char)(crc >> 8 * i);
        if (binlog_event(b, event, cut, &e) < 0)
                assert_int_equal(e.class, ERROR_DATA);
}

static void test_damaged_files(void **state)
{
        size_t len, text_len;
        char *file = heard_read("binlog-mariadb-full.bin", &len);
        char *text = heard_read("binlog-mariadb-full.txt", &text_len);

        (void)state;
        for (unsigned seed = 1; seed < 4000; seed += 13) {
                struct heard h = {.rows_only = true};
                struct binlog *b;
                struct error e = ERROR_INIT;
                size_t at = 4;
                uint32_t n = 0;
                unsigned events = seed % 60;

                heard_shapes(&h, text);
                b = heard_decoder(&h, 4096);
                while (at < len) {
                        struct reader head = reader_of(file + at + 9, 4);

                        n = reader_le32(&head);
                        if (events-- == 0 || at + n >= len)
                                break;
                        assert_int_equal(binlog_event(b, file + at, n, &e), 0);
                        at += n;
                }
                {
                        char *copy = memory_copy(file + at, n);

                        damage(b, copy, n, seed * 2654435761u >> 8);
                        free(copy);
                }
                binlog_free(b);
                heard_done(&h);
        }
        free(file);
        free(text);
}

/* ---- transactions ---- */

static void test_pieces(void **state)
{
        struct feed f;

        (void)state;
        feed_start(&f, 1);
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'a', 3), 0);
        assert_int_equal(feed_insert(&f, 1, "x"), 0);
        assert_int_equal(feed_insert(&f, 2, NULL), 0);
        assert_int_equal(feed_query(&f, "SAVEPOINT a"), 0);
        assert_int_equal(feed_xid(&f), 0);
        feed_expect(&f, "relation t.a\n"
                        "piece first 000001:4-\n  insert t.a new|1|x\n"
                        "piece 000001:4-\n  insert t.a new|2|\\N\n"
                        "piece last 000001:4-000001:248\n");
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'a', 3), 0);
        assert_int_equal(feed_query(&f, "SAVEPOINT a"), 0);
        assert_int_equal(feed_insert(&f, 1, "x"), 0);
        feed_fails(&f, feed_query(&f, "ROLLBACK TO a"), "passed on");
        feed_fails(&f, feed_query(&f, "ROLLBACK"), "passed on");
        feed_fails(&f, feed_query(&f, "ROLLBACK TO b"), "not in the log");
        feed_stop(&f);
}

static void test_rollback(void **state)
{
        struct feed f;

        (void)state;
        feed_start(&f, 1 << 20);
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'a', 3), 0);
        assert_int_equal(feed_insert(&f, 1, "x"), 0);
        assert_int_equal(feed_query(&f, "ROLLBACK"), 0);
        feed_expect(&f, "relation t.a\npiece first last 000001:4-000001:176\n");
        feed_fails(&f, feed_xid(&f), "outside a transaction");
        feed_fails(&f, feed_insert(&f, 1, "x"), "outside a transaction");
        feed_fails(&f, feed_map(&f, 'a', 3), "outside a transaction");
        feed_stop(&f);
}

/* ---- shapes ---- */

static void test_other_shape(void **state)
{
        struct feed f;

        (void)state;
        feed_start(&f, 1 << 20);
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'a', 8), 0);
        feed_expect(&f, "changed t.a: type of column id changed (int(11) to bigint)\n");
        assert_int_equal(feed_insert(&f, 1, "x"), 0); /* is skipped */
        f.h.refuse = true;
        feed_fails(&f, feed_map(&f, 'b', 8), "refused");
        feed_stop(&f);
}

static void test_later_shape(void **state)
{
        struct feed f;
        struct relation *later = relation_new(0, "t", "b", IDENTITY_DEFAULT, 1);

        (void)state;
        relation_set_column(later, 0, "id", 0, 0, true);
        relation_set_native(later, 0, "bigint(20)");
        feed_start(&f, 1 << 20);
        f.h.later[1] = later;
        f.h.refuse = true;
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'b', 3), 0);
        assert_int_equal(feed_xid(&f), 0);
        assert_int_equal(feed_gtid(&f, 0), 0);
        assert_int_equal(feed_map(&f, 'b', 8), 0);
        assert_int_equal(feed_map(&f, 'b', 8), 0);
        assert_int_equal(feed_xid(&f), 0);
        feed_expect(&f, "relation t.b\npiece first last 000001:4-000001:118\n"
                        "relation t.b (later)\npiece first last 000001:118-000001:273\n");
        assert_int_equal(feed_gtid(&f, 1), 0);
        assert_int_equal(feed_query_of(&f, "", "TRUNCATE TABLE `t`.`b`"), 0);
        feed_expect(&f, "piece first last 000001:273-000001:374\n  truncate t.b\n");
        feed_stop(&f);
}

/* ---- foreign keys that act ---- */

/* A row of t.b: insert, update (by 10) or delete (rows events of version 1). */
static int change_b(struct feed *f, uint8_t type, unsigned flags, uint32_t id)
{
        AUTO_BUF body = BUF_INIT;

        feed_le(&body, 'b', 6);
        feed_le(&body, flags, 2);
        feed_le(&body, 1, 1);
        feed_le(&body, 1, type == 24 ? 2 : 1); /* the second bitmap is nothing */
        if (type == 24)
                body.data[body.len - 1] = 1;
        feed_le(&body, 0, 1);
        feed_le(&body, id, 4);
        if (type == 24) {
                feed_le(&body, 0, 1);
                feed_le(&body, id + 10, 4);
        }
        return feed_give(f, type, 0, &body);
}

static void check_cascades(enum engine engine, const char *text)
{
        static const unsigned flags[] = {0x01, 0x03, 0x11, 0x13, 0x81};
        struct feed f;

        feed_start(&f, 1 << 20);
        binlog_free(f.b);
        f.h.engine = engine;
        f.h.cascades = true;
        f.b = heard_decoder(&f.h, 1 << 20);
        f.at = 4;
        assert_int_equal(feed_rotate(&f, 0x20, 4, "bin.000001"), 0);
        assert_int_equal(feed_describe(&f, "10.11.2-MariaDB", 1), 0);
        assert_int_equal(feed_query(&f, "BEGIN"), 0);
        assert_int_equal(feed_map(&f, 'b', 3), 0);
        buf_clear(&f.h.text);
        for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
                assert_int_equal(change_b(&f, i % 2 ? 24 : 25, flags[i], i), 0);
        assert_int_equal(change_b(&f, 24, 1, 5), 0);
        assert_int_equal(change_b(&f, 23, 1, 6), 0);
        assert_int_equal(feed_xid(&f), 0);
        assert_string_equal(strchr(buf_text(&f.h.text), '\n') + 1, text);
        feed_stop(&f);
}

/* HAZARDS A14: 2, checks were off; 16, MySQL's server logs what its keys do. */
static void test_cascades(void **state)
{
        (void)state;
        check_cascades(ENGINE_MARIADB,
                "  delete t.b old|0 cascades\n  update t.b old|1 new|11\n"
                "  delete t.b old|2 cascades\n  update t.b old|3 new|13\n"
                "  delete t.b old|4 cascades\n  update t.b old|5 new|15 cascades\n"
                "  insert t.b new|6\n");
        check_cascades(ENGINE_MYSQL,
                "  delete t.b old|0 cascades\n  update t.b old|1 new|11\n"
                "  delete t.b old|2\n  update t.b old|3 new|13\n"
                "  delete t.b old|4 cascades\n  update t.b old|5 new|15 cascades\n"
                "  insert t.b new|6\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_file_numbers),
                cmocka_unit_test(test_beyond_four_gigabytes),
                cmocka_unit_test(test_rotation),
                cmocka_unit_test(test_abandoned_group),
                cmocka_unit_test(test_checksum),
                cmocka_unit_test(test_no_checksums),
                cmocka_unit_test(test_unknown_events),
                cmocka_unit_test(test_no_description),
                cmocka_unit_test(test_damaged_files),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_rollback),
                cmocka_unit_test(test_other_shape),
                cmocka_unit_test(test_later_shape),
                cmocka_unit_test(test_cascades),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
