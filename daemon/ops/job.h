#pragma once
/*
 * Job: one blocking piece of work on a thread of its own, for the loop. `work` runs in the thread,
 * opens its connections through the halt and leaves none open; `done` follows on the loop's thread,
 * once, unless the job is freed before: then its connections are broken, and its end is waited for.
 */
#include "ops/halt.h"

struct job;
struct loop;

typedef int job_work(void *context, struct halt *h, struct error *e);
/* `e` NULL: it was done. */
typedef void job_done(void *context, const struct error *e);

struct job *job_new(struct loop *l, job_work *work, job_done *done, void *context);
/* Breaks its connections; `done` still comes, with an error. */
void job_stop(struct job *j);
struct job *job_free(struct job *j);
