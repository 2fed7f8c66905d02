#include "model/table_keys.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct table_defs *one(void)
{
        struct table_defs *t = memory_new_of(struct table_defs);

        t->n = 1;
        t->items = memory_new_of(struct table_def);
        t->items[0].schema = memory_string("shop");
        t->items[0].name = memory_string("line");
        return t;
}

static const char keys[] = "1 2 1 3:o_k4:shop1:o7:CASCADE8:SET NULL1:o2:id"
                           " 2 3:9:x5:x ` y1:t8:SET NULL8:RESTRICT1:a1:b1:o5:c\n d,";

static void test_both_ways(void **state)
{
        struct table_defs *t = one();
        struct table_def *d = &t->items[0];
        AUTO_BUF text = BUF_INIT;

        (void)state;
        assert_int_equal(table_keys_from_text(d, keys), 0);
        assert_int_equal(d->references_n, 2);
        assert_int_equal(d->columns_n, 2); /* o and a, once each */
        assert_string_equal(d->references[0].to_table, "o");
        assert_string_equal(d->references[1].to_columns[1], "c\n d,");
        assert_string_equal(d->columns[d->references[1].columns[1]].name, "o");
        table_keys_to_text(d, &text);
        assert_string_equal(buf_text(&text), keys);
        table_defs_free(t);
}

/* Those that only refuse change no row. */
static void test_keys_without_actions_are_left_out(void **state)
{
        struct table_defs *t = one();
        AUTO_BUF text = BUF_INIT;

        (void)state;
        table_keys_to_text(&t->items[0], &text);
        assert_string_equal(buf_text(&text), "1 0");
        assert_int_equal(table_keys_from_text(&t->items[0], "1 0"), 0);
        assert_int_equal(table_keys_from_text(&t->items[0],
                                 "1 1 1 1:k1:s1:t8:RESTRICT9:NO ACTION1:a1:b"),
                0);
        buf_clear(&text);
        table_keys_to_text(&t->items[0], &text);
        assert_string_equal(buf_text(&text), "1 0");
        table_defs_free(t);
}

static void refused(const char *text)
{
        struct table_defs *t = one();

        if (table_keys_from_text(&t->items[0], text) != -1)
                fail_msg("'%s' was taken", text);
        table_defs_free(t);
}

static void test_malformed(void **state)
{
        AUTO_STRING cut = memory_string(keys);

        (void)state;
        for (size_t n = strlen(keys); n-- > 0;) {
                cut[n] = '\0';
                refused(cut);
        }
        refused("2 0");
        refused("1 -1");
        refused("1 0 ");
        refused("1 4294967295 1 1:k");
        refused("1 1 4294967295 1:k1:s1:t7:CASCADE7:CASCADE1:a1:b");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_both_ways),
                cmocka_unit_test(test_keys_without_actions_are_left_out),
                cmocka_unit_test(test_malformed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
