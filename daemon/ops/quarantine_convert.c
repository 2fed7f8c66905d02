#include "ops/quarantine_convert.h"
#include "base/memory.h"
#include "flow/mapping.h"
#include "model/engine.h"
#include "ops/destination.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

struct quarantine_converter {
        const struct config *config;
        struct route *route;
        struct halt *halt;
        const struct destination_ops *ops;
        struct destination *target; /* NULL: not connected */
        /* Of the last row: rows of one table have mostly one shape. */
        struct relation *shape; /* NULL: there is no mapping */
        int from;
        struct mapping map;
};

struct quarantine_converter *quarantine_convert_new(
        const struct config *c, struct route *r, struct halt *h)
{
        struct quarantine_converter *q = memory_new_of(struct quarantine_converter);

        q->config = c;
        q->route = r;
        q->halt = h;
        q->ops = destination_ops_of(c->target.kind);
        return q;
}

static void forget_mapping(struct quarantine_converter *q)
{
        mapping_done(&q->map);
        q->shape = relation_unref(q->shape);
}

struct quarantine_converter *quarantine_convert_free(struct quarantine_converter *q)
{
        if (!q)
                return NULL;
        forget_mapping(q);
        q->ops->close(q->target);
        free(q);
        return NULL;
}

/* ---- the mapping ---- */

/* As the catalogue has it. 1: it is not there. */
static int look_up(struct quarantine_converter *q, const struct route_table *t,
        struct relation **target, struct error *e)
{
        bool rows = false;
        int there;

        if (!q->target && !(q->target = q->ops->open(q->config, q->halt, e)))
                return -1;
        there = q->ops->table(q->target, t->schema, t->name, target, &rows, e);
        if (there != 0)
                return there < 0 ? -1 : 0;
        error_set(e, ERROR_CONFIG, "table %s.%s is not there on the target", t->schema, t->name);
        return 1;
}

static int map_table(struct quarantine_converter *q, const struct relation *shape,
        const struct route_table *t, struct error *e)
{
        struct mapping_ends ends = {.from = (enum engine)q->from,
                .policy = config_convert_policy(q->config),
                .known = shape};
        struct relation *target = NULL;
        int rc = look_up(q, t, &target, e);

        if (rc == 0) {
                ends.to = q->ops->engine(q->target);
                ends.target = target;
                rc = mapping_init(&q->map, t, shape, &ends, e) < 0 ? 1 : 0;
        }
        relation_unref(target);
        if (rc == 0)
                q->shape = relation_ref(shape);
        else
                mapping_done(&q->map);
        return rc;
}

static int choose_mapping(struct quarantine_converter *q, const struct quarantine_row *row,
        const struct relation *shape, struct error *e)
{
        const struct route_table *t = route_find(q->route, shape->schema, shape->name);
        int from = engine_of(row->source);

        if (q->shape == shape && q->from == from)
                return 0;
        forget_mapping(q);
        q->from = from;
        if (from < 0) {
                error_set(e, ERROR_DATA, "a row in the form of '%.20s', which is no known source",
                        row->source);
                return 1;
        }
        if (t)
                return map_table(q, shape, t, e);
        error_set(e, ERROR_CONFIG, "table %s.%s is not migrated any more", shape->schema,
                shape->name);
        return 1;
}

/* ---- the row ---- */

/* Is a value missing that is written, or one by which the row is found? */
static bool is_needed(const struct misfit *x, const struct relation *r, const cJSON *key)
{
        for (uint16_t i = 0; i < r->columns_n; i++)
                if ((x->at[i] & MISFIT_NEW) ||
                        (x->at[i] && cJSON_GetObjectItemCaseSensitive(key, r->columns[i].name)))
                        return true;
        return false;
}

static int convert_change(struct quarantine_converter *q, const struct quarantine_row *row,
        struct txn *piece, struct error *e)
{
        struct change *c = piece->changes;
        struct misfit *x = NULL;
        cJSON *key = NULL;
        bool needed;

        c->old = mapping_row_partly(&q->map, piece->arena, c->old, MISFIT_OLD, &x);
        c->new = mapping_row_partly(&q->map, piece->arena, c->new, MISFIT_NEW, &x);
        c->relation = q->map.target;
        txn_hold(piece, q->map.target);
        if (!x)
                return 0;
        key = cJSON_Parse(row->key);
        needed = is_needed(x, c->relation, key);
        cJSON_Delete(key);
        if (!needed)
                return 0;
        error_set(e, ERROR_DATA, "%s", x->message);
        return 1;
}

int quarantine_convert(struct quarantine_converter *q, const struct quarantine_row *row,
        struct txn *piece, struct error *e)
{
        int rc = choose_mapping(q, row, piece->changes->relation, e);

        return rc == 0 ? convert_change(q, row, piece, e) : rc;
}
