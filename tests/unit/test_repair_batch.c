/* From findings of a verification to the rows of a repair, and what is kept of them in a round. */
#include "base/memory.h"
#include "ops/repair_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct verify_table table; /* source t (id, a, note), target t (id, b, note); key id, a/b */
static struct verify_worker worker;
static struct repair_batch batch;
static struct relation *from, *to;
static uint16_t source_of[3] = {0, 1, 2};
static struct convert *back[2];
static const struct value sample[3] = {
        {VALUE_TEXT, 1, "1"}, {VALUE_TEXT, 1, "x"}, {VALUE_TEXT, 5, "hello"}};

static struct relation *make_shape(const char *second)
{
        struct relation *r = relation_new(1, "public", "t", IDENTITY_DEFAULT, 3);

        relation_set_column(r, 0, "id", 0, -1, true);
        relation_set_column(r, 1, second, 0, -1, true);
        relation_set_column(r, 2, "note", 0, -1, false);
        return r;
}

static void make_columns(struct verify_columns *c, const struct relation *shape)
{
        c->shape = shape;
        c->is_key = memory_new(3);
        c->key = memory_new(2 * sizeof *c->key);
        c->is_key[0] = c->is_key[1] = true;
        c->key[1] = 1;
        c->key_n = 2;
}

static int setup(void **state)
{
        (void)state;
        from = make_shape("a");
        to = make_shape("b");
        table = (struct verify_table){.way = VERIFY_RANGES, .back = back};
        table.map.target = to;
        table.map.source_of = source_of;
        make_columns(&table.from, from);
        make_columns(&table.to, to);
        table.to.types = memory_new(3 * sizeof(*table.to.types));
        table.canon = memory_new(3 * sizeof(*table.canon));
        for (uint16_t i = 0; i < 3; i++) {
                table.to.types[i] = coltype_pg(0, -1, i ? "text" : "integer");
                table.canon[i] = canon_new(table.to.types[i]);
        }
        verify_hand_init(&worker.hand, &table);
        repair_batch_init(&batch, &table, 200);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        repair_batch_done(&batch);
        verify_hand_done(&worker.hand);
        for (uint16_t i = 0; i < 3; i++) {
                canon_free(table.canon[i]);
                coltype_free(table.to.types[i]);
        }
        free(table.canon);
        free(table.to.types);
        free(table.from.is_key);
        free(table.from.key);
        free(table.to.is_key);
        free(table.to.key);
        relation_unref(from);
        relation_unref(to);
        return 0;
}

static void add(uint64_t id, enum verify_kind kind, const char *key)
{
        const struct verify_finding f = {.kind = kind, .key = key, .columns = "[]"};

        repair_batch_add(&batch, &worker, id, &f);
}

static struct repair_row *row_of(unsigned finding)
{
        return &batch.rows[batch.findings[finding].row];
}

static void test_keys(void **state)
{
        (void)state;
        add(5, VERIFY_DIFFERS, "{\"id\":\"7\",\"a\":\"x\"}");
        add(6, VERIFY_EXTRA, "{\"id\":\"8\",\"b\":\"y\"}");    /* the source cannot have it */
        add(7, VERIFY_MISSING, "{\"id\":\"7\",\"a\":\"x\"}");  /* the same row again */
        add(8, VERIFY_MISSING, "{\"id\":\"07\",\"a\":\"x\"}"); /* and by value */
        repair_batch_sort(&batch);
        assert_int_equal(batch.rows_n, 2);
        assert_int_equal(batch.findings_n, 4);
        assert_ptr_equal(row_of(0), row_of(2));
        assert_ptr_equal(row_of(0), row_of(3));
        assert_ptr_not_equal(row_of(0), row_of(1));
        assert_int_equal(row_of(0)->kind, VERIFY_DIFFERS);
        assert_true(row_of(0)->from != VERIFY_NO_KEY && row_of(0)->to != VERIFY_NO_KEY);
        assert_true(row_of(1)->from == VERIFY_NO_KEY && row_of(1)->to != VERIFY_NO_KEY);
        assert_ptr_equal(repair_batch_find(&batch, row_of(1)->hash), row_of(1));
        assert_null(repair_batch_find(&batch, row_of(1)->hash + 1));
        assert_int_equal(repair_batch_open(&batch), 2);
}

/* Whatever is in the table of findings. */
static void test_strange_keys(void **state)
{
        static const char *const keys[] = {"", "7", "{", "[]", "{}", "{\"id\":\"7\"}",
                "{\"id\":\"7\",\"c\":\"x\"}", "{\"id\":null,\"a\":\"x\"}",
                "{\"row\":\"#12\",\"copies\":\"1\"}"};

        (void)state;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
                add(i, VERIFY_DIFFERS, keys[i]);
        table.way = VERIFY_BAG;
        for (size_t i = 0; i + 1 < sizeof keys / sizeof *keys; i++)
                add(i, VERIFY_EXTRA, keys[i]);
        repair_batch_sort(&batch);
        assert_int_equal(repair_batch_open(&batch), 0);
        for (unsigned i = 0; i < batch.rows_n; i++) {
                assert_int_equal(batch.rows[i].end, REPAIR_REFUSED);
                assert_non_null(strstr(batch.rows[i].why.message, "another key"));
        }
        assert_null(repair_batch_find(&batch, 0));
}

static void test_digests(void **state)
{
        (void)state;
        table.way = VERIFY_BAG;
        add(1, VERIFY_EXTRA, "{\"row\":\"#00ff00ff00ff00ff\",\"copies\":\"3\"}");
        repair_batch_sort(&batch);
        assert_true(row_of(0)->hash == UINT64_C(0x00ff00ff00ff00ff));
        assert_int_equal(batch.findings[0].copies, 3);
}

/* The first row always fits, however wide; the next ones as far as there is room. */
static void test_room(void **state)
{
        static char wide[1000];
        struct value big[3];
        const struct value *kept;

        (void)state;
        memcpy(big, sample, sizeof big);
        memset(wide, 'w', sizeof wide - 1);
        big[2] = (struct value){VALUE_TEXT, sizeof wide - 1, wide};
        kept = repair_batch_keep(&batch, big);
        assert_string_equal(kept[2].data, wide);
        assert_null(repair_batch_keep(&batch, sample));
        repair_batch_round(&batch);
        kept = repair_batch_keep(&batch, sample);
        assert_string_equal(kept[2].data, "hello");
        assert_ptr_not_equal(kept[2].data, sample[2].data);
        assert_non_null(repair_batch_keep(&batch, sample));
        assert_null(repair_batch_keep(&batch, sample));
}

static enum repair_action action(enum verify_way way, uint32_t source, uint32_t target, bool mine)
{
        struct repair_row row = {.source = {source, {1, 1}}, .target = {target, {2, 2}}};

        table.way = way;
        table.mine = mine;
        if (way == VERIFY_BAG)
                row.source.row = row.target.row;
        return repair_action_of(&batch, &row);
}

static void test_actions(void **state)
{
        (void)state;
        assert_int_equal(action(VERIFY_KEYS, 1, 0, false), REPAIR_INSERT);
        assert_int_equal(action(VERIFY_KEYS, 1, 1, false), REPAIR_UPDATE);
        assert_int_equal(action(VERIFY_KEYS, 1, 2, false), REPAIR_UPDATE);
        assert_int_equal(action(VERIFY_KEYS, 0, 2, false), REPAIR_DELETE);
        assert_int_equal(action(VERIFY_KEYS, 0, 1, true), REPAIR_NOTHING);
        assert_int_equal(action(VERIFY_KEYS, 0, 0, false), REPAIR_NOTHING);
        assert_int_equal(action(VERIFY_BAG, 3, 1, false), REPAIR_INSERT);
        assert_int_equal(action(VERIFY_BAG, 1, 3, false), REPAIR_DELETE);
        assert_int_equal(action(VERIFY_BAG, 1, 3, true), REPAIR_NOTHING);
        assert_int_equal(action(VERIFY_BAG, 2, 2, false), REPAIR_NOTHING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_keys),
                TEST(test_strange_keys),
                TEST(test_digests),
                TEST(test_room),
                TEST(test_actions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
