#pragma once
/*
 * Watches a link to a PostgreSQL target for silence (sinks/silence.h): asks pg_stat_activity over a
 * second connection, and ends the link when it is lost. Owned by the link's owner, which frees it
 * before the link. Loop thread only.
 */
#include "db/pg_link.h"
#include "sinks/silence.h"

struct pg_silence;

/* `k` is up. Borrows it, and the parameters. */
struct pg_silence *pg_silence_new(struct loop *l, const struct pg_params *p, struct pg_link *k,
        int64_t limit, const struct silence_events *events, void *context);
struct pg_silence *pg_silence_free(struct pg_silence *s); /* takes NULL */
/* These take NULL. */
void pg_silence_heard(struct pg_silence *s);
void pg_silence_limit(struct pg_silence *s, int64_t limit);
