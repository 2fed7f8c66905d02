#include "ctl/render.h"
#include "ctl/render_private.h"
#include "ctl/text.h"

#include <math.h>

static void add_line(struct buf *out, const cJSON *body)
{
        double sample = render_number(body, "sample");

        render_string(out, body, "state");
        buf_str(out, ": ");
        render_value(out, body, "rows_compared", text_count);
        buf_str(out, " of ");
        render_value(out, body, "rows_total", text_count);
        buf_str(out, " rows compared");
        if (isfinite(render_number(body, "coverage")))
                buf_printf(out, " (%.1f %%)", render_number(body, "coverage"));
        if (sample < 100)
                buf_printf(out, ", a sample of %.0f %%", sample);
        buf_str(out, ", ");
        render_value(out, body, "differences", text_count);
        buf_str(out, " differences, ");
        render_value(out, body, "undecided", text_count);
        buf_str(out, " undecided");
        if (isfinite(render_number(body, "eta_seconds"))) {
                buf_str(out, ", about ");
                text_duration(out, render_number(body, "eta_seconds"));
                buf_str(out, " left");
        }
        buf_char(out, '\n');
}

static void add_fresh(struct buf *out, const cJSON *body)
{
        if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "continuous")))
                return;
        buf_str(out, "continuous: ");
        render_value(out, body, "changed", text_count);
        buf_str(out, " changed rows not verified again yet");
        if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(body, "verified_position"))) {
                buf_str(out, ", all verified up to ");
                render_string(out, body, "verified_position");
        }
        buf_char(out, '\n');
}

static void add_tables(struct buf *out, const cJSON *tables)
{
        const cJSON *t;

        if (!cJSON_GetArraySize(tables))
                return;
        buf_printf(out, "%-40s %-8s %12s %12s %12s %10s\n", "TABLE", "STATE", "COMPARED", "OF",
                "DIFFERENCES", "UNDECIDED");
        cJSON_ArrayForEach(t, tables)
        {
                render_cell(out, t, "table", 40);
                render_cell(out, t, "state", 8);
                buf_printf(out, "%12.0f ", render_number(t, "rows_compared"));
                if (isfinite(render_number(t, "rows_total")))
                        buf_printf(out, "%12.0f", render_number(t, "rows_total"));
                else
                        buf_printf(out, "%12s", "unknown");
                buf_printf(out, " %12.0f %10.0f\n", render_number(t, "differences"),
                        render_number(t, "undecided"));
        }
}

static void add_columns(struct buf *out, const cJSON *columns)
{
        const char *comma = "  ";
        const cJSON *c;

        cJSON_ArrayForEach(c, columns)
        {
                buf_str(out, comma);
                text_safe(out, cJSON_IsString(c) ? c->valuestring : "?", false);
                comma = ", ";
        }
}

static void add_values(struct buf *out, const cJSON *t)
{
        static const char *const sides[] = {"source", "target"};

        for (unsigned i = 0; i < 2; i++) {
                if (!cJSON_GetObjectItemCaseSensitive(t, sides[i]))
                        continue;
                buf_printf(out, "           %s ", sides[i]);
                render_json(out, t, sides[i]);
                buf_char(out, '\n');
        }
        if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(t, "problem"))) {
                buf_str(out, "           ");
                render_string(out, t, "problem");
                buf_char(out, '\n');
        }
}

static void add_items(struct buf *out, const cJSON *items, const char *kind)
{
        const cJSON *t;

        cJSON_ArrayForEach(t, items)
        {
                if (kind)
                        buf_printf(out, "%-10s ", kind);
                else
                        render_cell(out, t, "kind", 10);
                render_string(out, t, "table");
                buf_char(out, ' ');
                render_json(out, t, "key");
                add_columns(out, cJSON_GetObjectItemCaseSensitive(t, "columns"));
                buf_char(out, '\n');
                add_values(out, t);
        }
}

static void add_notes(struct buf *out, const cJSON *notes)
{
        const cJSON *t;

        cJSON_ArrayForEach(t, notes)
        {
                render_cell(out, t, "kind", 14);
                if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(t, "table"))) {
                        render_string(out, t, "table");
                        buf_char(out, ' ');
                }
                render_string(out, t, "name");
                buf_str(out, ": ");
                render_string(out, t, "detail");
                buf_char(out, '\n');
                add_values(out, t);
        }
}

void render_verify(struct buf *out, const cJSON *body)
{
        const cJSON *error = cJSON_GetObjectItemCaseSensitive(body, "error");

        add_line(out, body);
        if (cJSON_IsString(error)) {
                buf_str(out, "error: ");
                text_safe(out, error->valuestring, false);
                buf_char(out, '\n');
        }
        add_fresh(out, body);
        add_tables(out, cJSON_GetObjectItemCaseSensitive(body, "tables"));
        add_items(out, cJSON_GetObjectItemCaseSensitive(body, "items"), NULL);
        add_items(out, cJSON_GetObjectItemCaseSensitive(body, "undecided_items"), "undecided");
        add_notes(out, cJSON_GetObjectItemCaseSensitive(body, "notes"));
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "items_truncated")))
                buf_str(out, "and more, in culvert.verify_result on the target\n");
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "values_truncated")))
                buf_str(out, "more values than fit into an answer: those that are missing are not "
                             "shown\n");
}
