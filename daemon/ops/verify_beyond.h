#pragma once
/*
 * What a verification looks at beyond rows: keys, indexes and constraints that one side has and the
 * other lacks, foreign keys that do not hold on the target, counters (sequences, auto_increment)
 * that would give a value again that their column has. Each finding is a note: no difference of
 * rows, and no value of one is in it.
 *
 * Blocking, in the job's thread, when all rows are compared. Every question to the target is one
 * statement, so that it sees whole transactions.
 */
#include "ops/verify_private.h"

#define VERIFY_NOTES_MAX VERIFY_ITEMS_MAX

/* Fills v->notes. `source`: the definitions of the run's tables. What could not be found out is a
 * note as well; -1: an error that another attempt may not meet, or the end of this one. */
int verify_beyond(struct verify *v, const struct table_defs *source, struct verify_side *target,
        struct error *e);
void verify_forget_notes(struct verify *v);
/* One more, if there is room; `t` NULL: of no table. */
void verify_note(struct verify *v, const struct verify_task *t, enum verify_kind kind,
        const char *name, const char *detail);
/* The operator's queries (ops/checks.h) become notes where they differ; verify_checks.c. -1 as
 * above. */
int verify_checks(struct verify *v, struct error *e);
