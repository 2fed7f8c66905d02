#include "decoders/pgoutput.h"
#include "base/buf.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Microseconds from 1970-01-01 to 2000-01-01, the origin of PostgreSQL's timestamps. */
#define EPOCH_2000 (INT64_C(946684800) * 1000000)

/* MaxTupleAttributeNumber, src/include/access/htup_details.h */
#define COLUMNS_MAX 1664
#define TRUNCATED_MAX 100000
#define BUCKETS 1024

struct known {
        struct known *next;
        struct relation *relation;
};

struct pgoutput {
        uint64_t piece_bytes;
        struct pgoutput_events events;
        void *context;
        struct known *known[BUCKETS]; /* by relation id */
        struct txn *open;             /* the piece under construction; NULL between transactions */
        struct reader in;
};

struct pgoutput *pgoutput_new(
        uint64_t piece_bytes, const struct pgoutput_events *events, void *context)
{
        struct pgoutput *p = memory_new_of(struct pgoutput);

        p->piece_bytes = piece_bytes;
        p->events = *events;
        p->context = context;
        return p;
}

struct pgoutput *pgoutput_free(struct pgoutput *p)
{
        if (!p)
                return NULL;
        for (unsigned i = 0; i < BUCKETS; i++)
                for (struct known *k = p->known[i], *next; k; k = next) {
                        next = k->next;
                        relation_unref(k->relation);
                        free(k);
                }
        txn_free(p->open);
        free(p);
        return NULL;
}

bool pgoutput_idle(const struct pgoutput *p)
{
        return !p->open;
}

static int malformed(const char *message, struct error *e)
{
        return error_set(e, ERROR_DATA, "pgoutput: malformed or truncated %s message", message);
}

static struct known **find(struct pgoutput *p, uint32_t id)
{
        struct known **at = &p->known[id % BUCKETS];

        while (*at && (*at)->relation->id != id)
                at = &(*at)->next;
        return at;
}

static const struct relation *relation_of(struct pgoutput *p, uint32_t id, struct error *e)
{
        struct known *k = *find(p, id);

        if (k)
                return k->relation;
        error_set(e, ERROR_DATA, "pgoutput: a change of relation %u, which was never described",
                (unsigned)id);
        return NULL;
}

static bool same_shape(const struct relation *a, const struct relation *b)
{
        AUTO_BUF x = BUF_INIT;
        AUTO_BUF y = BUF_INIT;

        relation_to_text(a, &x);
        relation_to_text(b, &y);
        return x.len == y.len && !memcmp(x.data, y.data, x.len);
}

/* Relation: id, namespace ("" is pg_catalog), name, replica identity, columns of
 * (flags: 1 = key, name, type oid, typmod). Replaces what was known; but the server repeats it
 * after each ANALYZE, and the same shape again changes nothing that is bound to it. */
static int on_relation(struct pgoutput *p, struct error *e)
{
        struct reader *in = &p->in;
        uint32_t id = reader_u32(in);
        const char *schema = reader_cstr(in), *name = reader_cstr(in);
        uint8_t identity = reader_u8(in);
        uint16_t n = reader_u16(in);
        struct relation *r;
        struct known **at;

        if (!reader_ok(in) || !identity || !strchr("difn", identity) || n > COLUMNS_MAX)
                return malformed("relation", e);
        r = relation_new(
                id, *schema ? schema : "pg_catalog", name, (enum replica_identity)identity, n);
        for (uint16_t i = 0; i < n; i++) {
                bool key = reader_u8(in) & 1;
                const char *column = reader_cstr(in);
                uint32_t type = reader_u32(in);

                relation_set_column(r, i, column, type, (int32_t)reader_u32(in), key);
        }
        if (!reader_done(in)) {
                relation_unref(r);
                return malformed("relation", e);
        }
        at = find(p, id);
        if (*at && same_shape((*at)->relation, r)) {
                relation_unref(r);
                return 0;
        }
        if (!*at)
                *at = memory_new_of(struct known);
        relation_unref((*at)->relation);
        (*at)->relation = r;
        return p->events.relation(p->context, r, e);
}

/* Begin: LSN of the commit record, commit time, xid. */
static int on_begin(struct pgoutput *p, struct error *e)
{
        struct txn *t;
        struct position commit = {.lsn = reader_u64(&p->in)};
        int64_t when = (int64_t)reader_u64(&p->in);
        uint32_t xid = reader_u32(&p->in);

        if (!reader_done(&p->in) || __builtin_add_overflow(when, EPOCH_2000, &when))
                return malformed("begin", e);
        if (p->open)
                return error_set(e, ERROR_DATA, "pgoutput: begin inside a transaction");
        p->open = t = txn_new();
        t->first = true;
        t->commit = commit;
        t->committed_at = when;
        t->xid = xid;
        return 0;
}

static int emit(struct pgoutput *p, bool last, struct error *e)
{
        struct txn *t = p->open, *next = NULL;
        int rc;

        t->last = last;
        if (!last) {
                next = txn_new();
                next->commit = t->commit;
                next->committed_at = t->committed_at;
                next->xid = t->xid;
        }
        p->open = next;
        rc = p->events.piece(p->context, &t, e);
        txn_free(t);
        return rc;
}

/* Commit: flags (unused), LSN of the commit record, end LSN, commit time. */
static int on_commit(struct pgoutput *p, struct error *e)
{
        struct position commit = POSITION_NONE, end = POSITION_NONE;

        reader_u8(&p->in);
        commit.lsn = reader_u64(&p->in);
        end.lsn = reader_u64(&p->in);
        reader_u64(&p->in);
        if (!reader_done(&p->in))
                return malformed("commit", e);
        if (!p->open)
                return error_set(e, ERROR_DATA, "pgoutput: commit outside a transaction");
        if (position_compare(commit, p->open->commit) != 0 || position_compare(end, commit) < 0)
                return error_set(e, ERROR_DATA, "pgoutput: commit does not fit its begin");
        p->open->end = end;
        return emit(p, true, e);
}

/* TupleData: count, then per column 'n' NULL, 'u' unchanged TOAST, 't' length and text. In a key
 * tuple the columns outside the key come as NULL; here they are "not in the log". */
static struct value *read_tuple(
        struct pgoutput *p, const struct relation *r, bool key_only, struct error *e)
{
        struct reader *in = &p->in;
        struct value *row;

        if (reader_u16(in) != r->columns_n) {
                if (!reader_ok(in))
                        malformed("row", e);
                else
                        error_set(e, ERROR_DATA,
                                "pgoutput: a row of %s.%s does not have its %u columns", r->schema,
                                r->name, r->columns_n);
                return NULL;
        }
        row = arena_zero(p->open->arena, r->columns_n * sizeof *row);
        for (uint16_t i = 0; i < r->columns_n; i++) {
                uint8_t kind = reader_u8(in);
                uint32_t len = kind == 't' ? reader_u32(in) : 0;
                const void *data = kind == 't' ? reader_bytes(in, len) : NULL;

                if (kind == 't' && data && memchr(data, 0, len)) {
                        malformed("row", e); /* text of PostgreSQL has no NUL */
                        return NULL;
                }
                if (kind == 't' && data)
                        row[i] = (struct value){
                                VALUE_TEXT, len, arena_text(p->open->arena, data, len)};
                else if (kind == 'u' || (kind == 'n' && key_only && !r->columns[i].key))
                        row[i].kind = VALUE_UNCHANGED;
                else if (kind != 'n') {
                        malformed("row", e);
                        return NULL;
                }
        }
        return row;
}

static int after_change(struct pgoutput *p, const char *what, struct error *e)
{
        if (!reader_done(&p->in))
                return malformed(what, e);
        return txn_bytes(p->open) >= p->piece_bytes ? emit(p, false, e) : 0;
}

static const struct relation *begin_change(struct pgoutput *p, const char *what, struct error *e)
{
        uint32_t id = reader_u32(&p->in);

        if (!p->open) {
                error_set(e, ERROR_DATA, "pgoutput: %s outside a transaction", what);
                return NULL;
        }
        if (!reader_ok(&p->in)) {
                malformed(what, e);
                return NULL;
        }
        return relation_of(p, id, e);
}

static int on_insert(struct pgoutput *p, struct error *e)
{
        const struct relation *r = begin_change(p, "insert", e);
        struct value *row;

        if (!r)
                return -1;
        if (reader_u8(&p->in) != 'N')
                return malformed("insert", e);
        if (!(row = read_tuple(p, r, false, e)))
                return -1;
        txn_add(p->open, CHANGE_INSERT, r)->new = row;
        return after_change(p, "insert", e);
}

/* Update: optional 'K' old key or 'O' old row, then 'N' new row. */
static int on_update(struct pgoutput *p, struct error *e)
{
        const struct relation *r = begin_change(p, "update", e);
        struct value *old = NULL, *row;
        struct change *c;
        uint8_t tag;
        bool full;

        if (!r)
                return -1;
        tag = reader_u8(&p->in);
        full = tag == 'O';
        if (tag == 'K' || tag == 'O') {
                if (!(old = read_tuple(p, r, tag == 'K', e)))
                        return -1;
                tag = reader_u8(&p->in);
        }
        if (tag != 'N')
                return malformed("update", e);
        if (!(row = read_tuple(p, r, false, e)))
                return -1;
        c = txn_add(p->open, CHANGE_UPDATE, r);
        c->old = old;
        c->old_full = full;
        c->new = row;
        return after_change(p, "update", e);
}

static int on_delete(struct pgoutput *p, struct error *e)
{
        const struct relation *r = begin_change(p, "delete", e);
        struct value *old;
        struct change *c;
        uint8_t tag;

        if (!r)
                return -1;
        tag = reader_u8(&p->in);
        if (tag != 'K' && tag != 'O')
                return malformed("delete", e);
        if (!(old = read_tuple(p, r, tag == 'K', e)))
                return -1;
        c = txn_add(p->open, CHANGE_DELETE, r);
        c->old = old;
        c->old_full = tag == 'O';
        return after_change(p, "delete", e);
}

/* Truncate: count, options (1 CASCADE, 2 RESTART IDENTITY), relation ids. */
static int on_truncate(struct pgoutput *p, struct error *e)
{
        struct reader *in = &p->in;
        uint32_t n = reader_u32(in);
        uint8_t options = reader_u8(in);
        const struct relation **list;
        struct change *c;

        if (!p->open)
                return error_set(e, ERROR_DATA, "pgoutput: truncate outside a transaction");
        if (!reader_ok(in) || n == 0 || n > TRUNCATED_MAX || reader_left(in) != n * 4ul)
                return malformed("truncate", e);
        list = arena_alloc(p->open->arena, n * sizeof *list);
        for (uint32_t i = 0; i < n; i++) {
                if (!(list[i] = relation_of(p, reader_u32(in), e)))
                        return -1;
                txn_hold(p->open, list[i]);
        }
        c = txn_add(p->open, CHANGE_TRUNCATE, list[0]);
        c->truncated = list;
        c->truncated_n = n;
        c->cascade = options & 1;
        c->restart_identity = options & 2;
        return after_change(p, "truncate", e);
}

/* Message: flags (1 transactional), LSN, prefix, length, content. Ours only make the log move. */
static int on_logical_message(struct pgoutput *p, struct error *e)
{
        reader_u8(&p->in);
        reader_u64(&p->in);
        reader_cstr(&p->in);
        reader_bytes(&p->in, reader_u32(&p->in));
        return reader_done(&p->in) ? 0 : malformed("logical", e);
}

/* Origin: commit LSN there, name. Type: oid, namespace, name. Neither changes what a row means:
 * values are text, and types are compared by oid in the relation. */
static int on_origin(struct pgoutput *p, struct error *e)
{
        reader_u64(&p->in);
        reader_cstr(&p->in);
        return reader_done(&p->in) ? 0 : malformed("origin", e);
}

static int on_type(struct pgoutput *p, struct error *e)
{
        reader_u32(&p->in);
        reader_cstr(&p->in);
        reader_cstr(&p->in);
        return reader_done(&p->in) ? 0 : malformed("type", e);
}

static const struct {
        char kind;
        int (*decode)(struct pgoutput *p, struct error *e);
} messages[] = {
        {'I', on_insert},
        {'U', on_update},
        {'D', on_delete},
        {'B', on_begin},
        {'C', on_commit},
        {'R', on_relation},
        {'T', on_truncate},
        {'M', on_logical_message},
        {'O', on_origin},
        {'Y', on_type},
};

int pgoutput_message(struct pgoutput *p, const void *data, size_t len, struct error *e)
{
        uint8_t kind;

        p->in = reader_of(data, len);
        kind = reader_u8(&p->in);
        for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
                if (kind == (uint8_t)messages[i].kind)
                        return messages[i].decode(p, e);
        return error_set(e, ERROR_DATA, "pgoutput: message of unknown kind 0x%02x", kind);
}
