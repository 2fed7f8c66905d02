#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct error *e, const char *path, const char *what)
{
        return error_set(e, errno == ENOSPC ? ERROR_RETRY : ERROR_CONFIG, "%s: %s: %s", path, what,
                strerror(errno));
}

char *file_read(const char *path, size_t limit, struct error *e)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        char *text;
        size_t len = 0;
        ssize_t n;

        if (fd < 0) {
                fail(e, path, "cannot be opened");
                return NULL;
        }
        text = memory_new(limit + 2);
        while (len <= limit && (n = read(fd, text + len, limit + 1 - len)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        fail(e, path, "cannot be read");
                        goto bad;
                }
                len += (size_t)n;
        }
        if (len > limit) {
                error_set(e, ERROR_CONFIG, "%s: larger than %zu bytes", path, limit);
                goto bad;
        }
        close(fd);
        text[len] = '\0';
        return text;
bad:
        close(fd);
        free(text);
        return NULL;
}

static int sync_folder(const char *path, struct error *e)
{
        AUTO_STRING copy = memory_string(path);
        int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int rc = fd < 0 || fsync(fd) < 0 ? fail(e, path, "folder cannot be synced") : 0;

        if (fd >= 0)
                close(fd);
        return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
        while (len > 0) {
                ssize_t n = write(fd, text, len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -1;
                text += n;
                len -= (size_t)n;
        }
        return 0;
}

int file_replace(const char *path, const char *text, struct error *e)
{
        AUTO_STRING part = memory_printf("%s.new", path);
        int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0)
                return fail(e, part, "cannot be created");
        if (write_all(fd, text, strlen(text)) < 0 || fsync(fd) < 0) {
                fail(e, part, "cannot be written");
                close(fd);
                unlink(part);
                return -1;
        }
        close(fd);
        if (rename(part, path) < 0)
                return fail(e, path, "cannot be replaced");
        return sync_folder(path, e);
}

/* Where it was made, its name is on the disk before anything in it counts. */
static int make_one(const char *path, mode_t mode, struct error *e)
{
        if (mkdir(path, mode) == 0)
                return sync_folder(path, e);
        return errno == EEXIST ? 0 : fail(e, path, "cannot be made");
}

int file_make_dir(const char *path, struct error *e)
{
        AUTO_STRING copy = memory_string(path);

        for (char *p = copy + 1; *p; p++) {
                if (*p != '/')
                        continue;
                *p = '\0';
                if (make_one(copy, 0755, e) < 0)
                        return -1;
                *p = '/';
        }
        return make_one(copy, 0700, e);
}
