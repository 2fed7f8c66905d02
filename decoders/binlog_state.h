#pragma once
/*
 * State of a binlog stream at a position, as a checkpoint keeps it behind the position
 * (model/position.h):
 *
 *   [[~]GTIDS] [since=FILE:OFFSET [GTIDS]]
 *
 * The first part is the GTID state there (decoders/binlog_gtid.h). `since` is there while XA
 * transactions are prepared: where the oldest of them begins, and the GTID state there. Their rows
 * are in the log at that place, but count only from an XA COMMIT on that comes later, maybe weeks
 * later; a stream that begins at the position itself would not have them. So it begins at `since`,
 * and of what comes before the position takes only what is prepared. Plain data.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/position.h"

struct binlog_state {
        char *gtids;           /* with '~' in front where that counts; NULL: not known */
        struct position since; /* none: no XA transaction is prepared */
        char *since_gtids;     /* NULL: not known */
};

/* NULL and "" are a state that says nothing. DATA error: not such a text. */
int binlog_state_parse(struct binlog_state *s, const char *text, struct error *e);
void binlog_state_done(struct binlog_state *s);
/* The second part, behind the first if that is in `out`. */
void binlog_state_write_since(struct buf *out, struct position since, const char *gtids);
