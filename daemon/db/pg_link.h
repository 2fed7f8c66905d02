#pragma once
/*
 * PostgreSQL connection on the loop: connects, sets the session, runs queries one after another,
 * and can be handed over raw for COPY BOTH or pipeline mode. Never blocks, but for name
 * resolution, which libpq does synchronously when it begins to connect (use hostaddr in the URI
 * where a resolver may hang).
 *
 * Owned by whoever made it. `up` and `down` come from the loop, never from inside a call; `down`
 * comes at most once, and the link may be freed in it. Results are freed by the link.
 */
#include "base/loop.h"
#include "db/pg.h"

struct pg_link;

struct pg_link_events {
        void (*up)(void *context);
        void (*down)(void *context, const struct error *e);
};

/* A query's end: `r` is NULL when it failed, and `e` says why; the link may still be up. */
typedef void pg_link_result(void *context, PGresult *r, const struct error *e);

struct pg_link *pg_link_new(struct loop *l, const struct pg_params *p,
        const struct pg_link_events *events, void *context);
struct pg_link *pg_link_free(
        struct pg_link *k); /* closes; callbacks of queued queries never come */

/* Queues a query with text parameters (copied). Without parameters it may be several statements,
 * and PGRES_COPY_BOTH is a result too. `done` may be NULL. */
void pg_link_query(struct pg_link *k, pg_link_result *done, void *context, const char *sql, int n,
        const char *const *values);

/*
 * Raw mode: from now on `input` is called when bytes have come in or gone out, and the owner talks
 * to the PGconn itself. After sending anything call pg_link_flush. pg_link_read(false) stops
 * reading.
 */
void pg_link_raw(struct pg_link *k, void (*input)(void *context));
void pg_link_flush(struct pg_link *k);
void pg_link_read(struct pg_link *k, bool wanted);
/* Bytes are waiting to be written: the socket is full. */
bool pg_link_blocked(const struct pg_link *k);
PGconn *pg_link_conn(struct pg_link *k);
/* Ends the link with this error: `down` follows from the loop. */
void pg_link_fail(struct pg_link *k, const struct error *e);
