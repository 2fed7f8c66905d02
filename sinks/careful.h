#pragma once
/*
 * Careful: after a row was refused, a sink applies each row by itself for a while, so that the next
 * one that is refused costs no rollback: until the place has been passed, and some more rows in a
 * row were not refused. Plain data of a sink.
 */
#include "model/position.h"

#include <stdbool.h>
#include <stdint.h>

#define CAREFUL_ROWS 1000

/* Of the RETRY error of a sink that begins again carefully, at once: no row can be named, or what
 * is named is to go to quarantine. */
#define SINK_CAREFUL_CODE "CV005"

struct careful {
        bool on;
        struct position until; /* none: until the next transaction is committed */
        int64_t rows;          /* that are still to pass */
};

static inline void careful_begin(struct careful *c, struct position until, int64_t rows)
{
        *c = (struct careful){true, until, rows};
}

/* False: it is over. */
static inline bool careful_goes_on(struct careful *c, struct position committed, uint64_t rows)
{
        if (position_compare(committed, c->until) < 0)
                return true;
        c->rows -= (int64_t)rows;
        c->on = c->rows > 0;
        return c->on;
}
