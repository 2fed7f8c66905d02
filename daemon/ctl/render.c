#include "ctl/render.h"
#include "ctl/render_private.h"
#include "ctl/text.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* "lag.seconds" */
static const cJSON *at(const cJSON *o, const char *path)
{
        char key[64];

        while (o && *path) {
                size_t n = strcspn(path, ".");

                if (n >= sizeof key)
                        return NULL;
                memcpy(key, path, n);
                key[n] = '\0';
                o = cJSON_GetObjectItemCaseSensitive(o, key);
                path += n + (path[n] == '.');
        }
        return o;
}

static double number(const cJSON *o, const char *path)
{
        const cJSON *v = at(o, path);

        return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

static const char *string(const cJSON *o, const char *path)
{
        const cJSON *v = at(o, path);

        return cJSON_IsString(v) ? v->valuestring : "";
}

static bool is_true(const cJSON *o, const char *path)
{
        return cJSON_IsTrue(at(o, path));
}

static void add_string(struct buf *out, const char *s)
{
        text_safe(out, *s ? s : "?", false);
}

static void add_number(struct buf *out, double v, void (*add)(struct buf *out, double v))
{
        if (isfinite(v))
                add(out, v);
        else
                buf_str(out, "unknown");
}

/* "source     " */
static void add_label(struct buf *out, const char *label)
{
        buf_printf(out, "%-11s", label);
}

void render_first_line(struct buf *out, const cJSON *body)
{
        const char *level = string(body, "check.level");

        add_string(out, string(body, "pipeline"));
        buf_str(out, "  ");
        add_string(out, string(body, "state"));
        buf_str(out, "  lag ");
        add_number(out, number(body, "lag.seconds"), text_duration);
        buf_str(out, "  ");
        for (; *level; level++)
                buf_char(out, (char)(isalpha((unsigned char)*level) ? toupper(*level) : '?'));
        buf_char(out, '\n');
}

static void add_end(struct buf *out, const cJSON *body, const char *key, const char *durable)
{
        const cJSON *end = at(body, key);

        add_label(out, key);
        add_string(out, string(end, "kind"));
        if (*string(end, "server_version")) {
                buf_char(out, ' ');
                add_string(out, string(end, "server_version"));
        }
        buf_str(out, is_true(end, "connected") ? "  connected" : "  NOT CONNECTED");
        buf_str(out, "  position ");
        text_safe(out, *string(end, "position") ? string(end, "position") : "unknown", false);
        buf_printf(out, "  %s ", durable);
        text_safe(
                out, *string(end, "acknowledged") ? string(end, "acknowledged") : "unknown", false);
        buf_char(out, '\n');
}

void render_progress(struct buf *out, const cJSON *body)
{
        double rows = number(body, "snapshot.rows_done");
        double all = number(body, "snapshot.rows_estimated");
        double done = number(body, "snapshot.tables_done");
        double tables = number(body, "snapshot.tables_total");

        if (isfinite(done) && done >= tables && tables > 0) {
                buf_str(out, "done: ");
        } else if (all > 0) {
                text_bar(out, rows / all, 24);
                buf_printf(out, " %3.0f %%  ", fmin(100 * rows / all, 100));
        }
        add_number(out, done, text_count);
        buf_str(out, " of ");
        add_number(out, tables, text_count);
        buf_str(out, " tables, ");
        add_number(out, rows, text_count);
        buf_str(out, " rows");
        if (isfinite(number(body, "snapshot.eta_seconds")) && done < tables) {
                buf_str(out, ", about ");
                text_duration(out, number(body, "snapshot.eta_seconds"));
                buf_str(out, " left");
        }
}

static void add_flow(struct buf *out, const cJSON *body)
{
        add_label(out, "lag");
        add_number(out, number(body, "lag.seconds"), text_duration);
        buf_str(out, ", ");
        add_number(out, number(body, "lag.bytes"), text_bytes);
        buf_str(out, ", ");
        add_number(out, number(body, "lag.transactions"), text_count);
        buf_str(out, " transactions\n");
        add_label(out, "queue");
        buf_str(out, "memory ");
        add_number(out, number(body, "queue.memory_bytes"), text_bytes);
        buf_str(out, ", disk ");
        add_number(out, number(body, "queue.disk_bytes"), text_bytes);
        buf_str(out, ", ");
        add_number(out, number(body, "queue.transactions"), text_count);
        buf_str(out, " transactions, acknowledge ");
        add_string(out, string(body, "queue.acknowledge"));
        buf_char(out, '\n');
        add_label(out, "applied");
        add_number(out, number(body, "applied.transactions"), text_count);
        buf_str(out, " transactions, ");
        add_number(out, number(body, "applied.rows"), text_count);
        buf_str(out, " rows, ");
        add_number(out, number(body, "applied.rows_per_second"), text_count);
        buf_str(out, " rows/s\n");
}

static void add_safety(struct buf *out, const cJSON *body)
{
        double hours = number(body, "retention.hours_left");

        add_label(out, "retention");
        add_number(out, number(body, "retention.bytes_held_at_source"), text_bytes);
        buf_str(out, " held at the source, ");
        if (isfinite(hours)) {
                text_duration(out, hours * 3600);
                buf_str(out, " until its limit\n");
        } else {
                buf_str(out, "no limit known\n");
        }
        add_label(out, "verify");
        add_string(out, string(body, "verify.state"));
        buf_str(out, ", ");
        add_number(out, number(body, "verify.differences"), text_count);
        buf_str(out, " differences, ");
        add_number(out, number(body, "quarantined"), text_count);
        buf_str(out, " changes in quarantine\n");
        if (number(body, "overwritten") > 0) {
                add_label(out, "conflicts");
                add_number(out, number(body, "overwritten"), text_count);
                buf_str(out, " changes overwrote rows of the target\n");
        }
}

static void add_error(struct buf *out, const cJSON *body)
{
        static const char *const parts[] = {"table", "key", "position"};
        const cJSON *error = at(body, "error");

        if (!cJSON_IsObject(error))
                return;
        add_label(out, "error");
        add_string(out, string(error, "class"));
        buf_str(out, ": ");
        add_string(out, string(error, "message"));
        for (unsigned i = 0; i < 3; i++)
                if (*string(error, parts[i])) {
                        buf_printf(out, "; %s ", parts[i]);
                        add_string(out, string(error, parts[i]));
                }
        buf_char(out, '\n');
}

void render_status(struct buf *out, const cJSON *body)
{
        render_first_line(out, body);
        if (*string(body, "check.reason")) {
                add_label(out, "because");
                add_string(out, string(body, "check.reason"));
                buf_char(out, '\n');
        }
        add_end(out, body, "source", "acknowledged");
        add_end(out, body, "target", "durable");
        add_label(out, "copy");
        add_string(out, string(body, "snapshot.mode"));
        buf_str(out, "  ");
        render_progress(out, body);
        buf_char(out, '\n');
        add_flow(out, body);
        add_safety(out, body);
        add_error(out, body);
        add_label(out, "next");
        text_safe(out, *string(body, "next") ? string(body, "next") : "nothing", false);
        buf_char(out, '\n');
}

int render_check(struct buf *out, const cJSON *body)
{
        static const char *const levels[] = {"ok", "warning", "critical"};
        int level = 2;

        for (int i = 0; i < 3; i++)
                if (!strcmp(string(body, "check.level"), levels[i]))
                        level = i;
        buf_printf(out, "%s: ", level == 0 ? "OK" : level == 1 ? "WARNING" : "CRITICAL");
        add_string(out, string(body, "pipeline"));
        buf_char(out, ' ');
        add_string(out, string(body, "state"));
        buf_str(out, ", lag ");
        add_number(out, number(body, "lag.seconds"), text_duration);
        if (*string(body, "check.reason")) {
                buf_str(out, "; ");
                add_string(out, string(body, "check.reason"));
        }
        buf_char(out, '\n');
        return level;
}

void render_watch_line(struct buf *out, const cJSON *body)
{
        add_string(out, string(body, "pipeline"));
        buf_char(out, ' ');
        add_string(out, string(body, "state"));
        if (!strcmp(string(body, "phase"), "copying")) {
                buf_str(out, ", copy ");
                render_progress(out, body);
        }
        buf_str(out, ", lag ");
        add_number(out, number(body, "lag.seconds"), text_duration);
        buf_str(out, ", ");
        add_number(out, number(body, "applied.rows_per_second"), text_count);
        buf_str(out, " rows/s");
        if (*string(body, "error.message")) {
                buf_str(out, ", error: ");
                add_string(out, string(body, "error.message"));
        }
        buf_char(out, '\n');
}

/* Pads what was added since `from` to so many columns. */
static void pad(struct buf *out, size_t from, unsigned columns)
{
        unsigned used = 0;

        for (size_t i = from; i < out->len; i++)
                used += ((unsigned char)out->data[i] & 0xc0) != 0x80;
        for (; used < columns; used++)
                buf_char(out, ' ');
}

void render_tables(struct buf *out, const cJSON *body)
{
        const cJSON *t;

        buf_printf(out, "%-36s %-10s %12s %12s %10s %10s %10s\n", "TABLE", "STATE", "COPIED",
                "ESTIMATED", "INSERTS", "UPDATES", "DELETES");
        cJSON_ArrayForEach(t, at(body, "tables"))
        {
                double estimated = number(t, "rows_estimated");
                size_t from = out->len;

                add_string(out, string(t, "source"));
                if (*string(t, "target") && strcmp(string(t, "source"), string(t, "target")) != 0) {
                        buf_str(out, " -> ");
                        add_string(out, string(t, "target"));
                }
                pad(out, from, 36);
                buf_char(out, ' ');
                from = out->len;
                add_string(out, string(t, "state"));
                pad(out, from, 10);
                buf_printf(out, " %12.0f ", number(t, "rows_copied"));
                if (isfinite(estimated))
                        buf_printf(out, "%12.0f", estimated);
                else
                        buf_printf(out, "%12s", "unknown");
                buf_printf(out, " %10.0f %10.0f %10.0f\n", number(t, "inserts"),
                        number(t, "updates"), number(t, "deletes"));
        }
}

/* A row a change; a key that is long is cut. */
void render_quarantine(struct buf *out, const cJSON *body)
{
        const cJSON *t;

        buf_printf(out, "%-8s %-30s %-7s %-30s %s\n", "ID", "TABLE", "CHANGE", "KEY", "WHY");
        cJSON_ArrayForEach(t, at(body, "items"))
        {
                char *key = cJSON_PrintUnformatted(at(t, "key"));
                size_t from = out->len;

                buf_printf(out, "%-8.0f ", number(t, "id"));
                from = out->len;
                add_string(out, string(t, "table"));
                pad(out, from, 30);
                buf_char(out, ' ');
                from = out->len;
                add_string(out, string(t, "operation"));
                pad(out, from, 7);
                buf_char(out, ' ');
                from = out->len;
                add_string(out, key ? key : "");
                pad(out, from, 30);
                buf_char(out, ' ');
                add_string(out, string(t, "message"));
                buf_char(out, '\n');
                cJSON_free(key);
        }
        add_number(out, number(body, "changes"), text_count);
        buf_str(out,
                is_true(body, "items_truncated") ? " changes, not all are shown\n" : " changes\n");
}

void render_quarantine_done(struct buf *out, const cJSON *body)
{
        bool applied = isfinite(number(body, "applied"));

        add_number(out, number(body, applied ? "applied" : "discarded"), text_count);
        buf_str(out, applied ? " changes applied, " : " changes discarded, ");
        add_number(out, number(body, "changes"), text_count);
        buf_str(out, " in quarantine\n");
        if (!applied && number(body, "discarded") > 0)
                buf_str(out, "the target's rows may differ from the source's now\n");
}

void render_reload(struct buf *out, const cJSON *body)
{
        const cJSON *k;
        unsigned n = 0;

        cJSON_ArrayForEach(k, at(body, "keys"))
        {
                add_string(out, string(k, "key"));
                buf_str(out, ": ");
                add_string(out, string(k, "result"));
                if (*string(k, "reason")) {
                        buf_str(out, ": ");
                        add_string(out, string(k, "reason"));
                }
                buf_char(out, '\n');
                n++;
        }
        if (n == 0)
                buf_str(out, "no option has changed; new tables are looked for\n");
}

void render_state(struct buf *out, const cJSON *body)
{
        add_string(out, string(body, "pipeline"));
        buf_str(out, "  ");
        add_string(out, string(body, "state"));
        buf_char(out, '\n');
}

void render_wait(struct buf *out, const cJSON *body)
{
        add_string(out, string(body, "pipeline"));
        buf_str(out, "  ");
        add_string(out, string(body, "state"));
        buf_str(out, "  lag ");
        add_number(out, number(body, "lag_seconds"), text_duration);
        if (*string(body, "waited_for")) {
                buf_str(out, "  ");
                add_string(out, string(body, "waited_for"));
                buf_str(out, " is on the target");
        }
        buf_char(out, '\n');
}

void render_text(struct buf *out, const cJSON *body)
{
        text_safe(out, string(body, "text"), true);
}

double render_number(const cJSON *o, const char *path)
{
        return number(o, path);
}

void render_string(struct buf *out, const cJSON *o, const char *path)
{
        add_string(out, string(o, path));
}

void render_value(
        struct buf *out, const cJSON *o, const char *path, void (*add)(struct buf *out, double v))
{
        add_number(out, number(o, path), add);
}

void render_json(struct buf *out, const cJSON *o, const char *name)
{
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(o, name);
        char *text = member ? cJSON_PrintUnformatted(member) : NULL;

        text_safe(out, text ? text : "?", false);
        cJSON_free(text);
}

void render_cell(struct buf *out, const cJSON *o, const char *path, size_t width)
{
        size_t from = out->len;

        add_string(out, string(o, path));
        pad(out, from, width);
        buf_char(out, ' ');
}
