#pragma once
/*
 * Tables on a MySQL-family target, from definitions of any engine. Of the same engine it is the
 * server's own text (table_def.verbatim, where there is one), with names changed and indexes and
 * foreign keys taken out for later; else it is made from the definition. Pure; any thread.
 */
#include "db/ddl.h"

/* -1: a column has no place there (CONFIG), or the definition cannot be read (DATA). */
int my_ddl(const struct table_def *t, enum engine to, const struct ddl_names *n, struct ddl *out,
        struct error *e);
