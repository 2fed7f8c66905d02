#include "ops/quarantine.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/thread.h"
#include "ops/json.h"
#include "ops/quarantine_convert.h"
#include "ops/quarantine_store.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK 200           /* changes read at once, and in one transaction */
#define LIST_MAX 1000       /* items of a list */
#define LIST_KEYS (1 << 20) /* bytes of their keys */
#define LOCK_TRIES 100      /* the sink's session may live a little longer than its connection */

struct quarantine_job {
        struct loop *loop;
        struct route *route;
        struct quarantine_request request;
        void (*done)(void *context, struct quarantine_result *result);
        void *context;
        struct quarantine_result result;
        struct halt *halt;
        pthread_t thread;
        bool threaded;
        struct quarantine_store store;
        struct quarantine_converter *convert;
        struct quarantine staying; /* rows of which something stays */
        uint64_t after;            /* the last one that was read */
        cJSON *items;
        size_t keys;
};

/* ---- which changes ---- */

static int compare_ids(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static bool is_named(const struct quarantine_request *q, uint64_t id)
{
        return q->ids_n == 0 || bsearch(&id, q->ids, q->ids_n, sizeof *q->ids, compare_ids);
}

static bool is_wanted(const struct quarantine_job *j, const struct quarantine_row *row)
{
        const struct quarantine_request *q = &j->request;

        if (q->table && (strcmp(q->table, row->table) != 0 || strcmp(q->schema, row->schema) != 0))
                return false;
        return is_named(q, row->id);
}

int quarantine_ids(const char *text, struct quarantine_request *q, struct error *e)
{
        const char *at = text;
        char *end;

        q->ids = memory_new(QUARANTINE_IDS_MAX * sizeof *q->ids);
        do {
                errno = 0;
                if (q->ids_n == QUARANTINE_IDS_MAX)
                        return error_set(e, ERROR_CONFIG, "more than %d IDs", QUARANTINE_IDS_MAX);
                q->ids[q->ids_n] = strtoull(at, &end, 10);
                if (*at < '0' || *at > '9' || errno || q->ids[q->ids_n] == 0 ||
                        q->ids[q->ids_n] > INT64_MAX || (*end && *end != ','))
                        return error_set(
                                e, ERROR_CONFIG, "an ID is a number from 1 on, not '%.40s'", at);
                q->ids_n++;
                at = end + 1;
        } while (*end);
        qsort(q->ids, q->ids_n, sizeof *q->ids, compare_ids);
        return 0;
}

void quarantine_request_done(struct quarantine_request *q)
{
        free(q->schema);
        free(q->table);
        free(q->ids);
        *q = (struct quarantine_request){0};
}

/* ---- list ---- */

static void text_or_null(cJSON *o, const char *key, const char *text)
{
        json_text(o, key, *text ? text : NULL);
}

static void add_names(const struct quarantine_job *j, cJSON *o, const struct quarantine_row *row)
{
        const struct route_table *t = route_to(j->route, row->schema, row->table);
        AUTO_STRING target = memory_printf("%s.%s", row->schema, row->table);
        AUTO_STRING source = t ? memory_printf("%s.%s", t->source_schema, t->source_name) : NULL;

        json_text(o, "table", source ? source : target);
        json_text(o, "target", target);
}

static int list_row(void *context, const struct quarantine_row *row, struct error *e)
{
        struct quarantine_job *j = context;
        cJSON *o, *key;

        (void)e;
        j->after = row->id;
        if (!is_wanted(j, row))
                return 0;
        j->result.done++;
        if (cJSON_GetArraySize(j->items) >= LIST_MAX || j->keys > LIST_KEYS)
                return 0;
        o = cJSON_CreateObject();
        key = cJSON_Parse(row->key);
        json_count(o, "id", row->id);
        add_names(j, o, row);
        json_text(o, "operation", row->operation);
        cJSON_AddItemToObject(o, "key", key ? key : cJSON_CreateNull());
        text_or_null(o, "position", row->position);
        text_or_null(o, "committed_at", row->committed);
        text_or_null(o, "quarantined_at", row->quarantined);
        text_or_null(o, "tried_at", row->tried);
        json_count(o, "attempts", row->attempts);
        text_or_null(o, "code", row->code);
        json_text(o, "message", row->message);
        cJSON_AddItemToArray(j->items, o);
        j->keys += strlen(row->key);
        return 0;
}

static int list(struct quarantine_job *j, struct error *e)
{
        int n;

        j->result.body = json_object();
        j->items = cJSON_AddArrayToObject(j->result.body, "items");
        while ((n = j->store.ops->read(&j->store, j->after, CHUNK, list_row, j, e)) == CHUNK)
                ;
        json_count(j->result.body, "changes", j->result.done);
        json_bool(j->result.body, "items_truncated",
                j->result.done > (uint64_t)cJSON_GetArraySize(j->items));
        return n < 0 ? -1 : 0;
}

/* ---- retry and discard ---- */

static bool is_behind(const struct quarantine_job *j, const struct quarantine_row *row)
{
        for (unsigned i = 0; i < row->rows_n; i++)
                if (quarantine_has(&j->staying, row->rows[i]))
                        return true;
        return false;
}

static int stays(struct quarantine_job *j, const struct quarantine_row *row, struct error *e)
{
        for (unsigned i = 0; i < row->rows_n; i++)
                if (quarantine_add(&j->staying, (struct quarantine_key){1, row->rows[i]}, e) < 0)
                        return -1;
        return 0;
}

/* Changes of one table have mostly one shape. */
static int take_shape(struct quarantine_store *s, const char *text, struct error *e)
{
        if (s->shape_text && !strcmp(s->shape_text, text))
                return 0;
        relation_unref(s->shape);
        free(s->shape_text);
        s->shape_text = NULL;
        if (!(s->shape = relation_from_text(text)))
                return error_set(e, ERROR_DATA, "the shape of a table is no such text");
        s->shape_text = memory_string(text);
        return 0;
}

static int apply(struct quarantine_job *j, const struct quarantine_row *row, struct error *e)
{
        struct quarantine_store *s = &j->store;
        struct quarantine_text text = {row->operation, row->old, row->new, row->old_full};
        struct txn *piece;
        int result;

        if (take_shape(s, row->shape, e) < 0)
                return -1;
        if (!(piece = quarantine_change(s->shape, &text, e)))
                return -1;
        result = row->source ? quarantine_convert(j->convert, row, piece, e) : 0;
        if (result == 0)
                result = s->ops->apply(s, piece->changes, e);
        txn_free(piece);
        return result;
}

static int refused(struct quarantine_job *j, const struct quarantine_row *row,
        const struct error *why, struct error *e)
{
        if (j->result.refused++ == 0) {
                j->result.error = *why;
                error_context(&j->result.error, "change %" PRIu64 " of %s.%s", row->id, row->schema,
                        row->table);
        }
        return j->store.ops->tried(&j->store, row->id, why, e) < 0 ? -1 : stays(j, row, e);
}

static int retry_row(void *context, const struct quarantine_row *row, struct error *e)
{
        struct quarantine_job *j = context;
        struct error why = ERROR_INIT;
        int result;

        j->after = row->id;
        if (halt_check(j->halt, e) < 0)
                return -1;
        if (!is_wanted(j, row))
                return stays(j, row, e);
        if (is_behind(j, row)) {
                j->result.left++;
                return stays(j, row, e);
        }
        result = apply(j, row, &why);
        if (result == 1)
                return refused(j, row, &why, e);
        if (result == 0 && j->store.ops->remove(&j->store, row->id, &why) == 0) {
                j->result.done++;
                return 0;
        }
        *e = why;
        return error_context(e, "change %" PRIu64 " of %s.%s", row->id, row->schema, row->table);
}

static int discard_row(void *context, const struct quarantine_row *row, struct error *e)
{
        struct quarantine_job *j = context;

        j->after = row->id;
        if (!is_wanted(j, row))
                return 0;
        j->result.done++;
        return j->store.ops->remove(&j->store, row->id, e);
}

/* Does not count what is rolled back. */
static int run_chunk(struct quarantine_job *j, quarantine_each *each, struct error *e)
{
        struct quarantine_result before = j->result;
        struct error ignored = ERROR_INIT;
        int n = j->store.ops->begin(&j->store, e);

        if (n == 0)
                n = j->store.ops->read(&j->store, j->after, CHUNK, each, j, e);
        if (n >= 0 && j->store.ops->end(&j->store, true, e) == 0)
                return n;
        j->store.ops->end(&j->store, false, &ignored);
        j->result = before;
        return -1;
}

static int see_row(void *context, const struct quarantine_row *row, struct error *e)
{
        struct quarantine_job *j = context;
        struct quarantine_request *q = &j->request;

        (void)e;
        j->after = row->id;
        /* both are sorted: those before it that were not seen by now are not there */
        while (q->seen < q->ids_n && q->ids[q->seen] <= row->id) {
                if ((q->ids[q->seen] < row->id || !is_wanted(j, row)) && !j->result.missing)
                        j->result.missing = q->ids[q->seen];
                q->seen++;
        }
        return 0;
}

/* All that were named must be there. */
static int look_for_ids(struct quarantine_job *j, struct error *e)
{
        struct quarantine_request *q = &j->request;
        int n;

        if (q->ids_n == 0)
                return 0;
        while ((n = j->store.ops->read(&j->store, j->after, CHUNK, see_row, j, e)) == CHUNK)
                ;
        if (n >= 0 && q->seen < q->ids_n && !j->result.missing)
                j->result.missing = q->ids[q->seen];
        j->after = 0;
        return n < 0 ? -1 : 0;
}

static int take(struct quarantine_job *j, struct error *e)
{
        const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
        int taken;

        for (int i = 0; (taken = j->store.ops->take(&j->store, e)) == 1 && i < LOCK_TRIES; i++) {
                nanosleep(&pause, NULL);
                if (halt_check(j->halt, e) < 0)
                        return -1;
        }
        return taken == 0 ? 0 : -1;
}

static int write_all(struct quarantine_job *j, quarantine_each *each, struct error *e)
{
        int n;

        if (look_for_ids(j, e) < 0)
                return -1;
        if (j->result.missing)
                return 0;
        if (take(j, e) < 0)
                return -1;
        while ((n = run_chunk(j, each, e)) == CHUNK)
                ;
        if (n < 0)
                return -1;
        j->result.changes = j->store.ops->count(&j->store, e);
        return j->result.changes < 0 ? -1 : 0;
}

/* ---- the job ---- */

static int work(struct quarantine_job *j, struct error *e)
{
        if (j->store.ops->connect(&j->store, e) < 0)
                return -1;
        switch (j->request.action) {
        case QUARANTINE_LIST:
                return list(j, e);
        case QUARANTINE_RETRY:
                return write_all(j, retry_row, e);
        default:
                return write_all(j, discard_row, e);
        }
}

static void report(void *context)
{
        struct quarantine_job *j = context;

        if (j->threaded)
                pthread_join(j->thread, NULL);
        j->threaded = false;
        j->done(j->context, &j->result);
}

static void *run(void *context)
{
        struct quarantine_job *j = context;
        struct error e = ERROR_INIT;

        if (work(j, &e) < 0) {
                j->result.failed = true;
                j->result.error = e;
        }
        j->convert = quarantine_convert_free(j->convert);
        j->store.ops->close(&j->store);
        loop_post(j->loop, report, j);
        return NULL;
}

static void start(struct quarantine_job *j)
{
        j->threaded = thread_start(&j->thread, run, j);
        if (j->threaded)
                return;
        j->result.failed = true;
        error_set(&j->result.error, ERROR_RETRY, "no thread could be started");
        loop_post(j->loop, report, j);
}

struct quarantine_job *quarantine_job_new(struct loop *l, const struct config *c, struct route *r,
        struct quarantine_request *request,
        void (*done)(void *context, struct quarantine_result *result), void *context)
{
        struct quarantine_job *j = memory_new_of(struct quarantine_job);

        j->loop = l;
        j->route = r;
        j->request = *request;
        *request = (struct quarantine_request){0};
        j->done = done;
        j->context = context;
        j->halt = halt_new();
        j->result.changes = -1;
        j->staying.max = SIZE_MAX;
        j->store = (struct quarantine_store){
                .ops = config_is_mysql(c->target.kind) ? &my_quarantine_ops : &pg_quarantine_ops,
                .halt = j->halt,
                .config = c};
        j->convert = quarantine_convert_new(c, r, j->halt);
        start(j);
        return j;
}

struct quarantine_job *quarantine_job_free(struct quarantine_job *j)
{
        if (!j)
                return NULL;
        halt_ask(j->halt);
        if (j->threaded)
                pthread_join(j->thread, NULL);
        loop_unpost(j->loop, j);
        relation_unref(j->store.shape);
        free(j->store.shape_text);
        quarantine_convert_free(j->convert);
        quarantine_clear(&j->staying);
        quarantine_request_done(&j->request);
        cJSON_Delete(j->result.body);
        halt_free(j->halt);
        free(j);
        return NULL;
}
