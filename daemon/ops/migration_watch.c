/* What the watcher sees while the stream runs: a source that changed behind it, and new tables. */
#include "base/log.h"
#include "base/memory.h"
#include "ops/migration_private.h"

#include <stdlib.h>

/* What the target has begun to apply gets this long before it is read again. */
#define YIELD_GRACE (10 * SECOND)

/* Changes are not in the stream, as of a table that has left the publication. The watcher goes with
 * the next start. */
static void on_watcher_failed(void *context, const struct error *e)
{
        struct migration *m = context;

        if (!m->streaming || m->shutdown_done)
                return;
        if (e->class != ERROR_DATA) { /* a password that was changed, say: the stream itself runs */
                log_failure(LOG_LEVEL_WARNING, LOG_PLAIN, e, "the source cannot be looked at");
                return;
        }
        pipeline_stop(m->pipeline);
        migration_stop_with(m, e);
}

static bool is_known_fresh(const struct migration *m, const struct route_table *t)
{
        for (unsigned i = 0; i < m->fresh_n; i++)
                if (m->fresh[i] == t)
                        return true;
        return false;
}

static void set_fresh(struct migration *m, const struct route_table *const *tables, unsigned n)
{
        free(m->fresh);
        m->fresh = memory_copy(tables, n * sizeof(*tables));
        m->fresh_n = n;
        migration_changed(m);
}

static void on_yielded(void *context)
{
        struct migration *m = context;

        m->yielding = m->streaming = false;
        migration_start_prepare(m);
}

/* The stream must stand while tables are added. */
void migration_yield(void *context)
{
        struct migration *m = context;

        if (!m->streaming || m->yielding || m->shutdown_done)
                return;
        if (migration_is_repairing(m) || (m->turn && !turn_is_over(m->turn)))
                return; /* the watcher will see them again */
        m->yielding = true;
        pipeline_shutdown(m->pipeline, YIELD_GRACE, on_yielded, m);
}

static void on_fresh(void *context, const struct route_table *const *tables, unsigned n)
{
        struct migration *m = context;

        for (unsigned i = 0; !m->add && i < n; i++)
                if (!is_known_fresh(m, tables[i]))
                        log_warning("table %s.%s is new: it is not migrated until culvertctl %s "
                                    "reload",
                                tables[i]->source_schema, tables[i]->source_name,
                                m->forward->pipeline.name);
        set_fresh(m, tables, n);
        if (n == 0)
                m->add = false;
        else if (m->add && !m->joining && !m->saved.paused)
                loop_defer(m->loop, &m->again);
}

void migration_watch(struct migration *m, const struct prepare_result *r)
{
        static const struct watcher_events events = {on_watcher_failed, on_fresh};
        struct watched watched = {.shapes = r->shapes,
                .marks = r->marks,
                .n = r->shapes_n,
                .published = r->published,
                .joining = r->joining,
                .joining_n = r->joining_n};

        set_fresh(m, r->fresh, r->fresh_n);
        m->watcher = watcher_free(m->watcher);
        m->watcher = watcher_new(m->loop, m->config, m->route, &watched, &events, m);
        if (m->add)
                watcher_look(m->watcher);
}
