#pragma once
/*
 * Numbers with units as people write them, each read within a range and printed so that it reads
 * back to the same value.
 *
 * Durations (microseconds inside): 10s 150ms 5m 2h 1d, and 0. Sizes (bytes): 8MiB 20GiB 10kB 4096;
 * KiB and so on are powers of 1024, kB and so on of 1000. Failures are ERROR_CONFIG and hold the
 * range, never the text that was read. Pure functions, any thread.
 */
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

int unit_integer(const char *text, int64_t min, int64_t max, int64_t *out, struct error *e);
int unit_size(const char *text, int64_t min, int64_t max, int64_t *out, struct error *e);
int unit_duration(const char *text, int64_t min, int64_t max, int64_t *out, struct error *e);
int unit_bool(const char *text, bool *out, struct error *e); /* yes no true false on off */

void unit_print_size(struct buf *out, int64_t bytes);
void unit_print_duration(struct buf *out, int64_t microseconds);
