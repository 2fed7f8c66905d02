#include "spool/disk.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int real_make_dir(struct disk *d, const char *path)
{
        struct error e = ERROR_INIT;

        (void)d;
        return file_make_dir(path, &e);
}

static int real_list(struct disk *d, const char *path,
        void (*each)(void *context, const char *name), void *context)
{
        DIR *folder = opendir(path);
        struct dirent *entry;
        int failed;

        (void)d;
        if (!folder)
                return -1;
        while ((errno = 0, entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        each(context, entry->d_name);
        failed = errno;
        closedir(folder);
        errno = failed;
        return failed ? -1 : 0;
}

static int real_create(struct disk *d, const char *path)
{
        (void)d;
        return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int real_open(struct disk *d, const char *path)
{
        (void)d;
        return open(path, O_RDONLY | O_CLOEXEC);
}

static int real_change(struct disk *d, const char *path)
{
        (void)d;
        return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

static void real_close(struct disk *d, int fd)
{
        (void)d;
        close(fd);
}

static int64_t real_size(struct disk *d, int fd)
{
        struct stat st;

        (void)d;
        return fstat(fd, &st) < 0 ? -1 : st.st_size;
}

static ssize_t real_read(struct disk *d, int fd, void *to, size_t len, uint64_t at)
{
        size_t done = 0;

        (void)d;
        while (done < len) {
                ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(at + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -1;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

static int real_write(struct disk *d, int fd, const void *from, size_t len, uint64_t at)
{
        size_t done = 0;

        (void)d;
        while (done < len) {
                ssize_t n = pwrite(fd, (const char *)from + done, len - done, (off_t)(at + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -1;
                done += (size_t)n;
        }
        return 0;
}

static int real_truncate(struct disk *d, int fd, uint64_t size)
{
        (void)d;
        return ftruncate(fd, (off_t)size);
}

/* Not tried again when it fails, whatever the reason (HAZARDS B9). */
static int real_sync(struct disk *d, int fd)
{
        (void)d;
        return fsync(fd);
}

static int real_sync_dir(struct disk *d, const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc, failed;

        (void)d;
        if (fd < 0)
                return -1;
        rc = fsync(fd);
        failed = errno;
        close(fd);
        errno = failed;
        return rc;
}

static int real_rename(struct disk *d, const char *from, const char *to)
{
        (void)d;
        return rename(from, to);
}

static int real_unlink(struct disk *d, const char *path)
{
        (void)d;
        return unlink(path);
}

static const struct disk_ops real_ops = {
        .make_dir = real_make_dir,
        .list = real_list,
        .create = real_create,
        .open = real_open,
        .change = real_change,
        .close = real_close,
        .size = real_size,
        .read = real_read,
        .write = real_write,
        .truncate = real_truncate,
        .sync = real_sync,
        .sync_dir = real_sync_dir,
        .rename = real_rename,
        .unlink = real_unlink,
};

struct disk *disk_real(void)
{
        static struct disk real = {&real_ops};

        return &real;
}

int disk_error(struct error *e, const char *path, const char *what)
{
        bool full = errno == ENOSPC || errno == EDQUOT;

        error_set(e, full ? ERROR_RETRY : ERROR_CONFIG, "%s: %s: %s", path, what, strerror(errno));
        if (full)
                snprintf(e->code, sizeof e->code, "%s", DISK_FULL_CODE);
        return -1;
}
