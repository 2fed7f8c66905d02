#include "flow/route_private.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <stdlib.h>
#include <string.h>

struct entry {
        struct entry *next, *next_by_target;
        struct route_table table;
};

unsigned route_bucket(const char *schema, const char *name)
{
        unsigned h = 5381;

        for (; *schema; schema++)
                h = h * 33 + (unsigned char)*schema;
        for (; *name; name++)
                h = h * 33 + (unsigned char)*name;
        return h % BUCKETS;
}

struct route *route_new(const struct config *c)
{
        struct route *r = memory_new_of(struct route);

        r->config = c;
        pthread_mutex_init(&r->lock, NULL);
        return r;
}

static void entry_free(struct entry *n)
{
        free(n->table.source_schema);
        free(n->table.source_name);
        free(n->table.schema);
        free(n->table.name);
        free(n);
}

void route_expect_none(struct route *r)
{
        for (unsigned i = 0; i < BUCKETS; i++) {
                for (struct expected *x = r->expected[i], *next; x; x = next) {
                        next = x->next_entry;
                        relation_unref(x->shape);
                        relation_unref(x->next);
                        relation_unref(x->target);
                        free(x);
                }
                r->expected[i] = NULL;
        }
}

struct route *route_free(struct route *r)
{
        if (!r)
                return NULL;
        for (unsigned i = 0; i < BUCKETS; i++)
                for (struct entry *n = r->entries[i], *next; n; n = next) {
                        next = n->next;
                        entry_free(n);
                }
        route_expect_none(r);
        relation_unref(r->refused);
        cascades_unref(r->cascades);
        pthread_mutex_destroy(&r->lock);
        free(r);
        return NULL;
}

static struct entry *entry_new(const struct config *c, const char *schema, const char *name)
{
        const struct config_table *o = config_table_of(c, schema, name);
        struct entry *n = memory_new_of(struct entry);
        struct route_table *t = &n->table;

        t->source_schema = memory_string(schema);
        t->source_name = memory_string(name);
        t->schema = memory_string(o && o->to_schema ? o->to_schema : config_schema_of(c, schema));
        t->name = memory_string(o && o->to_name ? o->to_name : name);
        t->options = o;
        t->on_conflict = o ? o->on_conflict : CONFLICT_STOP;
        return n;
}

struct route_table *route_table_of(struct route *r, const char *schema, const char *name)
{
        unsigned b = route_bucket(schema, name);
        struct entry *n;

        if (!config_selects(r->config, schema, name))
                return NULL;
        pthread_mutex_lock(&r->lock);
        for (n = r->entries[b]; n; n = n->next)
                if (!strcmp(n->table.source_name, name) && !strcmp(n->table.source_schema, schema))
                        break;
        if (!n) {
                n = entry_new(r->config, schema, name);
                n->next = r->entries[b];
                r->entries[b] = n;
                b = route_bucket(n->table.schema, n->table.name);
                n->next_by_target = r->by_target[b];
                r->by_target[b] = n;
        }
        pthread_mutex_unlock(&r->lock);
        return &n->table;
}

struct route_table *route_to(struct route *r, const char *schema, const char *name)
{
        struct entry *n;

        pthread_mutex_lock(&r->lock);
        for (n = r->by_target[route_bucket(schema, name)]; n; n = n->next_by_target)
                if (!strcmp(n->table.name, name) && !strcmp(n->table.schema, schema))
                        break;
        pthread_mutex_unlock(&r->lock);
        return n ? &n->table : NULL;
}

const struct route_table *route_find(struct route *r, const char *schema, const char *name)
{
        return route_table_of(r, schema, name);
}

const char *route_column(const struct route_table *t, const char *source_column)
{
        const struct config_table *o = t->options;

        if (!o)
                return source_column;
        for (unsigned i = 0; i < o->columns_exclude.n; i++)
                if (!strcmp(o->columns_exclude.items[i], source_column))
                        return NULL;
        for (unsigned i = 0; i < o->renames_n; i++)
                if (!strcmp(o->renames[i].from, source_column))
                        return o->renames[i].to;
        return source_column;
}

bool route_is_renamed(const struct route_table *t)
{
        return strcmp(t->schema, t->source_schema) != 0 || strcmp(t->name, t->source_name) != 0 ||
               (t->options && (t->options->columns_exclude.n || t->options->renames_n));
}

int route_no_column(
        const struct route_table *t, const char *option, const char *column, struct error *e)
{
        return error_set(e, ERROR_CONFIG, "[table %s.%s] %s: there is no column '%s'",
                t->source_schema, t->source_name, option, column);
}

static int check_options(
        const struct route_table *t, const struct relation *source, struct error *e)
{
        const struct config_table *o = t->options;

        for (unsigned i = 0; o && i < o->columns_exclude.n; i++) {
                int at = relation_column(source, o->columns_exclude.items[i]);

                if (at < 0)
                        return route_no_column(
                                t, "columns.exclude", o->columns_exclude.items[i], e);
                if (source->columns[at].key && source->identity != IDENTITY_FULL)
                        return error_set(e, ERROR_CONFIG,
                                "[table %s.%s] columns.exclude: '%s' is part of the replica "
                                "identity, without it rows cannot be found on the target",
                                t->source_schema, t->source_name, source->columns[at].name);
        }
        for (unsigned i = 0; o && i < o->renames_n; i++)
                if (relation_column(source, o->renames[i].from) < 0)
                        return route_no_column(t, "column.*.to", o->renames[i].from, e);
        return 0;
}

struct relation *route_target_shape(
        const struct route_table *t, const struct relation *source, struct error *e)
{
        struct relation *target;
        uint16_t n = 0;

        if (check_options(t, source, e) < 0)
                return NULL;
        target = relation_new(source->id, t->schema, t->name, source->identity, source->columns_n);
        for (uint16_t i = 0; i < source->columns_n; i++) {
                const struct column *c = &source->columns[i];
                const char *name = route_column(t, c->name);

                if (!name)
                        continue;
                target->columns_n = n; /* those that have a name by now */
                if (relation_column(target, name) >= 0) {
                        error_set(e, ERROR_CONFIG, "[table %s.%s] two columns become '%s'",
                                t->source_schema, t->source_name, name);
                        return relation_unref(target);
                }
                relation_set_column(target, n++, name, c->type, c->modifier, c->key);
        }
        target->columns_n = n;
        return target;
}

void route_keep(struct relation **place, const struct relation *r)
{
        struct relation *old = *place;

        *place = r ? relation_ref(r) : NULL;
        relation_unref(old);
}

/* Sources without ids tell their tables by name. */
static unsigned place_bucket(const struct relation *shape)
{
        return shape->id ? shape->id % BUCKETS : route_bucket(shape->schema, shape->name);
}

bool route_is_named(const struct expected *x, const char *schema, const char *name)
{
        return !strcmp(x->shape->name, name) && !strcmp(x->shape->schema, schema);
}

static bool is_of(const struct expected *x, const struct relation *shape)
{
        return x->shape->id == shape->id &&
               (shape->id || route_is_named(x, shape->schema, shape->name));
}

static struct expected **place_of(struct route *r, const struct relation *shape)
{
        struct expected **at = &r->expected[place_bucket(shape)];

        while (*at && !is_of(*at, shape))
                at = &(*at)->next_entry;
        return at;
}

void route_expect(struct route *r, const struct relation *shape, const struct relation *next)
{
        struct expected **at = place_of(r, shape);

        if (!*at)
                *at = memory_new_of(struct expected);
        r->ids |= shape->id != 0;
        route_keep(&(*at)->shape, shape);
        route_keep(&(*at)->next, next);
        (*at)->from = POSITION_NONE;
}

void route_engines(
        struct route *r, enum engine from, enum engine to, const struct convert_policy *policy)
{
        r->ends = (struct mapping_ends){.from = from, .to = to, .policy = *policy};
}

void route_cascades(struct route *r, const struct cascades *c)
{
        struct cascades *old = r->cascades;

        r->cascades = cascades_ref(c);
        cascades_unref(old);
}

void route_target(struct route *r, const struct relation *shape, const struct relation *target)
{
        struct expected *known = *place_of(r, shape);

        if (known)
                route_keep(&known->target, target);
}

void route_begin(struct route *r, const struct relation *shape, struct position from)
{
        struct expected *known = *place_of(r, shape);

        if (known)
                known->from = from;
}

const struct relation *route_refused(const struct route *r)
{
        return r->refused;
}

void route_forget_refused(struct route *r)
{
        route_keep(&r->refused, NULL);
}

const struct expected *route_expected(const struct route *r, const struct relation *shape)
{
        for (struct expected *x = r->expected[place_bucket(shape)]; x; x = x->next_entry)
                if (is_of(x, shape))
                        return x;
        for (unsigned i = 0; shape->id && i < BUCKETS; i++) /* dropped and made again */
                for (struct expected *x = r->expected[i]; x; x = x->next_entry)
                        if (route_is_named(x, shape->schema, shape->name))
                                return x;
        return NULL;
}
