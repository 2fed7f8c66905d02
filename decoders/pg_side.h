#pragma once
/*
 * Side connection of a PostgreSQL source: an ordinary one beside the stream, for what a walsender
 * cannot answer while it streams: marks, and what the slot holds and for how long. Connects when it
 * is needed; a lost connection fails the marks that are asked and is opened again at the next
 * question. The slot is looked at while nothing streams, too: that is when the log piles up.
 *
 * Owned by the source. Events come from the loop.
 */
#include "db/pg_link.h"
#include "decoders/source.h"

struct pg_side;

struct pg_side_events {
        /* Answers of pg_side_mark, in order. */
        void (*marked)(void *context, struct position p, const struct error *e);
        void (*log_end)(void *context, struct position p);
};

/* Polls the slot every `interval` microseconds once it is started. */
struct pg_side *pg_side_new(struct loop *l, const struct pg_params *p, const char *slot,
        int64_t interval, const struct pg_side_events *events, void *context);
struct pg_side *pg_side_free(struct pg_side *s);
void pg_side_start(struct pg_side *s);
/* Marks that are asked are forgotten; the slot is looked at less often. */
void pg_side_rest(struct pg_side *s);
void pg_side_mark(struct pg_side *s);
const struct source_retention *pg_side_retention(const struct pg_side *s);
