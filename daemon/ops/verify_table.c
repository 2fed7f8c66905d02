#include "ops/verify_table.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)1 << 18) /* of converted values, before it is begun anew */

/* ---- types ---- */

static struct coltype *type_of(enum engine engine, const struct column *c, struct error *e)
{
        return engine == ENGINE_POSTGRESQL ? coltype_pg(c->type, c->modifier, c->native)
                                           : coltype_my(engine, c->native ? c->native : "", e);
}

static void make_columns(struct verify_columns *c, const struct relation *shape)
{
        size_t n = shape->columns_n + 1u;

        c->shape = shape;
        c->types = memory_new(n * sizeof(*c->types));
        c->all = memory_new(n);
        c->few = memory_new(n);
        c->is_key = memory_new(n);
        c->key = memory_new(n * sizeof *c->key);
}

static int make_source(struct verify_table *t, enum engine engine, struct error *e)
{
        const struct relation *shape = t->def->shape;

        make_columns(&t->from, shape);
        t->from.schema = t->def->schema;
        t->from.name = t->def->name;
        for (uint16_t i = 0; i < t->map.target->columns_n; i++)
                t->from.all[t->map.source_of[i]] = true;
        for (unsigned i = 0; i < mapping_scratch(&t->map); i++)
                t->from.all[t->map.filter_at[i]] = t->from.few[t->map.filter_at[i]] = true;
        for (uint16_t i = 0; i < shape->columns_n; i++)
                if (!(t->from.types[i] = type_of(engine, &shape->columns[i], e)))
                        return -1;
        return 0;
}

/* The types are those of the target's catalogue, whatever the values' way there. */
static int make_target(struct verify_table *t, enum engine engine, struct error *e)
{
        struct relation *shape = t->map.target;

        make_columns(&t->to, shape);
        t->to.schema = t->route->schema;
        t->to.name = t->route->name;
        t->canon = memory_new((shape->columns_n + 1u) * sizeof(*t->canon));
        for (uint16_t i = 0; i < shape->columns_n; i++) {
                int at = relation_column(t->known, shape->columns[i].name);

                if (at < 0)
                        return error_set(e, ERROR_CONFIG,
                                "table %s.%s on the target has no column '%s'", t->to.schema,
                                t->to.name, shape->columns[i].name);
                if (!shape->columns[i].native)
                        relation_set_native(shape, i, t->known->columns[at].native);
                if (!(t->to.types[i] = type_of(engine, &t->known->columns[at], e)))
                        return -1;
                t->canon[i] = canon_new(t->to.types[i]);
                t->to.all[i] = true;
        }
        return 0;
}

/* ---- key ---- */

static int target_column(const struct verify_table *t, const char *source)
{
        int at = relation_column(t->def->shape, source);

        for (uint16_t i = 0; at >= 0 && i < t->map.target->columns_n; i++)
                if (t->map.source_of[i] == at)
                        return i;
        return -1;
}

#define FIRST_MADE                                                                                 \
        16384 /* PostgreSQL, FirstNormalObjectId: below are the types that it comes with */

/* Where the server sorts it in another way than it compares it with a text, or where two texts are
 * one value, no range of it can be asked for. Operators of types that somebody has made are not
 * found by their signs alone, since no schema is searched, or others are found. */
static bool can_walk(const struct coltype *t, uint32_t oid, bool is_enum)
{
        switch (t->class) {
        case TYPE_FLOAT:
        case TYPE_DOUBLE:
        case TYPE_SET:
        case TYPE_JSON:
        case TYPE_JSONB:
        case TYPE_GEOMETRY:
                return false;
        case TYPE_ENUM:
                return t->engine == ENGINE_POSTGRESQL;
        default:
                return t->engine != ENGINE_POSTGRESQL || oid < FIRST_MADE || is_enum;
        }
}

static bool can_walk_column(
        const struct verify_table *t, const struct def_column *d, int from, int to)
{
        const char *name = t->to.shape->columns[to].name;
        const struct column *there = &t->known->columns[relation_column(t->known, name)];
        bool is_enum = d->members_n > 0;
        bool the_same = is_enum && there->native && !strcmp(d->native, there->native);

        return can_walk(t->from.types[from], d->oid, is_enum) &&
               can_walk(t->to.types[to], there->type, the_same);
}

static bool is_usable(const struct verify_table *t, const struct def_index *x)
{
        if (!x->unique || x->what || x->columns_n == 0)
                return false;
        for (unsigned i = 0; i < x->columns_n; i++) {
                const struct def_index_column *c = &x->columns[i];
                const struct def_column *d = &t->def->columns[c->column];
                int to, from = c->expression ? -1 : relation_column(t->def->shape, d->name);

                if (from < 0 || c->prefix || (!d->not_null && !x->primary))
                        return false;
                to = target_column(t, d->name);
                if (to < 0 || !can_walk_column(t, d, from, to))
                        return false;
        }
        return true;
}

static const struct def_index *choose_index(const struct verify_table *t)
{
        for (unsigned i = 0; i < t->def->indexes_n; i++)
                if (t->def->indexes[i].primary && is_usable(t, &t->def->indexes[i]))
                        return &t->def->indexes[i];
        for (unsigned i = 0; i < t->def->indexes_n; i++)
                if (is_usable(t, &t->def->indexes[i]))
                        return &t->def->indexes[i];
        return NULL;
}

static void add_key(struct verify_columns *c, int at)
{
        c->key[c->key_n++] = (uint16_t)at;
        c->is_key[at] = c->few[at] = true;
}

/* Where the values go as they are there is nothing to turn back. */
static int make_back(struct verify_table *t, const struct mapping_ends *ends)
{
        struct convert_policy policy = ends->policy;
        struct error ignored = ERROR_INIT;

        policy.datetime_utc = true;
        t->back = memory_new((t->to.key_n + 1) * sizeof(*t->back));
        for (unsigned i = 0; t->map.convert && i < t->to.key_n; i++)
                if (convert_new(t->to.types[t->to.key[i]], t->from.types[t->from.key[i]], &policy,
                            &t->back[i], &ignored) < 0)
                        return -1;
        return 0;
}

static void choose_way(struct verify_table *t, const struct mapping_ends *ends)
{
        const struct def_index *x = choose_index(t);

        t->way = VERIFY_BAG;
        if (!x)
                return;
        t->way = VERIFY_RANGES;
        for (unsigned i = 0; i < x->columns_n; i++) {
                const char *name = t->def->columns[x->columns[i].column].name;
                int from = relation_column(t->def->shape, name), to = target_column(t, name);

                add_key(&t->from, from);
                add_key(&t->to, to);
                if (!canon_same_order(t->from.types[from], t->to.types[to]))
                        t->way = VERIFY_KEYS;
        }
        if (make_back(t, ends) < 0)
                t->way = VERIFY_BAG;
}

int verify_table_init(struct verify_table *t, const struct table_def *def,
        const struct route_table *route, struct relation *known, const struct mapping_ends *ends,
        struct error *e)
{
        *t = (struct verify_table){.route = route, .def = def, .known = known};
        if (mapping_init(&t->map, route, def->shape, ends, e) < 0 ||
                make_source(t, ends->from, e) < 0 || make_target(t, ends->to, e) < 0)
                return -1;
        choose_way(t, ends);
        return 0;
}

void verify_table_done(struct verify_table *t)
{
        for (uint16_t i = 0; t->canon && i < t->map.target->columns_n; i++)
                canon_free(t->canon[i]);
        for (unsigned i = 0; t->back && i < t->to.key_n; i++)
                convert_free(t->back[i]);
        free(t->canon);
        free(t->back);
        verify_columns_done(&t->from);
        verify_columns_done(&t->to);
        mapping_done(&t->map);
        relation_unref(t->known);
        *t = (struct verify_table){0};
}

/* ---- rows ---- */

void verify_hand_init(struct verify_hand *h, const struct verify_table *t)
{
        size_t from = t->from.shape->columns_n + 1u, to = t->to.shape->columns_n + 1u;
        size_t more = from > to ? from : to;

        *h = (struct verify_hand){
                .arena = arena_new(),
                .row = memory_new(more * sizeof *h->row),
                .mapped = memory_new(to * sizeof *h->mapped),
                .key = memory_new(to * sizeof *h->key),
                .own = memory_new(to * sizeof *h->own),
                .scratch = memory_new((mapping_scratch(&t->map) + 1) * sizeof *h->scratch),
                .columns = memory_new(to * sizeof *h->columns),
        };
}

void verify_hand_done(struct verify_hand *h)
{
        arena_free(h->arena);
        free(h->row);
        free(h->mapped);
        free(h->key);
        free(h->own);
        free(h->scratch);
        free(h->columns);
        *h = (struct verify_hand){0};
}

static void begin_row(struct verify_hand *h)
{
        if (arena_bytes(h->arena) > ARENA_MAX) {
                arena_free(h->arena);
                h->arena = arena_new();
        }
}

static void convert_column(struct verify_hand *h, const struct verify_table *t, uint16_t i)
{
        const struct convert *c = t->map.convert ? t->map.convert[i] : NULL;
        const struct value *v = &h->row[t->map.source_of[i]];

        if (!c)
                h->mapped[i] = *v;
        else if (convert_value(c, h->arena, v, &h->mapped[i], &h->ignored) < 0)
                h->mapped[i] = (struct value){.kind = VALUE_UNCHANGED};
}

/* The key as it is sent to the target comes before its canonical form. */
static void take_mapped(struct verify_hand *h, const struct verify_table *t, bool few)
{
        for (unsigned i = 0; i < t->to.key_n; i++)
                h->key[i] = h->mapped[t->to.key[i]];
        for (uint16_t i = 0; i < t->to.shape->columns_n; i++)
                if (!few || t->to.is_key[i])
                        canon_value(t->canon[i], h->arena, &h->mapped[i]);
}

int verify_take_source(
        struct verify_hand *h, const struct verify_table *t, bool few, struct error *e)
{
        int wanted = mapping_passes(&t->map, h->row, h->scratch, e);

        if (wanted <= 0)
                return wanted;
        begin_row(h);
        for (unsigned i = 0; i < t->from.key_n; i++)
                h->own[i] = h->row[t->from.key[i]];
        for (uint16_t i = 0; i < t->to.shape->columns_n; i++)
                if (!few || t->to.is_key[i])
                        convert_column(h, t, i);
        take_mapped(h, t, few);
        return 1;
}

void verify_take_target(struct verify_hand *h, const struct verify_table *t, bool few)
{
        begin_row(h);
        memcpy(h->mapped, h->row, t->to.shape->columns_n * sizeof *h->mapped);
        take_mapped(h, t, few);
        memcpy(h->own, h->key, t->to.key_n * sizeof *h->own);
}

static void add_value(struct digest *d, const struct value *v)
{
        if (v->kind == VALUE_TEXT)
                digest_add(d, v->data, v->len);
        else
                digest_add_mark(d, v->kind);
}

struct digest verify_key_digest(const struct verify_hand *h, const struct verify_table *t)
{
        struct digest d = DIGEST_INIT;

        for (unsigned i = 0; i < t->to.key_n; i++)
                add_value(&d, &h->mapped[t->to.key[i]]);
        return d;
}

struct digest verify_row_digest(const struct verify_hand *h, const struct verify_table *t)
{
        struct digest d = DIGEST_INIT;

        for (uint16_t i = 0; i < t->to.shape->columns_n; i++)
                add_value(&d, &h->mapped[i]);
        return d;
}

void verify_column_digests(struct verify_hand *h, const struct verify_table *t)
{
        for (uint16_t i = 0; i < t->to.shape->columns_n; i++) {
                struct digest d = DIGEST_INIT;

                add_value(&d, &h->mapped[i]);
                h->columns[i] = d.a;
        }
}

int verify_key_back(
        const struct verify_table *t, struct arena *a, const struct value *key, struct value *out)
{
        struct error ignored = ERROR_INIT;

        for (unsigned i = 0; i < t->to.key_n; i++)
                if (convert_value(t->back[i], a, &key[i], &out[i], &ignored) < 0 ||
                        out[i].kind != VALUE_TEXT)
                        return -1;
        return 0;
}
