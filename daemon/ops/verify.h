#pragma once
/*
 * Verification: compares the rows of migrated tables on both sides while writes go on, in threads
 * of its own with blocking connections. It reads both sides, and writes to schema (database)
 * culvert of the target alone: how far it is and what it found (ops/verify_store.h), so that it
 * goes on where it was after a restart.
 *
 * A row that differs when it is first read may be one that the stream has not brought yet. It is
 * read again, on the source, then on the target once the stream has passed the source's position
 * behind that read, and on the source once more. Only what differs in the same way again and again
 * while the source's row stays what it is, is a difference. A row that never stays quiet is
 * undecided; one whose target was seen as the source was before or after is equal.
 *
 * The loop's thread, but for the job itself.
 */
#include "flow/route.h"
#include "ops/verify_report.h"

struct loop;
struct repair;
struct verify;
struct verify_fresh;

#define VERIFY_WORKERS 8 /* at most */

struct verify_request {
        bool begin;          /* else: goes on with what the target knows, if it was running */
        char *schema, *name; /* on the source; NULL: all */
        unsigned sample;     /* percent of the chunks */
        bool continuous;     /* what changes afterwards is compared again, until it is stopped */
        /* What has changed, which the loop keeps for a continuous one; borrowed. NULL: there is no
         * such one, or a repair comes first. One that has no tables yet knows nothing: a run that
         * was continuous in an earlier process begins anew. */
        struct verify_fresh *fresh;
        uint64_t rate;         /* rows a second; 0: no limit */
        struct repair *repair; /* mends what the last one found, instead; borrowed; or NULL */
        const struct route_table **tables; /* those that are migrated; borrowed by the call only */
        unsigned tables_n;
};

struct verify_events {
        /* Wants to know when the target has all that is committed on the source by now: to be
         * answered with verify_passed, some time. */
        void (*ask)(void *context, unsigned worker);
        /* It has ended, once; freed by the receiver afterwards, not from inside. */
        void (*done)(void *context);
};

/* Takes what the request holds. The report is borrowed. */
struct verify *verify_new(struct loop *l, const struct config *c, struct route *r,
        struct verify_request *request, struct verify_report *report,
        const struct verify_events *events, void *context);
struct verify *verify_free(struct verify *v);
/* The answer to `ask`. */
void verify_passed(struct verify *v, unsigned worker, struct position at);
/* Ends it soon; `forget`: and it does not go on after a restart. */
void verify_stop(struct verify *v, bool forget);
