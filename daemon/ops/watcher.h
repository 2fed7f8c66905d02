#pragma once
/*
 * Watcher: looks once a minute, while the stream runs, for what the stream does not tell: a table
 * that leaves the publication is lost without a word (EDGE-CASES 10), rows come and go with
 * partitions (EDGE-CASES 40, ops/pg_marks.h). The check blocks, so each has a thread of its own;
 * the answer comes on the loop's thread.
 */
#include "base/error.h"
#include "model/config.h"
#include "model/relation.h"

struct loop;
struct watcher;

/* What is compared; copied, with references to the shapes. */
struct watched {
        struct relation *const *shapes;
        char *const *marks; /* of each, ops/pg_marks.h */
        unsigned n;
        const char *published; /* the publication's mark, ops/pg_publication.h */
};

/* `failed` comes for errors that waiting does not mend; a connection that is lost is asked again
 * the next time. */
struct watcher *watcher_new(struct loop *l, const struct config *c, const struct watched *watched,
        void (*failed)(void *context, const struct error *e), void *context);
/* Ends a check that is under way. Not from inside `failed`. */
struct watcher *watcher_free(struct watcher *w);
