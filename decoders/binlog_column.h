#pragma once
/*
 * Columns of a table map, and their values as text. A column is what the event says of it: a type
 * and its lengths, and with binlog_row_metadata=FULL also name, sign, collation, members and key.
 *
 * Values become the text that the server gives a client (model/convert.h). Pure; any thread.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "model/coltype.h"
#include "model/relation.h"
#include "model/txn.h"

/* enum_field_types, include/field_types.h of MySQL; 140 and 141 are MariaDB's. */
enum binlog_type {
        BINLOG_TINY = 1,
        BINLOG_SHORT = 2,
        BINLOG_LONG = 3,
        BINLOG_FLOAT = 4,
        BINLOG_DOUBLE = 5,
        BINLOG_TIMESTAMP = 7,
        BINLOG_LONGLONG = 8,
        BINLOG_INT24 = 9,
        BINLOG_DATE = 10,
        BINLOG_TIME = 11,
        BINLOG_DATETIME = 12,
        BINLOG_YEAR = 13,
        BINLOG_NEWDATE = 14,
        BINLOG_VARCHAR = 15,
        BINLOG_BIT = 16,
        BINLOG_TIMESTAMP2 = 17,
        BINLOG_DATETIME2 = 18,
        BINLOG_TIME2 = 19,
        BINLOG_BLOB_COMPRESSED = 140,
        BINLOG_VARCHAR_COMPRESSED = 141,
        BINLOG_VECTOR = 242,
        BINLOG_JSON = 245,
        BINLOG_NEWDECIMAL = 246,
        BINLOG_ENUM = 247,
        BINLOG_SET = 248,
        BINLOG_BLOB = 252,
        BINLOG_VAR_STRING = 253,
        BINLOG_STRING = 254,
        BINLOG_GEOMETRY = 255
};

struct binlog_column {
        uint8_t type;    /* ENUM and SET told apart from STRING, in which they travel */
        uint8_t scale;   /* of a decimal; digits of fractional seconds */
        uint16_t length; /* CHAR, VARCHAR: bytes at most; BIT: bits; DECIMAL: digits; BLOB and what
                          * is like it: bytes of the length; ENUM, SET: bytes */
        bool key;        /* part of the primary key, where the event tells */
        int8_t sign;     /* of numbers: 1 unsigned, 0 signed, -1: the event does not tell */
        uint32_t collation;
        uint32_t dimensions; /* of a VECTOR; 0: the event does not tell */
        char *name;
        void *members; /* of ENUM and SET, as the event has them; binlog_metadata.c */
        size_t members_len;
};

/* Is a column of type `t` written like this? Lengths included, and what the metadata tells. */
bool binlog_column_fits(const struct binlog_column *c, const struct coltype *t);
/* The type's name as well as the event tells: "varchar(20) charset latin1", "int". */
void binlog_column_native(const struct binlog_column *c, struct buf *out);

/* One value that is not NULL. `t` NULL: it is read past. Negative: truncated, or not of its type.
 */
int binlog_value(struct reader *in, const struct binlog_column *c, const struct coltype *t,
        struct arena *a, struct value *out, struct error *e);
