/* Which queries of the operator's are one SELECT that only reads. */
#include "model/query_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PG = 1, MY = 2, BOTH = PG | MY };

static void expect(const char *sql, int sides, const char *want)
{
        for (int my = 0; my < 2; my++) {
                const char *problem = query_problem(sql, my);

                if (!(sides & (my ? MY : PG)))
                        continue;
                if (want && (!problem || !strstr(problem, want)))
                        fail_msg("%s: %s, and not: %s", sql, problem ? problem : "fine", want);
                if (!want && problem)
                        fail_msg("%s: %s", sql, problem);
        }
}

static void test_good(void **state)
{
        (void)state;
        expect("select sum(total) from orders", BOTH, NULL);
        expect("  -- how much\n SELECT 1;", BOTH, NULL);
        expect("(select 1) union all (select 2) ; -- that is all", BOTH, NULL);
        expect("with x as (select 1) select * from x", BOTH, NULL);
        expect("values (1), (2)", BOTH, NULL);
        expect("table orders", BOTH, NULL);
        expect("/* into */ select 'into', \"into\", ';' from t where a = 'it''s; into'", BOTH,
                NULL);
        expect("select `into` from t where a = 'x\\'; into' # into", MY, NULL);
        expect("select $a$ ; into $b$ $a$, e'\\'; into', '\\' from t", PG, NULL);
        expect("select $1$2, /* a /* into */ ; */ 1", PG, NULL);
        expect("select substring(a from 1 for 2), into_, t.update from t", BOTH, NULL);
        expect("select \xc3\xa4 from t", BOTH, NULL);
}

static void test_bad(void **state)
{
        static const char *const others[] = {"delete from t", "update t set a = 1", "call p()",
                "explain select 1", "begin", "'select'", "1", "set x = 1", "\\q"};

        (void)state;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
                expect(others[i], BOTH, "does not begin");
        expect("", BOTH, "wanted");
        expect(" ; ", BOTH, "wanted");
        expect("-- nothing", BOTH, "wanted");
        expect("select 1; delete from t", BOTH, "more than one");
        expect("select 1;;", BOTH, "more than one");
        expect("select '\\'; drop table t; --'", PG, "more than one");
        expect("select 'x''; delete from t", BOTH, "not closed");
        expect("select a into b from t", BOTH, "INTO");
        expect("select 1 INTO/**/outfile '/tmp/x'", BOTH, "INTO");
        expect("select * from t for update", BOTH, "locks");
        expect("select * from t for /* no */ share", BOTH, "locks");
        expect("select * from t lock in share mode", BOTH, "locks");
        expect("select 1 /*! into outfile 'x' */", MY, "runs");
        expect("select 1 /*M! into outfile 'x' */", MY, "runs");
        expect("select 1 /* into", BOTH, "not closed");
        expect("select 1 /*", BOTH, "not closed");
        expect("select $a$ into", PG, "not closed");
        expect("select \"a", BOTH, "not closed");
        expect("select 'a\\", BOTH, "not closed");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
