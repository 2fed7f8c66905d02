#pragma once
/*
 * The end of a migration: what culvert made in the two databases is removed. Each step is safe to
 * run again. Blocking, job threads; no stream runs.
 */
#include "model/config.h"
#include "ops/halt.h"

/* Lines that say what complete_run would remove now. */
int complete_list(const struct config *forward, const struct config *reverse, bool purge,
        struct halt *h, struct buf *lines, struct error *e);
/* The fence of either side is lowered; slots, publications, replication origins and what is in
 * schema culvert go, of this pipeline and its way back. culvert.state stays, for applications, and
 * says `complete`; with `purge` it goes, too. What other pipelines have there is left alone. */
int complete_run(const struct config *forward, const struct config *reverse, bool purge,
        struct halt *h, struct error *e);
