#include "base/memory.h"
#include "decoders/binlog_compressed.h"
#include "decoders/binlog_history.h"
#include "decoders/binlog_json_diff.h"
#include "decoders/binlog_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_END 0x01
#define NO_FOREIGN_KEY_CHECKS 0x02 /* also on what a server logs of its own cascades */
#define USE_SQL_FOREIGN_KEY 0x10   /* MySQL 9.6+: the server runs cascades itself, and logs them */
#define MAPS_BYTES (16u << 20)     /* then they are forgotten when a statement ends */
#define ROWS_BYTES (1u << 30)      /* of one event, inflated: packets are no larger */
#define NO_TABLE 0xffffff          /* an event that only ends a statement */
#define PARTIAL_JSON 1

/* Which columns a row image has. */
struct image {
        const uint8_t *present;
        uint16_t present_n;
        bool full; /* all that are delivered */
};

/* ---- maps ---- */

static struct binlog_map **find_map(struct binlog *b, uint64_t id)
{
        struct binlog_map **at = &b->maps[id % BINLOG_BUCKETS];

        while (*at && (*at)->id != id)
                at = &(*at)->next;
        return at;
}

static void forget_map(struct binlog *b, struct binlog_map **at)
{
        struct binlog_map *m = *at;

        *at = m->next;
        b->maps_bytes -= sizeof *m + m->event_len;
        binlog_map_free(m);
}

void binlog_forget_maps(struct binlog *b)
{
        for (unsigned i = 0; i < BINLOG_BUCKETS; i++)
                while (b->maps[i])
                        forget_map(b, &b->maps[i]);
        for (size_t i = 0; i < b->sent_n; i++)
                relation_unref(b->sent[i]);
        b->sent_n = 0;
}

/* Where the shape of this table that was sent last is; NULL: none was. */
static const struct relation **find_sent(struct binlog *b, const char *schema, const char *name)
{
        for (size_t i = 0; i < b->sent_n; i++)
                if (!strcmp(b->sent[i]->name, name) && !strcmp(b->sent[i]->schema, schema))
                        return &b->sent[i];
        return NULL;
}

int binlog_send(struct binlog *b, const struct relation *shape, struct error *e)
{
        const struct relation **sent = find_sent(b, shape->schema, shape->name);

        if (sent && *sent == shape)
                return 0;
        if (!sent) {
                b->sent = memory_grow(b->sent, (b->sent_n + 1) * sizeof *b->sent);
                sent = &b->sent[b->sent_n++];
                *sent = NULL;
        }
        relation_unref(*sent);
        *sent = relation_ref(shape);
        return b->events.relation(b->context, shape, e);
}

const struct relation *binlog_shape_of(struct binlog *b, const char *schema, const char *name)
{
        const struct relation *known = b->events.known(b->context, schema, name, 0), **sent;

        if (!known)
                return NULL;
        sent = find_sent(b, known->schema, known->name);
        if (sent && *sent == b->events.known(b->context, schema, name, 1))
                return *sent;
        return known;
}

/* The receiver refuses a shape that it does not know, with what changed; where it does not, the
 * rows are of no interest to it. */
static int bind(struct binlog *b, struct binlog_map *m, struct error *e)
{
        const struct relation *known = b->events.known(b->context, m->schema, m->name, 0), *shape;
        int rc;

        for (unsigned which = 0; which < 2; which++) {
                shape = which ? b->events.known(b->context, m->schema, m->name, 1) : known;
                if (shape && binlog_map_bind(m, shape, b->setup.engine))
                        return binlog_send(b, shape, e);
        }
        if (b->past) {
                b->spoilt = true;
                return 0;
        }
        shape = binlog_map_shape(m, known, b->setup.engine);
        rc = b->events.relation(b->context, shape, e);
        relation_unref(shape);
        return rc;
}

/* A map of a table that is not migrated is kept by its id alone. */
static struct binlog_map *read_map(struct binlog *b, struct error *e)
{
        struct binlog_map *m;
        const char *schema, *name;
        uint64_t id;

        if (!binlog_map_names(b->in, b->id_bytes, &id, &schema, &name)) {
                binlog_malformed(b, e);
                return NULL;
        }
        if (b->events.known(b->context, schema, name, 0))
                return binlog_map_read(b->in, b->id_bytes, b->setup.engine, e);
        m = memory_new_of(struct binlog_map);
        m->id = id;
        return m;
}

/* The map comes again with each statement, and is mostly the same. */
int binlog_on_table_map(struct binlog *b, struct error *e)
{
        struct reader ahead = b->in;
        uint64_t id = reader_le(&ahead, b->id_bytes);
        size_t len = reader_left(&b->in);
        struct binlog_map **at = find_map(b, id), *m;

        if (!reader_ok(&ahead))
                return binlog_malformed(b, e);
        if (b->group != GROUP_OPEN)
                return error_set(e, ERROR_DATA, "binlog: a table map outside a transaction");
        if (b->past && (!b->xa || b->spoilt))
                return 0;
        if (*at && (*at)->event_len == len && !memcmp((*at)->event, b->in.at, len))
                return 0;
        if (*at)
                forget_map(b, at);
        if (!(m = read_map(b, e)))
                return -1;
        m->event = memory_copy(b->in.at, len);
        m->event_len = len;
        at = find_map(b, id);
        m->next = *at;
        *at = m;
        b->maps_bytes += sizeof *m + len;
        if (m->columns && bind(b, m, e) < 0)
                return -1;
        if (b->spoilt) /* else it would be taken for known when the past is over */
                forget_map(b, find_map(b, id));
        return 0;
}

/* ---- rows ---- */

static bool has(const uint8_t *bits, unsigned i)
{
        return bits[i / 8] >> (i % 8) & 1;
}

static int malformed_row(const struct binlog_map *m, struct error *e)
{
        return error_set(e, ERROR_DATA, "binlog: malformed or truncated row of %s.%s",
                m->shape->schema, m->shape->name);
}

static bool read_image(struct image *image, const struct binlog_map *m, struct reader *in)
{
        image->present = reader_bytes(in, (m->columns_n + 7u) / 8);
        image->present_n = 0;
        image->full = true;
        for (uint16_t i = 0; image->present && i < m->columns_n; i++) {
                image->present_n += has(image->present, i);
                image->full &= has(image->present, i) || !m->types[i];
        }
        return image->present != NULL;
}

static int in_column(const struct binlog_map *m, uint16_t i, struct error *e)
{
        const struct relation *r = m->shape;

        snprintf(e->table, sizeof e->table, "%.130s.%.130s", r->schema, r->name);
        return error_context(
                e, "binlog: column %s of %s.%s", r->columns[i].name, r->schema, r->name);
}

/* Differences instead of the value of a JSON column: they go onto the value before. */
static int read_diff(struct binlog *b, const struct binlog_map *m, const struct reader *before,
        struct value *out, struct error *e)
{
        size_t len = reader_le32(&b->in);
        const void *diff = reader_bytes(&b->in, len);
        AUTO_BUF text = BUF_INIT;

        if (!diff)
                return malformed_row(m, e);
        if (!before || !before->at)
                return error_set(e, ERROR_DATA,
                        "only the differences of a JSON value are in the log: "
                        "binlog_row_value_options must be empty on the source, or "
                        "binlog_row_image FULL");
        if (binlog_json_patch(*before, reader_of(diff, len), &text, e) < 0)
                return -1;
        *out = (struct value){VALUE_TEXT, (uint32_t)text.len,
                arena_text(b->open->arena, buf_text(&text), text.len)};
        return 0;
}

/* Where the binary value of a JSON column lies in the event. */
static void note_json(const struct binlog_map *m, uint16_t i, struct reader in, struct reader *seen)
{
        size_t len;

        if (!seen || m->columns[i].type != BINLOG_JSON)
                return;
        len = reader_le(&in, m->columns[i].length);
        if (len <= reader_left(&in))
                seen[i] = reader_of(in.at, len);
}

/*
 * Row image: bitmap of the columns that are NULL, counted over those that are present; then the
 * values of the others. `partial`: bits of the JSON columns that come as differences to `before`.
 * `seen`: takes where the JSON values lie.
 */
static struct value *read_row(struct binlog *b, const struct binlog_map *m,
        const struct image *image, const uint8_t *partial, const struct reader *before,
        struct reader *seen, struct error *e)
{
        const uint8_t *nulls = reader_bytes(&b->in, (image->present_n + 7u) / 8);
        struct value *row = arena_zero(b->open->arena, m->columns_n * sizeof *row);
        unsigned at = 0, json = 0;
        int rc = 0;

        if (!nulls) {
                malformed_row(m, e);
                return NULL;
        }
        for (uint16_t i = 0; i < m->columns_n; i++) {
                const struct binlog_column *c = &m->columns[i];
                bool differs = c->type == BINLOG_JSON && partial && has(partial, json);

                json += c->type == BINLOG_JSON;
                row[i].kind = VALUE_UNCHANGED;
                if (!has(image->present, i))
                        continue;
                if (has(nulls, at++)) {
                        row[i].kind = m->types[i] ? VALUE_NULL : VALUE_UNCHANGED;
                        continue;
                }
                note_json(m, i, b->in, differs ? NULL : seen);
                if (differs)
                        rc = read_diff(b, m, before ? &before[i] : NULL, &row[i], e);
                else
                        rc = binlog_value(&b->in, c, m->types[i], b->open->arena, &row[i], e);
                if (rc < 0) {
                        in_column(m, i, e);
                        return NULL;
                }
                if (!m->types[i])
                        row[i].kind = VALUE_UNCHANGED;
        }
        return row;
}

static int write_row(
        struct binlog *b, const struct binlog_map *m, const struct image *image, struct error *e)
{
        struct value *row = read_row(b, m, image, NULL, NULL, NULL, e);
        int current = row ? binlog_history_current(m, row, e) : -1;

        if (current > 0)
                txn_add(b->open, CHANGE_INSERT, m->shape)->new = row;
        return current < 0 ? -1 : 0;
}

static struct change *add_old(struct binlog *b, enum change_op op, const struct binlog_map *m,
        const struct image *image, struct value *row)
{
        struct change *c = txn_add(b->open, op, m->shape);

        c->old = row;
        c->old_full = image->full;
        c->cascades = b->cascades;
        return c;
}

static int delete_row(
        struct binlog *b, const struct binlog_map *m, const struct image *image, struct error *e)
{
        struct value *row = read_row(b, m, image, NULL, NULL, NULL, e);
        int current = row ? binlog_history_current(m, row, e) : -1;

        if (current > 0)
                add_old(b, CHANGE_DELETE, m, image, row);
        return current < 0 ? -1 : 0;
}

/* Before the image after the change: options (packed), and where they say so a bit for each JSON
 * column of the table, present or not. */
static int read_partial(
        struct binlog *b, const struct binlog_map *m, const uint8_t **bits, struct error *e)
{
        uint64_t options;

        *bits = NULL;
        if (b->type != EVENT_PARTIAL_UPDATE)
                return 0;
        options = binlog_packed(&b->in);
        if (options & PARTIAL_JSON)
                *bits = reader_bytes(&b->in, (m->json_n + 7u) / 8);
        return reader_ok(&b->in) && !(options & ~UINT64_C(1)) ? 0 : malformed_row(m, e);
}

static int update_row(struct binlog *b, const struct binlog_map *m, const struct image *before,
        const struct image *after, struct error *e)
{
        bool partial = b->type == EVENT_PARTIAL_UPDATE;
        struct reader *json =
                partial ? arena_zero(b->open->arena, m->columns_n * sizeof *json) : NULL;
        struct value *old = read_row(b, m, before, NULL, NULL, json, e), *new;
        enum binlog_history what;
        const uint8_t *bits;

        if (!old || read_partial(b, m, &bits, e) < 0)
                return -1;
        if (!(new = read_row(b, m, after, bits, json, NULL, e)) ||
                binlog_history_update(m, old, new, &what, e) < 0)
                return -1;
        if (what == HISTORY_CHANGE)
                add_old(b, CHANGE_UPDATE, m, before, old)->new = new;
        else if (what == HISTORY_END)
                add_old(b, CHANGE_DELETE, m, before, old);
        return 0;
}

enum kind { KIND_WRITE, KIND_UPDATE, KIND_DELETE };

static const struct {
        uint8_t type;
        uint8_t kind;
        bool extra; /* version 2: has extra data */
        bool compressed;
} kinds[] = {
        {EVENT_WRITE_V1, KIND_WRITE, false, false},
        {EVENT_UPDATE_V1, KIND_UPDATE, false, false},
        {EVENT_DELETE_V1, KIND_DELETE, false, false},
        {EVENT_WRITE, KIND_WRITE, true, false},
        {EVENT_UPDATE, KIND_UPDATE, true, false},
        {EVENT_DELETE, KIND_DELETE, true, false},
        {EVENT_PARTIAL_UPDATE, KIND_UPDATE, true, false},
        {EVENT_WRITE_COMPRESSED_V1, KIND_WRITE, false, true},
        {EVENT_UPDATE_COMPRESSED_V1, KIND_UPDATE, false, true},
        {EVENT_DELETE_COMPRESSED_V1, KIND_DELETE, false, true},
        {EVENT_WRITE_COMPRESSED, KIND_WRITE, true, true},
        {EVENT_UPDATE_COMPRESSED, KIND_UPDATE, true, true},
        {EVENT_DELETE_COMPRESSED, KIND_DELETE, true, true},
};

static int read_rows(struct binlog *b, const struct binlog_map *m, enum kind kind,
        const struct image *before, const struct image *after, struct error *e)
{
        do {
                const uint8_t *begin = b->in.at;
                int rc;

                if (kind == KIND_WRITE)
                        rc = write_row(b, m, after, e);
                else if (kind == KIND_DELETE)
                        rc = delete_row(b, m, before, e);
                else
                        rc = update_row(b, m, before, after, e);
                if (rc < 0)
                        return -1;
                if (b->in.at == begin)
                        return error_set(e, ERROR_DATA,
                                "binlog: rows of %s.%s without any column: binlog_row_image must "
                                "be FULL on the source",
                                m->shape->schema, m->shape->name);
                if (binlog_cut(b, e) < 0)
                        return -1;
        } while (reader_left(&b->in));
        return 0;
}

/* Number of columns (packed), bitmap of the columns in the image before the change or the only one,
 * for updates the bitmap of those after it, rows. */
static int read_body(struct binlog *b, const struct binlog_map *m, enum kind kind, bool compressed,
        struct error *e)
{
        struct image before = {0}, after = {0};
        uint64_t n = binlog_packed(&b->in);
        AUTO_BUF plain = BUF_INIT;

        if (!reader_ok(&b->in) || n != m->columns_n)
                return malformed_row(m, e);
        if ((kind != KIND_WRITE && !read_image(&before, m, &b->in)) ||
                (kind != KIND_DELETE && !read_image(&after, m, &b->in)))
                return malformed_row(m, e);
        if (compressed) {
                if (!binlog_inflate_event(b->in, ROWS_BYTES, &plain))
                        return error_set(e, ERROR_DATA,
                                "binlog: a compressed event of type %u that is damaged", b->type);
                b->in = reader_of(buf_text(&plain), plain.len);
        }
        return read_rows(b, m, kind, &before, &after, e);
}

/*
 * HAZARDS A14: did the engine follow its foreign keys for these rows without a word in the log? Not
 * in a session without checks; and MySQL, unless innodb_native_foreign_keys is ON, follows them
 * above the engine, marks every rows event by that mode, and logs the children's rows before the
 * parent's, in the same statement. MariaDB has no such bit.
 */
static bool engine_cascades(const struct binlog *b, uint16_t flags)
{
        if (flags & NO_FOREIGN_KEY_CHECKS)
                return false;
        return b->setup.engine != ENGINE_MYSQL || !(flags & USE_SQL_FOREIGN_KEY);
}

/* Table id, flags 2; in version 2 the length of extra data (2 bytes, which it counts) and that. */
int binlog_on_rows(struct binlog *b, struct error *e)
{
        uint64_t id = reader_le(&b->in, b->id_bytes);
        uint16_t flags = reader_le16(&b->in);
        struct binlog_map *m = *find_map(b, id);
        size_t k = 0;
        int rc = 0;

        while (kinds[k].type != b->type)
                k++;
        if (kinds[k].extra) {
                unsigned extra = reader_le16(&b->in);

                reader_bytes(&b->in, extra >= 2 ? extra - 2u : SIZE_MAX);
        }
        if (!reader_ok(&b->in))
                return binlog_malformed(b, e);
        b->cascades = engine_cascades(b, flags);
        if (b->group != GROUP_OPEN)
                return error_set(e, ERROR_DATA, "binlog: rows outside a transaction");
        if (b->past && (!b->xa || b->spoilt))
                return 0;
        if (!m && id != NO_TABLE)
                return error_set(e, ERROR_DATA, "binlog: rows of a table that no map describes");
        if (m && m->shape)
                rc = read_body(b, m, (enum kind)kinds[k].kind, kinds[k].compressed, e);
        if (rc == 0 && flags & STATEMENT_END && b->maps_bytes > MAPS_BYTES)
                binlog_forget_maps(b);
        return rc;
}
