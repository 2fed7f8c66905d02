#include "sinks/my_binding.h"
#include "base/memory.h"
#include "sinks/my_change.h"
#include "sinks/my_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fixtures ---- */

#define FIELDS 11
#define ROWS_MAX 20

/* A stored result as libmariadb has it, of what the target's catalogue says. */
struct catalogue {
        MYSQL_RES result;
        MYSQL_DATA data;
        MYSQL_ROWS rows[ROWS_MAX];
        char *fields[ROWS_MAX][FIELDS];
};

/* One column of the table a line: "name|type|nullable|extra|generated|key", the last three may be
 * left out. "" is NULL. */
static void describe_as(struct catalogue *c, char *lines, const char *engine,
        const char *transactions, const char *triggers)
{
        const char *about[] = {"BASE TABLE", engine, transactions, triggers, "1"};
        char *line;
        unsigned n = 0;

        *c = (struct catalogue){.result.data = &c->data, .result.field_count = FIELDS};
        while ((line = strsep(&lines, "\n")) && *line) {
                assert_in_range(n, 0, ROWS_MAX - 1);
                for (int i = 0; i < 6; i++) {
                        char *word = strsep(&line, "|");

                        c->fields[n][i] = word && *word ? word : NULL;
                }
                for (int i = 0; i < 5; i++)
                        c->fields[n][6 + i] = (char *)(uintptr_t)about[i];
                c->rows[n].data = c->fields[n];
                c->rows[n].next = NULL;
                if (n)
                        c->rows[n - 1].next = &c->rows[n];
                n++;
        }
        c->data.data = c->result.data_cursor = n ? c->rows : NULL;
        c->result.row_count = n;
}

struct bound {
        struct relation *relation;
        struct my_binding *binding;
        struct txn *txn;
        struct change *change;
        struct buf sql;
        struct error e;
        bool full; /* the log has whole old rows */
};

/* Columns as "*id name": * is the key. */
static void shape(struct bound *x, char identity, const char *columns)
{
        AUTO_STRING list = memory_string(columns);
        char *at = list, *column;
        uint16_t n = 1, i = 0;

        for (const char *p = columns; *p; p++)
                n += *p == ' ';
        *x = (struct bound){.txn = txn_new()};
        x->relation = relation_new(0, "shop", "it`em", (enum replica_identity)identity, n);
        while ((column = strsep(&at, " ")))
                relation_set_column(
                        x->relation, i++, column + (*column == '*'), 0, -1, *column == '*');
}

static void bind_as(struct bound *x, const char *lines, const char *engine,
        const char *transactions, const char *triggers)
{
        AUTO_STRING copy = memory_string(lines);
        struct catalogue c;

        describe_as(&c, copy, engine, transactions, triggers);
        x->binding = my_binding_new(x->relation, 7, ENGINE_MARIADB, &c.result, &x->e);
}

static void bind(struct bound *x, char identity, const char *columns, const char *lines)
{
        shape(x, identity, columns);
        bind_as(x, lines, "InnoDB", "YES", NULL);
        if (!x->binding)
                fail_msg("%s", x->e.message);
        assert_ptr_equal(my_binding_of(x->relation, 7), x->binding);
        assert_null(my_binding_of(x->relation, 8));
}

static void unbind(struct bound *x)
{
        txn_free(x->txn);
        relation_unref(x->relation);
        buf_done(&x->sql);
}

/* NULL: a NULL; "?": not in the log. */
static struct value *values(struct bound *x, const char *const *text)
{
        uint16_t n = x->relation->columns_n;
        struct value *v = arena_zero(x->txn->arena, n * sizeof *v);

        for (uint16_t i = 0; i < n; i++) {
                v[i].kind = !text[i]                ? VALUE_NULL
                            : !strcmp(text[i], "?") ? VALUE_UNCHANGED
                                                    : VALUE_TEXT;
                v[i].len = text[i] ? (uint32_t)strlen(text[i]) : 0;
                v[i].data = text[i] ? arena_text(x->txn->arena, text[i], v[i].len) : NULL;
        }
        return v;
}

#define ROW(...) ((const char *const[]){__VA_ARGS__})

static int change(
        struct bound *x, enum change_op op, const char *const *old, const char *const *new)
{
        x->change = txn_add(x->txn, op, x->relation);
        x->change->old = old ? values(x, old) : NULL;
        x->change->new = new ? values(x, new) : NULL;
        x->change->old_full = old && x->full;
        x->e = (struct error)ERROR_INIT;
        buf_clear(&x->sql);
        if (op == CHANGE_INSERT)
                return my_change_row(&x->sql, x->binding, x->change, &x->e);
        return my_change_sql(&x->sql, x->binding, x->change, &x->e);
}

#define PLAIN "id|int(11)|NO|||PRI\nname|varchar(20) charset utf8mb4|YES\nprice|decimal(10,2)|YES\n"

/* ---- statements ---- */

static void test_statements(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id name price", PLAIN);
        assert_string_equal(
                x.binding->insert, "insert into `shop`.`it``em` (`id`, `name`, `price`) values ");
        assert_int_equal(change(&x, CHANGE_INSERT, NULL, ROW("0", "O'Neill", NULL)), 0);
        assert_string_equal(buf_text(&x.sql), "(0, 'O\\'Neill', NULL)");
        assert_int_equal(change(&x, CHANGE_UPDATE, NULL, ROW("1", "a", "?")), 0);
        assert_string_equal(buf_text(&x.sql),
                "update `shop`.`it``em` set `id` = 1, `name` = 'a' where `id` = 1");
        assert_int_equal(change(&x, CHANGE_UPDATE, ROW("1", "?", "?"), ROW("2", "?", "-1.50")), 0);
        assert_string_equal(buf_text(&x.sql),
                "update `shop`.`it``em` set `id` = 2, `price` = -1.50 where `id` = 1");
        assert_int_equal(change(&x, CHANGE_DELETE, ROW("7", "?", "?"), NULL), 0);
        assert_string_equal(buf_text(&x.sql), "delete from `shop`.`it``em` where `id` = 7");
        unbind(&x);
}

/* With both whole rows in the log; one that changes nothing still looks for its row. */
static void test_what_an_update_left_alone(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id name price",
                "id|int(11)|NO|||PRI\nname|varchar(20) charset utf8mb4|YES\n"
                "price|timestamp|YES|on update current_timestamp()\n");
        x.full = true;
        assert_int_equal(change(&x, CHANGE_UPDATE, ROW("1", "a", "2"), ROW("1", "b", "2")), 0);
        assert_string_equal(buf_text(&x.sql),
                "update `shop`.`it``em` set `name` = 'b', `price` = '2' where `id` = 1");
        assert_int_equal(change(&x, CHANGE_UPDATE, ROW("1", "a", NULL), ROW("1", NULL, NULL)), 0);
        assert_string_equal(buf_text(&x.sql),
                "update `shop`.`it``em` set `name` = NULL, `price` = NULL where `id` = 1");
        unbind(&x);
        bind(&x, 'd', "*id name price", PLAIN);
        x.full = true;
        assert_int_equal(change(&x, CHANGE_UPDATE, ROW("1", "a", "2"), ROW("1", "a", "2")), 0);
        assert_string_equal(buf_text(&x.sql), "update `shop`.`it``em` set `id` = 1, `name` = 'a', "
                                              "`price` = 2 where `id` = 1");
        unbind(&x);
}

static const char *deleted(struct bound *x, const char *const *old)
{
        change(x, CHANGE_DELETE, old, NULL);
        buf_clear(&x->sql);
        assert_int_equal(my_change_key(&x->sql, x->binding, x->change, &x->e), 0);
        return buf_text(&x->sql);
}

static void test_deletes_of_many_rows(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id name price", PLAIN);
        assert_true(x.binding->by_number);
        assert_string_equal(x.binding->delete, "delete from `shop`.`it``em` where `id` in (");
        assert_string_equal(deleted(&x, ROW("7", "?", "?")), "7");
        change(&x, CHANGE_DELETE, ROW("?", "a", "1"), NULL);
        assert_int_equal(my_change_key(&x.sql, x.binding, x.change, &x.e), -1);
        unbind(&x);
        bind(&x, 'd', "*id *name", "id|int(11)|NO|||PRI\nname|bigint(20) unsigned|NO|||PRI\n");
        assert_true(x.binding->by_number);
        assert_string_equal(x.binding->delete, "delete from `shop`.`it``em` where (");
        assert_string_equal(deleted(&x, ROW("7", "8")), "`id` = 7 and `name` = 8");
        unbind(&x);
        bind(&x, 'd', "*id *name",
                "id|int(11)|NO|||PRI\nname|varchar(9) charset latin1|NO|||PRI\n");
        assert_false(x.binding->by_number);
        unbind(&x);
        bind(&x, 'd', "*id", "id|int(11)|NO|||PRI\nname|int(11)|NO|||PRI\n");
        assert_false(x.binding->by_number);
        unbind(&x);
        bind(&x, 'd', "*id", "id|int(11)|NO\n");
        assert_false(x.binding->by_number);
        unbind(&x);
}

static void test_generated_columns_are_not_written(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id twice thrice d",
                "id|int(11)|NO|||PRI\ntwice|int(11)|YES|VIRTUAL GENERATED|(id * 2)\n"
                "thrice|int(11)|YES|STORED GENERATED|(id * 3)\n"
                "d|datetime|YES|DEFAULT_GENERATED\n");
        assert_string_equal(x.binding->insert, "insert into `shop`.`it``em` (`id`, `d`) values ");
        assert_int_equal(change(&x, CHANGE_INSERT, NULL, ROW("1", "2", "3", NULL)), 0);
        assert_string_equal(buf_text(&x.sql), "(1, NULL)");
        buf_clear(&x.sql);
        buf_str(&x.sql, "before");
        x.change = txn_add(x.txn, CHANGE_UPDATE, x.relation);
        x.change->old = values(&x, ROW("1", "?", "?", "?"));
        x.change->new = values(&x, ROW("?", "4", "6", "?"));
        assert_int_equal(my_change_sql(&x.sql, x.binding, x.change, &x.e), MY_CHANGE_NOTHING);
        assert_string_equal(buf_text(&x.sql), "before");
        unbind(&x);
}

/* HAZARDS A11 */
static void test_on_update_columns_keep_their_value(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id name at",
                "id|int(11)|NO|||PRI\nname|varchar(20) charset latin1|YES\n"
                "at|timestamp|NO|on update current_timestamp()\n"
                "seen|datetime(6)|YES|DEFAULT_GENERATED on update CURRENT_TIMESTAMP(6)\n");
        assert_int_equal(change(&x, CHANGE_UPDATE, NULL, ROW("1", "a", "?")), 0);
        assert_string_equal(buf_text(&x.sql),
                "update `shop`.`it``em` set `id` = 1, `name` = 'a', `at` = `at`, `seen` = `seen` "
                "where `id` = 1");
        assert_int_equal(change(&x, CHANGE_UPDATE, NULL, ROW("1", "?", "2001-02-03 04:05:06")), 0);
        assert_string_equal(buf_text(&x.sql),
                "update `shop`.`it``em` set `id` = 1, `at` = '2001-02-03 04:05:06', `seen` = "
                "`seen` where `id` = 1");
        unbind(&x);
}

static void test_full_identity_uses_the_targets_key(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'f', "*id *name *price", PLAIN);
        assert_int_equal(change(&x, CHANGE_DELETE, ROW("7", "a", NULL), NULL), 0);
        assert_string_equal(buf_text(&x.sql), "delete from `shop`.`it``em` where `id` = 7");
        unbind(&x);
}

static void test_whole_rows_are_found_exactly(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'f', "*c *v *f *b *n",
                "c|char(4) charset utf8mb4|YES\nv|varchar(9) charset latin1|YES\nf|float|YES\n"
                "b|binary(3)|YES\nn|int(11)|YES\ng|int(11)|YES|VIRTUAL GENERATED|1\n");
        assert_int_equal(change(&x, CHANGE_DELETE, ROW("a  ", "b ", "0.1", "x", NULL), NULL), 0);
        assert_string_equal(buf_text(&x.sql),
                "delete from `shop`.`it``em` where cast(convert(`c` using utf8mb4) as binary) <=> "
                "_binary'a' and cast(convert(`v` using utf8mb4) as binary) <=> _binary'b ' and "
                "`f` <=> 1.00000001490116119e-01 and `b` <=> _binary'x\\0\\0' and `n` <=> NULL "
                "limit 1");
        assert_int_equal(change(&x, CHANGE_UPDATE, ROW("a", "?", "1", "x", "1"),
                                 ROW("a", "b", "1", "x", "2")),
                -1);
        assert_non_null(strstr(x.e.message, "no value of key column 'v'"));
        unbind(&x);
}

static void test_no_key(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "id name", "id|int(11)|NO\nname|text charset utf8mb4|YES\n");
        assert_int_equal(change(&x, CHANGE_INSERT, NULL, ROW("1", "")), 0);
        assert_int_equal(change(&x, CHANGE_DELETE, ROW("1", "a"), NULL), -1);
        assert_non_null(strstr(x.e.message, "has no key"));
        assert_int_equal(x.e.class, ERROR_DATA);
        unbind(&x);
}

/* ---- values ---- */

static const char *literal(
        enum engine engine, const char *native, const void *data, size_t len, struct error *e)
{
        static char text[600];
        struct coltype *t = coltype_my(engine, native, e);
        struct value v = {VALUE_TEXT, (uint32_t)len, data};
        AUTO_BUF out = BUF_INIT;
        int result;

        assert_non_null(t);
        *e = (struct error)ERROR_INIT;
        result = my_value(&out, t, &v, e);
        coltype_free(t);
        snprintf(text, sizeof text, "%s", buf_text(&out));
        return result == 0 ? text : NULL;
}

static void test_literals(void **state)
{
        static const struct {
                const char *native, *value, *sql;
        } cases[] = {
                {"int(11)", "-12", "-12"},
                {"bigint(20) unsigned", "18446744073709551615", "18446744073709551615"},
                {"int(5) unsigned zerofill", "00042", "00042"},
                {"decimal(65,30)", "+1.5", "+1.5"},
                {"decimal(3,3)", ".5", ".5"},
                {"double", "0.1", "0.1e0"},
                {"double", "1e300", "1e300"},
                {"double", "-1.5E-7", "-1.5E-7"},
                {"float", "0.1", "1.00000001490116119e-01"},
                {"float", "-0", "-0.00000000000000000e+00"},
                {"year(4)", "0000", "'0000'"},
                {"date", "0000-00-00", "'0000-00-00'"},
                {"time(2)", "-838:59:59.00", "'-838:59:59.00'"},
                {"enum('a','b') charset utf8mb4", "a", "'a'"},
                {"varchar(9) charset utf8mb4", "\\' -- ;", "'\\\\\\' -- ;'"},
                {"varchar(9) charset utf8mb4", "gr\xc3\xbc\xc3\x9f", "'gr\xc3\xbc\xc3\x9f'"},
                {"text charset utf8mb4", "", "''"},
                {"uuid", "123e4567-e89b-12d3-a456-426614174000",
                        "'123e4567-e89b-12d3-a456-426614174000'"},
                {"blob", "a\\'b", "_binary'a\\\\\\'b'"},
                {"varbinary(9)", "a", "_binary'a'"},
                {"bit(12)", "\x01\x02", "258"},
        };
        struct error e = ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                const char *sql = literal(ENGINE_MARIADB, cases[i].native, cases[i].value,
                        strlen(cases[i].value), &e);

                if (!sql)
                        fail_msg("%s: %s", cases[i].native, e.message);
                assert_string_equal(sql, cases[i].sql);
        }
        assert_string_equal(literal(ENGINE_MARIADB, "blob", "a\0b", 3, &e), "_binary'a\\0b'");
        assert_string_equal(
                literal(ENGINE_MARIADB, "varchar(9) charset utf8mb4", "a\0b", 3, &e), "'a\\0b'");
        assert_string_equal(
                literal(ENGINE_MYSQL, "vector(1)", "a\0\xff'", 4, &e), "_binary'a\\0\xff\\''");
        assert_string_equal(
                literal(ENGINE_MARIADB, "bit(64)", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, &e),
                "18446744073709551615");
}

/* What goes into SQL without quotes is a number and nothing else; the error does not repeat it. */
static void test_numbers_that_are_none(void **state)
{
        static const char *const natives[] = {"int(11)", "decimal(10,2)", "float", "double"};
        static const char *const bad[] = {"", "-", "+", ".", "--1", "1--", "1 ", " 1", "1;2", "1e",
                "1e+", "e5", "1.2.3", "0x10", "1/**/", "nan", "NaN", "inf", "Infinity", "1e5e5",
                "'1'", "id", "1,1", "-.", "1\n", "1.e", "- 1"};
        struct error e = ERROR_INIT;

        (void)state;
        for (size_t k = 0; k < sizeof natives / sizeof *natives; k++) {
                for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                        if (literal(ENGINE_MYSQL, natives[k], bad[i], strlen(bad[i]), &e))
                                fail_msg("%s took '%s'", natives[k], bad[i]);
                        assert_int_equal(e.class, ERROR_DATA);
                        assert_true(strlen(bad[i]) < 3 || !strstr(e.message, bad[i]));
                }
                assert_null(literal(ENGINE_MYSQL, natives[k], "1\0001", 3, &e));
        }
        assert_null(literal(ENGINE_MYSQL, "float", "1e39", 4, &e));
        assert_null(literal(ENGINE_MYSQL, "bit(1)", "123456789", 9, &e));
}

static const char *match(enum engine engine, const char *native, const void *data, size_t len)
{
        static char text[600];
        struct error e = ERROR_INIT;
        struct coltype *t = coltype_my(engine, native, &e);
        struct value v = {data ? VALUE_TEXT : VALUE_NULL, (uint32_t)len, data};
        AUTO_BUF out = BUF_INIT;

        assert_non_null(t);
        assert_int_equal(my_value_match(&out, "`c`", t, &v, &e), 0);
        coltype_free(t);
        snprintf(text, sizeof text, "%s", buf_text(&out));
        return text;
}

static void test_matches(void **state)
{
        (void)state;
        assert_string_equal(match(ENGINE_MYSQL, "json", "{\"a\": \"b\\\"c\"}", 13),
                "`c` <=> cast('{\"a\": \"b\\\\\"c\"}' as json)");
        assert_string_equal(match(ENGINE_MARIADB, "json", "[1]", 3),
                "cast(convert(`c` using utf8mb4) as binary) <=> _binary'[1]'");
        assert_string_equal(match(ENGINE_MYSQL, "point", "\0\x01\xff", 3), "hex(`c`) <=> '0001FF'");
        assert_string_equal(
                match(ENGINE_MYSQL, "vector(1)", "\0'\\\r", 4), "hex(`c`) <=> '00275C0D'");
        assert_string_equal(match(ENGINE_MYSQL, "vector(1)", NULL, 0), "hex(`c`) <=> NULL");
        assert_string_equal(match(ENGINE_MYSQL, "bit(9)", "\1\2", 2), "`c` <=> 258");
        assert_string_equal(match(ENGINE_MYSQL, "datetime", NULL, 0), "`c` <=> NULL");
        assert_string_equal(match(ENGINE_MYSQL, "longtext charset utf8mb4", "A ", 2),
                "cast(convert(`c` using utf8mb4) as binary) <=> _binary'A '");
}

/* `text` NULL: the zero byte that stands for index 0 beside an empty member. */
static void assert_stored(
        enum engine engine, const char *native, const char *text, const char *as, bool warns)
{
        struct error e = ERROR_INIT;
        struct coltype *t = coltype_my(engine, native, &e);
        struct value v = {VALUE_TEXT, text ? (uint32_t)strlen(text) : 1, text ? text : ""}, stored;

        assert_non_null(t);
        stored = my_value_stored(t, &v);
        assert_int_equal(stored.len, strlen(as));
        assert_memory_equal(stored.data, as, stored.len);
        assert_int_equal(my_value_warns(t, &v), warns);
        coltype_free(t);
}

static void test_index_0_of_an_enum(void **state)
{
        (void)state;
        assert_stored(ENGINE_MYSQL, "enum('a','b')", "", "0", false);
        assert_stored(ENGINE_MYSQL, "enum('0','00')", "", "000", false);
        assert_stored(ENGINE_MYSQL, "enum('0','')", "", "", false);
        assert_stored(ENGINE_MYSQL, "enum('0')", "0", "0", false);
        assert_stored(ENGINE_MYSQL, "set('a')", "", "", false);
        assert_stored(ENGINE_MARIADB, "enum('a','b')", "", "", true);
        assert_stored(ENGINE_MARIADB, "enum('a','')", "", "", false);
        assert_stored(ENGINE_MARIADB, "varchar(3) charset latin1", "", "", false);
        assert_stored(ENGINE_MYSQL, "enum('0','')", NULL, "00", false);
        assert_stored(ENGINE_MARIADB, "enum('a','')", NULL, "000000", true);
        assert_stored(ENGINE_MARIADB, "enum('000000','')", NULL, "0000000", true);
        assert_string_equal(match(ENGINE_MYSQL, "enum('a','')", "\0", 1), "`c` + 0 <=> 0");
        assert_string_equal(match(ENGINE_MYSQL, "enum('a','')", "", 0), "`c` + 0 <=> 2");
        assert_string_equal(match(ENGINE_MYSQL, "enum('a','')", "a", 1),
                "cast(convert(`c` using utf8mb4) as binary) <=> _binary'a'");
        assert_string_equal(match(ENGINE_MYSQL, "enum('a')", "", 0),
                "cast(convert(`c` using utf8mb4) as binary) <=> _binary''");
}

static void test_warnings_of_a_change(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id e f",
                "id|int(11)|NO|||PRI\ne|enum('a') charset latin1|YES\n"
                "f|enum('a') charset latin1|YES\n");
        x.full = true;
        change(&x, CHANGE_INSERT, NULL, ROW("1", "", ""));
        assert_int_equal(my_change_warnings(x.binding, x.change), 2);
        change(&x, CHANGE_INSERT, NULL, ROW("1", "a", NULL));
        assert_int_equal(my_change_warnings(x.binding, x.change), 0);
        change(&x, CHANGE_UPDATE, ROW("1", "a", ""), ROW("1", "", ""));
        assert_string_equal(buf_text(&x.sql), "update `shop`.`it``em` set `e` = '' where `id` = 1");
        assert_int_equal(my_change_warnings(x.binding, x.change), 1);
        change(&x, CHANGE_UPDATE, ROW("1", "", "a"), ROW("1", "", "a"));
        assert_int_equal(my_change_warnings(x.binding, x.change), 1); /* written whole */
        change(&x, CHANGE_DELETE, ROW("1", "", ""), NULL);
        assert_int_equal(my_change_warnings(x.binding, x.change), 0);
        unbind(&x);
}

/* ---- refusals ---- */

/* A counter would take its next number, a TIMESTAMP the time. */
static void test_null_where_there_is_none(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id at", "id|int(11)|NO|auto_increment||PRI\nat|timestamp|NO\n");
        assert_int_equal(change(&x, CHANGE_INSERT, NULL, ROW(NULL, "2001-01-01 00:00:00")), -1);
        assert_int_equal(change(&x, CHANGE_INSERT, NULL, ROW("1", NULL)), -1);
        assert_non_null(strstr(x.e.message, "NULL for column 'at' of shop.it`em"));
        assert_int_equal(change(&x, CHANGE_UPDATE, NULL, ROW("1", NULL)), -1);
        assert_int_equal(change(&x, CHANGE_INSERT, NULL, ROW("1", "?")), -1);
        assert_non_null(strstr(x.e.message, "without column 'at'"));
        unbind(&x);
}

static void test_tables_that_are_refused(void **state)
{
        struct bound x;

        (void)state;
        shape(&x, 'd', "*id");
        bind_as(&x, "", "InnoDB", "YES", NULL);
        assert_null(x.binding);
        assert_string_equal(x.e.message, "table shop.it`em is not there on the target");
        assert_string_equal(x.e.table, "shop.it`em");
        assert_null(my_binding_of(x.relation, 7));
        bind_as(&x, "id|int(11)|NO|||PRI\n", "MyISAM", "NO", NULL);
        assert_null(x.binding);
        assert_int_equal(x.e.class, ERROR_CONFIG);
        assert_non_null(strstr(x.e.message, "MyISAM, which has no transactions"));
        bind_as(&x, "other|int(11)|NO|||PRI\n", "InnoDB", "YES", NULL);
        assert_null(x.binding);
        assert_non_null(strstr(x.e.message, "column 'id' of shop.it`em is not there"));
        bind_as(&x, "id|in(t|NO|||PRI\n", "InnoDB", "YES", NULL);
        assert_null(x.binding);
        bind_as(&x, "ID|int(11)|NO|||PRI\n", "InnoDB", "YES", "trg_a, trg_b");
        assert_non_null(x.binding);
        assert_string_equal(x.binding->triggers, "trg_a, trg_b");
        unbind(&x);
}

static void test_blame(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, 'd', "*id *name price", PLAIN);
        change(&x, CHANGE_DELETE, ROW("7", "a\nb", "9"), NULL);
        my_binding_blame(x.binding, x.change, &x.e);
        assert_string_equal(x.e.table, "shop.it`em");
        assert_string_equal(x.e.key, "id=7, name=a\\x0ab");
        my_binding_blame(NULL, x.change, &x.e);
        assert_string_equal(x.e.key, "");
        unbind(&x);
}

static void test_description_names_the_table_as_text(void **state)
{
        struct bound x;

        (void)state;
        shape(&x, 'd', "*id");
        free(x.relation->name);
        x.relation->name = memory_string("a' or 1=1 -- \\");
        my_binding_sql(&x.sql, x.relation);
        assert_non_null(strstr(buf_text(&x.sql), "'a\\' or 1=1 -- \\\\'"));
        assert_null(strstr(buf_text(&x.sql), "'a' or"));
        unbind(&x);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_statements),
                cmocka_unit_test(test_what_an_update_left_alone),
                cmocka_unit_test(test_deletes_of_many_rows),
                cmocka_unit_test(test_generated_columns_are_not_written),
                cmocka_unit_test(test_on_update_columns_keep_their_value),
                cmocka_unit_test(test_full_identity_uses_the_targets_key),
                cmocka_unit_test(test_whole_rows_are_found_exactly),
                cmocka_unit_test(test_no_key),
                cmocka_unit_test(test_literals),
                cmocka_unit_test(test_numbers_that_are_none),
                cmocka_unit_test(test_matches),
                cmocka_unit_test(test_index_0_of_an_enum),
                cmocka_unit_test(test_warnings_of_a_change),
                cmocka_unit_test(test_null_where_there_is_none),
                cmocka_unit_test(test_tables_that_are_refused),
                cmocka_unit_test(test_blame),
                cmocka_unit_test(test_description_names_the_table_as_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
