#include "ops/watcher.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/pg_source.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define CHECK_INTERVAL (60 * SECOND)

struct watcher {
        struct loop *loop;
        const struct config *config;
        struct relation **shapes;
        char *published;
        unsigned n;
        void (*failed)(void *context, const struct error *e);
        void *context;
        struct timer timer;
        struct halt *halt;
        pthread_t thread;
        bool running;
        struct error error;
};

static void on_checked(void *context)
{
        struct watcher *w = context;

        pthread_join(w->thread, NULL);
        w->running = false;
        timer_set(&w->timer, CHECK_INTERVAL);
        if (w->error.class != ERROR_NONE && w->error.class != ERROR_RETRY)
                w->failed(w->context, &w->error);
}

static void *check(void *context)
{
        struct watcher *w = context;
        struct pg_published wanted = {(const struct relation *const *)w->shapes, w->n};

        error_clear(&w->error);
        pg_source_watch(w->config, &wanted, w->published, w->halt, &w->error);
        loop_post(w->loop, on_checked, w);
        return NULL;
}

/* Signals are the main thread's. */
static void on_due(void *context)
{
        struct watcher *w = context;
        sigset_t all, old;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        w->running = pthread_create(&w->thread, NULL, check, w) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (!w->running)
                timer_set(&w->timer, CHECK_INTERVAL);
}

struct watcher *watcher_new(struct loop *l, const struct config *c, struct relation *const *shapes,
        unsigned n, const char *published, void (*failed)(void *context, const struct error *e),
        void *context)
{
        struct watcher *w = memory_new_of(struct watcher);

        w->loop = l;
        w->config = c;
        w->failed = failed;
        w->context = context;
        w->n = n;
        w->shapes = memory_new(n * sizeof(struct relation *));
        for (unsigned i = 0; i < n; i++)
                w->shapes[i] = relation_ref(shapes[i]);
        w->published = memory_string(published);
        w->halt = halt_new();
        timer_init(&w->timer, l, on_due, w);
        timer_set(&w->timer, CHECK_INTERVAL);
        return w;
}

struct watcher *watcher_free(struct watcher *w)
{
        if (!w)
                return NULL;
        timer_cancel(&w->timer);
        if (w->running) {
                halt_ask(w->halt);
                pthread_join(w->thread, NULL);
                loop_unpost(w->loop, w);
        }
        for (unsigned i = 0; i < w->n; i++)
                relation_unref(w->shapes[i]);
        free(w->shapes);
        free(w->published);
        halt_free(w->halt);
        free(w);
        return NULL;
}
