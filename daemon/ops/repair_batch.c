#include "base/memory.h"
#include "model/row_json.h"
#include "ops/repair_private.h"

#include <stdlib.h>
#include <string.h>

void repair_batch_init(struct repair_batch *b, const struct verify_table *t, size_t room)
{
        *b = (struct repair_batch){.table = t, .arena = arena_new(), .room = room};
}

void repair_batch_done(struct repair_batch *b)
{
        for (unsigned i = 0; i < b->rows_n; i++)
                free(b->rows[i].key);
        free(b->rows);
        free(b->findings);
        free(b->hashes);
        buf_done(&b->keys);
        arena_free(b->arena);
        *b = (struct repair_batch){0};
}

/* ---- from what was found to rows ---- */

/* As verify_take_source makes them of a row's key. False: one has no place on the target. */
static bool map_key(const struct verify_table *t, struct verify_hand *h)
{
        struct error ignored = ERROR_INIT;
        bool whole = true;

        for (unsigned i = 0; i < t->to.key_n; i++) {
                const struct convert *c = t->map.convert ? t->map.convert[t->to.key[i]] : NULL;

                if (convert_value(c, h->arena, &h->own[i], &h->key[i], &ignored) < 0)
                        h->key[i] = (struct value){.kind = VALUE_UNCHANGED};
                whole &= h->key[i].kind == VALUE_TEXT;
        }
        return whole;
}

static bool take_values(const struct verify_columns *c, const struct value *row, struct value *key)
{
        for (unsigned i = 0; row && i < c->key_n; i++) {
                key[i] = row[c->key[i]];
                if (key[i].kind != VALUE_TEXT)
                        return false;
        }
        return row != NULL;
}

/* Under the source's names, if the source can have such a key at all. */
static bool take_source_key(
        struct repair_batch *b, struct verify_hand *h, const char *json, struct repair_row *row)
{
        const struct verify_table *t = b->table;
        struct error ignored = ERROR_INIT;
        struct value *values = row_from_json(h->arena, t->from.shape, json, &ignored);
        bool whole;

        if (!take_values(&t->from, values, h->own))
                return false;
        whole = map_key(t, h);
        if (whole && verify_key_back(t, h->arena, h->key, h->mapped) < 0)
                return false;
        row->from = verify_keep(&b->keys, h->own, t->from.key_n);
        if (whole)
                row->to = verify_keep(&b->keys, h->key, t->to.key_n);
        return true;
}

static bool take_target_key(
        struct repair_batch *b, struct verify_hand *h, const char *json, struct repair_row *row)
{
        const struct verify_table *t = b->table;
        struct error ignored = ERROR_INIT;
        struct value *values = row_from_json(h->arena, t->to.shape, json, &ignored);

        if (!take_values(&t->to, values, h->key))
                return false;
        row->to = verify_keep(&b->keys, h->key, t->to.key_n);
        return true;
}

static bool take_key(
        struct repair_batch *b, struct verify_hand *h, const char *json, struct repair_row *row)
{
        const struct verify_table *t = b->table;

        if (!take_source_key(b, h, json, row) && !take_target_key(b, h, json, row))
                return false;
        for (unsigned i = 0; i < t->to.key_n; i++) {
                struct value *v = &h->mapped[t->to.key[i]];

                *v = h->key[i];
                canon_value(t->canon[t->to.key[i]], h->arena, v);
        }
        row->hash = verify_key_digest(h, t).a;
        return true;
}

/* {"row":"#0123456789abcdef","copies":"2"}, see verify_bag.c. */
static bool take_digest(const char *json, struct repair_row *row, uint32_t *copies)
{
        cJSON *o = cJSON_Parse(json);
        const char *digest = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "row"));
        const char *n = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "copies"));
        bool whole = digest && n && *digest == '#';

        if (whole) {
                row->hash = strtoull(digest + 1, NULL, 16);
                *copies = (uint32_t)strtoul(n, NULL, 10);
        }
        cJSON_Delete(o);
        return whole;
}

static struct repair_row *known_row(struct repair_batch *b, uint64_t hash)
{
        for (unsigned i = 0; i < b->rows_n; i++)
                if (b->rows[i].hash == hash && b->rows[i].end == REPAIR_OPEN)
                        return &b->rows[i];
        return NULL;
}

static struct repair_row *add_row(
        struct repair_batch *b, const struct repair_row *row, const struct verify_finding *f)
{
        struct repair_row *new;

        if (b->rows_n == b->cap) {
                b->cap = b->cap ? 2 * b->cap : 64;
                b->rows = memory_grow(b->rows, b->cap * sizeof *b->rows);
        }
        new = &b->rows[b->rows_n++];
        *new = *row;
        new->kind = f->kind;
        new->key = memory_string(f->key);
        return new;
}

void repair_batch_add(struct repair_batch *b, struct verify_worker *w, uint64_t id,
        const struct verify_finding *f)
{
        struct repair_row row = {.from = VERIFY_NO_KEY, .to = VERIFY_NO_KEY}, *known = NULL;
        struct repair_finding x = {.id = id, .kind = f->kind, .copies = 1};
        bool whole = b->table->way == VERIFY_BAG ? take_digest(f->key, &row, &x.copies)
                                                 : take_key(b, &w->hand, f->key, &row);

        if (whole)
                known = known_row(b, row.hash);
        if (!known)
                known = add_row(b, &row, f);
        if (!whole) {
                error_set(&known->why, ERROR_DATA,
                        "the table has another key by now: run a verification");
                known->end = REPAIR_REFUSED;
        }
        x.row = (unsigned)(known - b->rows);
        b->findings = memory_grow(b->findings, (b->findings_n + 1) * sizeof *b->findings);
        b->findings[b->findings_n++] = x;
}

struct place {
        uint64_t hash;
        unsigned row;
};

static int by_hash(const void *x, const void *y)
{
        const struct place *a = x, *b = y;

        return (a->hash > b->hash) - (a->hash < b->hash);
}

/* The findings' rows move with them. */
void repair_batch_sort(struct repair_batch *b)
{
        struct place *places = memory_new((b->rows_n + 1) * sizeof *places);
        struct repair_row *rows = memory_new((b->rows_n + 1) * sizeof *rows);
        unsigned *now = memory_new((b->rows_n + 1) * sizeof *now);

        for (unsigned i = 0; i < b->rows_n; i++)
                places[i] = (struct place){b->rows[i].hash, i};
        qsort(places, b->rows_n, sizeof *places, by_hash);
        b->hashes = memory_new((b->rows_n + 1) * sizeof *b->hashes);
        for (unsigned i = 0; i < b->rows_n; i++) {
                rows[i] = b->rows[places[i].row];
                b->hashes[i] = rows[i].hash;
                now[places[i].row] = i;
        }
        for (unsigned i = 0; i < b->findings_n; i++)
                b->findings[i].row = now[b->findings[i].row];
        free(b->rows);
        free(places);
        free(now);
        b->rows = rows;
}

/* ---- rounds ---- */

static int by_number(const void *x, const void *y)
{
        uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

        return (a > b) - (a < b);
}

/* Those that are at their end, as the same hash may be there twice, are passed over. */
struct repair_row *repair_batch_find(struct repair_batch *b, uint64_t hash)
{
        const uint64_t *found =
                b->rows_n ? bsearch(&hash, b->hashes, b->rows_n, sizeof hash, by_number) : NULL;
        unsigned i;

        if (!found)
                return NULL;
        i = (unsigned)(found - b->hashes);
        while (i > 0 && b->hashes[i - 1] == hash)
                i--;
        for (; i < b->rows_n && b->hashes[i] == hash; i++)
                if (b->rows[i].end == REPAIR_OPEN)
                        return &b->rows[i];
        return NULL;
}

void repair_batch_round(struct repair_batch *b)
{
        arena_free(b->arena);
        b->arena = arena_new();
        b->kept = 0;
        for (unsigned i = 0; i < b->rows_n; i++) {
                struct repair_row *row = &b->rows[i];

                row->values = NULL;
                row->there = NULL;
                row->late = row->ready = row->no_place = false;
        }
}

struct value *repair_batch_keep(struct repair_batch *b, const struct value *row)
{
        uint16_t n = b->table->to.shape->columns_n;
        size_t bytes = (n + 1u) * sizeof *row;
        struct value *kept;

        for (uint16_t i = 0; i < n; i++)
                bytes += row[i].kind == VALUE_TEXT ? row[i].len : 0;
        if (b->kept > 0 && b->kept + bytes > b->room)
                return NULL;
        b->kept += bytes;
        kept = arena_alloc(b->arena, (n + 1u) * sizeof *kept);
        for (uint16_t i = 0; i < n; i++) {
                kept[i] = row[i];
                if (row[i].kind == VALUE_TEXT)
                        kept[i].data = arena_text(b->arena, row[i].data, row[i].len);
        }
        return kept;
}

unsigned repair_batch_open(const struct repair_batch *b)
{
        unsigned open = 0;

        for (unsigned i = 0; i < b->rows_n; i++)
                open += b->rows[i].end == REPAIR_OPEN;
        return open;
}
