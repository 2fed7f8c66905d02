#pragma once
/*
 * Relation: the shape of one table at one moment of the stream, or as the catalogue describes it.
 * Shared by reference: transactions in the queue hold the shape that their rows were written in,
 * whatever the source's table looks like by now. Loop thread only (counts are not atomic), except
 * before it is shared.
 */
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* pg_class.relreplident */
enum replica_identity {
        IDENTITY_DEFAULT = 'd',
        IDENTITY_INDEX = 'i',
        IDENTITY_FULL = 'f',
        IDENTITY_NOTHING = 'n'
};

struct column {
        char *name;
        uint32_t type;    /* pg_type.oid on the source */
        int32_t modifier; /* atttypmod */
        bool key;         /* part of the replica identity */
        char *native;     /* MySQL family: the type's name (model/coltype.h); else NULL */
        /* What an INSERT stored whose row image leaves the column out (binlog_row_image MINIMAL or
         * NOBLOB): the default, NULL for SQL's NULL. Not part of the shape's text. */
        char *absent;
        bool absent_known;
};

struct cascades;

struct relation {
        unsigned references;
        uint32_t id; /* pg_class.oid on the source; MySQL family: 0, tables are told by name */
        char *schema, *name;
        enum replica_identity identity;
        bool unnamed;              /* the log has no names of its columns: those here are a guess */
        struct cascades *cascades; /* a target's table to which keys with actions refer; or NULL */
        /* What its one user (route for a source's shape, the sink for a target's) keeps with it;
         * let go when the last reference goes. */
        void *binding;
        void (*binding_free)(void *binding);
        uint16_t columns_n;
        struct column columns[];
};

struct relation *relation_new(uint32_t id, const char *schema, const char *name,
        enum replica_identity identity, uint16_t columns_n);
void relation_set_column(struct relation *r, uint16_t i, const char *name, uint32_t type,
        int32_t modifier, bool key);
/* Keeps a reference (model/cascade.h). */
void relation_set_cascades(struct relation *r, const struct cascades *c);
void relation_set_absent(struct relation *r, uint16_t i, const char *value);
/* The same for every column of that name, from another shape of the table. */
void relation_take_absent(struct relation *r, const struct relation *from);
void relation_set_native(struct relation *r, uint16_t i, const char *native);
struct relation *relation_ref(const struct relation *r);
struct relation *relation_unref(const struct relation *r); /* takes NULL, returns NULL */

/* MySQL family: the column's native says that it is generated; a source's shape has such columns
 * too, since its rows have them. */
bool column_is_generated(const struct column *c);
/* MariaDB's system versioning: when a row became current, and when it ceased to be. They are
 * generated, and yet a source's rows are told apart by them (decoders/binlog_history.h). */
enum period { PERIOD_NONE, PERIOD_START, PERIOD_END };
enum period column_period(const struct column *c);
int relation_column(const struct relation *r, const char *name); /* index, or -1 */

/*
 * Compares two shapes of one table; true when they are the same. Otherwise `what` says what
 * changed, for an operator: "column note added, type of price changed (1700/655366 to 701/-1)".
 */
bool relation_same(const struct relation *old, const struct relation *new, struct buf *what);

/* One-line text form of the shape, stored in culvert.tables, and back. NULL when malformed. */
void relation_to_text(const struct relation *r, struct buf *out);
struct relation *relation_from_text(const char *text);
