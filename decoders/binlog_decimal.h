#pragma once
/*
 * DECIMAL as the MySQL family packs it (strings/decimal.c, decimal2bin): to text. Pure.
 */
#include "base/buf.h"

#include <stdbool.h>

#define BINLOG_DECIMAL_DIGITS 65
#define BINLOG_DECIMAL_SCALE 38 /* MariaDB; MySQL has 30 */

/* `zerofill`: with the leading zeros up to `digits`. False: truncated, or not such a number. */
bool binlog_decimal(
        struct reader *in, unsigned digits, unsigned scale, bool zerofill, struct buf *out);
/* Reads past it. */
bool binlog_decimal_skip(struct reader *in, unsigned digits, unsigned scale);
