#include "sinks/my_order.h"
#include "base/memory.h"
#include "sinks/my_binding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 3
#define FIELDS 11
#define GENERATION 5

static char *field(const char *text)
{
        return (char *)(uintptr_t)text;
}

/* A table of three columns as the target's catalogue has it: "id" and "part", its key, and "v". */
static struct relation *table_of(
        const char *name, const char *type, const char *unique, const char *triggers)
{
        static const char *const names[COLUMNS] = {"id", "part", "v"};
        char *fields[COLUMNS][FIELDS];
        MYSQL_ROWS rows[COLUMNS];
        MYSQL_DATA data = {.data = rows};
        MYSQL_RES result = {
                .data = &data, .data_cursor = rows, .row_count = COLUMNS, .field_count = FIELDS};
        struct relation *r = relation_new(0, "s", name, IDENTITY_DEFAULT, COLUMNS);
        struct error e = ERROR_INIT;

        for (unsigned i = 0; i < COLUMNS; i++) {
                const char *const about[FIELDS] = {names[i], type, "NO", NULL, NULL,
                        i < 2 ? "PRI" : NULL, "BASE TABLE", "InnoDB", "YES", triggers, unique};

                for (unsigned k = 0; k < FIELDS; k++)
                        fields[i][k] = field(about[k]);
                rows[i] = (MYSQL_ROWS){
                        .data = fields[i], .next = i + 1 < COLUMNS ? &rows[i + 1] : NULL};
                relation_set_column(r, (uint16_t)i, names[i], 0, -1, i < 2);
        }
        if (!my_binding_new(r, GENERATION, ENGINE_MARIADB, &result, &e))
                fail_msg("%s", e.message);
        return r;
}

static struct value *row(struct txn *t, int id, int part, int v)
{
        struct value *values = arena_zero(t->arena, COLUMNS * sizeof *values);
        const int numbers[COLUMNS] = {id, part, v};

        for (unsigned i = 0; i < COLUMNS; i++) {
                char text[16];
                int len = snprintf(text, sizeof text, "%d", numbers[i]);

                values[i] = (struct value){
                        VALUE_TEXT, (uint32_t)len, arena_text(t->arena, text, (size_t)len)};
        }
        return values;
}

static struct change *add(struct txn *t, const struct relation *r, enum change_op op,
        struct value *old, struct value *new)
{
        struct change *c = txn_add(t, op, r);

        c->old = old;
        c->new = new;
        return c;
}

static void test_deletes_and_inserts_come_together(void **state)
{
        struct relation *r = table_of("a", "int(11)", "1", NULL);
        struct txn *first = txn_new(), *second = txn_new();
        struct my_order o = {0};
        struct change *wanted[8], *c;

        (void)state;
        first->next = second;
        wanted[6] = add(first, r, CHANGE_UPDATE, NULL, row(first, 1, 1, 5));
        wanted[0] = add(first, r, CHANGE_DELETE, row(first, 2, 1, 0), NULL);
        wanted[3] = add(first, r, CHANGE_INSERT, NULL, row(first, 2, 1, 7));
        wanted[4] = add(second, r, CHANGE_INSERT, NULL, row(second, 4, 1, 7));
        wanted[1] = add(second, r, CHANGE_DELETE, row(second, 3, 2, 0), NULL);
        wanted[5] = add(second, r, CHANGE_INSERT, NULL, row(second, 3, 2, 7));
        wanted[2] = add(second, r, CHANGE_DELETE, row(second, -3, 2, 0), NULL);
        wanted[7] = add(second, r, CHANGE_DELETE, row(second, 1, 1, 0), NULL);
        assert_true(my_order_make(&o, first, second, GENERATION));
        assert_int_equal(o.n, 8);
        for (unsigned i = 0; i < 8; i++)
                assert_ptr_equal(o.items[i], wanted[i]);
        c = txn_add(second, CHANGE_INSERT, r); /* the last piece is `first`: not asked for */
        c->new = row(second, 9, 9, 9);
        assert_true(my_order_make(&o, first, first, GENERATION));
        assert_int_equal(o.n, 3);
        my_order_done(&o);
        txn_free(first);
        txn_free(second);
        relation_unref(r);
}

static void test_tables_that_keep_their_order(void **state)
{
        struct relation *a = table_of("a", "varchar(20) charset utf8mb4", "1", NULL);
        struct relation *b = table_of("b", "int(11)", "2", NULL);
        struct relation *n = table_of("n", "bigint(20) unsigned", "1", NULL);
        struct txn *t = txn_new();
        struct my_order o = {0};
        struct change *wanted[5];

        (void)state;
        wanted[4] = add(t, n, CHANGE_INSERT, NULL, row(t, 1, 1, 1));
        wanted[0] = add(t, a, CHANGE_INSERT, NULL, row(t, 1, 1, 1));
        wanted[3] = add(t, n, CHANGE_DELETE, row(t, 2, 1, 1), NULL);
        wanted[1] = add(t, b, CHANGE_INSERT, NULL, row(t, 1, 1, 1));
        wanted[2] = add(t, a, CHANGE_DELETE, row(t, 2, 1, 1), NULL);
        assert_true(my_order_make(&o, t, t, GENERATION));
        for (unsigned i = 0; i < 5; i++)
                assert_ptr_equal(o.items[i], wanted[i]);
        my_order_done(&o);
        txn_free(t);
        relation_unref(a);
        relation_unref(b);
        relation_unref(n);
}

static void refuses(struct txn *t)
{
        struct my_order o = {0};

        assert_false(my_order_make(&o, t, t, GENERATION));
        assert_int_equal(o.n, 0);
        txn_free(t);
}

static void test_what_goes_in_the_sources_order(void **state)
{
        struct relation *a = table_of("a", "int(11)", "1", NULL);
        struct relation *again = table_of("a", "int(11)", "1", NULL);
        struct relation *triggers = table_of("b", "int(11)", "1", "audit");
        struct txn *t = txn_new();
        struct my_order o = {0};

        (void)state;
        add(t, a, CHANGE_INSERT, NULL, row(t, 1, 1, 1));
        assert_false(my_order_make(&o, t, t, GENERATION + 1)); /* not described yet */
        add(t, triggers, CHANGE_INSERT, NULL, row(t, 1, 1, 1));
        refuses(t);
        t = txn_new();
        add(t, a, CHANGE_INSERT, NULL, row(t, 1, 1, 1));
        add(t, again, CHANGE_DELETE, row(t, 1, 1, 1), NULL);
        refuses(t);
        t = txn_new();
        txn_add(t, CHANGE_TRUNCATE, a);
        refuses(t);
        t = txn_new();
        add(t, a, CHANGE_INSERT, NULL, row(t, 1, 1, 1))->new[0].data = "+1";
        refuses(t);
        t = txn_new();
        add(t, a, CHANGE_DELETE, row(t, 1, 1, 1), NULL)->old[1].kind = VALUE_UNCHANGED;
        refuses(t);
        relation_unref(a);
        relation_unref(again);
        relation_unref(triggers);
}

/* ---- any valid run of changes ends in the same rows ---- */

#define KEYS 24

/* What is in the table: 0 is no row. The change must be one that a server would make. */
static void apply(int table[KEYS], const struct change *c)
{
        int was = c->op == CHANGE_INSERT ? -1 : atoi(c->old[0].data);
        int is = c->op == CHANGE_DELETE ? -1 : atoi(c->new[0].data);

        if (was >= 0) {
                assert_int_not_equal(table[was], 0);
                if (c->op == CHANGE_UPDATE)
                        assert_int_equal(table[was], atoi(c->old[2].data));
                table[was] = 0;
        }
        if (is >= 0) {
                assert_int_equal(table[is], 0);
                table[is] = atoi(c->new[2].data);
        }
}

static void make_change(struct txn *t, const struct relation *r, int table[KEYS], int v)
{
        int a = rand() % KEYS, b = rand() % 3 ? a : rand() % KEYS;
        struct change *c;

        if (!table[a])
                c = add(t, r, CHANGE_INSERT, NULL, row(t, a, 0, v));
        else if (rand() % 3 == 0)
                c = add(t, r, CHANGE_DELETE, row(t, a, 0, table[a]), NULL);
        else if (b == a || !table[b])
                c = add(t, r, CHANGE_UPDATE, row(t, a, 0, table[a]), row(t, b, 0, v));
        else
                return;
        apply(table, c);
}

static void test_the_rows_are_the_same(void **state)
{
        struct relation *r = table_of("a", "int(11)", "1", NULL);

        (void)state;
        srand(1);
        for (int round = 0; round < 500; round++) {
                int begin[KEYS] = {0}, end[KEYS], found[KEYS];
                struct txn *t = txn_new();
                struct my_order o = {0};

                for (int i = 0; i < KEYS; i++)
                        begin[i] = rand() % 2 ? i + 1000 : 0;
                memcpy(end, begin, sizeof end);
                memcpy(found, begin, sizeof found);
                for (int i = 0; i < 60; i++)
                        make_change(t, r, end, i + 1);
                assert_true(my_order_make(&o, t, t, GENERATION));
                assert_int_equal(o.n, t->changes_n);
                for (uint32_t i = 0; i < o.n; i++)
                        apply(found, o.items[i]);
                assert_memory_equal(found, end, sizeof end);
                my_order_done(&o);
                txn_free(t);
        }
        relation_unref(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_deletes_and_inserts_come_together),
                cmocka_unit_test(test_tables_that_keep_their_order),
                cmocka_unit_test(test_what_goes_in_the_sources_order),
                cmocka_unit_test(test_the_rows_are_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
