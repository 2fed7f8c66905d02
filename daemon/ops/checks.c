#include "ops/checks.h"
#include "base/memory.h"
#include "ops/checks_private.h"
#include "ops/verify_set.h"

#include <stdlib.h>
#include <string.h>

#define QUIET 2
#define ROUNDS_MAX 10
#define SHOWN_MAX 200u /* bytes of a value in a result */

static const char *const verdicts[] = {"equal", "differs", "moving", "failed"};

const char *check_verdict_name(enum check_verdict v)
{
        return verdicts[v];
}

void check_result_done(struct check_result *r)
{
        free(r->where);
        free(r->source);
        free(r->target);
        free(r->error);
        *r = (struct check_result){0};
}

/* ---- two answers ---- */

static bool is_same(const struct check_answer *a, const struct check_answer *b)
{
        return a->columns_n == b->columns_n && a->rows_n == b->rows_n &&
               a->rows.len == b->rows.len &&
               (a->rows.len == 0 || !memcmp(a->rows.data, b->rows.data, a->rows.len));
}

static bool is_same_value(const struct value *a, const struct value *b)
{
        return a->kind == b->kind &&
               (a->kind != VALUE_TEXT || (a->len == b->len && !memcmp(a->data, b->data, a->len)));
}

static void show_value(struct buf *out, const struct value *v)
{
        uint32_t n = v->len;

        if (v->kind != VALUE_TEXT) {
                buf_str(out, "NULL");
                return;
        }
        while (n > SHOWN_MAX && (n > SHOWN_MAX + 4 || (v->data[n] & 0xc0) == 0x80))
                n--;
        buf_add(out, v->data, n);
        buf_str(out, n < v->len ? "..." : "");
}

static char *show_row(const struct value *row, unsigned n)
{
        struct buf out = BUF_INIT;

        for (unsigned i = 0; i < n; i++) {
                buf_str(&out, i ? ", " : "");
                show_value(&out, &row[i]);
        }
        return buf_take(&out);
}

/* The first row that is not the same; one side may have no more. */
static void say_row(struct check_result *r, unsigned number, const struct check_answer *source,
        const struct value *from, const struct value *to)
{
        unsigned n = source->columns_n, i = 0;

        while (from && to && i < n && is_same_value(&from[i], &to[i]))
                i++;
        if (from && to && n > 1)
                r->where = memory_printf("row %u, column '%s'", number, source->names[i]);
        else
                r->where = memory_printf("row %u%s", number,
                        !from ? ", which only the target has"
                        : !to ? ", which only the source has"
                              : "");
        r->source = from ? show_row(from, n) : NULL;
        r->target = to ? show_row(to, n) : NULL;
}

static void say_difference(
        struct check_result *r, const struct check_answer *a, const struct check_answer *b)
{
        struct value *from = memory_new((a->columns_n + 1u) * sizeof *from);
        struct value *to = memory_new((b->columns_n + 1u) * sizeof *to);
        uint32_t at = 0, there = 0;

        r->verdict = CHECK_DIFFERS;
        if (a->columns_n != b->columns_n)
                r->where = memory_printf(
                        "%u columns on the source, %u on the target", a->columns_n, b->columns_n);
        for (unsigned i = 0; !r->where; i++) {
                bool is_from = i < a->rows_n, is_to = i < b->rows_n, same = is_from && is_to;

                if (is_from)
                        at = verify_kept(&a->rows, at, from, a->columns_n);
                if (is_to)
                        there = verify_kept(&b->rows, there, to, b->columns_n);
                for (unsigned k = 0; same && k < a->columns_n; k++)
                        same = is_same_value(&from[k], &to[k]);
                if (!same)
                        say_row(r, i + 1, a, is_from ? from : NULL, is_to ? to : NULL);
        }
        free(from);
        free(to);
}

/* ---- rounds ---- */

enum { BEFORE, TARGET, AFTER, READS };

struct round {
        struct check_answer answers[READS];
};

static void round_done(struct round *r)
{
        for (unsigned i = 0; i < READS; i++)
                check_answer_done(&r->answers[i]);
}

static int ask(const struct check_context *x, const struct config_check *check, unsigned which,
        struct round *round, struct check_result *r, struct error *e)
{
        bool target = which == TARGET;
        int rc = check_ask(x, config_check_query(check, target), target, &round->answers[which], e);

        if (rc <= 0)
                return rc;
        r->verdict = CHECK_FAILED;
        r->error = memory_printf("on the %s: %s", target ? "target" : "source", e->message);
        return 1;
}

/* 1: it has failed. */
static int ask_all(const struct check_context *x, const struct config_check *check,
        struct round *round, struct check_result *r, struct error *e)
{
        int rc = ask(x, check, BEFORE, round, r, e);

        if (rc == 0 && x->await && x->await(x->context, e) < 0)
                return -1;
        if (rc == 0)
                rc = ask(x, check, TARGET, round, r, e);
        if (rc == 0 && x->await)
                rc = ask(x, check, AFTER, round, r, e);
        return rc;
}

/* Is the verdict there? */
static bool judge(const struct check_context *x, const struct round *now, const struct round *last,
        unsigned *quiet, struct check_result *r)
{
        const struct check_answer *a = now->answers;

        if (is_same(&a[TARGET], &a[BEFORE]) || (x->await && is_same(&a[TARGET], &a[AFTER]))) {
                r->verdict = CHECK_EQUAL;
                return true;
        }
        if (!x->await) {
                say_difference(r, &a[BEFORE], &a[TARGET]);
                return true;
        }
        if (!is_same(&a[BEFORE], &a[AFTER]))
                *quiet = 0;
        else if (*quiet > 0 && is_same(&a[AFTER], &last->answers[AFTER]) &&
                 is_same(&a[TARGET], &last->answers[TARGET]))
                ++*quiet;
        else
                *quiet = 1;
        if (*quiet < QUIET)
                return false;
        say_difference(r, &a[AFTER], &a[TARGET]);
        return true;
}

int check_run(const struct check_context *x, const struct config_check *check,
        struct check_result *r, struct error *e)
{
        struct round now = {0}, last = {0};
        unsigned quiet = 0;
        bool over = false;
        int rc = 0;

        *r = (struct check_result){.name = check->name, .verdict = CHECK_MOVING};
        for (unsigned i = 0; rc == 0 && !over && i < ROUNDS_MAX; i++) {
                round_done(&last);
                last = now;
                now = (struct round){0};
                rc = ask_all(x, check, &now, r, e);
                if (rc == 0)
                        over = judge(x, &now, &last, &quiet, r);
        }
        round_done(&now);
        round_done(&last);
        return rc < 0 ? -1 : 0;
}
