#pragma once
/*
 * Dates and times as the MySQL family's row images hold them: to text. The formats are those of
 * sql-common/my_time.cc; the ones with a 2 (since 5.6) have fractional seconds and are big-endian.
 * False: truncated, or no such time. Pure.
 */
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

bool binlog_date(struct reader *in, struct buf *out);
bool binlog_year(struct reader *in, struct buf *out);
bool binlog_time(struct reader *in, struct buf *out);      /* before 5.6 */
bool binlog_datetime(struct reader *in, struct buf *out);  /* before 5.6 */
bool binlog_timestamp(struct reader *in, struct buf *out); /* before 5.6; in UTC, as the next */
bool binlog_timestamp2(struct reader *in, unsigned fsp, struct buf *out);
bool binlog_datetime2(struct reader *in, unsigned fsp, struct buf *out);
bool binlog_time2(struct reader *in, unsigned fsp, struct buf *out);

/* As JSON holds them: 64 bits, microseconds in the lower 24. */
bool binlog_packed_date(int64_t packed, struct buf *out);
bool binlog_packed_datetime(int64_t packed, struct buf *out);
bool binlog_packed_time(int64_t packed, struct buf *out);
