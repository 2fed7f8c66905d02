#include "flow/mapping.h"
#include "base/memory.h"
#include "model/config_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

struct setting {
        struct config *config;
        struct route *route;
        struct relation *source, *target;
        struct mapping map;
        struct arena *arena;
        struct error e;
};

struct typed {
        const char *name, *native;
        bool key;
};

static struct relation *shape(const char *schema, const char *name, const struct typed *columns)
{
        struct relation *r;
        uint16_t n = 0;

        while (columns[n].name)
                n++;
        r = relation_new(0, schema, name, IDENTITY_DEFAULT, n);
        for (uint16_t i = 0; i < n; i++) {
                relation_set_column(r, i, columns[i].name, 0, 0, columns[i].key);
                relation_set_native(r, i, columns[i].native);
        }
        return r;
}

static int begin(struct setting *s, const char *options, const struct typed *source,
        const struct typed *target)
{
        struct mapping_ends ends = {.from = ENGINE_MARIADB, .to = ENGINE_POSTGRESQL};
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF problems = BUF_INIT;

        *s = (struct setting){.arena = arena_new()};
        buf_printf(&text,
                "[source]\nuri = mysql://a@h/shop\n[target]\nuri = postgresql://a@h/y\n%s",
                options);
        s->config = config_parse("/mapping.conf", text.data, text.len, false);
        config_print_problems(s->config, &problems);
        assert_string_equal(buf_text(&problems), "");
        s->route = route_new(s->config);
        s->source = shape("shop", "items", source);
        s->target = shape("public", "items", target);
        ends.known = s->source;
        ends.target = s->target;
        return mapping_init(
                &s->map, route_find(s->route, "shop", "items"), s->source, &ends, &s->e);
}

static void done(struct setting *s)
{
        mapping_done(&s->map);
        relation_unref(s->source);
        relation_unref(s->target);
        route_free(s->route);
        config_free(s->config);
        arena_free(s->arena);
}

static struct value text_value(const char *text)
{
        return (struct value){.kind = VALUE_TEXT, .len = (uint32_t)strlen(text), .data = text};
}

static const struct typed items[] = {{"id", "int(11)", true},
        {"name", "varchar(20) charset latin1", false}, {"flags", "bit(4)", false},
        {"twice", "int(11) generated", false}, {NULL, NULL, false}};

static void test_values_are_converted(void **state)
{
        static const struct typed target[] = {{"flags", "bit(4)", false},
                {"name", "character varying(20)", false}, {"id", "integer", true},
                {NULL, NULL, false}};
        struct setting s;
        struct value row[] = {text_value("7"), text_value("caf\xc3\xa9"), text_value("\x05"),
                {.kind = VALUE_UNCHANGED}};
        const struct value *out;

        (void)state;
        assert_int_equal(begin(&s, "", items, target), 0);
        /* the database of the URI is public on the other side; what it generates stays away */
        assert_string_equal(s.map.target->schema, "public");
        assert_int_equal(s.map.target->columns_n, 3);
        assert_non_null(out = mapping_row(&s.map, s.arena, row, &s.e));
        assert_string_equal(out[0].data, "7");
        assert_string_equal(out[1].data, "caf\xc3\xa9");
        assert_string_equal(out[2].data, "0101");
        assert_true(s.map.target->columns[0].key);
        done(&s);
}

static void test_generated_becomes_ordinary(void **state)
{
        static const struct typed target[] = {{"id", "integer", true}, {"name", "text", false},
                {"flags", "bit(4)", false}, {"twice", "integer", false}, {NULL, NULL, false}};
        struct setting s;

        (void)state;
        assert_int_equal(begin(&s, "", items, target), 0);
        assert_int_equal(s.map.target->columns_n, 4);
        done(&s);
}

static void test_renamed_and_excluded(void **state)
{
        static const struct typed target[] = {
                {"id", "integer", true}, {"title", "text", false}, {NULL, NULL, false}};
        struct setting s;

        (void)state;
        assert_int_equal(begin(&s,
                                 "[table shop.items]\nto = archive.things\ncolumn.name.to = title\n"
                                 "columns.exclude = flags\n",
                                 items, target),
                0);
        assert_string_equal(s.map.target->schema, "archive");
        assert_string_equal(s.map.target->name, "things");
        assert_int_equal(s.map.target->columns_n, 2);
        assert_string_equal(s.map.target->columns[1].name, "title");
        done(&s);
}

static void test_missing_column(void **state)
{
        static const struct typed target[] = {
                {"id", "integer", true}, {"name", "text", false}, {NULL, NULL, false}};
        struct setting s;

        (void)state;
        assert_int_equal(begin(&s, "", items, target), -1);
        assert_int_equal(s.e.class, ERROR_CONFIG);
        assert_non_null(strstr(s.e.message, "public.items"));
        assert_non_null(strstr(s.e.message, "'flags'"));
        done(&s);
}

static void test_no_place(void **state)
{
        static const struct typed target[] = {{"id", "smallint", true}, {"name", "text", false},
                {"flags", "bit(4)", false}, {NULL, NULL, false}};
        struct setting s;
        struct value row[] = {text_value("70000"), text_value("secret"), text_value("\x05"),
                {.kind = VALUE_UNCHANGED}};

        (void)state;
        assert_int_equal(begin(&s, "", items, target), 0);
        assert_null(mapping_row(&s.map, s.arena, row, &s.e));
        assert_int_equal(s.e.class, ERROR_DATA);
        assert_non_null(strstr(s.e.message, "column 'id'"));
        assert_null(strstr(s.e.message, "70000"));
        done(&s);
}

/* What has no place is left out and told of; the rest is there. */
static void test_no_place_for_some(void **state)
{
        static const struct typed target[] = {{"id", "integer", true}, {"name", "smallint", false},
                {"flags", "smallint", false}, {NULL, NULL, false}};
        static const struct typed source[] = {{"id", "int(11)", true}, {"name", "int(11)", false},
                {"flags", "int(11)", false}, {NULL, NULL, false}};
        struct setting s;
        struct value old[] = {text_value("7"), text_value("70000"), {.kind = VALUE_NULL}};
        struct value new[] = {text_value("7"), text_value("1"), text_value("-40000")};
        struct value *out;
        struct misfit *x = NULL;

        (void)state;
        assert_int_equal(begin(&s, "", source, target), 0);
        assert_null(mapping_row_partly(&s.map, s.arena, NULL, MISFIT_OLD, &x));
        assert_null(x);
        assert_non_null(out = mapping_row_partly(&s.map, s.arena, old, MISFIT_OLD, &x));
        assert_string_equal(out[0].data, "7");
        assert_int_equal(out[1].kind, VALUE_UNCHANGED);
        assert_int_equal(out[2].kind, VALUE_NULL);
        assert_non_null(strstr(x->message, "column 'name'"));
        assert_null(strstr(x->message, "70000"));
        assert_non_null(out = mapping_row_partly(&s.map, s.arena, new, MISFIT_NEW, &x));
        assert_string_equal(out[1].data, "1");
        assert_int_equal(out[2].kind, VALUE_UNCHANGED);
        assert_non_null(strstr(x->message, "column 'name'"));
        assert_memory_equal(x->at, ((uint8_t[]){0, MISFIT_OLD, MISFIT_NEW}), 3);
        done(&s);
}

/* Values beside the key are in the log of the MySQL family. */
static void test_filter(void **state)
{
        static const struct typed target[] = {{"id", "integer", true}, {"name", "text", false},
                {"flags", "bit(4)", false}, {NULL, NULL, false}};
        struct setting s;
        struct value row[] = {
                text_value("7"), text_value("b"), text_value("\x05"), {.kind = VALUE_NULL}};
        struct filter_value scratch[2];

        (void)state;
        assert_int_equal(
                begin(&s, "[table shop.items]\nwhere = name = 'b' and id < 10\n", items, target),
                0);
        assert_int_equal(mapping_scratch(&s.map), 2);
        assert_int_equal(mapping_passes(&s.map, row, scratch, &s.e), 1);
        row[0] = text_value("10");
        assert_int_equal(mapping_passes(&s.map, row, scratch, &s.e), 0);
        row[1].kind = VALUE_UNCHANGED;
        assert_int_equal(mapping_passes(&s.map, row, scratch, &s.e), -1);
        assert_non_null(strstr(s.e.message, "'name'"));
        done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values_are_converted),
                cmocka_unit_test(test_generated_becomes_ordinary),
                cmocka_unit_test(test_renamed_and_excluded),
                cmocka_unit_test(test_missing_column),
                cmocka_unit_test(test_no_place),
                cmocka_unit_test(test_no_place_for_some),
                cmocka_unit_test(test_filter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
