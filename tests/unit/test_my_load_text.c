#include "ops/my_load_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct coltype *type(const char *native)
{
        struct error e = ERROR_INIT;
        struct coltype *t = coltype_my(ENGINE_MARIADB, native, &e);

        assert_non_null(t);
        return t;
}

static void test_statement(void **state)
{
        static const char *const natives[] = {
                "int(11)", "blob", "bit(9)", "text charset utf8mb4", "binary(3)"};
        struct relation *r = relation_new(0, "s", "t`", IDENTITY_DEFAULT, 5);
        struct coltype *types[5];
        AUTO_BUF out = BUF_INIT;

        (void)state;
        for (uint16_t i = 0; i < 5; i++) {
                const char name[] = {(char)('a' + i), '\0'};

                relation_set_column(r, i, name, 0, -1, false);
                types[i] = type(natives[i]);
        }
        my_load_sql(&out, r, types);
        assert_string_equal(buf_text(&out),
                "load data local infile 'rows' into table `s`.`t``` character set utf8mb4 fields "
                "terminated by '\\t' enclosed by '' escaped by '\\\\' lines starting by '' "
                "terminated by '\\n' (`a`, @v1, @v2, `d`, @v4) set `b` = unhex(@v1), `c` = "
                "cast(@v2 as unsigned), `e` = unhex(@v4)");
        for (uint16_t i = 0; i < 5; i++)
                coltype_free(types[i]);
        relation_unref(r);
}

static void field_is(const char *native, const char *data, size_t len, const char *wanted)
{
        const struct value v = {
                .kind = data ? VALUE_TEXT : VALUE_NULL, .len = (uint32_t)len, .data = data};
        struct coltype *t = type(native);
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT;
        int rc = my_load_value(&out, t, &v, &e);

        coltype_free(t);
        assert_int_equal(rc, wanted ? 0 : -1);
        if (wanted)
                assert_string_equal(buf_text(&out), wanted);
        else
                assert_int_equal(e.class, ERROR_DATA);
}

static void test_fields(void **state)
{
        (void)state;
        field_is("int(11)", NULL, 0, "\\N");
        field_is("int(11)", "-12", 3, "-12");
        field_is("int(11)", "1\t2", 3, NULL);
        field_is("year(4)", "0000", 4, "0000");
        field_is("bit(9)", "\x01\x02", 2, "258");
        field_is("blob", "\x00\t\xff", 3, "0009ff");
        field_is("blob", "", 0, "");
        field_is("text charset utf8mb4", "", 0, "");
        field_is("text charset utf8mb4", "\\N", 2, "\\\\N");
        field_is("text charset utf8mb4", "a\tb\nc\\d\0e\r\xc3\xa9'", 13,
                "a\\tb\\nc\\\\d\\0e\\r\xc3\xa9'");
        field_is("datetime(3)", "0000-00-00 00:00:00.000", 23, "0000-00-00 00:00:00.000");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_statement),
                cmocka_unit_test(test_fields),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
