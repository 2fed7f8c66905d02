#pragma once
/*
 * Checkpoint: the rule of what may be acknowledged to the source, as pure functions over plain
 * data: no clock, no connection.
 *
 *   delivered   the source has sent everything before it, and we hold what of it is not committed
 *   committed   the target shows everything before it
 *   durable     the target keeps everything before it over a crash; this is acknowledged
 *
 * acknowledged <= durable <= committed <= delivered, and none ever goes back. A position that no
 * transaction carries (filtered ones, an idle source) is committed when nothing before it is
 * pending; it is stored in the target like any other before it is acknowledged, so that the
 * source never confirms more than the target's checkpoint knows (HAZARDS A5).
 */
#include "model/position.h"

struct checkpoint {
        struct position delivered; /* end of the last whole transaction, or later if idle */
        struct position last;      /* end of the last one that has work for the target */
        struct position stored;    /* committed on the target as a position */
        struct position durable;
        uint64_t taken; /* transactions that the sink has and has not committed */
};

void checkpoint_start(struct checkpoint *c, struct position p);
/* The connections are gone, and what was here with them: what is known is what was durable. */
void checkpoint_lost(struct checkpoint *c);
/* A whole transaction with work for the target was delivered. -1: positions went back. */
int checkpoint_delivered(struct checkpoint *c, struct position end, struct error *e);
/* Everything before `p` was delivered and there was nothing in it for the target. */
void checkpoint_passed(struct checkpoint *c, struct position p);
/* The sink has taken a whole transaction. */
void checkpoint_taken(struct checkpoint *c);
int checkpoint_committed(
        struct checkpoint *c, struct position end, uint64_t transactions, struct error *e);
int checkpoint_durable(struct checkpoint *c, struct position end, struct error *e);

/* The sink begins at `p`, and what follows up to `delivered` is on disk. */
void checkpoint_kept(struct checkpoint *c, struct position p, struct position delivered);
/* All that is here was taken; `p`: end of the last transaction that was. */
void checkpoint_settled(struct checkpoint *c, struct position p);
/* Was something delivered that is not committed? */
bool checkpoint_pending(const struct checkpoint *c);
/* The target shows everything before this position. */
struct position checkpoint_applied(const struct checkpoint *c);
/* A position worth storing that no transaction will carry; none while something is pending. */
struct position checkpoint_idle(const struct checkpoint *c);
/* What may be acknowledged to the source. */
struct position checkpoint_acknowledge(const struct checkpoint *c);
