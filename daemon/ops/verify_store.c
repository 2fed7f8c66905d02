#include "ops/verify_store.h"
#include "base/loop.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 500    /* rows of one INSERT */
#define CONTINUOUS "+" /* behind the state of a run that is */

/* ---- either kind of target ---- */

static void add_text(struct buf *sql, const struct verify_side *s, const char *text)
{
        if (!text)
                buf_str(sql, "null");
        else if (s->is_my)
                my_literal(sql, text, strlen(text));
        else
                pg_literal(sql, text);
}

static void add_time(struct buf *sql, const struct verify_side *s, int64_t t)
{
        if (t <= 0)
                buf_str(sql, "null");
        else
                buf_printf(sql, "%s(%" PRId64 ".%06" PRId64 ")",
                        s->is_my ? "from_unixtime" : "pg_catalog.to_timestamp", t / SECOND,
                        t % SECOND);
}

/* A column of times as microseconds since 1970; 0 for none. */
static void read_time(struct buf *sql, const struct verify_side *s, const char *column)
{
        buf_printf(sql,
                s->is_my ? "cast(coalesce(unix_timestamp(%s), 0) * 1000000 as signed)"
                         : "(coalesce(extract(epoch from %s), 0) * 1000000)::bigint",
                column);
}

static int run(struct verify_side *s, const char *sql, struct error *e)
{
        return s->is_my ? my_run(s->my.conn, e, sql) : pg_run(s->pg, e, sql);
}

static int run_counted(struct verify_side *s, const char *sql, uint64_t *rows, struct error *e)
{
        AUTO_RESULT r = NULL;

        if (s->is_my)
                return my_affected(s->my.conn, e, sql, rows);
        if (!(r = pg_query(s->pg, e, sql, 0, NULL)))
                return -1;
        *rows = strtoull(PQcmdTuples(r), NULL, 10);
        return 0;
}

#define FIELDS_MAX 16
typedef void take_fields(void *context, const char *const *fields);

static int query_pg(
        struct verify_side *s, const char *sql, take_fields *take, void *context, struct error *e)
{
        AUTO_RESULT r = pg_query(s->pg, e, sql, 0, NULL);
        const char *fields[FIELDS_MAX] = {0};

        for (int i = 0; r && i < PQntuples(r); i++) {
                for (int k = 0; k < PQnfields(r) && k < FIELDS_MAX; k++)
                        fields[k] = PQgetisnull(r, i, k) ? NULL : PQgetvalue(r, i, k);
                take(context, fields);
        }
        return r ? 0 : -1;
}

static int query_my(
        struct verify_side *s, const char *sql, take_fields *take, void *context, struct error *e)
{
        AUTO_MY_RESULT r = my_query(s->my.conn, e, sql);
        MYSQL_ROW row;

        while (r && (row = mysql_fetch_row(r)))
                take(context, (const char *const *)row);
        return r ? 0 : -1;
}

static int query(struct verify_side *s, const struct buf *sql, take_fields *take, void *context,
        struct error *e)
{
        return s->is_my ? query_my(s, buf_text(sql), take, context, e)
                        : query_pg(s, buf_text(sql), take, context, e);
}

static int finish(struct verify_side *s, int rc, struct error *e)
{
        struct error ignored = ERROR_INIT;

        if (rc == 0 && run(s, "commit", e) == 0)
                return 0;
        run(s, "rollback", &ignored);
        return -1;
}

static int begin(struct verify_side *s, struct error *e)
{
        return run(s, s->is_my ? "start transaction read write" : "begin read write", e);
}

/* ---- reading ---- */

void verify_run_done(struct verify_run *r)
{
        free(r->schema);
        free(r->name);
        *r = (struct verify_run){0};
}

static enum verify_state state_of(const char *name)
{
        for (int i = VERIFY_IDLE; i <= VERIFY_FAILED; i++)
                if (!strcmp(verify_state_name((enum verify_state)i), name))
                        return (enum verify_state)i;
        return VERIFY_IDLE;
}

static uint64_t count_of(const char *text)
{
        return text ? strtoull(text, NULL, 10) : 0;
}

static void take_run(void *context, const char *const *f)
{
        struct verify_run *r = context;

        const char *state = f[1] ? f[1] : "";
        AUTO_STRING name = memory_printf("%.*s", (int)strcspn(state, CONTINUOUS), state);

        r->number = count_of(f[0]);
        r->state = state_of(name);
        r->continuous = strchr(state, *CONTINUOUS) != NULL;
        r->schema = memory_string(f[2]);
        r->name = memory_string(f[3]);
        r->sample = (unsigned)count_of(f[4]);
        snprintf(r->position, sizeof r->position, "%s", f[5] ? f[5] : "");
        snprintf(r->message, sizeof r->message, "%s", f[6] ? f[6] : "");
        r->started = (int64_t)count_of(f[7]);
        r->finished = (int64_t)count_of(f[8]);
}

int verify_store_run(
        struct verify_side *s, const char *pipeline, struct verify_run *r, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        *r = (struct verify_run){.sample = 100};
        buf_str(&sql, "select run, state, table_schema, table_name, sample_percent, position, "
                      "message, ");
        read_time(&sql, s, "started_at");
        buf_str(&sql, ", ");
        read_time(&sql, s, "finished_at");
        buf_str(&sql, " from culvert.verify where pipeline = ");
        add_text(&sql, s, pipeline);
        return query(s, &sql, take_run, r, e);
}

struct reading {
        void (*each)(void *context, const struct verify_progress *p);
        void (*found)(void *context, const char *schema, const char *name,
                const struct verify_finding *f);
        void *context;
};

static const char *table_state(const char *text)
{
        static const char *const known[] = {"waiting", "running", "done"};

        for (size_t i = 0; text && i < sizeof known / sizeof *known; i++)
                if (!strcmp(known[i], text))
                        return known[i];
        return "waiting";
}

static void take_table(void *context, const char *const *f)
{
        const struct reading *r = context;
        struct verify_progress p = {.schema = f[0],
                .name = f[1],
                .state = table_state(f[2]),
                .phase = (unsigned)count_of(f[3]),
                .after = f[4],
                .chunk = count_of(f[5]),
                .rows = count_of(f[6]),
                .seen = count_of(f[7]),
                .total = f[8] ? strtoll(f[8], NULL, 10) : -1,
                .differences = count_of(f[9]),
                .undecided = count_of(f[10])};

        r->each(r->context, &p);
}

static void take_finding(void *context, const char *const *f)
{
        const struct reading *r = context;
        int kind = f[2] ? verify_kind_of(f[2]) : -1;
        struct verify_finding x = {.key = f[3], .columns = f[4]};

        if (kind < 0 || !f[3] || !f[4])
                return;
        x.kind = (enum verify_kind)kind;
        r->found(r->context, f[0], f[1], &x);
}

/* Those about rows, or the others. */
static void of_rows(struct buf *sql, bool rows)
{
        buf_str(sql, rows ? " and kind in (" : " and kind not in (");
        for (int k = VERIFY_MISSING; k <= VERIFY_UNDECIDED; k++)
                buf_printf(sql, "%s'%s'", k ? ", " : "", verify_kind_name((enum verify_kind)k));
        buf_char(sql, ')');
}

static void select_results(
        struct buf *sql, const struct verify_side *s, const char *pipeline, bool notes)
{
        buf_str(sql, "select source_schema, source_name, kind, row_key, column_names "
                     "from culvert.verify_result where pipeline = ");
        add_text(sql, s, pipeline);
        of_rows(sql, !notes);
        buf_printf(sql, " order by id limit %d", VERIFY_ITEMS_MAX + 1);
}

int verify_store_read(struct verify_side *s, const char *pipeline,
        void (*each)(void *context, const struct verify_progress *p),
        void (*found)(void *context, const char *schema, const char *name,
                const struct verify_finding *f),
        void *context, struct error *e)
{
        AUTO_BUF tables = BUF_INIT, items = BUF_INIT, notes = BUF_INIT;
        struct reading r = {each, found, context};

        buf_str(&tables, "select source_schema, source_name, state, phase, after_key, chunk, "
                         "rows_compared, rows_seen, rows_total, differences, undecided "
                         "from culvert.verify_table where pipeline = ");
        add_text(&tables, s, pipeline);
        buf_str(&tables, " order by source_schema, source_name");
        select_results(&items, s, pipeline, false);
        select_results(&notes, s, pipeline, true);
        if (query(s, &tables, take_table, &r, e) < 0 || query(s, &items, take_finding, &r, e) < 0)
                return -1;
        return query(s, &notes, take_finding, &r, e);
}

/* ---- writing ---- */

static void where_run(
        struct buf *sql, const struct verify_side *s, const char *pipeline, uint64_t number)
{
        buf_str(sql, " where pipeline = ");
        add_text(sql, s, pipeline);
        buf_printf(sql, " and run = %" PRIu64, number);
}

static int clear(struct verify_side *s, const char *pipeline, struct error *e)
{
        static const char *const tables[] = {"verify_result", "verify_table", "verify"};

        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
                AUTO_BUF sql = BUF_INIT;

                buf_printf(&sql, "delete from culvert.%s where pipeline = ", tables[i]);
                add_text(&sql, s, pipeline);
                if (run(s, buf_text(&sql), e) < 0)
                        return -1;
        }
        return 0;
}

static int insert_run(
        struct verify_side *s, const char *pipeline, const struct verify_run *r, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "insert into culvert.verify (pipeline, run, state, table_schema, table_name, "
                      "sample_percent, position, message, started_at, finished_at) values (");
        add_text(&sql, s, pipeline);
        buf_printf(
                &sql, ", %" PRIu64 ", 'running%s', ", r->number, r->continuous ? CONTINUOUS : "");
        add_text(&sql, s, r->schema);
        buf_str(&sql, ", ");
        add_text(&sql, s, r->name);
        buf_printf(&sql, ", %u, '', '', ", r->sample);
        add_time(&sql, s, r->started);
        buf_str(&sql, ", null)");
        return run(s, buf_text(&sql), e);
}

static void add_known(struct buf *sql, int64_t n)
{
        if (n < 0)
                buf_str(sql, "null");
        else
                buf_printf(sql, "%" PRId64, n);
}

static int insert_tables(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_progress *tables, unsigned n, struct error *e)
{
        for (unsigned i = 0; i < n; i++) {
                AUTO_BUF sql = BUF_INIT;

                buf_str(&sql, "insert into culvert.verify_table (pipeline, run, source_schema, "
                              "source_name, state, phase, after_key, chunk, rows_compared, "
                              "rows_seen, rows_total, differences, undecided) values (");
                add_text(&sql, s, pipeline);
                buf_printf(&sql, ", %" PRIu64 ", ", r->number);
                add_text(&sql, s, tables[i].schema);
                buf_str(&sql, ", ");
                add_text(&sql, s, tables[i].name);
                buf_str(&sql, ", 'waiting', 0, null, 0, 0, 0, ");
                add_known(&sql, tables[i].total);
                buf_str(&sql, ", 0, 0)");
                if (run(s, buf_text(&sql), e) < 0)
                        return -1;
        }
        return 0;
}

int verify_store_begin(struct verify_side *s, const char *pipeline, struct verify_run *r,
        const struct verify_progress *tables, unsigned n, struct error *e)
{
        int rc = begin(s, e);

        if (rc == 0 &&
                ((rc = clear(s, pipeline, e)) < 0 || (rc = insert_run(s, pipeline, r, e)) < 0 ||
                        (rc = insert_tables(s, pipeline, r, tables, n, e)) < 0))
                rc = -1;
        return finish(s, rc, e);
}

static int superseded(struct error *e)
{
        return error_set(
                e, ERROR_CONFIG, "another verification of this pipeline has begun; this one ends");
}

static int update_table(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_progress *p, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        uint64_t found = 0;

        buf_printf(&sql,
                "update culvert.verify_table set state = '%s', phase = %u, after_key = ", p->state,
                p->phase);
        add_text(&sql, s, p->after);
        buf_printf(&sql,
                ", chunk = %" PRIu64 ", rows_compared = %" PRIu64 ", rows_seen = %" PRIu64
                ", rows_total = ",
                p->chunk, p->rows, p->seen);
        add_known(&sql, p->total);
        buf_printf(&sql, ", differences = %" PRIu64 ", undecided = %" PRIu64, p->differences,
                p->undecided);
        where_run(&sql, s, pipeline, r->number);
        buf_str(&sql, " and source_schema = ");
        add_text(&sql, s, p->schema);
        buf_str(&sql, " and source_name = ");
        add_text(&sql, s, p->name);
        if (run_counted(s, buf_text(&sql), &found, e) < 0)
                return -1;
        return found == 1 ? 0 : superseded(e);
}

static int update_run(
        struct verify_side *s, const char *pipeline, const struct verify_run *r, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        uint64_t found = 0;

        buf_printf(&sql, "update culvert.verify set state = '%s%s', position = ",
                verify_state_name(r->state), r->continuous ? CONTINUOUS : "");
        add_text(&sql, s, r->position);
        buf_str(&sql, ", message = ");
        add_text(&sql, s, r->message);
        buf_str(&sql, ", finished_at = ");
        add_time(&sql, s, r->finished);
        where_run(&sql, s, pipeline, r->number);
        if (run_counted(s, buf_text(&sql), &found, e) < 0)
                return -1;
        return found == 1 ? 0 : superseded(e);
}

static int insert_found(struct verify_side *s, const char *pipeline,
        const struct verify_progress *p, const struct verify_finding *found, unsigned n,
        struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "insert into culvert.verify_result (pipeline, source_schema, source_name, "
                      "kind, row_key, column_names, found_at) values ");
        for (unsigned i = 0; i < n; i++) {
                buf_str(&sql, i ? ", (" : "(");
                add_text(&sql, s, pipeline);
                buf_str(&sql, ", ");
                add_text(&sql, s, p->schema);
                buf_str(&sql, ", ");
                add_text(&sql, s, p->name);
                buf_printf(&sql, ", '%s', ", verify_kind_name(found[i].kind));
                add_text(&sql, s, found[i].key);
                buf_str(&sql, ", ");
                add_text(&sql, s, found[i].columns);
                buf_str(&sql, s->is_my ? ", utc_timestamp(6))" : ", pg_catalog.clock_timestamp())");
        }
        return run(s, buf_text(&sql), e);
}

int verify_store_save(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_progress *p, const struct verify_finding *found, unsigned n,
        struct error *e)
{
        int rc = begin(s, e);

        if (rc == 0)
                rc = update_table(s, pipeline, r, p, e);
        for (unsigned i = 0; rc == 0 && i < n; i += AT_ONCE)
                rc = insert_found(s, pipeline, p, found + i, n - i < AT_ONCE ? n - i : AT_ONCE, e);
        return finish(s, rc, e);
}

int verify_store_end(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_note *notes, unsigned n, struct error *e)
{
        int rc = begin(s, e);

        if (rc == 0)
                rc = update_run(s, pipeline, r, e);
        for (unsigned i = 0; rc == 0 && i < n; i++) {
                struct verify_progress p = {.schema = notes[i].schema, .name = notes[i].name};

                rc = insert_found(s, pipeline, &p, &notes[i].finding, 1, e);
        }
        return finish(s, rc, e);
}

/* ---- findings, for whoever mends them ---- */

struct picking {
        void (*found)(void *context, uint64_t id, const struct verify_finding *f);
        void *context;
        int n;
};

static void take_picked(void *context, const char *const *f)
{
        struct picking *p = context;
        int kind = f[1] ? verify_kind_of(f[1]) : -1;
        struct verify_finding x = {.key = f[2] ? f[2] : "", .columns = "[]"};

        p->n++;
        if (kind < 0)
                return;
        x.kind = (enum verify_kind)kind;
        p->found(p->context, count_of(f[0]), &x);
}

static void of_table(struct buf *sql, const struct verify_side *s, const struct verify_progress *p)
{
        buf_str(sql, " and source_schema = ");
        add_text(sql, s, p->schema);
        buf_str(sql, " and source_name = ");
        add_text(sql, s, p->name);
}

int verify_store_findings(struct verify_side *s, const char *pipeline,
        const struct verify_progress *p, uint64_t after, unsigned limit,
        void (*found)(void *context, uint64_t id, const struct verify_finding *f), void *context,
        struct error *e)
{
        struct picking picking = {.found = found, .context = context};
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "select id, kind, row_key from culvert.verify_result where pipeline = ");
        add_text(&sql, s, pipeline);
        of_table(&sql, s, p);
        of_rows(&sql, true);
        buf_printf(&sql, " and id > %" PRIu64 " order by id limit %u", after, limit);
        return query(s, &sql, take_picked, &picking, e) < 0 ? -1 : picking.n;
}

static int delete_findings(struct verify_side *s, const char *pipeline,
        const struct verify_progress *p, const uint64_t *ids, unsigned n, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "delete from culvert.verify_result where pipeline = ");
        add_text(&sql, s, pipeline);
        of_table(&sql, s, p);
        for (unsigned i = 0; i < n; i++)
                buf_printf(&sql, "%s%" PRIu64, i ? ", " : " and id in (", ids[i]);
        buf_str(&sql, ")");
        return run(s, buf_text(&sql), e);
}

static void less(struct buf *sql, const char *column, uint64_t n)
{
        buf_printf(sql, "%s = case when %s > %" PRIu64 " then %s - %" PRIu64 " else 0 end", column,
                column, n, column, n);
}

/* First the row that proves that the run is the present one. */
static int count_down(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_progress *p, uint64_t differences, uint64_t undecided, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        uint64_t found = 0;

        buf_str(&sql, "update culvert.verify_table set ");
        less(&sql, "differences", differences);
        buf_str(&sql, ", ");
        less(&sql, "undecided", undecided);
        where_run(&sql, s, pipeline, r->number);
        of_table(&sql, s, p);
        if (run_counted(s, buf_text(&sql), &found, e) < 0)
                return -1;
        return found == 1 ? 0 : superseded(e);
}

int verify_store_resolve(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        const struct verify_progress *p, const uint64_t *ids, unsigned n, uint64_t differences,
        uint64_t undecided, struct error *e)
{
        int rc = begin(s, e);

        if (rc == 0)
                rc = count_down(s, pipeline, r, p, differences, undecided, e);
        for (unsigned i = 0; rc == 0 && i < n; i += AT_ONCE)
                rc = delete_findings(s, pipeline, p, ids + i, n - i < AT_ONCE ? n - i : AT_ONCE, e);
        return finish(s, rc, e);
}

/* ---- findings that are looked for again ---- */

struct forgetting {
        uint64_t ids[AT_ONCE], undecided;
        unsigned n;
};

static void take_forgotten(void *context, const char *const *f)
{
        struct forgetting *x = context;

        x->ids[x->n++] = count_of(f[0]);
        x->undecided += f[1] && !strcmp(f[1], verify_kind_name(VERIFY_UNDECIDED));
}

/* Some of them; how many, or -1. */
static int forget_some(struct verify_side *s, const char *pipeline, struct verify_progress *p,
        char *const *keys, unsigned n, struct error *e)
{
        struct forgetting x = {0};
        AUTO_BUF sql = BUF_INIT;
        uint64_t differences;

        buf_str(&sql, "select id, kind from culvert.verify_result where pipeline = ");
        add_text(&sql, s, pipeline);
        of_table(&sql, s, p);
        of_rows(&sql, true);
        for (unsigned i = 0; keys && i < n; i++) {
                buf_str(&sql, i          ? ", "
                              : s->is_my ? " and row_key in ("
                                         : " and row_key::text in (");
                add_text(&sql, s, keys[i]);
        }
        buf_printf(&sql, "%s limit %d", keys ? ")" : "", AT_ONCE);
        if (query(s, &sql, take_forgotten, &x, e) < 0)
                return -1;
        if (x.n > 0 && delete_findings(s, pipeline, p, x.ids, x.n, e) < 0)
                return -1;
        differences = x.n - x.undecided;
        p->differences -= differences < p->differences ? differences : p->differences;
        p->undecided -= x.undecided < p->undecided ? x.undecided : p->undecided;
        return (int)x.n;
}

static int forget_all(struct verify_side *s, const char *pipeline, struct verify_progress *p,
        char *const *keys, unsigned n, struct error *e)
{
        unsigned i = 0;
        int gone;

        do {
                unsigned some = n - i < AT_ONCE ? n - i : AT_ONCE;

                if ((gone = forget_some(s, pipeline, p, keys ? keys + i : NULL, some, e)) < 0)
                        return -1;
                if (keys && gone < AT_ONCE)
                        i += some;
        } while (keys ? i < n : gone > 0);
        return 0;
}

int verify_store_replace(struct verify_side *s, const char *pipeline, const struct verify_run *r,
        struct verify_progress *p, char *const *keys, unsigned keys_n,
        const struct verify_finding *found, unsigned n, struct error *e)
{
        int rc = begin(s, e);

        /* first the row that proves that the run is the present one */
        if (rc == 0)
                rc = update_table(s, pipeline, r, p, e);
        if (rc == 0 && (!keys || keys_n > 0))
                rc = forget_all(s, pipeline, p, keys, keys_n, e);
        if (rc == 0)
                rc = update_table(s, pipeline, r, p, e);
        for (unsigned i = 0; rc == 0 && i < n; i += AT_ONCE)
                rc = insert_found(s, pipeline, p, found + i, n - i < AT_ONCE ? n - i : AT_ONCE, e);
        return finish(s, rc, e);
}
