/* Which rows of a repair the stream has touched. */
#include "base/loop.h"
#include "base/memory.h"
#include "model/cascade.h"
#include "ops/repair_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct loop *loop;
static struct repair_stream stream;
static struct verify_table table; /* public.t (id int, price numeric(9,2), note text), key id */
static struct relation *shape;
static uint64_t hashes[3]; /* of the rows 1, 2, 3, sorted */

static const char *const types[] = {"integer", "numeric(9,2)", "text"};
static const char *const names[] = {"id", "price", "note"};

static void never(void *context)
{
        (void)context;
        fail();
}

static struct relation *make_shape(const char *name)
{
        struct relation *r = relation_new(1, "public", name, IDENTITY_FULL, 3);

        for (uint16_t i = 0; i < 3; i++)
                relation_set_column(r, i, names[i], 0, -1, i == 0);
        return r;
}

static struct value text(const char *s)
{
        return s ? (struct value){VALUE_TEXT, (uint32_t)strlen(s), s}
                 : (struct value){.kind = VALUE_NULL};
}

/* As a look at the source makes it. */
static uint64_t hash_of(const char *id, const char *price, const char *note)
{
        const char *const row[] = {id, price, note};
        struct verify_hand hand;
        struct digest d;

        verify_hand_init(&hand, &table);
        for (uint16_t i = 0; i < 3; i++) {
                hand.mapped[i] = text(row[i]);
                canon_value(table.canon[i], hand.arena, &hand.mapped[i]);
        }
        d = table.way == VERIFY_BAG ? verify_row_digest(&hand, &table)
                                    : verify_key_digest(&hand, &table);
        verify_hand_done(&hand);
        return d.a;
}

static int compare(const void *x, const void *y)
{
        uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

        return (a > b) - (a < b);
}

static void watch(void)
{
        hashes[0] = hash_of("1", "1.00", "one");
        hashes[1] = hash_of("2", "2.00", "two");
        hashes[2] = hash_of("3", NULL, NULL);
        qsort(hashes, 3, sizeof *hashes, compare);
        repair_stream_watch(&stream, &table, hashes, 3);
}

static int setup(void **state)
{
        (void)state;
        loop = loop_new_simulated();
        shape = make_shape("t");
        table = (struct verify_table){.way = VERIFY_RANGES};
        table.map.target = shape;
        table.from.shape = table.to.shape = shape;
        table.to.schema = "public";
        table.to.name = "t";
        table.to.types = memory_new(3 * sizeof(*table.to.types));
        table.to.is_key = memory_new(3);
        table.to.key = memory_new(sizeof *table.to.key);
        table.to.is_key[0] = true;
        table.to.key_n = 1;
        table.canon = memory_new(3 * sizeof(*table.canon));
        for (uint16_t i = 0; i < 3; i++) {
                table.to.types[i] = coltype_pg(0, -1, types[i]);
                table.canon[i] = canon_new(table.to.types[i]);
        }
        repair_stream_init(&stream, loop, never, never, NULL);
        watch();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        repair_stream_done(&stream);
        for (uint16_t i = 0; i < 3; i++) {
                canon_free(table.canon[i]);
                coltype_free(table.to.types[i]);
        }
        free(table.canon);
        free(table.to.types);
        free(table.to.is_key);
        free(table.to.key);
        relation_unref(shape);
        loop = loop_free(loop);
        return 0;
}

/* "id price note", "-" for a value that the log leaves out; NULL: there is no such row. */
static struct value *row_of(struct txn *t, const char *line)
{
        struct value *row = arena_zero(t->arena, 3 * sizeof *row);
        char *copy = arena_text(t->arena, line, strlen(line)), *rest = NULL;

        for (uint16_t i = 0; i < 3; i++) {
                char *word = strtok_r(i ? NULL : copy, " ", &rest);

                row[i] = text(word);
                if (!strcmp(word, "-"))
                        row[i] = (struct value){.kind = VALUE_UNCHANGED};
        }
        return row;
}

static struct change *add(struct txn *t, const struct relation *r, const char *old, const char *new)
{
        enum change_op op = !old ? CHANGE_INSERT : new ? CHANGE_UPDATE : CHANGE_DELETE;
        struct change *c = txn_add(t, op, r);

        c->old = old ? row_of(t, old) : NULL;
        c->new = new ? row_of(t, new) : NULL;
        return c;
}

static void see(const char *old, const char *new)
{
        struct txn *t = txn_new();

        add(t, shape, old, new);
        repair_stream_see(&stream, t);
        txn_free(t);
}

/* "101": the first and the third row were touched; and it begins anew. */
static void expect(const char *wanted)
{
        char found[4] = "";

        found[0] = repair_stream_touched(&stream, hash_of("1", "1.00", "one")) ? '1' : '0';
        found[1] = repair_stream_touched(&stream, hash_of("2", "2.00", "two")) ? '1' : '0';
        found[2] = repair_stream_touched(&stream, hash_of("3", NULL, NULL)) ? '1' : '0';
        assert_string_equal(found, wanted);
        watch();
}

static void test_keys(void **state)
{
        (void)state;
        expect("000");
        see(NULL, "1 5 x");
        expect("100");
        see("2 - -", NULL);
        expect("010");
        see("2 - -", "9 7 x"); /* a key that moves counts for both */
        expect("010");
        see("9 - -", "2 7 x");
        expect("010");
        see("1 1 x", "3 1 x");
        expect("101");
        see(NULL, "77 5 x");
        see("78 - -", "78 6 x");
        expect("000");
        see("3 - -", "- 6 x"); /* the old row has it */
        expect("001");
        see(NULL, "- 6 x"); /* nobody can tell */
        expect("111");
}

static void test_other_tables(void **state)
{
        struct relation *other = make_shape("u");
        struct txn *t = txn_new();

        (void)state;
        add(t, other, NULL, "1 5 x");
        repair_stream_see(&stream, t);
        expect("000");
        repair_stream_unwatch(&stream);
        repair_stream_see(&stream, t);
        watch();
        txn_free(t);
        relation_unref(other);
}

static void truncate(const struct relation *r, bool cascade)
{
        struct txn *t = txn_new();
        struct change *c = txn_add(t, CHANGE_TRUNCATE, r);

        c->truncated = &r;
        c->truncated_n = 1;
        c->cascade = cascade;
        repair_stream_see(&stream, t);
        txn_free(t);
}

static void test_truncate(void **state)
{
        struct relation *other = make_shape("u");

        (void)state;
        truncate(other, false);
        expect("000");
        truncate(other, true);
        expect("111");
        truncate(shape, false);
        expect("111");
        relation_unref(other);
}

/* The log of a MySQL-family source does not tell what its engine does to children. */
static void test_cascade(void **state)
{
        struct relation *parent = make_shape("parent");
        struct cascades *list = cascades_new();
        struct cascade_key *k = cascades_add(list, 1);
        struct txn *t = txn_new();
        struct change *c;

        (void)state;
        k->name = memory_string("fk");
        k->schema = memory_string("public");
        k->table = memory_string("t");
        k->columns[0] = memory_string("note");
        k->to_schema = memory_string("public");
        k->to_table = memory_string("parent");
        k->to_columns[0] = memory_string("id");
        k->on_delete = RULE_CASCADE;
        relation_set_cascades(parent, list);
        c = add(t, parent, "1 5 x", NULL);
        repair_stream_see(&stream, t);
        expect("000");
        c->cascades = true;
        repair_stream_see(&stream, t);
        expect("111");
        txn_free(t);
        relation_unref(parent);
        cascades_unref(list);
}

/* Without a key a row is all that it holds, by value. */
static void test_bag(void **state)
{
        (void)state;
        table.way = VERIFY_BAG;
        watch();
        see(NULL, "1 1.0 one");
        expect("100");
        see("1 1.00 other", "2 2 two");
        expect("010");
        see("1 1.00 other", "5 2 two");
        expect("000");
        see("1 - -", NULL); /* which of them is not in the log */
        expect("111");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_keys),
                TEST(test_other_tables),
                TEST(test_truncate),
                TEST(test_cascade),
                TEST(test_bag),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
