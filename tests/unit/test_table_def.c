#include "model/table_def.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void fill(struct table_def *t, const char *schema, const char *name)
{
        t->schema = memory_string(schema);
        t->name = memory_string(name);
        t->comment = memory_string("of this");
        t->storage = memory_string("InnoDB");
        t->verbatim = memory_string("CREATE TABLE ...");
        t->columns_n = 2;
        t->columns = memory_new(2 * sizeof *t->columns);
        t->columns[0].name = memory_string("id");
        t->columns[0].native = memory_string("int");
        t->columns[1].name = memory_string("kind");
        t->columns[1].default_text = memory_string("a");
        t->columns[1].members_n = 1;
        t->columns[1].members = memory_new(sizeof(char *));
        t->columns[1].members[0] = memory_string("a");
        t->indexes_n = 2;
        t->indexes = memory_new(2 * sizeof *t->indexes);
        t->indexes[0].name = memory_string("PRIMARY");
        t->indexes[0].primary = true;
        t->indexes[0].columns = memory_new(sizeof *t->indexes[0].columns);
        t->indexes[0].columns_n = 1;
        t->indexes[1].what = memory_string("fulltext");
        t->references_n = 1;
        t->references = memory_new(sizeof *t->references);
        t->references[0].columns_n = 1;
        t->references[0].columns = memory_new(sizeof(unsigned));
        t->references[0].to_columns = memory_new(sizeof(char *));
        t->references[0].to_columns[0] = memory_string("id");
        t->checks_n = 1;
        t->checks = memory_new(sizeof *t->checks);
        t->checks[0].expression = memory_string("id > 0");
        t->shape = relation_new(1, schema, name, IDENTITY_DEFAULT, 2);
}

static struct table_defs *sample(void)
{
        static const char *const names[][2] = {
                {"a", "x"}, {"a", "y"}, {"b", "a"}, {"b", "x"}, {"shop", "Orders"}};
        struct table_defs *t = memory_new_of(struct table_defs);

        t->n = sizeof names / sizeof *names;
        t->items = memory_new(t->n * sizeof *t->items);
        for (unsigned i = 0; i < t->n; i++)
                fill(&t->items[i], names[i][0], names[i][1]);
        return t;
}

static void test_find(void **state)
{
        struct table_defs *t = sample();

        (void)state;
        for (unsigned i = 0; i < t->n; i++)
                assert_ptr_equal(
                        table_defs_find(t, t->items[i].schema, t->items[i].name), &t->items[i]);
        assert_null(table_defs_find(t, "a", "z"));
        assert_null(table_defs_find(t, "shop", "orders"));
        assert_null(table_defs_find(t, "", ""));
        assert_null(table_defs_free(t));
}

static void test_lookups(void **state)
{
        struct table_defs *t = sample();
        const struct table_def *d = table_defs_find(t, "b", "a");

        (void)state;
        assert_int_equal(table_def_column(d, "kind"), 1);
        assert_int_equal(table_def_column(d, "Kind"), -1);
        assert_string_equal(table_def_primary(d)->name, "PRIMARY");
        t->items[0].indexes[0].primary = false;
        assert_null(table_def_primary(&t->items[0]));
        table_defs_free(t);
}

static void test_half_built(void **state)
{
        struct table_defs *t = memory_new_of(struct table_defs);

        (void)state;
        assert_null(table_defs_free(NULL));
        t->n = 2;
        t->items = memory_new(2 * sizeof *t->items);
        t->items[1].columns_n = 3;
        t->items[1].references_n = 1;
        t->items[1].references = memory_new(sizeof *t->items[1].references);
        t->items[1].references[0].columns_n = 2;
        assert_null(table_defs_free(t));
        t = memory_new_of(struct table_defs);
        assert_null(table_defs_find(t, "a", "b"));
        table_defs_free(t);
}

/* One that is not made as a unique one bounds no length. */
static void test_keys(void **state)
{
        struct table_defs *t = sample();
        struct table_def *d = &t->items[0];
        struct def_index *i = &d->indexes[1];

        (void)state;
        i->columns = memory_new(sizeof *i->columns);
        i->columns_n = 1;
        i->columns[0].column = 1;
        assert_true(table_def_is_key(d, 0));
        assert_false(table_def_is_key(d, 1));
        i->unique = true;
        assert_false(table_def_is_key(d, 1));
        free(i->what);
        i->what = NULL;
        assert_true(table_def_is_key(d, 1));
        i->deferrable = true;
        assert_false(table_def_is_key(d, 1));
        i->deferrable = false;
        i->columns[0].prefix = 3;
        assert_false(table_def_is_key(d, 1));
        table_defs_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_lookups),
                cmocka_unit_test(test_half_built),
                cmocka_unit_test(test_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
