/* How the threads of a verification wait: for the rate, for the stream, for a while. */
#include "base/loop.h"
#include "ops/verify_private.h"

#include <time.h>

#define WAIT_SLICE (100 * MILLISECOND)

int64_t verify_now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

void verify_wait_a_little(struct verify *v, int64_t microseconds)
{
        int64_t until = verify_now() + microseconds;
        struct timespec t = {.tv_sec = until / SECOND, .tv_nsec = until % SECOND * 1000};

        pthread_cond_timedwait(&v->told, &v->lock, &t);
}

int verify_pause(struct verify_worker *w, int64_t microseconds, struct error *e)
{
        struct verify *v = w->verify;
        int64_t until = verify_now() + microseconds, left;

        pthread_mutex_lock(&v->lock);
        while (!halt_asked(v->halt) && (left = until - verify_now()) > 0)
                verify_wait_a_little(v, left < WAIT_SLICE ? left : WAIT_SLICE);
        pthread_mutex_unlock(&v->lock);
        return halt_check(v->halt, e);
}

int verify_throttle(struct verify_worker *w, uint64_t rows, struct error *e)
{
        struct verify *v = w->verify;
        int64_t now = verify_now(), until;

        if (v->request.rate == 0 || rows == 0)
                return 0;
        pthread_mutex_lock(&v->lock);
        if (v->ready < now)
                v->ready = now;
        v->ready += (int64_t)((double)rows * SECOND / (double)v->request.rate);
        until = v->ready;
        pthread_mutex_unlock(&v->lock);
        return verify_pause(w, until - now, e);
}

static void on_ask(void *context)
{
        struct ask *a = context;

        a->verify->events.ask(a->verify->context, a->worker);
}

int verify_await(struct verify_worker *w, struct error *e)
{
        struct verify *v = w->verify;
        struct verify_wait *wait = &v->waits[w->number];
        bool passed;

        pthread_mutex_lock(&v->lock);
        *wait = (struct verify_wait){.asked = true};
        pthread_mutex_unlock(&v->lock);
        loop_post(v->loop, on_ask, &v->asks[w->number]);
        pthread_mutex_lock(&v->lock);
        while (!wait->passed && !halt_asked(v->halt))
                verify_wait_a_little(v, WAIT_SLICE);
        passed = wait->passed;
        pthread_mutex_unlock(&v->lock);
        if (!passed)
                return halt_check(v->halt, e);
        pthread_mutex_lock(&v->report->lock);
        v->report->at = position_max(v->report->at, wait->at);
        pthread_mutex_unlock(&v->report->lock);
        return 0;
}
