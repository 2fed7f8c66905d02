#include "decoders/binlog_map.h"
#include "base/memory.h"

#include <string.h>

/* Table_map_event::Optional_metadata_field_type */
enum field {
        SIGNEDNESS = 1,
        DEFAULT_CHARSET = 2,
        COLUMN_CHARSET = 3,
        COLUMN_NAME = 4,
        SET_MEMBERS = 5,
        ENUM_MEMBERS = 6,
        PRIMARY_KEY = 8,
        PRIMARY_KEY_WITH_PREFIX = 9,
        ENUM_AND_SET_DEFAULT_CHARSET = 10,
        ENUM_AND_SET_COLUMN_CHARSET = 11,
        VECTOR_DIMENSIONS = 13
};

typedef bool chooser(const struct binlog_column *c, enum engine engine);

static bool is_number(const struct binlog_column *c)
{
        switch (c->type) {
        case BINLOG_TINY:
        case BINLOG_SHORT:
        case BINLOG_INT24:
        case BINLOG_LONG:
        case BINLOG_LONGLONG:
        case BINLOG_NEWDECIMAL:
        case BINLOG_FLOAT:
        case BINLOG_DOUBLE:
                return true;
        default:
                return false;
        }
}

/* MariaDB counts GEOMETRY among the texts, MySQL its VECTOR. */
static bool is_text(const struct binlog_column *c, enum engine engine)
{
        switch (c->type) {
        case BINLOG_STRING:
        case BINLOG_VAR_STRING:
        case BINLOG_VARCHAR:
        case BINLOG_BLOB:
        case BINLOG_VARCHAR_COMPRESSED:
        case BINLOG_BLOB_COMPRESSED:
                return true;
        case BINLOG_GEOMETRY:
                return engine == ENGINE_MARIADB;
        case BINLOG_VECTOR:
                return engine == ENGINE_MYSQL;
        default:
                return false;
        }
}

static bool is_enum_or_set(const struct binlog_column *c, enum engine engine)
{
        (void)engine;
        return c->type == BINLOG_ENUM || c->type == BINLOG_SET;
}

static bool is_enum(const struct binlog_column *c, enum engine engine)
{
        (void)engine;
        return c->type == BINLOG_ENUM;
}

static bool is_set(const struct binlog_column *c, enum engine engine)
{
        (void)engine;
        return c->type == BINLOG_SET;
}

static int bit_of(const uint8_t *bits, size_t len, unsigned n)
{
        return n / 8 < len ? bits[n / 8] >> (7 - n % 8) & 1 : -1;
}

/* A bit per number, from the highest of the first byte on: 1 is unsigned. MariaDB counts YEAR among
 * the numbers; of MySQL some versions do (9.7) and others do not, which the bits do not tell: where
 * the two readings differ a sign is not known. */
static bool read_signs(struct binlog_map *m, struct reader *in, enum engine engine)
{
        size_t len = reader_left(in);
        const uint8_t *bits = reader_bytes(in, len);
        unsigned n = 0, years = 0;

        for (uint16_t i = 0; i < m->columns_n; i++) {
                bool year = m->columns[i].type == BINLOG_YEAR;
                int with = bit_of(bits, len, n + years), without = bit_of(bits, len, n);

                if (engine == ENGINE_MARIADB)
                        without = with;
                if (is_number(&m->columns[i])) {
                        m->columns[i].sign = with == without ? (int8_t)with : -1;
                        n++;
                }
                years += year;
        }
        return len == (n + years + 7) / 8 || (engine != ENGINE_MARIADB && len == (n + 7) / 8);
}

static struct binlog_column *nth(
        struct binlog_map *m, chooser *chosen, uint64_t n, enum engine engine)
{
        for (uint16_t i = 0; i < m->columns_n; i++)
                if (chosen(&m->columns[i], engine) && n-- == 0)
                        return &m->columns[i];
        return NULL;
}

/* The collation of most, then (number among those columns, collation) of the others. */
static bool read_default_collation(
        struct binlog_map *m, struct reader *in, chooser *chosen, enum engine engine)
{
        uint32_t usual = (uint32_t)binlog_packed(in);
        unsigned others = 0;

        for (uint16_t i = 0; i < m->columns_n; i++)
                if (chosen(&m->columns[i], engine))
                        m->columns[i].collation = usual;
        while (reader_ok(in) && reader_left(in)) {
                uint64_t n = binlog_packed(in);
                struct binlog_column *c = nth(m, chosen, n, engine);

                if (!c || ++others > m->columns_n)
                        return false;
                c->collation = (uint32_t)binlog_packed(in);
        }
        return reader_ok(in);
}

static bool read_collations(
        struct binlog_map *m, struct reader *in, chooser *chosen, enum engine engine)
{
        for (uint16_t i = 0; i < m->columns_n; i++)
                if (chosen(&m->columns[i], engine))
                        m->columns[i].collation = (uint32_t)binlog_packed(in);
        return reader_done(in);
}

static bool read_dimensions(struct binlog_map *m, struct reader *in)
{
        for (uint16_t i = 0; i < m->columns_n; i++)
                if (m->columns[i].type == BINLOG_VECTOR)
                        m->columns[i].dimensions = (uint32_t)binlog_packed(in);
        return reader_done(in);
}

static bool read_names(struct binlog_map *m, struct reader *in)
{
        for (uint16_t i = 0; i < m->columns_n; i++) {
                uint64_t len = binlog_packed(in);
                const char *name = reader_bytes(in, len);

                if (!name || memchr(name, 0, len) || m->columns[i].name)
                        return false;
                m->columns[i].name = memory_printf("%.*s", (int)len, name);
        }
        m->named = true;
        return reader_done(in);
}

/* Per column: number of members, then each with its length. Kept as they are; their character set
 * may come later. */
static bool read_members(
        struct binlog_map *m, struct reader *in, chooser *chosen, enum engine engine)
{
        for (uint16_t i = 0; i < m->columns_n; i++) {
                struct binlog_column *c = &m->columns[i];
                const uint8_t *begin;
                uint64_t n;

                if (!chosen(c, engine))
                        continue;
                begin = in->at;
                n = binlog_packed(in);
                for (uint64_t k = 0; k < n && reader_ok(in); k++)
                        reader_bytes(in, binlog_packed(in));
                if (!reader_ok(in) || c->members)
                        return false;
                c->members_len = (size_t)(in->at - begin);
                c->members = memory_copy(begin, c->members_len);
        }
        return reader_done(in);
}

/* Numbers of the key's columns; with prefixes each is followed by the prefix's length. */
static bool read_key(struct binlog_map *m, struct reader *in, bool prefixes)
{
        while (reader_ok(in) && reader_left(in)) {
                uint64_t n = binlog_packed(in);

                if (prefixes)
                        binlog_packed(in);
                if (n >= m->columns_n)
                        return false;
                m->columns[n].key = true;
                m->keyed = true;
        }
        return reader_ok(in);
}

static bool read_field(struct binlog_map *m, uint8_t field, struct reader in, enum engine engine)
{
        switch (field) {
        case SIGNEDNESS:
                return read_signs(m, &in, engine);
        case DEFAULT_CHARSET:
                return read_default_collation(m, &in, is_text, engine);
        case COLUMN_CHARSET:
                return read_collations(m, &in, is_text, engine);
        case ENUM_AND_SET_DEFAULT_CHARSET:
                return read_default_collation(m, &in, is_enum_or_set, engine);
        case ENUM_AND_SET_COLUMN_CHARSET:
                return read_collations(m, &in, is_enum_or_set, engine);
        case COLUMN_NAME:
                return read_names(m, &in);
        case SET_MEMBERS:
                return read_members(m, &in, is_set, engine);
        case ENUM_MEMBERS:
                return read_members(m, &in, is_enum, engine);
        case PRIMARY_KEY:
                return read_key(m, &in, false);
        case PRIMARY_KEY_WITH_PREFIX:
                return read_key(m, &in, true);
        case VECTOR_DIMENSIONS:
                return read_dimensions(m, &in);
        default: /* kind of geometry, visibility: nothing that a value needs */
                return true;
        }
}

/* Fields of type 1, length (packed), content. */
bool binlog_metadata(struct binlog_map *m, struct reader in, enum engine engine)
{
        while (reader_left(&in)) {
                uint8_t field = reader_u8(&in);
                uint64_t len = binlog_packed(&in);
                const void *content = reader_bytes(&in, len);

                if (!reader_ok(&in) || !read_field(m, field, reader_of(content, len), engine))
                        return false;
        }
        return true;
}
