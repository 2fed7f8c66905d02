#pragma once
/*
 * Crew: some threads that do one job together while their starter waits. The first failure is the
 * result, and stops the others through the halt. Signals are left to the main thread.
 */
#include "ops/halt.h"

/* `work(context, worker, e)` runs in each thread. */
typedef int crew_work(void *context, unsigned worker, struct error *e);
/* Called in the starter's thread about once a second while it waits. */
typedef int crew_tick(void *context, struct error *e);

int crew_run(unsigned n, crew_work *work, crew_tick *tick, void *context, struct halt *h,
        struct error *e);
