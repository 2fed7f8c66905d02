#include "model/relation.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct relation *orders(void)
{
        struct relation *r = relation_new(16400, "public", "orders", IDENTITY_DEFAULT, 3);

        relation_set_column(r, 0, "id", 23, -1, true);
        relation_set_column(r, 1, "price", 1700, 655366, false);
        relation_set_column(r, 2, "note", 25, -1, false);
        return r;
}

static void assert_differs(struct relation *changed, const char *what)
{
        struct relation *old = orders();
        AUTO_BUF text = BUF_INIT;

        assert_false(relation_same(old, changed, &text));
        assert_string_equal(buf_text(&text), what);
        relation_unref(old);
        relation_unref(changed);
}

static void test_same(void **state)
{
        struct relation *a = orders(), *b = orders();
        AUTO_BUF what = BUF_INIT;

        (void)state;
        assert_true(relation_same(a, b, &what));
        assert_string_equal(buf_text(&what), "");
        buf_str(&what, "already there");
        assert_true(relation_same(a, b, &what));
        relation_unref(a);
        relation_unref(b);
}

static void test_what_changed(void **state)
{
        struct relation *r;

        (void)state;
        r = relation_new(16400, "public", "orders", IDENTITY_DEFAULT, 4);
        relation_set_column(r, 0, "id", 23, -1, true);
        relation_set_column(r, 1, "price", 1700, 655366, false);
        relation_set_column(r, 2, "note", 25, -1, false);
        relation_set_column(r, 3, "Ünïcode", 25, -1, false);
        assert_differs(r, "column Ünïcode added");

        r = relation_new(16400, "public", "orders", IDENTITY_DEFAULT, 2);
        relation_set_column(r, 0, "id", 23, -1, true);
        relation_set_column(r, 1, "price", 1700, 655366, false);
        assert_differs(r, "column note dropped or renamed");

        r = orders();
        relation_set_column(r, 2, "remark", 25, -1, false);
        assert_differs(r, "column note dropped or renamed, column remark added");

        r = orders();
        relation_set_column(r, 1, "price", 701, -1, false);
        assert_differs(r, "type of column price changed (1700/655366 to 701/-1)");

        r = orders();
        relation_set_column(r, 0, "id", 23, -1, false);
        relation_set_column(r, 2, "note", 25, -1, true);
        assert_differs(r, "column id left the replica identity, "
                          "column note became part of the replica identity");

        r = orders();
        r->identity = IDENTITY_FULL;
        assert_differs(r, "replica identity of orders changed (d to f)");

        r = orders();
        r->id = 99;
        assert_differs(r, "table orders was dropped and made again");
}

static void test_renamed(void **state)
{
        struct relation *a = orders();
        struct relation *b = relation_new(16400, "sales", "orders", IDENTITY_DEFAULT, 0);
        AUTO_BUF what = BUF_INIT;

        (void)state;
        assert_false(relation_same(a, b, &what));
        assert_non_null(strstr(buf_text(&what), "table orders renamed to sales.orders"));
        relation_unref(a);
        relation_unref(b);
}

static void test_columns_by_name(void **state)
{
        struct relation *r = orders();

        (void)state;
        assert_int_equal(relation_column(r, "id"), 0);
        assert_int_equal(relation_column(r, "note"), 2);
        assert_int_equal(relation_column(r, "NOTE"), -1);
        assert_int_equal(relation_column(r, ""), -1);
        relation_unref(r);
}

static int bindings_freed;

static void count_free(void *binding)
{
        bindings_freed += *(int *)binding;
}

static void test_references(void **state)
{
        static int one = 1;
        struct relation *r = orders();
        const struct relation *second = relation_ref(r);

        (void)state;
        bindings_freed = 0;
        r->binding = &one;
        r->binding_free = count_free;
        assert_null(relation_unref(r));
        assert_int_equal(bindings_freed, 0);
        assert_string_equal(second->name, "orders");
        assert_null(relation_unref(second));
        assert_int_equal(bindings_freed, 1);
        assert_null(relation_unref(NULL));
}

static void assert_round(struct relation *r)
{
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF what = BUF_INIT;
        struct relation *back;

        relation_to_text(r, &text);
        assert_null(strchr(buf_text(&text), '\n'));
        back = relation_from_text(buf_text(&text));
        assert_non_null(back);
        assert_true(relation_same(r, back, &what));
        assert_int_equal(back->columns_n, r->columns_n);
        for (uint16_t i = 0; i < r->columns_n; i++)
                assert_string_equal(back->columns[i].name, r->columns[i].name);
        relation_unref(back);
        relation_unref(r);
}

static void test_text_both_ways(void **state)
{
        static const char *const names[] = {" ", "5:x", "a b", "\"q\"", "żółć", "1 2 3", "", "%s"};
        struct relation *r = relation_new(UINT32_MAX, "my schema", "9:t", IDENTITY_FULL, 8);

        (void)state;
        for (uint16_t i = 0; i < 8; i++)
                relation_set_column(r, i, names[i], UINT32_MAX - i, i % 2 ? -1 : INT32_MAX, i == 3);
        assert_round(r);
        assert_round(orders());
        assert_round(relation_new(1, "s", "no_columns", IDENTITY_NOTHING, 0));
        r = relation_new(1, "s", "wide", IDENTITY_INDEX, 1664);
        for (uint16_t i = 0; i < 1664; i++) {
                AUTO_STRING name = memory_printf("column_%u", i);

                relation_set_column(r, i, name, i, i, i % 3 == 0);
        }
        assert_round(r);
}

static void test_damaged_text(void **state)
{
        static const char *const bad[] = {"", "3 5 d 0 1:a1:b", "2 0 d 1 1:a1:b 3 0 1 1:c",
                "2 0 d 4097 1:a1:b", "1 5 x 0 1:a1:b",
                "1 5 d 1665 1:a1:b", "1 5 d -1 1:a1:b", "1 5 d 0 300:a1:b", "1 5 d 0 -1:a1:b",
                "1 5 d 0 1:a9:b", "1 5 d 0 1:a1:b 1", "1 5 d 1 1:a1:b", "1 5 d 0 1:a"};
        struct relation *r = orders();
        AUTO_BUF text = BUF_INIT;

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
                if (relation_from_text(bad[i]))
                        fail_msg("'%s' was taken", bad[i]);
        relation_to_text(r, &text);
        for (size_t n = 0; n < text.len; n++) {
                AUTO_STRING cut = memory_copy(text.data, n + 1);

                cut[n] = '\0';
                if (relation_from_text(cut))
                        fail_msg("'%s' was taken", cut);
        }
        relation_unref(r);
}

static void test_native_types(void **state)
{
        struct relation *a = relation_new(0, "shop", "t", IDENTITY_DEFAULT, 2), *b;
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF what = BUF_INIT;

        (void)state;
        relation_set_column(a, 0, "id", 3, 0, true);
        relation_set_native(a, 0, "int(10) unsigned");
        relation_set_column(a, 1, "kind", 254, 0, false);
        relation_set_native(a, 1, "enum('a b','c''d') charset latin1");
        relation_to_text(a, &text);
        b = relation_from_text(buf_text(&text));
        assert_non_null(b);
        assert_true(relation_same(a, b, &what));
        relation_set_native(b, 0, "bigint(20) unsigned");
        assert_false(relation_same(a, b, &what));
        assert_string_equal(buf_text(&what),
                "type of column id changed (int(10) unsigned to bigint(20) unsigned)");
        relation_unref(a);
        relation_unref(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_native_types),
                cmocka_unit_test(test_same),
                cmocka_unit_test(test_what_changed),
                cmocka_unit_test(test_renamed),
                cmocka_unit_test(test_columns_by_name),
                cmocka_unit_test(test_references),
                cmocka_unit_test(test_text_both_ways),
                cmocka_unit_test(test_damaged_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
