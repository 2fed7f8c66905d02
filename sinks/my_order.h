#pragma once
/*
 * Order: the changes of a batch, one target transaction of whole source transactions, in an order
 * in which many travel in one statement: by table, and there what is independent together, deletes,
 * inserts, updates, and again.
 *
 * Every change is made as the source made it, and those of one row in the source's order; nothing
 * is folded (HAZARDS A16). Rows are told apart by integers that are the table's only unique index
 * (`by_number`, sinks/my_binding.h), so no two of them can meet. Tables of other kinds keep the
 * source's order and go first: while foreign keys are off and no triggers fire, tables do not meet.
 *
 * The changes stay with their pieces. Loop thread.
 */
#include "model/txn.h"

struct my_order {
        struct change **items;
        uint32_t n;
};

/* True: all changes from `first` to `last` are in `o`. False: they are to go in the source's order,
 * since a table is not described yet, one change may touch what another does, or a value has no
 * place on the target. */
bool my_order_make(
        struct my_order *o, struct txn *first, const struct txn *last, uint64_t generation);
void my_order_done(struct my_order *o);
