#pragma once
/*
 * Watcher: looks once a minute, while the stream runs, for what the stream does not tell: a table
 * that leaves the publication is lost without a word (EDGE-CASES 10), rows come and go with
 * partitions (EDGE-CASES 40, ops/pg_marks.h), tables are made that the configuration selects. The
 * check blocks, so each has a thread of its own; the answer comes on the loop's thread.
 */
#include "base/error.h"
#include "flow/route.h"
#include "model/config.h"
#include "model/relation.h"

struct loop;
struct watcher;

/* What is compared; copied, with references to the shapes. */
struct watched {
        struct relation *const *shapes;
        char *const *marks; /* of each, ops/origin.h; NULL: there are none */
        unsigned n;
        const char *published; /* ops/origin.h, of all, those that are being added too */
        /* Known besides, and without marks yet: tables that are being added. */
        struct relation *const *joining;
        unsigned joining_n;
};

struct watcher_events {
        /* Errors that waiting does not mend; a connection that is lost is asked again the next
         * time. */
        void (*failed)(void *context, const struct error *e);
        /* After each look that went well: the tables that are selected and not in `watched`. The
         * array is the watcher's. */
        void (*fresh)(void *context, const struct route_table *const *tables, unsigned n);
};

struct watcher *watcher_new(struct loop *l, const struct config *c, struct route *r,
        const struct watched *watched, const struct watcher_events *events, void *context);
/* NULL: nothing is watched. Looks now, and once more after a look that is under way. */
void watcher_look(struct watcher *w);
/* The same, unless the last look is younger than some seconds. */
void watcher_look_soon(struct watcher *w);
/* Ends a check that is under way. Not from inside an event. */
struct watcher *watcher_free(struct watcher *w);
