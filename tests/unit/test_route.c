#include "flow/route.h"
#include "flow/tally.h"
#include "base/memory.h"
#include "model/config_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fixtures ---- */

struct setting {
        struct config *config;
        struct route *route;
        struct tally tally;
        struct error e;
};

static void open_with(struct setting *s, const char *options)
{
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF problems = BUF_INIT;

        memset(s, 0, sizeof *s);
        buf_printf(&text,
                "[source]\nuri = postgresql://a@h/x\n[target]\nuri = postgresql://a@h/y\n%s",
                options);
        s->config = config_parse("/route.conf", text.data, text.len, false);
        config_print_problems(s->config, &problems);
        assert_string_equal(buf_text(&problems), "");
        s->route = route_new(s->config);
}

static void done(struct setting *s)
{
        tally_done(&s->tally);
        s->route = route_free(s->route);
        s->config = config_free(s->config);
}

/* Columns as "*id:23 name:25": * is the key. */
static struct relation *shape(
        uint32_t id, const char *schema, const char *name, char identity, const char *columns)
{
        char list[200], *at = list, *column;
        uint16_t n = *columns != '\0', i = 0;
        struct relation *r;

        for (const char *p = columns; *p; p++)
                n += *p == ' ';
        r = relation_new(id, schema, name, (enum replica_identity)identity, n);
        snprintf(list, sizeof list, "%s", columns);
        while (i < n && (column = strsep(&at, " "))) {
                char *type = strchr(column, ':');

                *type = '\0';
                relation_set_column(r, i++, column + (*column == '*'),
                        (uint32_t)strtoul(type + 1, NULL, 10), -1, *column == '*');
        }
        return r;
}

static struct relation *items(void)
{
        return shape(10, "public", "items", 'd', "*id:23 name:25 note:25");
}

/* The stream tells a shape; the one known from the start is the same. */
static struct relation *tell(struct setting *s, struct relation *r)
{
        struct relation *known = relation_new(r->id, r->schema, r->name, r->identity, r->columns_n);

        for (uint16_t i = 0; i < r->columns_n; i++)
                relation_set_column(known, i, r->columns[i].name, r->columns[i].type,
                        r->columns[i].modifier, r->columns[i].key);
        route_expect(s->route, known, NULL);
        relation_unref(known);
        if (route_relation(s->route, r, &s->e) < 0)
                fail_msg("%s", s->e.message);
        return r;
}

/* Values by '|': "N" is NULL, "U" unchanged, else text. NULL: no row. */
static struct value *row(struct txn *t, const struct relation *r, const char *values)
{
        char list[200], *at = list, *v;
        struct value *out;
        uint16_t i = 0;

        if (!values)
                return NULL;
        out = arena_zero(t->arena, r->columns_n * sizeof *out);
        snprintf(list, sizeof list, "%s", values);
        while ((v = strsep(&at, "|"))) {
                assert_true(i < r->columns_n);
                if (!strcmp(v, "U"))
                        out[i].kind = VALUE_UNCHANGED;
                else if (strcmp(v, "N") != 0)
                        out[i] = (struct value){VALUE_TEXT, (uint32_t)strlen(v),
                                arena_text(t->arena, v, strlen(v))};
                i++;
        }
        assert_int_equal(i, r->columns_n);
        return out;
}

static void add(struct txn *t, enum change_op op, const struct relation *r, const char *old,
        const char *new)
{
        struct change *c = txn_add(t, op, r);

        c->old = row(t, r, old);
        c->new = row(t, r, new);
        c->old_full = r->identity == IDENTITY_FULL;
}

static void add_truncate(struct txn *t, unsigned n, struct relation *const *list)
{
        struct change *c = txn_add(t, CHANGE_TRUNCATE, list[0]);

        c->truncated = arena_alloc(t->arena, n * sizeof *c->truncated);
        for (unsigned i = 0; i < n; i++) {
                c->truncated[i] = list[i];
                txn_hold(t, list[i]);
        }
        c->truncated_n = n;
}

static void render_row(struct buf *out, const struct value *v, const struct relation *r)
{
        buf_char(out, '(');
        for (uint16_t i = 0; i < r->columns_n; i++)
                buf_printf(out, "%s%s=%s", i ? ", " : "", r->columns[i].name,
                        v[i].kind == VALUE_NULL        ? "NULL"
                        : v[i].kind == VALUE_UNCHANGED ? "unchanged"
                                                       : v[i].data);
        buf_char(out, ')');
}

static void render(struct buf *out, const struct txn *t)
{
        static const char *const names[] = {"insert", "update", "delete", "truncate"};
        unsigned n = 0;

        for (const struct change *c = t->changes; c; c = c->next, n++) {
                buf_printf(out, "%s%s %s.%s", n ? "; " : "", names[c->op], c->relation->schema,
                        c->relation->name);
                for (uint32_t i = 1; i < c->truncated_n; i++)
                        buf_printf(out, ", %s.%s", c->truncated[i]->schema, c->truncated[i]->name);
                if (c->old)
                        render_row(out, c->old, c->relation);
                if (c->old && c->new)
                        buf_str(out, " -> ");
                if (c->new)
                        render_row(out, c->new, c->relation);
        }
        assert_int_equal(n, t->changes_n);
}

/* Routes the piece, counts, compares and frees it. */
static void expect(struct setting *s, struct txn *t, const char *text)
{
        AUTO_BUF out = BUF_INIT;

        if (route_apply(s->route, t, &s->e) < 0)
                fail_msg("%s", s->e.message);
        tally_piece(&s->tally, s->route, t);
        render(&out, t);
        assert_string_equal(buf_text(&out), text);
        txn_add(t, CHANGE_INSERT, t->changes->relation); /* the tail is right */
        txn_free(t);
}

static void expect_error(struct setting *s, struct txn *t, const char *what)
{
        assert_int_equal(route_apply(s->route, t, &s->e), -1);
        assert_int_equal(s->e.class, ERROR_DATA);
        if (!strstr(s->e.message, what))
                fail_msg("'%s' has no '%s'", s->e.message, what);
        txn_free(t);
}

static void change(struct setting *s, enum change_op op, const struct relation *r, const char *old,
        const char *new, const char *text)
{
        struct txn *t = txn_new();

        add(t, op, r, old, new);
        if (*text)
                expect(s, t, text);
        else {
                if (route_apply(s->route, t, &s->e) < 0)
                        fail_msg("%s", s->e.message);
                assert_int_equal(t->changes_n, 0);
                assert_null(t->changes);
                txn_free(t);
        }
}

static void refused(struct setting *s, enum change_op op, const struct relation *r, const char *old,
        const char *new, const char *what)
{
        struct txn *t = txn_new();

        add(t, op, r, old, new);
        expect_error(s, t, what);
}

/* ---- which tables, which names ---- */

static void test_include_and_exclude(void **state)
{
        struct setting s;

        (void)state;
        open_with(&s, "[tables]\ninclude = public.*, sales.orders\nexclude = public.tmp_*\n");
        assert_non_null(route_find(s.route, "public", "items"));
        assert_non_null(route_find(s.route, "sales", "orders"));
        assert_null(route_find(s.route, "sales", "other"));
        assert_null(route_find(s.route, "public", "tmp_1"));
        assert_null(route_find(s.route, "pg_catalog", "pg_class"));
        assert_null(route_find(s.route, "culvert", "checkpoint"));
        assert_ptr_equal(
                route_find(s.route, "public", "items"), route_find(s.route, "public", "items"));
        done(&s);
        assert_null(route_free(NULL));
}

static void test_names_on_the_target(void **state)
{
        struct setting s;
        const struct route_table *t;

        (void)state;
        open_with(&s, "[schemas]\npublic = shop\n[table public.items]\nto = archive.things\n"
                      "[table sales.orders]\ncolumns.exclude = secret, other\ncolumn.id.to = nr\n"
                      "on_conflict = stop\n");
        t = route_find(s.route, "public", "other");
        assert_string_equal(t->schema, "shop");
        assert_string_equal(t->name, "other");
        assert_true(route_is_renamed(t));
        t = route_find(s.route, "public", "items");
        assert_string_equal(t->schema, "archive");
        assert_string_equal(t->name, "things");
        assert_string_equal(t->source_schema, "public");
        assert_string_equal(t->source_name, "items");
        t = route_find(s.route, "sales", "orders");
        assert_string_equal(t->schema, "sales");
        assert_null(route_column(t, "secret"));
        assert_string_equal(route_column(t, "id"), "nr");
        assert_string_equal(route_column(t, "rest"), "rest");
        assert_true(route_is_renamed(t));
        t = route_find(s.route, "sales", "plain");
        assert_false(route_is_renamed(t));
        assert_string_equal(route_column(t, "id"), "id");
        done(&s);
}

static void test_changes_of_other_tables_go(void **state)
{
        struct setting s;
        struct relation *in, *out;
        struct txn *t = txn_new();

        (void)state;
        open_with(&s, "[tables]\nexclude = public.tmp_*\n");
        in = tell(&s, items());
        out = tell(&s, shape(11, "public", "tmp_x", 'd', "*id:23"));
        add(t, CHANGE_INSERT, out, NULL, "1");
        add(t, CHANGE_INSERT, in, NULL, "1|a|N");
        add(t, CHANGE_DELETE, out, "1", NULL);
        add(t, CHANGE_UPDATE, in, NULL, "1|b|U");
        add(t, CHANGE_INSERT, out, NULL, "2");
        expect(&s, t,
                "insert public.items(id=1, name=a, note=NULL); "
                "update public.items(id=1, name=b, note=unchanged)");
        assert_int_equal(route_find(s.route, "public", "items")->durable.inserts, 0);
        tally_close(&s.tally, (struct position){.lsn = 7});
        tally_durable(&s.tally, (struct position){.lsn = 7});
        assert_int_equal(route_find(s.route, "public", "items")->durable.inserts, 1);
        assert_int_equal(route_find(s.route, "public", "items")->durable.updates, 1);
        change(&s, CHANGE_INSERT, out, NULL, "3", "");
        relation_unref(in);
        relation_unref(out);
        done(&s);
}

/* A table that came after the start is not migrated, whatever the patterns say. */
static void test_unknown_table(void **state)
{
        struct setting s;
        struct relation *r = items();

        (void)state;
        open_with(&s, "");
        assert_int_equal(route_relation(s.route, r, &s.e), 0);
        change(&s, CHANGE_INSERT, r, NULL, "1|a|b", "");
        relation_unref(r);
        done(&s);
}

static void test_columns(void **state)
{
        struct setting s;
        struct relation *r;

        (void)state;
        open_with(&s, "[schemas]\npublic = shop\n[table public.items]\ncolumns.exclude = name\n"
                      "column.id.to = nr\ncolumn.note.to = Remark\n");
        r = tell(&s, items());
        change(&s, CHANGE_INSERT, r, NULL, "1|secret|n", "insert shop.items(nr=1, Remark=n)");
        change(&s, CHANGE_UPDATE, r, "1|U|U", "2|secret|U",
                "update shop.items(nr=1, Remark=unchanged) -> (nr=2, Remark=unchanged)");
        change(&s, CHANGE_DELETE, r, "2|U|U", NULL, "delete shop.items(nr=2, Remark=unchanged)");
        tally_close(&s.tally, (struct position){.lsn = 7});
        tally_durable(&s.tally, (struct position){.lsn = 7});
        assert_int_equal(route_find(s.route, "public", "items")->durable.deletes, 1);
        relation_unref(r);
        done(&s);
}

static void shape_refused(const char *options, char identity, const char *what)
{
        struct setting s;
        struct relation *r = shape(10, "public", "items", identity, "*id:23 name:25 note:25");

        open_with(&s, options);
        route_expect(s.route, r, NULL);
        assert_int_equal(route_relation(s.route, r, &s.e), -1);
        assert_int_equal(s.e.class, ERROR_CONFIG);
        if (!strstr(s.e.message, what))
                fail_msg("'%s' has no '%s'", s.e.message, what);
        assert_non_null(strstr(s.e.message, "public.items"));
        relation_unref(r);
        done(&s);
}

static void test_options_that_do_not_fit(void **state)
{
        (void)state;
        shape_refused(
                "[table public.items]\ncolumns.exclude = nothing\n", 'd', "no column 'nothing'");
        shape_refused("[table public.items]\ncolumn.nothing.to = x\n", 'd', "no column 'nothing'");
        shape_refused("[table public.items]\ncolumns.exclude = id\n", 'd', "part of the replica");
        shape_refused(
                "[table public.items]\ncolumn.id.to = note\n", 'd', "two columns become 'note'");
        shape_refused("[table public.items]\nwhere = nothing = 1\n", 'd', "no column 'nothing'");
        shape_refused("[table public.items]\nwhere = name = 'x'\n", 'd', "replica identity full");
        shape_refused("[table public.items]\nwhere = id = 'x'\n", 'd', "not a number");
}

/* ---- where ---- */

static void test_filter(void **state)
{
        struct setting s;
        struct relation *r;

        (void)state;
        open_with(&s, "[table public.items]\nwhere = id > 100\n");
        r = tell(&s, items());
        change(&s, CHANGE_INSERT, r, NULL, "99|a|b", "");
        change(&s, CHANGE_INSERT, r, NULL, "101|a|b",
                "insert public.items(id=101, name=a, note=b)");
        change(&s, CHANGE_DELETE, r, "100|U|U", NULL, "");
        change(&s, CHANGE_DELETE, r, "101|U|U", NULL,
                "delete public.items(id=101, name=unchanged, note=unchanged)");
        change(&s, CHANGE_UPDATE, r, NULL, "7|a|b", "");
        change(&s, CHANGE_UPDATE, r, NULL, "700|a|U",
                "update public.items(id=700, name=a, note=unchanged)");
        change(&s, CHANGE_UPDATE, r, "101|U|U", "102|a|b",
                "update public.items(id=101, name=unchanged, note=unchanged) -> "
                "(id=102, name=a, note=b)");
        change(&s, CHANGE_UPDATE, r, "1|U|U", "2|a|b", "");
        change(&s, CHANGE_UPDATE, r, "101|U|U", "2|a|b", /* out of the filter */
                "delete public.items(id=101, name=unchanged, note=unchanged)");
        change(&s, CHANGE_UPDATE, r, "1|U|U", "102|a|b", /* into the filter */
                "insert public.items(id=102, name=a, note=b)");
        refused(&s, CHANGE_UPDATE, r, "1|U|U", "102|a|U", "column 'note' is not in the log");
        relation_unref(r);
        done(&s);
}

static void test_filter_with_full_rows(void **state)
{
        struct setting s;
        struct relation *r;

        (void)state;
        open_with(&s, "[table public.items]\nwhere = name = 'keep' and note is not null\n"
                      "columns.exclude = name\n");
        r = tell(&s, shape(10, "public", "items", 'f', "*id:23 *name:25 *note:25"));
        change(&s, CHANGE_INSERT, r, NULL, "1|keep|n", "insert public.items(id=1, note=n)");
        change(&s, CHANGE_INSERT, r, NULL, "1|keep|N", "");
        change(&s, CHANGE_INSERT, r, NULL, "1|N|n", "");
        change(&s, CHANGE_UPDATE, r, "1|keep|n", "1|go|n", "delete public.items(id=1, note=n)");
        /* unchanged TOAST values come from the old row, in the filter's columns and in others */
        change(&s, CHANGE_UPDATE, r, "1|keep|n", "2|U|m",
                "update public.items(id=1, note=n) -> (id=2, note=m)");
        change(&s, CHANGE_UPDATE, r, "1|go|n", "2|keep|U", "insert public.items(id=2, note=n)");
        change(&s, CHANGE_UPDATE, r, "1|go|n", "2|U|n", "");
        relation_unref(r);
        done(&s);
}

/* Servers before 14.2 do not log a key whose value is an unchanged TOAST datum. */
static void test_filter_column_not_in_the_log(void **state)
{
        struct setting s;
        struct relation *r;

        (void)state;
        open_with(&s, "[table public.items]\nwhere = name = 'keep'\n");
        r = tell(&s, shape(10, "public", "items", 'd', "*id:23 *name:25 note:25"));
        refused(&s, CHANGE_UPDATE, r, NULL, "1|U|b", "'name'");
        refused(&s, CHANGE_UPDATE, r, "1|U|U", "1|U|b", "'name'");
        refused(&s, CHANGE_DELETE, r, "1|U|U", NULL, "'name'");
        refused(&s, CHANGE_INSERT, r, NULL, "1|U|b", "'name'");
        relation_unref(r);
        done(&s);
}

/* ---- DDL ---- */

static void ddl(struct relation *now, const char *what)
{
        struct setting s;
        struct relation *known = items();

        open_with(&s, "");
        route_expect(s.route, known, NULL);
        assert_int_equal(route_relation(s.route, now, &s.e), -1);
        assert_int_equal(s.e.class, ERROR_DATA);
        assert_string_equal(s.e.table, "public.items");
        assert_non_null(strstr(s.e.message, "ddl = stop"));
        assert_ptr_equal(route_refused(s.route), now);
        route_forget_refused(s.route);
        assert_null(route_refused(s.route));
        if (!strstr(s.e.message, what))
                fail_msg("'%s' has no '%s'", s.e.message, what);
        relation_unref(known);
        relation_unref(now);
        done(&s);
}

static void test_ddl(void **state)
{
        (void)state;
        ddl(shape(10, "public", "items", 'd', "*id:23 name:25 note:25 x:25"), "column x added");
        ddl(shape(10, "public", "items", 'd', "*id:23 name:25"), "column note dropped");
        ddl(shape(10, "public", "items", 'd', "*id:20 name:25 note:25"),
                "type of column id changed");
        ddl(shape(10, "public", "items", 'd', "id:23 *name:25 note:25"), "column id left");
        ddl(shape(10, "public", "items", 'f', "*id:23 *name:25 *note:25"), "replica identity");
        ddl(shape(10, "public", "articles", 'd', "*id:23 name:25 note:25"),
                "renamed to public.articles");
        ddl(shape(10, "archive", "items", 'd', "*id:23 name:25 note:25"),
                "renamed to archive.items");
        ddl(shape(77, "public", "items", 'd', "*id:23 name:25 note:25"), "dropped and made again");
}

static void test_ddl_elsewhere(void **state)
{
        struct setting s;
        struct relation *known = shape(11, "public", "tmp", 'd', "*id:23");
        struct relation *now = shape(11, "public", "tmp", 'd', "*id:23 x:25");

        (void)state;
        open_with(&s, "[tables]\nexclude = public.tmp\n");
        route_expect(s.route, known, NULL);
        assert_int_equal(route_relation(s.route, now, &s.e), 0);
        change(&s, CHANGE_INSERT, now, NULL, "1|a", "");
        relation_unref(known);
        relation_unref(now);
        done(&s);
}

/* After the operator took the change over, the new shape is the known one. */
static void test_ddl_taken_over(void **state)
{
        struct setting s;
        struct relation *old, *new;
        struct txn *t = txn_new();

        (void)state;
        open_with(&s, "");
        old = tell(&s, items());
        add(t, CHANGE_INSERT, old, NULL, "1|a|b");
        new = tell(&s, shape(10, "public", "items", 'd', "*id:23 x:25"));
        relation_unref(old);
        add(t, CHANGE_INSERT, new, NULL, "2|x");
        expect(&s, t, "insert public.items(id=1, name=a, note=b); insert public.items(id=2, x=x)");
        relation_unref(new);
        done(&s);
}

/* While the stream still has both, the old definition and the one taken over are good. */
static void test_two_definitions(void **state)
{
        struct setting s;
        struct relation *old = items(), *again = items();
        struct relation *next = shape(10, "public", "items", 'd', "*id:23 x:25");
        struct relation *third = shape(10, "public", "items", 'd', "*id:23 y:25");

        (void)state;
        open_with(&s, "");
        route_expect(s.route, old, next);
        assert_int_equal(route_relation(s.route, again, &s.e), 0);
        assert_int_equal(route_relation(s.route, next, &s.e), 0);
        change(&s, CHANGE_INSERT, again, NULL, "1|a|b",
                "insert public.items(id=1, name=a, note=b)");
        change(&s, CHANGE_INSERT, next, NULL, "2|x", "insert public.items(id=2, x=x)");
        assert_int_equal(route_relation(s.route, third, &s.e), -1);
        assert_ptr_equal(route_refused(s.route), third);
        relation_unref(old);
        relation_unref(again);
        relation_unref(next);
        relation_unref(third); /* the route keeps what it refused */
        assert_string_equal(route_refused(s.route)->columns[1].name, "y");
        done(&s);
}

/* Within one table the order changes only when a column was dropped and added again under its
 * name: that is a definition to be accepted, and names decide from then on. */
static void test_order_of_columns(void **state)
{
        struct setting s;
        struct relation *known = items();
        struct relation *now = shape(10, "public", "items", 'd', "note:25 *id:23 name:25");

        (void)state;
        open_with(&s, "");
        route_expect(s.route, known, NULL);
        assert_int_equal(route_relation(s.route, now, &s.e), -1);
        assert_non_null(strstr(s.e.message, "columns of items are in another order"));
        relation_unref(now);
        now = shape(10, "public", "items", 'd', "note:25 *id:23 name:25");
        route_expect(s.route, known, now);
        assert_int_equal(route_relation(s.route, now, &s.e), 0);
        change(&s, CHANGE_INSERT, now, NULL, "n|1|a", "insert public.items(note=n, id=1, name=a)");
        relation_unref(known);
        relation_unref(now);
        done(&s);
}

/* ---- truncate ---- */

static void truncate_under(const char *policy, const char *text, const char *error)
{
        struct setting s;
        struct relation *r[3];
        struct txn *t = txn_new();
        AUTO_STRING options = memory_printf("[schemas]\npublic = shop\n[tables]\n"
                                            "exclude = public.tmp\non_truncate = %s\n",
                policy);

        open_with(&s, options);
        r[0] = tell(&s, shape(11, "public", "tmp", 'd', "*id:23"));
        r[1] = tell(&s, items());
        r[2] = tell(&s, shape(12, "public", "more", 'd', "*id:23"));
        add_truncate(t, 3, r);
        add(t, CHANGE_INSERT, r[1], NULL, "1|a|b");
        if (error)
                expect_error(&s, t, error);
        else
                expect(&s, t, text);
        t = txn_new();
        add_truncate(t, 1, r); /* of an excluded table only: nobody's concern */
        assert_int_equal(route_apply(s.route, t, &s.e), 0);
        assert_int_equal(t->changes_n, 0);
        txn_free(t);
        for (int i = 0; i < 3; i++)
                relation_unref(r[i]);
        done(&s);
}

static void test_truncate(void **state)
{
        (void)state;
        truncate_under("apply",
                "truncate shop.items, shop.more; "
                "insert shop.items(id=1, name=a, note=b)",
                NULL);
        truncate_under("ignore", "insert shop.items(id=1, name=a, note=b)", NULL);
        truncate_under("stop", NULL, "shop.items was truncated on the source (on_truncate = stop)");
}

/* Its copy has what commits before that; other tables are as they were. */
static void test_table_that_begins_later(void **state)
{
        struct relation *r = items(), *again = items();
        struct setting s;

        (void)state;
        open_with(&s, "");
        route_expect(s.route, r, NULL);
        route_begin(s.route, r, (struct position){.lsn = 500});
        assert_int_equal(route_relation(s.route, r, &s.e), 0);
        for (uint64_t commit = 499; commit <= 500; commit++) {
                struct txn *t = txn_new();

                t->commit.lsn = commit;
                txn_add(t, CHANGE_INSERT, r)->new = row(t, r, "1|a|b");
                txn_add(t, CHANGE_TRUNCATE, r)->truncated = &(const struct relation *){r};
                t->changes->next->truncated_n = 1;
                assert_int_equal(route_apply(s.route, t, &s.e), 0);
                assert_int_equal(t->changes_n, commit == 500 ? 2 : 0);
                txn_free(t);
        }
        route_expect(s.route, again, NULL);
        assert_int_equal(route_relation(s.route, again, &s.e), 0);
        struct txn *t = txn_new();

        t->commit.lsn = 400;
        txn_add(t, CHANGE_INSERT, again)->new = row(t, again, "1|a|b");
        assert_int_equal(route_apply(s.route, t, &s.e), 0);
        assert_int_equal(t->changes_n, 1);
        txn_free(t);
        relation_unref(r);
        relation_unref(again);
        done(&s);
}

/* Sources without relation ids tell tables by name, and DDL as statements. */
static void test_tables_by_name(void **state)
{
        struct setting s;
        struct relation *a = shape(0, "shop", "a", 'd', "*id:3"),
                        *b = shape(0, "shop", "b", 'd', "*id:3");
        struct relation *next = shape(0, "shop", "b", 'd', "*id:3 x:3");

        (void)state;
        open_with(&s, "");
        route_expect(s.route, a, NULL);
        route_expect(s.route, b, next);
        assert_ptr_equal(route_known(s.route, "shop", "a", 0), a);
        assert_null(route_known(s.route, "shop", "a", 1));
        assert_ptr_equal(route_known(s.route, "shop", "b", 0), b);
        assert_ptr_equal(route_known(s.route, "shop", "b", 1), next);
        assert_null(route_known(s.route, "shop", "c", 0));
        assert_int_equal(route_relation(s.route, a, &s.e), 0);
        assert_int_equal(route_relation(s.route, a, &s.e), 0); /* told again, as after a rotate */
        assert_int_equal(route_relation(s.route, next, &s.e), 0);
        relation_unref(a);
        relation_unref(b);
        relation_unref(next);
        done(&s);
}

static void test_statements_stop(void **state)
{
        struct statement alter = {.kind = STATEMENT_ALTER,
                .schema = "shop",
                .table = "a",
                .at = {.lsn = 400, .file = 3},
                .end = {.lsn = 500, .file = 3}};
        struct setting s;

        (void)state;
        open_with(&s, "");
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_int_equal(s.e.class, ERROR_DATA);
        assert_string_equal(s.e.table, "shop.a");
        assert_string_equal(s.e.position, "000003:500");
        assert_string_equal(s.e.code, ROUTE_STATEMENT_CODE);
        assert_non_null(strstr(s.e.message, "altered"));
        route_accept_statements(s.route, alter.end); /* the operator has resumed */
        assert_int_equal(route_statement(s.route, &alter, &s.e), 0);
        alter.kind = STATEMENT_WRITE;
        alter.end.lsn = 600;
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1); /* the next one is another */
        assert_non_null(strstr(s.e.message, "not logged by row"));
        done(&s);
}

/* Rows without names between two changes of a definition, which was read after both. */
static void test_doubt(void **state)
{
        struct relation *a = shape(0, "shop", "a", 'd', "*id:3");
        struct statement alter = {.kind = STATEMENT_ALTER,
                .schema = "shop",
                .table = "a",
                .end = {.lsn = 600, .file = 3}};
        struct setting s;

        (void)state;
        open_with(&s, "");
        route_expect(s.route, a, NULL);
        assert_ptr_equal(route_known(s.route, "shop", "", 0), a); /* any of the schema */
        assert_null(route_known(s.route, "elsewhere", "", 0));
        route_doubt(s.route, "shop", "a",
                &(struct route_doubt){.read = {.lsn = 700, .file = 3}, .rows = true});
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_null(strstr(s.e.message, "names of columns")); /* there were none */
        ((struct route_table *)(uintptr_t)route_find(s.route, "shop", "a"))->doubted = true;
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_non_null(strstr(s.e.message, "names of columns"));
        assert_string_equal(s.e.code, ROUTE_STATEMENT_CODE);
        alter.end.lsn = 800;
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_null(strstr(s.e.message, "names of columns"));
        route_expect_none(s.route);
        assert_null(route_known(s.route, "shop", "a", 0));
        relation_unref(a);
        done(&s);
}

/* Keys act on what is deleted or updated, in any table. */
static void test_doubt_about_keys(void **state)
{
        struct relation *known;
        struct statement alter = {.kind = STATEMENT_ALTER,
                .schema = "public",
                .table = "children",
                .end = {.lsn = 600, .file = 3}};
        struct route_doubt doubt = {.read = {.lsn = 700, .file = 3}, .keys = true};
        struct setting s;

        (void)state;
        open_with(&s, "");
        known = tell(&s, items());
        route_doubt(s.route, "public", "children", &doubt);
        change(&s, CHANGE_INSERT, known, NULL, "1|a|b", "insert public.items(id=1, name=a, note=b)");
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_null(strstr(s.e.message, "foreign keys were read"));
        change(&s, CHANGE_DELETE, known, "1|N|N", NULL, "delete public.items(id=1, name=NULL, note=NULL)");
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_non_null(strstr(s.e.message, "foreign keys were read"));
        alter.end.lsn = 701;
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_null(strstr(s.e.message, "foreign keys were read"));
        alter.end.lsn = 600;
        route_doubt(s.route, "public", "children", &doubt);
        assert_int_equal(route_statement(s.route, &alter, &s.e), -1);
        assert_null(strstr(s.e.message, "foreign keys were read"));
        done(&s);
        relation_unref(known);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables_by_name),
                cmocka_unit_test(test_statements_stop),
                cmocka_unit_test(test_doubt),
                cmocka_unit_test(test_doubt_about_keys),
                cmocka_unit_test(test_include_and_exclude),
                cmocka_unit_test(test_names_on_the_target),
                cmocka_unit_test(test_changes_of_other_tables_go),
                cmocka_unit_test(test_unknown_table),
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_options_that_do_not_fit),
                cmocka_unit_test(test_filter),
                cmocka_unit_test(test_filter_with_full_rows),
                cmocka_unit_test(test_filter_column_not_in_the_log),
                cmocka_unit_test(test_ddl),
                cmocka_unit_test(test_ddl_elsewhere),
                cmocka_unit_test(test_ddl_taken_over),
                cmocka_unit_test(test_two_definitions),
                cmocka_unit_test(test_order_of_columns),
                cmocka_unit_test(test_truncate),
                cmocka_unit_test(test_table_that_begins_later),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
