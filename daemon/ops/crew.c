#include "ops/crew.h"
#include "base/memory.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct crew {
        crew_work *work;
        void *context;
        struct halt *halt;
        pthread_mutex_t lock;
        pthread_cond_t ended;
        unsigned running;
        bool failed;
        struct error error; /* of the first that failed */
};

struct member {
        struct crew *crew;
        unsigned number;
        pthread_t thread;
        bool started;
};

static void fail(struct crew *c, const struct error *e)
{
        pthread_mutex_lock(&c->lock);
        if (!c->failed)
                c->error = *e;
        c->failed = true;
        pthread_mutex_unlock(&c->lock);
        halt_ask(c->halt);
}

static void *run_member(void *context)
{
        struct member *m = context;
        struct crew *c = m->crew;
        struct error e = ERROR_INIT;

        if (c->work(c->context, m->number, &e) < 0)
                fail(c, &e);
        pthread_mutex_lock(&c->lock);
        c->running--;
        pthread_cond_signal(&c->ended);
        pthread_mutex_unlock(&c->lock);
        return NULL;
}

static void start(struct crew *c, struct member *members, unsigned n)
{
        struct error e = ERROR_INIT;
        for (unsigned i = 0; i < n; i++) {
                members[i] = (struct member){.crew = c, .number = i};
                pthread_mutex_lock(&c->lock);
                c->running++;
                pthread_mutex_unlock(&c->lock);
                members[i].started = thread_start(&members[i].thread, run_member, &members[i]);
                if (members[i].started)
                        continue;
                error_set(&e, ERROR_RETRY, "no thread could be started");
                fail(c, &e);
                pthread_mutex_lock(&c->lock);
                c->running--;
                pthread_mutex_unlock(&c->lock);
        }
}

static void wait_for_all(struct crew *c, crew_tick *tick)
{
        struct error e = ERROR_INIT;
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        pthread_mutex_lock(&c->lock);
        while (c->running > 0) {
                until.tv_sec++;
                while (c->running > 0 && pthread_cond_timedwait(&c->ended, &c->lock, &until) == 0)
                        ;
                if (c->running == 0 || !tick || halt_asked(c->halt))
                        continue;
                pthread_mutex_unlock(&c->lock);
                if (tick(c->context, &e) < 0)
                        fail(c, &e);
                pthread_mutex_lock(&c->lock);
        }
        pthread_mutex_unlock(&c->lock);
}

int crew_run(unsigned n, crew_work *work, crew_tick *tick, void *context, struct halt *h,
        struct error *e)
{
        struct crew c = {.work = work, .context = context, .halt = h};
        struct member *members = memory_new((n ? n : 1) * sizeof *members);
        pthread_condattr_t attributes;

        pthread_mutex_init(&c.lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&c.ended, &attributes);
        pthread_condattr_destroy(&attributes);
        start(&c, members, n);
        wait_for_all(&c, tick);
        for (unsigned i = 0; i < n; i++)
                if (members[i].started)
                        pthread_join(members[i].thread, NULL);
        pthread_cond_destroy(&c.ended);
        pthread_mutex_destroy(&c.lock);
        free(members);
        if (c.failed)
                *e = c.error;
        return c.failed ? -1 : halt_check(h, e);
}
