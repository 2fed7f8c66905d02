/*
 * Simulation of the queue's files: the real writer, recovery and reader over a made-up disk, with
 * kills, power losses, failing calls and full disks at random places. Each seed is one story; the
 * same seed tells the same story.
 *
 *   sim_spool            SIM_SEEDS seeds (default 2000) from SIM_FIRST (default 1)
 *   sim_spool COUNT      so many
 *   sim_spool COUNT SEED so many from SEED
 *
 * What must hold in each: after any crash recovery has everything that was reported durable and
 * that was not forgotten, nothing that was not given, and it fails only when a call of the disk
 * failed; the reader gives the source's transactions in order, whole, each once; and damage to what
 * was synced is either named or shortens the end, and never changes what is read.
 */
#include "base/memory.h"
#include "spool/recover.h"
#include "spool/segment_reader.h"
#include "spool/segment_writer.h"
#include "tests/support/pieces.h"
#include "tests/support/sim_disk.h"
#include "tests/support/story.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "/queue"
#define STEPS 60
#define TRANSACTIONS 1000 /* more than a story has steps for */

/* A transaction of the source, or a position that none has. */
struct fact {
        uint64_t commit, end;
        unsigned pieces, changes; /* of each; pieces 0: a position */
        unsigned bytes;           /* of each change */
        unsigned table;
};

struct world {
        uint64_t random;
        struct sim_disk *sim;
        struct disk *disk;
        struct fact facts[TRANSACTIONS];
        struct relation *tables[2];

        /* the process */
        struct chain *chain;
        struct segment_writer *writer;
        struct segment_reader *reader;
        unsigned next, piece;               /* what the source gives next */
        unsigned read, parts, read_changes; /* what the reader is to give next; of it */
        size_t frame_bytes;
        uint64_t segment_bytes;

        struct position promised;  /* reported durable */
        struct position forgotten; /* durable on the target */
        uint64_t given;            /* end of the last whole fact that was ever given */
        char queue[QUEUE_ID];
        char problem[600];
};

static struct world *w;

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void problem(const char *format, ...)
{
        va_list args;

        if (*w->problem)
                return;
        va_start(args, format);
        vsnprintf(w->problem, sizeof w->problem, format, args);
        va_end(args);
}

static uint64_t below(uint64_t n)
{
        return story_below(&w->random, n);
}

/* ---- the source ---- */

static void make_facts(void)
{
        for (unsigned i = 0; i < TRANSACTIONS; i++) {
                struct fact *f = &w->facts[i];
                bool large = below(10) == 0;

                f->commit = 100 * (i + 1) + below(50);
                f->end = f->commit + 1 + below(40);
                f->pieces = below(6) == 0 ? 0 : large ? 1 + (unsigned)below(5) : 1;
                f->changes = (unsigned)below(large ? 12 : 4);
                f->bytes = (unsigned)below(large ? 900 : 60);
                f->table = (unsigned)below(2);
        }
}

static char *gtids_of(const struct fact *f)
{
        return memory_printf("0-1-%" PRIu64, f->end);
}

static void add_changes(struct txn *t, unsigned i, unsigned piece)
{
        const struct fact *f = &w->facts[i];

        for (unsigned c = 0; c < f->changes; c++)
                piece_insert(t, w->tables[f->table], i * 100 + piece * 20 + c, f->bytes);
}

static struct txn *piece_of(unsigned i, unsigned piece)
{
        const struct fact *f = &w->facts[i];
        struct txn *t = txn_new();

        t->first = piece == 0;
        t->last = piece + 1 == f->pieces;
        t->xid = i;
        t->commit.lsn = f->commit;
        t->committed_at = 1000 + i;
        if (t->last) {
                AUTO_STRING gtids = gtids_of(f);

                t->end.lsn = f->end;
                t->gtids = arena_text(t->arena, gtids, strlen(gtids));
        }
        add_changes(t, i, piece);
        return t;
}

/* The first fact that ends behind `p`. */
static unsigned fact_behind(struct position p)
{
        unsigned i = 0;

        while (w->facts[i].end <= p.lsn)
                i++;
        return i;
}

/* ---- the process ---- */

static void stop(void)
{
        w->writer = segment_writer_free(w->writer);
        w->reader = segment_reader_free(w->reader);
        w->chain = chain_free(w->chain);
        sim_disk_kill(w->sim);
}

static void check_recovered(const struct recovered *r)
{
        if (!r->any) {
                if (w->promised.lsn > 1)
                        problem("nothing was recovered; %" PRIu64 " was promised", w->promised.lsn);
                return;
        }
        if (position_compare(r->end, w->promised) < 0)
                problem("recovered to %" PRIu64 "; %" PRIu64 " was promised", r->end.lsn,
                        w->promised.lsn);
        if (r->end.lsn > w->given)
                problem("recovered to %" PRIu64 ", which was never given", r->end.lsn);
        if (position_compare(r->begin, w->forgotten) > 0)
                problem("begins at %" PRIu64 "; only %" PRIu64 " was forgotten", r->begin.lsn,
                        w->forgotten.lsn);
        if (strcmp(r->queue, w->queue) != 0)
                problem("the queue is '%s'", r->queue);
        if (r->end.lsn > 1) {
                AUTO_STRING gtids = gtids_of(&w->facts[fact_behind(r->end) - 1]);

                if (!r->gtids || strcmp(r->gtids, gtids) != 0)
                        problem("GTIDs %s at %" PRIu64, r->gtids, r->end.lsn);
        }
}

/* False: a call of the disk failed. */
static bool start(void)
{
        struct recovered r;
        struct error e = ERROR_INIT;
        struct segment_setup setup = {.disk = w->disk,
                .folder = FOLDER,
                .pipeline = "sim",
                .source = "42/1/slot",
                .frame_bytes = w->frame_bytes,
                .segment_bytes = w->segment_bytes};
        int rc;

        w->chain = chain_new();
        rc = recover(w->disk, FOLDER, "sim", w->chain, &r, &e);
        if (rc < 0) {
                if (!sim_disk_has_failed(w->sim))
                        problem("recovery: %s", e.message);
                stop();
                return false;
        }
        check_recovered(&r);
        if (r.any && position_compare(r.end, w->promised) > 0)
                w->promised = r.end;
        if (!r.any)
                r.end = (struct position){.lsn = 1};
        setup.chain = w->chain;
        memcpy(setup.queue, w->queue, sizeof setup.queue);
        w->writer = segment_writer_new(&setup, r.any ? r.next : 1, r.end, r.gtids);
        w->reader = segment_reader_new(w->disk, FOLDER, w->chain);
        w->next = fact_behind(r.end);
        w->piece = 0;
        rc = segment_reader_seek(w->reader, w->forgotten, &e);
        if (rc < 0)
                problem("seek: %s", e.message);
        w->read = fact_behind(w->forgotten);
        w->parts = w->read_changes = 0;
        recovered_done(&r);
        return true;
}

static void crash(void)
{
        bool power = below(2);

        stop();
        if (power)
                sim_disk_power_loss(w->sim);
        sim_disk_capacity(w->sim, UINT64_MAX);
        while (!*w->problem) {
                sim_disk_fail(w->sim, below(4) ? -1 : (int)below(20), EIO);
                if (start())
                        break;
                if (below(3) == 0)
                        sim_disk_power_loss(w->sim);
        }
        sim_disk_fail(w->sim, -1, 0);
}

/* ---- what a process does ---- */

/* A failed writer stays so. */
static void check_writer(int rc, const struct error *e)
{
        struct error again = ERROR_INIT;
        bool full = !strcmp(e->code, DISK_FULL_CODE);
        struct position durable = chain_durable(w->chain);

        if (rc == 0)
                return;
        if (!sim_disk_has_failed(w->sim) && !full)
                problem("writer: %s", e->message);
        if (segment_writer_sync(w->writer, &again) == 0)
                problem("a failed writer went on");
        if (strcmp(again.message, e->message) != 0)
                problem("another error: %s", again.message);
        if (position_compare(durable, chain_durable(w->chain)) != 0)
                problem("a failed writer reported something durable");
        w->promised = position_max(w->promised, durable);
        crash();
}

static void give(void)
{
        const struct fact *f = &w->facts[w->next];
        struct error e = ERROR_INIT;
        int rc;

        if (f->pieces == 0) {
                AUTO_STRING gtids = gtids_of(f);

                w->given = f->end > w->given ? f->end : w->given;
                rc = segment_writer_passed(w->writer, (struct position){.lsn = f->end}, gtids, &e);
                w->next++;
        } else {
                struct txn *t = piece_of(w->next, w->piece++);

                if (t->last)
                        w->given = f->end > w->given ? f->end : w->given;
                rc = segment_writer_piece(w->writer, t, &e);
                txn_free(t);
                if (w->piece == f->pieces) {
                        w->next++;
                        w->piece = 0;
                }
        }
        check_writer(rc, &e);
}

static void flush_or_sync(bool sync)
{
        struct error e = ERROR_INIT;
        int rc = sync ? segment_writer_sync(w->writer, &e) : segment_writer_flush(w->writer, &e);

        if (rc == 0) {
                w->promised = position_max(w->promised, chain_durable(w->chain));
                if (sync && segment_writer_unsynced(w->writer) != 0)
                        problem("something is left after a sync");
        }
        check_writer(rc, &e);
}

/* The writer may have cut the source's pieces, so changes are compared one by one. */
static void check_change(const struct change *c, const struct change *want)
{
        if (strcmp(c->relation->name, want->relation->name) != 0 ||
                strcmp(c->new[0].data, want->new[0].data) != 0 ||
                c->new[1].len != want->new[1].len ||
                memcmp(c->new[1].data, want->new[1].data, c->new[1].len) != 0 ||
                c->new[2].kind != VALUE_NULL)
                problem("row %s, not %s", c->new[0].data, want->new[0].data);
}

static void check_piece(const struct txn *t)
{
        const struct fact *f = &w->facts[w->read];
        AUTO_STRING gtids = gtids_of(f);
        struct txn *want = piece_of(w->read, 0);

        for (unsigned i = 1; i < f->pieces; i++)
                add_changes(want, w->read, i);
        if (t->commit.lsn != f->commit || t->xid != w->read || t->first != (w->parts == 0))
                problem("transaction at %" PRIu64 ", not %" PRIu64, t->commit.lsn, f->commit);
        for (const struct change *c = t->changes; c && !*w->problem; c = c->next) {
                const struct change *at = want->changes;

                for (unsigned i = 0; at && i < w->read_changes; i++)
                        at = at->next;
                if (at)
                        check_change(c, at);
                else
                        problem("too many changes");
                w->read_changes++;
        }
        w->parts++;
        if (t->last) {
                if (w->read_changes != want->changes_n || t->end.lsn != f->end || !t->gtids ||
                        strcmp(t->gtids, gtids) != 0)
                        problem("the end of %" PRIu64, f->end);
                w->read++;
                w->parts = w->read_changes = 0;
        }
        txn_free(want);
}

/* Positions may be left out when a later one or a transaction follows. */
static void skip_positions(uint64_t until)
{
        while (w->facts[w->read].pieces == 0 && w->facts[w->read].end < until)
                w->read++;
}

static int read_one(struct error *e)
{
        struct segment_read got;
        int rc = segment_reader_next(w->reader, &got, e);

        if (rc == SEGMENT_ABANDONED)
                w->parts = w->read_changes = 0;
        if (!position_is_none(got.passed)) {
                skip_positions(got.passed.lsn);
                if (w->facts[w->read].end != got.passed.lsn)
                        problem("passed %" PRIu64, got.passed.lsn);
                w->read++;
        }
        if (got.piece) {
                skip_positions(got.piece->commit.lsn + 1);
                check_piece(got.piece);
                txn_free(got.piece);
        }
        return rc;
}

static void read_some(unsigned steps)
{
        struct error e = ERROR_INIT;
        int rc = SEGMENT_WORKED;

        while (steps-- > 0 && rc > SEGMENT_NOTHING && !*w->problem)
                rc = read_one(&e);
        if (rc >= 0)
                return;
        if (!sim_disk_has_failed(w->sim))
                problem("reader: %s", e.message);
        crash();
}

/* The target has what was read, and keeps it. */
static void forget(void)
{
        struct error e = ERROR_INIT;
        struct position p = {.lsn = w->read ? w->facts[w->read - 1].end : 1};

        if (w->read == 0 || w->read > w->next)
                return;
        p = position_compare(p, w->promised) < 0 ? p : w->promised;
        if (position_compare(p, w->forgotten) <= 0)
                return;
        w->forgotten = p;
        check_writer(segment_writer_forget(w->writer, p, &e), &e);
}

/* The connection to the source is lost within a transaction, which comes again. */
static void lose_source(void)
{
        w->piece = 0;
}

static void step(void)
{
        switch (below(16)) {
        case 0:
                crash();
                break;
        case 1:
        case 2:
                flush_or_sync(false);
                break;
        case 3:
        case 4:
                flush_or_sync(true);
                break;
        case 5:
                lose_source();
                break;
        case 6:
                forget();
                break;
        case 7:
                sim_disk_fail(w->sim, (int)below(30), below(3) ? EIO : ENOSPC);
                break;
        case 8:
                sim_disk_capacity(w->sim, sim_disk_bytes(w->sim) + below(3000));
                break;
        case 9:
        case 10:
                read_some((unsigned)below(30));
                break;
        default:
                for (uint64_t n = below(8); n > 0 && !*w->problem; n--)
                        give();
        }
}

/* All that was recovered, once more. */
static void read_all(void)
{
        read_some(UINT32_MAX);
        if (w->read > w->next)
                problem("more was read than given");
}

/* One bit of one file is another one: never other data, and the older segments' damage is named. */
static void damage(void)
{
        struct error e = ERROR_INIT;
        struct recovered r;
        struct chain_segment last = {0};
        char name[64];
        struct buf *file;
        int rc;

        if (sim_disk_files(w->sim) == 0)
                return;
        chain_last(w->chain, &last);
        snprintf(name, sizeof name, "%s",
                sim_disk_name(w->sim, (unsigned)below(sim_disk_files(w->sim))));
        file = sim_disk_file(w->sim, name);
        if (!file->len)
                return;
        file->data[below(file->len)] ^= (char)(1 << below(8));
        stop();
        w->chain = chain_new();
        rc = recover(w->disk, FOLDER, "sim", w->chain, &r, &e);
        if (rc < 0 && !strstr(e.message, name))
                problem("damage of %s: %s", name, e.message);
        if (rc == 0 && strtoull(name + sizeof FOLDER, NULL, 10) != last.sequence)
                problem("damage of %s was not found", name);
        if (rc == 0 && position_compare(r.end, w->promised) > 0)
                problem("damage made the queue longer");
        if (rc == 0) {
                w->reader = segment_reader_new(w->disk, FOLDER, w->chain);
                w->read = fact_behind(w->forgotten);
                w->parts = w->read_changes = 0;
                w->next = fact_behind(r.end);
                if (segment_reader_seek(w->reader, w->forgotten, &e) < 0)
                        problem("seek: %s", e.message);
                while ((rc = read_one(&e)) > SEGMENT_NOTHING && !*w->problem)
                        ;
                if (rc < 0)
                        problem("reader after damage: %s", e.message);
        }
        recovered_done(&r);
}

static void tell(uint64_t seed)
{
        w->random = seed * 0x9e3779b97f4a7c15u + 1;
        for (int i = 0; i < 8; i++)
                below(2);
        make_facts();
        w->sim = sim_disk_new(seed);
        w->disk = sim_disk_as_disk(w->sim);
        w->tables[0] = piece_table("a");
        w->tables[1] = piece_table("b");
        w->given = 1;
        w->forgotten.lsn = 1;
        w->frame_bytes = 100 + below(10000);
        w->segment_bytes = 300 + below(8000);
        snprintf(w->queue, sizeof w->queue, "00000000-0000-4000-8000-%012" PRIu64, seed);
        start();
        for (unsigned i = 0; i < STEPS && !*w->problem; i++)
                step();
        if (!*w->problem)
                crash();
        if (!*w->problem)
                read_all();
        if (!*w->problem && below(2))
                damage();
        stop();
        relation_unref(w->tables[0]);
        relation_unref(w->tables[1]);
        sim_disk_free(w->sim);
}

int main(int argc, char **argv)
{
        const char *seeds = getenv("SIM_SEEDS"), *first = getenv("SIM_FIRST");
        uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10)
                         : seeds  ? strtoull(seeds, NULL, 10)
                                  : 2000;
        uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10)
                        : first  ? strtoull(first, NULL, 10)
                                 : 1;
        unsigned passed = 0, failed = 0;

        for (uint64_t n = 0; n < count; n++, seed++) {
                w = memory_new_of(struct world);
                tell(seed);
                if (*w->problem) {
                        if (failed++ < 10)
                                printf("seed %" PRIu64 ": %s\n", seed, w->problem);
                } else {
                        passed++;
                }
                free(w);
        }
        printf("%u passed, %u failed\n", passed, failed);
        return failed ? 1 : 0;
}
