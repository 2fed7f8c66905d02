#include "base/memory.h"
#include "db/pg_meta.h"
#include "ops/quarantine_store.h"
#include "sinks/pg_binding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int pg_connect_store(struct quarantine_store *s, struct error *e)
{
        AUTO_STRING name = memory_printf("culvert %s quarantine", s->config->pipeline.name);

        s->pg_params = pg_params_new(&s->config->target, "target", name, false, e);
        s->pg = s->pg_params ? halt_connect(s->halt, s->pg_params, e) : NULL;
        return s->pg ? pg_run(s->pg, e, "set lock_timeout = '60s'") : -1;
}

static void pg_close_store(struct quarantine_store *s)
{
        halt_close(s->halt, &s->pg);
        s->pg_params = pg_params_free(s->pg_params);
}

/* Without the right (SQLSTATE 42501) the target's keys and triggers stay on, as in the sink. */
static int pg_take(struct quarantine_store *s, struct error *e)
{
        char source[IDENTITY_TEXT];
        struct position position;
        struct error role = ERROR_INIT;
        int taken = pg_meta_open(s->pg, s->config->pipeline.name, &s->epoch, &position, source, e);

        if (taken != 0)
                return taken;
        if (pg_run(s->pg, &role, "set session_replication_role = replica") == 0 ||
                !strcmp(role.code, "42501"))
                return 0;
        *e = role;
        return -1;
}

static int pg_begin(struct quarantine_store *s, struct error *e)
{
        char epoch[24];
        const char *values[] = {s->config->pipeline.name, epoch};
        AUTO_RESULT r = NULL;

        snprintf(epoch, sizeof epoch, "%" PRIu64, s->epoch);
        if (pg_run(s->pg, e, "begin isolation level read committed read write") < 0)
                return -1;
        r = pg_query(s->pg, e,
                "update culvert.checkpoint set counter = counter + 1, updated_at = "
                "pg_catalog.clock_timestamp() where pipeline = $1 and direction = 'forward' and "
                "lane = 0 and epoch = $2",
                2, values);
        if (!r)
                return -1;
        if (!strcmp(PQcmdTuples(r), "1"))
                return 0;
        return error_set(e, ERROR_BUG,
                "fenced: another culvertd has taken over pipeline %s on the target", values[0]);
}

static int pg_end(struct quarantine_store *s, bool commit, struct error *e)
{
        return pg_run(s->pg, e, commit ? "commit" : "rollback");
}

#define TIME(column)                                                                               \
        "coalesce(pg_catalog.to_char(" column                                                      \
        " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '')"

static const char *or_null(const PGresult *r, int row, int column)
{
        return PQgetisnull(r, row, column) ? NULL : pg_text(r, row, column);
}

static void take_row(const PGresult *r, int i, struct quarantine_row *row)
{
        *row = (struct quarantine_row){
                .id = strtoull(pg_text(r, i, 0), NULL, 10),
                .schema = pg_text(r, i, 1),
                .table = pg_text(r, i, 2),
                .operation = pg_text(r, i, 3),
                .key = pg_text(r, i, 4),
                .position = pg_text(r, i, 5),
                .code = pg_text(r, i, 6),
                .message = pg_text(r, i, 7),
                .committed = pg_text(r, i, 8),
                .quarantined = pg_text(r, i, 9),
                .tried = pg_text(r, i, 10),
                .attempts = strtoull(pg_text(r, i, 11), NULL, 10),
                .rows = {(uint64_t)strtoll(pg_text(r, i, 12), NULL, 10),
                        (uint64_t)strtoll(pg_text(r, i, 13), NULL, 10)},
                .rows_n = PQgetisnull(r, i, 13) ? 1 : 2,
                .old_full = pg_true(r, i, 14),
                .old = or_null(r, i, 15),
                .new = or_null(r, i, 16),
                .shape = pg_text(r, i, 17),
                .source = or_null(r, i, 18),
        };
}

static int pg_read(struct quarantine_store *s, uint64_t after, unsigned limit,
        quarantine_each *each, void *context, struct error *e)
{
        char from[24], most[16];
        const char *values[] = {s->config->pipeline.name, from, most};
        AUTO_RESULT r = NULL;
        struct quarantine_row row;

        snprintf(from, sizeof from, "%" PRIu64, after);
        snprintf(most, sizeof most, "%u", limit);
        r = pg_query(s->pg, e,
                "select id, table_schema, table_name, operation, row_key, position, code, "
                "message, " TIME("committed_at") ", " TIME("quarantined_at") ", " TIME(
                        "tried_at") ", attempts, row_id, row_to, old_full, old_row, new_row, "
                                    "shape, "
                                    "source from culvert.quarantine where pipeline = $1 and id > "
                                    "$2 order by "
                                    "id limit $3::int",
                3, values);
        for (int i = 0; r && i < PQntuples(r); i++) {
                take_row(r, i, &row);
                if (each(context, &row, e) < 0)
                        return -1;
        }
        return r ? PQntuples(r) : -1;
}

static int64_t pg_count(struct quarantine_store *s, struct error *e)
{
        const char *pipeline = s->config->pipeline.name;
        AUTO_RESULT r = pg_query(s->pg, e,
                "select count(*) from culvert.quarantine where pipeline = $1", 1, &pipeline);

        return r ? strtoll(pg_text(r, 0, 0), NULL, 10) : -1;
}

static struct pg_binding *bound(
        struct quarantine_store *s, const struct relation *r, struct error *e)
{
        const char *values[] = {r->schema, r->name};
        struct pg_binding *b = pg_binding_of(r, 1);
        AUTO_RESULT d = NULL;

        if (b)
                return b;
        d = pg_query(s->pg, e, pg_binding_sql, 2, values);
        return d ? pg_binding_new(r, 1, s->bindings++, d, e) : NULL;
}

/* One row, or the error says of which kind it is. */
static int run_statement(struct quarantine_store *s, const struct pg_statement *st,
        const struct change *c, struct error *e)
{
        const char **values = memory_new(((size_t)st->n + 1) * sizeof *values);
        AUTO_RESULT r = NULL;

        pg_statement_values(st, c, values);
        r = PQexecParams(s->pg, st->sql, st->n, st->types, values, NULL, NULL, 0);
        free(values);
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
                return pg_error(e, s->pg, r, "target");
        if (!strcmp(PQcmdTuples(r), "1"))
                return 0;
        error_set(e, ERROR_DATA, "conflict: %s rows on the target have its key", PQcmdTuples(r));
        e->of_row = true;
        return -1;
}

static int pg_apply(struct quarantine_store *s, const struct change *c, struct error *e)
{
        struct pg_binding *b = bound(s, c->relation, e);
        struct pg_statement *st = b ? pg_binding_statement(b, c, e) : NULL;
        struct error ignored = ERROR_INIT;

        if (!st)
                return -1;
        if (st->n == 0 && c->op == CHANGE_UPDATE)
                return 0; /* only generated columns differ */
        if (pg_run(s->pg, e, "savepoint culvert_row") < 0)
                return -1;
        if (run_statement(s, st, c, e) == 0)
                return pg_run(s->pg, e, "release savepoint culvert_row");
        if (!e->of_row)
                return -1;
        return pg_run(s->pg, &ignored,
                       "rollback to savepoint culvert_row; release savepoint culvert_row") < 0
                       ? -1
                       : 1;
}

static int pg_remove(struct quarantine_store *s, uint64_t id, struct error *e)
{
        return pg_runf(s->pg, e, "delete from culvert.quarantine where id = %" PRIu64, id);
}

static int pg_tried(
        struct quarantine_store *s, uint64_t id, const struct error *why, struct error *e)
{
        char text[24];
        const char *values[] = {text, why->code, why->message};
        AUTO_RESULT r = NULL;

        snprintf(text, sizeof text, "%" PRIu64, id);
        r = pg_query(s->pg, e,
                "update culvert.quarantine set attempts = attempts + 1, tried_at = "
                "pg_catalog.clock_timestamp(), code = $2, message = $3 where id = $1",
                3, values);
        return r ? 0 : -1;
}

const struct quarantine_store_ops pg_quarantine_ops = {
        .connect = pg_connect_store,
        .close = pg_close_store,
        .take = pg_take,
        .begin = pg_begin,
        .end = pg_end,
        .read = pg_read,
        .count = pg_count,
        .apply = pg_apply,
        .remove = pg_remove,
        .tried = pg_tried,
};
