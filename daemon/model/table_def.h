#pragma once
/*
 * Definition of a table, free of any engine's catalogue: what a target table is created from.
 * Types are native texts (model/coltype.h) of the engine that it was read from. Plain data, owned by
 * whoever made it; read-only once it is shared.
 */
#include "base/buf.h"
#include "model/coltype.h"
#include "model/relation.h"

enum default_kind {
        DEFAULT_NONE,
        DEFAULT_VALUE,      /* `text` is the value, unquoted */
        DEFAULT_NOW,        /* current time; `fsp` digits */
        DEFAULT_EXPRESSION, /* SQL of the engine it was read from */
        DEFAULT_COUNTER     /* auto_increment, serial, identity */
};

struct def_column {
        char *name, *native;
        uint32_t oid; /* PostgreSQL only */
        int32_t modifier;
        char **members; /* PostgreSQL enum: its labels */
        unsigned members_n;
        bool not_null, invisible;
        bool on_update_now;  /* ON UPDATE CURRENT_TIMESTAMP (HAZARDS A11) */
        bool always;         /* GENERATED ALWAYS AS IDENTITY */
        char *generated;     /* expression of a generated column, else NULL */
        bool stored;         /* generated and stored */
        enum default_kind default_kind;
        char *default_text;
        char *collation; /* MySQL family, of text; or NULL */
        char *comment;   /* or NULL */
        char *shown, *shown_default; /* as the server's own CREATE TABLE has type and default where
                                        that is not exact (db/my_catalog_exact.c), or NULL */
};

struct def_index_column {
        unsigned column;  /* index into columns */
        char *expression; /* PostgreSQL: SQL in the place of a column; else NULL */
        uint32_t prefix;  /* characters; 0: the whole */
        bool descending;
};

struct def_index {
        char *name;
        bool primary, unique;
        bool deferrable; /* unique at the end of a statement or transaction only */
        char *what; /* NULL: an ordinary one; else why it cannot be carried as such: "fulltext",
                       "spatial", "expression", "partial (where ...)", "gin" */
        struct def_index_column *columns;
        unsigned columns_n;
};

struct def_reference { /* a foreign key */
        char *name;
        unsigned *columns;
        char **to_columns;
        unsigned columns_n;
        char *to_schema, *to_table;
        bool deferrable, match_full;
        bool some_set; /* ON DELETE SET NULL or SET DEFAULT of a part of the columns */
        char *on_delete, *on_update; /* "CASCADE", "SET NULL", "NO ACTION", "RESTRICT", "SET DEFAULT" */
};

struct def_check {
        char *name, *expression;
};

struct table_def {
        enum engine engine;
        char *schema, *name;
        char *comment; /* or NULL */
        char *storage; /* MySQL family: engine name ("InnoDB"); else NULL */
        char *verbatim; /* the server's own CREATE TABLE, for the same engine; or NULL */
        bool versioned; /* MariaDB: system-versioned */
        double rows;    /* estimate; -1: unknown */
        uint64_t bytes;
        struct def_column *columns;
        unsigned columns_n;
        struct def_index *indexes; /* the primary key first, if there is one */
        unsigned indexes_n;
        struct def_reference *references;
        unsigned references_n;
        struct def_check *checks;
        unsigned checks_n;
        /* As the stream sends it: no generated columns; key: the columns that identify a row. Column
         * `native` is set on the MySQL family. NULL until filled. */
        struct relation *shape;
};

struct table_defs {
        struct table_def *items; /* by schema and name, bytewise */
        unsigned n;
};

struct table_defs *table_defs_free(struct table_defs *t); /* takes NULL, returns NULL */
const struct table_def *table_defs_find(
        const struct table_defs *t, const char *schema, const char *name);
/* MariaDB's system versioning: GENERATED ALWAYS AS ROW START or ROW END. */
bool def_column_is_period(const struct def_column *c);
int table_def_column(const struct table_def *t, const char *name); /* index, or -1 */
const struct def_index *table_def_primary(const struct table_def *t); /* or NULL */
/* Is it, as a whole, part of a primary, unique or foreign key? The MySQL family bounds its length. */
bool table_def_is_key(const struct table_def *t, unsigned column);
