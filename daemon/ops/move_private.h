#pragma once
/*
 * What the files of ops/move share: move.c decides, move_tables.c looks at both sides, move_copy.c
 * loads.
 *
 * Belongs to the preparing thread; the copy's threads read it.
 */
#include "flow/mapping.h"
#include "ops/destination.h"
#include "ops/move.h"
#include "ops/origin.h"
#include "ops/prepare_private.h"

struct move {
        struct prepare *p;
        const struct origin_ops *from;
        struct origin *origin;
        const struct destination_ops *to;
        struct destination *destination;
        struct convert_policy policy;

        struct table_defs *tables;
        struct destined *destined; /* per table, as all that follow */
        struct relation **targets; /* as the target's catalogue has them; NULL: not there */
        struct mapping *mappings;
        struct position *begins; /* where the table's copy stands */
        bool *append;

        unsigned *order; /* of the copy: largest first */
        atomic_uint next;
        int64_t kept;
};

/* Source tables into m->tables and m->destined. */
int move_read_tables(struct move *m, struct error *e);
/* The start checks; warnings go to the log. */
int move_check(struct move *m, struct error *e);
/* Reads m->targets; refuses what may not be loaded. `fresh`: nothing was loaded by us yet. */
int move_look_at_target(struct move *m, bool fresh, struct error *e);
void move_forget_tables(struct move *m);
void move_set_counters(struct move *m);
/* Records of all tables and of the copy, in one transaction. */
int move_write_records(struct move *m, enum copy_stage stage, struct error *e);
/* Empties what an interrupted copy has loaded. */
int move_empty_loaded(struct move *m, struct error *e);

/* Loads the rows of all tables. */
int move_load(struct move *m, struct error *e);
/* Makes m->mappings. */
int move_map(struct move *m, struct error *e);
