#include "spool/follow.h"
#include "base/memory.h"
#include "spool/segment_file.h"
#include "spool/segment_tail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STEP_SEGMENTS 64
#define STEP_FRAMES 16

struct follow {
        struct disk *disk;
        char *folder;
        struct chain *chain;
        struct segment_file file; /* the newest in the chain; zeroed: none */
        struct position end;
        struct error doubt;
};

/* The numbers of a folder. */
struct numbers {
        uint64_t *items;
        size_t n, room;
        uint64_t above;
};

static void see_name(void *context, const char *name)
{
        struct numbers *n = context;
        uint64_t sequence = segment_sequence(name);

        if (sequence <= n->above)
                return;
        if (n->n == n->room) {
                n->room = n->room * 2 + 16;
                n->items = memory_grow(n->items, n->room * sizeof *n->items);
        }
        n->items[n->n++] = sequence;
}

static int by_number(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static int read_numbers(struct disk *disk, const char *folder, struct numbers *n, struct error *e)
{
        if (disk->ops->list(disk, folder, see_name, n) < 0)
                return disk_error(e, folder, "cannot be read");
        if (n->n)
                qsort(n->items, n->n, sizeof *n->items, by_number);
        return 0;
}

struct follow *follow_new(struct disk *disk, const char *folder, struct chain *chain)
{
        struct follow *f = memory_new_of(struct follow);

        f->disk = disk;
        f->folder = memory_string(folder);
        f->chain = chain;
        return f;
}

struct follow *follow_free(struct follow *f)
{
        if (!f)
                return NULL;
        segment_file_done(&f->file);
        free(f->folder);
        free(f);
        return NULL;
}

struct position follow_end(const struct follow *f)
{
        return f->end;
}

const struct error *follow_doubt(const struct follow *f)
{
        return f->doubt.class == ERROR_NONE ? NULL : &f->doubt;
}

/* ---- the newest segment ---- */

static int is_whole(struct follow *f, uint64_t size, const struct error *why, struct error *e)
{
        uint64_t bad = f->file.at_last;
        bool ended = f->file.ended;
        int rc = segment_tail_is_witnessed(&f->file, bad, size, e);

        if (!ended)
                f->doubt = *why;
        f->file.at = f->file.at_last = bad;
        if (rc > 0)
                *e = *why;
        return rc == 0 ? 0 : -1;
}

/* As many frames as a step has. 1: there may be more; 0: what is whole was seen; -1. `closed`: all
 * has to be. */
static int look_at_frames(struct follow *f, bool closed, struct error *e)
{
        int64_t size = segment_file_size(&f->file, e);
        struct error why = ERROR_INIT;
        struct frame frame;

        for (int i = 0; size >= 0 && i < STEP_FRAMES; i++) {
                uint64_t at = f->file.at;
                int rc = segment_file_next(&f->file, (uint64_t)size, &frame, &why);

                if (rc == SEGMENT_END)
                        return 0;
                if (rc < 0 || (rc == SEGMENT_BAD && closed)) {
                        *e = why;
                        return -1;
                }
                if (rc == SEGMENT_BAD) {
                        f->file.at = at;
                        return is_whole(f, (uint64_t)size, &why, e);
                }
                f->end = frame.end;
                chain_grow(f->chain, f->file.at - at, frame.transactions, frame.end);
        }
        return size < 0 ? -1 : 1;
}

/* ---- the folder ---- */

static int gap(const struct follow *f, uint64_t sequence, struct error *e)
{
        return error_set(e, ERROR_DATA, "%s: segment %" PRIu64 " is missing", f->folder, sequence);
}

static int check_header(
        const struct follow *f, const struct segment_file *s, uint64_t sequence, struct error *e)
{
        char a[POSITION_TEXT], b[POSITION_TEXT];

        if (s->header.sequence != sequence)
                return error_set(e, ERROR_DATA, "%s: is segment %" PRIu64 " by its header", s->path,
                        s->header.sequence);
        if (!f->file.disk)
                return 0;
        if (strcmp(s->header.queue, f->file.header.queue) != 0 ||
                strcmp(s->header.source, f->file.header.source) != 0)
                return error_set(e, ERROR_DATA,
                        "%s: belongs to another archive than the segments before it", s->path);
        if (position_compare(s->header.begin, f->end) < 0)
                return error_set(e, ERROR_DATA,
                        "%s: gap: begins at %s, the segment before it ends at %s", s->path,
                        position_format(s->header.begin, a), position_format(f->end, b));
        return 0;
}

/* `whole`: another one follows. */
static int add(struct follow *f, uint64_t sequence, bool whole, struct error *e)
{
        AUTO_STRING path = segment_path(f->folder, sequence);
        struct segment_file file;
        struct chain_segment s = {.sequence = sequence};
        int64_t size;

        if (segment_file_open(&file, f->disk, path, e) < 0)
                return -1;
        size = segment_file_size(&file, e);
        if (size < 0 || check_header(f, &file, sequence, e) < 0) {
                segment_file_done(&file);
                return -1;
        }
        segment_file_done(&f->file);
        f->file = file;
        f->end = file.header.begin;
        s.bytes = whole ? (uint64_t)size : file.first;
        s.begin = s.end = file.header.begin;
        s.inside = file.header.inside;
        chain_add(f->chain, &s);
        return 0;
}

/* Those that are new, up to a step's number. */
static int add_new(struct follow *f, const struct numbers *n, struct error *e)
{
        uint64_t last = f->file.disk ? f->file.header.sequence : n->items[0] - 1;

        for (size_t i = 0; i < n->n && i < STEP_SEGMENTS; i++) {
                if (n->items[i] != last + 1)
                        return gap(f, last + 1, e);
                if (add(f, ++last, i + 1 < n->n, e) < 0)
                        return -1;
        }
        return 1;
}

/* A segment that another one follows is read to its end first; it was closed before that one came.
 */
int follow_look(struct follow *f, struct error *e)
{
        struct chain_segment newest = {0};
        struct numbers n = {.above = f->file.disk ? f->file.header.sequence : 0};
        bool open = f->file.disk && chain_last(f->chain, &newest) && newest.bytes == f->file.at;
        int rc = read_numbers(f->disk, f->folder, &n, e);

        error_clear(&f->doubt);
        if (rc == 0 && open)
                rc = look_at_frames(f, n.n > 0, e);
        if (rc == 0 && n.n > 0)
                rc = add_new(f, &n, e);
        free(n.items);
        return rc;
}

int follow_begin(
        struct disk *disk, const char *folder, struct position *p, char **gtids, struct error *e)
{
        struct numbers n = {0};
        int rc = read_numbers(disk, folder, &n, e);
        bool found = false;

        for (size_t i = 0; rc == 0 && !found && i < n.n; i++) {
                AUTO_STRING path = segment_path(folder, n.items[i]);
                struct segment_file file;

                if ((rc = segment_file_open(&file, disk, path, e)) < 0)
                        break;
                found = !file.header.inside;
                *p = file.header.begin;
                *gtids = found ? memory_string(file.header.gtids) : NULL;
                segment_file_done(&file);
        }
        if (rc == 0 && n.n > 0 && !found)
                rc = error_set(
                        e, ERROR_DATA, "%s: no segment begins between two transactions", folder);
        free(n.items);
        return rc < 0 ? -1 : found;
}
