#pragma once
/*
 * `verify status --show-values`: what both sides have, now, of the rows that a verification has
 * found, and what the operator's queries give. Values are read on demand, by a thread of its own
 * beside any other job, and go to the caller alone: nothing keeps them, and no log has them.
 *
 * Each item of the status gets "source" and "target": an object of columns under the source's names
 * with the values as the target takes them, or null where there is no such row. Of a row that
 * differs, the columns that differed when it was found; of others all. A long value is cut. What
 * is too much for one answer comes without values, and "values_truncated" is true.
 *
 * Tables without a key are read as a whole for that.
 *
 * The loop's thread, but for the reading.
 */
#include "flow/route.h"

#include <cjson/cJSON.h>

struct loop;
struct verify_report;
struct verify_values;

#define VALUES_CUT 256u                  /* bytes of a value that are shown */
#define VALUES_BYTES ((size_t)512 << 10) /* of all */
#define VALUES_ROOM ((size_t)16 << 20)   /* of what is read of a table, before it is cut */

/* `status` is the answer to be filled, taken. `done` comes once, from the loop, with it (the
 * receiver's), or with an error; it is freed by the receiver afterwards, not from inside. */
struct verify_values *verify_values_new(struct loop *l, const struct config *c, struct route *r,
        struct verify_report *report, cJSON *status,
        void (*done)(void *context, cJSON *status, const struct error *e), void *context);
struct verify_values *verify_values_free(struct verify_values *x);
