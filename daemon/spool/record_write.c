/* Pieces to records. */
#include "spool/record.h"
#include "spool/record_numbers.h"
#include "base/memory.h"
#include "model/cascade.h"

#include "change.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_SIZE 64

struct record_writer {
        struct record_numbers cascades, relations;
        struct buf packed, text;
        uint64_t *cells;
        size_t cells_room;
        struct { /* of one call: a piece holds its relations */
                const struct relation *relation;
                uint32_t number;
        } cache[CACHE_SIZE];
};

struct record_writer *record_writer_new(void)
{
        return memory_new_of(struct record_writer);
}

struct record_writer *record_writer_free(struct record_writer *w)
{
        if (!w)
                return NULL;
        record_writer_begin(w);
        buf_done(&w->packed);
        buf_done(&w->text);
        free(w->cells);
        free(w);
        return NULL;
}

void record_writer_begin(struct record_writer *w)
{
        record_numbers_clear(&w->cascades);
        record_numbers_clear(&w->relations);
}

struct packer {
        ProtobufCBuffer base; /* first */
        struct buf *to;
};

static void append(ProtobufCBuffer *b, size_t len, const uint8_t *data)
{
        buf_add(((struct packer *)b)->to, data, len);
}

static void pack(struct buf *to, const ProtobufCMessage *m)
{
        struct packer packer = {{append}, to};

        protobuf_c_message_pack_to_buffer(m, &packer.base);
}

static void put_record(struct buf *out, const Culvert__Record *r)
{
        size_t len = culvert__record__get_packed_size(r);
        uint8_t head[11] = {0x0a}; /* field 1 of Frame, with a length */
        size_t n = 1;

        for (size_t left = len; n == 1 || left; left >>= 7)
                head[n++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        buf_add(out, head, n);
        pack(out, &r->base);
}

static Culvert__Position position_of(struct position p)
{
        Culvert__Position to = CULVERT__POSITION__INIT;

        to.lsn = p.lsn;
        to.has_file = p.file != 0;
        to.file = p.file;
        return to;
}

/* ---- definitions ---- */

static void fill_key(Culvert__CascadeKey *to, const struct cascade_key *k)
{
        culvert__cascade_key__init(to);
        to->name = k->name;
        to->schema = k->schema;
        to->table = k->table;
        to->columns = k->columns;
        to->n_columns = k->columns_n;
        to->to_schema = k->to_schema;
        to->to_table = k->to_table;
        to->to_columns = k->to_columns;
        to->n_to_columns = k->columns_n;
        to->on_delete = (uint32_t)k->on_delete;
        to->on_update = (uint32_t)k->on_update;
}

static uint32_t define_cascades(struct record_writer *w, struct buf *out, const struct cascades *c)
{
        Culvert__CascadeKey *keys = memory_new((c->n + 1) * sizeof *keys);
        Culvert__CascadeKey **list = memory_new((c->n + 1) * sizeof *list);
        Culvert__Cascades m = CULVERT__CASCADES__INIT;
        Culvert__Record r = CULVERT__RECORD__INIT;
        bool new;

        for (unsigned i = 0; i < c->n; i++) {
                fill_key(&keys[i], &c->keys[i]);
                list[i] = &keys[i];
        }
        m.n_keys = c->n;
        m.keys = list;
        buf_clear(&w->packed);
        pack(&w->packed, &m.base);
        m.number = record_number(&w->cascades, w->packed.data, w->packed.len, &new);
        r.cascades = &m;
        if (new)
                put_record(out, &r);
        free(keys);
        free(list);
        return m.number;
}

static void fill_column(Culvert__Column *to, const struct column *c)
{
        culvert__column__init(to);
        to->name = c->name;
        to->has_type = c->type != 0;
        to->type = c->type;
        to->has_modifier = c->modifier != 0;
        to->modifier = c->modifier;
        to->has_key = to->key = c->key;
        to->native = c->native;
        to->has_absent_known = to->absent_known = c->absent_known;
        to->absent = c->absent_known ? c->absent : NULL;
}

static uint32_t define_relation(
        struct record_writer *w, struct buf *out, const struct relation *from)
{
        Culvert__Column *columns = memory_new((from->columns_n + 1u) * sizeof *columns);
        Culvert__Column **list = memory_new((from->columns_n + 1u) * sizeof *list);
        Culvert__Relation m = CULVERT__RELATION__INIT;
        Culvert__Record r = CULVERT__RECORD__INIT;
        bool new;

        for (unsigned i = 0; i < from->columns_n; i++) {
                fill_column(&columns[i], &from->columns[i]);
                list[i] = &columns[i];
        }
        m.has_id = from->id != 0;
        m.id = from->id;
        m.schema = from->schema;
        m.name = from->name;
        m.identity = (uint32_t)from->identity;
        m.has_unnamed = m.unnamed = from->unnamed;
        m.has_cascades = from->cascades != NULL;
        if (from->cascades)
                m.cascades = define_cascades(w, out, from->cascades);
        m.n_columns = from->columns_n;
        m.columns = list;
        buf_clear(&w->packed);
        pack(&w->packed, &m.base);
        m.number = record_number(&w->relations, w->packed.data, w->packed.len, &new);
        r.relation = &m;
        if (new)
                put_record(out, &r);
        free(columns);
        free(list);
        return m.number;
}

static uint32_t relation_number(struct record_writer *w, struct buf *out, const struct relation *r)
{
        size_t i = ((uintptr_t)r / 64) % CACHE_SIZE;

        if (w->cache[i].relation != r) {
                w->cache[i].number = define_relation(w, out, r);
                w->cache[i].relation = r;
        }
        return w->cache[i].number;
}

/* ---- changes ---- */

/* Cells and texts lie behind those of the change's other row. */
static void fill_row(struct record_writer *w, Culvert__Row *to, const struct value *row, uint16_t n,
        size_t first_cell)
{
        size_t first = w->text.len;

        culvert__row__init(to);
        for (uint16_t i = 0; i < n; i++) {
                w->cells[first_cell + i] = row[i].kind == VALUE_NULL ? 0
                                           : row[i].kind == VALUE_UNCHANGED
                                                   ? 1
                                                   : row[i].len + UINT64_C(2);
                if (row[i].kind != VALUE_TEXT)
                        continue;
                buf_add(&w->text, row[i].data, row[i].len);
                buf_char(&w->text, '\0');
        }
        to->n_cells = n;
        to->cells = w->cells + first_cell;
        to->has_text = w->text.len > first;
        to->text.len = w->text.len - first;
}

/* The rows of a change: its own, and the source's where some of those do not fit. */
struct rows {
        Culvert__Row own[2], source[2]; /* old, new */
        Culvert__Misfit misfit;
};

static Culvert__Row *fill_if(struct record_writer *w, Culvert__Row *to, const struct value *row,
        uint16_t n, size_t *cell)
{
        if (!row)
                return NULL;
        fill_row(w, to, row, n, *cell);
        *cell += n;
        return to;
}

/* The buffer of the texts may have moved while it was filled. */
static void place_text(struct record_writer *w, Culvert__Row *row, size_t *at)
{
        if (!row || !row->has_text)
                return;
        row->text.data = (uint8_t *)w->text.data + *at;
        *at += row->text.len;
}

static void fill_rows(
        struct record_writer *w, Culvert__Change *m, struct rows *r, const struct change *c)
{
        const struct misfit *x = c->misfit;
        uint16_t n = c->relation->columns_n, source_n = x ? x->source->columns_n : 0;
        size_t room = 2u * n + 2u * source_n, cell = 0, at = 0;

        if (w->cells_room < room) {
                w->cells_room = room;
                w->cells = memory_grow(w->cells, room * sizeof *w->cells);
        }
        buf_clear(&w->text);
        m->old = fill_if(w, &r->own[0], c->old, n, &cell);
        m->new_ = fill_if(w, &r->own[1], c->new, n, &cell);
        if (x) {
                m->misfit->old = fill_if(w, &r->source[0], x->old, source_n, &cell);
                m->misfit->new_ = fill_if(w, &r->source[1], x->new, source_n, &cell);
        }
        place_text(w, m->old, &at);
        place_text(w, m->new_, &at);
        if (x) {
                place_text(w, m->misfit->old, &at);
                place_text(w, m->misfit->new_, &at);
        }
}

static void fill_misfit(
        struct record_writer *w, struct buf *out, Culvert__Misfit *m, const struct change *c)
{
        const struct misfit *x = c->misfit;

        culvert__misfit__init(m);
        m->from = (uint32_t)x->from;
        m->relation = relation_number(w, out, x->source);
        m->at.data = x->at;
        m->at.len = c->relation->columns_n;
        m->message = memory_unconst(x->message);
}

static size_t bytes_of(const struct value *row, uint16_t n)
{
        size_t bytes = 0;

        for (uint16_t i = 0; row && i < n; i++)
                bytes += (row[i].kind == VALUE_TEXT ? row[i].len : 0) + 12;
        return bytes;
}

static int check_size(const struct change *c, struct error *e)
{
        uint16_t n = c->relation->columns_n;
        const struct misfit *x = c->misfit;
        size_t bytes = bytes_of(c->old, n) + bytes_of(c->new, n);

        if (x)
                bytes += bytes_of(x->old, x->source->columns_n) +
                         bytes_of(x->new, x->source->columns_n) + n + strlen(x->message);

        if (bytes < RECORD_MAX - 1024)
                return 0;
        return error_set(e, ERROR_DATA,
                "a change to %s.%s has %zu bytes; the queue on disk takes less than %u",
                c->relation->schema, c->relation->name, bytes, RECORD_MAX);
}

static void put_change(struct record_writer *w, struct buf *out, const struct change *c)
{
        Culvert__Change m = CULVERT__CHANGE__INIT;
        Culvert__Record r = CULVERT__RECORD__INIT;
        struct rows rows;
        uint32_t n = c->op == CHANGE_TRUNCATE ? c->truncated_n : 1;
        uint32_t one = 0, *numbers = n == 1 ? &one : memory_new((n + 1u) * sizeof one);

        for (uint32_t i = 0; i < n; i++)
                numbers[i] = relation_number(
                        w, out, c->op == CHANGE_TRUNCATE ? c->truncated[i] : c->relation);
        m.operation = (Culvert__Operation)c->op;
        m.n_relations = n;
        m.relations = numbers;
        if (c->misfit) {
                fill_misfit(w, out, &rows.misfit, c);
                m.misfit = &rows.misfit;
        }
        fill_rows(w, &m, &rows, c);
        m.has_old_full = m.old_full = c->old_full;
        m.has_cascades = m.cascades = c->cascades;
        m.has_truncate_cascade = m.truncate_cascade = c->cascade;
        m.has_restart_identity = m.restart_identity = c->restart_identity;
        r.change = &m;
        put_record(out, &r);
        if (numbers != &one)
                free(numbers);
}

static void put_end(struct buf *out, const struct txn *t, bool first, bool last)
{
        Culvert__Piece m = CULVERT__PIECE__INIT;
        Culvert__Record r = CULVERT__RECORD__INIT;
        Culvert__Position commit = position_of(t->commit), end = position_of(t->end);

        m.has_first = m.first = first;
        m.has_last = m.last = last;
        m.xid = t->xid;
        m.commit = &commit;
        m.end = last ? &end : NULL;
        m.gtids = last ? memory_unconst(t->gtids) : NULL;
        m.has_committed_at = t->committed_at != 0;
        m.committed_at = t->committed_at;
        r.piece = &m;
        put_record(out, &r);
}

int record_put_piece(struct record_writer *w, struct buf *out, const struct txn *t,
        const struct change **from, size_t limit, struct error *e)
{
        const struct change *first = *from, *c;

        memset(w->cache, 0, sizeof w->cache);
        for (c = first; c; c = c->next) {
                if (c != first && out->len >= limit)
                        break;
                if (check_size(c, e) < 0)
                        return -1;
                put_change(w, out, c);
        }
        *from = c;
        put_end(out, t, t->first && first == t->changes, t->last && !c);
        return 0;
}

void record_put_passed(struct buf *out, struct position p, const char *gtids)
{
        Culvert__Passed m = CULVERT__PASSED__INIT;
        Culvert__Record r = CULVERT__RECORD__INIT;
        Culvert__Position at = position_of(p);

        m.position = &at;
        m.gtids = memory_unconst(gtids);
        r.passed = &m;
        put_record(out, &r);
}
