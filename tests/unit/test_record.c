#include "spool/record.h"
#include "base/memory.h"

#include "tests/support/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct txn *read_piece(struct record_reader *r, struct reader *in)
{
        struct record got;
        struct error e = ERROR_INIT;
        int rc = record_next(r, in, &got, &e);

        assert_string_equal(e.message, "");
        assert_int_equal(rc, RECORD_PIECE);
        return got.piece;
}

static void put(struct record_writer *w, struct buf *out, const struct txn *t)
{
        const struct change *from = t->changes;
        struct error e = ERROR_INIT;

        assert_int_equal(record_put_piece(w, out, t, &from, SIZE_MAX, &e), 0);
        assert_null(from);
}

static void assert_same(const struct txn *a, const struct txn *b)
{
        AUTO_BUF x = BUF_INIT;
        AUTO_BUF y = BUF_INIT;

        piece_text(a, &x);
        piece_text(b, &y);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
}

static void assert_returns(const struct txn *t)
{
        struct record_writer *w = record_writer_new();
        struct record_reader *r = record_reader_new();
        AUTO_BUF out = BUF_INIT;
        struct reader in;
        struct txn *back;

        put(w, &out, t);
        in = reader_of(out.data, out.len);
        back = read_piece(r, &in);
        assert_int_equal(reader_left(&in), 0);
        assert_same(t, back);
        record_reader_free(r); /* the piece holds its relations */
        assert_same(t, back);
        txn_free(back);
        record_writer_free(w);
}

static void test_all_fields(void **state)
{
        struct txn *t = piece_rich();

        (void)state;
        assert_returns(t);
        txn_free(t);
        t = piece_misfit();
        assert_true(change_is_misfit(t->changes) && !change_is_misfit(t->changes->next));
        assert_returns(t);
        txn_free(t);
        t = txn_new(); /* a piece in the middle without changes */
        t->commit.lsn = 1;
        assert_returns(t);
        txn_free(t);
}

/* Defined once; a table that has another shape, also at the same address, is another one. */
static void test_definitions(void **state)
{
        struct record_writer *w = record_writer_new();
        struct record_reader *r = record_reader_new();
        AUTO_BUF out = BUF_INIT;
        struct reader in;
        struct txn *back[4];

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                struct relation *a = piece_table("a");
                struct txn *t;
                size_t before = out.len;

                if (i == 2)
                        relation_set_column(a, 2, "c", 1043, 24, false);
                t = piece_whole(a, 100, 2, 10);
                put(w, &out, t);
                assert_true(i == 1 ? out.len - before < 100 : out.len - before > 100);
                txn_free(t);
                relation_unref(a);
        }
        in = reader_of(out.data, out.len);
        for (unsigned i = 0; i < 3; i++)
                back[i] = read_piece(r, &in);
        assert_ptr_equal(back[0]->changes->relation, back[1]->changes->relation);
        assert_string_equal(back[2]->changes->relation->columns[2].name, "c");
        assert_string_equal(back[0]->changes->relation->columns[2].name, "b");
        /* in the next segment, defined anew, the table is the same object */
        record_reader_begin(r);
        in = reader_of(out.data, out.len);
        back[3] = read_piece(r, &in);
        assert_ptr_equal(back[0]->changes->relation, back[3]->changes->relation);
        record_writer_free(w);
        record_reader_free(r);
        for (unsigned i = 0; i < 4; i++)
                txn_free(back[i]);
}

static void test_same_keys_in_the_next_segment(void **state)
{
        struct relation *a = piece_rich_table("a");
        struct record_writer *w = record_writer_new();
        struct record_reader *r = record_reader_new();
        struct txn *t = txn_new(), *back[2];
        AUTO_BUF out = BUF_INIT;

        (void)state;
        t->commit.lsn = 5;
        txn_add(t, CHANGE_DELETE, a)->old = piece_rich_row(t);
        for (unsigned i = 0; i < 2; i++) {
                struct reader in;

                buf_clear(&out);
                record_writer_begin(w);
                put(w, &out, t);
                record_reader_begin(r);
                in = reader_of(out.data, out.len);
                back[i] = read_piece(r, &in);
        }
        assert_ptr_equal(back[0]->changes->relation, back[1]->changes->relation);
        txn_free(t);
        txn_free(back[0]);
        txn_free(back[1]);
        record_writer_free(w);
        record_reader_free(r);
        relation_unref(a);
}

/* A large piece goes in parts that are pieces themselves. */
static void test_split(void **state)
{
        struct relation *a = piece_table("a");
        struct record_writer *w = record_writer_new();
        struct record_reader *r = record_reader_new();
        struct txn *t = piece_whole(a, 100, 50, 1000);
        const struct change *from = t->changes;
        unsigned changes = 0, parts = 0;
        struct error e = ERROR_INIT;

        (void)state;
        t->gtids = "g";
        do {
                AUTO_BUF out = BUF_INIT;
                struct reader in;
                struct txn *part;

                assert_int_equal(record_put_piece(w, &out, t, &from, 4000, &e), 0);
                assert_true(out.len < 6000);
                in = reader_of(out.data, out.len);
                part = read_piece(r, &in);
                assert_int_equal(part->first, parts == 0);
                assert_int_equal(part->last, !from);
                assert_int_equal(part->end.lsn, from ? 0 : 100);
                assert_int_equal(!part->gtids, !!from);
                changes += part->changes_n;
                parts++;
                txn_free(part);
        } while (from);
        assert_int_equal(changes, 50);
        assert_true(parts > 10);
        txn_free(t);
        record_writer_free(w);
        record_reader_free(r);
        relation_unref(a);
}

static void test_passed(void **state)
{
        struct record_reader *r = record_reader_new();
        struct record got;
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT;
        struct reader in;

        (void)state;
        record_put_passed(&out, (struct position){.lsn = 7, .file = 2}, "g1");
        record_put_passed(&out, (struct position){.lsn = 8}, NULL);
        in = reader_of(out.data, out.len);
        assert_int_equal(record_next(r, &in, &got, &e), RECORD_PASSED);
        assert_int_equal(got.passed.file, 2);
        assert_string_equal(got.gtids, "g1");
        assert_int_equal(record_next(r, &in, &got, &e), RECORD_PASSED);
        assert_int_equal(got.passed.lsn, 8);
        assert_null(got.gtids);
        assert_int_equal(record_next(r, &in, &got, &e), RECORD_END);
        record_reader_free(r);
}

/* Any byte changed, any cut: an error or other values, never more. */
static void test_damage(void **state)
{
        struct relation *a = piece_rich_table("a"), *b = piece_table("b");
        struct record_writer *w = record_writer_new();
        struct txn *t = txn_new(), *t2 = piece_whole(b, 100, 2, 5), *t3 = piece_misfit();
        AUTO_BUF out = BUF_INIT;

        (void)state;
        t->commit.lsn = 5;
        txn_add(t, CHANGE_DELETE, a)->old = piece_rich_row(t);
        put(w, &out, t);
        put(w, &out, t2);
        put(w, &out, t3);
        for (size_t cut = 0; cut < out.len; cut++)
                for (unsigned bit = 0; bit < 9; bit++) {
                        struct record_reader *r = record_reader_new();
                        size_t len = bit == 8 ? cut : out.len;
                        char *copy = memory_copy(out.data, out.len + 1);
                        char *exact = memory_new(len + 1);
                        struct reader in;
                        struct record got;
                        struct error e = ERROR_INIT;
                        int rc;

                        copy[cut] ^= (char)(bit < 8 ? 1 << bit : 0);
                        memcpy(exact, copy, len);
                        in = reader_of(exact, len);
                        while ((rc = record_next(r, &in, &got, &e)) > 0)
                                txn_free(got.piece);
                        assert_true(rc == 0 || e.class == ERROR_DATA);
                        record_reader_free(r);
                        free(copy);
                        free(exact);
                }
        txn_free(t);
        txn_free(t2);
        txn_free(t3);
        record_writer_free(w);
        relation_unref(a);
        relation_unref(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_fields),
                cmocka_unit_test(test_definitions),
                cmocka_unit_test(test_same_keys_in_the_next_segment),
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_passed),
                cmocka_unit_test(test_damage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
