#pragma once
/*
 * `cat`: segment files as JSON lines, without a daemon. A line is a change, or a position that no
 * transaction has; conf/man/culvertctl.1 has its keys.
 */
#include "base/error.h"

#include <stdio.h>

/* What is whole is printed before an error, which names file and offset. */
int cat_file(const char *path, FILE *out, struct error *e);
