#pragma once
/*
 * Type map: what a column of one engine becomes in the other, where culvert creates the table. The
 * same table makes the page of types in conf/types.md. Pure, any thread.
 */
#include "base/buf.h"
#include "model/coltype.h"

struct typemap_result {
        char *native;     /* the target's type, as its DDL writes it; owned by the caller */
        const char *note; /* what a reader should know ("UTC", "as text"), or NULL */
};

/* `key`: the column is part of a key or an index, so a MySQL-family target needs a bounded length.
 * For a PostgreSQL target an ENUM gives native "" : a type is made for it (model/table_def.h).
 * -1: CONFIG error: no place. Same engine family on both sides: the native text itself. */
int typemap_native(const struct coltype *from, enum engine to, bool key, struct typemap_result *out,
        struct error *e);

/* The page: a Markdown table for each direction. */
void typemap_page(struct buf *out);
