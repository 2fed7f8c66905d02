#include "tests/support/pieces.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct relation *piece_table(const char *name)
{
        struct relation *r = relation_new(4711, "s", name, IDENTITY_DEFAULT, 3);

        relation_set_column(r, 0, "id", 23, -1, true);
        relation_set_column(r, 1, "a", 25, -1, false);
        relation_set_column(r, 2, "b", 1043, 24, false);
        return r;
}

static struct value value_of(struct txn *t, const char *text)
{
        size_t len = text ? strlen(text) : 0;

        if (!text)
                return (struct value){.kind = VALUE_NULL};
        if (!strcmp(text, "="))
                return (struct value){.kind = VALUE_UNCHANGED};
        return (struct value){VALUE_TEXT, (uint32_t)len, arena_text(t->arena, text, len)};
}

struct value *piece_row(struct txn *t, const char *id, const char *a, const char *b)
{
        struct value *row = arena_zero(t->arena, 3 * sizeof *row);

        row[0] = value_of(t, id);
        row[1] = value_of(t, a);
        row[2] = value_of(t, b);
        return row;
}

struct change *piece_insert(struct txn *t, const struct relation *r, unsigned id, size_t len)
{
        struct change *c = txn_add(t, CHANGE_INSERT, r);
        char number[16], *text = arena_alloc(t->arena, len + 1);

        snprintf(number, sizeof number, "%u", id);
        for (size_t i = 0; i < len; i++)
                text[i] = (char)('a' + ((id ^ i * 7 ^ i >> 4) & 15));
        text[len] = '\0';
        c->new = piece_row(t, number, text, NULL);
        return c;
}

struct txn *piece_whole(const struct relation *r, uint64_t end, unsigned changes, size_t len)
{
        struct txn *t = txn_new();

        t->first = t->last = true;
        t->xid = (uint32_t)end;
        t->commit.lsn = end - 5;
        t->end.lsn = end;
        t->committed_at = 1700000000000000;
        for (unsigned i = 0; i < changes; i++)
                piece_insert(t, r, (unsigned)end + i, len);
        return t;
}

struct relation *piece_rich_table(const char *name)
{
        struct relation *r = relation_new(0, "sch\xc3\xa9ma", name, IDENTITY_FULL, 4);
        struct cascades *c = cascades_new();
        struct cascade_key *k = cascades_add(c, 2);

        k->name = memory_string("k");
        k->schema = memory_string("s");
        k->table = memory_string("child");
        k->to_schema = memory_string("s");
        k->to_table = memory_string(name);
        for (unsigned i = 0; i < 2; i++) {
                k->columns[i] = memory_printf("c%u", i);
                k->to_columns[i] = memory_printf("p%u", i);
        }
        k->on_delete = RULE_SET_NULL;
        k->on_update = RULE_CASCADE;
        r->unnamed = true;
        relation_set_column(r, 0, "id", 8, -1, true);
        relation_set_native(r, 0, "bigint unsigned");
        relation_set_column(r, 1, "gone", 0, 655366, false);
        relation_set_native(r, 1, "enum('a','b')");
        relation_set_absent(r, 1, NULL);
        relation_set_column(r, 2, "it's", 0, 0, false);
        relation_set_native(r, 2, "text");
        relation_set_absent(r, 2, "so");
        relation_set_column(r, 3, "x", 17, 0, false);
        relation_set_native(r, 3, "");
        relation_set_cascades(r, c);
        cascades_unref(c);
        return r;
}

struct value *piece_rich_row(struct txn *t)
{
        struct value *v = arena_zero(t->arena, 4 * sizeof *v);

        v[0] = (struct value){VALUE_TEXT, 2, "42"};
        v[1] = (struct value){.kind = VALUE_UNCHANGED};
        v[2] = (struct value){VALUE_TEXT, 0, ""};
        v[3] = (struct value){VALUE_TEXT, 5, "a\0b\xff\n"};
        return v;
}

static void add_truncate(struct txn *t, const struct relation *a, const struct relation *b)
{
        struct change *c = txn_add(t, CHANGE_TRUNCATE, a);

        c->truncated_n = 2;
        c->truncated = arena_zero(t->arena, 2 * sizeof *c->truncated);
        c->truncated[0] = a;
        c->truncated[1] = b;
        txn_hold(t, b);
        c->cascade = c->restart_identity = true;
}

struct txn *piece_rich(void)
{
        struct relation *a = piece_rich_table("parent"), *b = piece_table("b");
        struct relation *none = relation_new(9, "s", "no columns", IDENTITY_NOTHING, 0);
        struct txn *t = txn_new();
        struct change *c;

        t->first = t->last = true;
        t->xid = UINT32_MAX;
        t->commit = (struct position){.lsn = 4711, .file = 3};
        t->end = (struct position){.lsn = INT64_MAX, .file = 3};
        t->gtids = "0-1-17,1-2-3";
        t->committed_at = 1700000000123456;
        c = txn_add(t, CHANGE_UPDATE, a);
        c->old = piece_rich_row(t);
        c->new = piece_rich_row(t);
        c->old_full = c->cascades = true;
        txn_add(t, CHANGE_DELETE, a)->old = piece_rich_row(t);
        txn_add(t, CHANGE_UPDATE, b)->new = piece_row(t, NULL, "=", "x");
        txn_add(t, CHANGE_INSERT, none)->new = arena_zero(t->arena, sizeof *c->new);
        add_truncate(t, b, a);
        relation_unref(a);
        relation_unref(b);
        relation_unref(none);
        return t;
}

struct txn *piece_misfit(void)
{
        struct relation *b = piece_table("b"), *source = piece_rich_table("of the source");
        struct txn *t = txn_new();
        struct misfit *x = arena_zero(t->arena, sizeof *x);
        struct change *c = txn_add(t, CHANGE_UPDATE, b);

        t->first = t->last = true;
        t->xid = 9;
        t->commit = (struct position){.lsn = INT64_MAX, .file = 4};
        t->end = (struct position){.lsn = INT64_MAX, .file = 5};
        c->old = piece_row(t, "1", "=", "x");
        c->new = piece_row(t, "1", "=", "x");
        c->misfit = x;
        x->from = ENGINE_MARIADB;
        x->source = source;
        x->old = piece_rich_row(t);
        x->new = piece_rich_row(t);
        x->at = arena_zero(t->arena, b->columns_n);
        x->at[1] = MISFIT_OLD | MISFIT_NEW;
        x->message = "column 'a': no place";
        txn_hold(t, source);
        txn_add(t, CHANGE_DELETE, b)->old = piece_row(t, "2", "y", "x");
        relation_unref(b);
        relation_unref(source);
        return t;
}

static void relation_text(const struct relation *r, struct buf *out)
{
        relation_to_text(r, out);
        buf_printf(out, " unnamed %d", r->unnamed);
        for (unsigned i = 0; i < r->columns_n; i++)
                if (r->columns[i].absent_known)
                        buf_printf(out, " %u absent %s", i,
                                r->columns[i].absent ? r->columns[i].absent : "NULL");
        for (unsigned i = 0; r->cascades && i < r->cascades->n; i++) {
                const struct cascade_key *k = &r->cascades->keys[i];

                buf_printf(out, " %s %s.%s to %s.%s %d %d", k->name, k->schema, k->table,
                        k->to_schema, k->to_table, k->on_delete, k->on_update);
                for (unsigned j = 0; j < k->columns_n; j++)
                        buf_printf(out, " %s=%s", k->columns[j], k->to_columns[j]);
        }
}

static void row_text(const struct value *row, uint16_t n, const char *what, struct buf *out)
{
        if (!row)
                return;
        buf_printf(out, " %s(", what);
        for (uint16_t i = 0; i < n; i++) {
                buf_printf(out, "%s%d:%u:", i ? " " : "", row[i].kind, row[i].len);
                if (row[i].kind == VALUE_TEXT)
                        buf_add(out, row[i].data, row[i].len + 1); /* and the zero byte */
        }
        buf_char(out, ')');
}

static void misfit_text(const struct change *c, struct buf *out)
{
        const struct misfit *x = c->misfit;

        if (!x)
                return;
        buf_printf(out, " misfit %d %s ", x->from, x->message);
        for (uint16_t i = 0; i < c->relation->columns_n; i++)
                buf_printf(out, "%d", x->at[i]);
        relation_text(x->source, out);
        row_text(x->old, x->source->columns_n, "source's old", out);
        row_text(x->new, x->source->columns_n, "source's new", out);
}

void piece_text(const struct txn *t, struct buf *out)
{
        buf_printf(out,
                "%d %d %" PRIu32 " %" PRIu32 ":%" PRIu64 " %" PRIu32 ":%" PRIu64 " %s %" PRId64
                " %u\n",
                t->first, t->last, t->xid, t->commit.file, t->commit.lsn, t->end.file, t->end.lsn,
                t->gtids ? t->gtids : "-", t->committed_at, t->changes_n);
        for (const struct change *c = t->changes; c; c = c->next) {
                buf_printf(out, "%d full %d cascades %d %d %d ", c->op, c->old_full, c->cascades,
                        c->cascade, c->restart_identity);
                relation_text(c->relation, out);
                for (uint32_t i = 0; i < c->truncated_n; i++)
                        relation_text(c->truncated[i], out);
                row_text(c->old, c->relation->columns_n, "old", out);
                row_text(c->new, c->relation->columns_n, "new", out);
                misfit_text(c, out);
                buf_char(out, '\n');
        }
}
