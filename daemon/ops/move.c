/* From two ends to the decision: resume the stream, finish a copy, or begin one. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/destination_ddl.h"
#include "ops/move_private.h"

#include <stdlib.h>
#include <string.h>

static int open_ends(struct move *m, struct error *e)
{
        const struct config *c = m->p->config;

        m->from = origin_ops_of(c->source.kind);
        m->to = destination_ops_of(c->target.kind);
        if (!m->from || !m->to)
                return error_set(e, ERROR_CONFIG, "this kind of database is not built yet");
        m->policy = config_convert_policy(c);
        if (!(m->origin = m->from->open(c, m->p->halt, e)) ||
                !(m->destination = m->to->open(c, m->p->halt, e)))
                return -1;
        m->p->result->source_version = m->from->version(m->origin);
        if (m->to->from)
                m->to->from(
                        m->destination, m->from->engine(m->origin), m->p->result->source_version);
        m->p->result->target_version = m->to->version(m->destination);
        m->p->result->from = m->from->engine(m->origin);
        m->p->result->to = m->to->engine(m->destination);
        m->p->result->policy = m->policy;
        return 0;
}

bool move_is_as_it_is(const struct move *m)
{
        return m->p->result->from == ENGINE_POSTGRESQL && m->p->result->to == ENGINE_POSTGRESQL;
}

/* A target without culvert's tables is not touched before the checks have passed. */
static int check_first_use(struct move *m, struct error *e)
{
        int format = m->to->format(m->destination, e);

        if (format <= 0)
                return format;
        return move_read_tables(m, e) < 0 || move_look_at_target(m, true, e) < 0 ||
                               move_check(m, e) < 0
                       ? -1
                       : 0;
}

static int claim(struct move *m, struct error *e)
{
        struct prepare *p = m->p;

        if (m->to->claim(m->destination, &p->stored, p->stored_source, e) != 0 ||
                m->to->read_record(m->destination, &p->record, e) < 0 ||
                !(p->known = m->to->read_tables(m->destination, e)))
                return error_context(e, "target");
        return 0;
}

/* HAZARDS B4: the snapshots died with the daemon, so what was loaded of them cannot be added to. */
static int undo_interrupted(struct move *m, struct error *e)
{
        struct prepare *p = m->p;
        bool loaded = p->record.stage > STAGE_STARTING;

        if (p->record.stage == STAGE_NONE)
                return 0;
        if (identity_check(&p->record.source, &p->identity, e) < 0)
                return -1;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                loaded ? "the copy was interrupted: its snapshot is gone with the daemon, so it "
                         "begins again with emptied target tables"
                       : "the copy was interrupted before it loaded a row: it begins again");
        return loaded ? move_empty_loaded(m, e) : 0;
}

/* What `finish` of the destination makes true: the stream may begin. */
static int end_copy(struct move *m, const char *said, struct error *e)
{
        if (m->to->begin(m->destination, e) < 0 ||
                m->to->finish(m->destination, &m->p->record, e) < 0 ||
                m->to->commit(m->destination, e) < 0)
                return error_context(e, "target");
        m->p->record.stage = STAGE_DONE;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL, "%s", said);
        return 0;
}

int move_set_counter(void *context, const struct table_def *t, const char *column, const char *next,
        struct error *e)
{
        struct move *m = context;
        const struct destined *d = &m->destined[t - m->tables->items];
        const char *name = route_column(d->route, column);

        return name ? m->to->set_counter(m->destination, d, name, next, e) : 0;
}

static int analyze(struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->tables->n; i++) {
                const struct route_table *r = m->destined[i].route;

                if (halt_check(m->p->halt, e) < 0 ||
                        m->to->analyze(m->destination, r->schema, r->name, e) < 0)
                        return -1;
        }
        return 0;
}

static int finish(struct move *m, struct error *e)
{
        prepare_phase(m->p, "indexes", true);
        if (destination_follow(m->to, m->destination, m->destined, m->tables->n, m->p->halt, e) < 0)
                return error_context(e, "target");
        prepare_phase(m->p, "sequences", true);
        if (m->from->counters(m->origin, m->tables, move_set_counter, m, e) < 0 ||
                analyze(m, e) < 0)
                return -1;
        return end_copy(m, "the copy is complete", e);
}

int move_point(struct move *m, unsigned readers, struct error *e)
{
        struct copy_record *r = &m->p->record;

        free(r->gtids);
        r->gtids = NULL;
        if (m->from->point(m->origin, m->tables, readers, &r->start, e) < 0)
                return -1;
        return m->from->gtids ? m->from->gtids(m->origin, r->start, &r->gtids, e) : 0;
}

static int begin_none(struct move *m, struct error *e)
{
        if (move_point(m, 0, e) < 0)
                return error_context(e, "source");
        if (move_check_same(m, e) < 0)
                return -1;
        for (unsigned i = 0; i < m->p->counters_n; i++)
                atomic_store(&m->p->counters[i].state, TABLE_COPIED);
        return end_copy(m, "nothing is copied (snapshot.mode = none)", e);
}

static int begin(struct move *m, struct error *e)
{
        struct prepare *p = m->p;
        bool none = p->config->snapshot.mode == SNAPSHOT_NONE;
        bool begun = p->record.stage != STAGE_NONE;

        if (p->config->snapshot.mode == SNAPSHOT_TRICKLE)
                return error_set(e, ERROR_CONFIG, "snapshot.mode = trickle is not built yet");
        if (move_read_tables(m, e) < 0 || undo_interrupted(m, e) < 0 ||
                move_look_at_target(m, true, e) < 0 || move_check(m, e) < 0)
                return -1;
        if (m->from->arrange(m->origin, m->tables, begun, e) < 0)
                return error_context(e, "source");
        move_set_counters(m);
        free(p->record.mode);
        p->record.mode = memory_string(none ? "none" : "bulk");
        p->record.source = p->identity;
        p->record.start = POSITION_NONE;
        memory_free_string(&p->record.gtids); /* those of a copy that was interrupted */
        if (move_take_published(m, true, e) < 0 || (none && move_read_marks(m, e) < 0) ||
                move_write_records(m, STAGE_STARTING, e) < 0)
                return -1;
        if (none)
                return begin_none(m, e);
        return move_load(m, e) < 0 ? -1 : finish(m, e);
}

/* All rows are in: indexes and so on remain. */
static int go_on(struct move *m, struct error *e)
{
        struct prepare *p = m->p;

        if (identity_check(&p->record.source, &p->identity, e) < 0 || move_read_tables(m, e) < 0 ||
                move_look_at_target(m, false, e) < 0 || move_check_loaded(m, e) < 0)
                return -1;
        m->went_on = true;
        log_event(LOG_LEVEL_INFO, LOG_COPY, NULL,
                "the copy was interrupted after all rows were in: going on with indexes and "
                "constraints");
        move_set_counters(m);
        return finish(m, e);
}

static int copy(struct move *m, struct error *e)
{
        switch (m->p->record.stage) {
        case STAGE_DONE:
                return error_set(e, ERROR_DATA,
                        "resync required: the copy is done, but culvert.checkpoint on the target "
                        "has no position");
        case STAGE_LOADED:
                return go_on(m, e);
        default:
                return begin(m, e);
        }
}

/* What a start that copied hands to the stream. */
static int fill_result(struct move *m, struct error *e)
{
        struct prepare_result *r = m->p->result;
        unsigned n = m->tables ? m->tables->n : 0;

        r->start = m->p->record.start;
        r->shapes = memory_new((n + 1) * sizeof(*r->shapes));
        r->targets = memory_new((n + 1) * sizeof(*r->targets));
        r->begin = memory_new((n + 1) * sizeof *r->begin);
        for (unsigned i = 0; i < n; i++) {
                const struct table_record *k = table_records_find(
                        m->p->known, m->tables->items[i].schema, m->tables->items[i].name);

                r->shapes[i] = relation_ref(m->tables->items[i].shape);
                if (m->targets[i] && !move_is_as_it_is(m))
                        r->targets[i] = relation_ref(m->targets[i]);
                r->begin[i] = m->begins ? m->begins[i] : k ? k->start : POSITION_NONE;
        }
        r->shapes_n = n;
        r->marks = m->marks;
        m->marks = NULL;
        return move_cascades(m, m->went_on, e);
}

static int copy_first(struct move *m, struct error *e)
{
        return copy(m, e) < 0 ? -1 : fill_result(m, e);
}

static int run(struct move *m, struct error *e)
{
        struct prepare *p = m->p;
        int rc;

        if (open_ends(m, e) < 0 || check_first_use(m, e) < 0 || claim(m, e) < 0)
                return -1;
        if (m->from->identity(m->origin, &p->identity, e) < 0)
                return error_context(e, "source");
        p->result->identity = p->identity;
        rc = position_is_none(p->stored) ? copy_first(m, e) : move_resume(m, e);
        p->result->published = memory_string(p->record.published);
        return rc;
}

int move_run(struct prepare *p, struct error *e)
{
        struct move m = {.p = p};
        int rc = run(&m, e);

        move_forget_tables(&m);
        free(m.only);
        if (m.from)
                m.from->close(m.origin);
        if (m.to)
                m.to->close(m.destination);
        return rc;
}
