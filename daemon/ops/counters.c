#include "ops/counters.h"
#include "base/memory.h"
#include "ops/counters_private.h"

#include <stdlib.h>
#include <string.h>

static const struct counters_ops *ops_of(const struct config_end *end)
{
        return end->kind == KIND_POSTGRESQL ? &counters_pg_ops
               : config_is_mysql(end->kind) ? &counters_my_ops
                                            : NULL;
}

/* ---- values ---- */

bool counter_parse(const char *text, counter_value *v)
{
        bool negative = *text == '-';
        size_t digits = strspn(text + negative, "0123456789");

        if (digits == 0 || digits > 30 || text[negative + digits])
                return false;
        *v = 0;
        for (text += negative; *text; text++)
                *v = *v * 10 + (*text - '0');
        if (negative)
                *v = -*v;
        return true;
}

const char *counter_text(counter_value v, char text[COUNTER_TEXT])
{
        bool negative = v < 0;
        char *at = text + COUNTER_TEXT - 1;

        *at = '\0';
        do {
                int digit = (int)(v % 10);

                *--at = (char)('0' + (digit < 0 ? -digit : digit));
                v /= 10;
        } while (v);
        if (negative)
                *--at = '-';
        return at;
}

/* ---- the list ---- */

struct counter *counters_add(struct counters *c)
{
        c->items = memory_grow(c->items, (c->n + 1) * sizeof *c->items);
        c->items[c->n] = (struct counter){0};
        return &c->items[c->n++];
}

void counter_name(const struct counter *k, struct buf *out)
{
        if (k->table)
                buf_printf(out, "the counter of column %s of table %s.%s", k->column, k->schema,
                        k->table);
        else
                buf_printf(out, "sequence %s.%s", k->sequence_schema, k->sequence);
}

static void forget(struct counter *k)
{
        free(k->schema);
        free(k->table);
        free(k->column);
        free(k->sequence_schema);
        free(k->sequence);
        free(k->target);
        free(k->may);
}

static void done(struct counters *c)
{
        for (unsigned i = 0; i < c->n; i++)
                forget(&c->items[i]);
        free(c->items);
        route_free(c->route);
}

/* Without those of columns that are not carried. */
static void name_targets(struct counters *c)
{
        unsigned kept = 0;

        for (unsigned i = 0; i < c->n; i++) {
                struct counter *k = &c->items[i];
                const struct route_table *t =
                        k->table ? route_find(c->route, k->schema, k->table) : NULL;

                if (t) {
                        k->to_schema = t->schema;
                        k->to_table = t->name;
                        k->to_column = route_column(t, k->column);
                } else if (!k->table) {
                        k->to_schema = config_schema_of(c->config, k->sequence_schema);
                }
                if (k->table && !k->to_column)
                        forget(k);
                else
                        c->items[kept++] = *k;
        }
        c->n = kept;
}

/* ---- deciding ---- */

static counter_value farther(counter_value a, counter_value b, bool down)
{
        return (a > b) != down ? a : b;
}

static void decide(struct counter *k)
{
        counter_value step = k->down ? -1 : 1;

        if (!k->target)
                return;
        k->to = k->next;
        if (k->cycles) { /* round already */
                k->to = k->to > k->most ? k->least : k->to < k->least ? k->most : k->to;
        } else {
                k->to += step * k->reserve;
                if (k->has_extreme)
                        k->to = farther(k->to, k->extreme + step, k->down);
                k->to = farther(k->to, k->has, k->down);
        }
        k->moves = k->to != k->has;
}

/* Where the target's own place is past its end already, another value would have none either. */
static bool has_room(const struct counter *k)
{
        return !k->target || (k->to >= k->least && k->to <= k->most);
}

static int no_room(const struct counter *k, struct error *e)
{
        char to[COUNTER_TEXT], most[COUNTER_TEXT];
        AUTO_BUF name = BUF_INIT;

        counter_name(k, &name);
        return error_set(e, ERROR_DATA,
                "%s: it would go on at %s, and the target's column or sequence ends at %s",
                buf_text(&name), counter_text(k->to, to),
                counter_text(k->down ? k->least : k->most, most));
}

static int read_all(struct counters *c)
{
        const struct counters_ops *from = ops_of(&c->config->source);
        const struct counters_ops *to = ops_of(&c->config->target);

        if (!from || !to || c->tables_n == 0)
                return 0;
        if (from->read(c) < 0)
                return error_context(c->e, "source");
        name_targets(c);
        if (to->look(c) < 0)
                return error_context(c->e, "target");
        for (unsigned i = 0; i < c->n; i++)
                decide(&c->items[i]);
        return 0;
}

static struct counters begin(const struct config *config, struct halt *h,
        const struct fence_table *tables, unsigned n, struct error *e)
{
        return (struct counters){.config = config,
                .halt = h,
                .tables = tables,
                .tables_n = n,
                .route = route_new(config),
                .e = e};
}

static int pass(struct counters *c)
{
        if (read_all(c) < 0)
                return -1;
        for (unsigned i = 0; i < c->n; i++)
                if (!has_room(&c->items[i]))
                        return no_room(&c->items[i], c->e);
        if (c->n == 0)
                return 0;
        return ops_of(&c->config->target)->set(c) < 0 ? error_context(c->e, "target") : 0;
}

int counters_pass(const struct config *config, struct halt *h, const struct fence_table *tables,
        unsigned n, unsigned *moved, struct error *e)
{
        struct counters c = begin(config, h, tables, n, e);
        int rc = pass(&c);

        if (moved)
                *moved = 0;
        for (unsigned i = 0; moved && i < c.n; i++)
                *moved += c.items[i].moves;
        done(&c);
        return rc;
}

/* ---- the check ---- */

static void say_missing(const struct counter *k, struct checks *out)
{
        AUTO_BUF name = BUF_INIT;

        counter_name(k, &name);
        if (k->table)
                checks_add(out, CHECK_ERROR,
                        "give the target's column a sequence (identity) or auto_increment",
                        "counters: %s has none on the target: column %s of %s.%s", buf_text(&name),
                        k->to_column, k->to_schema, k->to_table);
        else
                checks_add(out, CHECK_NOTE, NULL, "counters: %s is not on the target",
                        buf_text(&name));
}

static void say(const struct counter *k, struct checks *out)
{
        struct error room = ERROR_INIT;
        AUTO_BUF name = BUF_INIT;

        if (!k->target) {
                say_missing(k, out);
                return;
        }
        counter_name(k, &name);
        if (k->may)
                checks_add(out, CHECK_ERROR, k->may, "counters: %s may not be set on the target",
                        buf_text(&name));
        if (!has_room(k)) {
                no_room(k, &room);
                checks_add(out, CHECK_ERROR, NULL, "counters: %s", room.message);
        }
        if (k->unindexed)
                checks_add(out, CHECK_WARNING, NULL,
                        "counters: %s is set by the source's value alone: no index of the target "
                        "tells the largest value of the column",
                        buf_text(&name));
}

int counters_check(const struct config *config, struct halt *h, const struct fence_table *tables,
        unsigned n, struct checks *out, struct error *e)
{
        struct counters c = begin(config, h, tables, n, e);
        int rc = read_all(&c);

        for (unsigned i = 0; rc == 0 && i < c.n; i++)
                say(&c.items[i], out);
        done(&c);
        return rc;
}
