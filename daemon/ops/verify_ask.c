/* Rows of single keys, which one side is asked for some at a time. */
#include "ops/verify_private.h"

static int ask(struct verify_worker *w, struct verify_asking *a, struct error *e)
{
        int rc;

        verify_among_end(&a->sql, a->target ? &w->task->table.to : &w->task->table.from);
        rc = a->read(w, &a->sql, a->context, e);
        buf_clear(&a->sql);
        a->n = 0;
        return rc;
}

int verify_ask(
        struct verify_worker *w, struct verify_asking *a, const struct value *key, struct error *e)
{
        const struct verify_side *side = a->target ? &w->to : &w->from;
        const struct verify_columns *c = a->target ? &w->task->table.to : &w->task->table.from;

        if (a->n == 0)
                verify_select(&a->sql, side, c, a->few);
        if (verify_among(&a->sql, side, c, a->n == 0, key, e) < 0)
                return -1;
        return ++a->n < VERIFY_AMONG ? 0 : ask(w, a, e);
}

int verify_ask_end(struct verify_worker *w, struct verify_asking *a, int rc, struct error *e)
{
        if (rc == 0 && a->n > 0)
                rc = ask(w, a, e);
        buf_done(&a->sql);
        return rc;
}
