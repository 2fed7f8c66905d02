#pragma once
/*
 * FLOAT and DOUBLE to the shortest text that reads back to the same number, laid out as the server
 * does (strings/dtoa.c, my_gcvt). False: it is not finite. Pure.
 */
#include "base/buf.h"

#include <stdbool.h>

bool binlog_put_float(float v, struct buf *out);
bool binlog_put_double(double v, struct buf *out);
