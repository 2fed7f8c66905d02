#include "ops/my_loader.h"
#include "base/memory.h"
#include "db/my_meta.h"
#include "ops/my_load_text.h"
#include "base/loop.h"
#include "sinks/my_aside.h"
#include "sinks/my_binding.h"
#include "sinks/my_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH ((size_t)1 << 20) /* rows of about this many bytes go at once */
#define LEN_NULL UINT32_MAX

struct loader {
        MYSQL *conn;
        struct my_loader_setup setup;
        bool infile;             /* for this table */
        struct buf insert, load; /* what statements begin with; the whole LOAD */
        struct buf rows;         /* that wait: each value's length (4 bytes), bytes and NUL */
        struct buf text;         /* a statement, or what LOAD reads */
        size_t text_at;
        struct coltype **types;
        uint16_t columns_n;
        uint64_t written, waiting;
        uint64_t pending;              /* rows of the INSERT in `text` */
        uint64_t warnings;             /* that the statement is to have (sinks/my_value.h) */
        uint64_t refused;              /* row that was not taken, from 1; 0: not known */
        struct quarantine_table *keys; /* NULL: no row of the table is set aside */
};

/* ---- the table ---- */

static void forget_types(struct loader *l)
{
        for (uint16_t i = 0; l->types && i < l->columns_n; i++)
                coltype_free(l->types[i]);
        free(l->types);
        l->types = NULL;
}

static int take_types(struct loader *l, const struct relation *target, struct error *e)
{
        forget_types(l);
        l->columns_n = target->columns_n;
        l->types = memory_new((l->columns_n + 1u) * sizeof(*l->types));
        for (uint16_t i = 0; i < l->columns_n; i++)
                if (!(l->types[i] = coltype_my(my_engine(l->conn), target->columns[i].native, e)))
                        return -1;
        return 0;
}

static void write_insert(struct loader *l, const struct relation *target)
{
        buf_clear(&l->insert);
        buf_str(&l->insert, "insert into ");
        my_table(&l->insert, target->schema, target->name);
        for (uint16_t i = 0; i < target->columns_n; i++) {
                buf_str(&l->insert, i ? ", " : " (");
                my_ident(&l->insert, target->columns[i].name);
        }
        buf_str(&l->insert, target->columns_n ? ") values " : " () values ");
}

int my_loader_load(struct loader *l, const struct relation *target, struct error *e)
{
        if (take_types(l, target, e) < 0 || my_run(l->conn, e, "start transaction") < 0 ||
                my_meta_prove_epoch(l->conn, l->setup.pipeline, l->setup.epoch, e) < 0)
                return -1;
        buf_clear(&l->rows);
        l->written = l->waiting = l->refused = 0;
        l->infile = l->setup.infile && target->columns_n;
        write_insert(l, target);
        buf_clear(&l->load);
        my_load_sql(&l->load, target, l->types);
        return 0;
}

/* ---- rows that wait ---- */

static void keep_value(struct loader *l, const struct value *v)
{
        uint32_t len = v->kind == VALUE_TEXT ? v->len : LEN_NULL;

        buf_add(&l->rows, &len, sizeof len);
        if (len != LEN_NULL) {
                buf_add(&l->rows, v->data, len);
                buf_char(&l->rows, '\0');
        }
}

static const char *next_value(const char *at, struct value *v)
{
        uint32_t len;

        memcpy(&len, at, sizeof len);
        at += sizeof len;
        *v = (struct value){.kind = VALUE_NULL};
        if (len == LEN_NULL)
                return at;
        *v = (struct value){.kind = VALUE_TEXT, .len = len, .data = at};
        return at + len + 1;
}

/* ---- INSERT ---- */

/* "Data too long for column 'name' at row 7"; a duplicate key is told without the row. */
static uint64_t refused_row(const struct loader *l)
{
        const char *at = strstr(mysql_error(l->conn), " at row ");

        if (l->pending == 1)
                return l->written + 1;
        return at ? l->written + strtoull(at + 8, NULL, 10) : 0;
}

static int end_insert(struct loader *l, struct error *e)
{
        uint64_t found = 0;

        if (!l->pending)
                return 0;
        if (my_affected(l->conn, e, buf_text(&l->text), &found) < 0) {
                l->refused = refused_row(l);
                return error_context(e, "target");
        }
        if (found != l->pending)
                return error_set(e, ERROR_DATA,
                        "%" PRIu64 " rows were sent and %" PRIu64
                        " written: a trigger on the target keeps rows out",
                        l->pending, found);
        if (l->warnings && mysql_warning_count(l->conn) != l->warnings)
                return error_set(e, ERROR_DATA,
                        "the target changed a value of %" PRIu64 " rows that it was given",
                        l->pending);
        l->written += l->pending;
        l->pending = l->warnings = 0;
        buf_clear(&l->text);
        return 0;
}

static int check_packet(const struct loader *l, size_t row, struct error *e)
{
        if (l->insert.len + row + 1024 <= l->setup.packet)
                return 0;
        return error_set(e, ERROR_DATA,
                "a row needs a packet of %zu bytes, and the target takes %" PRIu64
                " (max_allowed_packet)",
                l->insert.len + row, l->setup.packet);
}

/* Rows that are taken with a warning go by themselves, few enough to be counted in 16 bits. */
static bool joins(const struct loader *l, size_t row, unsigned warnings)
{
        return l->text.len + row <= BATCH && l->text.len + row + 1024 <= l->setup.packet &&
               !warnings == !l->warnings && l->warnings + warnings < UINT16_MAX;
}

static int insert_row(struct loader *l, const char **at, struct error *e)
{
        AUTO_BUF row = BUF_INIT;
        unsigned warnings = 0;

        for (uint16_t i = 0; i < l->columns_n; i++) {
                struct value v;

                *at = next_value(*at, &v);
                warnings += my_value_warns(l->types[i], &v);
                v = my_value_stored(l->types[i], &v);
                buf_str(&row, i ? "," : "(");
                if (my_value(&row, l->types[i], &v, e) < 0)
                        return -1;
        }
        buf_str(&row, l->columns_n ? ")" : "()");
        if (check_packet(l, row.len, e) < 0)
                return -1;
        if (l->pending && !joins(l, row.len, warnings) && end_insert(l, e) < 0)
                return -1;
        if (l->pending++) {
                buf_char(&l->text, ',');
        } else {
                buf_str(&l->text, warnings ? MY_VALUE_LENIENT : "");
                buf_add(&l->text, l->insert.data, l->insert.len);
        }
        buf_add(&l->text, row.data, row.len);
        l->warnings += warnings;
        return 0;
}

static int insert_rows(struct loader *l, struct error *e)
{
        const char *at = buf_text(&l->rows);

        buf_clear(&l->text);
        l->pending = l->warnings = 0;
        for (uint64_t i = 0; i < l->waiting; i++)
                if (insert_row(l, &at, e) < 0)
                        return -1;
        return end_insert(l, e);
}

/* ---- LOAD ---- */

static int write_rows(struct loader *l, struct error *e)
{
        const char *at = buf_text(&l->rows);

        buf_clear(&l->text);
        l->text_at = l->warnings = 0;
        for (uint64_t i = 0; i < l->waiting; i++)
                for (uint16_t k = 0; k < l->columns_n; k++) {
                        struct value v;

                        at = next_value(at, &v);
                        l->warnings += my_value_warns(l->types[k], &v);
                        v = my_value_stored(l->types[k], &v);
                        if (my_load_value(&l->text, l->types[k], &v, e) < 0)
                                return -1;
                        buf_char(&l->text, k + 1 < l->columns_n ? '\t' : '\n');
                }
        return 0;
}

/* The library asks for the file by the name that the server gave, which nobody looks at. */
static int open_rows(void **file, const char *name, void *context)
{
        (void)name;
        *file = context;
        return 0;
}

static int read_rows(void *file, char *out, unsigned room)
{
        struct loader *l = file;
        size_t left = l->text.len - l->text_at;
        size_t n = left < room ? left : room;

        memcpy(out, buf_text(&l->text) + l->text_at, n);
        l->text_at += n;
        return (int)n;
}

static void close_rows(void *file)
{
        (void)file;
}

static int no_failure(void *file, char *message, unsigned room)
{
        (void)file;
        if (room)
                *message = '\0';
        return 0;
}

/* 1: all of it went in; 0: it did not, and is undone; -1. */
static int load_rows(struct loader *l, struct error *e)
{
        struct error refused = ERROR_INIT;
        uint64_t found = 0;

        if (write_rows(l, e) < 0 || my_run(l->conn, e, "savepoint rows_before") < 0)
                return -1;
        if (my_affected(l->conn, &refused, buf_text(&l->load), &found) == 0 &&
                found == l->waiting && l->warnings < UINT16_MAX &&
                mysql_warning_count(l->conn) == l->warnings) {
                l->written += l->waiting;
                return 1;
        }
        l->infile = false;
        if (my_error_is_lost(mysql_errno(l->conn))) {
                *e = refused;
                return error_context(e, "target");
        }
        return my_run(l->conn, e, "rollback to savepoint rows_before");
}

/* ---- what the copy asks ---- */

static int flush(struct loader *l, struct error *e)
{
        int rc = l->infile && l->waiting ? load_rows(l, e) : 0;

        if (rc == 0)
                rc = insert_rows(l, e);
        buf_clear(&l->rows);
        l->waiting = 0;
        return rc < 0 ? -1 : 0;
}

int my_loader_row(struct loader *l, const struct value *row, struct error *e)
{
        for (uint16_t i = 0; i < l->columns_n; i++)
                keep_value(l, &row[i]);
        l->waiting++;
        return l->rows.len > BATCH || (!l->columns_n && l->waiting >= 1000) ? flush(l, e) : 0;
}

int my_loader_may_set_aside(struct loader *l, const struct relation *target, struct error *e)
{
        AUTO_BUF text = BUF_INIT;
        AUTO_BUF sql = BUF_INIT;
        AUTO_MY_RESULT d = NULL;
        struct relation *own;
        struct my_binding *b;
        int rc = -1;

        relation_to_text(target, &text);
        my_binding_sql(&sql, target);
        if (!(d = my_query(l->conn, e, buf_text(&sql))) ||
                !(own = relation_from_text(buf_text(&text))))
                return -1;
        b = my_binding_new(own, 1, my_engine(l->conn), d, e);
        if (b && my_binding_set_aside(b, CONFLICT_QUARANTINE, e) == 0) {
                l->keys = b->quarantine;
                b->quarantine = NULL;
                rc = 0;
        }
        relation_unref(own);
        return rc;
}

/* Beside the rows that wait: it is a statement of its own. */
int my_loader_set_aside(
        struct loader *l, const struct change *c, struct position at, struct error *e)
{
        const struct txn copy = {.commit = at, .committed_at = (int64_t)time(NULL) * SECOND};
        AUTO_BUF sql = BUF_INIT;
        struct quarantine_entry n;

        if (quarantine_check_key(l->keys, c, e) < 0)
                return -1;
        quarantine_entry_init(&n, l->keys, c, NULL);
        my_aside_sql(&sql, l->setup.pipeline, &copy, c, &n);
        quarantine_entry_done(&n);
        return my_run(l->conn, e, buf_text(&sql)) < 0 ? error_context(e, "target") : 0;
}

uint64_t my_loader_refused(const struct loader *l)
{
        return l->refused;
}

static int record(struct loader *l, const char *schema, const char *name, const char *state,
        uint64_t rows, struct position at, struct error *e)
{
        AUTO_BUF sql = BUF_INIT;
        char start[POSITION_TEXT];
        uint64_t found = 0;

        buf_printf(&sql, "update culvert.tables set `rows` = %" PRIu64 ", state = ", rows);
        my_literal(&sql, state, strlen(state));
        position_format(at, start);
        buf_str(&sql, ", start_position = ");
        my_literal(&sql, start, strlen(start));
        buf_str(&sql, " where pipeline = ");
        my_literal(&sql, l->setup.pipeline, strlen(l->setup.pipeline));
        buf_str(&sql, " and source_schema = ");
        my_literal(&sql, schema, strlen(schema));
        buf_str(&sql, " and source_name = ");
        my_literal(&sql, name, strlen(name));
        if (my_affected(l->conn, e, buf_text(&sql), &found) < 0)
                return -1;
        return found == 1 ? 0 : error_set(e, ERROR_BUG, "its row in culvert.tables is gone");
}

int my_loader_loaded(struct loader *l, const char *schema, const char *name, const char *state,
        uint64_t rows, struct position at, struct error *e)
{
        free(l->keys);
        l->keys = NULL;
        if (flush(l, e) < 0 || record(l, schema, name, state, rows, at, e) < 0)
                return -1;
        return my_run(l->conn, e, "commit");
}

struct loader *my_loader_new(MYSQL *c, const struct my_loader_setup *setup)
{
        struct loader *l = memory_new_of(struct loader);

        l->conn = c;
        l->setup = *setup;
        mysql_set_local_infile_handler(c, open_rows, read_rows, close_rows, no_failure, l);
        return l;
}

struct loader *my_loader_free(struct loader *l)
{
        if (!l)
                return NULL;
        halt_my_close(l->setup.halt, &l->conn);
        forget_types(l);
        free(l->keys);
        buf_done(&l->insert);
        buf_done(&l->load);
        buf_done(&l->rows);
        buf_done(&l->text);
        free(l);
        return NULL;
}
