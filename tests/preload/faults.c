/*
 * What goes wrong below culvertd, by order of a test: a library for LD_PRELOAD, no part of the
 * product. The test and the process share a page of memory, the file named by CULVERT_FAULTS
 * (tests/harness/faults.py has the same layout); without it every call passes as it is.
 *
 * Points are passages: before and after each call that changes a file, and around the bytes that
 * commit on the target or acknowledge to the source, and those of the copy: that take the snapshot
 * and the slot, carry many rows, define keys and tables, or record how far it is; and before whatever
 * is sent. Each is counted, and the passage that the
 * test has ordered ends the process as kill -9 does. Clocks may be ahead or behind, and the disk
 * may have no room.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 4096, NAME = 24, NANO = 1000000000 };

struct point {
        char name[NAME];
        _Atomic uint64_t passed;
        _Atomic uint64_t kill_at; /* the process dies when `passed` gets there; 0: never */
};

enum {
        CREATE,
        CREATED,
        WRITE,
        WRITTEN,
        SYNC,
        SYNCED,
        SYNC_FOLDER,
        SYNCED_FOLDER,
        RENAME,
        RENAMED,
        UNLINK,
        UNLINKED,
        TRUNCATE,
        TRUNCATED,
        COMMIT,
        COMMIT_SENT,
        COMMIT_ANSWERED,
        ACK,
        ACK_SENT,
        SNAPSHOT,
        SNAPSHOT_SENT,
        SLOT,
        SLOT_SENT,
        ROWS,
        ROWS_SENT,
        DEFINITION,
        DEFINITION_SENT,
        RECORD,
        RECORD_SENT,
        SEND,
        POINTS
};

static const char *const names[POINTS] = {"create", "created", "write", "written", "sync", "synced",
        "sync folder", "synced folder", "rename", "renamed", "unlink", "unlinked", "truncate",
        "truncated", "commit", "commit sent", "commit answered", "ack", "ack sent", "snapshot",
        "snapshot sent", "slot", "slot sent", "rows", "rows sent", "definition",
        "definition sent", "record", "record sent", "send"};

struct page {
        _Atomic int64_t calendar;  /* ns that CLOCK_REALTIME is ahead */
        _Atomic int64_t monotonic; /* and CLOCK_MONOTONIC */
        _Atomic int64_t full;      /* 1: no space is left */
        _Atomic int64_t broken;    /* 1: the next sync fails, once */
        struct point points[POINTS];
};

static struct page *page;
static _Atomic bool committing[FDS]; /* a commit went out, and no answer has come in */
static _Atomic int64_t heard[FDS];   /* `monotonic` when bytes came in */

#define NEXT(name)                                                                                 \
        static __typeof__(name) *next;                                                             \
        if (!next)                                                                                 \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void)
{
        const char *path = getenv("CULVERT_FAULTS");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *at =
                fd < 0 ? MAP_FAILED
                       : mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (fd >= 0)
                close(fd);
        if (at == MAP_FAILED)
                return;
        page = at;
        for (int i = 0; i < POINTS; i++)
                strncpy(page->points[i].name, names[i], NAME - 1);
        /* programs that culvertd runs are not meant */
        unsetenv("CULVERT_FAULTS");
        unsetenv("LD_PRELOAD");
}

static void pass(int point)
{
        struct point *p;

        if (!page)
                return;
        p = &page->points[point];
        if (atomic_fetch_add(&p->passed, 1) + 1 == atomic_load(&p->kill_at)) {
                kill(getpid(), SIGKILL);
                pause();
        }
}

static bool is_kind(int fd, mode_t kind)
{
        struct stat st;

        return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

static bool no_room(void)
{
        if (!page || !atomic_load(&page->full))
                return false;
        errno = ENOSPC;
        return true;
}

/* ---- files ---- */

int open(const char *path, int flags, ...)
{
        NEXT(open);
        mode_t mode = 0;
        int fd;

        if (flags & O_CREAT) {
                va_list more;

                va_start(more, flags);
                mode = va_arg(more, mode_t);
                va_end(more);
                pass(CREATE);
                if (no_room())
                        return -1;
        }
        fd = next(path, flags, mode);
        if (flags & O_CREAT)
                pass(CREATED);
        return fd;
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
        NEXT(pwrite);
        ssize_t n;

        pass(WRITE);
        if (no_room())
                return -1;
        n = next(fd, from, len, at);
        pass(WRITTEN);
        return n;
}

ssize_t write(int fd, const void *from, size_t len)
{
        NEXT(write);
        bool file = page && fd > STDERR_FILENO && is_kind(fd, S_IFREG);
        ssize_t n;

        if (!file)
                return next(fd, from, len);
        pass(WRITE);
        if (no_room())
                return -1;
        n = next(fd, from, len);
        pass(WRITTEN);
        return n;
}

int fsync(int fd)
{
        NEXT(fsync);
        bool folder = is_kind(fd, S_IFDIR);
        int rc;

        pass(folder ? SYNC_FOLDER : SYNC);
        if (page && atomic_exchange(&page->broken, 0)) {
                errno = EIO;
                return -1;
        }
        rc = next(fd);
        pass(folder ? SYNCED_FOLDER : SYNCED);
        return rc;
}

int ftruncate(int fd, off_t size)
{
        NEXT(ftruncate);
        int rc;

        pass(TRUNCATE);
        rc = next(fd, size);
        pass(TRUNCATED);
        return rc;
}

int rename(const char *from, const char *to)
{
        NEXT(rename);
        int rc;

        pass(RENAME);
        rc = next(from, to);
        pass(RENAMED);
        return rc;
}

int unlink(const char *path)
{
        NEXT(unlink);
        int rc;

        pass(UNLINK);
        rc = next(path);
        pass(UNLINKED);
        return rc;
}

/* ---- connections ---- */

/* The statement as the sinks and the copy send it. */
static bool has_commit(const void *from, size_t len)
{
        return memmem(from, len, "commit", 6) != NULL;
}

/* PostgreSQL's CopyData with a standby status update: 'd', length 38, 'r'. */
static bool has_ack(const void *from, size_t len)
{
        static const char head[] = {'d', 0, 0, 0, 38, 'r'};

        return memmem(from, len, head, sizeof head) != NULL;
}

/* Statements of the copy, by words that are in no others. Rows are what fills a buffer. */
static int copy_point(const void *from, size_t len)
{
        static const struct {
                const char *word;
                int point;
        } words[] = {{"CREATE_REPLICATION_SLOT", SLOT}, {"set transaction snapshot", SNAPSHOT},
                {"with consistent snapshot", SNAPSHOT}, {"into culvert.copy", RECORD},
                {"into culvert.`copy`", RECORD}, {"create table ", DEFINITION},
                {"alter table ", DEFINITION}, {"create index", DEFINITION}};

        for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
                if (memmem(from, len, words[i].word, strlen(words[i].word)))
                        return words[i].point;
        return len >= 4096 ? ROWS : POINTS;
}

ssize_t send(int fd, const void *from, size_t len, int flags)
{
        NEXT(send);
        int copy = page ? copy_point(from, len) : POINTS;
        bool commit = page && has_commit(from, len), ack = page && has_ack(from, len);
        ssize_t n;

        pass(SEND);
        if (commit)
                pass(COMMIT);
        if (ack)
                pass(ACK);
        if (copy != POINTS)
                pass(copy);
        if (commit && fd >= 0 && fd < FDS)
                committing[fd] = true;
        n = next(fd, from, len, flags);
        if (commit)
                pass(COMMIT_SENT);
        if (ack)
                pass(ACK_SENT);
        if (copy != POINTS)
                pass(copy + 1);
        return n;
}

/* The target has done it, and culvertd does not know yet. */
ssize_t recv(int fd, void *to, size_t len, int flags)
{
        NEXT(recv);
        ssize_t n = next(fd, to, len, flags);

        if (n > 0 && page && fd >= 0 && fd < FDS)
                heard[fd] = atomic_load(&page->monotonic);
        if (n > 0 && !(flags & MSG_PEEK) && fd >= 0 && fd < FDS &&
                atomic_exchange(&committing[fd], false))
                pass(COMMIT_ANSWERED);
        return n;
}

/* ---- clocks ---- */

static void add(struct timespec *t, int64_t ns)
{
        int64_t sum = t->tv_sec * (int64_t)NANO + t->tv_nsec + ns;

        t->tv_sec = sum / NANO;
        t->tv_nsec = sum % NANO;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
        NEXT(clock_gettime);
        int rc = next(id, t);

        if (rc == 0 && page && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
                add(t, atomic_load(&page->calendar));
        if (rc == 0 && page && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
                add(t, atomic_load(&page->monotonic));
        return rc;
}

time_t time(time_t *to)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        if (to)
                *to = t.tv_sec;
        return t.tv_sec;
}

/* For how long nothing came in is a clock as well. */
int getsockopt(int fd, int level, int option, void *restrict to, socklen_t *restrict len)
{
        NEXT(getsockopt);
        int rc = next(fd, level, option, to, len);

        if (rc == 0 && page && level == IPPROTO_TCP && option == TCP_INFO && fd >= 0 && fd < FDS &&
                *len >= offsetof(struct tcp_info, tcpi_last_data_recv) + sizeof(uint32_t))
                ((struct tcp_info *)to)->tcpi_last_data_recv +=
                        (uint32_t)((atomic_load(&page->monotonic) - heard[fd]) / (NANO / 1000));
        return rc;
}

/* culvertd's conditions all wait by CLOCK_MONOTONIC. */
int pthread_cond_timedwait(
        pthread_cond_t *restrict c, pthread_mutex_t *restrict m, const struct timespec *restrict at)
{
        static __typeof__(pthread_cond_timedwait) *next;
        struct timespec real = *at;

        if (!next)
                next = (__typeof__(pthread_cond_timedwait) *)dlvsym(
                        RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
        if (page)
                add(&real, -atomic_load(&page->monotonic));
        return next(c, m, &real);
}
