#pragma once
/*
 * Saved state: what must be known at a start although no server answers. A small text file,
 * STATE_DIR/state, replaced whole:
 *
 *   culvert-state 1
 *   paused yes
 *   phase streaming
 *   accepted 000003:4711 SYSTEM/0/BASE     optional: DDL that the operator has accepted ends there
 *   accepting 11:shop.orders               optional: and it is of this table, of which the target
 *                                          does not have the new definition on record yet
 *
 * Loop thread only.
 */
#include "base/error.h"
#include "flow/state.h"
#include "model/position.h"

struct saved {
        bool paused;
        enum state phase;         /* STATE_COPYING or STATE_STREAMING */
        struct position accepted; /* of that source; none: nothing */
        struct source_identity accepted_of;
        char accepting[sizeof((struct error *)0)->table]; /* "schema.table", or "" */
};

/* No file yet is not an error. A newer format is one. */
int saved_read(struct saved *s, const char *state_dir, struct error *e);
/* Which way the stream goes: STATE_DIR/direction of the pipeline, "reverse". No file: forward. */
int saved_direction_read(bool *reversed, const char *state_dir, struct error *e);
int saved_direction_write(bool reversed, const char *state_dir, struct error *e);
int saved_write(const struct saved *s, const char *state_dir, struct error *e);
