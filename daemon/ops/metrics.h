#pragma once
/*
 * Metrics: the status as OpenMetrics text (https://openmetrics.io, 1.0). What is unknown has no
 * sample. Loop thread only, as struct status borrows.
 */
#include "base/buf.h"
#include "ops/status.h"

void metrics_write(
        struct buf *out, const struct status *s, const struct status_table *tables, size_t n);
