#pragma once
/*
 * XA transactions that are prepared on a MySQL-family source when a copy begins. A snapshot does
 * not show their rows, and the binlog has them before the snapshot's position. So the stream begins
 * at a position read before (decoders/binlog_state.h), and the copy waits until all that were
 * prepared then are committed or rolled back: whatever is prepared at the snapshot was prepared
 * behind that position. Blocking.
 */
#include "db/my.h"
#include "ops/halt.h"

/* After the position was read. A DATA error that names one of them when they are still there after
 * a minute. Where the right to see them is missing (MySQL: XA_RECOVER_ADMIN), a warning is logged:
 * the stream stops if it meets the commit of one. */
int my_prepared_wait(MYSQL *c, const struct halt *h, struct error *e);
