#pragma once
/*
 * Tally: the changes of each table that are under way, so that a table's durable counters rise
 * once, when the target can lose the changes no more, however often a connection or a commit was
 * lost in between. What is committed and not yet durable is counted beside. A ring that grows with
 * what the queue lets in. Loop thread only.
 */
#include "flow/route.h"
#include "model/position.h"
#include "model/txn.h"

struct tally_entry {
        struct route_table *table;
        struct position end; /* of its transaction */
        struct route_changes n;
};

struct tally {
        struct tally_entry *ring;
        uint64_t at, n, room;
        uint64_t open; /* how many of them, the last, are of a transaction whose end has not come */
        uint64_t committed; /* how many of them, the first, count as committed */
};

void tally_done(struct tally *t);
/* Nothing is under way any more: it will be delivered again, or never. */
void tally_clear(struct tally *t);
/* The transaction whose end has not come is lost. */
void tally_drop_open(struct tally *t);
void tally_add(struct tally *t, struct route_table *table, enum change_op op);
/* The open transaction ends there. */
void tally_close(struct tally *t, struct position end);
/* A piece that goes to the sink. */
void tally_piece(struct tally *t, struct route *r, const struct txn *piece);
/* Counts what ends at or before it as committed. */
void tally_committed(struct tally *t, struct position end);
/* Counts what ends at or before it as durable. */
void tally_durable(struct tally *t, struct position end);
