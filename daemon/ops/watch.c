#include "ops/watch.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/migration.h"

#include <stdlib.h>

#define PERIOD SECOND
#define AFTER_CHANGE (100 * MILLISECOND) /* a busy stream changes a thousand times a second */

struct watcher {
        const struct watch_host *host;
        struct control_call *call;
        struct watcher *next, **back;
        struct migration_listener listener;
        struct timer timer;
};

static void watcher_free(struct watcher *w)
{
        migration_unlisten(w->host->migration, &w->listener);
        timer_cancel(&w->timer);
        *w->back = w->next;
        if (w->next)
                w->next->back = w->back;
        free(w);
}

static void on_timer(void *context)
{
        struct watcher *w = context;

        control_call_progress(w->call, w->host->status(w->host->context));
        timer_set(&w->timer, PERIOD);
}

static void on_change(void *context)
{
        struct watcher *w = context;

        if (w->timer.at > loop_now(w->host->loop) + AFTER_CHANGE)
                timer_set(&w->timer, AFTER_CHANGE);
}

static void on_gone(void *context)
{
        watcher_free(context);
}

void watch_start(const struct watch_host *host, struct control_call *call, struct watcher **list)
{
        struct watcher *w = memory_new_of(struct watcher);

        *w = (struct watcher){.host = host,
                .call = call,
                .next = *list,
                .back = list,
                .listener = {.changed = on_change, .context = w}};
        if (w->next)
                w->next->back = &w->next;
        *list = w;
        timer_init(&w->timer, host->loop, on_timer, w);
        timer_set(&w->timer, 0);
        migration_listen(host->migration, &w->listener);
        control_call_on_gone(call, on_gone, w);
}

void watch_cancel(struct watcher *w)
{
        control_call_refuse(w->call, CONTROL_NO_DAEMON, "the daemon ends");
        watcher_free(w);
}
