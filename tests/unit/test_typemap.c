#include "base/file.h"
#include "base/memory.h"
#include "model/convert.h"
#include "model/typemap_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct coltype *type_of(enum engine engine, const char *native)
{
        static char sad[] = "sad", quoted[] = "it's", blank[] = "ends in a blank ";
        char *labels[] = {sad, quoted}, *bad[] = {blank};
        struct error e = ERROR_INIT;
        struct coltype *t;

        if (engine != ENGINE_POSTGRESQL) {
                if (!(t = coltype_my(engine, native, &e)))
                        fail_msg("%s", e.message);
                return t;
        }
        t = coltype_pg(0, -1, native);
        if (!strcmp(native, "mood"))
                coltype_set_members(t, labels, 2);
        else if (!strcmp(native, "other_mood"))
                coltype_set_members(t, bad, 1);
        return t;
}

static void check_map(
        enum engine from, const char *native, enum engine to, bool key, const char *expected)
{
        struct coltype *t = type_of(from, native);
        struct typemap_result result;
        struct error e = ERROR_INIT;

        if (typemap_native(t, to, key, &result, &e) < 0)
                fail_msg("%s: %s", native, e.message);
        assert_string_equal(result.native, expected);
        free(result.native);
        coltype_free(t);
}

#define MARIA_TEXT " character set utf8mb4 collate utf8mb4_nopad_bin"
#define MYSQL_TEXT " character set utf8mb4 collate utf8mb4_0900_bin"

static void test_to_pg(void **state)
{
        static const char *const table[][2] = {{"tinyint(1)", "smallint"},
                {"smallint unsigned", "integer"}, {"int(11)", "integer"},
                {"int unsigned", "bigint"}, {"bigint unsigned", "numeric(20)"},
                {"decimal(12,3)", "numeric(12,3)"}, {"bit(3)", "bit(3)"},
                {"char(3) charset latin1", "varchar(3)"}, {"tinytext", "text"},
                {"datetime", "timestamp(0)"}, {"timestamp(6)", "timestamptz(6)"},
                {"time(2)", "interval(2)"}, {"enum('a')", ""}, {"set('a')", "text[]"},
                {"year", "smallint"}, {"varbinary(3)", "bytea"}};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
                check_map(ENGINE_MYSQL, table[i][0], ENGINE_POSTGRESQL, false, table[i][1]);
}

static void test_to_my(void **state)
{
        static const struct {
                const char *native, *maria, *mysql, *key;
        } table[] = {
                {"boolean", "tinyint(1)", "tinyint(1)", "tinyint(1)"},
                {"oid", "int unsigned", "int unsigned", "int unsigned"},
                {"numeric", "decimal(65,30)", "decimal(65,30)", "decimal(65,30)"},
                {"numeric(3,-2)", "decimal(5,0)", "decimal(5,0)", "decimal(5,0)"},
                {"text", "longtext" MARIA_TEXT, "longtext" MYSQL_TEXT, "varchar(255)" MARIA_TEXT},
                {"character varying(20)", "varchar(20)" MARIA_TEXT, "varchar(20)" MYSQL_TEXT,
                        "varchar(20)" MARIA_TEXT},
                {"character varying(2000)", "varchar(2000)" MARIA_TEXT, "varchar(2000)" MYSQL_TEXT,
                        "varchar(768)" MARIA_TEXT},
                {"character varying(5000)", "longtext" MARIA_TEXT, "longtext" MYSQL_TEXT,
                        "varchar(255)" MARIA_TEXT},
                {"character(10)", "char(10)" MARIA_TEXT, "char(10)" MYSQL_TEXT,
                        "char(10)" MARIA_TEXT},
                {"character(256)", "varchar(256)" MARIA_TEXT, "varchar(256)" MYSQL_TEXT,
                        "varchar(256)" MARIA_TEXT},
                {"bytea", "longblob", "longblob", "varbinary(255)"},
                {"timestamp with time zone", "datetime(6)", "datetime(6)", "datetime(6)"},
                {"bit(64)", "bit(64)", "bit(64)", "bit(64)"},
                {"bit(65)", "longtext" MARIA_TEXT, "longtext" MYSQL_TEXT,
                        "varchar(255)" MARIA_TEXT},
                {"bit varying(3)", "longtext" MARIA_TEXT, "longtext" MYSQL_TEXT,
                        "varchar(255)" MARIA_TEXT},
                {"uuid", "char(36) character set ascii collate ascii_bin",
                        "char(36) character set ascii collate ascii_bin",
                        "char(36) character set ascii collate ascii_bin"},
                {"jsonb", "json", "json", "varchar(255)" MARIA_TEXT},
                {"mood", "enum('sad','it''s')" MARIA_TEXT, "enum('sad','it''s')" MYSQL_TEXT,
                        "enum('sad','it''s')" MARIA_TEXT},
                {"other_mood", "longtext" MARIA_TEXT, "longtext" MYSQL_TEXT,
                        "varchar(255)" MARIA_TEXT},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                check_map(
                        ENGINE_POSTGRESQL, table[i].native, ENGINE_MARIADB, false, table[i].maria);
                check_map(ENGINE_POSTGRESQL, table[i].native, ENGINE_MYSQL, false, table[i].mysql);
                check_map(ENGINE_POSTGRESQL, table[i].native, ENGINE_MARIADB, true, table[i].key);
        }
}

static void test_same_family(void **state)
{
        (void)state;
        check_map(ENGINE_MARIADB, "uuid", ENGINE_MARIADB, false, "uuid");
        check_map(ENGINE_MARIADB, "uuid", ENGINE_MYSQL, false,
                "char(36) character set ascii collate ascii_bin");
        check_map(ENGINE_MARIADB, "inet6", ENGINE_MYSQL, true,
                "varchar(39) character set ascii collate ascii_bin");
        check_map(ENGINE_MYSQL, "int unsigned", ENGINE_MARIADB, false, "int unsigned");
        check_map(ENGINE_MYSQL, "varchar(20) charset latin1 generated", ENGINE_MARIADB, false,
                "varchar(20) charset latin1");
        check_map(ENGINE_MYSQL, "varchar(20) character set utf8mb4 collate utf8mb4_0900_bin",
                ENGINE_MARIADB, false, "varchar(20) charset utf8mb4");
        check_map(ENGINE_MYSQL, "text charset gb18030", ENGINE_MARIADB, false,
                "text charset utf8mb4");
        check_map(ENGINE_MYSQL, "enum('a charset b',') collate ') charset latin1", ENGINE_MARIADB,
                false, "enum('a charset b',') collate ') charset latin1");
        check_map(ENGINE_MYSQL, "geomcollection", ENGINE_MARIADB, false, "geometrycollection");
        check_map(ENGINE_MARIADB, "datetime /* mariadb-5.3 */", ENGINE_MYSQL, false, "datetime");
        check_map(ENGINE_MYSQL, "json", ENGINE_MARIADB, false, "json");
        check_map(ENGINE_MYSQL, "vector(3)", ENGINE_MYSQL, false, "vector(3)");
        check_map(ENGINE_POSTGRESQL, "ltree", ENGINE_POSTGRESQL, false, "ltree");
}

static void test_no_place(void **state)
{
        static const struct {
                enum engine from;
                const char *native;
                enum engine to;
        } table[] = {{ENGINE_MYSQL, "vector(3)", ENGINE_POSTGRESQL},
                {ENGINE_MYSQL, "vector(3)", ENGINE_MARIADB},
                {ENGINE_POSTGRESQL, "numeric(66,2)", ENGINE_MARIADB},
                {ENGINE_POSTGRESQL, "numeric(60,31)", ENGINE_MYSQL},
                {ENGINE_POSTGRESQL, "numeric(20,40)", ENGINE_MYSQL}};

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct coltype *t = type_of(table[i].from, table[i].native);
                struct typemap_result result;
                struct error e = ERROR_INIT;

                assert_int_equal(typemap_native(t, table[i].to, false, &result, &e), -1);
                assert_int_equal(e.class, ERROR_CONFIG);
                assert_non_null(strstr(e.message, table[i].native));
                coltype_free(t);
        }
}

/* A rule's sample leads to this rule, to a type that exists there, and to converters both ways. */
static void check_rule(const struct typemap_rule *r, enum engine from, enum engine to, bool key)
{
        static const struct convert_policy policy = {.datetime_utc = true};
        struct coltype *t = type_of(from, r->sample), *made;
        struct typemap_result result;
        struct error e = ERROR_INIT;
        struct convert *c;

        if (typemap_native(t, to, key, &result, &e) < 0)
                fail_msg("%s: %s", r->sample, e.message);
        assert_ptr_equal(result.note, r->note);
        made = type_of(to, *result.native ? result.native : "mood");
        if (convert_new(t, made, &policy, &c, &e) < 0)
                fail_msg("%s", e.message);
        convert_free(c);
        if (convert_new(made, t, &policy, &c, &e) < 0)
                fail_msg("%s", e.message);
        convert_free(c);
        free(result.native);
        coltype_free(t);
        coltype_free(made);
}

static void test_rules(void **state)
{
        (void)state;
        for (const struct typemap_rule *r = typemap_my_to_pg; r->sample; r++)
                check_rule(r, ENGINE_MARIADB, ENGINE_POSTGRESQL, false);
        for (const struct typemap_rule *r = typemap_pg_to_my; r->sample; r++) {
                check_rule(r, ENGINE_POSTGRESQL, ENGINE_MARIADB, false);
                check_rule(r, ENGINE_POSTGRESQL, ENGINE_MARIADB, true);
                check_rule(r, ENGINE_POSTGRESQL, ENGINE_MYSQL, false);
                check_rule(r, ENGINE_POSTGRESQL, ENGINE_MYSQL, true);
        }
        for (const struct typemap_rule *r = typemap_my_to_my; r->sample; r++)
                check_rule(r, ENGINE_MARIADB, ENGINE_MYSQL, false);
}

static void test_page(void **state)
{
        AUTO_BUF page = BUF_INIT;
        const struct typemap_rule *tables[] = {
                typemap_my_to_pg, typemap_pg_to_my, typemap_my_to_my};

        (void)state;
        typemap_page(&page);
        for (size_t i = 0; i < 3; i++)
                for (const struct typemap_rule *r = tables[i]; r->sample; r++) {
                        AUTO_BUF row = BUF_INIT;

                        buf_printf(&row, "| %s | ", r->shown);
                        assert_non_null(strstr(buf_text(&page), buf_text(&row)));
                        assert_true(!r->note || strstr(buf_text(&page), r->note));
                }
        assert_non_null(strstr(buf_text(&page), "| decimal(p,s) | `numeric(p,s)` |"));
        assert_non_null(strstr(buf_text(&page),
                "| text, name | `longtext`; in a key: `varchar(255)` | in a key a longer"));
        assert_non_null(strstr(buf_text(&page), "| an enum | `enum('...')` |"));
        assert_null(strchr(buf_text(&page), '{'));
}

/* The page's sentences, each with a value: `out` NULL: refused. */
static const struct claim {
        const char *sentence;
        enum engine from_engine;
        const char *from;
        enum engine to_engine;
        const char *to, *in, *out;
} claims[] = {
        {"Nothing is rounded", ENGINE_MYSQL, "decimal(20,5)", ENGINE_POSTGRESQL, "numeric(10,2)",
                "1.55500", NULL},
        {"Nothing is rounded", ENGINE_POSTGRESQL, "double precision", ENGINE_MYSQL, "float", "0.1",
                NULL},
        {"A negative zero of MariaDB", ENGINE_MARIADB, "double", ENGINE_POSTGRESQL,
                "double precision", "-0", "0"},
        {"Types that cannot become one another", ENGINE_MYSQL, "datetime", ENGINE_POSTGRESQL,
                "timestamp with time zone", NULL, NULL},
        {"vector and any", ENGINE_MYSQL, "vector(3)", ENGINE_POSTGRESQL, "text", NULL, NULL},
        {"TIMESTAMP is a moment", ENGINE_MYSQL, "timestamp", ENGINE_POSTGRESQL,
                "timestamp with time zone", "2024-01-01 10:00:00", "2024-01-01 10:00:00+00"},
        {"becomes timestamp without time zone", ENGINE_MYSQL, "datetime", ENGINE_POSTGRESQL,
                "timestamp without time zone", "2024-01-01 10:00:00", "2024-01-01 10:00:00"},
        {"timestamptz becomes DATETIME in", ENGINE_POSTGRESQL, "timestamp with time zone",
                ENGINE_MYSQL, "datetime", "2039-01-01 10:00:00+00", "2039-01-01 10:00:00"},
        {"TIMESTAMP ends in 2038", ENGINE_POSTGRESQL, "timestamp with time zone", ENGINE_MYSQL,
                "timestamp", "2107-01-01 10:00:00+00", NULL},
        {"2024-00-00", ENGINE_MYSQL, "date", ENGINE_POSTGRESQL, "date", "2024-00-00", NULL},
        {"MySQL family they stay", ENGINE_MARIADB, "date", ENGINE_MYSQL, "date", "0000-00-00",
                "0000-00-00"},
        {"A varchar or text keeps them", ENGINE_MYSQL, "varchar(9) charset utf8mb4",
                ENGINE_POSTGRESQL, "character varying(9)", "a ", "a "},
        {"so both arrive", ENGINE_POSTGRESQL, "character(3)", ENGINE_MYSQL,
                "varchar(3) charset utf8mb4", "a  ", "a"},
        {"a varchar or text that ends in blanks is an", ENGINE_POSTGRESQL, "text", ENGINE_MYSQL,
                "char(9) charset utf8mb4", "a ", NULL},
        {"Its text is kept", ENGINE_MARIADB, "json", ENGINE_POSTGRESQL, "json",
                "{\"b\":1.0,  \"a\":2}", "{\"b\":1.0,  \"a\":2}"},
        {"a number that it would round", ENGINE_POSTGRESQL, "json", ENGINE_MYSQL, "json",
                "123456789012345678901234567890.1", NULL},
        {"one key twice in an", ENGINE_MARIADB, "json", ENGINE_POSTGRESQL, "jsonb",
                "{\"a\":1,\"a\":2}", NULL},
        {"in jsonb \\u0000", ENGINE_MARIADB, "json", ENGINE_POSTGRESQL, "jsonb", "\"\\u0000\"",
                NULL},
        {"A boolean", ENGINE_MYSQL, "tinyint(1)", ENGINE_POSTGRESQL, "boolean", "1", "t"},
        {"takes 0 and 1", ENGINE_MYSQL, "tinyint(1)", ENGINE_POSTGRESQL, "boolean", "2", NULL},
};

static void check_claim(const struct claim *c)
{
        static const struct convert_policy policy = {.zero_date = ZERO_DATE_ERROR};
        struct coltype *from = type_of(c->from_engine, c->from);
        struct coltype *to = type_of(c->to_engine, c->to);
        struct convert *convert = NULL;
        struct error e = ERROR_INIT;
        int rc = convert_new(from, to, &policy, &convert, &e);

        assert_int_equal(rc, c->in ? 0 : -1);
        if (c->in) {
                struct value in = {VALUE_TEXT, (uint32_t)strlen(c->in), c->in}, out;
                struct arena *a = arena_new();

                rc = convert_value(convert, a, &in, &out, &e);
                if ((rc == 0) != (c->out != NULL))
                        fail_msg("%s: %s", c->sentence, rc ? e.message : "taken");
                if (c->out)
                        assert_memory_equal(out.data, c->out, out.len + 1);
                arena_free(a);
        }
        convert_free(convert);
        coltype_free(from);
        coltype_free(to);
}

static void test_sentences(void **state)
{
        AUTO_BUF page = BUF_INIT;

        (void)state;
        typemap_page(&page);
        for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
                if (!strstr(buf_text(&page), claims[i].sentence))
                        fail_msg("not on the page: %s", claims[i].sentence);
                check_claim(&claims[i]);
        }
}

/* What is in the tree is what the program prints. */
static void test_file(void **state)
{
        const char *top = getenv("CULVERT_TOP");
        AUTO_STRING path = memory_printf("%s/conf/types.md", top ? top : ".");
        AUTO_BUF page = BUF_INIT;
        struct error e = ERROR_INIT;

        (void)state;
        typemap_page(&page);
        AUTO_STRING file = file_read(path, 1 << 20, &e);
        if (!file)
                fail_msg("%s", e.message);
        assert_string_equal(file, buf_text(&page));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_to_pg),
                cmocka_unit_test(test_to_my),
                cmocka_unit_test(test_same_family),
                cmocka_unit_test(test_no_place),
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_page),
                cmocka_unit_test(test_sentences),
                cmocka_unit_test(test_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
