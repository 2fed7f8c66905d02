#pragma once
/*
 * MariaDB's compression of events and of COMPRESSED columns: zlib behind a header of its own. Pure.
 */
#include "base/buf.h"

#include <stdbool.h>

/* Appends what `from` holds. Nothing bigger than `limit` is made. False: damaged, or too big. */
bool binlog_inflate_event(struct reader from, size_t limit, struct buf *out);
bool binlog_inflate_column(struct reader from, size_t limit, struct buf *out);
