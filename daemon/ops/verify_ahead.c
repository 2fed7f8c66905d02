#include "ops/verify_ahead.h"

static bool has_place(const struct value *key, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (key[i].kind != VALUE_TEXT)
                        return false;
        return true;
}

static void add_row(struct verify_ahead *a)
{
        const struct verify_table *t = a->table;
        struct digest key = verify_key_digest(&a->hand, t);
        bool known;
        struct verify_row *row = verify_set_add(&a->set, &key, &known);

        if (known)
                return;
        row->row = verify_row_digest(&a->hand, t);
        row->from = verify_keep(&a->set.keys, a->hand.own, t->from.key_n);
        if (has_place(a->hand.key, t->to.key_n))
                row->to = verify_keep(&a->set.keys, a->hand.key, t->to.key_n);
}

static void keep_place(struct verify_ahead *a)
{
        const struct verify_columns *c = &a->table->from;

        for (unsigned i = 0; i < c->key_n; i++)
                a->hand.own[i] = a->hand.row[c->key[i]];
        buf_clear(&a->after);
        verify_keep(&a->after, a->hand.own, c->key_n);
}

static int ask(struct verify_ahead *a, struct error *e)
{
        const struct verify_columns *c = &a->table->from;
        AUTO_BUF sql = BUF_INIT;

        verify_select(&sql, a->side, c, false);
        if (a->after.len) {
                verify_kept(&a->after, 0, a->hand.own, c->key_n);
                buf_str(&sql, " where ");
                if (verify_bound(&sql, a->side, c, BOUND_BEYOND, a->hand.own, e) < 0)
                        return -1;
        }
        verify_order(&sql, a->side, c);
        buf_printf(&sql, " limit %u", a->limit);
        return verify_side_read(a->side, c, &sql, e);
}

static int read_rows(struct verify_ahead *a, struct error *e)
{
        int rc, counts;

        if (ask(a, e) < 0)
                return -1;
        while ((rc = verify_side_next(a->side, a->hand.row, e)) > 0) {
                if ((counts = verify_take_source(&a->hand, a->table, false, e)) < 0)
                        return -1;
                if (counts)
                        add_row(a);
                if (++a->n == a->limit)
                        keep_place(a);
        }
        return rc;
}

static void *run(void *context)
{
        struct verify_ahead *a = context;

        a->rc = read_rows(a, &a->error);
        return NULL;
}

void verify_ahead_start(struct verify_ahead *a, const struct buf *after, uint32_t limit)
{
        verify_set_clear(&a->set);
        buf_clear(&a->after);
        buf_add(&a->after, after->data, after->len);
        a->limit = limit;
        a->n = 0;
        error_clear(&a->error);
        a->begun = true;
        a->running = pthread_create(&a->thread, NULL, run, a) == 0;
        if (!a->running)
                run(a);
}

void verify_ahead_wait(struct verify_ahead *a)
{
        if (a->running)
                pthread_join(a->thread, NULL);
        a->running = false;
}

int verify_ahead_take(struct verify_ahead *a, struct error *e)
{
        verify_ahead_wait(a);
        a->begun = false;
        if (a->rc < 0)
                *e = a->error;
        return a->rc;
}

void verify_ahead_drop(struct verify_ahead *a)
{
        verify_ahead_wait(a);
        a->begun = false;
        verify_set_clear(&a->set);
}

void verify_ahead_done(struct verify_ahead *a)
{
        verify_ahead_drop(a);
        verify_set_done(&a->set);
        buf_done(&a->after);
}
