#include "ops/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct source {
        const struct status *status;
        const struct status_table *tables;
        size_t tables_n;
};

enum kind { GAUGE, COUNTER };

/* A family with one sample for the pipeline. `unit` must end `name`, says OpenMetrics. NAN:
 * unknown, no sample. Values above 2^53 lose their last digits, as they do in Prometheus. */
struct family {
        const char *name, *unit, *help;
        enum kind kind;
        double (*value)(const struct status *s);
};

struct table_family {
        const char *name, *help;
        enum kind kind;
        double (*value)(const struct status_table *t);
};

static double known(double v)
{
        return v < 0 ? NAN : v;
}

#define VALUE(function, expression)                                                                \
        static double function(const struct status *s)                                             \
        {                                                                                          \
                return expression;                                                                 \
        }
VALUE(entered, known((double)s->since / 1e6))
VALUE(source_connected, s->source.connected)
VALUE(target_connected, s->target.connected)
VALUE(lag_bytes, known((double)s->lag.bytes))
VALUE(lag_seconds, known(s->lag.seconds))
VALUE(lag_transactions, known((double)s->lag.transactions))
VALUE(queue_memory, (double)s->queue.memory_bytes)
VALUE(queue_disk, (double)s->queue.disk_bytes)
VALUE(queue_transactions, (double)s->queue.transactions)
VALUE(applied_transactions, (double)s->applied.transactions)
VALUE(applied_rows, (double)s->applied.rows)
VALUE(quarantined, known((double)s->quarantined))
VALUE(overwritten, (double)s->overwritten)
VALUE(snapshot_tables, (double)s->snapshot.tables_total)
VALUE(snapshot_tables_done, (double)s->snapshot.tables_done)
VALUE(snapshot_rows_done, (double)s->snapshot.rows_done)
VALUE(snapshot_rows_estimated, known((double)s->snapshot.rows_estimated))
VALUE(snapshot_eta, known(s->snapshot.eta_seconds))
VALUE(retention_held, known((double)s->retention.bytes_held_at_source))
VALUE(retention_used, known(s->retention.share))
VALUE(retention_left, known(s->retention.hours_left) * 3600)

static const struct family families[] = {
        {"culvert_state_entered_timestamp_seconds", "seconds", "When the state was entered.", GAUGE,
                entered},
        {"culvert_source_connected", NULL, "Is the source connected?", GAUGE, source_connected},
        {"culvert_target_connected", NULL, "Is the target connected?", GAUGE, target_connected},
        {"culvert_lag_bytes", "bytes", "Log of the source that is not on the target.", GAUGE,
                lag_bytes},
        {"culvert_lag_seconds", "seconds", "Age of the oldest change that is not on the target.",
                GAUGE, lag_seconds},
        {"culvert_lag_transactions", NULL, "Transactions read and not on the target.", GAUGE,
                lag_transactions},
        {"culvert_queue_memory_bytes", "bytes", "Memory of queued transactions.", GAUGE,
                queue_memory},
        {"culvert_queue_disk_bytes", "bytes", "Disk of queued transactions.", GAUGE, queue_disk},
        {"culvert_queue_transactions", NULL, "Transactions in the queue.", GAUGE,
                queue_transactions},
        {"culvert_applied_transactions", NULL, "Transactions applied since the daemon's start.",
                COUNTER, applied_transactions},
        {"culvert_applied_rows", NULL, "Row changes applied since the daemon's start.", COUNTER,
                applied_rows},
        {"culvert_quarantined_changes", NULL, "Changes in quarantine.", GAUGE, quarantined},
        {"culvert_overwritten_changes", NULL,
                "Changes that met other rows on the target and overwrote them.", COUNTER,
                overwritten},
        {"culvert_snapshot_tables", NULL, "Tables to copy.", GAUGE, snapshot_tables},
        {"culvert_snapshot_tables_done", NULL, "Tables copied.", GAUGE, snapshot_tables_done},
        {"culvert_snapshot_rows_done", NULL, "Rows copied.", GAUGE, snapshot_rows_done},
        {"culvert_snapshot_rows_estimated", NULL, "Rows to copy, by the source's statistics.",
                GAUGE, snapshot_rows_estimated},
        {"culvert_snapshot_eta_seconds", "seconds", "Estimated rest of the copy.", GAUGE,
                snapshot_eta},
        {"culvert_retention_held_bytes", "bytes", "Log that the source keeps for this pipeline.",
                GAUGE, retention_held},
        {"culvert_retention_used_ratio", "ratio",
                "Part that is used of what the source keeps at most, by size or age.", GAUGE,
                retention_used},
        {"culvert_retention_left_seconds", "seconds",
                "Until the source drops log that was not read.", GAUGE, retention_left},
};

#define TABLE_VALUE(function, expression)                                                          \
        static double function(const struct status_table *t)                                       \
        {                                                                                          \
                return expression;                                                                 \
        }
TABLE_VALUE(table_copied, (double)t->rows_copied)
TABLE_VALUE(table_estimated, known((double)t->rows_estimated))
TABLE_VALUE(table_inserts, (double)t->durable.inserts)
TABLE_VALUE(table_updates, (double)t->durable.updates)
TABLE_VALUE(table_deletes, (double)t->durable.deletes)

static const struct table_family table_families[] = {
        {"culvert_table_rows_copied", "Rows copied.", GAUGE, table_copied},
        {"culvert_table_rows_estimated", "Rows to copy, by the source's statistics.", GAUGE,
                table_estimated},
        {"culvert_table_inserts",
                "Inserts that are durable on the target, since the daemon's start.", COUNTER,
                table_inserts},
        {"culvert_table_updates",
                "Updates that are durable on the target, since the daemon's start.", COUNTER,
                table_updates},
        {"culvert_table_deletes",
                "Deletes that are durable on the target, since the daemon's start.", COUNTER,
                table_deletes},
};

static void write_head(
        struct buf *out, const char *name, const char *type, const char *unit, const char *help)
{
        buf_printf(out, "# TYPE %s %s\n", name, type);
        if (unit)
                buf_printf(out, "# UNIT %s %s\n", name, unit);
        buf_printf(out, "# HELP %s %s\n", name, help);
}

/* key="value" with the three characters escaped that OpenMetrics wants escaped. */
static void write_label(struct buf *out, const char *key, const char *value)
{
        buf_printf(out, "%s=\"", key);
        for (; *value; value++) {
                if (*value == '\n')
                        buf_str(out, "\\n");
                else {
                        if (strchr("\\\"", *value))
                                buf_char(out, '\\');
                        buf_char(out, *value);
                }
        }
        buf_char(out, '"');
}

static const char *type_name(enum kind kind)
{
        return kind == COUNTER ? "counter" : "gauge";
}

/* NAME{pipeline="...",KEY="VALUE"} V */
static void write_sample(struct buf *out, const struct source *from, const char *name,
        enum kind kind, const char *key, const char *label, double value)
{
        if (!isfinite(value))
                return;
        buf_printf(out, "%s%s{", name, kind == COUNTER ? "_total" : "");
        write_label(out, "pipeline", from->status->pipeline);
        if (key) {
                buf_char(out, ',');
                write_label(out, key, label);
        }
        if (value == floor(value) && value < 9e15)
                buf_printf(out, "} %" PRIu64 "\n", (uint64_t)value);
        else
                buf_printf(out, "} %.15g\n", value);
}

static void write_build(struct buf *out, const struct source *from)
{
        write_head(out, "culvert_build", "info", NULL, "Version of culvertd.");
        write_sample(out, from, "culvert_build_info", GAUGE, "version", CULVERT_VERSION, 1);
}

static void write_state(struct buf *out, const struct source *from)
{
        write_head(out, "culvert_state", "stateset", NULL, "State of the pipeline.");
        for (int i = 0; i < STATE_COUNT; i++)
                write_sample(out, from, "culvert_state", GAUGE, "culvert_state", state_name(i),
                        i == (int)from->status->state);
}

static void write_error(struct buf *out, const struct source *from)
{
        const struct error *e = from->status->error;

        write_head(out, "culvert_error", "stateset", NULL, "Class of the error that is in force.");
        for (int class = ERROR_RETRY; class <= ERROR_BUG; class ++)
                write_sample(out, from, "culvert_error", GAUGE, "culvert_error",
                        error_class_name(class), e && (int)e->class == class);
}

static void write_tables(struct buf *out, const struct source *from, const struct table_family *f)
{
        write_head(out, f->name, type_name(f->kind), NULL, f->help);
        for (size_t i = 0; i < from->tables_n; i++)
                write_sample(out, from, f->name, f->kind, "table", from->tables[i].source,
                        f->value(&from->tables[i]));
}

void metrics_write(
        struct buf *out, const struct status *s, const struct status_table *tables, size_t n)
{
        struct source from = {s, tables, n};

        write_build(out, &from);
        write_state(out, &from);
        write_error(out, &from);
        for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
                const struct family *f = &families[i];

                write_head(out, f->name, type_name(f->kind), f->unit, f->help);
                write_sample(out, &from, f->name, f->kind, NULL, NULL, f->value(s));
        }
        for (size_t i = 0; i < sizeof table_families / sizeof *table_families; i++)
                write_tables(out, &from, &table_families[i]);
        buf_str(out, "# EOF\n");
}
