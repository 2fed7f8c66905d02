#include "spool/segment_reader.h"
#include "base/memory.h"
#include "spool/record.h"
#include "spool/segment_file.h"

#include <inttypes.h>
#include <stdlib.h>

#define RAW_KEPT ((size_t)64 * 1024 * 1024) /* larger is given back: a giant row's */

/* Where the first piece of a transaction is. */
struct place {
        uint64_t sequence, frame; /* segment; the frame's offset */
        unsigned piece;           /* of the frame */
};

struct segment_reader {
        struct disk *disk;
        char *folder;
        struct chain *chain;
        struct record_reader *records;
        struct frame_packer *packer;
        struct segment_file file; /* zeroed: none is open */
        uint64_t sequence;        /* of the open one, or of the next */
        struct position from;     /* what ends at or before it is skipped */
        struct frame frame;
        struct buf raw;
        struct reader in; /* what is left of it */

        struct position end;     /* behind what was read */
        bool anywhere;           /* `end` is not known yet */
        bool inside, given;      /* in a transaction; pieces of it were given */
        bool skipped;            /* it is known to be abandoned, or its beginning is not there */
        unsigned piece;          /* of the frame: which one was read last */
        struct place begun;      /* the transaction */
        struct place *abandoned; /* those of which pieces were given */
        size_t abandoned_n;
        struct txn *held;             /* the first of the next one, while SEGMENT_ABANDONED is */
        uint64_t transactions, total; /* that ended in the frame; in the segment */
};

struct segment_reader *segment_reader_new(
        struct disk *disk, const char *folder, struct chain *chain)
{
        struct segment_reader *r = memory_new_of(struct segment_reader);

        r->disk = disk;
        r->folder = memory_string(folder);
        r->chain = chain;
        r->records = record_reader_new();
        r->packer = frame_packer_new();
        r->in = reader_of(NULL, 0);
        return r;
}

struct segment_reader *segment_reader_free(struct segment_reader *r)
{
        if (!r)
                return NULL;
        txn_free(r->held);
        segment_file_done(&r->file);
        record_reader_free(r->records);
        frame_packer_free(r->packer);
        buf_done(&r->raw);
        free(r->abandoned);
        free(r->folder);
        free(r);
        return NULL;
}

int segment_reader_seek(struct segment_reader *r, struct position p, struct error *e)
{
        struct chain_segment s, first;
        char a[POSITION_TEXT], b[POSITION_TEXT];
        bool any = chain_first(r->chain, &first), found = chain_find(r->chain, p, &s);

        if (any && !found)
                return error_set(e, ERROR_DATA, "gap: what is in %s begins at %s, behind %s",
                        r->folder, position_format(first.start, a), position_format(p, b));
        segment_file_done(&r->file);
        r->held = txn_free(r->held);
        r->in = reader_of(NULL, 0);
        r->sequence = found ? s.sequence : 0;
        r->from = p;
        r->anywhere = true;
        r->inside = r->given = r->skipped = false;
        r->total = 0;
        return 0;
}

/* ---- segments ---- */

static int check_seam(struct segment_reader *r, struct error *e)
{
        const struct segment_header *h = &r->file.header;
        char a[POSITION_TEXT], b[POSITION_TEXT];

        if (r->anywhere) { /* of a transaction that has begun before it, nothing is given */
                r->end = h->begin;
                r->inside = r->skipped = h->inside;
                r->anywhere = false;
        }
        if (h->sequence != r->sequence || position_compare(h->begin, r->end) != 0 ||
                (h->inside && !r->inside))
                return error_set(e, ERROR_DATA,
                        "%s: gap: segment %" PRIu64 " begins at %s, the one before it ends at %s",
                        r->file.path, h->sequence, position_format(h->begin, a),
                        position_format(r->end, b));
        return 0;
}

static bool same_place(const struct place *a, const struct place *b)
{
        return a->sequence == b->sequence && a->frame == b->frame && a->piece == b->piece;
}

/* Its pieces are not given a second time: who has to begin again would meet its end for ever.
 * Segments that are gone need none. */
static void remember_abandoned(struct segment_reader *r)
{
        struct chain_segment first = {0};
        size_t n = 0;

        chain_first(r->chain, &first);
        for (size_t i = 0; i < r->abandoned_n; i++)
                if (r->abandoned[i].sequence >= first.sequence)
                        r->abandoned[n++] = r->abandoned[i];
        r->abandoned = memory_grow(r->abandoned, (n + 1) * sizeof *r->abandoned);
        r->abandoned[n++] = r->begun;
        r->abandoned_n = n;
}

static bool is_abandoned(const struct segment_reader *r)
{
        for (size_t i = 0; i < r->abandoned_n; i++)
                if (same_place(&r->abandoned[i], &r->begun))
                        return true;
        return false;
}

/* SEGMENT_ABANDONED if pieces of the transaction were given. */
static int leave_transaction(struct segment_reader *r)
{
        bool given = r->given;

        if (given)
                remember_abandoned(r);
        r->inside = r->given = r->skipped = false;
        return given ? SEGMENT_ABANDONED : SEGMENT_WORKED;
}

static int open_segment(struct segment_reader *r, struct error *e)
{
        AUTO_STRING path = segment_path(r->folder, r->sequence);

        if (segment_file_open(&r->file, r->disk, path, e) < 0)
                return -1;
        record_reader_begin(r->records);
        r->total = 0;
        if (check_seam(r, e) < 0)
                return -1;
        return r->inside && !r->file.header.inside ? leave_transaction(r) : SEGMENT_WORKED;
}

/* The segment that was read to its end, or none yet: to the next, if there is one. */
static int next_segment(struct segment_reader *r, struct error *e)
{
        struct chain_segment s;

        if (!r->sequence) { /* the queue was empty */
                if (!chain_first(r->chain, &s))
                        return SEGMENT_NOTHING;
                if (position_compare(s.start, r->from) > 0)
                        return segment_reader_seek(r, r->from, e);
                r->sequence = s.sequence;
        } else if (r->file.disk) {
                if (!chain_get(r->chain, r->sequence + 1, &s))
                        return SEGMENT_NOTHING;
                segment_file_done(&r->file);
                r->sequence++;
        }
        return open_segment(r, e);
}

/* ---- frames ---- */

static int read_frame(struct segment_reader *r, const struct chain_segment *s, struct error *e)
{
        int rc = segment_file_next(&r->file, s->bytes, &r->frame, e);

        if (rc != SEGMENT_FRAME)
                return -1;
        if (r->raw.cap > RAW_KEPT)
                buf_done(&r->raw);
        if (frame_unpack(r->packer, &r->frame, segment_file_packed(&r->file), &r->raw, e) < 0)
                return segment_file_context(&r->file, e);
        r->in = reader_of(r->raw.data, r->raw.len);
        r->transactions = r->piece = 0;
        return SEGMENT_WORKED;
}

/* Is the state behind the records what the frame says? */
static int end_frame(struct segment_reader *r, struct error *e)
{
        if (position_compare(r->end, r->frame.end) == 0 && r->inside == r->frame.inside &&
                r->transactions == r->frame.transactions)
                return SEGMENT_WORKED;
        error_set(e, ERROR_DATA, "its records are not those that it announces");
        return segment_file_context(&r->file, e);
}

static int check_piece(const struct segment_reader *r, const struct txn *t, struct error *e)
{
        if ((t->first || r->inside) && position_compare(t->commit, r->end) >= 0 &&
                (!t->last || position_compare(t->end, t->commit) >= 0))
                return 0;
        error_set(e, ERROR_DATA, "a transaction is not where it belongs");
        return segment_file_context(&r->file, e);
}

static int give(struct segment_reader *r, struct txn *t, struct segment_read *read)
{
        r->inside = !t->last;
        if (t->last) {
                r->end = t->end;
                r->transactions++;
                r->total++;
        }
        if (t->first) {
                r->begun = (struct place){r->sequence, r->file.at_last, r->piece};
                r->skipped = is_abandoned(r);
        }
        if (r->skipped || position_compare(t->commit, r->from) < 0) {
                txn_free(t);
                return SEGMENT_WORKED;
        }
        r->given = r->inside;
        read->piece = t;
        return SEGMENT_PIECE;
}

static int take_piece(
        struct segment_reader *r, struct txn *t, struct segment_read *read, struct error *e)
{
        if (check_piece(r, t, e) < 0) {
                txn_free(t);
                return -1;
        }
        if (t->first && r->given) {
                r->held = t;
                return leave_transaction(r);
        }
        return give(r, t, read);
}

/* A position behind an open transaction: that one was abandoned. */
static int take_passed(struct segment_reader *r, const struct record *record,
        struct segment_read *read, struct error *e)
{
        int rc;

        if (position_compare(record->passed, r->end) <= 0) {
                error_set(e, ERROR_DATA, "positions go back");
                return segment_file_context(&r->file, e);
        }
        r->end = record->passed;
        rc = leave_transaction(r);
        if (position_compare(record->passed, r->from) <= 0)
                return rc;
        read->passed = record->passed;
        read->gtids = record->gtids;
        return rc == SEGMENT_ABANDONED ? rc : SEGMENT_PASSED;
}

static int take_record(struct segment_reader *r, struct segment_read *read, struct error *e)
{
        struct record record;
        int rc = record_next(r->records, &r->in, &record, e);

        r->piece += rc == RECORD_PIECE;
        if (rc == RECORD_PIECE)
                return take_piece(r, record.piece, read, e);
        if (rc == RECORD_PASSED)
                return take_passed(r, &record, read, e);
        return rc < 0 ? segment_file_context(&r->file, e) : SEGMENT_WORKED;
}

/* What the frame still has, one piece or position. */
static int take(struct segment_reader *r, struct segment_read *read, struct error *e)
{
        struct txn *held = r->held;
        int rc;

        r->held = NULL;
        rc = held ? give(r, held, read) : take_record(r, read, e);
        if (rc < 0 || r->held || reader_left(&r->in) > 0 || end_frame(r, e) == SEGMENT_WORKED)
                return rc;
        read->piece = txn_free(read->piece);
        return -1;
}

int segment_reader_next(struct segment_reader *r, struct segment_read *read, struct error *e)
{
        struct chain_segment s;

        *read = (struct segment_read){0};
        if (r->held || reader_left(&r->in) > 0)
                return take(r, read, e);
        if (!r->file.disk)
                return next_segment(r, e);
        if (!chain_get(r->chain, r->sequence, &s) || r->file.at >= s.bytes)
                return next_segment(r, e);
        return read_frame(r, &s, e);
}

void segment_reader_abandon(struct segment_reader *r)
{
        leave_transaction(r);
}

void segment_reader_left(struct segment_reader *r, uint64_t *transactions)
{
        uint64_t bytes;

        chain_count(r->chain, r->sequence, &bytes, transactions);
        *transactions -= r->total < *transactions ? r->total : *transactions;
}
