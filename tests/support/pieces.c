#include "tests/support/pieces.h"
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
                text[i] = (char)('a' + (id + i * i) % 26);
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
                buf_char(out, '\n');
        }
}
