/*
 * Tables without a key: how many rows of each content both sides have, by digests. Memory is
 * bounded by reading both sides once for each part, which is a range of the digests; a part that
 * has too many is divided.
 *
 * Rows that change meanwhile are told from differences as in verify_settle.c, with the number of
 * equal rows in the place of the row; a look at one of them is a look at all of the table, so there
 * are fewer rounds.
 */
#include "base/loop.h"
#include "base/memory.h"
#include "ops/verify_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PART_ROWS 250000u /* aimed at */
#define PART_MAX 500000u  /* different rows; more are divided */
#define OPEN_MAX 100000u  /* of them, those that differ */
#define PARTS_MAX (1u << 24)
#define QUIET 3
#define ROUNDS_MAX 12
#define PAUSE (100 * MILLISECOND)

enum { BEFORE, TARGET, AFTER, READS };

struct tally {
        uint32_t now[READS], last[READS];
        unsigned quiet;
        bool settled;
};

struct bag {
        struct verify_worker *w;
        unsigned part;
        struct verify_set rows;
        struct tally *tallies; /* of each */
        uint32_t cap;
        bool known_only; /* rows that are not in it are of no concern any more */
        bool full;
        uint64_t read; /* rows of this part */
};

static bool is_mine(const struct bag *b, const struct digest *d)
{
        const struct verify *v = b->w->verify;

        if (v->run.sample < 100 && (d->a >> 32) % 100 >= v->run.sample)
                return false;
        return (unsigned __int128)d->b * b->w->parts >> 64 == b->part;
}

static void count(struct bag *b, const struct digest *d, unsigned which)
{
        struct verify_row *row;
        bool known = true;

        if (b->known_only)
                row = verify_set_find(&b->rows, d);
        else
                row = verify_set_add(&b->rows, d, &known);
        if (!row)
                return;
        if (b->rows.n > b->cap) {
                b->cap = b->cap ? b->cap * 2 : 1024;
                b->tallies = memory_grow(b->tallies, b->cap * sizeof *b->tallies);
        }
        if (!known)
                b->tallies[row - b->rows.rows] = (struct tally){0};
        b->tallies[row - b->rows.rows].now[which]++;
        b->full |= b->rows.n > PART_MAX;
}

/* Reads to the end also when it is full: the connection is wanted again. */
static int scan(struct bag *b, unsigned which, struct error *e)
{
        struct verify_worker *w = b->w;
        const struct verify_table *t = &w->task->table;
        bool target = which == TARGET;
        struct verify_side *s = target ? &w->to : &w->from;
        const struct verify_columns *c = target ? &t->to : &t->from;
        uint64_t told = 0, n = 0;
        AUTO_BUF sql = BUF_INIT;
        int rc, counts = 1;

        for (uint32_t i = 0; i < b->rows.n; i++)
                b->tallies[i].now[which] = 0;
        verify_select(&sql, s, c, false);
        if (verify_side_read(s, c, &sql, e) < 0)
                return -1;
        for (; (rc = verify_side_next(s, w->hand.row, e)) > 0; n++) {
                struct digest row;

                if (target)
                        verify_take_target(&w->hand, t, false);
                else if ((counts = verify_take_source(&w->hand, t, false, e)) < 0)
                        return -1;
                row = verify_row_digest(&w->hand, t);
                if (counts && is_mine(b, &row)) {
                        b->read += which == BEFORE && !b->known_only;
                        if (!b->full)
                                count(b, &row, which);
                }
                if (!target && n - told >= VERIFY_CHUNK) {
                        if (verify_throttle(w, n - told, e) < 0)
                                return -1;
                        told = n;
                }
        }
        return rc < 0 ? -1 : target ? 0 : verify_throttle(w, n - told, e);
}

static void keep_open(struct bag *b)
{
        struct verify_set open = {0};
        struct tally *tallies = memory_new((b->rows.n + 1) * sizeof *tallies);
        bool known;

        for (uint32_t i = 0; i < b->rows.n; i++) {
                if (b->tallies[i].now[BEFORE] == b->tallies[i].now[TARGET])
                        continue;
                tallies[open.n] = b->tallies[i];
                verify_set_add(&open, &b->rows.rows[i].key, &known);
        }
        verify_set_done(&b->rows);
        free(b->tallies);
        b->rows = open;
        b->tallies = tallies;
        b->known_only = true;
}

static void report(struct bag *b, uint32_t i, bool decided)
{
        const struct tally *t = &b->tallies[i];
        uint32_t source = t->now[AFTER], target = t->now[TARGET];
        uint32_t copies = source > target ? source - target : target - source;
        enum verify_kind kind = source > target ? VERIFY_MISSING : VERIFY_EXTRA;
        struct verify_worker *w = b->w;

        if (decided && kind == VERIFY_EXTRA && w->task->table.mine)
                return;
        if (decided)
                w->task->at.differences += copies - 1;
        verify_found(w, decided ? kind : VERIFY_UNDECIDED,
                memory_printf("{\"row\":\"#%016" PRIx64 "\",\"copies\":\"%" PRIu32 "\"}",
                        b->rows.rows[i].key.a, copies),
                memory_string("[]"));
}

static void judge(struct bag *b, uint32_t i)
{
        struct tally *t = &b->tallies[i];
        bool still = t->now[BEFORE] == t->now[AFTER];
        bool like_before = t->now[AFTER] == t->last[AFTER] && t->now[TARGET] == t->last[TARGET];

        if (t->now[TARGET] == t->now[BEFORE] || t->now[TARGET] == t->now[AFTER]) {
                t->settled = true;
                return;
        }
        if (!still)
                t->quiet = 0;
        else
                t->quiet = t->quiet && like_before ? t->quiet + 1 : 1;
        memcpy(t->last, t->now, sizeof t->last);
        if (t->quiet < QUIET)
                return;
        report(b, i, true);
        t->settled = true;
}

static uint32_t judge_all(struct bag *b)
{
        uint32_t open = 0;

        for (uint32_t i = 0; i < b->rows.n; i++) {
                if (!b->tallies[i].settled)
                        judge(b, i);
                open += !b->tallies[i].settled;
        }
        return open;
}

static int settle(struct bag *b, struct error *e)
{
        uint32_t open = b->rows.n;

        for (unsigned round = 0; open > 0 && round < ROUNDS_MAX; round++) {
                if (round > 0 && (verify_pause(b->w, PAUSE + verify_now() % PAUSE, e) < 0 ||
                                         scan(b, BEFORE, e) < 0 || verify_await(b->w, e) < 0 ||
                                         scan(b, TARGET, e) < 0))
                        return -1;
                if (scan(b, AFTER, e) < 0)
                        return -1;
                open = judge_all(b);
        }
        for (uint32_t i = 0; i < b->rows.n; i++)
                if (!b->tallies[i].settled)
                        report(b, i, false);
        return 0;
}

/* 1: it is to be divided. */
static int compare_part(struct bag *b, struct error *e)
{
        if (scan(b, BEFORE, e) < 0 || (!b->full && verify_await(b->w, e) < 0) ||
                (!b->full && scan(b, TARGET, e) < 0))
                return -1;
        if (b->full)
                return 1;
        keep_open(b);
        if (b->rows.n > OPEN_MAX && b->w->parts < PARTS_MAX)
                return 1;
        return settle(b, e);
}

static int do_part(struct verify_worker *w, struct error *e)
{
        struct verify_progress *p = &w->task->at;
        struct bag b = {.w = w, .part = (unsigned)p->chunk};
        int rc = compare_part(&b, e);

        verify_set_done(&b.rows);
        free(b.tallies);
        if (rc < 0)
                return -1;
        if (rc > 0 && w->parts >= PARTS_MAX)
                return error_set(e, ERROR_DATA,
                        "%s.%s has too many rows to be compared without a key", p->schema, p->name);
        if (rc > 0) { /* what was done stays done: it is the ranges in front */
                w->parts *= 2;
                p->chunk *= 2;
                return 0;
        }
        p->chunk++;
        p->rows += b.read;
        p->seen += b.read;
        return verify_save(w, e);
}

int verify_bag(struct verify_worker *w, struct error *e)
{
        struct verify_progress *p = &w->task->at;

        w->parts = p->after ? (unsigned)strtoul(p->after, NULL, 10) : 0;
        if (w->parts == 0 || w->parts > PARTS_MAX) {
                w->parts = p->total > 0 ? (unsigned)((uint64_t)p->total / PART_ROWS) + 1 : 1;
                p->chunk = 0;
        }
        while (p->chunk < w->parts)
                if (halt_check(w->verify->halt, e) < 0 || do_part(w, e) < 0)
                        return -1;
        return 0;
}
