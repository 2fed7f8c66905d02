#include "sinks/pg_binding.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fixtures ---- */

/* What the target's catalogue says, one row a line as pg_binding_sql gives them:
 * name, type, generated, identity, relkind, primary, equals, bytewise; "-" is NULL or "". */
static PGresult *catalogue(const char *lines)
{
        static const char *const names[] = {"attname", "atttypid", "attgenerated", "attidentity",
                "relkind", "primary", "equals", "bytewise"};
        PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
        PGresAttDesc columns[8] = {0};
        AUTO_STRING copy = memory_string(lines);
        char *at = copy, *line, *word;

        for (int i = 0; i < 8; i++)
                columns[i].name = (char *)(uintptr_t)names[i];
        assert_true(PQsetResultAttrs(r, 8, columns));
        for (int row = 0; (line = strsep(&at, "\n")) && *line; row++)
                for (int i = 0; i < 8; i++) {
                        word = strsep(&line, " ");
                        assert_non_null(word);
                        if (!strcmp(word, "-"))
                                PQsetvalue(
                                        r, row, i, i == 6 ? NULL : (char[]){""}, i == 6 ? -1 : 0);
                        else
                                PQsetvalue(r, row, i, word, (int)strlen(word));
                }
        return r;
}

/* Columns as "*id:23 name:25": * is the key. */
static struct relation *shape(const char *name, char identity, const char *columns)
{
        char list[200], *at = list, *column;
        uint16_t n = *columns != '\0', i = 0;
        struct relation *r;

        for (const char *p = columns; *p; p++)
                n += *p == ' ';
        r = relation_new(10, "public", name, (enum replica_identity)identity, n);
        snprintf(list, sizeof list, "%s", columns);
        while (i < n && (column = strsep(&at, " "))) {
                char *type = strchr(column, ':');

                *type = '\0';
                relation_set_column(r, i++, column + (*column == '*'),
                        (uint32_t)strtoul(type + 1, NULL, 10), -1, *column == '*');
        }
        return r;
}

struct bound {
        struct relation *relation;
        struct pg_binding *binding;
        struct txn *txn;
        struct error e;
};

static void bind(struct bound *x, struct relation *r, const char *lines)
{
        AUTO_RESULT d = catalogue(lines);

        *x = (struct bound){.relation = r, .txn = txn_new()};
        x->binding = pg_binding_new(r, 7, 3, d, &x->e);
        if (!x->binding)
                fail_msg("%s", x->e.message);
}

static void done(struct bound *x)
{
        txn_free(x->txn);
        relation_unref(x->relation);
}

/* Values by '|': "N" is NULL, "U" unchanged, else text. NULL: no row. */
static struct value *row(struct bound *x, const char *values)
{
        char list[400], *at = list, *v;
        struct value *out;

        if (!values)
                return NULL;
        out = arena_zero(x->txn->arena, (x->relation->columns_n + 1u) * sizeof *out);
        snprintf(list, sizeof list, "%s", values);
        for (uint16_t i = 0; (v = strsep(&at, "|")); i++) {
                assert_true(i < x->relation->columns_n);
                if (!strcmp(v, "U"))
                        out[i].kind = VALUE_UNCHANGED;
                else if (strcmp(v, "N") != 0)
                        out[i] = (struct value){VALUE_TEXT, (uint32_t)strlen(v),
                                arena_text(x->txn->arena, v, strlen(v))};
        }
        return out;
}

static struct change *change(struct bound *x, enum change_op op, const char *old, const char *new)
{
        struct change *c = txn_add(x->txn, op, x->relation);

        c->old = row(x, old);
        c->new = row(x, new);
        c->old_full = x->relation->identity == IDENTITY_FULL;
        return c;
}

/* The statement's text, and its parameters as "type=value". */
static struct pg_statement *expect(struct bound *x, enum change_op op, const char *old,
        const char *new, const char *sql, const char *parameters)
{
        struct change *c = change(x, op, old, new);
        struct pg_statement *s = pg_binding_statement(x->binding, c, &x->e);
        const char *values[16];
        AUTO_BUF got = BUF_INIT;

        if (!s)
                fail_msg("%s", x->e.message);
        assert_true(s->n <= 16);
        pg_statement_values(s, c, values);
        for (int i = 0; i < s->n; i++)
                buf_printf(
                        &got, "%s%u=%s", i ? " " : "", s->types[i], values[i] ? values[i] : "NULL");
        if (s->n > 0 || op != CHANGE_UPDATE)
                assert_string_equal(s->sql, sql);
        assert_string_equal(buf_text(&got), parameters);
        return s;
}

static void refused(
        struct bound *x, enum change_op op, const char *old, const char *new, const char *what)
{
        assert_null(pg_binding_statement(x->binding, change(x, op, old, new), &x->e));
        assert_int_equal(x->e.class, ERROR_DATA);
        if (!strstr(x->e.message, what))
                fail_msg("'%s' has no '%s'", x->e.message, what);
}

static const char plain[] = "id 23 - - r t = t\nname 25 - - r f = f\nnote 25 - - r f = f\n";

static void bind_plain(struct bound *x)
{
        bind(x, shape("items", 'd', "*id:23 name:25 note:25"), plain);
}

/* ---- tests ---- */

static void test_by_key(void **state)
{
        struct bound x;

        (void)state;
        bind_plain(&x);
        expect(&x, CHANGE_INSERT, NULL, "1|a|N",
                "insert into \"public\".\"items\" (\"id\", \"name\", \"note\")"
                " overriding system value values ($1, $2, $3)",
                "23=1 25=a 25=NULL");
        expect(&x, CHANGE_UPDATE, NULL, "1|b|",
                "update only \"public\".\"items\" set \"id\" = $1, \"name\" = $2, \"note\" = $3"
                " where \"id\" = $4",
                "23=1 25=b 25= 23=1");
        expect(&x, CHANGE_UPDATE, "1|U|U", "2|b|N",
                "update only \"public\".\"items\" set \"id\" = $1, \"name\" = $2, \"note\" = $3"
                " where \"id\" = $4",
                "23=2 25=b 25=NULL 23=1");
        expect(&x, CHANGE_UPDATE, NULL, "1|b|U", /* unchanged TOAST is left alone */
                "update only \"public\".\"items\" set \"id\" = $1, \"name\" = $2 where \"id\" = $3",
                "23=1 25=b 23=1");
        expect(&x, CHANGE_DELETE, "9|U|U", NULL,
                "delete from only \"public\".\"items\" where \"id\" = $1", "23=9");
        done(&x);
}

static void test_statements_are_shared(void **state)
{
        struct bound x;
        struct pg_statement *a, *b, *c, *again;

        (void)state;
        bind_plain(&x);
        a = pg_binding_statement(x.binding, change(&x, CHANGE_UPDATE, NULL, "1|b|U"), &x.e);
        b = pg_binding_statement(x.binding, change(&x, CHANGE_UPDATE, NULL, "1|b|c"), &x.e);
        c = pg_binding_statement(x.binding, change(&x, CHANGE_UPDATE, "1|U|U", "1|b|c"), &x.e);
        again = pg_binding_statement(x.binding, change(&x, CHANGE_UPDATE, NULL, "2|x|U"), &x.e);
        assert_ptr_equal(a, again);
        assert_ptr_not_equal(a, b);
        assert_ptr_not_equal(b, c); /* the key comes from elsewhere */
        assert_string_not_equal(a->name, b->name);
        assert_string_equal(a->name, "c3_0");
        assert_false(a->prepared);
        done(&x);
}

static void test_named_statements_are_bounded(void **state)
{
        AUTO_BUF columns = BUF_INIT;
        AUTO_BUF lines = BUF_INIT;
        struct bound x;
        unsigned named = 0, unnamed = 0;

        (void)state;
        buf_str(&columns, "*id:23");
        buf_str(&lines, "id 23 - - r t = t\n");
        for (int i = 0; i < 8; i++) {
                buf_printf(&columns, " c%d:25", i);
                buf_printf(&lines, "c%d 25 - - r f = f\n", i);
        }
        bind(&x, shape("wide", 'd', buf_text(&columns)), buf_text(&lines));
        for (unsigned set = 0; set < 256; set++) {
                AUTO_BUF values = BUF_INIT;
                struct pg_statement *s;

                buf_str(&values, "1");
                for (int i = 0; i < 8; i++)
                        buf_str(&values, set >> i & 1 ? "|v" : "|U");
                s = pg_binding_statement(
                        x.binding, change(&x, CHANGE_UPDATE, NULL, buf_text(&values)), &x.e);
                assert_non_null(s);
                named += *s->name != '\0';
                unnamed += *s->name == '\0';
        }
        assert_int_equal(named, 64);
        assert_int_equal(unnamed, 192);
        done(&x);
}

static void test_generated_and_identity(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("g", 'd', "*id:23 v:23 d:23"),
                "id 23 - a r t = t\nv 23 - d r f = t\nd 23 s - r f = t\nextra 25 - - r f = f\n");
        expect(&x, CHANGE_INSERT, NULL, "1|2|4",
                "insert into \"public\".\"g\" (\"id\", \"v\") overriding system value values ($1, "
                "$2)",
                "23=1 23=2");
        expect(&x, CHANGE_UPDATE, NULL, "1|3|6",
                "update only \"public\".\"g\" set \"v\" = $1 where \"id\" = $2", "23=3 23=1");
        expect(&x, CHANGE_UPDATE, "1|U|U", "1|3|6",
                "update only \"public\".\"g\" set \"v\" = $1 where \"id\" = $2", "23=3 23=1");
        refused(&x, CHANGE_UPDATE, "1|U|U", "2|3|6", "GENERATED ALWAYS");
        done(&x);
}

static void test_nothing_to_write(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("g", 'd', "*id:23"), "id 23 - a r t = t\n");
        expect(&x, CHANGE_UPDATE, NULL, "1", "", "");
        done(&x);
        bind(&x, shape("g", 'd', "d:23"), "d 23 s - r f = t\n");
        expect(&x, CHANGE_INSERT, NULL, "4", "insert into \"public\".\"g\" default values", "");
        done(&x);
}

static void test_types_of_the_target(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("items", 'i', "*mood:16386 *city:25 *doc:114"),
                "mood 90001 - - r f = t\ncity 90002 - - r f operator(public.=) f\n"
                "doc 114 - - r f - f\n");
        expect(&x, CHANGE_DELETE, "sad|Bonn|{}", NULL,
                "delete from only \"public\".\"items\" where \"mood\" = $1"
                " and \"city\" operator(public.=) $2 and \"doc\"::text = $3::text",
                "90001=sad 90002=Bonn 114={}");
        done(&x);
}

/* REPLICA IDENTITY FULL: by the target's primary key, if there is one in the log. */
static void test_full_with_primary_key(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("items", 'f', "*id:23 *name:25 *note:25"), plain);
        expect(&x, CHANGE_UPDATE, "1|a|N", "2|b|N",
                "update only \"public\".\"items\" set \"id\" = $1, \"name\" = $2, \"note\" = $3"
                " where \"id\" = $4",
                "23=2 25=b 25=NULL 23=1");
        done(&x);
}

static const char keyless[] = "id 23 - - r f = t\nname 25 - - r f = f\nprice 1700 - - r f = f\n"
                              "doc 114 - - r f - f\n";

/* One of equal rows, the same to the byte: 1.0 is not 1.00. */
static void test_full_without_key(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("f", 'f', "*id:23 *name:25 *price:1700 *doc:114"), keyless);
        expect(&x, CHANGE_DELETE, "1|N|1.00|{}", NULL,
                "delete from only \"public\".\"f\" where ctid = (select ctid from only"
                " \"public\".\"f\" where \"id\" is not distinct from $1"
                " and \"name\"::text is not distinct from $2::text"
                " and \"price\"::text is not distinct from $3::text"
                " and \"doc\"::text is not distinct from $4::text limit 1)",
                "23=1 25=NULL 1700=1.00 114={}");
        expect(&x, CHANGE_UPDATE, "1|N|1|{}", "N|U|1|U",
                "update only \"public\".\"f\" set \"id\" = $1, \"price\" = $2 where ctid = (select"
                " ctid from only \"public\".\"f\" where \"id\" is not distinct from $3"
                " and \"name\"::text is not distinct from $4::text"
                " and \"price\"::text is not distinct from $5::text"
                " and \"doc\"::text is not distinct from $6::text limit 1)",
                "23=NULL 1700=1 23=1 25=NULL 1700=1 114={}");
        done(&x);
}

/* The target's key has a column that the log does not have: it finds no row. */
static void test_full_with_a_key_elsewhere(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("f", 'f', "*id:23"), "id 23 - - r f = t\nserial 20 - - r t = t\n");
        expect(&x, CHANGE_DELETE, "1", NULL,
                "delete from only \"public\".\"f\" where ctid = (select ctid from only"
                " \"public\".\"f\" where \"id\" is not distinct from $1 limit 1)",
                "23=1");
        done(&x);
}

static void test_partitioned(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("p", 'd', "*id:23"), "id 23 - - p t = t\n");
        expect(&x, CHANGE_DELETE, "1", NULL, "delete from \"public\".\"p\" where \"id\" = $1",
                "23=1");
        expect(&x, CHANGE_UPDATE, NULL, "1",
                "update \"public\".\"p\" set \"id\" = $1 where \"id\" = $2", "23=1 23=1");
        done(&x);
        bind(&x, shape("p", 'f', "*id:23"), "id 23 - - p f = t\n");
        expect(&x, CHANGE_DELETE, "1", NULL,
                "delete from \"public\".\"p\" where (tableoid, ctid) = (select tableoid, ctid from"
                " \"public\".\"p\" where \"id\" is not distinct from $1 limit 1)",
                "23=1");
        done(&x);
}

static void test_names_are_quoted(void **state)
{
        struct bound x;

        (void)state;
        bind(&x, shape("My \"t\"", 'd', "*Key:23"), "Key 23 - - r t = t\n");
        expect(&x, CHANGE_DELETE, "1", NULL,
                "delete from only \"public\".\"My \"\"t\"\"\" where \"Key\" = $1", "23=1");
        done(&x);
}

static void test_what_cannot_be_written(void **state)
{
        struct bound x;

        (void)state;
        bind_plain(&x);
        refused(&x, CHANGE_INSERT, NULL, "1|U|x", "insert into public.items without column 'name'");
        refused(&x, CHANGE_UPDATE, NULL, "U|a|x", "no value of key column 'id'");
        refused(&x, CHANGE_DELETE, "U|a|x", NULL, "no value of key column 'id'");
        done(&x);
        bind(&x, shape("items", 'd', "id:23 name:25 note:25"), plain);
        expect(&x, CHANGE_INSERT, NULL, "1|a|b",
                "insert into \"public\".\"items\" (\"id\", \"name\", \"note\")"
                " overriding system value values ($1, $2, $3)",
                "23=1 25=a 25=b");
        refused(&x, CHANGE_UPDATE, NULL, "1|a|b", "no key by which a row could be found");
        done(&x);
}

static void refused_shape(struct relation *r, const char *lines, const char *what)
{
        AUTO_RESULT d = catalogue(lines);
        struct error e = ERROR_INIT;

        assert_null(pg_binding_new(r, 7, 1, d, &e));
        assert_int_equal(e.class, ERROR_DATA);
        assert_string_equal(e.table, "public.items");
        if (!strstr(e.message, what))
                fail_msg("'%s' has no '%s'", e.message, what);
        assert_null(pg_binding_of(r, 7));
        relation_unref(r);
}

static void test_target_differs(void **state)
{
        (void)state;
        refused_shape(shape("items", 'd', "*id:23"), "", "table public.items is not there");
        refused_shape(shape("items", 'd', "*id:23 nowhere:25"), plain,
                "column 'nowhere' of public.items is not there on the target");
}

static void test_generations(void **state)
{
        AUTO_RESULT d = catalogue(plain);
        struct bound x;

        (void)state;
        bind_plain(&x);
        assert_ptr_equal(pg_binding_of(x.relation, 7), x.binding);
        assert_null(pg_binding_of(x.relation, 8)); /* a new connection describes again */
        x.binding = pg_binding_new(x.relation, 8, 1, d, &x.e);
        assert_ptr_equal(pg_binding_of(x.relation, 8), x.binding);
        assert_null(pg_binding_of(x.relation, 7));
        done(&x);
}

static void test_truncate(void **state)
{
        struct bound a, b;
        struct change *c;
        const struct relation *list[2];
        AUTO_BUF sql = BUF_INIT;

        (void)state;
        bind_plain(&a);
        bind(&b, shape("p", 'd', "*id:23"), "id 23 - - p t = t\n");
        list[0] = a.relation;
        list[1] = b.relation;
        c = txn_add(a.txn, CHANGE_TRUNCATE, list[0]);
        c->truncated = list;
        c->truncated_n = 2;
        c->cascade = true; /* the source names every table that went with it */
        pg_binding_truncate(c, 7, &sql);
        assert_string_equal(buf_text(&sql), "truncate only \"public\".\"items\", \"public\".\"p\"");
        buf_clear(&sql);
        c->restart_identity = true;
        c->truncated_n = 1;
        pg_binding_truncate(c, 7, &sql);
        assert_string_equal(buf_text(&sql), "truncate only \"public\".\"items\" restart identity");
        done(&b);
        done(&a);
}

static void test_blame(void **state)
{
        struct bound x;
        char longer[300];

        (void)state;
        bind(&x, shape("items", 'd', "*id:23 *name:25 note:25"), plain);
        pg_binding_blame(x.binding, change(&x, CHANGE_UPDATE, "1|N|U", "2|b|secret"), &x.e);
        assert_string_equal(x.e.table, "public.items");
        assert_string_equal(x.e.key, "id=1, name=NULL");
        assert_string_equal(x.e.message, "");
        pg_binding_blame(x.binding, change(&x, CHANGE_INSERT, NULL, "7|b|secret"), &x.e);
        assert_string_equal(x.e.key, "id=7, name=b");
        memset(longer, 'x', sizeof longer);
        memcpy(longer, "8|", 2);
        memcpy(longer + sizeof longer - 4, "|N", 3);
        pg_binding_blame(x.binding, change(&x, CHANGE_INSERT, NULL, longer), &x.e);
        assert_true(strlen(x.e.key) < 100);
        pg_binding_blame(NULL, change(&x, CHANGE_INSERT, NULL, "7|b|c"), &x.e);
        assert_string_equal(x.e.key, "");
        done(&x);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_by_key),
                cmocka_unit_test(test_statements_are_shared),
                cmocka_unit_test(test_named_statements_are_bounded),
                cmocka_unit_test(test_generated_and_identity),
                cmocka_unit_test(test_nothing_to_write),
                cmocka_unit_test(test_types_of_the_target),
                cmocka_unit_test(test_full_with_primary_key),
                cmocka_unit_test(test_full_without_key),
                cmocka_unit_test(test_full_with_a_key_elsewhere),
                cmocka_unit_test(test_partitioned),
                cmocka_unit_test(test_names_are_quoted),
                cmocka_unit_test(test_what_cannot_be_written),
                cmocka_unit_test(test_target_differs),
                cmocka_unit_test(test_generations),
                cmocka_unit_test(test_truncate),
                cmocka_unit_test(test_blame),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
