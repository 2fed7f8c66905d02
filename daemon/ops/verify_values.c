#include "ops/verify_values.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/thread.h"
#include "model/row_json.h"
#include "ops/checks.h"
#include "ops/destination.h"
#include "ops/json.h"
#include "ops/origin.h"
#include "ops/repair_private.h"

#include <stdlib.h>
#include <string.h>

struct verify_values {
        struct verify verify; /* as far as reading wants it; its tasks have rows to be shown */
        void (*done)(void *context, cJSON *status, const struct error *e);
        void *context;
        cJSON *status;
        size_t bytes;
        bool truncated, failed;
        struct error error;
};

/* ---- what is shown ---- */

static struct value cut(struct arena *a, const struct value *v)
{
        struct value shown = *v;
        uint32_t n = VALUES_CUT;
        char *text;

        if (v->kind != VALUE_TEXT || v->len <= VALUES_CUT)
                return shown;
        while (n > VALUES_CUT - 4 && (v->data[n] & 0xc0) == 0x80)
                n--;
        text = arena_alloc(a, n + 4);
        memcpy(text, v->data, n);
        memcpy(text + n, "...", 4);
        return (struct value){VALUE_TEXT, n + 3, text};
}

/* The target's columns under the source's names. */
static struct relation *named(const struct verify_table *t)
{
        const struct relation *to = t->to.shape;
        struct relation *r =
                relation_new(to->id, to->schema, to->name, to->identity, to->columns_n);

        for (uint16_t i = 0; i < to->columns_n; i++)
                relation_set_column(r, i, t->from.shape->columns[t->map.source_of[i]].name,
                        to->columns[i].type, to->columns[i].modifier, false);
        return r;
}

static bool is_listed(const cJSON *columns, const char *name)
{
        const cJSON *c;

        if (cJSON_GetArraySize(columns) == 0)
                return true;
        cJSON_ArrayForEach(
                c, columns) if (cJSON_IsString(c) && !strcmp(c->valuestring, name)) return true;
        return false;
}

static cJSON *row_object(struct verify_values *x, const struct relation *r, const struct value *row,
        const cJSON *columns)
{
        struct arena *a = arena_new();
        struct value *shown = arena_zero(a, (r->columns_n + 1u) * sizeof *shown);
        bool *only = arena_zero(a, r->columns_n + 1u);
        AUTO_BUF text = BUF_INIT;
        cJSON *o;

        for (uint16_t i = 0; i < r->columns_n; i++) {
                only[i] = is_listed(columns, r->columns[i].name);
                shown[i] = cut(a, &row[i]);
        }
        row_to_json(&text, r, shown, only);
        x->bytes += text.len;
        x->truncated |= x->bytes > VALUES_BYTES;
        o = x->truncated ? NULL : cJSON_Parse(buf_text(&text));
        arena_free(a);
        return o ? o : cJSON_CreateNull();
}

static void show(struct verify_values *x, cJSON *item, const struct relation *r,
        const struct repair_row *row)
{
        const cJSON *columns = cJSON_GetObjectItemCaseSensitive(item, "columns");

        x->truncated |= row->late;
        if (x->truncated)
                return;
        cJSON_AddItemToObject(item, "source",
                row->values ? row_object(x, r, row->values, columns) : cJSON_CreateNull());
        cJSON_AddItemToObject(item, "target",
                row->there ? row_object(x, r, row->there->values, columns) : cJSON_CreateNull());
        if (row->no_place || row->end == REPAIR_REFUSED)
                json_text(item, "problem", row->why.message);
}

/* ---- rows of one table ---- */

struct shown_items {
        cJSON **items;
        unsigned n;
};

static void collect(
        struct shown_items *all, const cJSON *status, const char *list, const char *table)
{
        cJSON *items = cJSON_GetObjectItemCaseSensitive(status, list), *item;

        cJSON_ArrayForEach(item, items)
        {
                const char *of = cJSON_GetStringValue(cJSON_GetObjectItem(item, "table"));

                if (!of || strcmp(of, table) != 0)
                        continue;
                all->items = memory_grow(all->items, (all->n + 1) * sizeof(*all->items));
                all->items[all->n++] = item;
        }
}

static void add_items(struct repair_batch *b, struct verify_worker *w, const struct shown_items *s)
{
        for (unsigned i = 0; i < s->n; i++) {
                const char *kind = cJSON_GetStringValue(cJSON_GetObjectItem(s->items[i], "kind"));
                char *key = cJSON_PrintUnformatted(cJSON_GetObjectItem(s->items[i], "key"));
                struct verify_finding f = {.kind = VERIFY_UNDECIDED, .key = key, .columns = "[]"};

                if (kind)
                        f.kind = (enum verify_kind)verify_kind_of(kind);
                repair_batch_add(b, w, i, &f);
                cJSON_free(key);
        }
}

static int read_rows(struct verify_worker *w, struct repair_batch *b, struct error *e)
{
        if (repair_look(w, b, LOOK_SOURCE, e) < 0)
                return -1;
        for (unsigned i = 0; i < b->rows_n; i++)
                b->rows[i].ready = b->rows[i].end == REPAIR_OPEN;
        return repair_look(w, b, LOOK_THERE, e);
}

static int read_table(
        struct verify_values *x, struct verify_worker *w, struct verify_task *task, struct error *e)
{
        AUTO_STRING table = memory_printf("%s.%s", task->at.schema, task->at.name);
        struct relation *r = named(&task->table);
        struct shown_items s = {0};
        struct repair_batch b;
        int rc;

        collect(&s, x->status, "items", table);
        collect(&s, x->status, "undecided_items", table);
        repair_batch_init(&b, &task->table, VALUES_ROOM);
        verify_hand_init(&w->hand, &task->table);
        w->task = task;
        add_items(&b, w, &s);
        repair_batch_sort(&b);
        repair_batch_round(&b);
        rc = read_rows(w, &b, e);
        for (unsigned i = 0; rc == 0 && i < b.findings_n; i++)
                show(x, s.items[b.findings[i].id], r, &b.rows[b.findings[i].row]);
        verify_hand_done(&w->hand);
        repair_batch_done(&b);
        relation_unref(r);
        free(s.items);
        return rc < 0 ? error_context(e, "reading rows of %s", table) : 0;
}

static int read_tables(struct verify_values *x, struct error *e)
{
        struct verify *v = &x->verify;
        struct verify_worker w = {.verify = v};
        struct verify_ends ends = {.from = origin_ops_of(v->config->source.kind),
                .to = destination_ops_of(v->config->target.kind)};
        int rc = verify_look(v, &ends, e);

        if (rc == 0)
                rc = verify_worker_open(&w, e);
        for (unsigned i = 0; rc == 0 && i < v->tasks_n; i++)
                rc = read_table(x, &w, &v->tasks[i], e);
        verify_worker_close(&w);
        for (unsigned i = 0; i < v->tasks_n; i++)
                verify_table_done(&v->tasks[i].table);
        table_defs_free(ends.defs);
        ends.from->close(ends.origin);
        ends.to->close(ends.destination);
        return rc;
}

/* ---- queries ---- */

static int ask_again(
        struct verify_values *x, const struct config_check *check, cJSON *note, struct error *e)
{
        struct check_context how = {.config = x->verify.config, .halt = x->verify.halt};
        struct check_result r;
        int rc = check_run(&how, check, &r, e);

        if (rc == 0) {
                json_text(note, "source", r.source);
                json_text(note, "target", r.target);
        }
        check_result_done(&r);
        return rc;
}

static int ask_queries(struct verify_values *x, struct error *e)
{
        const struct config *c = x->verify.config;
        cJSON *note;

        cJSON_ArrayForEach(note, cJSON_GetObjectItemCaseSensitive(x->status, "notes"))
        {
                const char *kind = cJSON_GetStringValue(cJSON_GetObjectItem(note, "kind"));
                const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(note, "name"));

                for (unsigned i = 0; kind && name && i < c->checks_n; i++)
                        if (!strcmp(kind, verify_kind_name(VERIFY_CHECK)) &&
                                !strcmp(name, c->checks[i].name) &&
                                ask_again(x, &c->checks[i], note, e) < 0)
                                return -1;
        }
        return 0;
}

/* ---- the thread ---- */

static void on_done(void *context)
{
        struct verify_values *x = context;
        cJSON *status = x->status;

        x->status = NULL;
        if (x->failed) {
                cJSON_Delete(status);
                x->done(x->context, NULL, &x->error);
                return;
        }
        json_bool(status, "values_truncated", x->truncated);
        x->done(x->context, status, NULL);
}

static void *run(void *context)
{
        struct verify_values *x = context;

        x->failed = (x->verify.tasks_n > 0 && read_tables(x, &x->error) < 0) ||
                    ask_queries(x, &x->error) < 0;
        loop_post(x->verify.loop, on_done, x);
        return NULL;
}

/* The tables that have something to be shown. */
static void take_tables(struct verify_values *x, struct verify_report *r)
{
        struct verify *v = &x->verify;

        pthread_mutex_lock(&r->lock);
        v->tasks = memory_new((r->lines_n + 1) * sizeof *v->tasks);
        for (unsigned i = 0; i < r->lines_n; i++) {
                AUTO_STRING table = memory_printf("%s.%s", r->lines[i].schema, r->lines[i].name);
                struct shown_items s = {0};

                collect(&s, x->status, "items", table);
                collect(&s, x->status, "undecided_items", table);
                if (s.n > 0)
                        v->tasks[v->tasks_n++] = (struct verify_task){
                                .at = {.schema = memory_string(r->lines[i].schema),
                                        .name = memory_string(r->lines[i].name),
                                        .total = 0}};
                free(s.items);
        }
        pthread_mutex_unlock(&r->lock);
}

struct verify_values *verify_values_new(struct loop *l, const struct config *c, struct route *r,
        struct verify_report *report, cJSON *status,
        void (*done)(void *context, cJSON *status, const struct error *e), void *context)
{
        struct verify_values *x = memory_new_of(struct verify_values);
        struct verify *v = &x->verify;
        v->loop = l;
        v->config = c;
        v->route = r;
        v->halt = halt_new();
        v->request.rate = (uint64_t)c->verify.rate;
        pthread_mutex_init(&v->lock, NULL);
        pthread_cond_init(&v->told, NULL);
        x->done = done;
        x->context = context;
        x->status = status;
        take_tables(x, report);
        v->threaded = thread_start(&v->thread, run, x);
        if (v->threaded)
                return x;
        error_set(&x->error, ERROR_RETRY, "no thread could be started");
        x->failed = true;
        loop_post(l, on_done, x);
        return x;
}

struct verify_values *verify_values_free(struct verify_values *x)
{
        if (!x)
                return NULL;
        if (x->verify.threaded) {
                halt_ask(x->verify.halt);
                pthread_join(x->verify.thread, NULL);
                halt_wait(x->verify.halt, 1000);
        }
        loop_unpost(x->verify.loop, x);
        for (unsigned i = 0; i < x->verify.tasks_n; i++) {
                free(memory_unconst(x->verify.tasks[i].at.schema));
                free(memory_unconst(x->verify.tasks[i].at.name));
        }
        free(x->verify.tasks);
        halt_free(x->verify.halt);
        cJSON_Delete(x->status);
        pthread_cond_destroy(&x->verify.told);
        pthread_mutex_destroy(&x->verify.lock);
        free(x);
        return NULL;
}
