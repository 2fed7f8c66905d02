#include "base/memory.h"
#include "decoders/binlog_private.h"
#include "decoders/binlog_state.h"

#include <stdlib.h>
#include <string.h>

#define SAVEPOINTS_MAX 100000

/* MariaDB's Gtid_log_event::flags2 */
#define FL_STANDALONE 1
#define FL_PREPARED_XA 64
#define FL_COMPLETED_XA 128

struct savepoint {
        struct savepoint *next; /* the older one */
        char *name;
        unsigned pieces;
        uint32_t changes_n;
        struct change **tail;
};

struct txn *binlog_piece(const struct binlog *b)
{
        struct txn *t = txn_new();

        t->first = b->pieces == 0;
        t->commit = b->group_begin;
        t->committed_at = b->committed_at;
        return t;
}

/* By GTID where the stream began by it: the log may have transactions in another order then. */
static bool was_delivered(const struct binlog *b)
{
        if (b->delivered)
                return b->named && gtids_contains(b->delivered, &b->gtid);
        return position_compare(b->group_begin, b->setup.delivered) < 0;
}

static bool has_caught_up(const struct binlog *b)
{
        if (b->delivered)
                return position_compare(b->group_begin, b->setup.exact) >= 0;
        return !b->past;
}

/* From then on what was seen and what was delivered is the same. */
static void look_back(struct binlog *b)
{
        b->past = b->catching_up && was_delivered(b);
        if (!b->catching_up || !has_caught_up(b))
                return;
        b->catching_up = false;
        b->seen = gtids_free(b->seen);
}

int binlog_begin(struct binlog *b, enum binlog_group group, struct error *e)
{
        char text[POSITION_TEXT];

        if (b->group == GROUP_OPEN || (b->group == GROUP_ANNOUNCED && group == GROUP_ANNOUNCED))
                return error_set(e, ERROR_DATA,
                        "binlog: a transaction begins inside the one that began at %s",
                        position_format(b->group_begin, text));
        if (b->group == GROUP_NONE) {
                b->group_begin = b->begin;
                b->committed_at = (int64_t)b->when * 1000000;
                b->pieces = 0;
                b->xa = b->spoilt = false;
                look_back(b);
                b->open = binlog_piece(b);
        }
        b->group = group;
        return 0;
}

/* Of a group without a GTID nobody could say that it is behind a state. */
static void add_gtid(struct binlog *b, struct gtids **to)
{
        if (*to && (!b->named || !gtids_add(*to, &b->gtid)))
                *to = gtids_free(*to);
}

static void count_gtid(struct binlog *b)
{
        if (!b->past)
                add_gtid(b, &b->gtids);
        add_gtid(b, &b->seen);
        b->named = false;
}

const char *binlog_state_text(struct binlog *b, struct txn *t)
{
        struct position since;
        const char *since_gtids;
        AUTO_BUF text = BUF_INIT;

        if (b->gtids && position_compare(b->group_begin, b->setup.exact) < 0)
                buf_char(&text, GTID_BY_STATE);
        if (b->gtids)
                gtids_format(b->gtids, &text);
        if (binlog_since(b, &since, &since_gtids))
                binlog_state_write_since(&text, since, since_gtids);
        return text.len ? arena_text(t->arena, buf_text(&text), text.len) : NULL;
}

static void close_last(struct binlog *b, struct txn *t)
{
        t->end = b->end;
        count_gtid(b);
        t->gtids = binlog_state_text(b, t);
}

int binlog_give(struct binlog *b, struct txn *piece, bool last, struct error *e)
{
        int rc = 0;

        piece->last = last;
        if (last)
                close_last(b, piece);
        if (!b->past)
                rc = b->events.piece(b->context, &piece, e);
        txn_free(piece);
        return rc;
}

static void close_group(struct binlog *b)
{
        binlog_forget_savepoints(b);
        b->group = GROUP_NONE;
}

int binlog_commit(struct binlog *b, struct error *e)
{
        struct txn *last = b->open;

        if (b->group == GROUP_NONE)
                return error_set(e, ERROR_DATA, "binlog: a commit outside a transaction");
        close_group(b);
        if (binlog_give_kept(b, e) < 0)
                return -1;
        b->open = NULL;
        return binlog_give(b, last, true, e);
}

/* What is undone here was logged because something else in the transaction could not be; that is
 * in groups of its own, since row events of tables without transactions never wait for a commit. */
static int undo_all(struct binlog *b, struct error *e)
{
        if (b->xa) {
                binlog_forget_kept(b);
                b->pieces = 0;
        }
        if (b->pieces > 0)
                return error_set(e, ERROR_DATA,
                        "binlog: a transaction larger than a piece is rolled back after its rows "
                        "were passed on");
        txn_free(b->open);
        b->open = binlog_piece(b);
        return 0;
}

int binlog_rollback(struct binlog *b, struct error *e)
{
        if (b->group == GROUP_NONE)
                return error_set(e, ERROR_DATA, "binlog: a rollback outside a transaction");
        if (undo_all(b, e) < 0)
                return -1;
        return binlog_commit(b, e);
}

int binlog_abandon(struct binlog *b, struct error *e)
{
        b->named = false;
        if (b->group == GROUP_NONE)
                return 0;
        if (undo_all(b, e) < 0)
                return -1;
        close_group(b);
        b->open = txn_free(b->open);
        return 0;
}

int binlog_cut(struct binlog *b, struct error *e)
{
        struct txn *full = b->open;

        if (txn_bytes(full) < b->setup.piece_bytes)
                return 0;
        if (b->xa && binlog_keep(b, e) < 0)
                return -1;
        b->pieces++;
        b->open = binlog_piece(b);
        return b->xa ? 0 : binlog_give(b, full, false, e);
}

/* ---- savepoints ---- */

static struct savepoint *free_savepoint(struct binlog *b, struct savepoint *s)
{
        struct savepoint *next = s->next;

        b->savepoints_n--;
        free(s->name);
        free(s);
        return next;
}

void binlog_forget_savepoints(struct binlog *b)
{
        while (b->savepoints)
                b->savepoints = free_savepoint(b, b->savepoints);
}

static struct savepoint **find_savepoint(struct binlog *b, const char *name)
{
        struct savepoint **at = &b->savepoints;

        while (*at && strcasecmp((*at)->name, name) != 0)
                at = &(*at)->next;
        return at;
}

/* The same name again replaces the older one. */
int binlog_savepoint(struct binlog *b, const char *name, struct error *e)
{
        struct savepoint **old, *s;

        if (b->group != GROUP_OPEN)
                return 0;
        old = find_savepoint(b, name);
        if (*old)
                *old = free_savepoint(b, *old);
        if (b->savepoints_n == SAVEPOINTS_MAX)
                return error_set(e, ERROR_DATA, "binlog: more than %u savepoints in a transaction",
                        SAVEPOINTS_MAX);
        s = memory_new_of(struct savepoint);
        *s = (struct savepoint){
                b->savepoints, memory_string(name), b->pieces, b->open->changes_n, b->open->tail};
        b->savepoints = s;
        b->savepoints_n++;
        return 0;
}

/* The server logs this only when something cannot be undone; mostly it takes what was undone out of
 * the log before it writes it. But when it does, the rows since the savepoint are in the log. */
int binlog_rollback_to(struct binlog *b, const char *name, struct error *e)
{
        struct savepoint *s = *find_savepoint(b, name);

        if (b->group != GROUP_OPEN || !s)
                return error_set(e, ERROR_DATA,
                        "binlog: a ROLLBACK TO SAVEPOINT whose savepoint is not in the log");
        if (s->pieces != b->pieces)
                return error_set(e, ERROR_DATA,
                        "binlog: a ROLLBACK TO SAVEPOINT in a transaction larger than a piece, "
                        "after the rows to undo were passed on");
        while (b->savepoints != s)
                b->savepoints = free_savepoint(b, b->savepoints);
        *s->tail = NULL;
        b->open->tail = s->tail;
        b->open->changes_n = s->changes_n;
        return 0;
}

/* ---- events ---- */

/* Xid: the number of the transaction, 8 bytes. */
int binlog_on_xid(struct binlog *b, struct error *e)
{
        reader_le64(&b->in);
        if (!reader_ok(&b->in))
                return binlog_malformed(b, e);
        return binlog_commit(b, e);
}

/* Flags 1, server's UUID 16, number 8, kind of the next two 1, last committed 8, sequence number 8,
 * then since 8.0 commit time on this server 7 (microseconds; the highest bit: the original commit
 * time follows). */
static int announce(struct binlog *b, struct gtid *one, struct error *e)
{
        struct reader *in = &b->in;
        uint64_t committed = 0;

        *one = gtid_of_mysql(in);
        if (!reader_ok(in))
                return binlog_malformed(b, e);
        reader_bytes(in, 1 + 8 + 8);
        committed = reader_le(in, 7) & ~(UINT64_C(1) << 55);
        if (binlog_begin(b, GROUP_ANNOUNCED, e) < 0)
                return -1;
        if (reader_ok(in) && committed)
                b->committed_at = (int64_t)committed;
        b->open->committed_at = b->committed_at;
        return 0;
}

int binlog_on_gtid(struct binlog *b, struct error *e)
{
        b->named = true;
        return announce(b, &b->gtid, e);
}

int binlog_on_anonymous(struct binlog *b, struct error *e)
{
        struct gtid nothing;

        b->named = false;
        return announce(b, &nothing, e);
}

int binlog_on_gtid_tagged(struct binlog *b, struct error *e)
{
        b->gtid = gtid_of_mysql_tagged(&b->in);
        if (!reader_ok(&b->in))
                return binlog_malformed(b, e);
        b->named = true;
        return binlog_begin(b, GROUP_ANNOUNCED, e);
}

/* Number 8, domain 4, flags 1, and by the flags what is not needed. It stands for BEGIN, unless one
 * statement is all. */
int binlog_on_mariadb_gtid(struct binlog *b, struct error *e)
{
        uint8_t flags;

        b->gtid = (struct gtid){.number = reader_le64(&b->in), .server = b->server};
        b->gtid.domain = reader_le32(&b->in);
        b->named = true;
        flags = reader_u8(&b->in);
        if (!reader_ok(&b->in))
                return binlog_malformed(b, e);
        if (binlog_begin(b, GROUP_ANNOUNCED, e) < 0)
                return -1;
        if (!(flags & (FL_STANDALONE | FL_COMPLETED_XA)))
                b->group = GROUP_OPEN;
        b->xa = flags & FL_PREPARED_XA;
        return 0;
}
