#pragma once
/*
 * Which rows the stream has changed since they were verified: what a continuous verification
 * (verify_follow.c) compares again, so that what it has proved stays proved.
 *
 * The loop shows it what the sink is about to take; a row is kept by its key, as the target has it.
 * The job takes all that there is at a time, compares it, and says so. What comes meanwhile is for
 * the next time. A table is compared as a whole again where the rows are not known: it has no key,
 * it was truncated, a parent's change has moved rows of it that the log does not tell, or there
 * were more keys than FRESH_BYTES_MAX hold, of all tables together.
 *
 * It is memory alone: after a restart nobody knows what was in it, and the verification begins
 * anew.
 *
 * Made and freed by the loop, and outlives the jobs. Everything goes through its lock.
 */
#include "ops/verify_private.h"

#define FRESH_BYTES_MAX ((size_t)32 << 20)
#define FRESH_CYCLE (1 * SECOND)  /* between two looks at what has changed */
#define FRESH_WHOLE (10 * SECOND) /* between two comparisons of a whole table; or, if more, */
#define FRESH_SHARE 10            /* so many times of what the last one took */

struct verify_fresh;

struct verify_fresh *verify_fresh_new(struct loop *l);
struct verify_fresh *verify_fresh_free(struct verify_fresh *f);

/* ---- the loop ---- */

void verify_fresh_see(struct verify_fresh *f, const struct txn *piece);
/* What was shown by now is to be verified at once; `done` is called when it is. False: somebody
 * waits for that already. */
bool verify_fresh_rest(struct verify_fresh *f, void (*done)(void *context), void *context);
void verify_fresh_forget_rest(struct verify_fresh *f);
bool verify_fresh_is_awaited(struct verify_fresh *f);
/* Into the report's lines, and how many rows, or whole tables, are not verified again yet. */
void verify_fresh_show(struct verify_fresh *f, struct verify_report *r);

/* ---- the job ---- */

/* The tables of the run, before the first row is read; what is known of them stays. */
void verify_fresh_bind(struct verify_fresh *f, const struct verify_task *tasks, unsigned n);
bool verify_fresh_is_bound(struct verify_fresh *f);
/* Is there something to be compared, and is it time? */
bool verify_fresh_is_due(struct verify_fresh *f);
/* Takes what there is. Until verify_fresh_done or _back it is the job's. */
void verify_fresh_take(struct verify_fresh *f);
/* Of what was taken: keys of the table, whose rows' `to` is in its `keys`; or all of it. */
const struct verify_set *verify_fresh_taken(struct verify_fresh *f, unsigned task, bool *all);
void verify_fresh_done(struct verify_fresh *f); /* it is compared */
void verify_fresh_back(struct verify_fresh *f); /* it is not */
