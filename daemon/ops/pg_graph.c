#include "ops/pg_graph.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Oids of catalogues, fixed in every version (pg_class.dat and the headers of src/include/catalog)
 */
#define CLASS_TYPE 1247
#define CLASS_RELATION 1259
#define CLASS_NAMESPACE 2615

struct edge {
        uint32_t from_class, from, to_class, to;
        char kind; /* pg_depend.deptype */
        unsigned from_node, to_node;
};

struct pg_graph {
        struct pg_node *nodes; /* by class and oid */
        unsigned nodes_n;
        struct edge *edges; /* by from_node */
        unsigned edges_n;
        unsigned *back;  /* edges by to_node */
        unsigned *stack; /* for walks; a node is on it at most once per walk */
};

/*
 * 16384: objects of the system need not be carried. Schema public has a lower oid. The second and
 * third part are in pg_depend the other way round: a composite type's columns hang on its pg_class
 * row, a domain's checks on their pg_constraint rows, an operator family's members on theirs.
 */
#define EDGES_SQL                                                                                  \
        "select distinct classid, objid, refclassid, refobjid, deptype from pg_catalog.pg_depend"  \
        " where deptype <> 'p' and (refobjid >= 16384 or refclassid = 2615) and classid <> 0"      \
        " union all select 1247, reltype, 1259, oid, 'n' from pg_catalog.pg_class"                 \
        "  where relkind = 'c' and oid >= 16384"                                                   \
        " union all select 1247, contypid, 2606, oid, 'n' from pg_catalog.pg_constraint"           \
        "  where contypid >= 16384"                                                                \
        " union all select distinct 2753::oid, o.amopfamily, d.refclassid, d.refobjid, "           \
        "'n'::\"char\""                                                                            \
        "  from pg_catalog.pg_amop o join pg_catalog.pg_depend d"                                  \
        "  on d.classid = 'pg_catalog.pg_amop'::regclass and d.objid = o.oid"                      \
        "  where d.refobjid >= 16384 and d.deptype in ('n', 'a')"                                  \
        "  and d.refclassid not in (2753, 2616)"                                                   \
        " union all select distinct 2753::oid, p.amprocfamily, d.refclassid, d.refobjid,"          \
        "  'n'::\"char\" from pg_catalog.pg_amproc p join pg_catalog.pg_depend d"                  \
        "  on d.classid = 'pg_catalog.pg_amproc'::regclass and d.objid = p.oid"                    \
        "  where d.refobjid >= 16384 and d.deptype in ('n', 'a')"                                  \
        "  and d.refclassid not in (2753, 2616)"

/* Tables, views and the like; r: they hold back what needs them unless they are made or there. */
#define RELATIONS_SQL                                                                              \
        "with recursive w(oid) as (select pg_catalog.unnest($1::oid[])"                            \
        "  union select i.inhrelid from w join pg_catalog.pg_class p on p.oid = w.oid"             \
        "  and p.relkind = 'p' join pg_catalog.pg_inherits i on i.inhparent = w.oid),"             \
        " t(oid) as (select pg_catalog.unnest($2::oid[])"                                          \
        "  union select i.inhrelid from t join pg_catalog.pg_class p on p.oid = t.oid"             \
        "  and p.relkind = 'p' join pg_catalog.pg_inherits i on i.inhparent = t.oid)"              \
        " select c.oid, c.oid in (select oid from w), c.oid in (select oid from t)"                \
        " from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f')"                 \
        " and c.oid >= 16384"

/* What belongs to a table: [class, object, table, vital]. Vital: written inside CREATE TABLE. */
#define OWNED_SQL                                                                                  \
        "with recursive w(oid) as (select pg_catalog.unnest($1::oid[])"                            \
        "  union select i.inhrelid from w join pg_catalog.pg_class p on p.oid = w.oid"             \
        "  and p.relkind = 'p' join pg_catalog.pg_inherits i on i.inhparent = w.oid)"              \
        " select 2604, d.oid, d.adrelid, true from pg_catalog.pg_attrdef d, w"                     \
        "  where d.adrelid = w.oid"                                                                \
        " union all select 2606, k.oid, k.conrelid, k.contype = 'c' and k.convalidated"            \
        "  from pg_catalog.pg_constraint k, w where k.conrelid = w.oid"                            \
        " union all select 1259, i.indexrelid, i.indrelid, false from pg_catalog.pg_index i, w"    \
        "  where i.indrelid = w.oid"                                                               \
        " union all select 2620, g.oid, g.tgrelid, false from pg_catalog.pg_trigger g, w"          \
        "  where g.tgrelid = w.oid and not g.tgisinternal"                                         \
        " union all select 2618, r.oid, r.ev_class, false from pg_catalog.pg_rewrite r, w"         \
        "  where r.ev_class = w.oid"                                                               \
        " union all select 3256, p.oid, p.polrelid, false from pg_catalog.pg_policy p, w"          \
        "  where p.polrelid = w.oid"                                                               \
        " union all select 3381, s.oid, s.stxrelid, false from pg_catalog.pg_statistic_ext s, w"   \
        "  where s.stxrelid = w.oid"                                                               \
        " union all select 1259, c.oid, d.refobjid, false from pg_catalog.pg_depend d join w"      \
        "  on d.refobjid = w.oid join pg_catalog.pg_class c on c.oid = d.objid"                    \
        "  where d.classid = 1259 and d.refclassid = 1259 and d.deptype in ('a', 'i')"             \
        "  and c.relkind = 'S'"

static uint32_t oid_at(const PGresult *r, int row, int column)
{
        return (uint32_t)strtoul(pg_text(r, row, column), NULL, 10);
}

static int compare_pair(uint32_t class_a, uint32_t a, uint32_t class_b, uint32_t b)
{
        if (class_a != class_b)
                return class_a < class_b ? -1 : 1;
        return a < b ? -1 : a > b;
}

static int compare_nodes(const void *a, const void *b)
{
        const struct pg_node *x = a, *y = b;

        return compare_pair(x->class, x->oid, y->class, y->oid);
}

static int compare_edges(const void *a, const void *b)
{
        const struct edge *x = a, *y = b;

        return compare_pair(x->from_class, x->from, y->from_class, y->from);
}

static int compare_back(const void *a, const void *b, void *graph)
{
        const struct pg_graph *g = graph;
        unsigned x = g->edges[*(const unsigned *)a].to_node;
        unsigned y = g->edges[*(const unsigned *)b].to_node;

        return x < y ? -1 : x > y;
}

struct pg_node *pg_graph_find(struct pg_graph *g, uint32_t class, uint32_t oid)
{
        struct pg_node key = {.class = class, .oid = oid};

        return g->nodes_n ? bsearch(&key, g->nodes, g->nodes_n, sizeof key, compare_nodes) : NULL;
}

static int read_edges(struct pg_graph *g, PGconn *c, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, EDGES_SQL, 0, NULL);

        if (!r)
                return -1;
        g->edges_n = (unsigned)PQntuples(r);
        g->edges = memory_new((g->edges_n + 1) * sizeof *g->edges);
        for (unsigned i = 0; i < g->edges_n; i++)
                g->edges[i] = (struct edge){oid_at(r, (int)i, 0), oid_at(r, (int)i, 1),
                        oid_at(r, (int)i, 2), oid_at(r, (int)i, 3), *pg_text(r, (int)i, 4), 0, 0};
        qsort(g->edges, g->edges_n, sizeof *g->edges, compare_edges);
        return 0;
}

static void add_node(struct pg_graph *g, uint32_t class, uint32_t oid)
{
        g->nodes[g->nodes_n++] = (struct pg_node){.class = class, .oid = oid};
}

/* Both ends of every edge, the relations and what the tables own, each once. */
static void make_nodes(struct pg_graph *g, const PGresult *relations, const PGresult *owned)
{
        int relations_n = PQntuples(relations), owned_n = PQntuples(owned);
        size_t most = 2 * (size_t)g->edges_n + (size_t)relations_n + (size_t)owned_n + 1;
        unsigned n = 0;

        g->nodes = memory_new(most * sizeof *g->nodes);
        for (unsigned i = 0; i < g->edges_n; i++) {
                add_node(g, g->edges[i].from_class, g->edges[i].from);
                add_node(g, g->edges[i].to_class, g->edges[i].to);
        }
        for (int i = 0; i < relations_n; i++)
                add_node(g, CLASS_RELATION, oid_at(relations, i, 0));
        for (int i = 0; i < owned_n; i++)
                add_node(g, oid_at(owned, i, 0), oid_at(owned, i, 1));
        qsort(g->nodes, g->nodes_n, sizeof *g->nodes, compare_nodes);
        for (unsigned i = 0; i < g->nodes_n; i++)
                if (n == 0 || compare_nodes(&g->nodes[n - 1], &g->nodes[i]) != 0)
                        g->nodes[n++] = g->nodes[i];
        g->nodes_n = n;
}

static void link_edges(struct pg_graph *g)
{
        g->back = memory_new((g->edges_n + 1) * sizeof *g->back);
        g->stack = memory_new((g->nodes_n + 1) * sizeof *g->stack);
        for (unsigned i = 0; i < g->edges_n; i++) {
                struct edge *x = &g->edges[i];
                struct pg_node *from = pg_graph_find(g, x->from_class, x->from);
                struct pg_node *to = pg_graph_find(g, x->to_class, x->to);

                x->from_node = (unsigned)(from - g->nodes);
                x->to_node = (unsigned)(to - g->nodes);
                g->back[i] = i;
                if (from->first == from->last)
                        from->first = i;
                from->last = i + 1;
                if (x->kind == 'e')
                        from->member = true;
                if (to->class == CLASS_NAMESPACE)
                        from->schema = to->oid;
        }
        qsort_r(g->back, g->edges_n, sizeof *g->back, compare_back, g);
        for (unsigned i = 0; i < g->edges_n; i++) {
                struct pg_node *to = &g->nodes[g->edges[g->back[i]].to_node];

                if (to->first_back == to->last_back)
                        to->first_back = i;
                to->last_back = i + 1;
        }
}

/* Does an edge mean "cannot be made without"? */
static bool needs(const struct pg_graph *g, const struct edge *x)
{
        const struct pg_node *from = &g->nodes[x->from_node];

        if (from->member)
                return x->kind == 'e';
        /* a sequence is made before it is tied to its column, and may stay untied */
        return !(x->kind == 'a' && from->class == CLASS_RELATION && !from->relation &&
                 g->nodes[x->to_node].relation && from->owner == 0 &&
                 x->to_class == CLASS_RELATION);
}

static void mark_relations(struct pg_graph *g, const PGresult *r)
{
        for (int i = 0; i < PQntuples(r); i++) {
                struct pg_node *n = pg_graph_find(g, CLASS_RELATION, oid_at(r, i, 0));

                n->relation = true;
                n->wanted = n->vital = pg_true(r, i, 1);
                if (pg_true(r, i, 2) && !n->wanted)
                        n->state = NODE_THERE;
        }
}

static void mark_owned(struct pg_graph *g, const PGresult *r)
{
        for (int i = 0; i < PQntuples(r); i++) {
                struct pg_node *n = pg_graph_find(g, oid_at(r, i, 0), oid_at(r, i, 1));

                n->owner = oid_at(r, i, 2);
                n->vital = pg_true(r, i, 3);
        }
}

/* Everything that needs `at`, directly or not, is held back by it. */
void pg_graph_block(struct pg_graph *g, struct pg_node *at)
{
        unsigned depth = 0;

        at->blocked = at;
        g->stack[depth++] = (unsigned)(at - g->nodes);
        while (depth > 0) {
                const struct pg_node *n = &g->nodes[g->stack[--depth]];

                for (unsigned i = n->first_back; i < n->last_back; i++) {
                        const struct edge *x = &g->edges[g->back[i]];
                        struct pg_node *from = &g->nodes[x->from_node];

                        if (from->blocked || from->state == NODE_THERE || !needs(g, x))
                                continue;
                        from->blocked = at;
                        g->stack[depth++] = x->from_node;
                }
        }
}

static void block_all(struct pg_graph *g)
{
        for (unsigned i = 0; i < g->nodes_n; i++) {
                struct pg_node *n = &g->nodes[i];

                if (n->relation && !n->wanted && !n->member && n->state != NODE_THERE &&
                        !n->blocked)
                        pg_graph_block(g, n);
        }
}

struct pg_graph *pg_graph_new(
        PGconn *source, const char *make_oids, const char *there_oids, struct error *e)
{
        struct pg_graph *g = memory_new_of(struct pg_graph);
        AUTO_RESULT relations =
                pg_query(source, e, RELATIONS_SQL, 2, (const char *[]){make_oids, there_oids});
        AUTO_RESULT owned = relations ? pg_query(source, e, OWNED_SQL, 1, &make_oids) : NULL;

        if (!owned || read_edges(g, source, e) < 0)
                return pg_graph_free(g);
        make_nodes(g, relations, owned);
        link_edges(g);
        mark_relations(g, relations);
        mark_owned(g, owned);
        block_all(g);
        for (unsigned i = 0; i < g->nodes_n; i++)
                if (g->nodes[i].wanted || g->nodes[i].owner)
                        pg_graph_carry(g, &g->nodes[i]);
        return g;
}

struct pg_graph *pg_graph_free(struct pg_graph *g)
{
        if (!g)
                return NULL;
        free(g->nodes);
        free(g->edges);
        free(g->back);
        free(g->stack);
        free(g);
        return NULL;
}

void pg_graph_carry(struct pg_graph *g, struct pg_node *start)
{
        unsigned depth = 0;

        if (start->blocked || start->state != NODE_IDLE)
                return;
        start->state = NODE_CARRIED;
        g->stack[depth++] = (unsigned)(start - g->nodes);
        while (depth > 0) {
                const struct pg_node *n = &g->nodes[g->stack[--depth]];

                for (unsigned i = n->first; i < n->last; i++) {
                        const struct edge *x = &g->edges[i];
                        struct pg_node *to = &g->nodes[x->to_node];

                        if (to->state != NODE_IDLE || to->blocked || !needs(g, x))
                                continue;
                        to->state = NODE_CARRIED;
                        g->stack[depth++] = x->to_node;
                }
        }
}

bool pg_graph_owned_elsewhere(struct pg_graph *g, const struct pg_node *sequence)
{
        for (unsigned i = sequence->first; i < sequence->last; i++) {
                const struct pg_node *to = &g->nodes[g->edges[i].to_node];

                if (to->relation && !to->wanted && to->state != NODE_THERE &&
                        (g->edges[i].kind == 'a' || g->edges[i].kind == 'i'))
                        return true;
        }
        return false;
}

bool pg_graph_touches(struct pg_graph *g, const struct pg_node *n)
{
        for (unsigned i = n->first; i < n->last; i++)
                if (g->nodes[g->edges[i].to_node].state == NODE_CARRIED)
                        return true;
        return false;
}

bool pg_graph_schema_used(struct pg_graph *g, uint32_t schema)
{
        const struct pg_node *n = pg_graph_find(g, CLASS_NAMESPACE, schema);

        return n && n->state == NODE_CARRIED;
}

const struct pg_node *pg_graph_unlisted(struct pg_graph *g)
{
        for (unsigned i = 0; i < g->nodes_n; i++)
                if (g->nodes[i].wanted && !g->nodes[i].listed)
                        return &g->nodes[i];
        return NULL;
}

const struct pg_node *pg_graph_impossible(struct pg_graph *g)
{
        for (unsigned i = 0; i < g->nodes_n; i++)
                if (g->nodes[i].vital && g->nodes[i].blocked)
                        return &g->nodes[i];
        return NULL;
}
