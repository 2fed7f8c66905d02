#pragma once
/*
 * Route: which source table goes where, under which names, with which columns and rows. Include
 * and exclude, [schemas], `to`, excluded and renamed columns, `where`: one place for copy, stream
 * and verification.
 *
 * route_new reads the configuration only. Shapes come later: route_bind ties a shape of a source
 * table (from the catalogue or the stream) to its mapping. The copy's threads may use the
 * functions on struct route_table, which is immutable; all else is the loop's.
 */
#include "base/buf.h"
#include "model/config.h"
#include "model/convert.h"
#include "model/filter.h"
#include "model/statement.h"
#include "model/txn.h"

struct cascades;
struct route;

struct route_changes {
        uint64_t inserts, updates, deletes;
};

/* The definition of a table was read when the log ended at `read`, and holds from an earlier place
 * in it on: what lies between may have been made under yet another one. */
struct route_doubt {
        struct position read;
        bool rows; /* rows are logged without names of columns */
        bool keys; /* there are, or were, foreign keys by which the source changes rows unlogged */
};

struct route_table {
        char *source_schema, *source_name;
        char *schema, *name;                /* on the target */
        const struct config_table *options; /* [table] section, or NULL */
        enum config_conflict on_conflict;
        /* Since the process started, by the loop's thread: what the target can lose no more, and
         * what it has committed beyond that. */
        struct route_changes durable, committed;
        struct route_doubt doubt; /* see the function; loop's thread */
        bool doubted;             /* rows came since */
};

struct route *route_new(const struct config *c);
struct route *route_free(struct route *r);

/* NULL: the configuration does not select this table. Stays valid as long as the route.
 * Thread-safe. */
const struct route_table *route_find(struct route *r, const char *schema, const char *name);

/* Name of a source column on the target; NULL: excluded. */
const char *route_column(const struct route_table *t, const char *source_column);
bool route_is_renamed(const struct route_table *t); /* other name, schema or columns */

/*
 * The shape as the target sees it (target names, excluded columns left out), or an error when an
 * option names a column that is not there, excludes a column of the key, or filters by one.
 * The caller owns the reference.
 */
struct relation *route_target_shape(
        const struct route_table *t, const struct relation *source, struct error *e);

/*
 * The filter as SQL text for a WHERE clause on a PostgreSQL source is not given: culvert evaluates
 * filters itself. route_filter parses and binds one to the shape; *f is NULL when there is none.
 */
int route_filter(const struct route_table *t, const struct relation *source, struct filter **f,
        struct error *e);

/*
 * The known shape of a source table, from culvert.tables; a later shape that differs is DDL. `next`
 * is one more that is taken, or NULL: the operator has seen to the target.
 */
void route_expect(struct route *r, const struct relation *shape, const struct relation *next);
/* Forgets all that was expected; before a start expects anew. */
void route_expect_none(struct route *r);
/* The two engines, where they are not both PostgreSQL; before any shape is expected. */
void route_engines(
        struct route *r, enum engine from, enum engine to, const struct convert_policy *policy);
/* The target's table of an expected one, as its catalogue has it: its types choose the converters.
 */
void route_target(struct route *r, const struct relation *shape, const struct relation *target);
/* The keys by which the source's engine changes rows that it does not log; NULL: there are none.
 * The relations of their parents on the target carry it from now on. */
void route_cascades(struct route *r, const struct cascades *c);
/* Changes of an expected table that commit before `from` go: its copy has them. Set before the
 * stream begins, and again with every route_expect. */
void route_begin(struct route *r, const struct relation *shape, struct position from);
/* The shape that route_relation refused last, or NULL; borrowed, until the next one. */
const struct relation *route_refused(const struct route *r);
void route_forget_refused(struct route *r);

/*
 * Rewrites a piece in place: changes of tables that are not selected go, the others name the
 * target's relation and columns; filters turn updates that cross them into inserts and deletes.
 * A shape that is not the expected one is a DATA error that says what changed (ddl = stop).
 */
int route_apply(struct route *r, struct txn *t, struct error *e);
/* The table that goes to this one of the target; NULL: none does, as far as is known. */
struct route_table *route_to(struct route *r, const char *schema, const char *name);
/* Called for each relation the decoder meets, before changes name it. 0, or the error above. */
int route_relation(struct route *r, const struct relation *shape, struct error *e);
/* The expected shape of a source table (`which` 0) or the `next` one (1); NULL: none. A name of ""
 * is any table of the schema. Borrowed. */
const struct relation *route_known(
        const struct route *r, const char *schema, const char *name, unsigned which);
#define ROUTE_STATEMENT_CODE "CV002" /* of these errors */
#define ROUTE_WRITE_CODE "CV003"     /* where the definition stays what it was */
/* Where more DDL on the table turns up before doubt.read, and rows came that it may have been
 * about, route_statement says so. Of one table at a time where it is about keys. */
void route_doubt(
        struct route *r, const char *schema, const char *name, const struct route_doubt *doubt);
/* DDL on a migrated table, told by the source's log: an error as above (ddl = stop), unless it lies
 * before what route_accept_statements said. */
int route_statement(struct route *r, const struct statement *s, struct error *e);
/* The operator has seen to the target for all statements that end at or before `until`. */
void route_accept_statements(struct route *r, struct position until);
/* That was on another server. */
void route_forget_statements(struct route *r);
