#pragma once
/*
 * Which entries of the archive go to the target, and why the others stay. Worker threads; used by
 * ops/pg_schema only.
 */
#include "ops/pg_dump_list.h"
#include "ops/pg_graph.h"
#include "ops/pg_names.h"

/* One entry of the archive, decided. */
struct pg_pick {
        const struct pg_dump_entry *entry;
        struct pg_node *node; /* NULL: an entry without oids, or nothing depends on or needs it */
        struct pg_name name;
        bool carried;
        char *left; /* why it stays; NULL: carried, there already, or not worth a line */
};

struct pg_picks {
        struct pg_pick *items; /* one an entry, in the archive's order */
        unsigned n;
        struct pg_names there; /* on the target */
};

/* Columns of the tables to be made that do not go along: two arrays as text, alike in length. */
struct pg_excluded {
        const char *tables, *columns;
};

/* An error when a wanted table cannot be made. Borrows list and graph. */
int pg_picks_make(struct pg_picks *p, const struct pg_dump_list *l, struct pg_graph *g,
        const struct pg_excluded *x, PGconn *source, PGconn *target, struct error *e);
void pg_picks_done(struct pg_picks *p);

/*
 * What the target's server and role cannot take, pg_schema_limits.c. Called between the closure of
 * the tables and that of what goes along: what is only in the second is left behind, what is in the
 * first is an error.
 */
int pg_pick_extensions(struct pg_picks *p, struct pg_graph *g, PGconn *target, struct error *e);
int pg_pick_code(struct pg_graph *g, PGconn *source, struct error *e);
/* What uses an excluded column stays; called once it is decided what else is carried. */
int pg_pick_columns(
        struct pg_picks *p, const struct pg_excluded *x, PGconn *source, struct error *e);
int pg_pick_policies(struct pg_picks *p, PGconn *source, PGconn *target, struct error *e);

bool pg_pick_is(const struct pg_pick *p, const char *kind);

/* The phase in which an entry is to be restored now: DUMP_NEVER when it is not carried or the
 * target has it by now. Comments follow what they are about. */
enum pg_dump_phase pg_picks_phase(
        const struct pg_picks *p, const struct pg_dump_list *l, const struct pg_pick *pick);
