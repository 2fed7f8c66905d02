/*
 * The copy: each thread has a reader on the source and a loader on the target, and takes table
 * after table. A table is one transaction on the target. Where the source cannot let sessions share
 * a snapshot, each reader stands at a position of its own; the stream begins at the first of them,
 * and changes of a table that lie before its reader's position are in its copy (flow/route.h,
 * route_begin). Tables that foreign keys tie together are then copied by one reader
 * (ops/cascade_plan.h).
 */
#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "flow/threshold.h"
#include "ops/crew.h"
#include "ops/destination_ddl.h"
#include "ops/move_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEEP_EVERY (10 * SECOND)
#define COUNT_EVERY 1000            /* rows after which the counters are brought up to date */
#define ARENA_MAX ((size_t)1 << 20) /* of converted values, before it is begun anew */

struct worker {
        struct move *move;
        struct origin_reader *reader;
        struct loader *loader;
        struct arena *arena;
        /* Of the table, where its rows may be set aside (on_conflict = quarantine). */
        struct relation *source; /* NULL: they may not */
        struct threshold threshold;
};

static int64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

int move_map(struct move *m, struct error *e)
{
        m->mappings = memory_new((m->tables->n + 1) * sizeof *m->mappings);
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct table_def *t = &m->tables->items[i];
                const struct mapping_ends ends = {.from = m->from->engine(m->origin),
                        .to = m->to->engine(m->destination),
                        .policy = m->policy,
                        .known = t->shape,
                        .target = m->targets[i]};

                if (mapping_init(&m->mappings[i], m->destined[i].route, t->shape, &ends, e) < 0)
                        return error_context(e, "table %s.%s", t->schema, t->name);
        }
        return 0;
}

/* Too many, as in the stream; there is nothing to pause here. */
static int count_aside(struct worker *w, bool aside, struct error *e)
{
        const struct config *c = w->move->p->config;

        threshold_add(&w->threshold, 1, aside);
        if (!aside || !threshold_passed(&w->threshold, config_error_threshold(c)))
                return 0;
        return error_set(e, ERROR_DATA,
                "%" PRIu64
                " of the last %d rows have values without a place on the target, which is "
                "more than apply.error_threshold (%s)",
                w->threshold.quarantined, THRESHOLD_ROWS, c->apply.error_threshold);
}

/* A value without a place: the row waits as an insert of the stream would. 0: it does; 1: it is on
 * the target. */
static int put_or_set_aside(
        struct worker *w, unsigned i, const struct mapping *map, struct value *row, struct error *e)
{
        struct move *m = w->move;
        struct misfit *x = NULL;
        struct change c = {.op = CHANGE_INSERT, .relation = map->target};

        c.new = mapping_row_partly(map, w->arena, row, MISFIT_NEW, &x);
        if (count_aside(w, x != NULL, e) < 0)
                return -1;
        if (!x)
                return m->to->row(w->loader, c.new, e) < 0 ? -1 : 1;
        x->from = m->from->engine(m->origin);
        x->source = w->source;
        x->new = row;
        c.misfit = x;
        return m->to->set_aside(w->loader, &c, m->begins[i], e) < 0 ? -1 : 0;
}

/* 1: it is on the target; 0: it is not wanted there, or set aside; -1. */
static int put_row(struct worker *w, unsigned i, struct value *row, struct filter_value *scratch,
        struct error *e)
{
        const struct mapping *map = &w->move->mappings[i];
        const struct table_def *t = &w->move->tables->items[i];
        int wanted = mapping_passes(map, row, scratch, e);
        const struct value *mapped;

        if (wanted <= 0)
                return wanted;
        if (arena_bytes(w->arena) > ARENA_MAX) {
                arena_free(w->arena);
                w->arena = arena_new();
        }
        if (w->source) {
                if ((wanted = put_or_set_aside(w, i, map, row, e)) < 0)
                        row_blame(t->shape, row, e);
                return wanted;
        }
        if (!(mapped = mapping_row(map, w->arena, row, e))) {
                row_blame(t->shape, row, e);
                return -1;
        }
        return w->move->to->row(w->loader, mapped, e) < 0 ? -1 : 1;
}

static int check_halts(const struct move *m, struct error *e)
{
        return halt_check(m->p->halt, e) < 0 ? -1 : halt_check(m->crew, e);
}

static int pump(struct worker *w, unsigned i, uint64_t *rows, struct error *e)
{
        struct move *m = w->move;
        const struct table_def *t = &m->tables->items[i];
        const struct mapping *map = &m->mappings[i];
        struct value *row = memory_new((t->shape->columns_n + 1u) * sizeof *row);
        struct filter_value *scratch = memory_new((mapping_scratch(map) + 1) * sizeof *scratch);
        uint64_t told = 0;
        int rc;

        while ((rc = m->from->next(w->reader, row, e)) > 0) {
                if ((rc = put_row(w, i, row, scratch, e)) < 0)
                        break;
                *rows += (uint64_t)rc;
                if (*rows - told >= COUNT_EVERY) {
                        atomic_fetch_add(&m->p->counters[i].rows, *rows - told);
                        told = *rows;
                        if ((rc = check_halts(m, e)) < 0)
                                break;
                }
        }
        atomic_fetch_add(&m->p->counters[i].rows, *rows - told);
        free(row);
        free(scratch);
        return rc;
}

static bool is_set_aside(struct worker *w, const struct mapping *map, struct value *row)
{
        struct misfit *x = NULL;

        if (w->source)
                mapping_row_partly(map, w->arena, row, MISFIT_NEW, &x);
        return x != NULL;
}

/* The target has refused a row and told its number: it is read once more, for its key. */
static void name_row(struct worker *w, unsigned i, struct error *e)
{
        struct move *m = w->move;
        const struct table_def *t = &m->tables->items[i];
        const struct mapping *map = &m->mappings[i];
        struct value *row = memory_new((t->shape->columns_n + 1u) * sizeof *row);
        struct filter_value *scratch = memory_new((mapping_scratch(map) + 1) * sizeof *scratch);
        uint64_t left = m->to->refused(w->loader);
        struct error ignored = ERROR_INIT;

        if (left && m->from->read(w->reader, t, &ignored) == 0)
                while (left && m->from->next(w->reader, row, &ignored) > 0)
                        if (mapping_passes(map, row, scratch, &ignored) > 0 &&
                                !is_set_aside(w, map, row) && --left == 0)
                                row_blame(t->shape, row, e);
        free(row);
        free(scratch);
}

/* One that is added is not done before its indexes are there and the stream has come to it. */
static const char *state_loaded(const struct move *m, unsigned i)
{
        if (m->append[i])
                return "appended";
        return m->only ? "copying" : "copied";
}

/* Where all values are what they are, the target alone refuses any; and it refuses all at once. */
static int begin_aside(struct worker *w, unsigned i, struct error *e)
{
        struct move *m = w->move;
        const struct mapping *map = &m->mappings[i];
        const struct relation *shape = m->tables->items[i].shape;

        w->source = relation_unref(w->source);
        threshold_clear(&w->threshold);
        if (m->destined[i].route->on_conflict != CONFLICT_QUARANTINE || !map->convert ||
                !m->to->may_set_aside)
                return 0;
        w->source = mapping_source_shape(shape, shape);
        return m->to->may_set_aside(w->loader, map->target, e);
}

static int copy_table(struct worker *w, unsigned i, struct error *e)
{
        struct move *m = w->move;
        const struct table_def *t = &m->tables->items[i];
        uint64_t rows = 0;

        m->begins[i] = m->from->position(w->reader);
        atomic_store(&m->p->counters[i].state, TABLE_COPYING);
        if (begin_aside(w, i, e) < 0 || m->from->read(w->reader, t, e) < 0 ||
                m->to->load(w->loader, m->mappings[i].target, e) < 0 || pump(w, i, &rows, e) < 0 ||
                m->to->loaded(w->loader, t->schema, t->name, state_loaded(m, i), rows, m->begins[i],
                        e) < 0) {
                if (e->class == ERROR_DATA && !*e->key)
                        name_row(w, i, e);
                error_context(e, "copy of %s.%s", t->schema, t->name);
                snprintf(e->table, sizeof e->table, "%s.%s", t->schema, t->name);
                return -1;
        }
        atomic_store(&m->p->counters[i].state, TABLE_COPIED);
        return 0;
}

static int copy_tables(struct worker *w, struct error *e)
{
        struct move *m = w->move;
        unsigned at;

        while ((at = atomic_fetch_add(&m->next, 1)) < m->units_n)
                for (unsigned i = m->units[at]; i < m->units[at + 1]; i++)
                        if (check_halts(m, e) < 0 || copy_table(w, m->order[i], e) < 0)
                                return -1;
        return 0;
}

static int work(void *context, unsigned number, struct error *e)
{
        struct move *m = context;
        struct worker w = {.move = m,
                .reader = m->from->reader(m->origin, number),
                .loader = m->to->loader(m->destination, e)};
        int rc = -1;

        if (w.loader) {
                w.arena = arena_new();
                rc = copy_tables(&w, e);
                w.arena = arena_free(w.arena);
                relation_unref(w.source);
        }
        m->to->unload(w.loader);
        return rc;
}

/* A sign of life on connections that only hold something. */
static int tick(void *context, struct error *e)
{
        struct move *m = context;
        int64_t t = now();

        if (t - m->kept < KEEP_EVERY)
                return 0;
        m->kept = t;
        return m->from->keep(m->origin, e) < 0 ? error_context(e, "source") : 0;
}

static int empty_targets(struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct route_table *r = m->destined[i].route;

                if (m->p->config->tables.existing == EXISTING_TRUNCATE && m->targets[i] &&
                        m->to->empty(m->destination, r->schema, r->name, e) < 0)
                        return error_context(e, "target");
        }
        return 0;
}

int move_read_verbatim(struct move *m, struct error *e)
{
        bool same = m->from->engine(m->origin) == m->to->engine(m->destination);

        for (unsigned i = 0; same && m->from->verbatim && i < m->tables->n; i++)
                if (m->destined[i].create &&
                        m->from->verbatim(m->origin, &m->tables->items[i], e) < 0)
                        return -1;
        return 0;
}

static int make_tables(struct move *m, struct error *e)
{
        AUTO_BUF left = BUF_INIT;
        const char *line, *end;

        prepare_phase(m->p, "schema", true);
        if (move_read_verbatim(m, e) < 0)
                return error_context(e, "source");
        if (destination_create(
                    m->to, m->destination, m->destined, m->tables->n, m->p->halt, &left, e) < 0)
                return error_context(e, "target");
        if (m->from->left(m->origin, m->tables, &left, e) < 0)
                return error_context(e, "source");
        for (line = buf_text(&left); *line; line = *end ? end + 1 : end) {
                end = strchrnul(line, '\n');
                log_warning("not carried: %.*s", (int)(end - line), line);
        }
        return move_look_at_target(m, false, e) < 0 ? -1 : move_map(m, e);
}

static int record_loaded(struct move *m, struct error *e)
{
        m->p->record.stage = STAGE_LOADED;
        if (m->to->begin(m->destination, e) < 0 ||
                m->to->write_record(m->destination, &m->p->record, e) < 0)
                return error_context(e, "target");
        return m->to->commit(m->destination, e);
}

static int load_rows(struct move *m, unsigned readers, struct error *e)
{
        int rc;

        prepare_phase(m->p, "rows", true);
        move_set_order(m, readers);
        free(m->begins);
        m->begins = memory_new((m->tables->n + 1) * sizeof *m->begins);
        m->kept = now();
        pthread_mutex_lock(&m->p->lock);
        m->p->copy_began = m->kept;
        pthread_mutex_unlock(&m->p->lock);
        rc = crew_run(readers, work, tick, m, m->crew, e);
        m->from->release(m->origin);
        return rc;
}

int move_load(struct move *m, struct error *e)
{
        struct prepare *p = m->p;
        unsigned readers = (unsigned)p->config->snapshot.workers;
        char text[POSITION_TEXT];

        m->crew = p->halt;
        if (readers > m->tables->n)
                readers = m->tables->n ? m->tables->n : 1;
        prepare_phase(p, "snapshot", true);
        if (move_point(m, readers, e) < 0)
                return error_context(e, "source");
        log_event(LOG_LEVEL_INFO, LOG_COPY,
                &(struct log_fields){.position = position_format(p->record.start, text)},
                "the stream will begin at %s", text);
        if (move_check_same(m, e) < 0 || move_read_marks(m, e) < 0 ||
                move_write_records(m, STAGE_COPYING, e) < 0 || empty_targets(m, e) < 0 ||
                make_tables(m, e) < 0 || load_rows(m, readers, e) < 0)
                return -1;
        return record_loaded(m, e);
}

static int load_added(struct move *m, unsigned readers, struct error *e)
{
        if (empty_targets(m, e) < 0 || make_tables(m, e) < 0 || load_rows(m, readers, e) < 0)
                return -1;
        prepare_phase(m->p, "indexes", true);
        if (destination_index(m->to, m->destination, m->destined, m->tables->n, m->p->halt, e) < 0)
                return error_context(e, "target");
        return 0;
}

/* One that fails ends the others' work, but not the connections: the stream goes on without. */
int move_load_added(struct move *m, unsigned readers, struct error *e)
{
        int rc;

        m->crew = halt_new();
        rc = load_added(m, readers, e);
        if (halt_asked(m->crew))
                halt_wait(m->crew, 1000);
        m->crew = halt_free(m->crew);
        return rc;
}
