#include "model/txn.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_piece_keeps_its_relations(void **state)
{
        struct relation *a = relation_new(1, "s", "a", IDENTITY_DEFAULT, 0);
        struct relation *b = relation_new(2, "s", "b", IDENTITY_DEFAULT, 0);
        struct txn *t = txn_new();
        struct change *c;

        (void)state;
        for (int i = 0; i < 10; i++) {
                c = txn_add(t, CHANGE_INSERT, i % 4 == 0 ? b : a);
                assert_null(c->old);
                assert_null(c->new);
                assert_null(c->next);
        }
        assert_true(a->references > 1 && b->references > 1);
        relation_unref(a);
        relation_unref(b); /* the piece has them still */
        assert_string_equal(t->changes->relation->name, "b");
        assert_string_equal(t->changes->next->relation->name, "a");
        assert_int_equal(t->changes_n, 10);
        assert_null(txn_free(t)); /* leaks and double frees show under ASan */
        assert_null(txn_free(NULL));
}

static void test_references_are_given_back(void **state)
{
        struct relation *a = relation_new(1, "s", "a", IDENTITY_DEFAULT, 0);
        struct txn *t = txn_new();

        (void)state;
        for (int i = 0; i < 100; i++)
                txn_add(t, CHANGE_DELETE, a);
        assert_int_equal(a->references, 2); /* a run of changes needs one */
        txn_hold(t, a);
        txn_free(t);
        assert_int_equal(a->references, 1);
        relation_unref(a);
}

static void test_bytes_grow(void **state)
{
        struct txn *t = txn_new();
        size_t before = txn_bytes(t);

        (void)state;
        arena_alloc(t->arena, 100000);
        assert_true(txn_bytes(t) >= before + 100000);
        txn_free(t);
}

/* HAZARDS A18: Begin has 32 bits, the snapshot 64. */
static void test_xid_widen(void **state)
{
        const uint64_t epoch = UINT64_C(1) << 32;

        (void)state;
        assert_true(xid_widen(750, 745) == 750);
        assert_true(xid_widen(740, 745) == 740);
        assert_true(
                xid_widen(0xFFFFFFFE, 10) == 0xFFFFFFFE); /* there is no epoch before the first */
        assert_true(xid_widen(5, 3 * epoch + 10) == 3 * epoch + 5);
        assert_true(xid_widen(0xFFFFFFF0, 3 * epoch + 10) == 2 * epoch + 0xFFFFFFF0);
        assert_true(xid_widen(7, 2 * epoch + 0xFFFFFFF0) == 3 * epoch + 7);
        assert_true(xid_widen(7, 0xFFFFFFF0) == epoch + 7);
        for (uint64_t near = 3 * epoch - 5; near < 3 * epoch + 5; near++)
                for (int64_t d = -1000; d <= 1000; d += 7) {
                        uint64_t xid = near + (uint64_t)d;

                        assert_true(xid_widen((uint32_t)xid, near) == xid);
                }
}

static void test_snapshot(void **state)
{
        struct snapshot s;
        struct error e = ERROR_INIT;

        (void)state;
        assert_int_equal(snapshot_parse(&s, "100:120:118,103,110", &e), 0);
        assert_true(snapshot_sees(&s, 99));
        assert_true(snapshot_sees(&s, 100));
        assert_false(snapshot_sees(&s, 103));
        assert_true(snapshot_sees(&s, 104));
        assert_false(snapshot_sees(&s, 110));
        assert_false(snapshot_sees(&s, 118));
        assert_true(snapshot_sees(&s, 119));
        assert_false(snapshot_sees(&s, 120));
        assert_false(snapshot_sees(&s, UINT64_MAX));
        snapshot_done(&s);
        assert_int_equal(snapshot_parse(&s, "4294967500:4294967500:", &e), 0);
        assert_true(snapshot_sees(&s, 4294967499));
        assert_false(snapshot_sees(&s, 4294967500));
        snapshot_done(&s);
        snapshot_done(&s);
}

static void test_many_in_progress(void **state)
{
        AUTO_BUF text = BUF_INIT;
        struct snapshot s;
        struct error e = ERROR_INIT;

        (void)state;
        buf_str(&text, "1000:9000:");
        for (int i = 0; i < 1000; i++)
                buf_printf(&text, "%s%d", i ? "," : "", 8998 - 2 * i);
        assert_int_equal(snapshot_parse(&s, buf_text(&text), &e), 0);
        for (uint64_t xid = 7000; xid < 9000; xid++)
                assert_int_equal(snapshot_sees(&s, xid), xid % 2 == 1);
        snapshot_done(&s);
}

static void test_damaged_snapshot(void **state)
{
        static const char *const bad[] = {"", "1", "1:", "1:2", "a:2:", "1:b:", "1:2:x", "1:2:3;4",
                "1:2:,", "1:2:3,,4", ":2:"};

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct snapshot s;
                struct error e = ERROR_INIT;

                if (snapshot_parse(&s, bad[i], &e) != -1)
                        fail_msg("'%s' was taken", bad[i]);
                assert_int_equal(e.class, ERROR_DATA);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_piece_keeps_its_relations),
                cmocka_unit_test(test_references_are_given_back),
                cmocka_unit_test(test_bytes_grow),
                cmocka_unit_test(test_xid_widen),
                cmocka_unit_test(test_snapshot),
                cmocka_unit_test(test_many_in_progress),
                cmocka_unit_test(test_damaged_snapshot),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
