/*
 * The steps of a cutover one by one, for tests/harness/fencing.py:
 *
 *   steps ACTION CONFIG MILLISECONDS SCHEMA.TABLE...
 *
 * check    a line "LEVEL<tab>TEXT<tab>MEND" for each finding
 * raise    the position and how many sessions were ended
 * is-up    "true" or "false"
 * prove    "true", or "false" and a blank and why
 * lower    nothing
 * counters how many were set, and microseconds
 * counters-check   as check
 *
 * Exit status 0; 1 and "CLASS: MESSAGE" on stderr; of `lower` 3 and the same when something is
 * left.
 */
#include "base/memory.h"
#include "ops/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int fail(const struct error *e, int status)
{
        fprintf(stderr, "%s: %s\n", error_class_name(e->class), e->message);
        return status;
}

static int run_check(const struct fence_request *q, bool counters)
{
        struct error e = ERROR_INIT;
        struct checks checks = {0};
        int rc = counters ? counters_check(q->config, q->halt, q->tables, q->n, &checks, &e)
                          : fence_check(q, &checks, &e);

        for (unsigned i = 0; i < checks.n; i++)
                printf("%s\t%s\t%s\n", check_level_name(checks.items[i].level),
                        checks.items[i].text, checks.items[i].mend);
        checks_done(&checks);
        return rc < 0 ? fail(&e, 1) : 0;
}

static int run_counters(const struct fence_request *q)
{
        struct error e = ERROR_INIT;
        struct timespec from, to;
        unsigned moved;

        clock_gettime(CLOCK_MONOTONIC, &from);
        if (counters_pass(q->config, q->halt, q->tables, q->n, &moved, &e) < 0)
                return fail(&e, 1);
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%u %ld\n", moved,
                (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
        return 0;
}

static int run_raise(const struct fence_request *q)
{
        struct error e = ERROR_INIT;
        struct fence_result r;
        char at[POSITION_TEXT];

        if (fence_raise(q, &r, &e) < 0)
                return fail(&e, 1);
        printf("%s %u\n", position_format(r.at, at), r.sessions_ended);
        return 0;
}

static int run_lower(const struct fence_request *q)
{
        struct error e = ERROR_INIT;
        int rc = fence_lower(q, &e);

        return rc == 0 ? 0 : fail(&e, rc < 0 ? 1 : 3);
}

static int run_question(const struct fence_request *q,
        int (*ask)(const struct fence_request *, bool *, struct error *))
{
        struct error e = ERROR_INIT;
        bool yes;

        if (ask(q, &yes, &e) < 0)
                return fail(&e, 1);
        printf("%s %s\n", yes ? "true" : "false", e.message);
        return 0;
}

static int run(const char *action, const struct fence_request *q)
{
        if (!strcmp(action, "check"))
                return run_check(q, false);
        if (!strcmp(action, "counters-check"))
                return run_check(q, true);
        if (!strcmp(action, "counters"))
                return run_counters(q);
        if (!strcmp(action, "raise"))
                return run_raise(q);
        if (!strcmp(action, "lower"))
                return run_lower(q);
        if (!strcmp(action, "is-up"))
                return run_question(q, fence_is_up);
        return run_question(q, fence_prove);
}

static struct fence_table *tables_of(char **names, int n)
{
        struct fence_table *t = memory_new(((size_t)n + 1) * sizeof *t);

        for (int i = 0; i < n; i++) {
                char *dot = strchr(names[i], '.');

                if (!dot)
                        exit(2);
                *dot = '\0';
                t[i] = (struct fence_table){names[i], dot + 1};
        }
        return t;
}

int main(int argc, char **argv)
{
        struct config *c = argc > 3 ? config_load(argv[2]) : NULL;
        struct fence_request q = {.config = c};
        AUTO_BUF problems = BUF_INIT;
        int rc;

        if (!c || c->problems_n) {
                if (c)
                        config_print_problems(c, &problems);
                fputs(buf_text(&problems), stderr);
                return 2;
        }
        q.halt = halt_new();
        q.timeout = atoll(argv[3]) * 1000;
        q.tables = tables_of(argv + 4, argc - 4);
        q.n = (unsigned)argc - 4;
        rc = run(argv[1], &q);
        free((void *)(uintptr_t)q.tables);
        halt_free(q.halt);
        config_free(c);
        return rc;
}
