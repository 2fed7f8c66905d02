#include "ops/watcher.h"
#include "base/loop.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "ops/halt.h"
#include "ops/origin.h"
#include "ops/pg_marks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_INTERVAL (60 * SECOND)
#define SOON (3 * SECOND)

struct watcher {
        struct loop *loop;
        const struct config *config;
        struct relation **shapes;
        char **marks; /* NULL: there are none; the thread's while one runs */
        char *published;
        unsigned n, known_n; /* shapes behind the first n are known, and not watched */
        struct route *route;
        const struct route_table **fresh; /* as marks */
        unsigned fresh_n;
        bool again;
        int64_t looked; /* when the last look began, loop time */
        struct watcher_events events;
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
        timer_set(&w->timer, w->again ? 0 : CHECK_INTERVAL);
        w->again = false;
        if (w->error.class == ERROR_NONE)
                w->events.fresh(w->context, w->fresh, w->fresh_n);
        else if (w->error.class != ERROR_RETRY)
                w->events.failed(w->context, &w->error);
}

/* Harmless differences are taken over, here alone: the next start compares by itself. */
static int look_at_marks(struct watcher *w, const struct origin_ops *from, struct origin *o,
        const struct carried *all, struct error *e)
{
        const struct carried watched = {.shapes = all->shapes, .n = w->n};
        char **now = from->marks(o, &watched, e);
        int rc = now ? 0 : -1;

        for (unsigned i = 0; rc >= 0 && i < w->n; i++)
                if ((rc = from->compare(o, w->shapes[i], w->marks[i], now[i], e)) > 0)
                        log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, e, "cannot be looked at");
        if (rc < 0) {
                pg_marks_free(now, w->n);
                return -1;
        }
        error_clear(e);
        pg_marks_free(w->marks, w->n);
        w->marks = now;
        return 0;
}

/* Of the tables that are selected it only wants the names. */
static bool note_fresh(void *context, const char *schema, const char *name)
{
        struct watcher *w = context;
        const struct route_table *t = route_find(w->route, schema, name);

        for (unsigned i = 0; t && i < w->known_n; i++)
                if (!strcmp(w->shapes[i]->name, name) && !strcmp(w->shapes[i]->schema, schema))
                        t = NULL;
        if (t) {
                w->fresh = memory_grow(w->fresh, (w->fresh_n + 1) * sizeof(*w->fresh));
                w->fresh[w->fresh_n++] = t;
        }
        return false;
}

static int look(struct watcher *w, struct error *e)
{
        const struct origin_ops *from = origin_ops_of(w->config->source.kind);
        const struct carried all = {.shapes = (const struct relation *const *)w->shapes,
                .n = w->known_n,
                .published = w->published};
        struct origin *o = from->open(w->config, w->halt, e);
        int rc = o ? from->watch(o, &all, e) : -1;

        if (rc == 0 && w->marks)
                rc = look_at_marks(w, from, o, &all, e);
        w->fresh_n = 0;
        if (rc == 0)
                rc = from->names(o, note_fresh, w, e);
        from->close(o);
        return rc < 0 ? error_context(e, "source") : 0;
}

static void *check(void *context)
{
        struct watcher *w = context;

        error_clear(&w->error);
        look(w, &w->error);
        loop_post(w->loop, on_checked, w);
        return NULL;
}

static void on_due(void *context)
{
        struct watcher *w = context;
        w->looked = loop_now(w->loop);
        w->running = thread_start(&w->thread, check, w);
        if (!w->running)
                timer_set(&w->timer, CHECK_INTERVAL);
}

static void take_marks(struct watcher *w, const struct watched *watched)
{
        w->published = memory_string(watched->published);
        if (!watched->marks)
                return;
        w->marks = memory_new((w->n + 1) * sizeof(char *));
        for (unsigned i = 0; i < w->n; i++)
                w->marks[i] = memory_string(watched->marks[i]);
}

struct watcher *watcher_new(struct loop *l, const struct config *c, struct route *r,
        const struct watched *watched, const struct watcher_events *events, void *context)
{
        struct watcher *w = memory_new_of(struct watcher);

        w->loop = l;
        w->config = c;
        w->route = r;
        w->events = *events;
        w->context = context;
        w->n = watched->n;
        w->known_n = watched->n + watched->joining_n;
        w->shapes = memory_new((w->known_n + 1) * sizeof(struct relation *));
        for (unsigned i = 0; i < w->known_n; i++)
                w->shapes[i] =
                        relation_ref(i < w->n ? watched->shapes[i] : watched->joining[i - w->n]);
        take_marks(w, watched);
        w->halt = halt_new();
        timer_init(&w->timer, l, on_due, w);
        timer_set(&w->timer, CHECK_INTERVAL);
        return w;
}

void watcher_look(struct watcher *w)
{
        if (!w)
                return;
        if (w->running)
                w->again = true;
        else
                timer_set(&w->timer, 0);
}

void watcher_look_soon(struct watcher *w)
{
        if (w && !w->running && loop_now(w->loop) - w->looked >= SOON)
                timer_set(&w->timer, 0);
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
        for (unsigned i = 0; i < w->known_n; i++)
                relation_unref(w->shapes[i]);
        free(w->shapes);
        pg_marks_free(w->marks, w->n);
        free(w->fresh);
        free(w->published);
        halt_free(w->halt);
        free(w);
        return NULL;
}
