#include "decoders/binlog_map.h"
#include "base/memory.h"
#include "decoders/binlog_decimal.h"

#include <stdlib.h>
#include <string.h>

uint64_t binlog_packed(struct reader *in)
{
        uint8_t first = reader_u8(in);

        switch (first) {
        case 252:
                return reader_le16(in);
        case 253:
                return reader_le24(in);
        case 254:
                return reader_le64(in);
        case 251: /* NULL in result sets; nothing here may be that */
        case 255:
                in->failed = true;
                return 0;
        default:
                return first;
        }
}

/* Length, name, NUL. */
static const char *read_name(struct reader *in)
{
        size_t len = reader_u8(in);
        const char *name = reader_bytes(in, len + 1);

        if (name && !memchr(name, 0, len) && name[len] == '\0')
                return name;
        in->failed = true;
        return "";
}

static bool read_head(
        struct reader *in, unsigned id_bytes, uint64_t *id, const char **schema, const char **name)
{
        *id = reader_le(in, id_bytes);
        reader_le16(in); /* flags */
        *schema = read_name(in);
        *name = read_name(in);
        return reader_ok(in);
}

bool binlog_map_names(
        struct reader body, unsigned id_bytes, uint64_t *id, const char **schema, const char **name)
{
        return read_head(&body, id_bytes, id, schema, name);
}

/* CHAR, ENUM, SET: the real type and a length byte; the length of a long CHAR has its two upper
 * bits in the type, inverted. */
static bool string_lengths(struct binlog_column *c, uint8_t first, uint8_t second)
{
        if ((first & 0x30) != 0x30) {
                c->length = (uint16_t)(second | ((first & 0x30) ^ 0x30) << 4);
                first |= 0x30;
        } else {
                c->length = second;
        }
        c->type = first;
        if (first == BINLOG_ENUM)
                return c->length == 1 || c->length == 2;
        if (first == BINLOG_SET)
                return c->length >= 1 && c->length <= 8;
        return first == BINLOG_STRING;
}

/* What the field metadata holds for each type; MYSQL_TYPE_*, save_field_metadata(). */
static bool read_lengths(struct binlog_column *c, struct reader *in)
{
        uint8_t first, second;

        switch (c->type) {
        case BINLOG_FLOAT:
        case BINLOG_DOUBLE:
                return reader_u8(in) == (c->type == BINLOG_FLOAT ? 4 : 8);
        case BINLOG_VARCHAR:
        case BINLOG_VAR_STRING:
        case BINLOG_VARCHAR_COMPRESSED:
                c->length = reader_le16(in);
                return true;
        case BINLOG_BLOB:
        case BINLOG_BLOB_COMPRESSED:
        case BINLOG_JSON:
        case BINLOG_GEOMETRY:
        case BINLOG_VECTOR:
                c->length = reader_u8(in);
                return c->length >= 1 && c->length <= 4;
        case BINLOG_BIT: /* bits beyond whole bytes, whole bytes */
                first = reader_u8(in);
                second = reader_u8(in);
                c->length = (uint16_t)(second * 8 + first);
                return first < 8 && c->length >= 1 && c->length <= 64;
        case BINLOG_NEWDECIMAL:
                c->length = reader_u8(in);
                c->scale = reader_u8(in);
                return c->length >= 1 && c->length <= BINLOG_DECIMAL_DIGITS &&
                       c->scale <= c->length && c->scale <= BINLOG_DECIMAL_SCALE;
        case BINLOG_STRING:
        case BINLOG_ENUM:
        case BINLOG_SET:
                first = reader_u8(in);
                return string_lengths(c, first, reader_u8(in));
        case BINLOG_TIMESTAMP2:
        case BINLOG_DATETIME2:
        case BINLOG_TIME2:
                c->scale = reader_u8(in);
                return c->scale <= 6;
        case BINLOG_TINY:
        case BINLOG_SHORT:
        case BINLOG_INT24:
        case BINLOG_LONG:
        case BINLOG_LONGLONG:
        case BINLOG_YEAR:
        case BINLOG_DATE:
        case BINLOG_NEWDATE:
        case BINLOG_TIME:
        case BINLOG_DATETIME:
        case BINLOG_TIMESTAMP:
                return true;
        default:
                return false;
        }
}

static int malformed(const struct binlog_map *m, struct error *e)
{
        return error_set(e, ERROR_DATA, "binlog: malformed table map of %s.%s", m->schema, m->name);
}

static int read_columns(struct binlog_map *m, struct reader *in, struct error *e)
{
        uint64_t n = binlog_packed(in);
        const uint8_t *types;
        struct reader lengths;
        uint64_t len;

        if (!reader_ok(in) || n < 1 || n > BINLOG_COLUMNS_MAX)
                return malformed(m, e);
        types = reader_bytes(in, n);
        len = binlog_packed(in);
        if (!types || !reader_ok(in) || len > reader_left(in))
                return malformed(m, e);
        lengths = reader_of(reader_bytes(in, len), len);
        m->columns_n = (uint16_t)n;
        m->columns = memory_new(n * sizeof *m->columns);
        for (uint16_t i = 0; i < n; i++) {
                struct binlog_column *c = &m->columns[i];

                c->type = types[i];
                c->sign = -1;
                if (!read_lengths(c, &lengths))
                        return error_set(e, ERROR_DATA,
                                "binlog: column %u of %s.%s is of a type (%u) that is not "
                                "supported",
                                i + 1u, m->schema, m->name, types[i]);
                m->json_n += c->type == BINLOG_JSON;
        }
        reader_bytes(in, (n + 7) / 8); /* which may be NULL */
        return reader_done(&lengths) && reader_ok(in) ? 0 : malformed(m, e);
}

/*
 * Table map: table id (6 bytes; 4 before 5.1.4), flags 2, schema and table (length, name, NUL),
 * number of columns (packed), a type byte for each, length of the field metadata (packed), field
 * metadata, bitmap of columns that may be NULL, optional metadata.
 */
struct binlog_map *binlog_map_read(
        struct reader body, unsigned id_bytes, enum engine engine, struct error *e)
{
        struct binlog_map *m = memory_new_of(struct binlog_map);
        const char *schema, *name;
        bool ok = read_head(&body, id_bytes, &m->id, &schema, &name);

        m->schema = memory_string(schema);
        m->name = memory_string(name);
        if (!ok) {
                malformed(m, e);
                return binlog_map_free(m);
        }
        if (read_columns(m, &body, e) < 0)
                return binlog_map_free(m);
        if (!binlog_metadata(m, body, engine)) {
                malformed(m, e);
                return binlog_map_free(m);
        }
        return m;
}

static void unbind(struct binlog_map *m)
{
        for (uint16_t i = 0; m->types && i < m->columns_n; i++)
                coltype_free(m->types[i]);
        free(m->types);
        m->types = NULL;
        relation_unref(m->shape);
        m->shape = NULL;
}

struct binlog_map *binlog_map_free(struct binlog_map *m)
{
        if (!m)
                return NULL;
        unbind(m);
        for (uint16_t i = 0; m->columns && i < m->columns_n; i++) {
                free(m->columns[i].name);
                free(m->columns[i].members);
        }
        free(m->columns);
        free(m->schema);
        free(m->name);
        free(m->event);
        free(m);
        return NULL;
}

/* The end of a row's time is part of every key of a versioned table, and the same for all rows that
 * are current. */
static bool is_key(const struct binlog_column *c, const struct column *known)
{
        return c->key && (!known || column_period(known) == PERIOD_NONE);
}

/* A name that differs is another column, whatever its type. */
static bool same_column(
        const struct binlog_map *m, uint16_t i, const struct column *known, struct coltype *t)
{
        const struct binlog_column *c = &m->columns[i];

        if (m->named &&
                (strcmp(c->name, known->name) != 0 || (m->keyed && is_key(c, known) != known->key)))
                return false;
        return binlog_column_fits(c, t);
}

bool binlog_map_bind(struct binlog_map *m, const struct relation *shape, enum engine engine)
{
        unbind(m);
        if (shape->columns_n != m->columns_n)
                return false;
        m->shape = relation_ref(shape);
        m->types = memory_new(m->columns_n * sizeof *m->types);
        m->row_end = -1;
        for (uint16_t i = 0; i < m->columns_n; i++) {
                const struct column *known = &shape->columns[i];
                struct error ignored = ERROR_INIT;
                struct coltype *t =
                        known->native ? coltype_my(engine, known->native, &ignored) : NULL;

                m->types[i] = t;
                if (!t || !same_column(m, i, known, t)) {
                        unbind(m);
                        return false;
                }
                if (column_period(known) == PERIOD_END)
                        m->row_end = i;
                else if (column_is_generated(known) && column_period(known) == PERIOD_NONE)
                        m->types[i] = coltype_free(t);
        }
        return true;
}

/* The known column that this one would be, or NULL. */
static const struct column *counterpart(
        const struct binlog_map *m, uint16_t i, const struct relation *known)
{
        int at = i;

        if (m->named && known)
                at = relation_column(known, m->columns[i].name);
        return known && at >= 0 && at < known->columns_n ? &known->columns[at] : NULL;
}

/* How many digits of a fraction MariaDB's old times have is not in the log: such a type is none
 * that is known, so that nothing is read by it. */
static bool is_untold(const struct binlog_column *c, enum engine engine)
{
        return engine == ENGINE_MARIADB && (c->type == BINLOG_TIME || c->type == BINLOG_DATETIME ||
                                                   c->type == BINLOG_TIMESTAMP);
}

static void describe(struct relation *r, uint16_t i, const struct binlog_map *m,
        const struct column *known, enum engine engine)
{
        const struct binlog_column *c = &m->columns[i];
        struct error ignored = ERROR_INIT;
        struct coltype *t =
                known && known->native ? coltype_my(engine, known->native, &ignored) : NULL;
        AUTO_BUF name = BUF_INIT;
        AUTO_BUF native = BUF_INIT;

        if (m->named)
                buf_str(&name, c->name);
        else if (known)
                buf_str(&name, known->name);
        else
                buf_printf(&name, "column %u", i + 1u);
        if (t && binlog_column_fits(c, t))
                buf_str(&native, known->native);
        else
                binlog_column_native(c, &native);
        if (!(t && binlog_column_fits(c, t)) && is_untold(c, engine))
                buf_str(&native, " in an old format (mysql56_temporal_format=OFF)");
        if (known && known->native && !strcmp(buf_text(&native), known->native) &&
                !(t && binlog_column_fits(c, t)))
                buf_str(&native, " in another format");
        relation_set_column(
                r, i, buf_text(&name), 0, 0, m->keyed ? is_key(c, known) : known && known->key);
        relation_set_native(r, i, buf_text(&native));
        coltype_free(t);
}

struct relation *binlog_map_shape(
        const struct binlog_map *m, const struct relation *known, enum engine engine)
{
        struct relation *r =
                relation_new(0, known ? known->schema : m->schema, known ? known->name : m->name,
                        known ? known->identity : IDENTITY_FULL, m->columns_n);
        bool key = false;

        for (uint16_t i = 0; i < m->columns_n; i++) {
                describe(r, i, m, counterpart(m, i, known), engine);
                key |= r->columns[i].key;
        }
        r->identity = key ? IDENTITY_DEFAULT : IDENTITY_FULL;
        r->unnamed = !m->named;
        return r;
}
