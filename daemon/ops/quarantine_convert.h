#pragma once
/*
 * Rows that wait in the source's form (sinks/quarantine.h) become the target's: by the mapping that
 * the stream would have now, with the configuration as it is and the target's table as its
 * catalogue has it, so that a wider column or another [values] needs nothing more than a retry.
 *
 * Of one job; used, and freed, in its thread. Reads by a connection of its own, made for the first
 * such row.
 */
#include "ops/quarantine_store.h"
#include "flow/route.h"

struct quarantine_converter;

struct quarantine_converter *quarantine_convert_new(
        const struct config *c, struct route *r, struct halt *h);
struct quarantine_converter *quarantine_convert_free(struct quarantine_converter *q);

/* The piece's one change, of `row`, which has a `source`. 0: it is as the target is to have it; 1:
 * a value has no place there still, or the table none; -1: no row can be converted now. */
int quarantine_convert(struct quarantine_converter *q, const struct quarantine_row *row,
        struct txn *piece, struct error *e);
