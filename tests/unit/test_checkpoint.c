#include "flow/checkpoint.h"
#include "tests/support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct position at(uint64_t lsn)
{
        return (struct position){.lsn = lsn};
}

static void test_walk(void **state)
{
        struct checkpoint c;
        struct error e = ERROR_INIT;

        (void)state;
        checkpoint_start(&c, at(100));
        assert_true(checkpoint_acknowledge(&c).lsn == 100);
        assert_true(position_is_none(checkpoint_idle(&c)));
        assert_int_equal(checkpoint_delivered(&c, at(200), &e), 0);
        assert_int_equal(checkpoint_delivered(&c, at(300), &e), 0);
        checkpoint_taken(&c);
        checkpoint_taken(&c);
        checkpoint_passed(&c, at(350));
        assert_true(checkpoint_applied(&c).lsn == 100);
        assert_true(position_is_none(checkpoint_idle(&c)));
        assert_int_equal(checkpoint_committed(&c, at(200), 1, &e), 0);
        assert_true(checkpoint_applied(&c).lsn == 200);
        assert_true(checkpoint_acknowledge(&c).lsn == 100); /* not durable yet */
        assert_int_equal(checkpoint_committed(&c, at(300), 1, &e), 0);
        assert_true(checkpoint_applied(&c).lsn == 350); /* nothing was in between */
        assert_true(checkpoint_idle(&c).lsn == 350);
        assert_int_equal(checkpoint_durable(&c, at(200), &e), 0);
        assert_true(checkpoint_acknowledge(&c).lsn == 200);
        assert_int_equal(checkpoint_committed(&c, at(350), 0, &e), 0);
        assert_true(position_is_none(checkpoint_idle(&c)));
        assert_int_equal(checkpoint_durable(&c, at(350), &e), 0);
        assert_true(checkpoint_acknowledge(&c).lsn == 350);
}

static void test_lost_connections(void **state)
{
        struct checkpoint c;
        struct error e = ERROR_INIT;

        (void)state;
        checkpoint_start(&c, at(100));
        checkpoint_delivered(&c, at(200), &e);
        checkpoint_taken(&c);
        checkpoint_committed(&c, at(200), 1, &e);
        checkpoint_delivered(&c, at(300), &e);
        checkpoint_taken(&c);
        checkpoint_lost(&c); /* an asynchronous commit may be gone too */
        assert_true(checkpoint_applied(&c).lsn == 100);
        assert_true(checkpoint_acknowledge(&c).lsn == 100);
        assert_int_equal(c.taken, 0);
        assert_false(checkpoint_pending(&c));
}

static void assert_refused(int rc, struct error *e, const char *what)
{
        assert_int_equal(rc, -1);
        assert_int_equal(e->class, ERROR_BUG);
        if (!strstr(e->message, what))
                fail_msg("'%s' has no '%s'", e->message, what);
        error_clear(e);
}

static void test_refused(void **state)
{
        struct checkpoint c, before;
        struct error e = ERROR_INIT;

        (void)state;
        checkpoint_start(&c, at(0x100));
        checkpoint_delivered(&c, at(0x200), &e);
        checkpoint_taken(&c);
        checkpoint_committed(&c, at(0x200), 1, &e);
        checkpoint_durable(&c, at(0x180), &e);
        checkpoint_delivered(&c, at(0x300), &e);
        checkpoint_taken(&c);
        before = c;
        assert_refused(checkpoint_delivered(&c, at(0x2ff), &e), &e, "from 0/300 back to 0/2FF");
        assert_refused(checkpoint_committed(&c, at(0x1ff), 0, &e), &e, "committed position went");
        assert_refused(checkpoint_committed(&c, at(0x301), 1, &e), &e, "it had 1");
        assert_refused(checkpoint_committed(&c, at(0x300), 2, &e), &e, "committed 2 transactions");
        assert_refused(checkpoint_durable(&c, at(0x17f), &e), &e, "durable position went");
        assert_refused(checkpoint_durable(&c, at(0x201), &e), &e, "before it was committed");
        assert_memory_equal(&c, &before, sizeof c); /* a refusal changes nothing */
        checkpoint_passed(&c, at(1));               /* an old keepalive is no error */
        assert_memory_equal(&c, &before, sizeof c);
}

/*
 * A model of its own: the list of everything between source and target, each transaction with its
 * state, and positions that no transaction carries. The rule must say what the list says.
 */
#define MODEL_MAX 64

struct model {
        struct item {
                uint64_t end;
                enum { DELIVERED, COMMITTED, DURABLE } state;
        } items[MODEL_MAX];
        unsigned n;
        uint64_t sent;      /* the source has sent everything before it */
        uint64_t forgotten; /* end of the last item that left the list, durable */
};

static uint64_t seed;

static unsigned below(unsigned n)
{
        return (unsigned)story_below(&seed, n);
}

static unsigned in_state(const struct model *m, int state)
{
        unsigned n = 0;

        for (unsigned i = 0; i < m->n; i++)
                n += (int)m->items[i].state == state;
        return n;
}

/* End of the longest prefix whose items have all reached that state. */
static uint64_t prefix(const struct model *m, int state)
{
        uint64_t end = m->forgotten;

        for (unsigned i = 0; i < m->n && (int)m->items[i].state >= state; i++)
                end = m->items[i].end;
        return end;
}

static void check(
        const struct checkpoint *c, const struct checkpoint *before, const struct model *m)
{
        struct position idle = checkpoint_idle(c);

        assert_true(c->durable.lsn <= c->stored.lsn);
        assert_true(c->stored.lsn <= c->delivered.lsn);
        assert_true(c->delivered.lsn >= before->delivered.lsn);
        assert_true(c->stored.lsn >= before->stored.lsn);
        assert_true(c->durable.lsn >= before->durable.lsn);
        assert_int_equal(c->taken, in_state(m, DELIVERED));
        assert_int_equal(checkpoint_pending(c), in_state(m, DELIVERED) > 0);
        assert_true(checkpoint_acknowledge(c).lsn == prefix(m, DURABLE));
        assert_true(c->delivered.lsn == m->sent);
        if (checkpoint_pending(c)) {
                assert_true(position_is_none(idle));
                assert_true(checkpoint_applied(c).lsn == prefix(m, COMMITTED));
        } else {
                assert_true(checkpoint_applied(c).lsn == m->sent);
                assert_true(position_is_none(idle) || idle.lsn == m->sent);
        }
}

static void forget_durable(struct model *m)
{
        unsigned n = 0;

        while (n < m->n && m->items[n].state == DURABLE)
                m->forgotten = m->items[n++].end;
        memmove(m->items, m->items + n, (m->n - n) * sizeof *m->items);
        m->n -= n;
}

static void deliver(struct checkpoint *c, struct model *m)
{
        struct error e = ERROR_INIT;

        if (m->n == MODEL_MAX)
                return;
        m->sent += 1 + below(50);
        m->items[m->n++] = (struct item){m->sent, DELIVERED};
        assert_int_equal(checkpoint_delivered(c, at(m->sent), &e), 0);
        checkpoint_taken(c);
}

/* Several source transactions in one target transaction. */
static void commit(struct checkpoint *c, struct model *m)
{
        struct error e = ERROR_INIT;
        unsigned i = 0, n = 0, want = 1 + below(5);
        uint64_t end = 0;

        for (; i < m->n && n < want; i++)
                if (m->items[i].state == DELIVERED) {
                        m->items[i].state = COMMITTED;
                        end = m->items[i].end;
                        n++;
                }
        if (n)
                assert_int_equal(checkpoint_committed(c, at(end), n, &e), 0);
}

static void make_durable(struct checkpoint *c, struct model *m)
{
        struct error e = ERROR_INIT;
        unsigned n = below(4);
        uint64_t end = 0;

        for (unsigned i = 0; i < m->n && n; i++)
                if (m->items[i].state == COMMITTED) {
                        m->items[i].state = DURABLE;
                        end = m->items[i].end;
                        n--;
                }
        if (end)
                assert_int_equal(checkpoint_durable(c, at(end), &e), 0);
        forget_durable(m);
}

static void store_idle(struct checkpoint *c, struct model *m)
{
        struct position idle = checkpoint_idle(c);
        struct error e = ERROR_INIT;

        if (position_is_none(idle) || m->n == MODEL_MAX)
                return;
        m->items[m->n++] = (struct item){idle.lsn, COMMITTED};
        assert_int_equal(checkpoint_committed(c, idle, 0, &e), 0);
}

static void pass(struct checkpoint *c, struct model *m)
{
        uint64_t p = m->sent + below(60) - (m->sent > 1000 ? below(40) : 0);

        if (p > m->sent)
                m->sent = p;
        checkpoint_passed(c, at(p));
}

static void test_random_model(void **state)
{
        static void (*const steps[])(struct checkpoint * c, struct model * m) = {
                deliver, deliver, commit, make_durable, store_idle, pass};

        (void)state;
        for (unsigned story = 1; story <= 200; story++) {
                struct model m = {.sent = 500, .forgotten = 500};
                struct checkpoint c;

                seed = story * UINT64_C(0x9E3779B97F4A7C15);
                checkpoint_start(&c, at(500));
                for (int i = 0; i < 2000; i++) {
                        struct checkpoint before = c;

                        steps[below(6)](&c, &m);
                        check(&c, &before, &m);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_walk),
                cmocka_unit_test(test_lost_connections),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_random_model),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
