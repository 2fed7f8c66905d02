#pragma once
/*
 * Differences of JSON values as a PARTIAL_UPDATE_ROWS event carries them (binlog_row_value_options
 * = PARTIAL_JSON): applied to the binary value before, which gives the text of the value after.
 * Pure.
 */
#include "base/buf.h"
#include "base/error.h"

int binlog_json_patch(struct reader before, struct reader diffs, struct buf *out, struct error *e);
