#pragma once
/* The engines by the names that status and archives have for them. */
#include "model/coltype.h"

const char *engine_name(enum engine e);
int engine_of(const char *name); /* an enum engine; -1: none */
