#include "sinks/quarantine.h"
#include "base/memory.h"
#include "model/engine.h"
#include "model/row_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const operations[] = {"insert", "update", "delete"};

/* ---- the rows that are in quarantine ---- */

void quarantine_clear(struct quarantine *q)
{
        free(q->slots);
        q->slots = NULL;
        q->n = q->room = 0;
        q->changes = 0;
}

/* Where the row is, or would be. */
static struct quarantine_key *slot_of(const struct quarantine *q, uint64_t row)
{
        size_t i = row & (q->room - 1);

        while (q->slots[i].row && q->slots[i].row != row)
                i = (i + 1) & (q->room - 1);
        return &q->slots[i];
}

/* Into a new table of so many slots, but for one table's rows. */
static void rebuild(struct quarantine *q, size_t room, uint64_t without)
{
        struct quarantine old = *q;

        q->slots = memory_new(room * sizeof *q->slots);
        q->room = room;
        q->n = 0;
        for (size_t i = 0; i < old.room; i++)
                if (old.slots[i].row && old.slots[i].table != without) {
                        *slot_of(q, old.slots[i].row) = old.slots[i];
                        q->n++;
                }
        free(old.slots);
}

int quarantine_add(struct quarantine *q, struct quarantine_key k, struct error *e)
{
        struct quarantine_key *slot;

        if (2 * (q->n + 1) > q->room)
                rebuild(q, q->room ? q->room * 2 : 64, 0);
        slot = slot_of(q, k.row);
        if (slot->row)
                return 0;
        if (q->n == q->max)
                return error_set(e, ERROR_CONFIG,
                        "more than %zu rows are in quarantine: retry or discard some (culvertctl "
                        "quarantine), then resume",
                        q->max);
        *slot = k;
        q->n++;
        return 0;
}

bool quarantine_has(const struct quarantine *q, uint64_t row)
{
        return q->n && slot_of(q, row)->row;
}

bool quarantine_has_table(const struct quarantine *q, uint64_t table)
{
        for (size_t i = 0; i < q->room; i++)
                if (q->slots[i].row && q->slots[i].table == table)
                        return true;
        return false;
}

void quarantine_forget(struct quarantine *q, uint64_t table)
{
        if (q->n)
                rebuild(q, q->room, table);
}

/* ---- which tables, which rows ---- */

static bool goes_to(
        const struct config *c, const struct config_table *t, const char *schema, const char *name)
{
        const char *to = t->to_schema ? t->to_schema : config_schema_of(c, t->schema);

        return !strcmp(to, schema) && !strcmp(t->to_name ? t->to_name : t->name, name);
}

enum config_conflict quarantine_policy(
        const struct quarantine *q, const struct config *c, const char *schema, const char *name)
{
        for (unsigned i = 0; i < c->table_n; i++)
                if (c->table[i].on_conflict != CONFLICT_STOP &&
                        goes_to(c, &c->table[i], schema, name))
                        return c->table[i].on_conflict;
        return quarantine_has_table(q, quarantine_hash(schema, name)) ? CONFLICT_QUARANTINE
                                                                      : CONFLICT_STOP;
}

int quarantine_no_key(const struct relation *r, enum config_conflict policy, struct error *e)
{
        error_set(e, ERROR_CONFIG,
                "[table] on_conflict = %s: %s.%s has no key that both sides have, so %s: give it a "
                "primary key, or on_conflict = stop",
                policy == CONFLICT_OVERWRITE ? "overwrite" : "quarantine", r->schema, r->name,
                policy == CONFLICT_OVERWRITE
                        ? "no row could be told to be overwritten"
                        : "later changes of a row could not be told from those of others");
        snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
        return -1;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_byte(uint64_t hash, unsigned char c)
{
        return (hash ^ c) * UINT64_C(0x100000001b3);
}

static uint64_t hash_text(uint64_t hash, const char *text, size_t len)
{
        for (size_t i = 0; i < len; i++)
                hash = hash_byte(hash, (unsigned char)text[i]);
        return hash_byte(hash, 0);
}

uint64_t quarantine_hash(const char *schema, const char *name)
{
        uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), schema, strlen(schema));

        hash = hash_text(hash, name, strlen(name));
        return hash ? hash : 1;
}

struct quarantine_table *quarantine_table_new(const struct relation *r, enum config_conflict policy)
{
        struct quarantine_table *t = memory_new(sizeof *t + (r->columns_n + 1u) * sizeof *t->key);

        t->hash = quarantine_hash(r->schema, r->name);
        t->overwrite = policy == CONFLICT_OVERWRITE;
        return t;
}

/* Without the zeros at the end of a fraction: 1.50, and 1.00. */
static size_t without_zeros(const char *text, size_t len)
{
        size_t digits = strspn(text, "-0123456789"), end = len;

        if (digits == 0 || text[digits] != '.' ||
                digits + 1 + strspn(text + digits + 1, "0123456789") != len)
                return len;
        while (text[end - 1] == '0')
                end--;
        return text[end - 1] == '.' ? end - 1 : end;
}

static uint64_t hash_value(uint64_t hash, const struct value *v)
{
        size_t len = v->kind == VALUE_TEXT ? without_zeros(v->data, v->len) : 0;

        if (v->kind != VALUE_TEXT)
                return hash_byte(hash, 1);
        while (len && v->data[len - 1] == ' ')
                len--;
        hash = hash_byte(hash, 2);
        for (size_t i = 0; i < len; i++) {
                char c = v->data[i];

                hash = hash_byte(hash, (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c));
        }
        return hash_byte(hash, 0);
}

int quarantine_check_key(const struct quarantine_table *t, const struct change *c, struct error *e)
{
        const struct relation *r = c->relation;

        for (uint16_t i = 0; c->misfit && i < r->columns_n; i++) {
                if (!c->misfit->at[i] || (t && !t->key[i]))
                        continue;
                error_set(e, ERROR_DATA, "%s.%s: %s%s", r->schema, r->name, c->misfit->message,
                        t ? " (a value of the key: without it the row cannot wait in quarantine)"
                          : "");
                snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
                return -1;
        }
        return 0;
}

/* A key that an update did not touch may be left out of the new row. */
static struct quarantine_key key_of(const struct quarantine_table *t, const struct relation *r,
        const struct value *row, const struct value *old)
{
        uint64_t hash = t->hash;

        for (uint16_t i = 0; i < r->columns_n; i++)
                if (t->key[i])
                        hash = hash_value(
                                hash, row[i].kind == VALUE_UNCHANGED && old ? &old[i] : &row[i]);
        return (struct quarantine_key){t->hash, hash ? hash : 1};
}

void quarantine_rows_of(
        const struct quarantine_table *t, const struct change *c, struct quarantine_rows *rows)
{
        *rows = (struct quarantine_rows){0};
        if (c->old)
                rows->keys[rows->n++] = key_of(t, c->relation, c->old, NULL);
        if (c->new)
                rows->keys[rows->n++] = key_of(t, c->relation, c->new, c->old);
        if (rows->n == 2 && rows->keys[0].row == rows->keys[1].row)
                rows->n = 1;
}

bool quarantine_has_any(const struct quarantine *q, const struct quarantine_rows *rows)
{
        return (rows->n > 0 && quarantine_has(q, rows->keys[0].row)) ||
               (rows->n > 1 && quarantine_has(q, rows->keys[1].row));
}

int quarantine_add_all(struct quarantine *q, const struct quarantine_rows *rows, struct error *e)
{
        for (unsigned i = 0; i < rows->n; i++)
                if (quarantine_add(q, rows->keys[i], e) < 0)
                        return -1;
        return 0;
}

/* ---- to the table and back ---- */

static void put_rows(struct quarantine_entry *n, const struct relation *r, const struct value *old,
        const struct value *new)
{
        if (old)
                row_to_json(&n->old, r, old, NULL);
        if (new)
                row_to_json(&n->new, r, new, NULL);
        relation_to_text(r, &n->shape);
}

void quarantine_entry_init(struct quarantine_entry *n, const struct quarantine_table *t,
        const struct change *c, const struct error *why)
{
        const struct misfit *x = change_is_misfit(c) ? c->misfit : NULL;

        *n = (struct quarantine_entry){.operation = operations[c->op]};
        quarantine_rows_of(t, c, &n->rows);
        row_to_json(&n->key, c->relation, c->old ? c->old : c->new, t->key);
        if (x)
                put_rows(n, x->source, x->old, x->new);
        else
                put_rows(n, c->relation, c->old, c->new);
        n->source = x ? engine_name(x->from) : NULL;
        if (why)
                memcpy(n->code, why->code, sizeof n->code);
        n->message = why ? why->message
                     : x ? x->message
                         : "an earlier change of this row is in quarantine";
}

void quarantine_entry_done(struct quarantine_entry *n)
{
        buf_done(&n->key);
        buf_done(&n->old);
        buf_done(&n->new);
        buf_done(&n->shape);
}

static int operation_of(const char *text)
{
        for (unsigned i = 0; i < sizeof operations / sizeof *operations; i++)
                if (!strcmp(operations[i], text))
                        return (int)i;
        return -1;
}

static int fill_change(struct txn *t, const struct relation *r, const struct quarantine_text *from,
        struct error *e)
{
        int op = operation_of(from->operation);
        struct change *c;

        if (op < 0 || (op != CHANGE_DELETE && !from->new) || (op == CHANGE_DELETE && !from->old))
                return error_set(e, ERROR_DATA, "'%.20s' with these rows is no change of a row",
                        from->operation);
        c = txn_add(t, (enum change_op)op, r);
        c->old_full = from->old_full;
        if (from->old && !(c->old = row_from_json(t->arena, r, from->old, e)))
                return -1;
        if (from->new && !(c->new = row_from_json(t->arena, r, from->new, e)))
                return -1;
        return 0;
}

struct txn *quarantine_change(
        const struct relation *r, const struct quarantine_text *from, struct error *e)
{
        struct txn *t = txn_new();

        return fill_change(t, r, from, e) < 0 ? txn_free(t) : t;
}
