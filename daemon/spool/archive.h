#pragma once
/*
 * An archive: a folder with the change stream of one pipeline, in segments as the queue has them
 * (spool/segment.h), which culvert never deletes. Beside them:
 *
 *   archive   what a target database would remember of the pipeline: where the stream begins, and
 *             the tables with their shapes. Replaced whole.
 *   lock      held by the one process that writes (flock)
 *
 * The segments themselves say how far the archive is. Blocking; one thread at a time.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts; NULL is none. */
struct archive_table {
        char *schema, *name; /* on the source */
        char *state, *start; /* ops/copy_record.h */
        char *first;         /* shape that the archive's first changes of it have, for a replay */
        char *shape, *next;  /* as the archiving pipeline expects it at the source */
        char *mark, *keys;
};

struct archive {
        char *pipeline;
        char *engine, *version; /* of the source: "postgresql", "mysql", "mariadb" */
        char *source;           /* its identity (model/position.h) */
        char *stage, *mode, *snapshot;
        char *start; /* where the stream begins, with the GTID state there (position_write) */
        char *published;
        struct archive_table *tables;
        unsigned n;
};

/* 1: read; 0: the folder has none; -1: it is damaged, or of a newer format (ERROR_CONFIG). */
int archive_read(struct archive *a, const char *folder, struct error *e);
int archive_write(const struct archive *a, const char *folder, struct error *e);
void archive_done(struct archive *a); /* leaves a zeroed one */

/* NULL: it is not there. */
struct archive_table *archive_table(const struct archive *a, const char *schema, const char *name);
/* The same, made if it is not there. */
struct archive_table *archive_add(struct archive *a, const char *schema, const char *name);
void archive_clear_tables(struct archive *a);
/* Replaces a text by a copy. */
void archive_set(char **field, const char *text);

/* Is `folder` one? And ours, to write to? Made with mode 0700 if it is not there? */
enum archive_use { ARCHIVE_READ, ARCHIVE_OURS, ARCHIVE_MAKE };
int archive_folder(const char *folder, enum archive_use use, struct error *e);
/* The lock, as a descriptor whose closing gives it back. -1: another process has it (ERROR_RETRY),
 * or it cannot be had. */
int archive_lock(const char *folder, struct error *e);
/* Does a process write to it now? */
bool archive_is_locked(const char *folder);
