#include "base/memory.h"
#include "sinks/overwrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const bool key[] = {true, false};

static struct relation *table(void)
{
        struct relation *r = relation_new(7, "public", "t", IDENTITY_DEFAULT, 2);

        relation_set_column(r, 0, "id", 23, -1, true);
        relation_set_column(r, 1, "v", 25, -1, false);
        return r;
}

static struct value text(const char *s)
{
        return s ? (struct value){VALUE_TEXT, (uint32_t)strlen(s), s}
                 : (struct value){.kind = VALUE_UNCHANGED};
}

static struct error refusal(enum error_row row)
{
        struct error e = ERROR_INIT;

        error_set(&e, ERROR_DATA, "conflict");
        e.of_row = true;
        e.row = row;
        return e;
}

static enum overwrite_result refused(
        struct overwrite *o, const struct change *c, enum error_row row, struct error *why)
{
        *why = refusal(row);
        return overwrite_refused(o, key, c, why);
}

static void test_insert(void **state)
{
        struct relation *r = table();
        struct value row[] = {text("1"), text("a")};
        struct change c = {.op = CHANGE_INSERT, .relation = r, .new = row};
        struct overwrite o = {0};
        struct error why;

        (void)state;
        overwrite_begin(&o);
        assert_int_equal(refused(&o, &c, ROW_OTHER, &why), OVERWRITE_STOP);
        assert_string_equal(why.message, "conflict");
        overwrite_begin(&o);
        assert_false(overwrite_is_begun(&o));
        assert_int_equal(refused(&o, &c, ROW_IN_THE_WAY, &why), OVERWRITE_TRY);
        assert_true(overwrite_is_begun(&o));
        assert_int_equal(o.step.op, CHANGE_UPDATE);
        assert_null(o.step.old);
        assert_string_equal(o.step.new[1].data, "a");
        assert_int_equal(overwrite_answered(&o, &c), OVERWRITE_DONE);
        assert_int_equal(refused(&o, &c, ROW_MISSING, &why), OVERWRITE_STOP);
        assert_non_null(strstr(why.message, "another key, and stays"));
        overwrite_done(&o);
        relation_unref(r);
}

static void test_update(void **state)
{
        struct relation *r = table();
        struct value old[] = {text("1"), text("a")}, new[] = {text("1"), text(NULL)};
        struct change c = {.op = CHANGE_UPDATE, .relation = r, .old = old, .new = new};
        struct overwrite o = {0};
        struct error why;

        (void)state;
        overwrite_begin(&o);
        assert_int_equal(refused(&o, &c, ROW_MISSING, &why), OVERWRITE_TRY);
        assert_int_equal(o.step.op, CHANGE_INSERT);
        assert_string_equal(o.step.new[1].data, "a"); /* it did not change */
        assert_int_equal(refused(&o, &c, ROW_IN_THE_WAY, &why), OVERWRITE_TRY);
        assert_int_equal(o.step.op, CHANGE_UPDATE);
        assert_null(o.step.old);
        assert_int_equal(refused(&o, &c, ROW_MISSING, &why), OVERWRITE_STOP);
        overwrite_begin(&o); /* its key stays: who is in the way has another one */
        assert_int_equal(refused(&o, &c, ROW_IN_THE_WAY, &why), OVERWRITE_STOP);
        old[1] = text(NULL);
        overwrite_begin(&o);
        assert_int_equal(refused(&o, &c, ROW_MISSING, &why), OVERWRITE_STOP);
        assert_non_null(strstr(why.message, "not the whole row"));
        overwrite_done(&o);
        relation_unref(r);
}

static void test_update_that_moves_the_key(void **state)
{
        struct relation *r = table();
        struct value old[] = {text("1"), text(NULL)}, new[] = {text("2"), text(NULL)};
        struct change c = {.op = CHANGE_UPDATE, .relation = r, .old = old, .new = new};
        struct overwrite o = {0};
        struct error why;

        (void)state;
        overwrite_begin(&o);
        assert_int_equal(refused(&o, &c, ROW_IN_THE_WAY, &why), OVERWRITE_TRY);
        assert_int_equal(o.step.op, CHANGE_DELETE);
        assert_string_equal(o.step.old[0].data, "2");
        assert_int_equal(overwrite_answered(&o, &c), OVERWRITE_TRY);
        assert_int_equal(o.step.op, CHANGE_UPDATE);
        assert_ptr_equal(o.step.old, old); /* the row that moves keeps what is not in the log */
        assert_int_equal(overwrite_answered(&o, &c), OVERWRITE_DONE);
        overwrite_begin(&o);
        assert_int_equal(refused(&o, &c, ROW_IN_THE_WAY, &why), OVERWRITE_TRY);
        assert_int_equal(refused(&o, &c, ROW_MISSING, &why), OVERWRITE_STOP); /* none has the key */
        assert_non_null(strstr(why.message, "another key, and stays"));
        overwrite_done(&o);
        relation_unref(r);
}

static void test_delete(void **state)
{
        struct relation *r = table();
        struct value old[] = {text("1"), text(NULL)};
        struct change c = {.op = CHANGE_DELETE, .relation = r, .old = old};
        struct overwrite o = {0};
        struct error why;

        (void)state;
        overwrite_begin(&o);
        assert_int_equal(refused(&o, &c, ROW_MISSING, &why), OVERWRITE_DONE);
        assert_int_equal(o.why.row, ROW_MISSING);
        overwrite_begin(&o);
        assert_int_equal(refused(&o, &c, ROW_OTHER, &why), OVERWRITE_STOP);
        overwrite_done(&o);
        relation_unref(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_insert),
                cmocka_unit_test(test_update),
                cmocka_unit_test(test_update_that_moves_the_key),
                cmocka_unit_test(test_delete),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
