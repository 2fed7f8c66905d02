#include "ops/reload.h"
#include "ops/json.h"

#include <stdio.h>

static void add(cJSON *keys, const char *key, const char *result, const char *reason)
{
        cJSON *item = cJSON_CreateObject();

        json_text(item, "key", key);
        json_text(item, "result", result);
        json_text(item, "reason", reason);
        cJSON_AddItemToArray(keys, item);
}

static void add_difference(void *context, const char *key, bool reloadable)
{
        add(context, key, reloadable ? "applied" : "needs restart", NULL);
}

cJSON *reload_report(const struct config *running, const struct config *loaded)
{
        cJSON *o = json_object(), *keys = cJSON_AddArrayToObject(o, "keys");

        for (unsigned i = 0; i < loaded->problems_n; i++) {
                char line[32];

                snprintf(line, sizeof line, "line %d", loaded->problems[i].line);
                add(keys, loaded->problems[i].line ? line : "file", "refused",
                        loaded->problems[i].text);
        }
        if (loaded->problems_n == 0)
                config_diff(running, loaded, add_difference, keys);
        return o;
}
