#pragma once
/*
 * Table maps: what a TABLE_MAP event says of a table, and whether that is a known shape. A map
 * belongs to the decoder that read it.
 */
#include "decoders/binlog_column.h"

#define BINLOG_COLUMNS_MAX 4096

struct binlog_map {
        uint64_t id;
        char *schema, *name;
        uint16_t columns_n;
        struct binlog_column *columns;
        bool named; /* the columns have names, and `key` says what the primary key is */
        bool keyed; /* there is a primary key; only where named */

        /* The decoder's: */
        struct binlog_map *next;
        void *event; /* its body: the same again needs no reading */
        size_t event_len;
        const struct relation *shape; /* that its rows are delivered in; NULL: they are skipped */
        struct coltype **types;       /* of the shape's columns; NULL: generated (but for a row's
                                       * time), or skipped */
        int row_end;                  /* column that tells history (binlog_history.h); or -1 */
        uint16_t json_n;              /* columns of MySQL's JSON */
};

/* Its schema and table alone, to see whether it is of interest. False: malformed. */
bool binlog_map_names(struct reader body, unsigned id_bytes, uint64_t *id, const char **schema,
        const char **name);
struct binlog_map *binlog_map_read(
        struct reader body, unsigned id_bytes, enum engine engine, struct error *e);
struct binlog_map *binlog_map_free(struct binlog_map *m);

/* Is it this shape? Then it takes a reference and is ready for rows. */
bool binlog_map_bind(struct binlog_map *m, const struct relation *shape, enum engine engine);
/* The shape that the event describes; what fits the known one is taken from there. */
struct relation *binlog_map_shape(
        const struct binlog_map *m, const struct relation *known, enum engine engine);

/* Length-encoded integer of the MySQL protocol: up to 250 in one byte, else 252, 253, 254 and 2, 3,
 * 8 bytes. */
uint64_t binlog_packed(struct reader *in);
/* binlog_metadata.c: the fields that binlog_row_metadata=FULL adds. False: malformed. */
bool binlog_metadata(struct binlog_map *m, struct reader in, enum engine engine);
