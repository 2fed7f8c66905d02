#pragma once
/*
 * `watch`: one call that gets the status every second, and soon after each change, until its client
 * leaves. Loop thread only.
 */
#include "ops/control.h"

struct loop;
struct watcher;

/* What a watcher shows; `status` makes the JSON of one message. */
struct watch_host {
        struct loop *loop;
        struct migration *migration;
        cJSON *(*status)(void *context);
        void *context;
};

/* Takes the call over. Until it has ended the watcher is in the list at `list`. */
void watch_start(const struct watch_host *host, struct control_call *call, struct watcher **list);
/* Ends it with an error, since the daemon ends. */
void watch_cancel(struct watcher *w);
