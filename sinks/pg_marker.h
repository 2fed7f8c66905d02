#pragma once
/*
 * Durability marker: learns what a PostgreSQL target keeps over a crash. Commits of the apply
 * connection are asynchronous; a second connection commits a tiny write synchronously every 150 ms
 * (a message in the log: no row, so nothing grows under a long snapshot) while something is
 * committed and not known to be durable. Everything whose commit had returned before that write was
 * sent is durable when it returns, on synchronous standbys too (HAZARDS B2: comparing LSNs stalls
 * on a quiet server and proves nothing on a busy one).
 *
 * Owned by the sink. Events come from the loop; the marker may be freed in `failed`.
 */
#include "db/pg_link.h"
#include "model/position.h"

struct pg_marker;

struct pg_marker_events {
        void (*up)(void *context);
        void (*durable)(void *context, struct position p);
        void (*held)(void *context, const char *text); /* see pg_marker_look; or it is silent */
        void (*failed)(void *context, const struct error *e);
};

/* `silence`: as [apply] answer_timeout. */
struct pg_marker *pg_marker_new(struct loop *l, const struct pg_params *p, int64_t silence,
        const struct pg_marker_events *events, void *context);
struct pg_marker *pg_marker_free(struct pg_marker *m);
/* Everything before `p` is durable by the way it was read. */
void pg_marker_start(struct pg_marker *m, struct position p);
/* The commit that ends at `p` has returned. */
void pg_marker_committed(struct pg_marker *m, struct position p);
/* Looks, beside the marks, for a long snapshot on the target (db/pg_horizon.h), and tells once of
 * the one that it finds. */
void pg_marker_look(struct pg_marker *m);
