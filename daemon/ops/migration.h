#pragma once
/*
 * Migration: one pipeline from its start to its end. Prepares both sides and copies (ops/prepare,
 * on worker threads), then runs the stream (flow/pipeline), keeps the state that survives restarts,
 * and turns error classes into retry or stop. Loop thread only.
 */
#include "model/config.h"
#include "ops/quarantine.h"
#include "ops/status.h"

struct loop;
struct migration;
struct verify_sums;

struct migration *migration_new(struct loop *l, const struct config *c, struct error *e);
struct migration *migration_free(struct migration *m);

/* Begins: connects, copies, streams. Paused stays paused over a restart. */
void migration_start(struct migration *m);
/* Finishes what is in flight, stores the checkpoint, then calls `done` on the loop; at most
 * `grace` microseconds. */
void migration_shutdown(
        struct migration *m, int64_t grace, void (*done)(void *context), void *context);

/* 0, or -1 and nothing changed: refused by the state (exit status 4), or, with a RETRY error, not
 * to be saved (exit status 1). */
int migration_pause(struct migration *m, struct error *e);
int migration_resume(struct migration *m, struct error *e);

/* Draining: see pipeline_drain. 0, or -1: refused by the state. False undoes it. */
int migration_drain(struct migration *m, bool draining, struct error *e);
bool migration_is_draining(const struct migration *m);
bool migration_is_drained(const struct migration *m);
/* A job on the quarantine; the names of its table are the source's. While it writes, the stream
 * stands. `done` comes once, unless the migration is freed before. -1: refused by the state. Takes
 * what the request holds, unless it refuses. */
int migration_quarantine(struct migration *m, struct quarantine_request *request,
        void (*done)(void *context, struct quarantine_result *r), void *context, struct error *e);

/* Verification (ops/verify.h): one at a time. Of one source table, or all (NULL); `sample` 0: as
 * configured. A continuous one compares all, and then what changes, until it is stopped, or another
 * one is started. -1: refused by the state. */
int migration_verify_start(struct migration *m, const char *schema, const char *table,
        unsigned sample, bool continuous, struct error *e);
/* `done` comes once, when it has ended, unless the migration is freed before. */
int migration_verify_stop(
        struct migration *m, void (*done)(void *context), void *context, struct error *e);
struct cJSON *migration_verify_status(struct migration *m); /* the caller's */
/* The same with values of rows (ops/verify_values.h). `done` comes once, with the status, which is
 * the receiver's, or an error, unless the migration is freed before. -1: refused, since somebody is
 * being shown them already. */
typedef void migration_values(void *context, struct cJSON *status, const struct error *why);
int migration_verify_values(
        struct migration *m, migration_values *done, void *context, struct error *e);
/* As they are now, with what has changed since. */
void migration_verify_sums(struct migration *m, struct verify_sums *s);
/*
 * The last look before a cutover: verifies at once what has changed since it was verified. `done`
 * comes once, unless the migration is freed before: when all that the stream had brought to the
 * target by the call is compared (migration_verify_sums says with what result), or with the error
 * by which the verification ended. -1: refused, since no continuous verification has compared all
 * yet, or somebody waits for that already.
 *
 * Behind the fence, when the stream has drained, nothing changes any more: then `changed` is 0 and
 * nothing is stale.
 */
typedef void migration_verified(void *context, const struct error *why);
int migration_verify_rest(
        struct migration *m, migration_verified *done, void *context, struct error *e);

/* Repair (ops/repair.h) of what the last verification found: in one source table, or all (NULL).
 * `done` comes once, with what the receiver may ask of the repair, unless the migration is freed
 * before. -1: refused by the state. */
struct repair;
struct migration_repair_request {
        const char *schema, *table;
        bool dry_run;
};
typedef void migration_repaired(void *context, struct repair *r, const struct error *failed);
int migration_repair(struct migration *m, const struct migration_repair_request *q,
        migration_repaired *done, void *context, struct error *e);

/* Cutover and rollback (ops/turn.h): one at a time. -1: refused by the state. */
struct turn_request;
struct turn_events;
int migration_turn(struct migration *m, const struct turn_request *q,
        const struct turn_events *events, void *context, struct error *e);
bool migration_is_turning(const struct migration *m);
void migration_turn_attach(struct migration *m, const struct turn_events *events, void *context);
void migration_turn_abort(struct migration *m, const char *why);
struct cJSON *migration_turn_body(struct migration *m); /* of the last one; the caller's */

/* The end of the migration (ops/complete.h), or with `list` what that would remove. `done` comes
 * once, unless the migration is freed before. -1: refused by the state. */
typedef void migration_completed(void *context, const char *lines, const struct error *failed);
struct migration_complete_request {
        bool list, purge;
};
int migration_complete(struct migration *m, const struct migration_complete_request *q,
        migration_completed *done, void *context, struct error *e);

void migration_status(struct migration *m, struct status *s);
/* Calls `each` once a table, in name order. */
void migration_tables(struct migration *m,
        void (*each)(void *context, const struct status_table *t), void *context);

/* Takes over the options that may change while running; the migration keeps `c` from then on. */
void migration_reload(struct migration *m, const struct config *c);

/*
 * The source's end position now: asks the source for a mark and calls `done` with the position
 * that the stream must pass so that everything committed before this call has been seen; none and
 * an error when it cannot be had. The call returns a handle for migration_mark_cancel.
 */
struct migration_mark;
struct migration_mark *migration_mark(struct migration *m,
        void (*done)(void *context, struct position p, const struct error *e), void *context);
void migration_mark_cancel(struct migration_mark *mark);

/* Called after every change that `wait` or `watch` may care about: state, position, error. */
struct migration_listener {
        void (*changed)(void *context);
        void *context;
        struct migration_listener *next;
};
void migration_listen(struct migration *m, struct migration_listener *listener);
void migration_unlisten(struct migration *m, struct migration_listener *listener);
