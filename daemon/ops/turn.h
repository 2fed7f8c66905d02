#pragma once
/*
 * Turn: the walk by which the other side takes the lead: a cutover, and a rollback, which is the
 * same backwards. Gates, then fence, drain, and the place in the new leader's log from which the
 * stream goes on the other way. Until the journal (ops/journal.h) names the new leader, which is
 * one commit, everything that was done is undone when a step fails, and the old leader writes
 * again.
 *
 * No change is ever sent back: the stream of one direction ends, all applied, before the other
 * begins behind its last commit.
 *
 * Loop thread only; what blocks runs in jobs (ops/turn_steps.h). Owned by the migration.
 */
#include "base/error.h"

#include <cjson/cJSON.h>
#include <stdint.h>

struct migration;
struct turn;
struct txn;

struct turn_request {
        bool back;       /* a rollback */
        bool rehearse;   /* all but the fence and what follows it */
        bool force;      /* of a rollback: what only asks for proof is advice */
        bool stopped;    /* the operator says that nobody writes (fence = manual) */
        int64_t timeout; /* microseconds from the fence to the release */
        const char
                *override; /* gates that are passed whatever they say, comma-separated; or NULL */
};

#define TURN_TIMEOUT_DEFAULT (60 * INT64_C(1000000))

enum turn_end {
        TURN_DONE,    /* the other side leads; or the rehearsal passed */
        TURN_REFUSED, /* by a gate, or the state: nothing has changed */
        TURN_FAILED,  /* a step failed: undone */
        TURN_LATE     /* the time was over: undone */
};

struct turn_events {
        void (*changed)(void *context); /* another step, a gate more */
        void (*ended)(void *context, enum turn_end end);
};

/* Begins. NULL: refused by the state or the request. `ended` comes once; the turn stays to be asked
 * until it is freed. */
struct turn *turn_new(struct migration *m, const struct turn_request *q,
        const struct turn_events *events, void *context, struct error *e);
struct turn *turn_free(struct turn *t);
/* Whoever hears of it; NULL events: nobody. */
void turn_attach(struct turn *t, const struct turn_events *events, void *context);
/* Undone, if that is still possible; `ended` follows. */
void turn_abort(struct turn *t, const char *why);

bool turn_is_over(const struct turn *t);
/* From before the fence until the end; in the journal, but for the last step. */
bool turn_is_walking(const struct turn *t);
bool turn_is_back(const struct turn *t); /* a rollback */
/* What happened so far: gates, steps and their times. The caller's. */
cJSON *turn_body(const struct turn *t);
/* Does it want to see what the stream brings? Behind the fence nothing may come. */
bool turn_sees(const struct turn *t);
void turn_see(struct turn *t, const struct txn *piece);
/* The pipeline of the migration has news. */
void turn_look(struct turn *t);
/* The stream that runs has stopped on an error. */
void turn_stream_failed(struct turn *t, const struct error *e);
