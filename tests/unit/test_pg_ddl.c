#include "db/pg_ddl.h"
#include "base/memory.h"
#include "db/pg_define.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* ---- definitions, made by hand ---- */

static char *text(const char *s)
{
        return memory_string(s);
}

static struct table_defs *defs_of(unsigned n)
{
        struct table_defs *t = memory_new_of(struct table_defs);

        t->n = n;
        t->items = memory_new(n * sizeof *t->items);
        return t;
}

static struct table_def *begin(struct table_defs *t, unsigned i, const char *name)
{
        struct table_def *d = &t->items[i];

        d->engine = ENGINE_MYSQL;
        d->schema = text("shop");
        d->name = text(name);
        d->storage = text("InnoDB");
        return d;
}

static struct def_column *column(struct table_def *d, const char *name, const char *native)
{
        struct def_column *c;

        d->columns = memory_grow(d->columns, (d->columns_n + 1) * sizeof *d->columns);
        c = &d->columns[d->columns_n++];
        *c = (struct def_column){.name = text(name), .native = text(native), .modifier = -1};
        return c;
}

static void value(struct def_column *c, enum default_kind kind, const char *of)
{
        c->default_kind = kind;
        c->default_text = text(of);
}

static struct def_index *index_on(struct table_def *d, const char *name, unsigned at)
{
        struct def_index *i;

        d->indexes = memory_grow(d->indexes, (d->indexes_n + 1) * sizeof *d->indexes);
        i = &d->indexes[d->indexes_n++];
        *i = (struct def_index){.name = text(name), .columns_n = 1};
        i->primary = !strcmp(name, "PRIMARY");
        i->unique = i->primary;
        i->columns = memory_new(sizeof *i->columns);
        i->columns[0].column = at;
        return i;
}

static void check(struct table_def *d, const char *name, const char *expression)
{
        d->checks = memory_grow(d->checks, (d->checks_n + 1) * sizeof *d->checks);
        d->checks[d->checks_n++] = (struct def_check){text(name), text(expression)};
}

static void reference(struct table_def *d, const char *name, unsigned at, const char *table,
        const char *to, const char *on_delete)
{
        struct def_reference *f;

        d->references = memory_grow(d->references, (d->references_n + 1) * sizeof *d->references);
        f = &d->references[d->references_n++];
        *f = (struct def_reference){.name = text(name),
                .columns_n = 1,
                .to_schema = text("shop"),
                .to_table = text(table),
                .on_delete = text(on_delete),
                .on_update = text("RESTRICT")};
        f->columns = memory_new(sizeof *f->columns);
        f->columns[0] = at;
        f->to_columns = memory_new(sizeof *f->to_columns);
        f->to_columns[0] = text(to);
}

/* ---- names ---- */

static const char *renamed(void *context, const char *source)
{
        (void)context;
        if (!strcmp(source, "legacy"))
                return NULL;
        return !strcmp(source, "state") ? "Status" : source;
}

static bool refers(void *context, const char *schema, const char *table, struct ddl_names *names,
        const struct table_def **def)
{
        *def = table_defs_find(context, schema, table);
        *names = (struct ddl_names){.schema = "public", .table = table, .column = renamed};
        return *def != NULL;
}

static struct ddl_names names_of(struct table_defs *t, const char *table, struct ddl_used *used)
{
        return (struct ddl_names){.schema = "public",
                .table = table,
                .column = renamed,
                .refers = refers,
                .refers_context = t,
                .used = used};
}

/* ---- what comes out ---- */

static void assert_list(const struct ddl_list *l, const char *expected)
{
        AUTO_BUF all = BUF_INIT;

        for (unsigned i = 0; i < l->n; i++)
                buf_printf(&all, "%s\n", l->items[i].sql);
        assert_string_equal(buf_text(&all), expected);
}

static void write_ddl(const struct table_def *t, const struct ddl_names *n, struct ddl *out)
{
        struct error e = ERROR_INIT;

        if (pg_ddl(t, n, out, &e) < 0)
                fail_msg("%s", e.message);
}

static void make_orders(struct table_def *d)
{
        struct def_column *c = column(d, "id", "int(10) unsigned");

        c->not_null = true;
        c->default_kind = DEFAULT_COUNTER;
        c = column(d, "state", "enum('new','it''s') charset utf8mb4");
        value(c, DEFAULT_VALUE, "new");
        c->comment = text("what it's");
        c->collation = text("utf8mb4_general_ci");
        column(d, "legacy", "int(11)");
        c = column(d, "seen", "timestamp(3)");
        value(c, DEFAULT_NOW, "current_timestamp(3)");
        c->on_update_now = true;
        value(column(d, "price", "decimal(10,2)"), DEFAULT_VALUE, "0.50");
        value(column(d, "flags", "bit(4)"), DEFAULT_VALUE, "b'101'");
        value(column(d, "raw", "binary(3)"), DEFAULT_VALUE, "0x01ff");
        value(column(d, "born", "date"), DEFAULT_VALUE, "0000-00-00");
        value(column(d, "tags", "set('a','b') charset utf8mb4"), DEFAULT_VALUE, "a,b");
        value(column(d, "note", "varchar(20) charset latin1"), DEFAULT_VALUE, "o'k");
        value(column(d, "odd", "varchar(9) charset latin1"), DEFAULT_EXPRESSION, "concat('a')");
        c = column(d, "double_price", "decimal(10,2)");
        c->generated = text("(`price` * 2)");
        c->stored = true;
        c = column(d, "upper_note", "varchar(20) charset latin1");
        c->generated = text("upper(`note`)");
        d->comment = text("orders");
        index_on(d, "PRIMARY", 0);
        index_on(d, "state", 1)->unique = true;
        index_on(d, "note", 9)->columns[0].prefix = 5;
        index_on(d, "words", 9)->what = text("fulltext");
        index_on(d, "old", 2);
        index_on(d, "shout", 12);
        index_on(d, "short", 9)->unique = true;
        d->indexes[6].columns[0].prefix = 3;
        check(d, "positive", "(`price` > 0) and (`id` <> 7)");
        check(d, "named", "`note` <> 'x'");
        check(d, "odd", "json_valid(`note`)");
}

static void test_a_table_of_mysql(void **state)
{
        struct table_defs *t = defs_of(1);
        struct ddl_used used = {0};
        struct ddl_names n = names_of(t, "orders", &used);
        struct ddl out = {0};

        (void)state;
        make_orders(begin(t, 0, "orders"));
        write_ddl(&t->items[0], &n, &out);
        assert_list(&out.before,
                "create schema if not exists \"public\"\n"
                "create type \"public\".\"orders_Status\" as enum ('new', 'it''s')\n");
        assert_list(&out.table,
                "create table \"public\".\"orders\" (\n"
                "  \"id\" bigint generated by default as identity not null,\n"
                "  \"Status\" \"public\".\"orders_Status\" default 'new',\n"
                "  \"seen\" timestamptz(3) default CURRENT_TIMESTAMP(3),\n"
                "  \"price\" numeric(10,2) default 0.50,\n"
                "  \"flags\" bit(4) default B'0101',\n"
                "  \"raw\" bytea default '\\x01ff00',\n"
                "  \"born\" date,\n"
                "  \"tags\" text[] default '{a,b}',\n"
                "  \"note\" varchar(20) default 'o''k',\n"
                "  \"odd\" varchar(9),\n"
                "  \"double_price\" numeric(10,2) generated always as ((\"price\" * 2)) stored,\n"
                "  constraint \"positive\" check ((\"price\" > 0) and (\"id\" <> 7))\n"
                ")\n"
                "comment on column \"public\".\"orders\".\"Status\" is 'what it''s'\n"
                "comment on table \"public\".\"orders\" is 'orders'\n");
        assert_list(&out.indexes,
                "alter table \"public\".\"orders\" add constraint \"orders_pkey\" primary key "
                "(\"id\")\n"
                "create unique index \"orders_state\" on \"public\".\"orders\" (\"Status\")\n"
                "create index \"orders_note\" on \"public\".\"orders\" (\"note\")\n");
        assert_list(&out.left_out,
                "shop.orders: column seen: ON UPDATE CURRENT_TIMESTAMP has no equal; a trigger "
                "would do\n"
                "shop.orders: column born: default 0000-00-00 has no equal\n"
                "shop.orders: column odd: default concat('a') has no equal\n"
                "shop.orders: column upper_note: generated as upper(`note`), which has no equal: "
                "it is not made\n"
                "shop.orders: check named (`note` <> 'x'): not carried\n"
                "shop.orders: check odd (json_valid(`note`)): not carried\n"
                "shop.orders: key state: column state compares by collation utf8mb4_general_ci on "
                "the source, by bytes here\n"
                "shop.orders: index words: fulltext, so it is not made\n"
                "shop.orders: index old: a column of it is left out, so it is not made\n"
                "shop.orders: index shout: a column of it is left out, so it is not made\n"
                "shop.orders: index short: a unique key on parts of values has no equal, so it is "
                "not made; nothing on the target keeps its values unique\n");
        assert_true(out.made[0]);
        assert_false(out.made[2]);
        assert_false(out.made[12]);
        ddl_done(&out);
        ddl_used_done(&used);
        table_defs_free(t);
}

/* BIGINT UNSIGNED is numeric, which cannot be an identity. */
static void test_a_counter_of_numeric(void **state)
{
        struct table_defs *t = defs_of(1);
        struct table_def *d = begin(t, 0, "big");
        struct ddl_names n = {.schema = "public", .table = "big"};
        struct ddl out = {0};

        (void)state;
        column(d, "id", "bigint(20) unsigned")->default_kind = DEFAULT_COUNTER;
        write_ddl(d, &n, &out);
        assert_list(&out.before, "create schema if not exists \"public\"\n"
                                 "create sequence if not exists \"public\".\"big_id_seq\"\n");
        assert_list(&out.table,
                "create table \"public\".\"big\" (\n"
                "  \"id\" numeric(20) default nextval('\"public\".\"big_id_seq\"'::regclass)\n"
                ")\n"
                "alter sequence \"public\".\"big_id_seq\" owned by \"public\".\"big\".\"id\"\n");
        ddl_done(&out);
        table_defs_free(t);
}

static void make_pair(struct table_defs *t)
{
        struct table_def *d = begin(t, 0, "item");

        column(d, "id", "int(11)");
        column(d, "order_id", "int(11)");
        column(d, "legacy", "int(11)");
        reference(d, "fk_order", 1, "order", "id", "CASCADE");
        reference(d, "fk_state", 1, "order", "state", "SET NULL");
        reference(d, "fk_other", 1, "elsewhere", "id", "CASCADE");
        reference(d, "fk_legacy", 2, "order", "id", "CASCADE");
        d = begin(t, 1, "order");
        column(d, "id", "int(11)");
        column(d, "state", "int(11)");
        index_on(d, "PRIMARY", 0);
        index_on(d, "plain", 1);
}

static void test_foreign_keys(void **state)
{
        struct table_defs *t = defs_of(2);
        struct ddl_names n = names_of(t, "item", NULL);
        struct ddl out = {0};

        (void)state;
        make_pair(t);
        write_ddl(&t->items[0], &n, &out);
        assert_list(&out.references,
                "alter table \"public\".\"item\" add constraint \"fk_order\" foreign key "
                "(\"order_id\") references \"public\".\"order\" (\"id\") on delete CASCADE on "
                "update RESTRICT\n");
        assert_string_equal(out.references.items[0].name, "fk_order");
        assert_list(&out.left_out,
                "shop.item: foreign key fk_state: what it refers to is no unique key\n"
                "shop.item: foreign key fk_other: shop.elsewhere is not migrated\n"
                "shop.item: foreign key fk_legacy: a column of it is left out\n");
        ddl_done(&out);
        table_defs_free(t);
}

static void test_names_are_unique_and_short(void **state)
{
        struct ddl_used used = {0};
        struct ddl_names n = {.schema = "public", .table = "t", .used = &used};
        AUTO_STRING a = ddl_name(&n, 63, "a");
        AUTO_STRING b = ddl_name(&n, 63, "a");
        AUTO_STRING c = ddl_name(&n, 8, "1234567\xc3\xb6");
        AUTO_STRING d = ddl_name(&n, 8, "1234567\xc3\xb6");

        (void)state;
        assert_string_equal(a, "a");
        assert_string_equal(b, "a_1");
        assert_string_equal(c, "1234567");
        assert_string_equal(d, "123456_1");
        n.schema = "other";
        AUTO_STRING e = ddl_name(&n, 63, "a");
        assert_string_equal(e, "a");
        ddl_used_done(&used);
}

/* ---- expressions ---- */

static void assert_expression(
        const struct table_def *t, const char *from, enum engine to, const char *expected)
{
        struct ddl_names n = {.schema = "s", .table = "t"};
        AUTO_STRING got = ddl_expression(t, from, to, &n);

        if (!expected)
                assert_null(got);
        else
                assert_string_equal(got ? got : "NULL", expected);
}

static void test_expressions(void **state)
{
        struct table_defs *t = defs_of(1);
        struct table_def *d = begin(t, 0, "t");

        (void)state;
        d->engine = ENGINE_POSTGRESQL;
        column(d, "price", "numeric(10,2)");
        column(d, "A b", "text");
        column(d, "day", "date");
        column(d, "ok", "boolean");
        assert_expression(d, "(price >= (0)::numeric)", ENGINE_MARIADB, "(`price` >= (0))");
        assert_expression(d, "((\"A b\" <> ''::text) OR (\"A b\" IS NULL))", ENGINE_MARIADB,
                "((`A b` <> '') or (`A b` is null))");
        assert_expression(d, "(day > '2000-01-01'::date)", ENGINE_MYSQL, "(`day` > '2000-01-01')");
        assert_expression(d, "(ok = true)", ENGINE_MYSQL, "(`ok` = true)");
        assert_expression(d, "(price = ANY (ARRAY[1, 2]))", ENGINE_MYSQL, NULL);
        assert_expression(d, "(\"A b\" > 'x'::text)", ENGINE_MYSQL, NULL);
        assert_expression(d, "(\"A b\" ~ 'x'::text)", ENGINE_MYSQL, NULL);
        assert_expression(d, "(length(\"A b\") > 3)", ENGINE_MYSQL, NULL);
        assert_expression(d, "(price / 2 > 1)", ENGINE_MYSQL, NULL);
        assert_expression(d, "(\"A b\" <> 'a\\b'::text)", ENGINE_MYSQL, NULL);
        assert_expression(d, "(price)::integer[1] = 2", ENGINE_MYSQL, NULL);
        assert_expression(d, "(nothing > 1)", ENGINE_MYSQL, NULL);
        assert_expression(d, "(\"A b", ENGINE_MYSQL, NULL);
        assert_expression(d, "('A b", ENGINE_MYSQL, NULL);
        assert_expression(d, "price; drop table x", ENGINE_MYSQL, NULL);
        assert_expression(d, "price -- 1", ENGINE_MYSQL, NULL);
        table_defs_free(t);
}

/* ---- defaults as PostgreSQL shows them ---- */

static void assert_default(const char *from, enum default_kind kind, const char *expected)
{
        struct def_column c = {0};

        pg_define_default(&c, from);
        if (c.default_kind != kind)
                fail_msg("%s is of kind %d", from, c.default_kind);
        if (expected)
                assert_string_equal(c.default_text, expected);
        else
                assert_null(c.default_text);
        free(c.default_text);
}

static void test_defaults_of_postgresql(void **state)
{
        (void)state;
        assert_default("nextval('s.t_id_seq'::regclass)", DEFAULT_COUNTER, NULL);
        assert_default("NULL::character varying", DEFAULT_NONE, NULL);
        assert_default("now()", DEFAULT_NOW, "now()");
        assert_default("CURRENT_TIMESTAMP(3)", DEFAULT_NOW, "CURRENT_TIMESTAMP(3)");
        assert_default("(now())::timestamp without time zone", DEFAULT_NOW,
                "(now())::timestamp without time zone");
        assert_default("('now'::text)::date", DEFAULT_EXPRESSION, "('now'::text)::date");
        assert_default("'it''s'::text", DEFAULT_VALUE, "it's");
        assert_default("E'a\\\\b''c'::text", DEFAULT_VALUE, "a\\b'c");
        assert_default("('a'::character varying)::text", DEFAULT_VALUE, "a");
        assert_default("'G'::public.\"Rating\"", DEFAULT_VALUE, "G");
        assert_default("'1.50'::numeric(10,2)", DEFAULT_VALUE, "1.50");
        assert_default("'-1'::integer", DEFAULT_VALUE, "-1");
        assert_default("(-1)", DEFAULT_VALUE, "-1");
        assert_default("4.99", DEFAULT_VALUE, "4.99");
        assert_default("true", DEFAULT_VALUE, "true");
        assert_default("B'101'::\"bit\"", DEFAULT_VALUE, "101");
        assert_default("'{}'::text[]", DEFAULT_VALUE, "{}");
        assert_default("(1 + 2)", DEFAULT_EXPRESSION, "(1 + 2)");
        assert_default("'a'::text || 'b'::text", DEFAULT_EXPRESSION, "'a'::text || 'b'::text");
        assert_default("gen_random_uuid()", DEFAULT_EXPRESSION, "gen_random_uuid()");
        assert_default("'open", DEFAULT_EXPRESSION, "'open");
        assert_default("E'open\\", DEFAULT_EXPRESSION, "E'open\\");
        assert_default("1::numeric(", DEFAULT_EXPRESSION, "1::numeric(");
        assert_default(
                "timezone('utc'::text, now())", DEFAULT_EXPRESSION, "timezone('utc'::text, now())");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_table_of_mysql),
                cmocka_unit_test(test_a_counter_of_numeric),
                cmocka_unit_test(test_foreign_keys),
                cmocka_unit_test(test_names_are_unique_and_short),
                cmocka_unit_test(test_expressions),
                cmocka_unit_test(test_defaults_of_postgresql),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
