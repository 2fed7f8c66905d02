#include "model/filter.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct filter *parsed(const char *text)
{
        struct error e = ERROR_INIT;
        struct filter *f = filter_parse(text, &e);

        if (!f)
                fail_msg("%s: %s", text, e.message);
        return f;
}

/* One column of a class against one value; NULL is SQL's NULL. */
static bool passes(const char *text, enum filter_class class, const char *value)
{
        struct filter *f = parsed(text);
        struct filter_value v = {value == NULL, value, value ? strlen(value) : 0};
        struct error e = ERROR_INIT;
        bool yes;

        if (filter_bind(f, 0, class, &e) < 0)
                fail_msg("%s: %s", text, e.message);
        yes = filter_passes(f, &v);
        filter_free(f);
        return yes;
}

static int order(enum filter_class class, const char *value, const char *literal)
{
        AUTO_BUF text = BUF_INIT;
        static const char *const operators[] = {"<", "=", ">"};
        int found = 99;

        for (int i = 0; i < 3; i++) {
                buf_clear(&text);
                buf_printf(&text, "c %s '%s'", operators[i], literal);
                if (passes(buf_text(&text), class, value)) {
                        assert_int_equal(found, 99);
                        found = i - 1;
                }
        }
        return found;
}

/* Each is below the one after it; the same with both turned round. */
static void expect_rising(enum filter_class class, const char *const *rising, size_t n)
{
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                        if (order(class, rising[i], rising[j]) != (i > j) - (i < j))
                                fail_msg("%s and %s", rising[i], rising[j]);
}

static void test_numbers(void **state)
{
        static const char *const rising[] = {"-Infinity", "-1e300", "-100.5", "-100.05", "-1e-300",
                "0", "1e-400", "0.1", "0.10000000000000000000000000000000000001", "0.2", "9.99",
                "10", "9007199254740992", "9007199254740993", "1e+20", "100000000000000000001",
                "1.7976931348623157e+308", "Infinity", "NaN"};
        static const char *const same[][2] = {{"1.0", "1"}, {"1.50", "001.5"}, {"-0", "0.000"},
                {"1e3", "1000.00"}, {"12.5e-1", "1.25"}, {".5", "0.5"}, {"5.", "5"}, {"+7", "7"},
                {"0e99", "0"}, {"inf", "Infinity"}, {"nan", "NaN"}, {"100", "1e2"}};

        (void)state;
        expect_rising(FILTER_NUMBER, rising, sizeof rising / sizeof *rising);
        for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
                assert_int_equal(order(FILTER_NUMBER, same[i][0], same[i][1]), 0);
                assert_int_equal(order(FILTER_NUMBER, same[i][1], same[i][0]), 0);
        }
        assert_true(passes("c >= -1.5e0", FILTER_NUMBER, "-1.5"));
        assert_false(passes("c > +.5", FILTER_NUMBER, "0.50"));
}

static void test_times(void **state)
{
        static const char *const rising[] = {"-infinity", "4713-11-24 BC", "0044-03-15 12:00:00 BC",
                "0001-12-31 BC", "0001-01-01", "0999-12-31 23:59:59", "1582-10-10", "1969-12-31",
                "1969-12-31 23:59:59.999999", "1970-01-01", "2020-02-29 00:00:00.000001",
                "2020-02-29 00:00:00.1", "9999-12-31", "10000-01-01", "294276-12-31 23:59:59",
                "5874897-12-31", "infinity"};
        static const char *const clocks[] = {"00:00:00", "00:00:00.000001", "09:30:00", "24:00:00"};
        static const char *const same[][2] = {{"2020-01-01", "2020-01-01 00:00:00"},
                {"2020-01-01 12:00:00+00", "2020-01-01T12:00"},
                {"2020-01-01 00:30:00+02", "2019-12-31 22:30:00Z"},
                {"2019-12-31 23:30:00-01:30", "2020-01-01 01:00:00"},
                {"2020-01-01 24:00:00", "2020-01-02"},
                {"2020-01-01 00:00:00.5", "2020-01-01 00:00:00.500"}};

        (void)state;
        expect_rising(FILTER_TIME, rising, sizeof rising / sizeof *rising);
        expect_rising(FILTER_TIME, clocks, sizeof clocks / sizeof *clocks);
        for (size_t i = 0; i < sizeof same / sizeof *same; i++)
                assert_int_equal(order(FILTER_TIME, same[i][0], same[i][1]), 0);
        /* As PostgreSQL has it: the same instant, ordered by zone, east first. */
        assert_int_equal(order(FILTER_TIME, "12:00:00+00", "13:00:00+01"), 1);
        /* A time of the day is neither before nor after a date. */
        assert_false(passes("c <> '2020-01-01'", FILTER_TIME, "12:00:00"));
        assert_false(passes("c not in ('2020-01-01')", FILTER_TIME, "12:00:00"));
}

static void test_text_and_bool(void **state)
{
        static const char *const rising[] = {"", "A", "B", "a", "a ", "ab", "b", "\xc3\xa9"};

        (void)state;
        expect_rising(FILTER_TEXT, rising, sizeof rising / sizeof *rising);
        assert_int_equal(order(FILTER_PADDED, "ab   ", "ab"), 0);
        assert_int_equal(order(FILTER_PADDED, "ab", "ab "), 0);
        assert_int_equal(order(FILTER_PADDED, "  ", ""), 0);
        assert_int_equal(order(FILTER_PADDED, " a", "a"), -1);
        assert_true(passes("c = true", FILTER_BOOL, "t"));
        assert_false(passes("c = TRUE", FILTER_BOOL, "f"));
        assert_true(passes("c = 'f'", FILTER_BOOL, "false"));
        assert_true(passes("c < true", FILTER_BOOL, "f"));
        assert_true(passes("c = 'it''s; \"x\"'", FILTER_TEXT, "it's; \"x\""));
}

static void test_operators_and_null(void **state)
{
        static const char *const all[] = {"c = 1", "c <> 1", "c != 1", "c < 1", "c <= 1", "c > 1",
                "c >= 1", "c in (1)", "c not in (1)", "c is not null"};

        (void)state;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
                assert_false(passes(all[i], FILTER_NUMBER, NULL));
        assert_true(passes("c is null", FILTER_NUMBER, NULL));
        assert_false(passes("c IS NULL", FILTER_TEXT, ""));
        assert_true(passes("c Is Not Null", FILTER_TEXT, ""));
        assert_true(passes("c in (1, 2.0,3)", FILTER_NUMBER, "2"));
        assert_false(passes("c in (1, 3)", FILTER_NUMBER, "2"));
        assert_true(passes("c not in (1, 3)", FILTER_NUMBER, "2"));
        assert_false(passes("c not in (1, 2)", FILTER_NUMBER, "2"));
        assert_true(passes("c != 1", FILTER_NUMBER, "2"));
        assert_false(passes("c <> 1", FILTER_NUMBER, "1.0"));
        assert_true(passes("c <= 1", FILTER_NUMBER, "1.0"));
        assert_true(passes("c >= 1 and c < 5 and c <> 3", FILTER_NUMBER, "4"));
        assert_false(passes("c >= 1 and c < 5 and c <> 3", FILTER_NUMBER, "3"));
}

static void test_columns(void **state)
{
        struct filter *f =
                parsed("\"Odd \"\"Name\" = 'x' and b > 1 and \xc3\xa9 is null and b < 9 and B = 2");
        struct filter_value v[] = {
                {false, "x", 1}, {false, "5", 1}, {true, NULL, 0}, {false, "2", 1}};
        struct error e;

        (void)state;
        assert_int_equal(filter_columns(f), 4);
        assert_string_equal(filter_column(f, 0), "Odd \"Name");
        assert_string_equal(filter_column(f, 1), "b");
        assert_string_equal(filter_column(f, 2), "\xc3\xa9");
        assert_string_equal(filter_column(f, 3), "B");
        assert_int_equal(filter_bind(f, 1, FILTER_NUMBER, &e), 0);
        assert_int_equal(filter_bind(f, 3, FILTER_NUMBER, &e), 0);
        assert_true(filter_passes(f, v));
        v[1].text = "9";
        assert_false(filter_passes(f, v));
        /* The length counts, not a NUL. */
        v[1].text = "5";
        v[0] = (struct filter_value){false, "xy", 1};
        assert_true(filter_passes(f, v));
        assert_null(filter_free(f));
        assert_null(filter_free(NULL));
}

static void test_syntax_errors(void **state)
{
        static const struct {
                const char *text, *want;
        } bad[] = {
                {"", "character 1: a column is wanted here"},
                {"a", "character 2: = <> != < <= > >=, IN, NOT IN, IS NULL or IS NOT NULL is "
                      "wanted here"},
                {"a ==", "character 4: a 'string', a number, TRUE or FALSE is wanted here"},
                {"a = 'x", "character 5: a quote is not closed"},
                {"\xc3\xa9\xc3\xa9 = 'x", "character 6: a quote is not closed"},
                {"a = 1 or b = 2", "character 7: AND or the end is wanted here"},
                {"a = 1 and", "character 10: a column is wanted here"},
                {"and = 1", "character 1: a column is wanted here, not an SQL word"},
                {"\"\" = 1", "character 1: the column's name is empty"},
                {"a = null", "character 5: NULL equals nothing: use IS NULL or IS NOT NULL"},
                {"a in ()", "character 7: a 'string', a number, TRUE or FALSE is wanted here"},
                {"a in (1", "character 8: , or ) is wanted here"},
                {"a in 1", "character 6: ( is wanted after IN"},
                {"a not 1", "character 7: IN is wanted after NOT"},
                {"a is 1", "character 6: NULL is wanted after IS"},
                {"a = 1.2.3", "character 5: not a number"},
                {"a = 1e", "character 5: not a number"},
                {"a = 1e99999999999", "character 5: not a number"},
                {"a = 1::int", "character 6: AND or the end is wanted here"},
                {"t.a = 1", "character 2: = <> != < <= > >=, IN, NOT IN, IS NULL or IS NOT NULL is "
                            "wanted here"},
                {"(a = 1)", "character 1: a column is wanted here"},
                {"a = b", "character 5: a 'string', a number, TRUE or FALSE is wanted here"},
        };
        struct error e;

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                assert_null(filter_parse(bad[i].text, &e));
                assert_string_equal(e.message, bad[i].want);
                assert_int_equal(e.class, ERROR_CONFIG);
        }
}

static void test_bind_errors(void **state)
{
        static const struct {
                const char *text;
                enum filter_class class;
        } bad[] = {{"c = 'x'", FILTER_NUMBER}, {"c = true", FILTER_NUMBER}, {"c = 1", FILTER_TEXT},
                {"c = true", FILTER_TEXT}, {"c = 1", FILTER_BOOL}, {"c = 'maybe'", FILTER_BOOL},
                {"c = 2020", FILTER_TIME}, {"c = 'now'", FILTER_TIME},
                {"c = '2020-02-30'", FILTER_TIME}, {"c = '2019-02-29'", FILTER_TIME},
                {"c = '0000-01-01'", FILTER_TIME}, {"c = '2020-1-1'", FILTER_TIME},
                {"c = '2020-01-01 25:00'", FILTER_TIME}, {"c = '2020-01-01 10:60'", FILTER_TIME},
                {"c = '2020-01-01 10:00:00.1234567'", FILTER_TIME},
                {"c = '2020-01-01 10:00 x'", FILTER_TIME}, {"c = '2020-01-01 '", FILTER_TIME},
                {"c = '24:00:01'", FILTER_TIME}, {"c = 3", FILTER_PADDED},
                {"c in (1, '')", FILTER_NUMBER}};

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct filter *f = parsed(bad[i].text);
                struct error e;

                if (filter_bind(f, 0, bad[i].class, &e) != -1)
                        fail_msg("%s was bound", bad[i].text);
                assert_int_equal(e.class, ERROR_CONFIG);
                assert_non_null(strstr(e.message, "column c is compared"));
                filter_free(f);
        }
}

static void test_bounds(void **state)
{
        AUTO_BUF text = BUF_INIT;
        struct error e;

        (void)state;
        buf_str(&text, "c in (0");
        for (int i = 1; i < 1000; i++)
                buf_printf(&text, ",%d", i);
        buf_str(&text, ")");
        assert_true(passes(buf_text(&text), FILTER_NUMBER, "999"));
        text.data[text.len - 1] = ',';
        buf_str(&text, "1000)");
        assert_null(filter_parse(buf_text(&text), &e));
        assert_non_null(strstr(e.message, "more than 1000 literals"));

        buf_clear(&text);
        buf_str(&text, "c is null");
        for (int i = 0; i < 1000; i++)
                buf_str(&text, " and c is null");
        assert_null(filter_parse(buf_text(&text), &e));
        assert_non_null(strstr(e.message, "more than 1000 conditions"));

        buf_clear(&text);
        buf_str(&text, "c = '");
        while (text.len < 65535)
                buf_char(&text, 'x');
        buf_str(&text, "'");
        filter_free(parsed(buf_text(&text)));
        buf_str(&text, " ");
        assert_null(filter_parse(buf_text(&text), &e));
        assert_string_equal(e.message, "longer than 64 KiB");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_times),
                cmocka_unit_test(test_text_and_bool),
                cmocka_unit_test(test_operators_and_null),
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_syntax_errors),
                cmocka_unit_test(test_bind_errors),
                cmocka_unit_test(test_bounds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
