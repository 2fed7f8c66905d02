#pragma once
/*
 * culvert.state on the configured target: one row a pipeline, for applications' routers to read:
 *
 *   select state, phase, direction, since from culvert.state where pipeline = 'shop';
 *
 * Written over a short connection of its own after each change; a target that cannot be reached is
 * written when the next change comes or the connection is back. Loop thread only.
 */
#include "flow/state.h"
#include "model/config.h"

#include <stdint.h>

struct loop;
struct state_row;

struct state_row *state_row_new(struct loop *l, const struct config *c);
struct state_row *state_row_free(struct state_row *r);
/* Schema culvert exists on the target from now on. */
void state_row_enable(struct state_row *r);
struct state_line {
        enum state state, phase;
        bool reversed;
        int64_t since; /* microseconds since 1970 */
};
void state_row_set(struct state_row *r, const struct state_line *line);
/* While a cutover or rollback is under way the row is the journal's (ops/journal.h): `held` comes
 * when nothing of this is on its way any more. */
void state_row_hold(struct state_row *r, void (*held)(void *context), void *context);
/* What was set last is written again. */
void state_row_release(struct state_row *r);
