#include "sinks/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT (10 * SECOND)

struct world {
        struct loop *loop;
        struct silence silence;
        struct timer until;
        bool owes, over;
        unsigned asked, unasked, waits, lost;
        char text[400];
        struct error error;
};

static bool owes(void *context)
{
        return ((struct world *)context)->owes;
}

static void ask(void *context)
{
        ((struct world *)context)->asked++;
}

static void unask(void *context)
{
        ((struct world *)context)->unasked++;
}

static void waits(void *context, const char *text)
{
        struct world *w = context;

        w->waits++;
        strncat(w->text, text, sizeof w->text - 1);
}

static void lost(void *context, const struct error *e)
{
        struct world *w = context;

        w->lost++;
        w->error = *e;
}

static void on_until(void *context)
{
        ((struct world *)context)->over = true;
}

static void pass(struct world *w, int64_t time)
{
        timer_set(&w->until, time);
        for (w->over = false; !w->over;)
                assert_true(loop_run_once(w->loop));
}

static void begin(struct world *w)
{
        *w = (struct world){.loop = loop_new_simulated(),
                .silence = {.events = {owes, waits},
                        .context = w,
                        .ops = {ask, unask, lost},
                        .engine = w}};
        timer_init(&w->until, w->loop, on_until, w);
        silence_init(&w->silence, w->loop, LIMIT);
}

static void end(struct world *w)
{
        silence_done(&w->silence);
        timer_cancel(&w->until);
        loop_free(w->loop);
}

static void test_nothing_owed(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        pass(&w, 100 * SECOND);
        assert_int_equal(w.asked, 0);
        w.owes = true;
        pass(&w, 9 * SECOND);
        silence_heard(&w.silence);
        pass(&w, 9 * SECOND);
        assert_int_equal(w.asked, 0);
        end(&w);
}

static void test_it_works(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        w.owes = true;
        pass(&w, 13 * SECOND);
        assert_int_equal(w.asked, 1);
        silence_answer(&w.silence, true, "a lock");
        assert_int_equal(w.unasked, 1);
        assert_non_null(strstr(w.text, "(a lock): waiting"));
        pass(&w, 13 * SECOND); /* asked again, not told again */
        assert_int_equal(w.asked, 2);
        silence_answer(&w.silence, true, "a lock");
        assert_int_equal(w.waits, 1);
        silence_heard(&w.silence); /* another silence */
        pass(&w, 13 * SECOND);
        silence_answer(&w.silence, true, "a lock");
        assert_int_equal(w.waits, 2);
        assert_int_equal(w.lost, 0);
        end(&w);
}

static void test_lost(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        w.owes = true;
        pass(&w, 13 * SECOND);
        silence_answer(&w.silence, false, "it is gone");
        assert_int_equal(w.lost, 1);
        assert_int_equal(w.error.class, ERROR_RETRY);
        assert_non_null(strstr(w.error.message, "and it is gone: the connection is given up"));
        end(&w);
}

static void test_nobody_answers(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        w.owes = true;
        pass(&w, 20 * SECOND);
        assert_int_equal(w.asked, 1);
        assert_int_equal(w.lost, 0);
        pass(&w, 16 * SECOND);
        assert_int_equal(w.lost, 1);
        assert_int_equal(w.unasked, 1);
        assert_non_null(strstr(w.error.message, "a second connection has none either"));
        end(&w);
}

/* What comes while somebody asks makes the question void. */
static void test_heard_meanwhile(void **state)
{
        struct world w;

        (void)state;
        begin(&w);
        w.owes = true;
        pass(&w, 13 * SECOND);
        silence_heard(&w.silence);
        assert_int_equal(w.unasked, 1);
        silence_answer(&w.silence, false, "the server waits for us");
        assert_int_equal(w.lost, 0);
        silence_limit(&w.silence, 0);
        pass(&w, 1000 * SECOND);
        assert_int_equal(w.asked, 1);
        end(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_owed),
                cmocka_unit_test(test_it_works),
                cmocka_unit_test(test_lost),
                cmocka_unit_test(test_nobody_answers),
                cmocka_unit_test(test_heard_meanwhile),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
