#include "base/memory.h"
#include "db/my_meta.h"
#include "ops/quarantine_store.h"
#include "sinks/my_change.h"
#include "sinks/my_session.h"
#include "sinks/my_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int my_connect_store(struct quarantine_store *s, struct error *e)
{
        s->my_params = my_params_new(&s->config->target, "target", e);
        s->my = s->my_params ? halt_my_connect(s->halt, s->my_params, e) : NULL;
        return s->my ? 0 : -1;
}

static void my_close_store(struct quarantine_store *s)
{
        halt_my_close(s->halt, &s->my);
        s->my_params = my_params_free(s->my_params);
}

static int my_take(struct quarantine_store *s, struct error *e)
{
        char source[IDENTITY_TEXT];
        struct position position;
        int taken = my_meta_open(s->my, s->config->pipeline.name, &s->epoch, &position, source, e);

        return taken == 0 ? my_run(s->my, e, my_session_apply_sql) : taken;
}

static void add_pipeline(struct buf *sql, const struct quarantine_store *s)
{
        my_literal(sql, s->config->pipeline.name, strlen(s->config->pipeline.name));
}

static int my_begin(struct quarantine_store *s, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        uint64_t found = 0;

        buf_str(&sql, "update culvert.checkpoint set counter = counter + 1, updated_at = "
                      "utc_timestamp(6) where pipeline = ");
        add_pipeline(&sql, s);
        buf_printf(&sql, " and direction = 'forward' and lane = 0 and epoch = %" PRIu64, s->epoch);
        if (my_run(s->my, e, "start transaction read write") < 0 ||
                my_affected(s->my, e, buf_text(&sql), &found) < 0)
                return -1;
        return found == 1 ? 0 : my_meta_fenced(e, s->config->pipeline.name);
}

static int my_end(struct quarantine_store *s, bool commit, struct error *e)
{
        return my_run(s->my, e, commit ? "commit" : "rollback");
}

static const char *text(const char *field)
{
        return field ? field : "";
}

static void take_row(MYSQL_ROW f, struct quarantine_row *row)
{
        *row = (struct quarantine_row){
                .id = strtoull(f[0], NULL, 10),
                .schema = text(f[1]),
                .table = text(f[2]),
                .operation = text(f[3]),
                .key = text(f[4]),
                .position = text(f[5]),
                .code = text(f[6]),
                .message = text(f[7]),
                .committed = text(f[8]),
                .quarantined = text(f[9]),
                .tried = text(f[10]),
                .attempts = strtoull(f[11], NULL, 10),
                .rows = {(uint64_t)strtoll(f[12], NULL, 10),
                        (uint64_t)strtoll(text(f[13]), NULL, 10)},
                .rows_n = f[13] ? 2 : 1,
                .old_full = *f[14] == '1',
                .old = f[15],
                .new = f[16],
                .shape = text(f[17]),
                .source = f[18],
        };
}

#define TIME(column) "date_format(" column ", '%Y-%m-%dT%H:%i:%s.%fZ')"

static int my_read(struct quarantine_store *s, uint64_t after, unsigned limit,
        quarantine_each *each, void *context, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        struct quarantine_row row;
        MYSQL_ROW f;

        buf_str(&sql,
                "select id, table_schema, table_name, operation, row_key, position, code, "
                "message, " TIME("committed_at") ", " TIME("quarantined_at") ", " TIME(
                        "tried_at") ", attempts, row_id, row_to, old_full, old_row, new_row, "
                                    "shape, source from culvert.quarantine where pipeline = ");
        add_pipeline(&sql, s);
        buf_printf(&sql, " and id > %" PRIu64 " order by id limit %u", after, limit);
        if (!(r = my_query(s->my, e, buf_text(&sql))))
                return -1;
        while ((f = mysql_fetch_row(r))) {
                take_row(f, &row);
                if (each(context, &row, e) < 0)
                        return -1;
        }
        return (int)mysql_num_rows(r);
}

static int64_t my_count(struct quarantine_store *s, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT r = NULL;
        MYSQL_ROW f;

        buf_str(&sql, "select count(*) from culvert.quarantine where pipeline = ");
        add_pipeline(&sql, s);
        r = my_query(s->my, e, buf_text(&sql));
        f = r ? mysql_fetch_row(r) : NULL;
        return f ? strtoll(f[0], NULL, 10) : -1;
}

static struct my_binding *bound(
        struct quarantine_store *s, const struct relation *r, struct error *e)
{
        struct my_binding *b = my_binding_of(r, 1);
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT d = NULL;

        if (b)
                return b;
        my_binding_sql(&sql, r);
        d = my_query(s->my, e, buf_text(&sql));
        return d ? my_binding_new(r, 1, my_engine(s->my), d, e) : NULL;
}

static int add_change(
        struct buf *sql, const struct my_binding *b, const struct change *c, struct error *e)
{
        buf_str(sql, my_change_warnings(b, c) ? MY_VALUE_LENIENT : "");
        if (c->op != CHANGE_INSERT)
                return my_change_sql(sql, b, c, e);
        buf_str(sql, b->insert);
        return my_change_row(sql, b, c, e);
}

static int run_statement(struct quarantine_store *s, const struct my_binding *b, const char *sql,
        const struct change *c, struct error *e)
{
        unsigned warnings = my_change_warnings(b, c);
        uint64_t found = 0;

        if (my_affected(s->my, e, sql, &found) < 0)
                return -1;
        if (found == 1 && (!warnings || mysql_warning_count(s->my) == warnings))
                return 0;
        if (found == 1)
                error_set(e, ERROR_DATA, "the target changed a value that it was given");
        else
                error_set(e, ERROR_DATA, "conflict: %" PRIu64 " rows on the target have its key",
                        found);
        e->of_row = true;
        return -1;
}

/* In the place of the savepoint the next one comes. */
static int my_apply(struct quarantine_store *s, const struct change *c, struct error *e)
{
        struct my_binding *b = bound(s, c->relation, e);
        AUTO_BUF sql = BUF_INIT;
        struct error ignored = ERROR_INIT;
        int made = b ? add_change(&sql, b, c, e) : -1;

        if (made == MY_CHANGE_NOTHING)
                return 0;
        if (made < 0)
                return b && e->of_row ? 1 : -1;
        if (my_run(s->my, e, "savepoint culvert_row") < 0)
                return -1;
        if (run_statement(s, b, buf_text(&sql), c, e) == 0)
                return 0;
        if (!e->of_row || my_run(s->my, &ignored, "rollback to savepoint culvert_row") < 0)
                return -1;
        return 1;
}

static int my_remove(struct quarantine_store *s, uint64_t id, struct error *e)
{
        return my_runf(s->my, e, "delete from culvert.quarantine where id = %" PRIu64, id);
}

static int my_tried(
        struct quarantine_store *s, uint64_t id, const struct error *why, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "update culvert.quarantine set attempts = attempts + 1, tried_at = "
                      "utc_timestamp(6), code = ");
        my_literal(&sql, why->code, strlen(why->code));
        buf_str(&sql, ", message = ");
        my_literal(&sql, why->message, strlen(why->message));
        buf_printf(&sql, " where id = %" PRIu64, id);
        return my_run(s->my, e, buf_text(&sql));
}

const struct quarantine_store_ops my_quarantine_ops = {
        .connect = my_connect_store,
        .close = my_close_store,
        .take = my_take,
        .begin = my_begin,
        .end = my_end,
        .read = my_read,
        .count = my_count,
        .apply = my_apply,
        .remove = my_remove,
        .tried = my_tried,
};
