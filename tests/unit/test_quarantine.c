#include "base/memory.h"
#include "model/row_json.h"
#include "sinks/quarantine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct relation *table(const char *name)
{
        struct relation *r = relation_new(7, "public", name, IDENTITY_DEFAULT, 3);

        relation_set_column(r, 0, "id", 23, -1, true);
        relation_set_column(r, 1, "a \"b\"", 25, -1, false);
        relation_set_column(r, 2, "c", 17, -1, false);
        return r;
}

static struct value text(const char *s)
{
        return (struct value){VALUE_TEXT, (uint32_t)strlen(s), s};
}

static void test_rows_are_the_same_after_json(void **state)
{
        struct relation *r = table("t");
        struct arena *a = arena_new();
        struct error e = ERROR_INIT;
        struct value rows[][3] = {
                {text("1"), text("ä\n\x01\\\" \x7f"), {VALUE_TEXT, 3, "\0\xff\x10"}},
                {text(""), {.kind = VALUE_NULL}, {.kind = VALUE_UNCHANGED}},
                {{.kind = VALUE_UNCHANGED}, {.kind = VALUE_UNCHANGED}, {.kind = VALUE_UNCHANGED}},
        };

        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                AUTO_BUF json = BUF_INIT;
                struct value *back;

                row_to_json(&json, r, rows[i], NULL);
                back = row_from_json(a, r, buf_text(&json), &e);
                assert_non_null(back);
                for (int k = 0; k < 3; k++) {
                        assert_int_equal(back[k].kind, rows[i][k].kind);
                        if (back[k].kind != VALUE_TEXT)
                                continue;
                        assert_int_equal(back[k].len, rows[i][k].len);
                        assert_memory_equal(back[k].data, rows[i][k].data, back[k].len);
                        assert_int_equal(back[k].data[back[k].len], 0);
                }
        }
        arena_free(a);
        relation_unref(r);
}

static void test_json_that_is_no_row(void **state)
{
        static const char *const bad[] = {"", "[]", "{\"id\":1}", "{\"x\":\"1\"}",
                "{\"id\":", "{\"id\":{\"hex\":\"0\"}}", "{\"id\":{\"hex\":\"zz\"}}", "{\"id\":{}}",
                "null"};
        struct relation *r = table("t");
        struct arena *a = arena_new();

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct error e = ERROR_INIT;

                assert_null(row_from_json(a, r, bad[i], &e));
                assert_int_equal(e.class, ERROR_DATA);
        }
        arena_free(a);
        relation_unref(r);
}

/* Of a change with these keys; NULL: there is no such row. */
static struct quarantine_rows rows_of(const char *name, const char *old, const char *new)
{
        struct relation *r = table(name);
        struct quarantine_table *t = quarantine_table_new(r, CONFLICT_QUARANTINE);
        struct value before[3] = {text(old ? old : ""), text("x"), text("y")};
        struct value after[3] = {text(new ? new : ""), text("z"), text("y")};
        struct change c = {.relation = r, .old = old ? before : NULL, .new = new ? after : NULL};
        struct quarantine_rows rows;

        t->key[0] = true;
        quarantine_rows_of(t, &c, &rows);
        free(t);
        relation_unref(r);
        return rows;
}

static uint64_t row_of(const char *name, const char *key)
{
        return rows_of(name, key, NULL).keys[0].row;
}

static void test_rows_of_a_change(void **state)
{
        (void)state;
        assert_int_equal(rows_of("t", "1", NULL).n, 1);
        assert_int_equal(rows_of("t", NULL, "1").n, 1);
        assert_int_equal(rows_of("t", "1", "1").n, 1);
        assert_int_equal(rows_of("t", "1", "2").n, 2);
        assert_true(rows_of("t", NULL, "1").keys[0].row == row_of("t", "1"));
        assert_true(row_of("t", "1") != row_of("t", "2"));
        assert_true(row_of("t", "1") != row_of("u", "1"));
}

static void test_keys_that_a_target_may_take_for_one(void **state)
{
        static const char *const same[][2] = {{"a", "A"}, {"a", "a  "}, {"1.50", "1.5"},
                {"1.00", "1"}, {"-2.0", "-2"}, {"", " "}};
        static const char *const different[][2] = {{"a", " a"}, {"10", "1"}, {"a.10", "a.1"},
                {"1.0.0", "1.0"}, {"ä", "a"}, {"1", "11"}};

        (void)state;
        for (size_t i = 0; i < sizeof same / sizeof *same; i++)
                assert_true(row_of("t", same[i][0]) == row_of("t", same[i][1]));
        for (size_t i = 0; i < sizeof different / sizeof *different; i++)
                assert_true(row_of("t", different[i][0]) != row_of("t", different[i][1]));
}

static void test_set_grows_forgets_and_is_bounded(void **state)
{
        struct quarantine q = QUARANTINE_INIT;
        struct error e = ERROR_INIT;

        (void)state;
        assert_false(quarantine_has(&q, 5));
        q.max = 1000;
        for (uint64_t i = 1; i <= 1000; i++)
                assert_int_equal(
                        quarantine_add(&q, (struct quarantine_key){1 + i % 2, i * 64}, &e), 0);
        assert_int_equal(quarantine_add(&q, (struct quarantine_key){1, 64}, &e), 0); /* is there */
        assert_int_equal(quarantine_add(&q, (struct quarantine_key){1, 1}, &e), -1);
        assert_int_equal(e.class, ERROR_CONFIG);
        assert_non_null(strstr(e.message, "more than 1000 rows are in quarantine"));
        assert_true(quarantine_has_table(&q, 2));
        quarantine_forget(&q, 2);
        assert_false(quarantine_has_table(&q, 2));
        assert_int_equal(q.n, 500);
        for (uint64_t i = 1; i <= 1000; i++)
                assert_int_equal(quarantine_has(&q, i * 64), i % 2 == 0);
        quarantine_clear(&q);
        assert_false(quarantine_has(&q, 128));
}

static void test_changes_come_back(void **state)
{
        struct relation *r = table("t");
        struct quarantine_table *t = quarantine_table_new(r, CONFLICT_QUARANTINE);
        struct value before[3] = {text("1"), {.kind = VALUE_UNCHANGED}, {.kind = VALUE_UNCHANGED}};
        struct value after[3] = {text("2"), text("x"), {.kind = VALUE_NULL}};
        struct change c = {.op = CHANGE_UPDATE, .relation = r, .old = before, .new = after};
        struct error e = ERROR_INIT;
        struct quarantine_entry n;
        struct quarantine_text back;
        struct relation *shape;
        struct txn *piece;

        (void)state;
        t->key[0] = true;
        quarantine_entry_init(&n, t, &c, NULL);
        assert_string_equal(buf_text(&n.key), "{\"id\":\"1\"}");
        assert_string_equal(buf_text(&n.new), "{\"id\":\"2\",\"a \\\"b\\\"\":\"x\",\"c\":null}");
        back = (struct quarantine_text){n.operation, buf_text(&n.old), buf_text(&n.new), false};
        shape = relation_from_text(buf_text(&n.shape));
        piece = quarantine_change(shape, &back, &e);
        assert_non_null(piece);
        assert_int_equal(piece->changes->op, CHANGE_UPDATE);
        assert_string_equal(piece->changes->old[0].data, "1");
        assert_int_equal(piece->changes->old[1].kind, VALUE_UNCHANGED);
        assert_string_equal(piece->changes->new[1].data, "x");
        assert_string_equal(piece->changes->relation->name, "t");
        txn_free(piece);
        back.new = NULL;
        assert_null(quarantine_change(shape, &back, &e));
        back.new = back.old;
        back.operation = "truncate";
        assert_null(quarantine_change(shape, &back, &e));
        relation_unref(shape);
        quarantine_entry_done(&n);
        free(t);
        relation_unref(r);
}

/* In the source's form, but for the key; and a key that has no place itself. */
static void test_values_without_a_place(void **state)
{
        struct relation *r = table("t"), *source = table("s");
        struct quarantine_table *t = quarantine_table_new(r, CONFLICT_QUARANTINE);
        struct value row[3] = {text("1"), text("x"), {.kind = VALUE_UNCHANGED}};
        struct value had[3] = {text("01"), text("x"), text("infinity")};
        uint8_t at[3] = {0, 0, MISFIT_NEW};
        struct misfit x = {.from = ENGINE_MARIADB, .source = source, .new = had, .at = at};
        struct change c = {.op = CHANGE_INSERT, .relation = r, .new = row, .misfit = &x};
        struct error e = ERROR_INIT;
        struct quarantine_entry n;

        (void)state;
        x.message = "column 'c': no place";
        t->key[0] = true;
        assert_int_equal(quarantine_check_key(t, &c, &e), 0);
        quarantine_entry_init(&n, t, &c, NULL);
        assert_string_equal(n.source, "mariadb");
        assert_string_equal(n.message, "column 'c': no place");
        assert_string_equal(buf_text(&n.key), "{\"id\":\"1\"}");
        assert_string_equal(
                buf_text(&n.new), "{\"id\":\"01\",\"a \\\"b\\\"\":\"x\",\"c\":\"infinity\"}");
        assert_true(n.rows.keys[0].row == row_of("t", "1"));
        assert_non_null(strstr(buf_text(&n.shape), "s"));
        quarantine_entry_done(&n);
        assert_int_equal(quarantine_check_key(NULL, &c, &e), -1);
        assert_non_null(strstr(e.message, "public.t: column 'c': no place"));
        at[2] = MISFIT_OLD; /* only the row before had it: nobody needs it */
        quarantine_entry_init(&n, t, &c, NULL);
        assert_null(n.source);
        assert_non_null(strstr(n.message, "earlier change"));
        quarantine_entry_done(&n);
        at[0] = MISFIT_OLD;
        assert_int_equal(quarantine_check_key(t, &c, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_non_null(strstr(e.message, "a value of the key"));
        free(t);
        relation_unref(r);
        relation_unref(source);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows_are_the_same_after_json),
                cmocka_unit_test(test_json_that_is_no_row),
                cmocka_unit_test(test_rows_of_a_change),
                cmocka_unit_test(test_keys_that_a_target_may_take_for_one),
                cmocka_unit_test(test_set_grows_forgets_and_is_bounded),
                cmocka_unit_test(test_changes_come_back),
                cmocka_unit_test(test_values_without_a_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
