#include "db/my_ddl.h"
#include "base/memory.h"

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

static struct table_defs *defs_of(unsigned n, enum engine engine)
{
        struct table_defs *t = memory_new_of(struct table_defs);

        t->n = n;
        t->items = memory_new(n * sizeof *t->items);
        for (unsigned i = 0; i < n; i++) {
                t->items[i].engine = engine;
                t->items[i].schema = text("public");
                t->items[i].storage = engine == ENGINE_POSTGRESQL ? NULL : text("InnoDB");
        }
        return t;
}

static struct def_column *column(struct table_def *d, const char *name, const char *native)
{
        struct def_column *c;

        d->columns = memory_grow(d->columns, (d->columns_n + 1) * sizeof *d->columns);
        c = &d->columns[d->columns_n++];
        *c = (struct def_column){.name = text(name), .native = text(native), .modifier = -1};
        return c;
}

static struct def_column *with_default(struct def_column *c, enum default_kind kind, const char *of)
{
        c->default_kind = kind;
        c->default_text = text(of);
        return c;
}

static struct def_index *index_on(struct table_def *d, const char *name, unsigned at)
{
        struct def_index *i;

        d->indexes = memory_grow(d->indexes, (d->indexes_n + 1) * sizeof *d->indexes);
        i = &d->indexes[d->indexes_n++];
        *i = (struct def_index){.name = text(name), .columns_n = 1};
        i->columns = memory_new(sizeof *i->columns);
        i->columns[0].column = at;
        return i;
}

static void primary(struct table_def *d, unsigned at)
{
        struct def_index *i = index_on(d, "t_pkey", at);

        i->primary = i->unique = true;
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
                .to_schema = text("public"),
                .to_table = text(table),
                .on_delete = text(on_delete),
                .on_update = text("NO ACTION")};
        f->columns = memory_new(sizeof *f->columns);
        f->columns[0] = at;
        f->to_columns = memory_new(sizeof *f->to_columns);
        f->to_columns[0] = text(to);
}

/* ---- names, and what comes out ---- */

static const char *renamed(void *context, const char *source)
{
        (void)context;
        if (!strcmp(source, "legacy"))
                return NULL;
        return !strcmp(source, "state") ? "Sta`te" : source;
}

static bool refers(void *context, const char *schema, const char *table, struct ddl_names *names,
        const struct table_def **def)
{
        *def = table_defs_find(context, schema, table);
        *names = (struct ddl_names){.schema = "shop", .table = table};
        return *def != NULL;
}

static void assert_list(const struct ddl_list *l, const char *expected)
{
        AUTO_BUF all = BUF_INIT;

        for (unsigned i = 0; i < l->n; i++)
                buf_printf(&all, "%s\n", l->items[i].sql);
        assert_string_equal(buf_text(&all), expected);
}

static void write_ddl(
        const struct table_def *t, enum engine to, const struct ddl_names *n, struct ddl *out)
{
        struct error e = ERROR_INIT;

        if (my_ddl(t, to, n, out, &e) < 0)
                fail_msg("%s", e.message);
}

#define BIN " character set utf8mb4 collate utf8mb4_nopad_bin"

static void make_goods(struct table_def *d)
{
        struct def_column *c = column(d, "id", "bigint");

        d->name = text("goods");
        d->comment = text("it's");
        c->not_null = true;
        c->default_kind = DEFAULT_COUNTER;
        with_default(column(d, "state", "text"), DEFAULT_VALUE, "n'ew\\");
        column(d, "legacy", "integer");
        column(d, "code", "text")->not_null = true;
        with_default(column(d, "ok", "boolean"), DEFAULT_VALUE, "true");
        with_default(column(d, "seen", "timestamp with time zone"), DEFAULT_NOW, "now()");
        with_default(column(d, "at", "timestamp(3) without time zone"), DEFAULT_NOW, "now()");
        with_default(column(d, "since", "date"), DEFAULT_EXPRESSION, "CURRENT_DATE");
        with_default(column(d, "raw", "bytea"), DEFAULT_VALUE, "\\x00ff");
        with_default(column(d, "price", "numeric(10,2)"), DEFAULT_VALUE, "4.99");
        with_default(column(d, "bits", "bit(4)"), DEFAULT_VALUE, "0101");
        with_default(column(d, "tags", "text[]"), DEFAULT_VALUE, "{}");
        with_default(column(d, "late", "date"), DEFAULT_VALUE, "infinity");
        c = column(d, "twice", "numeric(10,2)");
        c->generated = text("(price * (2)::numeric)");
        c->stored = true;
        c = column(d, "shout", "text");
        c->generated = text("upper(code)");
        c->comment = text("loud");
        primary(d, 0);
        index_on(d, "goods_code_key", 3)->unique = true;
        index_on(d, "goods_state", 1);
        index_on(d, "goods_words", 1)->what = text("gin");
        index_on(d, "goods_shout", 14);
        check(d, "dear", "(price >= (0)::numeric)");
        check(d, "odd", "(code ~ 'x'::text)");
}

static void test_a_table_of_postgresql(void **state)
{
        struct table_defs *t = defs_of(1, ENGINE_POSTGRESQL);
        struct ddl_names n = {.schema = "shop", .table = "goods", .column = renamed};
        struct ddl out = {0};

        (void)state;
        make_goods(&t->items[0]);
        write_ddl(&t->items[0], ENGINE_MARIADB, &n, &out);
        assert_list(&out.before, "create database if not exists `shop`\n");
        assert_list(&out.table,
                "create table `shop`.`goods` (\n"
                "  `id` bigint not null auto_increment,\n"
                "  `Sta``te` longtext" BIN " null default 'n\\'ew\\\\',\n"
                "  `code` varchar(255)" BIN " not null,\n"
                "  `ok` tinyint(1) null default 1,\n"
                "  `seen` datetime(6) null default (utc_timestamp(6)),\n"
                "  `at` datetime(3) null default current_timestamp(3),\n"
                "  `since` date null default (curdate()),\n"
                "  `raw` longblob null default x'00ff',\n"
                "  `price` decimal(10,2) null default 4.99,\n"
                "  `bits` bit(4) null default b'0101',\n"
                "  `tags` longtext" BIN " null,\n"
                "  `late` date null,\n"
                "  `twice` decimal(10,2) generated always as ((`price` * (2))) stored,\n"
                "  primary key (`id`),\n"
                "  constraint `dear` check ((`price` >= (0)))\n"
                ") engine = InnoDB default charset = utf8mb4 collate = utf8mb4_nopad_bin comment = "
                "'it\\'s'\n");
        assert_list(&out.indexes,
                "alter table `shop`.`goods` add unique key `goods_code_key` (`code`)\n"
                "alter table `shop`.`goods` add key `goods_state` (`Sta``te`(191))\n");
        assert_list(&out.left_out,
                "public.goods: column shout: generated as upper(code), which has no equal: it is "
                "not made\n"
                "public.goods: column tags: default {} has no equal\n"
                "public.goods: column late: default infinity has no equal\n"
                "public.goods: check odd ((code ~ 'x'::text)): not carried\n"
                "public.goods: index goods_words: gin, so it is not made\n"
                "public.goods: index goods_shout: a column of it is left out, so it is not made\n");
        ddl_done(&out);
        table_defs_free(t);
}

/* MySQL takes defaults of long types in parentheses only. */
static void test_defaults_of_long_types(void **state)
{
        struct table_defs *t = defs_of(1, ENGINE_POSTGRESQL);
        struct table_def *d = &t->items[0];
        struct ddl_names n = {.schema = "shop", .table = "t"};
        struct ddl out = {0};

        (void)state;
        d->name = text("t");
        with_default(column(d, "a", "text"), DEFAULT_VALUE, "x");
        with_default(column(d, "b", "bytea"), DEFAULT_VALUE, "\\x00");
        with_default(column(d, "u", "uuid"), DEFAULT_EXPRESSION, "gen_random_uuid()");
        write_ddl(d, ENGINE_MYSQL, &n, &out);
        assert_list(&out.table,
                "create table `shop`.`t` (\n"
                "  `a` longtext character set utf8mb4 collate utf8mb4_0900_bin null default "
                "('x'),\n"
                "  `b` longblob null default (x'00'),\n"
                "  `u` char(36) character set ascii collate ascii_bin null default (uuid())\n"
                ") engine = InnoDB default charset = utf8mb4 collate = utf8mb4_0900_bin\n");
        ddl_done(&out);
        table_defs_free(t);
}

/* A counter needs an index that begins with it. */
static void test_counters(void **state)
{
        struct table_defs *t = defs_of(2, ENGINE_POSTGRESQL);
        struct ddl_names n = {.schema = "shop", .table = "a"};
        struct ddl a = {0}, b = {0};

        (void)state;
        t->items[0].name = text("a");
        column(&t->items[0], "id", "integer");
        column(&t->items[0], "no", "integer")->default_kind = DEFAULT_COUNTER;
        column(&t->items[0], "no2", "integer")->default_kind = DEFAULT_COUNTER;
        primary(&t->items[0], 0);
        index_on(&t->items[0], "a_no", 1);
        write_ddl(&t->items[0], ENGINE_MARIADB, &n, &a);
        assert_list(&a.table,
                "create table `shop`.`a` (\n"
                "  `id` int null,\n"
                "  `no` int null auto_increment,\n"
                "  `no2` int null,\n"
                "  primary key (`id`),\n"
                "  key `a_no` (`no`)\n"
                ") engine = InnoDB default charset = utf8mb4 collate = utf8mb4_nopad_bin\n");
        assert_list(&a.indexes, "");
        assert_list(&a.left_out,
                "public.a: column no2: its counter: a table has one, of an integer type\n");
        ddl_done(&a);
        t->items[1].name = text("b");
        column(&t->items[1], "no", "integer")->default_kind = DEFAULT_COUNTER;
        n.table = "b";
        write_ddl(&t->items[1], ENGINE_MARIADB, &n, &b);
        assert_list(&b.table,
                "create table `shop`.`b` (\n"
                "  `no` int null auto_increment,\n"
                "  key `counter_no` (`no`)\n"
                ") engine = InnoDB default charset = utf8mb4 collate = utf8mb4_nopad_bin\n");
        ddl_done(&b);
        table_defs_free(t);
}

static void test_foreign_keys(void **state)
{
        struct table_defs *t = defs_of(2, ENGINE_POSTGRESQL);
        struct ddl_used used = {0};
        struct ddl_names n = {.schema = "shop",
                .table = "a",
                .refers = refers,
                .refers_context = t,
                .used = &used};
        struct ddl out = {0};

        (void)state;
        ddl_used_add(&used, "shop", "fk");
        t->items[0].name = text("a");
        column(&t->items[0], "b_id", "integer");
        column(&t->items[0], "big", "bigint");
        reference(&t->items[0], "fk", 0, "b", "id", "CASCADE");
        reference(&t->items[0], "fk_big", 1, "b", "id", "CASCADE");
        reference(&t->items[0], "fk_default", 0, "b", "id", "SET DEFAULT");
        reference(&t->items[0], "fk_late", 0, "b", "id", "NO ACTION");
        t->items[0].references[3].deferrable = true;
        reference(&t->items[0], "fk_some", 0, "b", "id", "SET NULL");
        t->items[0].references[4].some_set = true;
        t->items[1].name = text("b");
        column(&t->items[1], "id", "integer");
        write_ddl(&t->items[0], ENGINE_MARIADB, &n, &out);
        assert_list(&out.references,
                "alter table `shop`.`a` add constraint `fk_1` foreign key (`b_id`) references "
                "`shop`.`b` (`id`) on delete CASCADE on update NO ACTION\n"
                "alter table `shop`.`a` add constraint `fk_late` foreign key (`b_id`) references "
                "`shop`.`b` (`id`) on delete NO ACTION on update NO ACTION\n");
        assert_list(&out.left_out,
                "public.a: foreign key fk_big: both ends would be of different types\n"
                "public.a: foreign key fk_default: SET DEFAULT is not known there\n"
                "public.a: foreign key fk_late: DEFERRABLE is lost: it is checked at each "
                "statement there\n"
                "public.a: foreign key fk_some: ON DELETE SET NULL of some of its columns is not "
                "known there\n");
        ddl_done(&out);
        ddl_used_done(&used);
        table_defs_free(t);
}

static struct def_index *index_of_expression(
        struct table_def *d, const char *name, const char *expression)
{
        struct def_index *i = index_on(d, name, 0);

        i->columns[0].expression = text(expression);
        i->what = text("expression");
        return i;
}

static void make_indexes(struct table_def *d)
{
        struct def_index *i;

        d->name = text("t");
        column(d, "id", "bigint")->default_kind = DEFAULT_COUNTER;
        column(d, "a", "integer");
        column(d, "name", "text");
        primary(d, 0);
        i = index_of_expression(d, "sum", "(a + 1)");
        i->unique = i->columns[0].descending = true;
        i->columns = memory_grow(i->columns, 2 * sizeof *i->columns);
        i->columns[i->columns_n++] = (struct def_index_column){.column = 2};
        index_of_expression(d, "sums", "(a + 1)")->unique = true;
        index_of_expression(d, "cast", "(a)::bigint");
        index_of_expression(d, "counted", "(id + a)");
        index_of_expression(d, "lower", "lower(name)")->unique = true;
        i = index_of_expression(d, "words", "to_tsvector('english'::regconfig, name)");
        free(i->what);
        i->what = text("gin");
        i = index_on(d, "living", 1);
        i->unique = true;
        i->what = text("partial (where (name IS NULL))");
        index_on(d, "apart", 1)->what = text("exclusion");
        i = index_on(d, "late", 2);
        i->unique = i->deferrable = true;
}

#define LEFT_OF_BOTH                                                                               \
        "public.t: index words on to_tsvector('english'::regconfig, name): gin, so it is not "     \
        "made\n"                                                                                   \
        "public.t: index living: partial (where (name IS NULL)), so it is not made; nothing on "   \
        "the target keeps its values unique\n"                                                     \
        "public.t: index apart: exclusion, so it is not made; nothing on the target does what it " \
        "did\n"                                                                                    \
        "public.t: key late is DEFERRABLE, which is not known there: it is an ordinary index; "    \
        "nothing on the target keeps its values unique\n"

static void test_indexes_that_are_not_plain(void **state)
{
        struct table_defs *t = defs_of(1, ENGINE_POSTGRESQL);
        struct ddl_names n = {.schema = "shop", .table = "t"};
        struct ddl out = {0};

        (void)state;
        make_indexes(&t->items[0]);
        write_ddl(&t->items[0], ENGINE_MYSQL, &n, &out);
        assert_list(&out.indexes, "alter table `shop`.`t` add unique key `sums` (((`a` + 1)))\n"
                                  "alter table `shop`.`t` add key `late` (`name`(191))\n");
        assert_list(&out.left_out,
                "public.t: index sum on (a + 1): its values may be too long for a unique key, so "
                "it is not made; nothing on the target keeps its values unique\n"
                "public.t: index cast on (a)::bigint: it has no equal, so it is not made\n"
                "public.t: index counted on (id + a): it has no equal, so it is not made\n"
                "public.t: index lower on lower(name): it has no equal, so it is not made; "
                "nothing on the target keeps its values unique\n" LEFT_OF_BOTH);
        ddl_done(&out);
        t->items[0].indexes[1].unique = false;
        write_ddl(&t->items[0], ENGINE_MYSQL, &n, &out);
        assert_string_equal(out.indexes.items[0].sql,
                "alter table `shop`.`t` add key `sum` (((`a` + 1)) desc, `name`(191))");
        ddl_done(&out);
        write_ddl(&t->items[0], ENGINE_MARIADB, &n, &out);
        assert_list(&out.indexes, "alter table `shop`.`t` add key `late` (`name`(191))\n");
        assert_string_equal(out.left_out.items[1].sql,
                "public.t: index sums on (a + 1): MariaDB has no indexes on expressions, so it is "
                "not made; nothing on the target keeps its values unique");
        ddl_done(&out);
        table_defs_free(t);
}

static void test_the_other_engine_of_the_family(void **state)
{
        struct table_defs *t = defs_of(1, ENGINE_MARIADB);
        struct table_def *d = &t->items[0];
        struct ddl_names n = {.schema = "shop", .table = "t"};
        struct def_column *c;
        struct ddl out = {0};

        (void)state;
        d->name = text("t");
        free(d->storage);
        d->storage = text("MyISAM");
        d->verbatim = text("CREATE TABLE `t` (\n  `never` int(11)\n) ENGINE=MyISAM");
        c = column(d, "a", "varchar(20) charset utf8mb4");
        c->collation = text("utf8mb4_uca1400_as_ci");
        c->comment = text("c");
        c->invisible = true;
        c = with_default(column(d, "ts", "timestamp(3)"), DEFAULT_NOW, "current_timestamp(3)");
        c->on_update_now = c->not_null = true;
        column(d, "id6", "inet6");
        index_on(d, "words", 0)->what = text("fulltext");
        write_ddl(d, ENGINE_MYSQL, &n, &out);
        assert_list(&out.table,
                "create table `shop`.`t` (\n"
                "  `a` varchar(20) charset utf8mb4 collate utf8mb4_0900_as_ci null invisible "
                "comment 'c',\n"
                "  `ts` timestamp(3) not null default current_timestamp(3) on update "
                "current_timestamp(3),\n"
                "  `id6` varchar(39) character set ascii collate ascii_bin null\n"
                ") engine = InnoDB\n");
        assert_list(&out.indexes, "alter table `shop`.`t` add fulltext key `words` (`a`)\n");
        assert_list(&out.left_out,
                "public.t: collation utf8mb4_0900_as_ci instead of utf8mb4_uca1400_as_ci\n"
                "public.t: engine InnoDB instead of MyISAM\n");
        ddl_done(&out);
        table_defs_free(t);
}

/* ---- the server's own text ---- */

static void make_own(struct table_def *d)
{
        d->name = text("o`ld");
        d->verbatim = text("CREATE TABLE `o``ld` (\n"
                           "  `id` int(11) NOT NULL AUTO_INCREMENT,\n"
                           "  `state` enum('a,)','b''`state`\\\\') DEFAULT 'a,)' COMMENT 'k (,',\n"
                           "  `legacy` int(11) DEFAULT NULL,\n"
                           "  `g` int(11) GENERATED ALWAYS AS (length(`state`) + 1) VIRTUAL,\n"
                           "  `h` int(11) GENERATED ALWAYS AS (`legacy` + 1) VIRTUAL,\n"
                           "  PRIMARY KEY (`g`),\n"
                           "  UNIQUE KEY `state` (`state`(10) DESC),\n"
                           "  KEY `no` (`id`,`state`),\n"
                           "  KEY `old` (`legacy`),\n"
                           "  CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `x` (`y`),\n"
                           "  CONSTRAINT `state` CHECK (`state` <> ')' and `id` > 1),\n"
                           "  CONSTRAINT `c2` CHECK (`legacy` > 1)\n"
                           ") ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='(`state`'\n"
                           " PARTITION BY HASH (`id`)");
        column(d, "id", "int(11)")->default_kind = DEFAULT_COUNTER;
        column(d, "state", "enum('a,)','b''`state`\\\\') charset latin1");
        column(d, "legacy", "int(11)");
        column(d, "g", "int(11)");
        column(d, "h", "int(11)");
        primary(d, 3);
        index_on(d, "no", 0);
}

static void test_the_same_engine(void **state)
{
        struct table_defs *t = defs_of(1, ENGINE_MARIADB);
        struct ddl_names n = {.schema = "shop", .table = "new", .column = renamed};
        struct ddl out = {0};

        (void)state;
        make_own(&t->items[0]);
        write_ddl(&t->items[0], ENGINE_MARIADB, &n, &out);
        assert_list(&out.table,
                "create table `shop`.`new` (\n"
                "  `id` int(11) NOT NULL AUTO_INCREMENT,\n"
                "  `Sta``te` enum('a,)','b''`state`\\\\') DEFAULT 'a,)' COMMENT 'k (,',\n"
                "  `g` int(11) GENERATED ALWAYS AS (length(`Sta``te`) + 1) VIRTUAL,\n"
                "  PRIMARY KEY (`g`),\n"
                "  KEY `no` (`id`,`Sta``te`),\n"
                "  CONSTRAINT `state` CHECK (`Sta``te` <> ')' and `id` > 1)\n"
                ") ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='(`state`'\n"
                " PARTITION BY HASH (`id`)\n");
        assert_list(&out.indexes,
                "alter table `shop`.`new` add UNIQUE KEY `state` (`Sta``te`(10) DESC)\n");
        assert_list(&out.left_out, "public.o`ld: column h: it uses a column that is left out\n"
                                   "public.o`ld: index old: a column of it is left out\n"
                                   "public.o`ld: check c2: a column of it is left out\n");
        assert_true(out.made[3]);
        assert_false(out.made[4]);
        ddl_done(&out);
        table_defs_free(t);
}

/* Cut anywhere, the text is refused or read, and nothing is read beyond its end. */
static void test_a_text_that_is_cut(void **state)
{
        struct table_defs *t = defs_of(1, ENGINE_MARIADB);
        struct ddl_names n = {.schema = "shop", .table = "new", .column = renamed};
        size_t len;

        (void)state;
        make_own(&t->items[0]);
        len = strlen(t->items[0].verbatim);
        while (len-- > 0) {
                struct ddl out = {0};
                struct error e = ERROR_INIT;
                char *cut = memory_printf("%.*s", (int)len, t->items[0].verbatim);
                char *last = strrchr(cut, '\n');

                free(t->items[0].verbatim);
                t->items[0].verbatim = cut;
                if (my_ddl(&t->items[0], ENGINE_MARIADB, &n, &out, &e) < 0)
                        assert_int_equal(e.class, ERROR_DATA);
                else
                        assert_true(last && strstr(cut, "\n)"));
                ddl_done(&out);
        }
        table_defs_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_table_of_postgresql),
                cmocka_unit_test(test_defaults_of_long_types),
                cmocka_unit_test(test_counters),
                cmocka_unit_test(test_foreign_keys),
                cmocka_unit_test(test_indexes_that_are_not_plain),
                cmocka_unit_test(test_the_other_engine_of_the_family),
                cmocka_unit_test(test_the_same_engine),
                cmocka_unit_test(test_a_text_that_is_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
