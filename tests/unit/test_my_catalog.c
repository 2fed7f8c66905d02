#include "base/memory.h"
#include "db/my_catalog_private.h"
#include "db/my_check_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* ---- defaults ---- */

static void assert_default(enum engine engine, const char *native, const char *from,
        const char *extra, enum default_kind kind, const char *expected)
{
        AUTO_STRING type = memory_string(native);
        struct def_column c = {.native = type};

        my_catalog_default(engine, &c, from, extra);
        if (c.default_kind != kind)
                fail_msg("%s is of kind %d", from ? from : "NULL", c.default_kind);
        if (expected)
                assert_string_equal(c.default_text, expected);
        else
                assert_null(c.default_text);
        free(c.default_text);
}

static void test_defaults_of_mariadb(void **state)
{
        enum engine m = ENGINE_MARIADB;

        (void)state;
        assert_default(m, "int(11)", NULL, "", DEFAULT_NONE, NULL);
        assert_default(m, "int(11)", "NULL", "", DEFAULT_NONE, NULL);
        assert_default(m, "int(11)", NULL, "auto_increment", DEFAULT_COUNTER, NULL);
        assert_default(m, "int(11)", "-5", "", DEFAULT_VALUE, "-5");
        assert_default(m, "varchar(9)", "'NULL'", "", DEFAULT_VALUE, "NULL");
        assert_default(m, "varchar(9)", "'it''s \\\\ \\n'", "", DEFAULT_VALUE, "it's \\ \n");
        assert_default(m, "varchar(9)", "''", "", DEFAULT_VALUE, "");
        assert_default(m, "varchar(9)", "'\\0'", "", DEFAULT_EXPRESSION, "'\\0'");
        assert_default(m, "varchar(9)", "'a' || 'b'", "", DEFAULT_EXPRESSION, "'a' || 'b'");
        assert_default(m, "varchar(9)", "'a", "", DEFAULT_EXPRESSION, "'a");
        assert_default(m, "varbinary(9)", "'ab'", "", DEFAULT_VALUE, "0x6162");
        assert_default(m, "varbinary(9)", "'a?'", "", DEFAULT_EXPRESSION, "'a?'");
        assert_default(m, "bit(3)", "b'101'", "", DEFAULT_VALUE, "b'101'");
        assert_default(
                m, "datetime(3)", "current_timestamp(3)", "", DEFAULT_NOW, "current_timestamp(3)");
        assert_default(
                m, "datetime", "current_timestamp()", "", DEFAULT_NOW, "current_timestamp()");
        assert_default(
                m, "varchar(9)", "'current_timestamp()'", "", DEFAULT_VALUE, "current_timestamp()");
        assert_default(m, "uuid", "uuid()", "", DEFAULT_EXPRESSION, "uuid()");
        assert_default(
                m, "bigint(20)", "nextval(`a`.`b`)", "", DEFAULT_EXPRESSION, "nextval(`a`.`b`)");
}

static void test_defaults_of_mysql(void **state)
{
        enum engine m = ENGINE_MYSQL;

        (void)state;
        assert_default(m, "varchar(9)", "it's", "", DEFAULT_VALUE, "it's");
        assert_default(
                m, "varchar(40)", "CURRENT_TIMESTAMP", "", DEFAULT_VALUE, "CURRENT_TIMESTAMP");
        assert_default(m, "datetime(3)", "CURRENT_TIMESTAMP(3)", "DEFAULT_GENERATED", DEFAULT_NOW,
                "CURRENT_TIMESTAMP(3)");
        assert_default(m, "int", "(1 + 2)", "DEFAULT_GENERATED", DEFAULT_EXPRESSION, "(1 + 2)");
        assert_default(m, "text charset utf8mb4", "_utf8mb4\\'abc\\'", "DEFAULT_GENERATED",
                DEFAULT_VALUE, "abc");
        assert_default(m, "text charset utf8mb4", "_utf8mb4\\'a\\'\\'b\\'", "DEFAULT_GENERATED",
                DEFAULT_EXPRESSION, "_utf8mb4\\'a\\'\\'b\\'");
        assert_default(m, "text charset utf8mb4", "_utf8mb4\\'", "DEFAULT_GENERATED",
                DEFAULT_EXPRESSION, "_utf8mb4\\'");
        assert_default(m, "varbinary(4)", "0x6162", "", DEFAULT_EXPRESSION, "0x6162");
        assert_default(m, "varbinary(4)", "", "", DEFAULT_VALUE, "0x");
}

static void test_flags(void **state)
{
        AUTO_STRING type = memory_string("timestamp(3)");
        struct def_column c = {.native = type};

        (void)state;
        my_catalog_default(ENGINE_MARIADB, &c, NULL, "on update current_timestamp(3), INVISIBLE");
        assert_true(c.on_update_now);
        assert_true(c.invisible);
        assert_false(c.stored);
        my_catalog_default(ENGINE_MYSQL, &c, NULL, "STORED GENERATED INVISIBLE");
        assert_true(c.stored);
}

/* ---- rules of foreign keys ---- */

static void assert_rule(
        const char *create, const char *key, const char *event, const char *expected)
{
        AUTO_STRING got = my_catalog_rule(create, key, event);

        if (expected)
                assert_string_equal(got ? got : "none", expected);
        else
                assert_null(got);
}

static void test_rules(void **state)
{
        const char *create =
                "CREATE TABLE `t` (\n"
                "  `a` int(11) DEFAULT NULL COMMENT 'CONSTRAINT `x` FOREIGN KEY (',\n"
                "  CONSTRAINT `one` FOREIGN KEY (`a ON DELETE CASCADE`) REFERENCES `b` (`c`),\n"
                "  CONSTRAINT `tw``o` FOREIGN KEY (`a`) REFERENCES `b` (`c`) ON DELETE SET NULL ON "
                "UPDATE CASCADE,\n"
                "  CONSTRAINT `three` FOREIGN KEY (`a`) REFERENCES `b` (`c`) ON UPDATE NO ACTION\n"
                ") ENGINE=InnoDB COMMENT='ON DELETE CASCADE'";

        (void)state;
        assert_rule(create, "one", "ON DELETE", "RESTRICT");
        assert_rule(create, "one", "ON UPDATE", "RESTRICT");
        assert_rule(create, "tw`o", "ON DELETE", "SET NULL");
        assert_rule(create, "tw`o", "ON UPDATE", "CASCADE");
        assert_rule(create, "three", "ON UPDATE", "NO ACTION");
        assert_rule(create, "x", "ON UPDATE", NULL);
}

/* ---- shape ---- */

static void add(struct table_def *d, const char *name, const char *native, const char *generated)
{
        d->columns = memory_grow(d->columns, (d->columns_n + 1) * sizeof *d->columns);
        d->columns[d->columns_n++] = (struct def_column){.name = memory_string(name),
                .native = memory_string(native),
                .not_null = true,
                .generated = memory_string(generated)};
}

static void add_unique(struct table_def *d, const char *name, unsigned at, const char *what)
{
        struct def_index *i;

        d->indexes = memory_grow(d->indexes, (d->indexes_n + 1) * sizeof *d->indexes);
        i = &d->indexes[d->indexes_n++];
        *i = (struct def_index){.name = memory_string(name),
                .unique = true,
                .what = memory_string(what),
                .columns_n = 1};
        i->columns = memory_new(sizeof *i->columns);
        i->columns[0].column = at;
}

static void assert_shape(struct table_def *d, const char *expected)
{
        AUTO_BUF text = BUF_INIT;

        my_catalog_shape(d);
        relation_to_text(d->shape, &text);
        assert_string_equal(buf_text(&text), expected);
}

static void test_shape(void **state)
{
        struct table_defs *t = memory_new_of(struct table_defs);
        struct table_def *d = t->items = memory_new_of(struct table_def);

        (void)state;
        t->n = 1;
        d->engine = ENGINE_MARIADB;
        d->schema = memory_string("s");
        d->name = memory_string("t");
        add(d, "a", "int", NULL);
        add(d, "g", "int", "a + 1");
        add(d, "x", "longtext charset latin1", NULL);
        add_unique(d, "g", 1, NULL);
        assert_shape(d,
                "2 0 f 3 1:s1:t 0 0 1 1:a3:int 0 0 0 1:g13:int generated 0 0 1 1:x23:longtext "
                "charset latin1");
        add_unique(d, "x", 2, "hash");
        d->versioned = true;
        add_unique(d, "a", 0, NULL);
        assert_shape(d,
                "2 0 d 6 1:s1:t 0 0 1 1:a3:int 0 0 0 1:g13:int generated 0 0 0 1:x23:longtext "
                "charset latin1 0 0 0 9:row_start35:timestamp(6) generated as row start "
                "0 0 0 7:row_end33:timestamp(6) generated as row end 0 0 0 "
                "13:DB_ROW_HASH_129:bigint(20) "
                "unsigned generated");
        table_defs_free(t);
}

static void test_exact_text(void **state)
{
        struct table_defs *t = memory_new_of(struct table_defs);
        struct table_def *d = t->items = memory_new_of(struct table_def);
        char *text =
                memory_string("CREATE TABLE `t` (\n  `?` int(11) DEFAULT 7,\n"
                              "  `e` enum('a','?') DEFAULT '?' COMMENT 'enum(''a'',''?'')',\n"
                              "  `v` varchar(9) DEFAULT '?''s',\n"
                              "  `w` enum('a','?') DEFAULT '?',\n"
                              "  `u` varchar(9) NOT NULL DEFAULT '?' COMMENT 'c'\n) ENGINE=InnoDB");

        (void)state;
        t->n = 1;
        add(d, "?", "int(11)", NULL);
        add(d, "e", "enum('a','\U0001f600') charset utf8mb4", NULL);
        d->columns[1].shown = memory_string("enum('a','?')");
        d->columns[1].shown_default = memory_string("?");
        d->columns[1].default_kind = DEFAULT_VALUE;
        d->columns[1].default_text = memory_string("\U0001f600");
        add(d, "v", "varchar(9) charset utf8mb4", NULL);
        d->columns[2].shown_default = memory_string("?'s");
        d->columns[2].default_kind = DEFAULT_VALUE;
        d->columns[2].default_text = memory_string("\U0001f601's");
        add(d, "w", "enum('a','?') charset latin1", NULL);
        add(d, "gone", "enum('\U0001f600') charset utf8mb4", NULL);
        d->columns[4].shown = memory_string("enum('?')");
        add(d, "u", "varchar(9) charset utf8mb4",
                NULL); /* whose default the server does not tell */
        d->columns[5].shown_default = memory_string("?");
        d->columns[5].default_kind = DEFAULT_EXPRESSION;
        my_catalog_exact_text(&text, d);
        assert_string_equal(text,
                "CREATE TABLE `t` (\n  `?` int(11) DEFAULT 7,\n"
                "  `e` enum('a','\U0001f600') DEFAULT '\U0001f600' COMMENT "
                "'enum(''a'',''?'')',\n  `v` varchar(9) DEFAULT '\U0001f601''s',\n"
                "  `w` enum('a','?') DEFAULT '?',\n  `u` varchar(9) NOT NULL COMMENT 'c'\n) "
                "ENGINE=InnoDB");
        free(text);
        table_defs_free(t);
}

/* ---- grants ---- */

static bool granted(const char *line, const char *right, const char *schema, const char *table)
{
        AUTO_STRING own = memory_string(line);
        struct my_grants g = {.lines = &own, .n = 1};

        return my_grants_has(&g, right, schema, table);
}

static void test_grants(void **state)
{
        const char *global = "GRANT SELECT, REPLICATION SLAVE ON *.*";
        const char *database = "GRANT SELECT, LOCK TABLES ON `sh\\_p%`.*";
        const char *table = "GRANT SELECT (`a ON b`, `c`), INSERT ON `s`.`t`";

        (void)state;
        assert_true(granted(global, "REPLICATION SLAVE", NULL, NULL));
        assert_true(granted(global, "SELECT", "any", "t"));
        assert_false(granted(global, "REPLICATION", NULL, NULL));
        assert_false(granted(global, "INSERT", "any", "t"));
        assert_true(granted("GRANT ALL PRIVILEGES ON *.*", "INSERT", "any", "t"));
        assert_true(granted(database, "LOCK TABLES", "sh_p", NULL));
        assert_true(granted(database, "SELECT", "sh_p2", "t"));
        assert_false(granted(database, "SELECT", "shop", "t"));
        assert_false(granted(database, "SELECT", NULL, NULL));
        assert_true(granted("GRANT SELECT ON `a%b%c_`.*", "SELECT", "axbbcd", NULL));
        assert_false(granted("GRANT SELECT ON `a%b%c_`.*", "SELECT", "axbbc", NULL));
        assert_true(granted("GRANT SELECT ON `%`.*", "SELECT", "", NULL));
        assert_true(granted(table, "INSERT", "s", "t"));
        assert_false(granted(table, "SELECT", "s", "t"));
        assert_false(granted(table, "INSERT", "s", NULL));
        assert_false(granted(table, "INSERT", "s", "u"));
        assert_true(granted("GRANT SELECT ON `a``b`.`c``d`", "SELECT", "a`b", "c`d"));
        assert_false(granted("GRANT `role`@`%`", "SELECT", "s", "t"));
        assert_false(granted("GRANT SELECT (`a", "SELECT", "s", "t"));
        assert_false(granted("GRANT SELECT (`a` ON `s`.`t`", "SELECT", "s", "t"));
        assert_false(granted("GRANT EXECUTE ON PROCEDURE `s`.`t`", "EXECUTE", "s", "t"));
        assert_false(granted("GRANT SELECT ON `s", "SELECT", "s", "t"));
        assert_false(granted("GRANT SELECT ON ", "SELECT", "s", "t"));
}

static void test_users(void **state)
{
        AUTO_STRING a = my_grants_user(
                "GRANT USAGE ON *.* TO `cul TO vert`@`%` IDENTIFIED BY PASSWORD '*AB'");
        AUTO_STRING b = my_grants_user("GRANT USAGE ON *.* TO 'c'@'h'");
        AUTO_STRING c = my_grants_user("GRANT USAGE ON *.* TO `role`");
        AUTO_STRING d = my_grants_user("nothing");

        (void)state;
        assert_string_equal(a, "`cul TO vert`@`%`");
        assert_string_equal(b, "'c'@'h'");
        assert_string_equal(c, "`role`");
        assert_null(d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults_of_mariadb),
                cmocka_unit_test(test_defaults_of_mysql),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_shape),
                cmocka_unit_test(test_exact_text),
                cmocka_unit_test(test_grants),
                cmocka_unit_test(test_users),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
