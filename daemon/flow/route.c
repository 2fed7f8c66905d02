#include "flow/route.h"
#include "base/memory.h"
#include "flow/mapping.h"
#include "flow/tally.h"
#include "model/cascade.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
        struct entry *next;
        struct route_table table;
};

struct expected {
        struct expected *next_entry;
        struct relation *shape, *next;
        struct relation *target; /* as the target has it; NULL: its types are the source's */
        struct position from;    /* what commits before it is in the table's copy */
};

#define BUCKETS 1024

struct route {
        const struct config *config;
        pthread_mutex_t lock; /* guards entries */
        struct entry *entries[BUCKETS];
        struct expected *expected[BUCKETS]; /* by relation id, else by name */
        struct relation *refused;
        struct position accepted; /* statements up to there were seen to by the operator */
        struct mapping_ends ends; /* but for the shapes */
        struct cascades *cascades;
};

/* What a source shape is tied to; lives in relation->binding. */
struct binding {
        struct route_table *table; /* NULL: not migrated */
        struct position from;      /* see struct expected */
        struct mapping mapping;
        struct filter_value *scratch;
};

static unsigned bucket_of(const char *schema, const char *name)
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

static struct route_table *find(struct route *r, const char *schema, const char *name)
{
        unsigned b = bucket_of(schema, name);
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
        }
        pthread_mutex_unlock(&r->lock);
        return &n->table;
}

const struct route_table *route_find(struct route *r, const char *schema, const char *name)
{
        return find(r, schema, name);
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

static int no_column(
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
                        return no_column(t, "columns.exclude", o->columns_exclude.items[i], e);
                if (source->columns[at].key && source->identity != IDENTITY_FULL)
                        return error_set(e, ERROR_CONFIG,
                                "[table %s.%s] columns.exclude: '%s' is part of the replica "
                                "identity, without it rows cannot be found on the target",
                                t->source_schema, t->source_name, source->columns[at].name);
        }
        for (unsigned i = 0; o && i < o->renames_n; i++)
                if (relation_column(source, o->renames[i].from) < 0)
                        return no_column(t, "column.*.to", o->renames[i].from, e);
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

/* The MySQL family's names; its zero dates are no times, and compare by bytes. */
static enum filter_class class_of_native(const char *native)
{
        struct error ignored = ERROR_INIT;
        struct coltype *t = coltype_my(ENGINE_MARIADB, native, &ignored);
        enum type_class class = t ? t->class : TYPE_OTHER;

        coltype_free(t);
        switch (class) {
        case TYPE_INTEGER:
        case TYPE_DECIMAL:
        case TYPE_FLOAT:
        case TYPE_DOUBLE:
        case TYPE_YEAR:
                return FILTER_NUMBER;
        case TYPE_DATE:
        case TYPE_DATETIME:
        case TYPE_TIMESTAMPTZ:
                return FILTER_TIME;
        default:
                return FILTER_TEXT;
        }
}

/* Built-in types by oid, src/include/catalog/pg_type.dat. */
static enum filter_class class_of(const struct column *c)
{
        if (c->native)
                return class_of_native(c->native);
        switch (c->type) {
        case 16:
                return FILTER_BOOL;
        case 20:   /* int8 */
        case 21:   /* int2 */
        case 23:   /* int4 */
        case 26:   /* oid */
        case 700:  /* float4 */
        case 701:  /* float8 */
        case 1700: /* numeric */
                return FILTER_NUMBER;
        case 1082: /* date */
        case 1083: /* time */
        case 1114: /* timestamp */
        case 1184: /* timestamptz */
        case 1266: /* timetz */
                return FILTER_TIME;
        case 1042: /* char(n) */
                return FILTER_PADDED;
        default:
                return FILTER_TEXT;
        }
}

int route_filter(const struct route_table *t, const struct relation *source, struct filter **f,
        struct error *e)
{
        *f = NULL;
        if (!t->options || !t->options->where)
                return 0;
        if (!(*f = filter_parse(t->options->where, e)))
                goto bad;
        for (unsigned i = 0; i < filter_columns(*f); i++) {
                int at = relation_column(source, filter_column(*f, i));

                if (at < 0) {
                        no_column(t, "where", filter_column(*f, i), e);
                        goto bad;
                }
                if (source->id && !source->columns[at].key) {
                        error_set(e, ERROR_CONFIG,
                                "where uses column '%s', whose old values are not in the log: "
                                "alter table %s.%s replica identity full",
                                filter_column(*f, i), t->source_schema, t->source_name);
                        goto bad;
                }
                if (filter_bind(*f, i, class_of(&source->columns[at]), e) < 0)
                        goto bad;
        }
        return 0;
bad:
        *f = filter_free(*f);
        return error_context(e, "[table %s.%s]", t->source_schema, t->source_name);
}

static void keep(struct relation **place, const struct relation *r)
{
        struct relation *old = *place;

        *place = r ? relation_ref(r) : NULL;
        relation_unref(old);
}

/* Sources without ids tell their tables by name. */
static unsigned place_bucket(const struct relation *shape)
{
        return shape->id ? shape->id % BUCKETS : bucket_of(shape->schema, shape->name);
}

static bool is_named(const struct expected *x, const char *schema, const char *name)
{
        return !strcmp(x->shape->name, name) && !strcmp(x->shape->schema, schema);
}

static bool is_of(const struct expected *x, const struct relation *shape)
{
        return x->shape->id == shape->id && (shape->id || is_named(x, shape->schema, shape->name));
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
        keep(&(*at)->shape, shape);
        keep(&(*at)->next, next);
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
                keep(&known->target, target);
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
        keep(&r->refused, NULL);
}

static const struct expected *expected_of(const struct route *r, const struct relation *shape)
{
        for (struct expected *x = r->expected[place_bucket(shape)]; x; x = x->next_entry)
                if (is_of(x, shape))
                        return x;
        for (unsigned i = 0; shape->id && i < BUCKETS; i++) /* dropped and made again */
                for (struct expected *x = r->expected[i]; x; x = x->next_entry)
                        if (is_named(x, shape->schema, shape->name))
                                return x;
        return NULL;
}

static const struct expected *any_of_schema(const struct route *r, const char *schema)
{
        for (unsigned i = 0; i < BUCKETS; i++)
                for (struct expected *x = r->expected[i]; x; x = x->next_entry)
                        if (!x->shape->id && !strcmp(x->shape->schema, schema))
                                return x;
        return NULL;
}

const struct relation *route_known(
        const struct route *r, const char *schema, const char *name, unsigned which)
{
        const struct expected *any = *name ? NULL : any_of_schema(r, schema);

        if (any)
                return which == 0 ? any->shape : which == 1 ? any->next : NULL;
        for (struct expected *x = r->expected[bucket_of(schema, name)]; x; x = x->next_entry)
                if (!x->shape->id && is_named(x, schema, name))
                        return which == 0 ? x->shape : which == 1 ? x->next : NULL;
        return NULL;
}

void route_accept_statements(struct route *r, struct position until)
{
        r->accepted = position_max(r->accepted, until);
}

void route_forget_statements(struct route *r)
{
        r->accepted = POSITION_NONE;
}

void route_doubt(struct route *r, const char *schema, const char *name, struct position read)
{
        struct route_table *t = find(r, schema, name);

        if (!t)
                return;
        t->read = read;
        t->doubted = false;
}

static bool is_doubtful(struct route *r, const struct statement *s)
{
        const struct route_table *t = find(r, s->schema, s->table);

        return t && t->doubted && s->kind != STATEMENT_WRITE &&
               position_compare(s->end, t->read) <= 0;
}

/* What happened, and what the operator does before `resume`. */
static const struct {
        const char *what, *mend;
} statements[] = {
        [STATEMENT_ALTER] = {"its definition was altered",
                "alter the target alike (a column that was added with a default: old rows there "
                "must "
                "have it, too), then resume goes on with the new definition"},
        [STATEMENT_DROP] = {"it was dropped",
                "drop it on the target, or empty it there if it was made anew; then resume"},
        [STATEMENT_RENAME] = {"it was renamed, or another took its name",
                "do alike on the target, or alter the table there as an online schema change did; "
                "then resume follows the name"},
        [STATEMENT_CREATE] = {"it was made anew",
                "the target's table must be empty and alike; then resume"},
        [STATEMENT_WRITE] = {"rows were changed by a statement that was not logged by row",
                "repeat the statement on the target, then resume goes on behind it"},
};

int route_statement(struct route *r, const struct statement *s, struct error *e)
{
        if (position_compare(s->end, r->accepted) <= 0)
                return 0;
        if (is_doubtful(r, s))
                error_set(e, ERROR_DATA,
                        "table %s.%s on the source (ddl = stop): it was changed again before its "
                        "definition was read, and the rows in between have no names of columns in "
                        "the log (binlog_row_metadata is not FULL): they may be in the wrong "
                        "columns on the target. Leave the table out ([tables] exclude), restart, "
                        "then take it in again and copy it anew; or compare it, change it alike "
                        "and resume",
                        s->schema, s->table);
        else
                error_set(e, ERROR_DATA, "table %s.%s on the source (ddl = stop): %s; %s",
                        s->schema, s->table, statements[s->kind].what, statements[s->kind].mend);
        snprintf(e->table, sizeof e->table, "%s.%s", s->schema, s->table);
        snprintf(e->code, sizeof e->code, "%s",
                s->kind == STATEMENT_WRITE ? ROUTE_WRITE_CODE : ROUTE_STATEMENT_CODE);
        position_format(s->end, e->position);
        return -1;
}

static void binding_free(void *p)
{
        struct binding *b = p;

        mapping_done(&b->mapping);
        free(b->scratch);
        free(b);
}

static int ddl_error(const struct route_table *t, const char *what, struct error *e)
{
        error_set(e, ERROR_DATA,
                "the definition of %s.%s changed on the source (ddl = stop): %s; change the target "
                "alike (a column that was added with a default: old rows there must have it, too), "
                "then resume accepts it",
                t->source_schema, t->source_name, what);
        snprintf(e->table, sizeof e->table, "%s.%s", t->source_schema, t->source_name);
        return -1;
}

static bool is_expected(
        const struct expected *known, const struct relation *shape, struct buf *what)
{
        AUTO_BUF ignored = BUF_INIT;

        return (known->next && relation_same(known->next, shape, &ignored)) ||
               relation_same(known->shape, shape, what);
}

static int bind(const struct route *r, struct binding *b, const struct relation *shape,
        const struct expected *known, struct error *e)
{
        struct mapping_ends ends = r->ends;

        ends.known = known->shape;
        ends.target = known->target;
        if (mapping_init(&b->mapping, b->table, shape, &ends, e) < 0)
                return -1;
        if (cascades_have_parent(r->cascades, b->table->schema, b->table->name))
                relation_set_cascades(b->mapping.target, r->cascades);
        b->scratch = memory_new((mapping_scratch(&b->mapping) + 1) * sizeof *b->scratch);
        return 0;
}

int route_relation(struct route *r, const struct relation *shape, struct error *e)
{
        const struct expected *known = expected_of(r, shape);
        struct route_table *t = known ? find(r, known->shape->schema, known->shape->name)
                                      : find(r, shape->schema, shape->name);
        AUTO_BUF what = BUF_INIT;
        struct binding *b = memory_new_of(struct binding);
        struct relation *mine = relation_ref(shape);

        if (mine->binding_free) /* told before: rows on their way name the target's relation */
                mine->binding_free(mine->binding);
        mine->binding = b;
        mine->binding_free = binding_free;
        relation_unref(mine);
        if (!t || !known) /* tables that came after the start are not migrated */
                return 0;
        if (!is_expected(known, shape, &what)) {
                keep(&r->refused, shape);
                return ddl_error(t, buf_text(&what), e);
        }
        b->table = t;
        b->from = known->from;
        return bind(r, b, shape, known, e);
}

static int passes(const struct binding *b, const struct value *row, struct error *e)
{
        return mapping_passes(&b->mapping, row, b->scratch, e);
}

/* An update that moves a row into the filter becomes an insert, which needs every value. */
static int complete_row(const struct binding *b, struct change *c, struct error *e)
{
        for (uint16_t i = 0; i < c->relation->columns_n; i++) {
                if (c->new[i].kind != VALUE_UNCHANGED)
                        continue;
                if (!c->old || c->old[i].kind == VALUE_UNCHANGED) {
                        error_set(e, ERROR_DATA,
                                "an update moves a row of %s.%s into its filter, but column '%s' "
                                "is not in the log: alter table ... replica identity full",
                                b->table->source_schema, b->table->source_name,
                                c->relation->columns[i].name);
                        return -1;
                }
                c->new[i] = c->old[i];
        }
        return 0;
}

/* A short row image leaves out what an INSERT did not name: the column's default was stored. */
static void fill_absent(struct change *c)
{
        for (uint16_t i = 0; i < c->relation->columns_n; i++) {
                const struct column *k = &c->relation->columns[i];

                if (c->new[i].kind != VALUE_UNCHANGED || !k->absent_known)
                        continue;
                c->new[i].kind = k->absent ? VALUE_TEXT : VALUE_NULL;
                c->new[i].data = k->absent;
                c->new[i].len = k->absent ? (uint32_t)strlen(k->absent) : 0;
        }
}

/* 1: keep, 0: drop, -1: error. May change the operation. */
static int apply_filter(const struct binding *b, struct change *c, struct error *e)
{
        const struct mapping *m = &b->mapping;
        int before, after;

        if (!m->filter || c->op == CHANGE_TRUNCATE)
                return 1;
        if (c->op == CHANGE_INSERT)
                return passes(b, c->new, e);
        if (c->op == CHANGE_DELETE)
                return passes(b, c->old, e);
        if (c->old) /* an unchanged TOAST value of the new row is the old one's */
                for (unsigned i = 0; i < filter_columns(m->filter); i++)
                        if (c->new[m->filter_at[i]].kind == VALUE_UNCHANGED)
                                c->new[m->filter_at[i]] = c->old[m->filter_at[i]];
        after = passes(b, c->new, e);
        before = c->old && after >= 0 ? passes(b, c->old, e) : after;
        if (before < 0)
                return -1;
        if (before && !after) {
                c->op = CHANGE_DELETE;
                c->new = NULL;
        } else if (!before && after) {
                if (complete_row(b, c, e) < 0)
                        return -1;
                c->op = CHANGE_INSERT;
                c->old = NULL;
        }
        return before || after;
}

/* The key of a row that has no place on the target, for the error. */
static int blame(
        const struct binding *b, const struct relation *r, const struct value *row, struct error *e)
{
        AUTO_BUF key = BUF_INIT;

        for (uint16_t i = 0; i < r->columns_n; i++)
                if (r->columns[i].key && row[i].kind != VALUE_UNCHANGED)
                        buf_printf(&key, "%s%s=%.60s", key.len ? ", " : "", r->columns[i].name,
                                row[i].kind == VALUE_NULL ? "NULL" : row[i].data);
        snprintf(e->key, sizeof e->key, "%s", buf_text(&key));
        snprintf(
                e->table, sizeof e->table, "%s.%s", b->table->source_schema, b->table->source_name);
        return error_context(e, "table %s", e->table);
}

static int map_row(struct txn *t, const struct binding *b, const struct relation *r,
        struct value **row, struct error *e)
{
        struct value *mapped = mapping_row(&b->mapping, t->arena, *row, e);

        if (*row && !mapped)
                return blame(b, r, *row, e);
        *row = mapped;
        return 0;
}

/* Is it migrated, and not in its copy already? */
static bool takes(const struct binding *b, const struct txn *t)
{
        return b && b->table && position_compare(t->commit, b->from) >= 0;
}

static int map_truncate(struct route *r, struct txn *t, struct change *c, struct error *e)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < c->truncated_n; i++) {
                const struct binding *b = c->truncated[i]->binding;

                if (!takes(b, t))
                        continue;
                txn_hold(t, b->mapping.target);
                c->truncated[n++] = b->mapping.target;
        }
        c->truncated_n = n;
        if (n == 0 || r->config->tables.on_truncate == ON_TRUNCATE_IGNORE)
                return 0;
        if (r->config->tables.on_truncate == ON_TRUNCATE_STOP) {
                error_set(e, ERROR_DATA, "%s.%s was truncated on the source (on_truncate = stop)",
                        c->truncated[0]->schema, c->truncated[0]->name);
                snprintf(e->table, sizeof e->table, "%s.%s", c->truncated[0]->schema,
                        c->truncated[0]->name);
                return -1;
        }
        c->relation = c->truncated[0];
        return 1;
}

static int route_change(
        struct route *r, struct txn *t, struct tally *tally, struct change *c, struct error *e)
{
        const struct binding *b = c->relation->binding;
        int keep;

        if (c->op == CHANGE_TRUNCATE)
                return map_truncate(r, t, c, e);
        if (!takes(b, t))
                return 0;
        if (c->op == CHANGE_INSERT)
                fill_absent(c);
        if ((keep = apply_filter(b, c, e)) <= 0)
                return keep;
        tally_add(tally, b->table, c->op);
        b->table->doubted = true;
        if (map_row(t, b, c->relation, &c->old, e) < 0 ||
                map_row(t, b, c->relation, &c->new, e) < 0)
                return -1;
        txn_hold(t, b->mapping.target);
        c->relation = b->mapping.target;
        return 1;
}

int route_apply(struct route *r, struct txn *t, struct tally *tally, struct error *e)
{
        struct change **at = &t->changes;

        while (*at) {
                int keep = route_change(r, t, tally, *at, e);

                if (keep < 0)
                        return -1;
                if (keep) {
                        at = &(*at)->next;
                } else {
                        *at = (*at)->next;
                        t->changes_n--;
                }
        }
        t->tail = at;
        return 0;
}
