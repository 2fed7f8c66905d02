#include "ctl/render.h"
#include "ctl/render_private.h"
#include "ctl/text.h"

static void add_count(struct buf *out, const cJSON *body, const char *path, const char *what)
{
        render_value(out, body, path, text_count);
        buf_str(out, what);
}

static void add_item(struct buf *out, const cJSON *t)
{
        const cJSON *error = cJSON_GetObjectItemCaseSensitive(t, "error");
        const cJSON *action = cJSON_GetObjectItemCaseSensitive(t, "action");

        render_cell(out, t, "result", 10);
        if (cJSON_IsString(action))
                render_cell(out, t, "action", 7);
        else
                buf_str(out, "-       ");
        render_string(out, t, "table");
        buf_char(out, ' ');
        render_json(out, t, "key");
        if (cJSON_IsString(error)) {
                buf_str(out, "  ");
                text_safe(out, error->valuestring, false);
        }
        buf_char(out, '\n');
}

void render_repair(struct buf *out, const cJSON *body)
{
        const cJSON *t;

        cJSON_ArrayForEach(t, cJSON_GetObjectItemCaseSensitive(body, "items"))
        {
                add_item(out, t);
        }
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "items_truncated")))
                buf_str(out, "and more\n");
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "dry_run")))
                add_count(out, body, "planned", " rows would be mended, ");
        else
                add_count(out, body, "repaired", " rows mended, ");
        add_count(out, body, "equal", " were equal already, ");
        add_count(out, body, "refused", " refused, ");
        add_count(out, body, "undecided", " undecided\n");
}
