#pragma once
/*
 * Watcher: compares the publication with the migrated tables once a minute while the stream runs,
 * since a table that leaves it is lost without a word (EDGE-CASES 10). The check blocks, so each
 * has a thread of its own; the answer comes on the loop's thread.
 */
#include "base/error.h"
#include "model/config.h"
#include "model/relation.h"

struct loop;
struct watcher;

/* `failed` comes for errors that waiting does not mend; a connection that is lost is asked again
 * the next time. Holds references to the shapes. `published` is
 * the publication's mark (ops/pg_publication.h). */
struct watcher *watcher_new(struct loop *l, const struct config *c, struct relation *const *shapes,
        unsigned n, const char *published, void (*failed)(void *context, const struct error *e),
        void *context);
/* Ends a check that is under way. Not from inside `failed`. */
struct watcher *watcher_free(struct watcher *w);
