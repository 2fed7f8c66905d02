#pragma once
/*
 * A statement that a source logs as text and that touches a migrated table without being a row
 * change: the MySQL family's DDL, and writes that were logged as statements. Plain data, borrowed.
 */
#include "model/position.h"

enum statement_kind {
        STATEMENT_ALTER, /* the definition changes, or may have */
        STATEMENT_DROP,
        STATEMENT_RENAME, /* also: something else takes this name */
        STATEMENT_CREATE, /* the table is made anew under its name (OR REPLACE, after a drop) */
        STATEMENT_WRITE   /* INSERT, UPDATE, DELETE, LOAD as text: its rows are not in the log */
};

struct statement {
        enum statement_kind kind;
        const char *schema, *table; /* the migrated one, as the source names it */
        struct position at, end;    /* of its event */
};
