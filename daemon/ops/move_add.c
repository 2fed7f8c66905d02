/*
 * Tables that came after the start, as ops/prepare_add.c has it between two PostgreSQL servers:
 *
 *   1. While the stream stands, their rows are copied as of one position P of the source's log
 *      (ops/origin.h, add), and indexes are built.
 *   2. "joining": the stream goes on up to P without them. What the log has of them before P, rows
 *      and DDL, is in the copy, and nobody looks at it.
 *   3. At P the target is in all its tables what the source was: foreign keys can be made and
 *      counters set. The stream begins anew there, with them.
 *
 * culvert.tables has the step of each table: "waiting" or "append" before its rows are in,
 * "copying" or "appended" (existing = append) after that, "joining", "copied". A start takes up
 * what was interrupted before "joining" by emptying it; a failure leaves the tables "refused" and
 * the others as they were, and does not keep the stream.
 */
#include "base/log.h"
#include "base/memory.h"
#include "ops/destination_ddl.h"
#include "ops/move_private.h"

#include <stdlib.h>
#include <string.h>

static bool is_in(const struct table_record *k, const char *state)
{
        return k && !strcmp(k->state, state);
}

static bool was_interrupted(const struct table_record *k)
{
        return is_in(k, "waiting") || is_in(k, "append") || is_in(k, "copying") ||
               is_in(k, "appended");
}

static struct table_record *record_of(const struct move *m, const struct table_def *t)
{
        return table_records_find(m->p->known, t->schema, t->name);
}

static int reread(struct move *m, struct error *e)
{
        table_records_free(m->p->known);
        m->p->known = m->to->read_tables(m->destination, e);
        return m->p->known ? 0 : error_context(e, "target");
}

/* In a transaction. */
static int set_state(struct move *m, struct table_record *k, const char *state, struct error *e)
{
        free(k->state);
        k->state = memory_string(state);
        return m->to->write_table(m->destination, k, e);
}

/* ---- step 3 ---- */

static bool is_joining(const struct move *m, const struct table_record *k)
{
        return is_in(k, "joining") && route_find(m->p->route, k->schema, k->name);
}

static int set_counter(void *context, const struct table_def *t, const char *column,
        const char *next, struct error *e)
{
        struct move *m = context;

        return is_joining(m, record_of(m, t)) ? move_set_counter(m, t, column, next, e) : 0;
}

/* Its name, keys and columns are those of all tables, but only these are made. */
static int refer(struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct table_record *k = record_of(m, &m->tables->items[i]);

                m->destined[i].create = is_joining(m, k) && k->created;
        }
        if (move_read_verbatim(m, e) < 0)
                return error_context(e, "source");
        return destination_refer(m->to, m->destination, m->destined, m->tables->n, m->p->halt, e);
}

static int analyze(struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct route_table *r = m->destined[i].route;

                if (is_joining(m, record_of(m, &m->tables->items[i])) &&
                        m->to->analyze(m->destination, r->schema, r->name, e) < 0)
                        return -1;
        }
        return 0;
}

static int finish_joining(struct move *m, struct error *e)
{
        if (refer(m, e) < 0) {
                if (e->class == ERROR_RETRY || halt_asked(m->p->halt))
                        return -1;
                log_error("foreign keys of the added tables are missing on the target: %s",
                        e->message);
                error_clear(e);
        }
        if (m->p->config->snapshot.mode == SNAPSHOT_NONE)
                return 0;
        return m->from->counters(m->origin, m->tables, set_counter, m, e) < 0 ? -1 : analyze(m, e);
}

static int record_joined(struct move *m, struct error *e)
{
        struct table_records *known = m->p->known;

        if (m->to->begin(m->destination, e) < 0)
                return error_context(e, "target");
        for (unsigned i = 0; i < known->n; i++) {
                struct table_record *k = &known->items[i];

                if (!is_joining(m, k))
                        continue;
                if (set_state(m, k, "copied", e) < 0)
                        return error_context(e, "target");
                log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "table %s.%s is part of the stream now",
                        k->schema, k->name);
        }
        return m->to->commit(m->destination, e);
}

/* They are no part of the stream yet, and not new either. */
static void say_joining(struct move *m, struct position until)
{
        struct table_records *known = m->p->known;
        struct prepare_result *r = m->p->result;

        r->until = until;
        r->joining = memory_new((known->n + 1) * sizeof(*r->joining));
        for (unsigned i = 0; i < known->n; i++)
                if (is_joining(m, &known->items[i]))
                        r->joining[r->joining_n++] = relation_ref(known->items[i].shape);
}

int move_join(struct move *m, struct error *e)
{
        struct position start = POSITION_NONE;

        for (unsigned i = 0; i < m->p->known->n; i++)
                if (is_joining(m, &m->p->known->items[i]))
                        start = position_max(start, m->p->known->items[i].start);
        if (position_is_none(start))
                return 0;
        if (position_compare(m->p->stored, start) < 0) {
                say_joining(m, start);
                return 0;
        }
        return finish_joining(m, e) < 0 ? -1 : record_joined(m, e);
}

/* ---- step 1 ---- */

static int write_waiting(struct move *m, struct error *e)
{
        if (m->to->begin(m->destination, e) < 0)
                return error_context(e, "target");
        for (unsigned i = 0; i < m->tables->n; i++)
                if (move_write_table(m, i, e) < 0)
                        return error_context(e, "target");
        return m->to->commit(m->destination, e);
}

/* With the mark of how they come into the log, in one commit: it is of these tables, too. */
static int write_joining(struct move *m, struct position start, struct error *e)
{
        int published;

        if (reread(m, e) < 0 || (published = move_take_published(m, true, e)) < 0 ||
                m->to->begin(m->destination, e) < 0)
                return -1;
        if (published && m->to->write_record(m->destination, &m->p->record, e) < 0)
                return error_context(e, "target");
        for (unsigned i = 0; i < m->tables->n; i++) {
                struct table_record *k = record_of(m, &m->tables->items[i]);

                if (!k)
                        return error_set(e, ERROR_BUG, "the row in culvert.tables is gone");
                k->start = start;
                if (set_state(m, k, "joining", e) < 0)
                        return error_context(e, "target");
        }
        return m->to->commit(m->destination, e);
}

static int add_to_stream(struct move *m, struct position start, struct error *e)
{
        struct copy_record *r = &m->p->record;
        char *published = memory_string(r->published), text[POSITION_TEXT];

        if (write_joining(m, start, e) < 0) {
                free(r->published);
                r->published = published;
                return -1;
        }
        free(published);
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                "%u tables are copied as of %s; the stream comes there first, then they join it",
                m->tables->n, position_format(start, text));
        return 0;
}

static void copy_counter(struct copy_counter *to, const struct copy_counter *from)
{
        to->route = from->route;
        to->estimated = from->estimated;
        atomic_store(&to->state, atomic_load(&from->state));
        atomic_store(&to->rows, atomic_load(&from->rows));
}

/* Those of m->tables, as the copy needs them, then those that are shown already. */
static void show_counters(struct move *m)
{
        unsigned n = m->tables->n, others = m->p->counters_n;
        struct copy_counter *all = memory_new((n + others + 1) * sizeof *all);

        for (unsigned i = 0; i < n; i++) {
                const struct table_def *t = &m->tables->items[i];

                all[i].route = m->destined[i].route;
                all[i].estimated = t->rows < 0 ? -1 : (int64_t)t->rows;
                atomic_store(&all[i].state, TABLE_WAITING);
        }
        for (unsigned i = 0; i < others; i++)
                copy_counter(&all[n + i], &m->p->counters[i]);
        prepare_show_counters(m->p, all, n + others);
}

static int copy_added(struct move *m, struct error *e)
{
        bool none = m->p->config->snapshot.mode == SNAPSHOT_NONE;
        unsigned readers = none ? 0 : (unsigned)m->p->config->snapshot.workers;
        struct position start;

        m->p->checked = false;
        if (move_read_only(m, e) < 0 || move_empty_loaded(m, e) < 0 ||
                move_look_at_target(m, true, e) < 0 || move_check(m, e) < 0)
                return -1;
        if (m->tables->n == 0)
                return 0;
        show_counters(m);
        if (readers > m->tables->n)
                readers = m->tables->n;
        prepare_phase(m->p, "snapshot", true);
        if (none && move_read_marks(m, e) < 0)
                return -1;
        if (m->from->add(m->origin, m->tables, &readers, &start, e) < 0)
                return error_context(e, "source");
        if (move_check_same(m, e) < 0 || (!none && move_read_marks(m, e) < 0) ||
                write_waiting(m, e) < 0 || (!none && move_load_added(m, readers, e) < 0) ||
                add_to_stream(m, start, e) < 0)
                return -1;
        say_joining(m, start);
        return 0;
}

/* ---- when that fails ---- */

static int take_back(struct move *m, struct error *e)
{
        if (reread(m, e) < 0)
                return -1;
        for (unsigned i = 0; i < m->p->known->n; i++) {
                struct table_record *k = &m->p->known->items[i];

                /* of those with rows of their own nobody knows which are ours */
                if (!was_interrupted(k) || is_in(k, "appended"))
                        continue;
                if (is_in(k, "copying") &&
                        m->to->empty(m->destination, k->target_schema, k->target_name, e) < 0)
                        return error_context(e, "target");
                if (m->to->begin(m->destination, e) < 0 || set_state(m, k, "refused", e) < 0 ||
                        m->to->commit(m->destination, e) < 0)
                        return error_context(e, "target");
        }
        return 0;
}

/* The stream goes on without them, if both servers answer. */
static int give_up(struct move *m, struct error *e)
{
        struct error why = *e;

        error_clear(e);
        m->from->release(m->origin);
        m->to->rollback(m->destination);
        if (halt_check(m->p->halt, e) < 0 || m->from->keep(m->origin, e) < 0)
                return -1;
        if (take_back(m, e) < 0) {
                if (e->class == ERROR_RETRY)
                        return -1;
                m->to->rollback(m->destination);
                log_error(
                        "the target keeps rows of tables that could not be added: %s", e->message);
                error_clear(e);
        }
        log_error("new tables could not be added, and the others go on without them: %s; "
                  "culvertctl %s reload tries again",
                why.message, m->p->config->pipeline.name);
        m->p->result->refused = memory_string(why.message);
        return 0;
}

/* ---- which ---- */

static bool is_fresh(const struct move *m, const struct table_def *t)
{
        const struct table_record *k = record_of(m, t);

        return !is_in(k, "copied") && !is_in(k, "joining");
}

/* Tables that move, for the progress. */
static void show_moving(struct move *m)
{
        struct copy_counter *all = memory_new((m->tables->n + 1) * sizeof *all);
        unsigned n = 0;

        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct table_def *t = &m->tables->items[i];

                if (is_fresh(m, t))
                        continue;
                all[n].route = m->destined[i].route;
                all[n].estimated = t->rows < 0 ? -1 : (int64_t)t->rows;
                atomic_store(&all[n].state, TABLE_COPIED);
                atomic_store(&all[n++].rows, record_of(m, t)->rows);
        }
        prepare_show_counters(m->p, all, n);
}

static void say_fresh(struct move *m, unsigned i)
{
        const struct table_def *t = &m->tables->items[i];
        struct prepare_result *r = m->p->result;

        r->fresh[r->fresh_n++] = m->destined[i].route;
        log_warning("table %s.%s is new: it is not migrated until culvertctl %s reload", t->schema,
                t->name, m->p->config->pipeline.name);
}

/* Without a `reload` only what was interrupted is taken up again; and nothing while others are
 * still joining. */
static void choose(struct move *m)
{
        bool wait = !position_is_none(m->p->result->until);

        m->only = memory_new((m->tables->n + 1) * sizeof(*m->only));
        m->p->result->fresh = memory_new((m->tables->n + 1) * sizeof(*m->p->result->fresh));
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct table_def *t = &m->tables->items[i];

                if (!is_fresh(m, t))
                        continue;
                if (!wait && (m->p->add || was_interrupted(record_of(m, t))))
                        m->only[m->only_n++] = m->destined[i].route;
                else
                        say_fresh(m, i);
        }
}

/* What could not be added is new still. */
static void say_again(struct move *m)
{
        struct prepare_result *r = m->p->result;

        r->fresh = memory_grow(r->fresh, (r->fresh_n + m->only_n + 1) * sizeof(*r->fresh));
        for (unsigned i = 0; i < m->only_n; i++)
                r->fresh[r->fresh_n++] = m->only[i];
}

int move_add(struct move *m, struct error *e)
{
        int rc;

        show_moving(m);
        choose(m);
        if (m->only_n == 0)
                return 0;
        rc = copy_added(m, e);
        if (rc == 0)
                return 0;
        if (give_up(m, e) < 0)
                return -1;
        say_again(m);
        if (move_read_tables(m, e) < 0)
                return -1;
        show_moving(m);
        return 0;
}
