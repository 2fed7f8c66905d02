#pragma once
/*
 * The JSON of `status` and `tables`, by INTERFACE: every key is always there. Loop thread only, as
 * struct status borrows.
 */
#include "ops/health.h"
#include "ops/status.h"

#include <cjson/cJSON.h>

cJSON *status_json(const struct status *s, const struct health *h);
/* One item of the array `tables`. */
cJSON *status_table_json(const struct status_table *t);
