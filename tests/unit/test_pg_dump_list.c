/* What pg_restore --list --verbose prints, from PostgreSQL 15, and what it never should. */
#include "ops/pg_dump_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char LIST[] = ";\n; Archive created at 2026-11-23 04:15:28 UTC\n;     dbname: edge\n"
                           ";     TOC Entries: 93\n;\n"
                           "3611; 0 0 ENCODING - ENCODING \n"
                           "8; 2615 16988 SCHEMA - lib postgres\n"
                           "918; 1247 16991 TYPE lib mood postgres\n"
                           ";\tdepends on: 8\n"
                           "225; 1259 17053 TABLE app Quo\"te d the owner\n"
                           ";\tdepends on: 7\n"
                           "3393; 0 0 TABLE ATTACH app root_eu postgres\n"
                           ";\tdepends on: 228 227\n"
                           "3618; 0 0 SEQUENCE OWNED BY app b_id_seq postgres\n"
                           ";\tdepends on: 223\n"
                           "3617; 0 0 COMMENT app COLUMN a.m postgres\n"
                           ";\tdepends on: 222\n"
                           "3607; 0 17163 ROW SECURITY app rls postgres\n"
                           ";\tdepends on: 241\n"
                           "3457; 2606 17043 FK CONSTRAINT app b b_a_fkey postgres\n"
                           ";\tdepends on: 222 3412 224\n"
                           "3700; 9999 4294967295 SOMETHING NEW app x postgres\n";

static void reads_every_entry(void **state)
{
        struct error e = ERROR_INIT;
        struct pg_dump_list *l = pg_dump_list_parse(LIST, &e);

        (void)state;
        assert_non_null(l);
        assert_int_equal(l->n, 10);
        assert_int_equal(l->items[1].class, 2615);
        assert_int_equal(l->items[1].oid, 16988);
        assert_string_equal(l->items[1].kind->name, "SCHEMA");
        assert_string_equal(l->items[3].kind->name, "TABLE");
        assert_string_equal(l->items[3].rest, "app Quo\"te d the owner");
        assert_int_equal(l->items[9].oid, 4294967295u);
        pg_dump_list_free(l);
}

static void tells_kinds_apart(void **state)
{
        struct pg_dump_list *l = pg_dump_list_parse(LIST, &(struct error)ERROR_INIT);

        (void)state;
        assert_string_equal(l->items[4].kind->name, "TABLE ATTACH");
        assert_int_equal(l->items[4].kind->phase, DUMP_PRE);
        assert_string_equal(l->items[5].kind->name, "SEQUENCE OWNED BY");
        assert_int_equal(l->items[6].kind->phase, DUMP_WITH);
        assert_int_equal(l->items[7].kind->phase, DUMP_LAST);
        assert_string_equal(l->items[8].kind->name, "FK CONSTRAINT");
        assert_int_equal(l->items[8].kind->phase, DUMP_POST);
        assert_string_equal(l->items[9].kind->name, ""); /* unknown: never carried */
        assert_int_equal(l->items[9].kind->phase, DUMP_NEVER);
        pg_dump_list_free(l);
}

static void knows_what_needs_what(void **state)
{
        struct pg_dump_list *l = pg_dump_list_parse(LIST, &(struct error)ERROR_INIT);

        (void)state;
        assert_int_equal(l->items[1].needs_n, 0);
        assert_int_equal(l->items[4].needs_n, 2);
        assert_int_equal(l->items[4].needs[0], 228);
        assert_int_equal(l->items[4].needs[1], 227);
        assert_int_equal(l->items[8].needs_n, 3);
        assert_int_equal(l->items[8].needs[2], 224);
        pg_dump_list_free(l);
}

static void finds_by_id(void **state)
{
        struct pg_dump_list *l = pg_dump_list_parse(LIST, &(struct error)ERROR_INIT);

        (void)state;
        for (unsigned i = 0; i < l->n; i++)
                assert_ptr_equal(pg_dump_list_find(l, l->items[i].id), &l->items[i]);
        assert_null(pg_dump_list_find(l, 1));
        assert_null(pg_dump_list_find(l, 5000));
        pg_dump_list_free(l);
}

static void refuses_what_is_no_list(void **state)
{
        static const char *const bad[] = {
                "pg_restore: error\n",
                "12 1259 3 TABLE a b c\n",
                "12; 1259 TABLE a b c\n",
                "12; 1259 99999999999 TABLE a b c\n",
                "-1; 1259 4 TABLE a b c\n",
                ";\tdepends on: 4\n", /* of nothing */
                "12; 1259 4 TABLE a b c\n;\tdepends on: x\n",
                "12; 1259 4 TABLE a b c\n;\tdepends on: 4,5\n",
                "12; 1259 4 TABLE a b c\n;\tdepends on: 4294967296\n",
                "12;",
        };

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct error e = ERROR_INIT;

                assert_null(pg_dump_list_parse(bad[i], &e));
                assert_int_equal(e.class, ERROR_DATA);
                assert_non_null(strstr(e.message, "not understood"));
        }
}

/* Cut anywhere, it is a shorter list or an error, never a crash. */
static void survives_every_cut(void **state)
{
        char text[sizeof LIST];

        (void)state;
        for (size_t len = 0; len < sizeof LIST; len++) {
                struct error e = ERROR_INIT;
                struct pg_dump_list *l;

                memcpy(text, LIST, len);
                text[len] = '\0';
                l = pg_dump_list_parse(text, &e);
                assert_true((l != NULL) != (e.class != ERROR_NONE));
                if (l)
                        assert_true(l->n <= 10);
                pg_dump_list_free(l);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_every_entry),
                cmocka_unit_test(tells_kinds_apart),
                cmocka_unit_test(knows_what_needs_what),
                cmocka_unit_test(finds_by_id),
                cmocka_unit_test(refuses_what_is_no_list),
                cmocka_unit_test(survives_every_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
