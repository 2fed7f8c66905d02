#include "model/relation.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 4096          /* of a table on MySQL */

struct relation *relation_new(uint32_t id, const char *schema, const char *name,
        enum replica_identity identity, uint16_t columns_n)
{
        struct relation *r = memory_new(sizeof *r + columns_n * sizeof *r->columns);

        r->references = 1;
        r->id = id;
        r->schema = memory_string(schema);
        r->name = memory_string(name);
        r->identity = identity;
        r->columns_n = columns_n;
        return r;
}

void relation_set_column(
        struct relation *r, uint16_t i, const char *name, uint32_t type, int32_t modifier, bool key)
{
        free(r->columns[i].name);
        free(r->columns[i].native);
        free(r->columns[i].absent);
        r->columns[i] = (struct column){
                .name = memory_string(name), .type = type, .modifier = modifier, .key = key};
}

void relation_set_absent(struct relation *r, uint16_t i, const char *value)
{
        free(r->columns[i].absent);
        r->columns[i].absent = memory_string(value);
        r->columns[i].absent_known = true;
}

void relation_take_absent(struct relation *r, const struct relation *from)
{
        for (uint16_t i = 0; i < r->columns_n; i++) {
                int at = relation_column(from, r->columns[i].name);

                if (at >= 0 && from->columns[at].absent_known)
                        relation_set_absent(r, i, from->columns[at].absent);
        }
}

void relation_set_native(struct relation *r, uint16_t i, const char *native)
{
        free(r->columns[i].native);
        r->columns[i].native = memory_string(native);
}

void relation_set_cascades(struct relation *r, const struct cascades *c)
{
        struct cascades *old = r->cascades;

        r->cascades = cascades_ref(c);
        cascades_unref(old);
}

/* The count is the one thing that changes in a shared relation. */
static struct relation *writable(const struct relation *r)
{
        return (struct relation *)(uintptr_t)r;
}

struct relation *relation_ref(const struct relation *r)
{
        writable(r)->references++;
        return writable(r);
}

struct relation *relation_unref(const struct relation *shared)
{
        struct relation *r = writable(shared);

        if (!r || --r->references > 0)
                return NULL;
        if (r->binding_free)
                r->binding_free(r->binding);
        cascades_unref(r->cascades);
        for (uint16_t i = 0; i < r->columns_n; i++) {
                free(r->columns[i].name);
                free(r->columns[i].native);
                free(r->columns[i].absent);
        }
        free(r->schema);
        free(r->name);
        free(r);
        return NULL;
}

static bool ends_in(const char *text, const char *suffix)
{
        size_t len = text ? strlen(text) : 0, n = strlen(suffix);

        return len >= n && !strcmp(text + len - n, suffix);
}

enum period column_period(const struct column *c)
{
        if (ends_in(c->native, " generated as row start"))
                return PERIOD_START;
        return ends_in(c->native, " generated as row end") ? PERIOD_END : PERIOD_NONE;
}

bool column_is_generated(const struct column *c)
{
        return ends_in(c->native, " generated") || column_period(c) != PERIOD_NONE;
}

int relation_column(const struct relation *r, const char *name)
{
        for (uint16_t i = 0; i < r->columns_n; i++)
                if (!strcmp(r->columns[i].name, name))
                        return i;
        return -1;
}

/* Appends "WHAT NAME HAPPENED" to the list. */
static void say(struct buf *out, const char *what, const char *name, const char *happened)
{
        buf_printf(out, "%s%s %s %s", out->len ? ", " : "", what, name, happened);
}

static void compare_column(const struct column *a, const struct column *b, struct buf *what)
{
        if (a->native && b->native) {
                if (strcmp(a->native, b->native) != 0) {
                        say(what, "type of column", a->name, "changed");
                        buf_printf(what, " (%s to %s)", a->native, b->native);
                }
        } else if (a->type != b->type || a->modifier != b->modifier) {
                say(what, "type of column", a->name, "changed");
                buf_printf(what, " (%" PRIu32 "/%" PRId32 " to %" PRIu32 "/%" PRId32 ")", a->type,
                        a->modifier, b->type, b->modifier);
        }
        if (a->key != b->key)
                say(what, "column", a->name,
                        b->key ? "became part of the replica identity"
                               : "left the replica identity");
}

/* A column that was dropped and added again under its name is another one, at the end. */
static bool same_order(const struct relation *old, const struct relation *new)
{
        for (uint16_t i = 0; i < old->columns_n && i < new->columns_n; i++)
                if (strcmp(old->columns[i].name, new->columns[i].name) != 0)
                        return false;
        return true;
}

bool relation_same(const struct relation *old, const struct relation *new, struct buf *what)
{
        size_t before = what->len;

        if (strcmp(old->schema, new->schema) != 0 || strcmp(old->name, new->name) != 0) {
                say(what, "table", old->name, "renamed");
                buf_printf(what, " to %s.%s", new->schema, new->name);
        }
        if (old->id != new->id)
                say(what, "table", new->name, "was dropped and made again");
        if (old->identity != new->identity) {
                say(what, "replica identity of", new->name, "changed");
                buf_printf(what, " (%c to %c)", old->identity, new->identity);
        }
        for (uint16_t i = 0; i < old->columns_n; i++) {
                int at = relation_column(new, old->columns[i].name);

                if (at < 0)
                        say(what, "column", old->columns[i].name, "dropped or renamed");
                else
                        compare_column(&old->columns[i], &new->columns[at], what);
        }
        for (uint16_t i = 0; i < new->columns_n; i++)
                if (relation_column(old, new->columns[i].name) < 0)
                        say(what, "column", new->columns[i].name, "added");
        if (what->len == before && !same_order(old, new))
                say(what, "columns of", new->name,
                        "are in another order (dropped and added again?)");
        return what->len == before;
}

static bool has_natives(const struct relation *r)
{
        return r->columns_n && r->columns[0].native;
}

void relation_to_text(const struct relation *r, struct buf *out)
{
        buf_printf(out, "%d %" PRIu32 " %c %u ", has_natives(r) ? 2 : 1, r->id, r->identity,
                r->columns_n);
        buf_name(out, r->schema);
        buf_name(out, r->name);
        for (uint16_t i = 0; i < r->columns_n; i++) {
                const struct column *c = &r->columns[i];

                buf_printf(out, " %" PRIu32 " %" PRId32 " %d ", c->type, c->modifier, c->key);
                buf_name(out, c->name);
                if (has_natives(r))
                        buf_name(out, c->native ? c->native : "");
        }
}

static int take_columns(struct relation *r, bool natives, const char *at)
{
        for (uint16_t i = 0; i < r->columns_n; i++) {
                uint32_t type;
                int32_t modifier;
                int key, used = 0;
                AUTO_STRING name = NULL;

                if (sscanf(at, " %" SCNu32 " %" SCNd32 " %d %n", &type, &modifier, &key, &used) !=
                                3 ||
                        used == 0)
                        return -1;
                at += used;
                if (!(name = buf_take_name(&at)))
                        return -1;
                relation_set_column(r, i, name, type, modifier, key != 0);
                if (natives) {
                        AUTO_STRING native = buf_take_name(&at);

                        if (!native)
                                return -1;
                        relation_set_native(r, i, native);
                }
        }
        return *at == '\0' ? 0 : -1;
}

struct relation *relation_from_text(const char *text)
{
        AUTO_STRING schema = NULL;
        AUTO_STRING name = NULL;
        struct relation *r;
        uint32_t id;
        char identity;
        unsigned format, columns_n;
        int used = 0;

        if (sscanf(text, "%u %" SCNu32 " %c %u %n", &format, &id, &identity, &columns_n, &used) !=
                        4 ||
                used == 0 || (format != 1 && format != 2) ||
                columns_n > (format == 1 ? 1664 : COLUMNS_MAX) || !strchr("difn", identity))
                return NULL;
        text += used;
        if (!(schema = buf_take_name(&text)) || !(name = buf_take_name(&text)))
                return NULL;
        r = relation_new(id, schema, name, (enum replica_identity)identity, (uint16_t)columns_n);
        if (take_columns(r, format == 2, text) < 0)
                return relation_unref(r);
        return r;
}
