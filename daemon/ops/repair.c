#include "ops/repair.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "ops/repair_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1000u   /* findings */
#define ROUNDS_MAX 40 /* in which a row was on the move */
#define WRITES_MAX 3  /* of one row that is not equal afterwards */
#define PASSES_MAX 20 /* over the findings of a table */
#define PAUSE (25 * MILLISECOND)
#define PAUSE_MAX (250 * MILLISECOND)

struct repair *repair_new(
        struct loop *l, bool dry_run, const struct repair_events *events, void *context)
{
        struct repair *r = memory_new_of(struct repair);

        r->dry_run = dry_run;
        r->items = cJSON_CreateArray();
        repair_stream_init(&r->stream, l, events->stand, events->go, context);
        return r;
}

struct repair *repair_free(struct repair *r)
{
        if (!r)
                return NULL;
        repair_stream_done(&r->stream);
        cJSON_Delete(r->items);
        free(r);
        return NULL;
}

void repair_stood(struct repair *r, const struct error *why)
{
        repair_stream_stood(&r->stream, why);
}

void repair_see(struct repair *r, const struct txn *piece)
{
        repair_stream_see(&r->stream, piece);
}

/* ---- rounds ---- */

static int look_at_both(struct repair *r, struct repair_batch *b, struct error *e)
{
        struct verify_worker *w = &r->worker;

        if (repair_look(w, b, LOOK_SOURCE, e) < 0 || verify_await(w, e) < 0)
                return -1;
        b->kept = 0; /* the target's values have room of their own */
        if (repair_look(w, b, LOOK_TARGET, e) < 0)
                return -1;
        b->kept = 0;
        if (b->table->way != VERIFY_BAG)
                return 0;
        /* a look at one row is a look at all of them: not while the stream stands */
        for (unsigned i = 0; i < b->rows_n; i++)
                b->rows[i].ready = b->rows[i].end == REPAIR_OPEN;
        return repair_look(w, b, LOOK_AGAIN, e);
}

static void was_moving(struct repair_row *row)
{
        row->ready = false;
        if (++row->rounds > ROUNDS_MAX)
                row->end = REPAIR_UNDECIDED;
}

static void plan(struct repair_row *row, enum repair_action action)
{
        row->action = action;
        row->end = row->no_place && action != REPAIR_DELETE ? REPAIR_REFUSED : REPAIR_PLANNED;
}

static void refuse_again(struct repair_row *row)
{
        error_set(&row->why, ERROR_DATA,
                "it was written and differs still: the target changes what it is given");
        row->end = REPAIR_REFUSED;
}

static void judge(struct repair *r, struct repair_batch *b, struct repair_row *row)
{
        enum repair_action action = repair_action_of(b, row);
        bool bag = b->table->way == VERIFY_BAG;

        row->ready = false;
        if (action == REPAIR_NOTHING)
                row->end = row->written ? REPAIR_REPAIRED : REPAIR_EQUAL;
        else if (row->late)
                return;
        else if (repair_stream_touched(&r->stream, row->hash) ||
                 (bag && !repair_is_same(&row->source, &row->again)))
                was_moving(row);
        else if (r->dry_run)
                plan(row, action);
        else if (row->written >= WRITES_MAX)
                refuse_again(row);
        else
                row->ready = true;
}

static unsigned judge_all(struct repair *r, struct repair_batch *b)
{
        unsigned n = 0;

        for (unsigned i = 0; i < b->rows_n; i++) {
                if (b->rows[i].end == REPAIR_OPEN)
                        judge(r, b, &b->rows[i]);
                n += b->rows[i].ready;
        }
        return n;
}

/* What it was shown between the look and now. */
static void leave_touched(struct repair *r, struct repair_batch *b)
{
        for (unsigned i = 0; i < b->rows_n; i++)
                if (b->rows[i].ready && repair_stream_touched(&r->stream, b->rows[i].hash))
                        was_moving(&b->rows[i]);
}

static int write_standing(
        struct repair *r, struct repair_batch *b, const struct verify_progress *p, struct error *e)
{
        int rc = repair_stream_stand(&r->stream, r->verify->halt, e);

        if (rc == 0) {
                leave_touched(r, b);
                rc = repair_write(r, b, e);
        }
        repair_stream_go(&r->stream);
        for (unsigned i = 0; rc == 0 && i < b->rows_n; i++) {
                if (b->rows[i].fresh)
                        repair_say(r, p, &b->rows[i]);
                b->rows[i].fresh = false;
        }
        return rc;
}

static int one_round(
        struct repair *r, struct repair_batch *b, const struct verify_progress *p, struct error *e)
{
        repair_batch_round(b);
        repair_stream_watch(&r->stream, b->table, b->hashes, b->rows_n);
        if (look_at_both(r, b, e) < 0)
                return -1;
        return judge_all(r, b) > 0 ? write_standing(r, b, p, e) : 0;
}

static int mend(
        struct repair *r, struct repair_batch *b, const struct verify_progress *p, struct error *e)
{
        int64_t pause = PAUSE;
        int rc = 0;

        for (unsigned round = 0; rc == 0 && repair_batch_open(b) > 0; round++) {
                /* at odd moments */
                if (round > 0)
                        rc = verify_pause(&r->worker, pause + verify_now() % PAUSE, e);
                pause = pause * 3 / 2 < PAUSE_MAX ? pause * 3 / 2 : PAUSE_MAX;
                if (rc == 0)
                        rc = one_round(r, b, p, e);
        }
        repair_stream_unwatch(&r->stream);
        return rc;
}

/* ---- batches ---- */

struct loading {
        struct repair_batch *batch;
        struct verify_worker *worker;
        uint64_t last;
};

static void take_finding(void *context, uint64_t id, const struct verify_finding *f)
{
        struct loading *l = context;

        l->last = id;
        repair_batch_add(l->batch, l->worker, id, f);
}

static bool is_over(const struct repair_row *row)
{
        return row->end == REPAIR_EQUAL || row->end == REPAIR_REPAIRED;
}

/* The findings of rows that are equal now go. */
static int resolve(
        struct repair *r, struct repair_batch *b, const struct verify_progress *p, struct error *e)
{
        uint64_t *ids = memory_new((b->findings_n + 1) * sizeof *ids);
        uint64_t differences = 0, undecided = 0;
        unsigned n = 0;
        int rc = 0;

        for (unsigned i = 0; i < b->findings_n; i++) {
                const struct repair_finding *f = &b->findings[i];

                if (!is_over(&b->rows[f->row]))
                        continue;
                ids[n++] = f->id;
                if (f->kind == VERIFY_UNDECIDED)
                        undecided++;
                else
                        differences += f->copies;
        }
        if (n > 0 && !r->dry_run)
                rc = verify_store_resolve(&r->worker.to, r->verify->config->pipeline.name,
                        &r->verify->run, p, ids, n, differences, undecided, e);
        free(ids);
        return rc;
}

struct pass {
        uint64_t repaired, taken; /* taken: refused since another row has its unique value */
};

static void count(struct repair *r, struct repair_batch *b, const struct verify_progress *p,
        struct pass *pass)
{
        for (unsigned i = 0; i < b->rows_n; i++) {
                const struct repair_row *row = &b->rows[i];

                pass->repaired += row->end == REPAIR_REPAIRED;
                pass->taken += row->end == REPAIR_REFUSED && repair_is_taken(row);
                repair_report(r, p, row);
        }
}

/* How many findings there were; -1. */
static int one_batch(struct repair *r, struct verify_task *task, uint64_t *after, struct pass *pass,
        struct error *e)
{
        const struct verify_progress *p = &task->at;
        struct repair_batch b;
        struct loading loading = {&b, &r->worker, *after};
        int n;

        repair_batch_init(&b, &task->table, (size_t)r->verify->config->apply.batch_bytes);
        n = verify_store_findings(&r->worker.to, r->verify->config->pipeline.name, p, *after, BATCH,
                take_finding, &loading, e);
        if (n > 0) {
                *after = loading.last;
                repair_batch_sort(&b);
                if (mend(r, &b, p, e) < 0 || resolve(r, &b, p, e) < 0)
                        n = -1;
                else
                        count(r, &b, p, pass);
        }
        repair_batch_done(&b);
        return n;
}

/* ---- tables ---- */

/* How rows are found on the target: by the key of the verification, or by all that they hold. */
static struct relation *found_by(const struct verify_table *t, bool whole)
{
        const struct relation *from = t->map.target;
        struct relation *r = relation_new(from->id, from->schema, from->name,
                whole ? IDENTITY_FULL : IDENTITY_DEFAULT, from->columns_n);

        for (uint16_t i = 0; i < from->columns_n; i++) {
                relation_set_column(r, i, from->columns[i].name, from->columns[i].type,
                        from->columns[i].modifier, !whole && t->to.is_key[i]);
                relation_set_native(r, i, from->columns[i].native);
        }
        return r;
}

static int one_pass(struct repair *r, struct verify_task *task, struct pass *pass, struct error *e)
{
        uint64_t after = 0;
        int n;

        do {
                if (halt_check(r->verify->halt, e) < 0)
                        return -1;
        } while ((n = one_batch(r, task, &after, pass, e)) > 0);
        return n;
}

/* What was refused is tried again: it is counted then. */
static void forget_left(struct repair *r, const char *table)
{
        for (int i = cJSON_GetArraySize(r->items) - 1; i >= 0; i--) {
                cJSON *item = cJSON_GetArrayItem(r->items, i);
                const char *of = cJSON_GetStringValue(cJSON_GetObjectItem(item, "table"));
                const char *result = cJSON_GetStringValue(cJSON_GetObjectItem(item, "result"));

                if ((!table || !strcmp(of, table)) && strcmp(result, "equal") != 0 &&
                        strcmp(result, "repaired") != 0)
                        cJSON_DeleteItemFromArray(r->items, i);
        }
}

/* A unique value may belong to a row that was mended later, in another batch. */
static int all_passes(struct repair *r, struct verify_task *task, struct error *e)
{
        AUTO_STRING table = memory_printf("%s.%s", task->at.schema, task->at.name);
        uint64_t refused = r->refused, undecided = r->undecided;
        struct pass pass = {0};

        for (unsigned i = 0; i < PASSES_MAX; i++) {
                pass = (struct pass){0};
                if (one_pass(r, task, &pass, e) < 0)
                        return -1;
                if (pass.taken == 0 || pass.repaired == 0)
                        break;
                forget_left(r, table);
                r->refused = refused;
                r->undecided = undecided;
        }
        return 0;
}

static int repair_table(struct repair *r, struct verify_task *task, struct error *e)
{
        int rc;

        r->worker.task = task;
        r->by_key = found_by(&task->table, false);
        r->whole = found_by(&task->table, true);
        verify_hand_init(&r->worker.hand, &task->table);
        rc = all_passes(r, task, e);
        verify_hand_done(&r->worker.hand);
        r->by_key = relation_unref(r->by_key);
        r->whole = relation_unref(r->whole);
        if (rc < 0) {
                error_context(e, "repairing %s.%s", task->at.schema, task->at.name);
                snprintf(e->table, sizeof e->table, "%s.%s", task->at.schema, task->at.name);
        }
        return rc;
}

static int repair_tables(struct repair *r, struct verify *v, struct error *e)
{
        int rc = verify_side_open(&r->worker.from, v->config, false, v->halt, e);

        if (rc == 0)
                rc = verify_side_open(&r->worker.to, v->config, true, v->halt, e);
        for (unsigned i = 0; rc == 0 && i < v->tasks_n; i++)
                if (v->tasks[i].at.phase != PHASE_OVER)
                        rc = repair_table(r, &v->tasks[i], e);
        verify_side_close(&r->worker.from);
        verify_side_close(&r->worker.to);
        return rc;
}

/* A second attempt counts anew what the first has not done. */
int repair_run(struct repair *r, struct verify *v, struct error *e)
{
        int rc;

        r->verify = v;
        r->worker = (struct verify_worker){.verify = v};
        r->refused = r->undecided = r->planned = 0;
        forget_left(r, NULL);
        rc = repair_tables(r, v, e);
        if (rc == 0 && !r->dry_run)
                log_event(r->refused + r->undecided ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, LOG_PLAIN,
                        NULL,
                        "repair: %" PRIu64 " rows mended, %" PRIu64 " were equal, %" PRIu64
                        " refused, %" PRIu64 " undecided",
                        r->repaired, r->equal, r->refused, r->undecided);
        return rc;
}
