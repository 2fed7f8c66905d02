#include "ops/status_json.h"
#include "ops/json.h"

static cJSON *sub(cJSON *o, const char *key)
{
        return cJSON_AddObjectToObject(o, key);
}

static const char *text_or_null(const char *text)
{
        return *text ? text : NULL;
}

static const char *direction(const struct status *s)
{
        return s->reversed ? "reverse" : "forward";
}

static void add_error(cJSON *o, const struct error *e)
{
        if (!e) {
                cJSON_AddNullToObject(o, "error");
                return;
        }
        o = sub(o, "error");
        json_text(o, "class", error_class_name(e->class));
        json_text(o, "message", e->message);
        json_text(o, "table", text_or_null(e->table));
        json_text(o, "key", text_or_null(e->key));
        json_text(o, "position", text_or_null(e->position));
}

static void add_end(cJSON *o, const char *key, const struct status_end *end)
{
        o = sub(o, key);
        json_text(o, "kind", end->kind);
        json_bool(o, "connected", end->connected);
        json_position(o, "position", end->position);
        json_position(o, "acknowledged", end->acknowledged);
        json_text(o, "server_version", end->server_version);
}

static void add_flow(cJSON *o, const struct status *s)
{
        cJSON *lag = sub(o, "lag"), *queue = sub(o, "queue"), *applied = sub(o, "applied");

        json_known(lag, "bytes", s->lag.bytes);
        json_seconds(lag, "seconds", s->lag.seconds);
        json_known(lag, "transactions", s->lag.transactions);
        json_count(queue, "memory_bytes", s->queue.memory_bytes);
        json_count(queue, "disk_bytes", s->queue.disk_bytes);
        json_count(queue, "transactions", s->queue.transactions);
        json_text(queue, "acknowledge", s->queue.acknowledge);
        json_count(applied, "transactions", s->applied.transactions);
        json_count(applied, "rows", s->applied.rows);
        json_seconds(applied, "rows_per_second", s->applied.rows_per_second);
}

static void add_snapshot(cJSON *o, const struct status *s)
{
        o = sub(o, "snapshot");
        json_text(o, "mode", s->snapshot.mode);
        json_count(o, "tables_done", s->snapshot.tables_done);
        json_count(o, "tables_total", s->snapshot.tables_total);
        json_count(o, "rows_done", s->snapshot.rows_done);
        json_known(o, "rows_estimated", s->snapshot.rows_estimated);
        json_seconds(o, "eta_seconds", s->snapshot.eta_seconds);
}

static void add_verify(cJSON *o, const struct status *s)
{
        cJSON *v = sub(o, "verify");

        json_text(v, "state", s->verify.state);
        json_count(v, "rows_compared", s->verify.rows_compared);
        json_known(v, "rows_total", s->verify.rows_total);
        json_count(v, "differences", s->verify.differences);
        json_time(v, "finished_at", s->verify.finished_at);
        json_known(o, "quarantined", s->quarantined);
        json_count(o, "overwritten", s->overwritten);
}

static void add_retention(cJSON *o, const struct status *s)
{
        o = sub(o, "retention");
        json_known(o, "bytes_held_at_source", s->retention.bytes_held_at_source);
        json_seconds(o, "hours_left", s->retention.hours_left);
}

static void add_check(cJSON *o, const struct health *h)
{
        o = sub(o, "check");
        json_text(o, "level", health_name(h->level));
        json_text(o, "reason", text_or_null(h->reason));
}

cJSON *status_json(const struct status *s, const struct health *h)
{
        cJSON *o = json_object();

        json_text(o, "pipeline", s->pipeline);
        json_text(o, "state", state_name(s->state));
        json_text(o, "phase", state_name(s->phase));
        json_text(o, "direction", direction(s));
        json_time(o, "since", s->since);
        add_error(o, s->error);
        add_end(o, "source", &s->source);
        add_end(o, "target", &s->target);
        add_flow(o, s);
        add_snapshot(o, s);
        add_verify(o, s);
        add_retention(o, s);
        add_check(o, h);
        json_text(o, "next", s->next);
        return o;
}

cJSON *status_table_json(const struct status_table *t)
{
        cJSON *o = cJSON_CreateObject();

        json_text(o, "source", t->source);
        json_text(o, "target", t->target);
        json_text(o, "state", t->state);
        json_count(o, "rows_copied", t->rows_copied);
        json_known(o, "rows_estimated", t->rows_estimated);
        json_count(o, "inserts", t->durable.inserts + t->committed.inserts);
        json_count(o, "updates", t->durable.updates + t->committed.updates);
        json_count(o, "deletes", t->durable.deletes + t->committed.deletes);
        return o;
}
