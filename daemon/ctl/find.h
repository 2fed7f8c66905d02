#pragma once
/*
 * Which socket a command is for: -s SOCKET, NAME, or the only daemon there is.
 */
#include "base/buf.h"
#include "base/error.h"

#define FIND_FOLDER "/run/culvert" /* CULVERT_RUN_DIR in the environment replaces it */

/* 0 and the path; or an exit status and the reason, which lists the daemons when there are
 * several. */
int find_socket(const char *socket, const char *name, struct buf *path, struct error *e);
