/* The copy itself, and what follows the load. */
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "ops/crew.h"
#include "ops/pg_sequences.h"
#include "ops/prepare_private.h"

#include <stdlib.h>
#include <string.h>

#define LEFT_LINES 50

static void say(const char *text)
{
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "%s", text);
}

static void say_left(const struct pg_schema *s)
{
        unsigned n = pg_schema_left_n(s);

        for (unsigned i = 0; i < n && i < LEFT_LINES; i++)
                log_warning("not carried: %s", pg_schema_left(s, i));
        if (n > LEFT_LINES)
                log_warning("not carried: %u more; `culvertctl plan` lists them", n - LEFT_LINES);
}

/* The tables that culvert creates, as a list that borrows from p->tables. One that has its own
 * names by now is finished. */
static struct pg_tables created_tables(const struct prepare *p)
{
        struct pg_tables t = {.items = memory_new((p->tables->n + 1) * sizeof *t.items)};

        for (unsigned i = 0; i < p->tables->n; i++) {
                const struct pg_table_info *x = &p->tables->items[i];
                bool renamed = route_is_renamed(route_find(p->route, x->schema, x->name));

                if (p->targets[i].created && (p->staged[i] || !renamed))
                        t.items[t.n++] = *x;
        }
        return t;
}

int prepare_open_schema(struct prepare *p, struct error *e)
{
        struct pg_tables create = created_tables(p);
        const char *snapshot = p->anchor ? p->snapshot : NULL;
        int rc = 0;

        if (create.n > 0) {
                rc = file_make_dir(p->config->pipeline.state_dir, e);
                if (rc == 0)
                        p->schema = pg_schema_new(p->config, p->source, p->target, &create,
                                snapshot, p->config->pipeline.state_dir, halt_flag(p->halt), e);
                if (!p->schema)
                        rc = -1;
        }
        free(create.items);
        return rc;
}

static int make_tables(struct prepare *p, struct error *e)
{
        prepare_phase(p, "schema", false);
        if (prepare_open_schema(p, e) < 0)
                return -1;
        if (!p->schema)
                return 0;
        say("creating missing tables on the target");
        if (pg_schema_pre_data(p->schema, e) < 0 || prepare_trim_staged(p, e) < 0)
                return -1;
        say_left(p->schema);
        return 0;
}

/* existing = truncate. */
static int empty_tables(struct prepare *p, struct error *e)
{
        AUTO_BUF list = BUF_INIT;
        bool any = false;

        if (p->config->tables.existing != EXISTING_TRUNCATE)
                return 0;
        for (unsigned i = 0; i < p->tables->n; i++) {
                const char *schema, *name;

                if (!p->targets[i].exists)
                        continue;
                any |= p->targets[i].rows;
                prepare_where(p, i, &schema, &name);
                buf_str(&list, list.len ? ", " : "");
                pg_table(&list, schema, name);
        }
        return any ? prepare_truncate(p, buf_text(&list), e) : 0;
}

static void set_copy(struct prepare *p, struct copy *c)
{
        pthread_mutex_lock(&p->lock);
        p->copy = c;
        pthread_mutex_unlock(&p->lock);
}

static int copy_rows(struct prepare *p, struct error *e)
{
        struct copy_options o = {.config = p->config,
                .route = p->route,
                .halt = p->halt,
                .source = p->source_params,
                .target = p->target_params,
                .anchor = p->anchor,
                .control = p->target,
                .snapshot = p->snapshot,
                .seen = p->record.snapshot,
                .lock_sql = p->lock_sql,
                .epoch = p->book.epoch,
                .replica_role = p->replica_role,
                .tables = p->tables,
                .append = p->append,
                .staged = p->staged,
                .counters = p->counters};
        struct copy *c = copy_new(&o, e);
        int rc;

        if (!c)
                return -1;
        set_copy(p, c);
        prepare_phase(p, "rows", true);
        rc = copy_run(c, e);
        set_copy(p, NULL);
        copy_free(c);
        return rc;
}

/* A synchronous commit: everything that the workers committed before it is durable with it. */
static int record_loaded(struct prepare *p, struct error *e)
{
        p->record.stage = STAGE_LOADED;
        if (copy_book_begin(&p->book, e) < 0 || copy_record_write(&p->book, &p->record, e) < 0)
                return -1;
        return copy_book_commit(&p->book, e);
}

int prepare_load_rows(struct prepare *p, struct error *e)
{
        prepare_set_counters(p);
        if (make_tables(p, e) < 0 || empty_tables(p, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "copying the rows of %u tables", p->tables->n);
        return copy_rows(p, e);
}

int prepare_load(struct prepare *p, struct error *e)
{
        if (prepare_load_rows(p, e) < 0 || record_loaded(p, e) < 0)
                return -1;
        /* The source's vacuum need not wait for us any longer. */
        halt_close(p->halt, &p->anchor);
        return 0;
}

static int make_indexes(struct prepare *p, bool references, struct error *e)
{
        prepare_phase(p, "indexes", true);
        if (!p->schema && prepare_open_schema(p, e) < 0)
                return -1;
        if (!p->schema)
                return 0;
        if (!references)
                pg_schema_hold_references(p->schema);
        say("all rows are in; building indexes and constraints");
        return pg_schema_post_data(p->schema, (unsigned)p->config->snapshot.workers, e);
}

static int carry_sequences(struct prepare *p, struct error *e)
{
        AUTO_BUF missing = BUF_INIT;
        int n;

        prepare_phase(p, "sequences", true);
        if (copy_book_begin(&p->book, e) < 0)
                return -1;
        n = pg_sequences_copy(p->source, p->target, p->config, p->route, p->tables, &missing, e);
        if (n < 0 || copy_book_commit(&p->book, e) < 0)
                return -1;
        if (missing.len)
                log_warning(
                        "the target does not have these sequences, which migrated tables use: %s",
                        buf_text(&missing));
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "%d sequences were carried", n);
        return 0;
}

int prepare_settle(struct prepare *p, struct error *e)
{
        return prepare_place(p, e) < 0 ? -1 : carry_sequences(p, e);
}

struct analyze {
        struct prepare *p;
        atomic_uint next;
};

static int analyze_tables(struct analyze *a, PGconn *c, struct error *e)
{
        struct prepare *p = a->p;
        unsigned i;

        while ((i = atomic_fetch_add(&a->next, 1)) < p->tables->n) {
                const char *schema, *name;
                AUTO_BUF sql = BUF_INIT;

                prepare_where(p, i, &schema, &name);
                buf_str(&sql, "analyze ");
                pg_table(&sql, schema, name);
                if (halt_check(p->halt, e) < 0)
                        return -1;
                if (pg_run(c, e, buf_text(&sql)) < 0)
                        return error_context(e, "target: analyze of %s.%s", schema, name);
        }
        return 0;
}

static int analyze_work(void *context, unsigned worker, struct error *e)
{
        struct analyze *a = context;
        PGconn *c = halt_connect(a->p->halt, a->p->target_params, e);
        int rc = -1;

        (void)worker;
        if (c && pg_run(c, e, "set client_min_messages = error") == 0)
                rc = analyze_tables(a, c, e);
        halt_close(a->p->halt, &c);
        return rc;
}

static int analyze_all(struct prepare *p, struct error *e)
{
        struct analyze a = {.p = p};
        unsigned n = (unsigned)p->config->snapshot.workers;

        return crew_run(n < p->tables->n ? n : p->tables->n, analyze_work, NULL, &a, p->halt, e);
}

int prepare_build(struct prepare *p, bool references, struct error *e)
{
        if (make_indexes(p, references, e) < 0 || (references && prepare_settle(p, e) < 0))
                return -1;
        return analyze_all(p, e);
}

int prepare_finish(struct prepare *p, struct error *e)
{
        if (prepare_build(p, true, e) < 0)
                return -1;
        if (copy_book_begin(&p->book, e) < 0 || copy_record_finish(&p->book, &p->record, e) < 0 ||
                copy_book_commit(&p->book, e) < 0)
                return -1;
        p->record.stage = STAGE_DONE;
        say("the copy is complete");
        return 0;
}
