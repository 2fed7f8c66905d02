#pragma once
/*
 * The configuration of the way back: of the stream from the target to the source, behind a cutover.
 * An ordinary configuration whose tables are the target's, with the names turned round; only it is
 * made here and not from a file.
 *
 * It is a pipeline of its own, "NAME_reverse": own checkpoint, records, slot, publication and
 * folder (STATE_DIR/reverse). Nothing is copied and nothing created; filters (`where`) do not
 * apply, since what they left out is still on the old side.
 */
#include "model/config.h"

/* NULL and a CONFIG error: there is no way back, and why. `c` outlives it. */
struct config *config_reverse(const struct config *c, struct error *e);
/* The same direction, of a stream that begins where both sides are equal: nothing is copied, and
 * nothing created. */
struct config *config_equal(const struct config *c);
/* No other tables than these of the target: "schema" and "name", alternating, n pairs. */
void config_reverse_only(struct config *r, const char *const *names, unsigned n);

/* The table of the source that is this one of the target; borrowed. False: none is. */
bool config_reverse_name(const struct config *r, const char *schema, const char *name,
        const char **source_schema, const char **source_name);
/* Is it selected? For config_selects. */
bool config_reverse_selects(const struct config *r, const char *schema, const char *name);
