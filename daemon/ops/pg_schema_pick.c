#include "ops/pg_schema_pick.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

bool pg_pick_is(const struct pg_pick *p, const char *kind)
{
        return !strcmp(p->entry->kind->name, kind);
}

static const struct pg_pick *pick_of(
        const struct pg_picks *p, const struct pg_dump_list *l, uint32_t id)
{
        const struct pg_dump_entry *entry = pg_dump_list_find(l, id);

        return entry ? &p->items[entry - l->items] : NULL;
}

static int name_all(struct pg_picks *p, PGconn *source, struct error *e)
{
        struct pg_name *names = memory_new((p->n + 1) * sizeof *names);
        unsigned n = 0;
        int rc;

        for (unsigned i = 0; i < p->n; i++)
                if (p->items[i].name.class)
                        names[n++] = p->items[i].name;
        rc = pg_names_of(source, names, n, e);
        n = 0;
        for (unsigned i = 0; i < p->n; i++)
                if (p->items[i].name.class)
                        p->items[i].name = names[n++];
        free(names);
        return rc;
}

/* Functions hide in their text what they call: what lives in the same schemas goes along. */
static bool goes_along(const struct pg_pick *p, struct pg_graph *g)
{
        const struct pg_dump_kind *kind = p->entry->kind;

        if (kind->phase != DUMP_PRE || kind->part || !p->node || p->node->blocked)
                return false;
        if (pg_pick_is(p, "TABLE") || pg_pick_is(p, "EXTENSION") ||
                pg_pick_is(p, "PROCEDURAL LANGUAGE"))
                return false;
        if (pg_pick_is(p, "SEQUENCE") && (p->node->owner || pg_graph_owned_elsewhere(g, p->node)))
                return false;
        if (pg_pick_is(p, "CAST"))
                return pg_graph_touches(g, p->node);
        return pg_graph_schema_used(g, p->node->schema);
}

static void carry_along(struct pg_picks *p, struct pg_graph *g)
{
        bool *along = memory_new(p->n + 1);

        for (unsigned i = 0; i < p->n; i++)
                along[i] = goes_along(&p->items[i], g);
        for (unsigned i = 0; i < p->n; i++)
                if (along[i])
                        pg_graph_carry(g, p->items[i].node);
        free(along);
}

static bool there(const struct pg_picks *p, const struct pg_pick *i)
{
        return i->name.name && pg_names_have(&p->there, i->name.name);
}

/* Entries without oids of their own stand and fall with what they depend on. */
static bool with_needs(const struct pg_picks *p, const struct pg_dump_list *l, struct pg_graph *g,
        const struct pg_pick *i)
{
        if (i->entry->needs_n == 0 || i->entry->kind->phase == DUMP_NEVER)
                return false;
        for (unsigned k = 0; k < i->entry->needs_n; k++) {
                const struct pg_pick *x = pick_of(p, l, i->entry->needs[k]);

                if (!x || !x->carried)
                        return false;
                if (pg_pick_is(i, "SEQUENCE OWNED BY") && x->node &&
                        pg_graph_owned_elsewhere(g, x->node))
                        return false;
        }
        return true;
}

static int decide(struct pg_picks *p, const struct pg_dump_list *l, struct pg_graph *g,
        const struct pg_excluded *excluded, PGconn *source, struct error *e)
{
        for (unsigned i = 0; i < p->n; i++) {
                struct pg_pick *x = &p->items[i];

                if (x->name.class)
                        x->carried = x->node && x->node->state == NODE_CARRIED && !x->left &&
                                     x->entry->kind->phase != DUMP_NEVER;
        }
        if (pg_pick_columns(p, excluded, source, e) < 0)
                return -1;
        for (unsigned i = 0; i < p->n; i++)
                if (!p->items[i].name.class)
                        p->items[i].carried = with_needs(p, l, g, &p->items[i]);
        return 0;
}

static char *name_of(PGconn *source, const struct pg_node *n)
{
        struct pg_name x = {.class = n->class, .oid = n->oid};
        struct error ignored = ERROR_INIT;

        if (pg_names_of(source, &x, 1, &ignored) < 0 || !x.name)
                return memory_printf("an object that is gone");
        free(x.identity);
        return x.name;
}

static char *reason(const struct pg_pick *i, PGconn *source)
{
        const struct pg_node *n = i->node;

        if (pg_pick_is(i, "TABLE"))
                return memory_string("not migrated");
        if (n && n->blocked && n->blocked != n) {
                AUTO_STRING what = name_of(source, n->blocked);

                return memory_printf("needs %s, which is not carried", what);
        }
        if (n && n->blocked && i->entry->kind->phase == DUMP_PRE)
                return memory_string("written in C, and nothing that is carried needs it by its "
                                     "definition");
        if (i->entry->kind->phase == DUMP_NEVER)
                return memory_string("this kind is not carried; make it on the target by hand");
        if (i->entry->kind->phase == DUMP_PRE && pg_pick_is(i, "SEQUENCE"))
                return memory_string("belongs to no migrated table or schema");
        return memory_string("no migrated table is in its schema or needs it");
}

/* Parts of tables that are not migrated, and sequences that they own, go without saying. */
static bool worth_a_line(const struct pg_picks *p, const struct pg_pick *i, struct pg_graph *g)
{
        if (i->carried || i->left || !i->name.name || i->name.partition || there(p, i))
                return false;
        if (!strncmp(i->name.identity, "culvert.", strlen("culvert.")))
                return false;
        if (i->node && i->node->state == NODE_THERE)
                return false;
        if (i->entry->kind->part)
                return i->node && i->node->owner && i->node->blocked;
        return !pg_pick_is(i, "SEQUENCE") || !i->node || !pg_graph_owned_elsewhere(g, i->node);
}

static int impossible(const struct pg_node *n, PGconn *source, struct error *e)
{
        AUTO_STRING what = name_of(source, n);
        AUTO_STRING why = name_of(source, n->blocked);

        return error_set(e, ERROR_CONFIG,
                "%s cannot be made on the target: it needs %s, which is not migrated under its own "
                "name; include that too, or create the table there first",
                what, why);
}

static void tie(struct pg_picks *p, const struct pg_dump_list *l, struct pg_graph *g)
{
        p->n = l->n;
        p->items = memory_new((p->n + 1) * sizeof *p->items);
        for (unsigned i = 0; i < p->n; i++) {
                const struct pg_dump_entry *entry = &l->items[i];
                /* ROW SECURITY has an oid, but not its own */
                bool own = entry->class && strcmp(entry->kind->name, "ROW SECURITY") != 0;

                p->items[i].entry = entry;
                p->items[i].name =
                        (struct pg_name){own ? entry->class : 0, entry->oid, NULL, NULL, false};
                p->items[i].node = own ? pg_graph_find(g, entry->class, entry->oid) : NULL;
                if (p->items[i].node)
                        p->items[i].node->listed = true;
        }
}

static int unreadable(const struct pg_node *n, PGconn *source, struct error *e)
{
        AUTO_STRING what = name_of(source, n);

        return error_set(e, ERROR_CONFIG,
                "%s cannot be dumped: culvert's role on the source has no SELECT on it (partitions "
                "need it, too)",
                what);
}

int pg_picks_make(struct pg_picks *p, const struct pg_dump_list *l, struct pg_graph *g,
        const struct pg_excluded *x, PGconn *source, PGconn *target, struct error *e)
{
        const struct pg_node *stuck = pg_graph_impossible(g);

        if (stuck)
                return impossible(stuck, source, e);
        tie(p, l, g);
        if ((stuck = pg_graph_unlisted(g)))
                return unreadable(stuck, source, e);
        if (name_all(p, source, e) < 0 || pg_names_there(target, &p->there, e) < 0 ||
                pg_pick_extensions(p, g, target, e) < 0 || pg_pick_code(g, source, e) < 0 ||
                pg_pick_policies(p, source, target, e) < 0)
                return -1;
        carry_along(p, g);
        if (decide(p, l, g, x, source, e) < 0)
                return -1;
        for (unsigned i = 0; i < p->n; i++)
                if (worth_a_line(p, &p->items[i], g))
                        p->items[i].left = reason(&p->items[i], source);
        return 0;
}

void pg_picks_done(struct pg_picks *p)
{
        for (unsigned i = 0; i < p->n; i++) {
                free(p->items[i].name.name);
                free(p->items[i].name.identity);
                free(p->items[i].left);
        }
        free(p->items);
        pg_names_done(&p->there);
        *p = (struct pg_picks){0};
}

/* TABLE ATTACH needs exactly the partition and its parent, in either order. */
static bool attached(
        const struct pg_picks *p, const struct pg_dump_list *l, const struct pg_pick *i)
{
        const struct pg_pick *a, *b;

        if (i->entry->needs_n < 2)
                return false;
        a = pick_of(p, l, i->entry->needs[0]);
        b = pick_of(p, l, i->entry->needs[1]);
        if (!a || !b || !a->name.identity || !b->name.identity)
                return false;
        AUTO_STRING one = memory_printf("attached %s to %s", a->name.identity, b->name.identity);
        AUTO_STRING two = memory_printf("attached %s to %s", b->name.identity, a->name.identity);

        return pg_names_have(&p->there, one) || pg_names_have(&p->there, two);
}

enum pg_dump_phase pg_picks_phase(
        const struct pg_picks *p, const struct pg_dump_list *l, const struct pg_pick *i)
{
        const struct pg_pick *about;

        if (!i->carried || there(p, i) || (pg_pick_is(i, "TABLE ATTACH") && attached(p, l, i)))
                return DUMP_NEVER;
        if (i->entry->kind->phase != DUMP_WITH)
                return i->entry->kind->phase;
        about = pick_of(p, l, i->entry->needs[0]);
        return about && !there(p, about) ? about->entry->kind->phase : DUMP_NEVER;
}
