#include "spool/recover.h"
#include "base/memory.h"
#include "spool/record.h"
#include "spool/segment_file.h"
#include "spool/segment_tail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART ".new"

struct recovery {
        bool archive;
        struct disk *disk;
        const char *folder, *pipeline;
        struct chain *chain;
        struct recovered *out;

        uint64_t *sequences; /* of the folder */
        size_t n, room;
        struct buf parts; /* names of files that never became segments, a zero byte behind each */
        bool inside;      /* behind the segments so far */
};

void recovered_done(struct recovered *r)
{
        free(r->gtids);
        *r = (struct recovered){0};
}

/* ---- the folder ---- */

static void see_name(void *context, const char *name)
{
        struct recovery *r = context;
        uint64_t sequence = segment_sequence(name);
        size_t len = strlen(name), part = sizeof PART - 1;
        AUTO_STRING whole = memory_printf("%.*s", (int)(len > part ? len - part : 0), name);

        if (segment_sequence(whole) && !strcmp(name + len - part, PART))
                buf_add(&r->parts, name, len + 1);
        if (!sequence)
                return;
        if (r->n == r->room) {
                r->room = r->room * 2 + 16;
                r->sequences = memory_grow(r->sequences, r->room * sizeof *r->sequences);
        }
        r->sequences[r->n++] = sequence;
}

static int by_number(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static int read_folder(struct recovery *r, struct error *e)
{
        const struct disk_ops *ops = r->disk->ops;

        if (ops->make_dir(r->disk, r->folder) < 0)
                return disk_error(e, r->folder, "cannot be made");
        if (ops->list(r->disk, r->folder, see_name, r) < 0)
                return disk_error(e, r->folder, "cannot be read");
        if (r->n)
                qsort(r->sequences, r->n, sizeof *r->sequences, by_number);
        for (size_t i = 0; i < r->parts.len; i += strlen(r->parts.data + i) + 1) {
                AUTO_STRING path = memory_printf("%s/%s", r->folder, r->parts.data + i);

                if (ops->unlink(r->disk, path) < 0)
                        return disk_error(e, path, "cannot be deleted");
        }
        /* Names that are seen now stay, before any that come later. */
        if (ops->sync_dir(r->disk, r->folder) < 0)
                return disk_error(e, r->folder, "cannot be synced");
        return 0;
}

/* ---- segments ---- */

static int gap(const struct recovery *r, const struct segment_file *f, struct error *e)
{
        char a[POSITION_TEXT], b[POSITION_TEXT];

        return error_set(e, ERROR_DATA, "%s: gap: begins at %s, the segment before it ends at %s",
                f->path, position_format(f->header.begin, a), position_format(r->out->end, b));
}

static int check_header(
        struct recovery *r, const struct segment_file *f, uint64_t sequence, struct error *e)
{
        const struct segment_header *h = &f->header;

        if (strcmp(h->pipeline, r->pipeline) != 0)
                return error_set(e, ERROR_CONFIG, "%s: belongs to pipeline %s, not %s", f->path,
                        h->pipeline, r->pipeline);
        if (h->sequence != sequence)
                return error_set(e, ERROR_DATA, "%s: is segment %" PRIu64 " by its header", f->path,
                        h->sequence);
        if (!r->out->any)
                return 0;
        if (strcmp(h->queue, r->out->queue) != 0)
                return error_set(e, ERROR_DATA, "%s: belongs to queue %s, those before it to %s",
                        f->path, h->queue, r->out->queue);
        if (r->archive) /* the header says where the one before it has ended */
                return position_compare(h->begin, r->out->end) < 0 ? gap(r, f, e) : 0;
        if (position_compare(h->begin, r->out->end) != 0 || (h->inside && !r->inside))
                return gap(r, f, e);
        return 0;
}

static void take_header(struct recovery *r, const struct segment_header *h)
{
        struct recovered *o = r->out;

        if (!o->any)
                o->begin = h->begin;
        o->any = true;
        o->end = h->begin;
        r->inside = h->inside;
        memcpy(o->queue, h->queue, sizeof o->queue);
        memcpy(o->source, h->source, sizeof o->source);
        memcpy(o->engine, h->engine, sizeof o->engine);
        free(o->gtids);
        o->gtids = memory_string(h->gtids);
        o->next = h->sequence + 1;
}

static int read_frames(struct recovery *r, struct segment_file *f, bool newest, struct error *e)
{
        struct chain_segment s = {.sequence = f->header.sequence,
                .begin = f->header.begin,
                .inside = f->header.inside};
        struct segment_tail tail = {.end = f->header.begin, .inside = f->header.inside};

        if (segment_tail_read(f, newest, &tail, e) < 0)
                return -1;
        s.bytes = tail.size;
        s.end = tail.end;
        s.start = tail.start;
        s.transactions = tail.transactions;
        if (tail.gtids_known) {
                free(r->out->gtids);
                r->out->gtids = tail.gtids;
        }
        r->out->end = tail.end;
        r->inside = tail.inside;
        chain_add(r->chain, &s);
        return 0;
}

/* Of a closed one the next header says where it ends. */
static int trust_frames(struct recovery *r, struct segment_file *f, struct error *e)
{
        int64_t size = segment_file_size(f, e);
        struct chain_segment s = {.sequence = f->header.sequence,
                .begin = f->header.begin,
                .end = f->header.begin,
                .inside = f->header.inside};

        if (size < 0)
                return -1;
        s.bytes = (uint64_t)size;
        chain_add(r->chain, &s);
        return 0;
}

static int read_segment(struct recovery *r, uint64_t sequence, bool newest, struct error *e)
{
        AUTO_STRING path = segment_path(r->folder, sequence);
        struct segment_file f;
        int rc;

        if (segment_file_open(&f, r->disk, path, e) < 0)
                return -1;
        rc = check_header(r, &f, sequence, e);
        if (rc == 0) {
                take_header(r, &f.header);
                rc = r->archive && !newest ? trust_frames(r, &f, e) : read_frames(r, &f, newest, e);
        }
        segment_file_done(&f);
        return rc;
}

/* ---- what comes before the first that can be read ---- */

static int drop_first(struct disk *disk, const char *folder, struct chain *chain, struct error *e)
{
        struct chain_segment s;
        AUTO_STRING path = NULL;

        if (!chain_first(chain, &s))
                return 0;
        path = segment_path(folder, s.sequence);
        if (disk->ops->unlink(disk, path) < 0)
                return disk_error(e, path, "cannot be deleted");
        if (disk->ops->sync_dir(disk, folder) < 0)
                return disk_error(e, folder, "cannot be synced");
        chain_drop_first(chain);
        return 0;
}

int recover_clear(struct disk *disk, const char *folder, struct chain *chain, struct error *e)
{
        struct chain_segment s;

        while (chain_first(chain, &s))
                if (drop_first(disk, folder, chain, e) < 0)
                        return -1;
        return 0;
}

/* A power loss while segments were being deleted leaves some that a transaction goes through whose
 * beginning is gone. The one up to which they were is there. */
static int drop_leftovers(struct recovery *r, struct error *e)
{
        struct chain_segment first, s;

        if (!chain_first(r->chain, &first))
                return 0;
        if (!chain_find(r->chain, r->out->end, &s))
                return error_set(e, ERROR_DATA,
                        "%s: segment %" PRIu64 " is missing, where a transaction begins", r->folder,
                        first.sequence - 1);
        while (first.inside && position_is_none(first.start)) {
                if (drop_first(r->disk, r->folder, r->chain, e) < 0)
                        return -1;
                chain_first(r->chain, &first);
        }
        r->out->begin = first.start;
        return 0;
}

static bool nothing_ends_in(const struct chain_segment *s)
{
        return s->transactions == 0 && position_compare(s->end, s->begin) == 0;
}

/* The newest ones, where no transaction ends: the one that goes through them comes again from its
 * beginning. Else each end of the process could leave as much as the largest transaction has. One
 * segment stays, which says where the queue is. */
static int drop_beginnings(struct recovery *r, struct error *e)
{
        struct chain_segment first, last;

        while (chain_first(r->chain, &first) && chain_last(r->chain, &last) &&
                last.sequence > first.sequence && nothing_ends_in(&last)) {
                AUTO_STRING path = segment_path(r->folder, last.sequence);

                if (r->disk->ops->unlink(r->disk, path) < 0)
                        return disk_error(e, path, "cannot be deleted");
                if (r->disk->ops->sync_dir(r->disk, r->folder) < 0)
                        return disk_error(e, r->folder, "cannot be synced");
                chain_drop_last(r->chain);
                r->out->next = last.sequence;
        }
        return 0;
}

static int run(struct recovery *r, struct error *e)
{
        if (read_folder(r, e) < 0)
                return -1;
        for (size_t i = 0; i < r->n; i++) {
                if (i > 0 && r->sequences[i] != r->sequences[i - 1] + 1)
                        return error_set(e, ERROR_DATA, "%s: segment %" PRIu64 " is missing",
                                r->folder, r->sequences[i - 1] + 1);
                if (read_segment(r, r->sequences[i], i + 1 == r->n, e) < 0)
                        return -1;
        }
        if (!r->archive && (drop_leftovers(r, e) < 0 || drop_beginnings(r, e) < 0))
                return -1;
        chain_set_durable(r->chain, r->out->end);
        return 0;
}

static int recover_as(struct recovery *r, struct error *e)
{
        int rc;

        *r->out = (struct recovered){0};
        rc = run(r, e);
        free(r->sequences);
        buf_done(&r->parts);
        if (rc < 0)
                recovered_done(r->out);
        return rc;
}

int recover(struct disk *disk, const char *folder, const char *pipeline, struct chain *chain,
        struct recovered *out, struct error *e)
{
        struct recovery r = {
                .disk = disk, .folder = folder, .pipeline = pipeline, .chain = chain, .out = out};

        return recover_as(&r, e);
}

int recover_archive(struct disk *disk, const char *folder, const char *pipeline,
        struct chain *chain, struct recovered *out, struct error *e)
{
        struct recovery r = {.archive = true,
                .disk = disk,
                .folder = folder,
                .pipeline = pipeline,
                .chain = chain,
                .out = out};

        return recover_as(&r, e);
}
