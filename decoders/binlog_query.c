#include "base/memory.h"
#include "decoders/binlog_compressed.h"
#include "decoders/binlog_private.h"
#include "decoders/binlog_statement.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (1u << 30) /* of a compressed statement: packets are no larger */

/* sql_mode */
#define MODE_ANSI_QUOTES (UINT64_C(1) << 2)
#define MODE_NO_BACKSLASH_ESCAPES (UINT64_C(1) << 20)

struct query {
        const char *schema;
        struct reader text;
        uint64_t sql_mode;
        unsigned charset; /* of the text; 0: not told */
};

/* ---- the event ---- */

/*
 * Status variables: code 1, value. These come in the order of their codes, so reading ends at the
 * first that is none of them. 0 flags 4, 1 sql_mode 8, 2 catalogue (length, text, NUL), 6 catalogue
 * (length, text), 3 auto-increment 4, 4 character sets: client 2, connection 2, server 2.
 */
static bool read_variables(struct reader in, struct query *q)
{
        while (reader_left(&in)) {
                switch (reader_u8(&in)) {
                case 0:
                case 3:
                        reader_le32(&in);
                        break;
                case 1:
                        q->sql_mode = reader_le64(&in);
                        break;
                case 2:
                        reader_bytes(&in, reader_u8(&in) + 1u);
                        break;
                case 6:
                        reader_bytes(&in, reader_u8(&in));
                        break;
                case 4:
                        q->charset = reader_le16(&in);
                        reader_le32(&in);
                        break;
                default:
                        return reader_ok(&in);
                }
                if (!reader_ok(&in))
                        return false;
        }
        return true;
}

/* Thread 4, seconds 4, length of the schema 1, error 2, length of the status variables 2; for LOAD
 * `more` bytes about its file; variables, schema with a NUL, text. */
static bool read_query(struct reader *in, size_t more, struct query *q)
{
        size_t schema_len, variables_len;
        const void *variables;

        *q = (struct query){.schema = ""};
        reader_le64(in);
        schema_len = reader_u8(in);
        reader_le16(in);
        variables_len = reader_le16(in);
        reader_bytes(in, more);
        variables = reader_bytes(in, variables_len);
        if (!variables || !read_variables(reader_of(variables, variables_len), q))
                return false;
        q->schema = reader_bytes(in, schema_len + 1);
        q->text = *in;
        return q->schema && q->schema[schema_len] == '\0';
}

/* ---- tables ---- */

static char *lowered(const char *s)
{
        char *low = memory_string(s);

        for (char *c = low; *c; c++)
                *c = (char)tolower((unsigned char)*c);
        return low;
}

/* Where names have no case, the server's are in lower case, whatever a statement writes. */
static const struct relation *find(struct binlog *b, const char *schema, const char *name)
{
        AUTO_STRING low_schema = NULL;
        AUTO_STRING low_name = NULL;
        const struct relation *r = binlog_shape_of(b, schema, name);

        if (r || !b->setup.lower_case)
                return r;
        low_schema = lowered(schema);
        low_name = lowered(name);
        return binlog_shape_of(b, low_schema, low_name);
}

static int tell(
        struct binlog *b, enum statement_kind kind, const struct relation *r, struct error *e)
{
        struct statement s = {kind, r->schema, r->name, b->begin, b->end};

        return b->events.statement(b->context, &s, e);
}

static int tell_tables(struct binlog *b, const struct binlog_statement *s, struct error *e)
{
        for (size_t i = 0; i < s->tables_n; i++) {
                const struct binlog_table *t = &s->tables[i];
                const struct relation *r = *t->name ? find(b, t->schema, t->name) : NULL;

                if (r && tell(b, t->kind, r, e) < 0)
                        return -1;
        }
        return 0;
}

/* A name of "" stands for any table of the schema. */
static int tell_schema(struct binlog *b, const char *schema, struct error *e)
{
        const struct relation *r = find(b, schema, "");

        return r ? tell(b, STATEMENT_DROP, r, e) : 0;
}

static int add_truncate(struct binlog *b, const struct binlog_table *t, struct error *e)
{
        const struct relation *r = *t->name ? find(b, t->schema, t->name) : NULL, **list;
        struct change *c;

        if (!r)
                return 0;
        if (binlog_send(b, r, e) < 0)
                return -1;
        list = arena_alloc(b->open->arena, sizeof *list);
        *list = r;
        c = txn_add(b->open, CHANGE_TRUNCATE, r);
        c->truncated = list;
        c->truncated_n = 1;
        c->restart_identity = true;
        return 0;
}

/* ---- what it does ---- */

static int tell_of(struct binlog *b, const struct binlog_statement *s, struct error *e)
{
        switch (s->verb) {
        case VERB_TRUNCATE:
                return add_truncate(b, s->tables, e);
        case VERB_DROP_DATABASE:
                return tell_schema(b, s->argument, e);
        default:
                return tell_tables(b, s, e);
        }
}

/* A statement that is a group of its own, or one inside an open group. */
static int on_statement(struct binlog *b, const struct binlog_statement *s, struct error *e)
{
        bool alone = b->group != GROUP_OPEN;
        int rc;

        if (b->group == GROUP_NONE && binlog_begin(b, GROUP_ANNOUNCED, e) < 0)
                return -1;
        if (s->verb == VERB_XA_COMMIT || s->verb == VERB_XA_ROLLBACK)
                rc = binlog_xa_end(b, s->argument, s->verb == VERB_XA_COMMIT, e);
        else
                rc = b->past ? 0 : tell_of(b, s, e);
        if (rc < 0)
                return -1;
        return alone ? binlog_commit(b, e) : 0;
}

/* MySQL's group of an XA transaction begins with XA START and ends with XA PREPARE, or with XA
 * COMMIT ... ONE PHASE, which may come as text. */
static int on_xa(struct binlog *b, const struct binlog_statement *s, struct error *e)
{
        if (s->verb == VERB_XA_START) {
                if (binlog_begin(b, GROUP_OPEN, e) < 0)
                        return -1;
                b->xa = true;
                return 0;
        }
        if (b->group == GROUP_OPEN)
                return s->verb == VERB_XA_COMMIT ? binlog_commit(b, e) : binlog_rollback(b, e);
        return on_statement(b, s, e);
}

static int act(struct binlog *b, const struct binlog_statement *s, struct error *e)
{
        switch (s->verb) {
        case VERB_BEGIN:
                return binlog_begin(b, GROUP_OPEN, e);
        case VERB_COMMIT:
                return b->group == GROUP_OPEN ? binlog_commit(b, e) : on_statement(b, s, e);
        case VERB_ROLLBACK:
                return b->group == GROUP_OPEN ? binlog_rollback(b, e) : on_statement(b, s, e);
        case VERB_SAVEPOINT:
                return binlog_savepoint(b, s->argument, e);
        case VERB_ROLLBACK_TO:
                return binlog_rollback_to(b, s->argument, e);
        case VERB_XA_START:
        case VERB_XA_COMMIT:
        case VERB_XA_ROLLBACK:
                return on_xa(b, s, e);
        default:
                return on_statement(b, s, e);
        }
}

/* In the character set of the client that sent it, to UTF-8; what is none is read as it is. */
static int read_statement(struct binlog *b, const struct query *q, struct error *e)
{
        const struct charset *charset = q->charset ? charset_by_collation(q->charset) : NULL;
        struct binlog_dialect dialect = {b->setup.engine, q->sql_mode & MODE_ANSI_QUOTES,
                q->sql_mode & MODE_NO_BACKSLASH_ESCAPES};
        struct binlog_statement s;
        struct error ignored = ERROR_INIT;
        const void *text = q->text.at;
        size_t len = reader_left(&q->text);
        AUTO_BUF utf8 = BUF_INIT;
        int rc;

        if (charset && !charset_is_utf8(charset) &&
                charset_to_utf8(charset, text, len, &utf8, &ignored) == 0) {
                text = buf_text(&utf8);
                len = utf8.len;
        }
        binlog_statement_read(text, len, q->schema, dialect, &s);
        rc = act(b, &s, e);
        binlog_statement_done(&s);
        return rc;
}

int binlog_on_query(struct binlog *b, struct error *e)
{
        struct query q;

        if (!read_query(&b->in, 0, &q))
                return binlog_malformed(b, e);
        return read_statement(b, &q, e);
}

int binlog_on_query_compressed(struct binlog *b, struct error *e)
{
        struct query q;
        AUTO_BUF plain = BUF_INIT;

        if (!read_query(&b->in, 0, &q) || !binlog_inflate_event(q.text, TEXT_BYTES, &plain))
                return binlog_malformed(b, e);
        q.text = reader_of(buf_text(&plain), plain.len);
        return read_statement(b, &q, e);
}

/* File 4, where its name stands in the text 4 and 4, what to do with duplicates 1. */
int binlog_on_execute_load(struct binlog *b, struct error *e)
{
        struct query q;

        if (!read_query(&b->in, 13, &q))
                return binlog_malformed(b, e);
        return read_statement(b, &q, e);
}
