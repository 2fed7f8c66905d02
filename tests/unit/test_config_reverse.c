/* The configuration of the way back: names turned round, ends exchanged, options as they are. */
#include "base/memory.h"
#include "model/config_private.h"
#include "model/config_reverse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CROSS                                                                                      \
        "[source]\nuri = mysql://a@h1/shop\n[target]\nuri = postgresql://b@h2/new\n"               \
        "[pipeline]\nname = shop\nstate_dir = /var/s\n"
#define SAME                                                                                       \
        "[source]\nuri = postgresql://a@h1/x\n[target]\nuri = postgresql://b@h2/y\n"               \
        "[pipeline]\nname = shop\n"

struct pair {
        struct config *c, *r;
};

static struct pair turn(const char *text)
{
        struct error e = ERROR_INIT;
        struct pair p = {.c = config_parse("/x.conf", text, strlen(text), false)};

        assert_int_equal(p.c->problems_n, 0);
        p.r = config_reverse(p.c, &e);
        assert_string_equal(e.message, "");
        assert_non_null(p.r);
        return p;
}

static void done(struct pair p)
{
        config_free(p.r);
        config_free(p.c);
}

static void expect_name(const struct config *r, const char *schema, const char *name,
        const char *source_schema, const char *source_name)
{
        const char *s, *n;

        assert_true(config_reverse_name(r, schema, name, &s, &n));
        assert_string_equal(s, source_schema);
        assert_string_equal(n, source_name);
}

static void test_ends(void **state)
{
        struct pair p = turn(CROSS "[apply]\nbatch_rows = 7\n[queue]\nmemory = 5MiB\n");

        (void)state;
        assert_string_equal(p.r->source.uri, "postgresql://b@h2/new");
        assert_int_equal(p.r->source.kind, KIND_POSTGRESQL);
        assert_string_equal(p.r->target.uri, "mysql://a@h1/shop");
        assert_int_equal(p.r->target.kind, KIND_MYSQL);
        assert_string_equal(p.r->pipeline.name, "shop_reverse");
        assert_string_equal(p.r->pg.slot, "culvert_shop_reverse");
        assert_string_equal(p.r->pg.publication, "culvert_shop_reverse");
        assert_string_equal(p.r->pipeline.state_dir, "/var/s/reverse");
        assert_int_equal(p.r->apply.batch_rows, 7);
        assert_int_equal(p.r->queue.memory, 5 << 20);
        assert_int_equal(p.r->snapshot.mode, SNAPSHOT_NONE);
        assert_false(p.r->tables.create);
        done(p);
}

/* public stands for the MySQL database in both directions. */
static void test_names_across_engines(void **state)
{
        struct pair p = turn(CROSS);

        (void)state;
        expect_name(p.r, "public", "orders", "shop", "orders");
        assert_true(config_selects(p.r, "public", "orders"));
        assert_false(config_selects(p.r, "other", "orders")); /* the default: shop.* alone */
        assert_false(config_selects(p.r, "culvert", "checkpoint"));
        assert_string_equal(config_schema_of(p.r, "public"), "shop");
        done(p);
}

static void test_renames(void **state)
{
        struct pair p = turn(SAME "[tables]\ninclude = app.*, b.x\nexclude = app.log*\n"
                                  "[schemas]\napp = web\n"
                                  "[table app.orders]\nto = orders_2\ncolumn.state.to = status\n"
                                  "columns.exclude = note\nwhere = id > 5\n"
                                  "[table b.x]\nto = web.y\n");
        const struct config_table *t = config_table_of(p.r, "web", "orders_2");

        (void)state;
        expect_name(p.r, "web", "items", "app", "items");
        expect_name(p.r, "web", "orders_2", "app", "orders");
        expect_name(p.r, "web", "y", "b", "x");
        assert_true(config_selects(p.r, "web", "items"));
        assert_true(config_selects(p.r, "web", "orders_2"));
        assert_true(config_selects(p.r, "web", "y"));
        assert_false(config_selects(p.r, "web", "orders")); /* the source's goes to orders_2 */
        assert_false(config_selects(p.r, "web", "log_1"));  /* excluded there */
        assert_false(config_selects(p.r, "app", "items"));  /* app is web on the target */
        assert_non_null(t);
        assert_string_equal(t->to_schema, "app");
        assert_string_equal(t->to_name, "orders");
        assert_null(t->where);
        assert_int_equal(t->columns_exclude.n, 0);
        assert_int_equal(t->renames_n, 1);
        assert_string_equal(t->renames[0].from, "status");
        assert_string_equal(t->renames[0].to, "state");
        done(p);
}

static void test_only(void **state)
{
        struct pair p = turn(SAME);
        static const char *const names[] = {"public", "b", "public", "a", "a.b", "c"};

        (void)state;
        assert_true(config_selects(p.r, "public", "extra"));
        config_reverse_only(p.r, names, 3);
        assert_true(config_selects(p.r, "public", "a"));
        assert_true(config_selects(p.r, "public", "b"));
        assert_true(config_selects(p.r, "a.b", "c"));
        assert_false(config_selects(p.r, "a", "b.c"));
        assert_false(config_selects(p.r, "public", "extra"));
        config_reverse_only(p.r, NULL, 0); /* no table is a list, too */
        assert_false(config_selects(p.r, "public", "a"));
        done(p);
}

static void test_equal(void **state)
{
        struct pair p =
                turn(SAME "[table public.t]\nto = u\nwhere = id > 5\ncolumns.exclude = a, b\n"
                          "column.c.to = d\n[apply]\nbatch_rows = 9\n");
        struct config *q = config_equal(p.c);
        const struct config_table *t = config_table_of(q, "public", "t");

        (void)state;
        assert_string_equal(q->pipeline.name, "shop");
        assert_string_equal(q->source.uri, p.c->source.uri);
        assert_int_equal(q->snapshot.mode, SNAPSHOT_NONE);
        assert_int_equal(q->tables.existing, EXISTING_APPEND);
        assert_int_equal(q->apply.batch_rows, 9);
        assert_string_equal(t->to_name, "u");
        assert_string_equal(t->where, "id > 5");
        assert_int_equal(t->columns_exclude.n, 2);
        assert_string_equal(t->renames[0].to, "d");
        assert_true(config_selects(q, "public", "t"));
        config_free(q);
        q = config_equal(p.r);
        assert_string_equal(q->pipeline.name, "shop_reverse");
        assert_true(config_selects(q, "public", "u"));
        assert_false(config_selects(q, "public", "t"));
        config_free(q);
        done(p);
}

static void test_reload(void **state)
{
        struct pair p = turn(SAME "[apply]\nbatch_rows = 9\n"), later = turn(SAME);

        (void)state;
        config_reload(p.r, later.c);
        assert_int_equal(p.r->apply.batch_rows, 10000);
        done(p);
        done(later);
}

static void refuse(const char *text, const char *want)
{
        struct config *c = config_parse("/x.conf", text, strlen(text), false);
        struct error e = ERROR_INIT;

        assert_int_equal(c->problems_n, 0);
        assert_null(config_reverse(c, &e));
        assert_non_null(strstr(e.message, want));
        assert_int_equal(e.class, ERROR_CONFIG);
        config_free(c);
}

static void test_no_way_back(void **state)
{
        (void)state;
        refuse(SAME "[schemas]\na = x\nb = x\n", "schemas a and b are both x");
        refuse("[source]\nuri = postgresql://a@h1/x\n[target]\nuri = segments:/tmp/a\n"
               "[snapshot]\nmode = none\n",
                "archive");
        refuse("[source]\nuri = postgresql://a@h1/x\nslot = "
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
               "[target]\nuri = postgresql://b@h2/y\n",
                "too long");
}

static void test_name_of_another(void **state)
{
        static const char text[] = "[source]\nuri = postgresql://a@h1/x\n[target]\nuri = "
                                   "postgresql://b@h2/y\n[pipeline]\nname = shop_reverse\n";
        struct config *c = config_parse("/x.conf", text, sizeof text - 1, false);

        (void)state;
        assert_int_equal(c->problems_n, 1);
        assert_int_equal(c->problems[0].line, 6);
        assert_non_null(strstr(c->problems[0].text, "the way back of others"));
        config_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ends),
                cmocka_unit_test(test_names_across_engines),
                cmocka_unit_test(test_renames),
                cmocka_unit_test(test_only),
                cmocka_unit_test(test_equal),
                cmocka_unit_test(test_reload),
                cmocka_unit_test(test_no_way_back),
                cmocka_unit_test(test_name_of_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
