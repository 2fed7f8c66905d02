/* Which rows the stream has changed since they were verified. */
#include "base/loop.h"
#include "base/memory.h"
#include "model/cascade.h"
#include "ops/verify_fresh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEYED, BAG, TASKS }; /* public.t (id, sub, note), key (id, sub); public.bag, none */

static struct loop *loop;
static struct verify_fresh *fresh;
static struct verify_task tasks[TASKS];
static struct verify_report *report;
static struct relation *shapes[TASKS];
static uint64_t at; /* of the last transaction */
static unsigned rested;

static const char *const names[] = {"id", "sub", "note"};

static struct relation *make_shape(const char *name)
{
        struct relation *r = relation_new(1, "public", name, IDENTITY_FULL, 3);

        for (uint16_t i = 0; i < 3; i++)
                relation_set_column(r, i, names[i], 0, -1, i < 2);
        return r;
}

static void make_task(unsigned i, const char *name)
{
        struct verify_table *t = &tasks[i].table;

        shapes[i] = make_shape(name);
        *t = (struct verify_table){.way = i == BAG ? VERIFY_BAG : VERIFY_RANGES};
        t->to.schema = "public";
        t->to.name = name;
        t->to.shape = shapes[i];
        t->to.key = memory_new(2 * sizeof *t->to.key);
        t->to.key[1] = 1;
        t->to.key_n = i == BAG ? 0 : 2;
        verify_report_line(report, "public", name);
}

static int setup(void **state)
{
        (void)state;
        loop = loop_new_simulated();
        fresh = verify_fresh_new(loop);
        report = verify_report_new();
        make_task(KEYED, "t");
        make_task(BAG, "bag");
        verify_fresh_bind(fresh, tasks, TASKS);
        at = rested = 0;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        verify_fresh_free(fresh);
        verify_report_free(report);
        for (unsigned i = 0; i < TASKS; i++) {
                free(tasks[i].table.to.key);
                relation_unref(shapes[i]);
        }
        loop = loop_free(loop);
        return 0;
}

/* "id sub note"; "-": the log leaves it out. */
static struct value *row_of(struct txn *t, const char *line)
{
        struct value *row = arena_zero(t->arena, 3 * sizeof *row);
        char *copy = arena_text(t->arena, line, strlen(line)), *rest = NULL;

        for (uint16_t i = 0; i < 3; i++) {
                char *word = strtok_r(i ? NULL : copy, " ", &rest);

                row[i] = (struct value){VALUE_TEXT, (uint32_t)strlen(word), word};
                if (!strcmp(word, "-"))
                        row[i] = (struct value){.kind = VALUE_UNCHANGED};
        }
        return row;
}

static void see(const struct relation *r, const char *old, const char *new)
{
        struct txn *t = txn_new();
        struct change *c = txn_add(t,
                !old  ? CHANGE_INSERT
                : new ? CHANGE_UPDATE
                      : CHANGE_DELETE,
                r);

        c->old = old ? row_of(t, old) : NULL;
        c->new = new ? row_of(t, new) : NULL;
        t->last = true;
        t->end = (struct position){.lsn = ++at};
        verify_fresh_see(fresh, t);
        txn_free(t);
}

static void truncate(const struct relation *r, bool cascade)
{
        struct txn *t = txn_new();
        struct change *c = txn_add(t, CHANGE_TRUNCATE, r);

        c->truncated = &r;
        c->truncated_n = 1;
        c->cascade = cascade;
        verify_fresh_see(fresh, t);
        txn_free(t);
}

static void expect(uint64_t changed, bool keyed, bool bag, uint64_t verified)
{
        verify_fresh_show(fresh, report);
        assert_int_equal(report->changed, changed);
        assert_int_equal(report->lines[KEYED].stale, keyed);
        assert_int_equal(report->lines[BAG].stale, bag);
        assert_int_equal(report->verified.lsn, verified);
}

/* What is taken of the table with a key: "1,2 3,4". */
static void expect_taken(const char *wanted)
{
        bool all;
        const struct verify_set *keys = verify_fresh_taken(fresh, KEYED, &all);
        AUTO_BUF text = BUF_INIT;

        for (uint32_t i = 0; i < keys->n; i++) {
                struct value key[2];

                verify_kept(&keys->keys, keys->rows[i].to, key, 2);
                buf_printf(&text, "%s%s,%s", i ? " " : "", key[0].data, key[1].data);
        }
        assert_string_equal(buf_text(&text), wanted);
        assert_false(all);
}

static void test_keys(void **state)
{
        struct relation *other = make_shape("u");

        (void)state;
        expect(0, false, false, 0);
        see(shapes[KEYED], NULL, "1 2 x");
        see(shapes[KEYED], "1 2 -", "1 2 y");
        see(shapes[KEYED], "3 4 -", NULL);
        see(shapes[KEYED], "5 6 -", "- 7 z"); /* a key that moves counts for both */
        see(other, NULL, "8 8 x");
        expect(4, false, false, 0);
        assert_true(verify_fresh_is_due(fresh));
        verify_fresh_take(fresh);
        expect_taken("1,2 3,4 5,6 5,7");
        see(shapes[KEYED], NULL, "9 9 x"); /* for the next time */
        expect(5, false, false, 0);
        verify_fresh_done(fresh);
        expect(1, false, false, 5);
        assert_false(verify_fresh_is_due(fresh)); /* not yet */
        verify_fresh_take(fresh);
        expect_taken("9,9");
        see(shapes[KEYED], "9 9 -", NULL);
        see(shapes[KEYED], NULL, "2 2 x");
        verify_fresh_back(fresh); /* it was not compared */
        expect(2, false, false, 5);
        verify_fresh_take(fresh);
        expect_taken("9,9 2,2");
        verify_fresh_done(fresh);
        expect(0, false, false, 8);
        relation_unref(other);
}

static void on_rest(void *context)
{
        assert_ptr_equal(context, &rested);
        rested++;
}

static void test_rest(void **state)
{
        (void)state;
        verify_fresh_take(fresh); /* is under way when somebody asks */
        assert_true(verify_fresh_rest(fresh, on_rest, &rested));
        assert_false(verify_fresh_rest(fresh, on_rest, &rested));
        verify_fresh_done(fresh);
        loop_run(loop);
        assert_int_equal(rested, 0);
        assert_true(verify_fresh_is_due(fresh));
        verify_fresh_take(fresh);
        verify_fresh_back(fresh);
        assert_true(verify_fresh_is_due(fresh));
        verify_fresh_take(fresh);
        verify_fresh_done(fresh);
        loop_run(loop);
        assert_int_equal(rested, 1);
        assert_true(verify_fresh_rest(fresh, on_rest, &rested));
        verify_fresh_forget_rest(fresh);
        verify_fresh_take(fresh);
        verify_fresh_done(fresh);
        loop_run(loop);
        assert_int_equal(rested, 1);
}

/* Whole tables wait for a while, unless somebody asks. */
static void test_whole(void **state)
{
        bool all;

        (void)state;
        see(shapes[BAG], NULL, "1 1 x");
        see(shapes[KEYED], NULL, "1 1 x");
        expect(1, false, true, 0);
        verify_fresh_take(fresh);
        verify_fresh_taken(fresh, BAG, &all);
        assert_false(all);
        verify_fresh_done(fresh);
        expect(0, false, true, 0); /* so nothing is verified up to a place */
        assert_true(verify_fresh_rest(fresh, on_rest, &rested));
        verify_fresh_take(fresh);
        verify_fresh_taken(fresh, BAG, &all);
        assert_true(all);
        expect(0, false, true, 0);
        verify_fresh_back(fresh);
        expect(0, false, true, 0);
        verify_fresh_take(fresh);
        verify_fresh_done(fresh);
        expect(0, false, false, 2);
        see(shapes[KEYED], NULL, "- 6 x"); /* nobody can tell which */
        expect(0, true, false, 2);
}

static void test_truncate(void **state)
{
        struct relation *other = make_shape("u");

        (void)state;
        see(shapes[KEYED], NULL, "1 1 x");
        truncate(other, false);
        expect(1, false, false, 0);
        truncate(shapes[KEYED], false);
        expect(0, true, false, 0);
        truncate(other, true);
        expect(0, true, true, 0);
        relation_unref(other);
}

static void test_too_many(void **state)
{
        char line[80];

        (void)state;
        for (unsigned i = 0; !report->lines[KEYED].stale && i < 2000000; i++) {
                snprintf(line, sizeof line, "%u %u x", i, i);
                see(shapes[KEYED], NULL, line);
                if (i % 10000 == 0)
                        verify_fresh_show(fresh, report);
                if (i == 100000)
                        assert_int_equal(report->changed, 100001);
        }
        assert_true(report->lines[KEYED].stale);
        assert_int_equal(report->changed, 0);
}

static void test_before_it_is_bound(void **state)
{
        struct verify_fresh *new = verify_fresh_new(loop), *kept = fresh;

        (void)state;
        fresh = new;
        see(shapes[KEYED], NULL, "1 1 x"); /* no row was read by then */
        assert_false(verify_fresh_is_bound(new));
        verify_fresh_bind(new, tasks, TASKS);
        expect(0, false, false, 0);
        see(shapes[KEYED], NULL, "1 1 x");
        verify_fresh_bind(new, tasks, TASKS); /* another attempt */
        expect(1, false, false, 0);
        tasks[KEYED].table.to.key_n = 1; /* with another key */
        verify_fresh_bind(new, tasks, TASKS);
        expect(0, true, false, 0);
        verify_fresh_free(new);
        fresh = kept;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_keys),
                TEST(test_rest),
                TEST(test_whole),
                TEST(test_truncate),
                TEST(test_too_many),
                TEST(test_before_it_is_bound),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
