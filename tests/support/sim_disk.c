#include "tests/support/sim_disk.h"
#include "base/memory.h"
#include "tests/support/story.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 512
#define OPENED_MAX 16

struct change_of_file {
        struct change_of_file *next;
        uint64_t at; /* or the new size */
        bool truncate;
        struct buf bytes;
};

struct sim_file {
        struct sim_file *next; /* all that ever were */
        struct buf live;       /* what is read */
        struct buf synced;     /* what is on the disk */
        struct change_of_file *pending, **tail;
};

struct name {
        char *path;
        struct sim_file *file;
};

struct folder {
        struct name names[FILES_MAX];
        unsigned n;
};

struct change_of_folder {
        struct change_of_folder *next;
        char *from, *to; /* from NULL: made; to NULL: deleted */
        struct sim_file *file;
};

struct sim_disk {
        struct disk disk; /* first */
        uint64_t random, capacity;
        struct sim_file *files;
        struct folder live, synced;
        struct change_of_folder *pending, **tail;
        struct sim_file *opened[OPENED_MAX];
        int fail_after, fail_errno;
        bool failed;
};

static uint64_t below(struct sim_disk *d, uint64_t n)
{
        return story_below(&d->random, n);
}

static struct sim_disk *sim(struct disk *d)
{
        return (struct sim_disk *)d;
}

/* Is it this call's turn? */
static bool fails(struct sim_disk *d)
{
        if (d->fail_after < 0 || d->fail_after-- > 0)
                return false;
        d->failed = true;
        errno = d->fail_errno;
        return true;
}

/* ---- folders ---- */

static struct name *find(struct folder *f, const char *path)
{
        for (unsigned i = 0; i < f->n; i++)
                if (!strcmp(f->names[i].path, path))
                        return &f->names[i];
        return NULL;
}

static void drop_name(struct folder *f, const char *path)
{
        struct name *n = find(f, path);

        if (!n)
                return;
        free(n->path);
        *n = f->names[--f->n];
}

static void set_name(struct folder *f, const char *path, struct sim_file *file)
{
        drop_name(f, path);
        if (f->n == FILES_MAX)
                abort();
        f->names[f->n++] = (struct name){memory_string(path), file};
}

static void clear_folder(struct folder *f)
{
        while (f->n > 0)
                free(f->names[--f->n].path);
}

static void copy_folder(struct folder *to, const struct folder *from)
{
        clear_folder(to);
        for (unsigned i = 0; i < from->n; i++)
                set_name(to, from->names[i].path, from->names[i].file);
}

static void apply_to_folder(struct folder *f, const struct change_of_folder *c)
{
        if (c->from)
                drop_name(f, c->from);
        if (c->to)
                set_name(f, c->to, c->file);
}

static void change_folder(
        struct sim_disk *d, const char *from, const char *to, struct sim_file *file)
{
        struct change_of_folder *c = memory_new_of(struct change_of_folder);

        *c = (struct change_of_folder){
                .from = memory_string(from), .to = memory_string(to), .file = file};
        *d->tail = c;
        d->tail = &c->next;
        apply_to_folder(&d->live, c);
}

static void forget_folder_changes(struct sim_disk *d)
{
        for (struct change_of_folder *c = d->pending, *next; c; c = next) {
                next = c->next;
                free(c->from);
                free(c->to);
                free(c);
        }
        d->pending = NULL;
        d->tail = &d->pending;
}

/* ---- files ---- */

static void put(struct buf *b, uint64_t at, const void *from, size_t len)
{
        if (b->len < at + len) {
                size_t more = (size_t)(at + len) - b->len;

                memset(buf_room(b, more), 0, more);
                b->len += more;
        }
        memcpy(b->data + at, from, len);
}

static void apply_to_file(struct buf *b, const struct change_of_file *c, size_t len)
{
        if (c->truncate && b->len > c->at)
                b->len = (size_t)c->at;
        else if (!c->truncate && len > 0)
                put(b, c->at, c->bytes.data, len);
}

static void change_file(
        struct sim_file *f, bool truncate, uint64_t at, const void *from, size_t len)
{
        struct change_of_file *c = memory_new_of(struct change_of_file);

        c->truncate = truncate;
        c->at = at;
        if (len)
                buf_add(&c->bytes, from, len);
        *f->tail = c;
        f->tail = &c->next;
        apply_to_file(&f->live, c, len);
}

static void forget_file_changes(struct sim_file *f)
{
        for (struct change_of_file *c = f->pending, *next; c; c = next) {
                next = c->next;
                buf_done(&c->bytes);
                free(c);
        }
        f->pending = NULL;
        f->tail = &f->pending;
}

static struct sim_file *new_file(struct sim_disk *d)
{
        struct sim_file *f = memory_new_of(struct sim_file);

        f->tail = &f->pending;
        f->next = d->files;
        d->files = f;
        return f;
}

static void set_bytes(struct buf *to, const struct buf *from)
{
        buf_clear(to);
        buf_add(to, from->data, from->len);
}

/* ---- the table ---- */

static int sim_make_dir(struct disk *disk, const char *path)
{
        (void)path;
        return fails(sim(disk)) ? -1 : 0;
}

static int sim_list(struct disk *disk, const char *path,
        void (*each)(void *context, const char *name), void *context)
{
        struct sim_disk *d = sim(disk);
        size_t len = strlen(path) + 1;

        if (fails(d))
                return -1;
        for (unsigned i = 0; i < d->live.n; i++)
                each(context, d->live.names[i].path + len);
        return 0;
}

static int open_file(struct sim_disk *d, struct sim_file *f)
{
        for (int i = 0; i < OPENED_MAX; i++)
                if (!d->opened[i]) {
                        d->opened[i] = f;
                        return i;
                }
        abort();
}

static int sim_create(struct disk *disk, const char *path)
{
        struct sim_disk *d = sim(disk);
        struct sim_file *f;

        if (fails(d))
                return -1;
        f = new_file(d);
        change_folder(d, NULL, path, f);
        return open_file(d, f);
}

static int sim_open(struct disk *disk, const char *path)
{
        struct sim_disk *d = sim(disk);
        struct name *n = find(&d->live, path);

        if (fails(d))
                return -1;
        if (n)
                return open_file(d, n->file);
        errno = ENOENT;
        return -1;
}

static void sim_close(struct disk *disk, int fd)
{
        sim(disk)->opened[fd] = NULL;
}

static int64_t sim_size(struct disk *disk, int fd)
{
        return fails(sim(disk)) ? -1 : (int64_t)sim(disk)->opened[fd]->live.len;
}

static ssize_t sim_read(struct disk *disk, int fd, void *to, size_t len, uint64_t at)
{
        const struct buf *b = &sim(disk)->opened[fd]->live;
        size_t left = at < b->len ? b->len - (size_t)at : 0;

        if (fails(sim(disk)))
                return -1;
        len = len < left ? len : left;
        if (len)
                memcpy(to, b->data + at, len);
        return (ssize_t)len;
}

static int sim_write(struct disk *disk, int fd, const void *from, size_t len, uint64_t at)
{
        struct sim_disk *d = sim(disk);
        struct sim_file *f = d->opened[fd];
        uint64_t more = at + len > f->live.len ? at + len - f->live.len : 0;
        uint64_t used = sim_disk_bytes(d);

        if (fails(d)) {
                change_file(f, false, at, from, (size_t)below(d, len + 1));
                errno = d->fail_errno;
                return -1;
        }
        if (used + more > d->capacity) {
                uint64_t fit = d->capacity > used ? d->capacity - used : 0;

                change_file(f, false, at, from, (size_t)(fit < len ? fit : len));
                errno = ENOSPC;
                return -1;
        }
        change_file(f, false, at, from, len);
        return 0;
}

static int sim_truncate(struct disk *disk, int fd, uint64_t size)
{
        if (fails(sim(disk)))
                return -1;
        change_file(sim(disk)->opened[fd], true, size, NULL, 0);
        return 0;
}

/* A sync that fails loses what was written. What the file system knows of the file stays to be
 * synced: when it loses that, it is no file system any more. */
static int sim_sync(struct disk *disk, int fd)
{
        struct sim_file *f = sim(disk)->opened[fd];
        bool failed = fails(sim(disk)), cut = false;
        uint64_t size = f->live.len;

        for (struct change_of_file *c = f->pending; c; c = c->next) {
                cut = cut || c->truncate;
                if (!failed)
                        apply_to_file(&f->synced, c, c->bytes.len);
        }
        forget_file_changes(f);
        if (failed && cut)
                change_file(f, true, size, NULL, 0);
        return failed ? -1 : 0;
}

static int sim_sync_dir(struct disk *disk, const char *path)
{
        struct sim_disk *d = sim(disk);

        (void)path;
        if (fails(d))
                return -1;
        for (struct change_of_folder *c = d->pending; c; c = c->next)
                apply_to_folder(&d->synced, c);
        forget_folder_changes(d);
        return 0;
}

static int sim_rename(struct disk *disk, const char *from, const char *to)
{
        struct sim_disk *d = sim(disk);
        struct name *n = find(&d->live, from);

        if (fails(d))
                return -1;
        change_folder(d, from, to, n->file);
        return 0;
}

static int sim_unlink(struct disk *disk, const char *path)
{
        struct sim_disk *d = sim(disk);

        if (fails(d))
                return -1;
        if (!find(&d->live, path)) {
                errno = ENOENT;
                return -1;
        }
        change_folder(d, path, NULL, NULL);
        return 0;
}

static const struct disk_ops sim_ops = {
        .make_dir = sim_make_dir,
        .list = sim_list,
        .create = sim_create,
        .open = sim_open,
        .change = sim_open,
        .close = sim_close,
        .size = sim_size,
        .read = sim_read,
        .write = sim_write,
        .truncate = sim_truncate,
        .sync = sim_sync,
        .sync_dir = sim_sync_dir,
        .rename = sim_rename,
        .unlink = sim_unlink,
};

/* ---- for the tests ---- */

struct sim_disk *sim_disk_new(uint64_t seed)
{
        struct sim_disk *d = memory_new_of(struct sim_disk);

        d->disk.ops = &sim_ops;
        d->random = seed * 2654435761u + 88172645463325252u;
        d->capacity = UINT64_MAX;
        d->tail = &d->pending;
        d->fail_after = -1;
        return d;
}

struct sim_disk *sim_disk_free(struct sim_disk *d)
{
        if (!d)
                return NULL;
        clear_folder(&d->live);
        clear_folder(&d->synced);
        forget_folder_changes(d);
        for (struct sim_file *f = d->files, *next; f; f = next) {
                next = f->next;
                forget_file_changes(f);
                buf_done(&f->live);
                buf_done(&f->synced);
                free(f);
        }
        free(d);
        return NULL;
}

struct disk *sim_disk_as_disk(struct sim_disk *d)
{
        return &d->disk;
}

void sim_disk_fail(struct sim_disk *d, int after, int with_errno)
{
        d->fail_after = after;
        d->fail_errno = with_errno;
        d->failed = false;
}

bool sim_disk_has_failed(const struct sim_disk *d)
{
        return d->failed;
}

void sim_disk_capacity(struct sim_disk *d, uint64_t bytes)
{
        d->capacity = bytes;
}

uint64_t sim_disk_bytes(const struct sim_disk *d)
{
        uint64_t bytes = 0;

        for (unsigned i = 0; i < d->live.n; i++)
                bytes += d->live.names[i].file->live.len;
        return bytes;
}

void sim_disk_kill(struct sim_disk *d)
{
        memset(d->opened, 0, sizeof d->opened);
        d->fail_after = -1;
}

/* Each write whole, not at all, or its beginning; or zeros where it was to be. */
static void lose_some(struct sim_disk *d, struct sim_file *f)
{
        unsigned kind = (unsigned)below(d, 4);

        for (struct change_of_file *c = f->pending; c; c = c->next) {
                size_t len = c->bytes.len;
                unsigned fate = (unsigned)below(d, 4);
                size_t before;

                if (kind == 0 || (kind == 2 && fate == 0)) /* none; some */
                        continue;
                if (kind == 1 && !c->next) /* all, and a part of the last */
                        len = (size_t)below(d, len + 1);
                if (kind == 2 && fate == 1)
                        len = (size_t)below(d, len + 1);
                before = f->synced.len;
                apply_to_file(&f->synced, c, len);
                if (kind == 3 && fate == 0 &&
                        f->synced.len > before) /* longer, without the bytes */
                        memset(f->synced.data + before, 0, f->synced.len - before);
        }
        forget_file_changes(f);
        set_bytes(&f->live, &f->synced);
}

void sim_disk_power_loss(struct sim_disk *d)
{
        bool in_order = below(d, 2);
        struct change_of_folder *c = d->pending;

        sim_disk_kill(d);
        for (; c; c = c->next) {
                if (below(d, 2) == 0)
                        apply_to_folder(&d->synced, c);
                else if (in_order)
                        break;
        }
        forget_folder_changes(d);
        copy_folder(&d->live, &d->synced);
        for (struct sim_file *f = d->files; f; f = f->next)
                lose_some(d, f);
}

struct buf *sim_disk_file(struct sim_disk *d, const char *path)
{
        struct name *n = find(&d->live, path);

        if (!n)
                return NULL;
        return &n->file->live;
}

unsigned sim_disk_files(const struct sim_disk *d)
{
        return d->live.n;
}

const char *sim_disk_name(const struct sim_disk *d, unsigned i)
{
        return d->live.names[i].path;
}
