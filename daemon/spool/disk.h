#pragma once
/*
 * Disk: what the spool does with files, as a table of functions, so that tests own the disk as they
 * own the clock: they lose what was not synced, cut it, and fail any call.
 *
 * Functions return a negative number with errno set when they fail. Any thread.
 */
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct disk;

struct disk_ops {
        int (*make_dir)(struct disk *d, const char *path); /* mode 0700; may be there already */
        int (*list)(struct disk *d, const char *path, void (*each)(void *context, const char *name),
                void *context);
        int (*create)(struct disk *d, const char *path); /* empty, mode 0600; gives a descriptor */
        int (*open)(struct disk *d, const char *path);   /* to read */
        int (*change)(struct disk *d, const char *path); /* to read and write */
        void (*close)(struct disk *d, int fd);
        int64_t (*size)(struct disk *d, int fd);
        /* Less than `len` at the end of the file alone. */
        ssize_t (*read)(struct disk *d, int fd, void *to, size_t len, uint64_t at);
        /* All of it, or it has failed. */
        int (*write)(struct disk *d, int fd, const void *from, size_t len, uint64_t at);
        int (*truncate)(struct disk *d, int fd, uint64_t size);
        int (*sync)(struct disk *d, int fd);
        int (*sync_dir)(struct disk *d, const char *path);
        int (*rename)(struct disk *d, const char *from, const char *to);
        int (*unlink)(struct disk *d, const char *path);
};

struct disk {
        const struct disk_ops *ops;
};

/* The system's. */
struct disk *disk_real(void);

#define DISK_FULL_CODE "CV005" /* of the error when no space is left: it may be there later */

/* What failed with errno, "PATH: WHAT: reason"; -1. */
int disk_error(struct error *e, const char *path, const char *what);
