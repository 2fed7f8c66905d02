/* Records to pieces. The bytes may be anything: everything is checked before it is used. */
#include "spool/record_known.h"
#include "spool/record.h"
#include "base/memory.h"

#include "change.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What unpacking a record may take. Each of its fields is a small structure, so that this is many
 * times what the bytes are. */
#define UNPACK_MAX(len) ((size_t)(len)*16 + 2 * 1024 * 1024)
#define SCRATCH_KEPT (256 * 1024) /* the scratch begins anew above */

struct record_reader {
        struct known now, before;
        struct arena *scratch; /* of the record at hand */
        size_t scratch_max;
        char *gtids;
        struct txn *open; /* changes whose Piece is still to come */
};

struct record_reader *record_reader_new(void)
{
        struct record_reader *r = memory_new_of(struct record_reader);

        r->scratch = arena_new();
        return r;
}

struct record_reader *record_reader_free(struct record_reader *r)
{
        if (!r)
                return NULL;
        txn_free(r->open);
        known_done(&r->now);
        known_done(&r->before);
        arena_free(r->scratch);
        free(r->gtids);
        free(r);
        return NULL;
}

void record_reader_begin(struct record_reader *r)
{
        known_done(&r->before);
        r->before = r->now;
        r->now = (struct known){0};
        r->open = txn_free(r->open);
}

static void *scratch_alloc(void *context, size_t size)
{
        struct record_reader *r = context;

        if (size > r->scratch_max || arena_bytes(r->scratch) > r->scratch_max - size)
                return NULL;
        return arena_alloc(r->scratch, size);
}

static void scratch_free(void *context, void *p)
{
        (void)context;
        (void)p;
}

static Culvert__Record *unpack(struct record_reader *r, const void *bytes, size_t len)
{
        ProtobufCAllocator allocator = {scratch_alloc, scratch_free, r};

        if (arena_bytes(r->scratch) > SCRATCH_KEPT) {
                arena_free(r->scratch);
                r->scratch = arena_new();
        }
        r->scratch_max = arena_bytes(r->scratch) + UNPACK_MAX(len);
        return culvert__record__unpack(&allocator, len, bytes);
}

static struct position position_from(const Culvert__Position *p)
{
        return p ? (struct position){.lsn = p->lsn, .file = p->has_file ? p->file : 0}
                 : POSITION_NONE;
}

/* ---- changes ---- */

static int take_row(struct txn *t, const struct relation *of, const Culvert__Row *m,
        struct value **row, struct error *e)
{
        size_t left = m->has_text ? m->text.len : 0;
        char *text = arena_text(t->arena, m->text.data, left);
        struct value *v = arena_zero(t->arena, (of->columns_n + 1u) * sizeof *v);

        *row = v;
        if (m->n_cells != of->columns_n)
                return record_damaged(e, "a row has another number of columns than its table");
        for (size_t i = 0; i < m->n_cells; i++, v++) {
                uint64_t len = m->cells[i] - 2;

                v->kind = m->cells[i] == 0   ? VALUE_NULL
                          : m->cells[i] == 1 ? VALUE_UNCHANGED
                                             : VALUE_TEXT;
                if (v->kind != VALUE_TEXT)
                        continue;
                if (len >= left || len > UINT32_MAX || text[len] != '\0')
                        return record_damaged(e, "a value is cut short");
                v->data = text;
                v->len = (uint32_t)len;
                text += len + 1;
                left -= len + 1;
        }
        return left ? record_damaged(e, "a row has bytes that belong to no column") : 0;
}

/* Rows are there as the operation has them: sinks rely on it. */
static bool rows_fit(const Culvert__Change *m)
{
        switch (m->operation) {
        case CULVERT__OPERATION__INSERT:
                return m->new_ && !m->old;
        case CULVERT__OPERATION__UPDATE:
                return m->new_;
        case CULVERT__OPERATION__DELETE:
                return m->old && !m->new_;
        case CULVERT__OPERATION__TRUNCATE:
                return !m->old && !m->new_;
        default:
                return false;
        }
}

static int take_truncated(const struct known *k, struct txn *t, struct change *c,
        const Culvert__Change *m, struct error *e)
{
        c->truncated_n = (uint32_t)m->n_relations;
        c->truncated = arena_zero(t->arena, m->n_relations * sizeof(void *));
        for (size_t i = 0; i < m->n_relations; i++) {
                if (!(c->truncated[i] = known_relation(k, m->relations[i])))
                        return record_damaged(e, "a change names a table that is not defined");
                txn_hold(t, c->truncated[i]);
        }
        return 0;
}

static int take_misfit(
        struct record_reader *r, struct change *c, const Culvert__Misfit *m, struct error *e)
{
        struct txn *t = r->open;
        const struct relation *source = known_relation(&r->now, m->relation);
        struct misfit *x = arena_zero(t->arena, sizeof *x);

        if (!source)
                return record_damaged(e, "a change names a table that is not defined");
        if (c->op == CHANGE_TRUNCATE || m->from > ENGINE_MARIADB ||
                m->at.len != c->relation->columns_n || !m->old != !c->old || !m->new_ != !c->new)
                return record_damaged(e, "a value without a place is of no such row");
        txn_hold(t, source);
        x->from = (enum engine)m->from;
        x->source = source;
        x->at = arena_zero(t->arena, m->at.len + 1);
        for (size_t i = 0; i < m->at.len; i++)
                x->at[i] = m->at.data[i];
        x->message = arena_text(t->arena, m->message, strlen(m->message));
        c->misfit = x;
        if (m->old && take_row(t, source, m->old, &x->old, e) < 0)
                return -1;
        return m->new_ ? take_row(t, source, m->new_, &x->new, e) : 0;
}

static int take_change(struct record_reader *r, const Culvert__Change *m, struct error *e)
{
        bool truncate = m->operation == CULVERT__OPERATION__TRUNCATE;
        const struct relation *of =
                m->n_relations ? known_relation(&r->now, m->relations[0]) : NULL;
        struct change *c;

        if (!of || (!truncate && m->n_relations != 1) || m->n_relations > UINT32_MAX)
                return record_damaged(e, "a change names a table that is not defined");
        if (!rows_fit(m))
                return record_damaged(e, "a change has not the rows of its operation");
        if (!r->open)
                r->open = txn_new();
        c = txn_add(r->open, (enum change_op)m->operation, of);
        c->old_full = m->has_old_full && m->old_full;
        c->cascades = m->has_cascades && m->cascades;
        c->cascade = m->has_truncate_cascade && m->truncate_cascade;
        c->restart_identity = m->has_restart_identity && m->restart_identity;
        if (truncate)
                return take_truncated(&r->now, r->open, c, m, e);
        if (m->old && take_row(r->open, of, m->old, &c->old, e) < 0)
                return -1;
        if (m->new_ && take_row(r->open, of, m->new_, &c->new, e) < 0)
                return -1;
        return m->misfit ? take_misfit(r, c, m->misfit, e) : 0;
}

static int take_piece(
        struct record_reader *r, const Culvert__Piece *m, struct record *record, struct error *e)
{
        struct txn *t = r->open ? r->open : txn_new();

        r->open = t;
        t->first = m->has_first && m->first;
        t->last = m->has_last && m->last;
        t->xid = m->xid;
        t->commit = position_from(m->commit);
        t->end = position_from(m->end);
        t->committed_at = m->has_committed_at ? m->committed_at : 0;
        if (t->last && m->gtids)
                t->gtids = arena_text(t->arena, m->gtids, strlen(m->gtids));
        if (position_is_none(t->commit) || t->last == position_is_none(t->end))
                return record_damaged(e, "a transaction has no position");
        record->piece = t;
        r->open = NULL;
        return RECORD_PIECE;
}

static int take_passed(
        struct record_reader *r, const Culvert__Passed *m, struct record *record, struct error *e)
{
        if (r->open)
                return record_damaged(e, "changes belong to no transaction");
        record->passed = position_from(m->position);
        if (position_is_none(record->passed))
                return record_damaged(e, "a position is missing");
        free(r->gtids);
        r->gtids = memory_string(m->gtids);
        record->gtids = r->gtids;
        return RECORD_PASSED;
}

/* ---- records ---- */

/* The bytes of the next record; NULL: there is none whole. */
static const void *next_bytes(struct reader *in, size_t *len)
{
        uint64_t n = 0;
        uint8_t byte;
        unsigned shift = 0;

        if (reader_u8(in) != 0x0a)
                return NULL;
        do {
                byte = reader_u8(in);
                n |= (uint64_t)(byte & 0x7f) << shift;
                shift += 7;
        } while (byte & 0x80 && shift < 35);
        if (byte & 0x80 || n > RECORD_MAX)
                return NULL;
        *len = (size_t)n;
        return reader_bytes(in, *len);
}

/* RECORD_END: it defined something, or was a change of the piece to come. */
static int take(struct record_reader *r, Culvert__Record *m, struct record *record, struct error *e)
{
        int parts = !!m->cascades + !!m->relation + !!m->change + !!m->piece + !!m->passed;

        if (parts != 1)
                return record_damaged(e, "a record is of no known kind");
        if (m->cascades)
                return known_take_cascades(&r->now, &r->before, m->cascades, e);
        if (m->relation)
                return known_take_relation(&r->now, &r->before, m->relation, e);
        if (m->change)
                return take_change(r, m->change, e);
        if (m->piece)
                return take_piece(r, m->piece, record, e);
        return take_passed(r, m->passed, record, e);
}

int record_next(struct record_reader *r, struct reader *in, struct record *record, struct error *e)
{
        *record = (struct record){0};
        while (reader_left(in) > 0) {
                size_t len = 0;
                const void *bytes = next_bytes(in, &len);
                Culvert__Record *m = bytes ? unpack(r, bytes, len) : NULL;
                int rc = m ? take(r, m, record, e) : record_damaged(e, "a record is malformed");

                if (rc != RECORD_END) {
                        if (rc < 0)
                                r->open = txn_free(r->open);
                        return rc;
                }
        }
        if (!r->open)
                return RECORD_END;
        r->open = txn_free(r->open);
        return record_damaged(e, "changes belong to no transaction");
}

int record_last_gtids(struct reader *in, char **gtids, struct error *e)
{
        struct record_reader *r = record_reader_new();
        const Culvert__Record *m;
        int rc = 0;

        *gtids = NULL;
        while (rc == 0 && reader_left(in) > 0) {
                size_t len = 0;
                const void *bytes = next_bytes(in, &len);

                m = bytes ? unpack(r, bytes, len) : NULL;
                if (!m)
                        rc = record_damaged(e, "a record is malformed");
                else if (m->passed || (m->piece && m->piece->end)) {
                        free(*gtids);
                        *gtids = memory_string(m->passed ? m->passed->gtids : m->piece->gtids);
                }
        }
        if (rc < 0) {
                free(*gtids);
                *gtids = NULL;
        }
        record_reader_free(r);
        return rc;
}
