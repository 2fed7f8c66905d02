#pragma once
/*
 * Column types of both engines, taken apart once, so that converters, the type map and the binlog
 * decoder need not parse names. Immutable after it is made; any thread.
 *
 * "Native" is the text that names a type in its engine:
 *   PostgreSQL     format_type(): "numeric(10,2)", "timestamp(3) with time zone", "text[]"
 *   MySQL family   information_schema.columns.column_type, followed by the character set where the
 *                  column has one: "bigint(20) unsigned", "varchar(20) charset latin1",
 *                  "enum('a','b''c') charset utf8mb4", "datetime(6)", "uuid", "json"
 *                  MariaDB's JSON is longtext with a check; the catalogue calls it "json" here.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/charset.h"

#include <stdbool.h>
#include <stdint.h>

enum engine { ENGINE_POSTGRESQL, ENGINE_MYSQL, ENGINE_MARIADB };

enum type_class {
        TYPE_OTHER, /* known by its text alone: composite, hstore, tsvector, range, xml, inet ... */
        TYPE_BOOL,
        TYPE_INTEGER, /* `width` bytes: 1 2 3 4 8; `is_unsigned` */
        TYPE_DECIMAL, /* `length` digits in all (0: no limit), `scale` behind the point */
        TYPE_FLOAT,   /* 4 bytes */
        TYPE_DOUBLE,
        TYPE_BIT,       /* `length` bits; `varying`: bit varying of PostgreSQL */
        TYPE_CHAR,      /* `length` characters, padded */
        TYPE_VARCHAR,   /* `length` characters; 0: no limit (PostgreSQL) */
        TYPE_TEXT,      /* `length`: bytes at most, of TINYTEXT and so on; 0: no limit */
        TYPE_BINARY,    /* `length` bytes, padded with zeros */
        TYPE_VARBINARY, /* `length` bytes at most */
        TYPE_BLOB,      /* bytea; `length` as for TYPE_TEXT */
        TYPE_DATE,
        TYPE_TIME, /* `fsp` digits of fractional seconds; MySQL's goes beyond 24 h and below 0 */
        TYPE_TIMETZ,
        TYPE_DATETIME,    /* timestamp without time zone, DATETIME */
        TYPE_TIMESTAMPTZ, /* timestamp with time zone, MySQL's TIMESTAMP */
        TYPE_INTERVAL,
        TYPE_YEAR,
        TYPE_ENUM, /* `members`; none known for PostgreSQL's unless given */
        TYPE_SET,
        TYPE_JSON,
        TYPE_JSONB,
        TYPE_UUID,
        TYPE_INET4, /* MariaDB */
        TYPE_INET6,
        TYPE_GEOMETRY,
        TYPE_ARRAY /* of PostgreSQL */
};

struct coltype {
        enum engine engine;
        enum type_class class;
        uint8_t width;
        uint8_t fsp;
        bool is_unsigned, varying, zerofill;
        uint32_t length, scale; /* numeric(3,-2) of PostgreSQL: as many digits as it needs, 5,0 */
        const struct charset *charset; /* of MySQL-family text, enum and set; else NULL */
        char **members;
        unsigned members_n;
        char *native;
};

/* NULL: the text is not such a type (DATA error). */
struct coltype *coltype_my(enum engine engine, const char *native, struct error *e);
/* By name where it is known, else by oid and modifier as the stream gives them (built-in types;
 * what is not built in is TYPE_OTHER). Either may be missing (oid 0, native NULL). Never fails. */
struct coltype *coltype_pg(uint32_t oid, int32_t modifier, const char *native);
struct coltype *coltype_copy(const struct coltype *t);
struct coltype *coltype_free(struct coltype *t); /* takes NULL, returns NULL */

/* Makes a type of PostgreSQL that is known by name alone an enum of these labels. */
void coltype_set_members(struct coltype *t, char *const *members, unsigned n);
/* Is the text a member? Yes where none are known. */
bool coltype_has_member(const struct coltype *t, const char *text, size_t len);

/* The number of the member of an ENUM that is the empty text; 0: none is. */
unsigned coltype_empty_member(const struct coltype *t);
/*
 * Is it index 0 of an ENUM of the MySQL family, which servers show as the empty text? It is that
 * here, too, but where a member is empty: there it is one zero byte, which is in no member.
 */
bool coltype_is_enum_error(const struct coltype *t, const char *text, size_t len);

/* Appends a member as the MySQL family writes it into a type: 'it''s', with \\ \0 \n \r for those.
 */
void coltype_my_member(struct buf *out, const char *text, size_t len);

/* Are values of it bytes, not characters: BINARY, BLOB, BIT, GEOMETRY, VECTOR? */
bool coltype_is_bytes(const struct coltype *t);
/* VECTOR of MySQL: floats of 4 bytes each, the lowest byte first. */
bool coltype_is_vector(const struct coltype *t);
/* Is it written as a number, without quotes, in MySQL's SQL? */
bool coltype_is_number(const struct coltype *t);
