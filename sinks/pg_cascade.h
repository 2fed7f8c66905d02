#pragma once
/*
 * What a source's engine did to the children of a row by foreign keys (model/cascade.h), as
 * statements for a PostgreSQL target, which follow the parent's own. The target's keys are off
 * (session_replication_role = replica), so any order serves within a change; how many rows they
 * find is not judged.
 *
 * - Deletes: where only the parent's own children go, one plain DELETE a key. Where those have
 *   children in turn, or refer to their own table, a recursive query gathers all rows that go, and
 *   one statement deletes them all.
 * - Updates, and SET NULL: one UPDATE for each path of keys from the parent. The rows that a path
 *   leads through are found as they were before, so the tables at the far end come first. InnoDB
 *   lets no table be updated twice on a path, so paths end.
 *
 * Pure; belongs to the parent's binding (sinks/pg_binding.h). Loop thread only.
 */
#include "sinks/pg_binding.h"

struct pg_cascade_statement {
        char *name; /* prepared; "" once there are many: parsed each time */
        char *sql;
        bool prepared; /* the owner sets it after preparing */
        int n;
        struct pg_parameter *parameters; /* columns of the parent */
        const struct cascade_key *key;   /* must have been followed; NULL: whichever */
};

struct pg_cascade {
        struct pg_cascade_statement *statements; /* in order */
        unsigned n;
};

/* For changes of kind `op` (delete or update) of the parent `r`, which has r->cascades. `serial`:
 * statements are named by it. NULL: the keys lead along too many paths. */
struct pg_cascade *pg_cascade_new(
        const struct relation *r, enum change_op op, uint64_t serial, struct error *e);
struct pg_cascade *pg_cascade_free(struct pg_cascade *c);

/* Does the statement have to be sent for this change? */
bool pg_cascade_applies(const struct pg_cascade_statement *s, const struct change *c);
/* Fills `values` (at least `n`). -1: a value is not in the log. */
int pg_cascade_values(const struct pg_cascade_statement *s, const struct change *c,
        const char **values, struct error *e);
