#pragma once
/*
 * Files: small ones read whole and replaced whole. Any thread.
 */
#include "base/error.h"

#include <stddef.h>

/* The whole file as NUL-terminated text, at most `limit` bytes; the caller frees. NULL: error. */
char *file_read(const char *path, size_t limit, struct error *e);

/* Writes a temporary file beside it, fsyncs, renames, fsyncs the folder: after a crash either the
 * old or the new content is there, whole. */
int file_replace(const char *path, const char *text, struct error *e);

/* mkdir -p, synced, with mode 0700 for the last part where it is missing. */
int file_make_dir(const char *path, struct error *e);
