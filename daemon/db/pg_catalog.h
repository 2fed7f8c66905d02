#pragma once
/*
 * What a PostgreSQL database's catalogue says about its tables. Blocking, for worker threads and
 * `plan`; reads under whatever transaction the connection is in.
 */
#include "db/pg.h"
#include "model/relation.h"

struct pg_column {
        char *name;
        uint32_t type;
        int32_t modifier;
        char *type_name;    /* format_type() */
        char generated;     /* attgenerated: 's', or 0 */
        char identity;      /* attidentity: 'a', 'd', or 0 */
        bool not_null, key; /* key: part of the replica identity */
        bool binary;        /* built in, with a binary form that any server of the same major
                               version reads alike (no OIDs inside) */
};

struct pg_leaf { /* a table with storage: the table itself, or a partition */
        char *schema, *name;
        uint64_t pages;
};

struct pg_table_info {
        uint32_t oid;
        char *schema, *name;
        char kind; /* relkind: 'r', or 'p' for a partitioned root */
        enum replica_identity identity;
        bool has_identity;         /* there is a usable key: default with PK, index, or full */
        bool inherits;             /* ordinary table with children or parents by INHERITS */
        double rows;               /* reltuples summed over the leaves; -1: never analysed */
        uint64_t bytes;            /* pg_table_size summed over the leaves */
        struct pg_column *columns; /* all but dropped and system ones */
        unsigned columns_n;
        struct pg_leaf *leaves;
        unsigned leaves_n;
        struct relation *shape; /* as pgoutput sends it: no generated columns, key flags */
};

struct pg_tables {
        struct pg_table_info *items; /* by schema and name */
        unsigned n;
};

/*
 * Ordinary permanent tables and partitioned roots (not their partitions) outside system schemas
 * and culvert, those for which `select(context, schema, name)` is true.
 */
struct pg_tables *pg_tables_read(PGconn *c,
        bool (*select)(void *context, const char *schema, const char *name), void *context,
        struct error *e);
struct pg_tables *pg_tables_free(struct pg_tables *t);
const struct pg_table_info *pg_tables_find(
        const struct pg_tables *t, const char *schema, const char *name);
