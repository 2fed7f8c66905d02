/*
 * XA transactions: their rows are in the log where they are prepared, and count from their XA
 * COMMIT on.
 */
#include "base/memory.h"
#include "decoders/binlog_state.h"
#include "tests/support/binlog_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define PREPARED 64 /* flags of MariaDB's GTID event */
#define COMPLETED 128
#define XID "X'6162',X'63',1"
#define LONG 3 /* type of an int */

static const struct binlog_setup room = {.kept_bytes = 1 << 20, .gtids = "0-7-0"};

static void insert_prepared(struct feed *f, unsigned rows)
{
        assert_int_equal(feed_gtid(f, PREPARED), 0);
        assert_int_equal(feed_map(f, 'a', LONG), 0);
        for (uint32_t i = 1; i <= rows; i++)
                assert_int_equal(feed_insert(f, i, "x"), 0);
        assert_int_equal(feed_query(f, "XA END " XID), 0);
        assert_int_equal(feed_prepare(f, false), 0);
        assert_true(binlog_idle(f->b));
}

static int end_prepared(struct feed *f, const char *verb)
{
        AUTO_STRING text = memory_printf("XA %s " XID, verb);

        assert_int_equal(feed_gtid(f, COMPLETED), 0);
        return feed_query(f, text);
}

static void insert_plain(struct feed *f, uint32_t id)
{
        assert_int_equal(feed_gtid(f, 0), 0);
        assert_int_equal(feed_map(f, 'a', LONG), 0);
        assert_int_equal(feed_insert(f, id, "plain"), 0);
        assert_int_equal(feed_xid(f), 0);
}

static void test_commit(void **state)
{
        struct feed f;

        (void)state;
        feed_start_with(&f, 1 << 20, room);
        f.h.states = true;
        insert_prepared(&f, 2);
        feed_expect(&f, "relation t.a\npiece first last 000001:4-000001:269\n"
                        "  state 0-7-1 since=000001:4 0-7-0\n");
        insert_plain(&f, 3);
        feed_expect(&f, "piece first last 000001:269-000001:430\n"
                        "  state 0-7-2 since=000001:4 0-7-0\n"
                        "  insert t.a new|3|plain\n");
        assert_int_equal(end_prepared(&f, "COMMIT"), 0);
        feed_expect(&f, "piece first 000001:430-\n"
                        "  insert t.a new|1|x\n"
                        "  insert t.a new|2|x\n"
                        "piece last 000001:430-000001:535\n"
                        "  state 0-7-3\n");
        feed_fails(&f, end_prepared(&f, "COMMIT"), "resync required: XA COMMIT " XID);
        feed_stop(&f);
}

/* Each row closes a piece. */
static void test_pieces(void **state)
{
        struct feed f;

        (void)state;
        feed_start_with(&f, 1, room);
        insert_prepared(&f, 3);
        assert_int_equal(f.h.pieces, 1);
        buf_clear(&f.h.text);
        assert_int_equal(end_prepared(&f, "COMMIT"), 0);
        assert_int_equal(f.h.pieces, 5);
        feed_expect(&f, "piece first 000001:309-\n  insert t.a new|1|x\n"
                        "piece 000001:309-\n  insert t.a new|2|x\n"
                        "piece 000001:309-\n  insert t.a new|3|x\n"
                        "piece last 000001:309-000001:414\n");
        feed_stop(&f);
}

static void test_rollback(void **state)
{
        struct feed f;

        (void)state;
        feed_start_with(&f, 1, room);
        insert_prepared(&f, 3);
        assert_int_equal(end_prepared(&f, "ROLLBACK"), 0);
        insert_prepared(&f, 1);
        assert_int_equal(feed_gtid(&f, PREPARED), 0);
        assert_int_equal(feed_map(&f, 'a', LONG), 0);
        assert_int_equal(feed_insert(&f, 8, "x"), 0);
        assert_int_equal(feed_query(&f, "ROLLBACK"), 0);
        assert_null(strstr(buf_text(&f.h.text), "insert"));
        feed_stop(&f);
}

static void test_one_phase(void **state)
{
        struct feed f;

        (void)state;
        feed_start_with(&f, 1, room);
        assert_int_equal(feed_gtid(&f, PREPARED), 0);
        assert_int_equal(feed_map(&f, 'a', LONG), 0);
        assert_int_equal(feed_insert(&f, 1, "x"), 0);
        assert_int_equal(feed_prepare(&f, true), 0);
        feed_expect(&f, "relation t.a\npiece first 000001:4-\n  insert t.a new|1|x\n"
                        "piece last 000001:4-000001:169\n");
        feed_stop(&f);
}

static void test_nothing_of_interest(void **state)
{
        struct feed f;

        (void)state;
        feed_start_with(&f, 1, room);
        f.h.states = true;
        assert_int_equal(feed_gtid(&f, PREPARED), 0);
        assert_int_equal(feed_prepare(&f, false), 0);
        assert_int_equal(end_prepared(&f, "COMMIT"), 0);
        feed_expect(&f, "piece first last 000001:4-000001:85\n"
                        "  state 0-7-1 since=000001:4 0-7-0\n"
                        "piece first last 000001:85-000001:190\n"
                        "  state 0-7-2\n");
        feed_stop(&f);
}

static void test_bounded(void **state)
{
        struct binlog_setup little = {.kept_bytes = 20000};
        struct feed f;
        int rc = 0;

        (void)state;
        feed_start_with(&f, 4096, little);
        assert_int_equal(feed_gtid(&f, PREPARED), 0);
        assert_int_equal(feed_map(&f, 'a', LONG), 0);
        for (uint32_t i = 0; rc == 0 && i < 10000; i++)
                rc = feed_insert(&f, i, "some text of a row");
        feed_fails(&f, rc, "queue.memory allows (20000 bytes)");
        feed_stop(&f);
}

/* ---- what comes again ---- */

/* Prepared, a plain transaction, and another one prepared and committed, all delivered before. */
static void give_past(struct feed *f)
{
        insert_prepared(f, 1);
        insert_plain(f, 3);
        assert_int_equal(feed_gtid(f, 0x01), 0);
        assert_int_equal(feed_query(f, "ALTER TABLE t.a ADD x int"), 0);
        feed_expect(f, "relation t.a\n");
}

static void check_rest(struct feed *f, const char *kept_state)
{
        AUTO_STRING first = memory_printf("  state %s\n", kept_state);

        insert_plain(f, 4);
        if (!strstr(buf_text(&f->h.text), "insert t.a new|4|plain") ||
                !strstr(buf_text(&f->h.text), first))
                fail_msg("'%s' has no '%s'", buf_text(&f->h.text), first);
        buf_clear(&f->h.text);
        assert_int_equal(end_prepared(f, "COMMIT"), 0);
        assert_non_null(strstr(buf_text(&f->h.text), "insert t.a new|1|x"));
        assert_non_null(strstr(buf_text(&f->h.text), "  state 0-7-5\n"));
        assert_null(strstr(buf_text(&f->h.text), "plain"));
}

static void test_again_by_position(void **state)
{
        struct binlog_setup setup = room;
        struct feed f;

        (void)state;
        setup.delivered = (struct position){.file = 1, .lsn = 495};
        setup.delivered_gtids = "0-7-3";
        feed_start_with(&f, 1 << 20, setup);
        f.h.states = true;
        give_past(&f);
        check_rest(&f, "0-7-4 since=000001:4 0-7-0");
        feed_stop(&f);
}

/* The position is another server's. */
static void test_again_by_gtid(void **state)
{
        struct binlog_setup setup = room;
        struct feed f;

        (void)state;
        setup.gtids = "0-7-0";
        setup.delivered = POSITION_BY_GTID;
        setup.delivered_gtids = "~0-7-3";
        setup.exact = (struct position){.file = 1, .lsn = 650};
        feed_start_with(&f, 1 << 20, setup);
        f.h.states = true;
        give_past(&f);
        check_rest(&f, "~0-7-4 since=000001:4 0-7-0");
        feed_stop(&f);
}

static void test_again_without_state(void **state)
{
        struct binlog_setup setup = room;
        struct feed f;

        (void)state;
        setup.gtids = NULL;
        setup.delivered = (struct position){.file = 1, .lsn = 495};
        setup.delivered_gtids = "0-7-3";
        feed_start_with(&f, 1 << 20, setup);
        f.h.states = true;
        give_past(&f);
        check_rest(&f, "0-7-4 since=000001:4");
        feed_stop(&f);
}

/* A table that had another definition then: of no interest, unless its rows are committed later. */
static void test_again_other_shape(void **state)
{
        struct binlog_setup setup = room;
        struct feed f;

        (void)state;
        for (unsigned later = 0; later < 2; later++) {
                setup.delivered = (struct position){.file = 1, .lsn = later ? 169 : 274};
                feed_start_with(&f, 1 << 20, setup);
                assert_int_equal(feed_gtid(&f, PREPARED), 0);
                assert_int_equal(feed_map(&f, 'a', 8), 0);
                assert_int_equal(feed_insert(&f, 1, "x"), 0);
                assert_int_equal(feed_prepare(&f, false), 0);
                if (!later)
                        assert_int_equal(end_prepared(&f, "COMMIT"), 0);
                insert_plain(&f, 4);
                if (later)
                        feed_fails(&f, end_prepared(&f, "COMMIT"), "had another definition");
                assert_null(strstr(buf_text(&f.h.text), "changed"));
                assert_null(strstr(buf_text(&f.h.text), "new|1|"));
                feed_stop(&f);
        }
}

/* ---- the text in a checkpoint ---- */

static void check_state(const char *text, const char *gtids, uint64_t since, const char *there)
{
        struct binlog_state s;
        struct error e = ERROR_INIT;
        AUTO_BUF again = BUF_INIT;

        assert_int_equal(binlog_state_parse(&s, text, &e), 0);
        if (gtids)
                assert_string_equal(s.gtids, gtids);
        else
                assert_null(s.gtids);
        assert_int_equal(s.since.lsn, since);
        if (there)
                assert_string_equal(s.since_gtids, there);
        else
                assert_null(s.since_gtids);
        if (s.gtids)
                buf_str(&again, s.gtids);
        if (!position_is_none(s.since))
                binlog_state_write_since(&again, s.since, s.since_gtids);
        assert_string_equal(buf_text(&again), text ? text : "");
        binlog_state_done(&s);
}

static void test_text(void **state)
{
        static const char *const broken[] = {"since=", "0-1-2 since=x", "since=000000:0"};
        struct binlog_state s;
        struct error e = ERROR_INIT;

        (void)state;
        check_state(NULL, NULL, 0, NULL);
        check_state("", NULL, 0, NULL);
        check_state("0-1-2,1-1-3", "0-1-2,1-1-3", 0, NULL);
        check_state("~0-1-2 since=000003:4711 0-1-1", "~0-1-2", 4711, "0-1-1");
        check_state("0-1-2 since=000003:4711", "0-1-2", 4711, NULL);
        check_state("since=000003:4711", NULL, 4711, NULL);
        for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
                assert_int_equal(binlog_state_parse(&s, broken[i], &e), -1);
                assert_int_equal(e.class, ERROR_DATA);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commit),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_rollback),
                cmocka_unit_test(test_one_phase),
                cmocka_unit_test(test_nothing_of_interest),
                cmocka_unit_test(test_bounded),
                cmocka_unit_test(test_again_by_position),
                cmocka_unit_test(test_again_by_gtid),
                cmocka_unit_test(test_again_without_state),
                cmocka_unit_test(test_again_other_shape),
                cmocka_unit_test(test_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
