#pragma once
/*
 * What `reload` says, key by key. The caller loads the file again, asks for the report, and takes
 * the new configuration over when nothing was refused. Loop thread only.
 *
 * {"format": 1, "keys": [{"key", "result": "applied" | "needs restart" | "refused", "reason"}]}
 */
#include "model/config.h"

#include <cjson/cJSON.h>

/* `loaded` with problems: each is refused, with its line, and nothing may be taken over. */
cJSON *reload_report(const struct config *running, const struct config *loaded);
