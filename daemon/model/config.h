#pragma once
/*
 * Configuration of one pipeline: the INI file of INTERFACE, read through one option table
 * (config_table.c) that also drives `-n`, `show config`, `reload` and the generated reference.
 *
 * Loading finds every problem in one pass; each has its file and line. Later checks that need more
 * than the file's text (URIs, say) add theirs with config_complain. Immutable after that, so any
 * thread may read it.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "model/convert.h"

#include <stdbool.h>
#include <stdint.h>

enum config_existing { EXISTING_REFUSE, EXISTING_TRUNCATE, EXISTING_APPEND };
enum config_ddl { DDL_STOP, DDL_APPLY, DDL_IGNORE };
enum config_truncate { ON_TRUNCATE_APPLY, ON_TRUNCATE_STOP, ON_TRUNCATE_IGNORE };
enum config_conflict { CONFLICT_STOP, CONFLICT_QUARANTINE, CONFLICT_OVERWRITE };
enum config_mode { SNAPSHOT_BULK, SNAPSHOT_TRICKLE, SNAPSHOT_NONE };
enum config_fence { FENCE_READ_ONLY, FENCE_HOOK, FENCE_MANUAL };
enum config_acknowledge { ACKNOWLEDGE_APPLIED, ACKNOWLEDGE_QUEUED, ACKNOWLEDGE_AUTO };
enum config_kind { KIND_POSTGRESQL, KIND_MYSQL, KIND_MARIADB, KIND_SEGMENTS };

struct config_pair {
        char *from, *to;
        int line;
};

/* A list: patterns as written (see model/pattern.h), names unquoted. */
struct config_list {
        char **items;
        unsigned n;
        int line;
};

/* [table schema.name] */
struct config_table {
        char *schema, *name;       /* source table */
        char *to_schema, *to_name; /* NULL: as [schemas] says, the same name */
        struct config_list columns_exclude;
        struct config_pair *renames; /* column.FROM.to = TO */
        unsigned renames_n;
        char *where; /* NULL: all rows; syntax checked with model/filter.h */
        enum config_conflict on_conflict;
        int line;
};

/* [cutover] check.NAME: a query that gives the same on both sides. */
struct config_check {
        char *name;
        char *query;           /* on both; NULL: each side has its own */
        char *source, *target; /* in its place there; NULL: it is the same */
        int line;
};

struct config_end {
        char *uri;
        enum config_kind kind; /* from the URI's scheme */
        char *home; /* schema that corresponds to the other side's: the URI's database of the MySQL
                       family, "public" of PostgreSQL; NULL: none does */
        char *password_file;
        char *password; /* read from the file or credential when loading; NULL: none. Secret. */
};

struct config_problem {
        int line; /* 0: the file as a whole */
        char *text;
};

struct config {
        char *path;
        struct {
                char *name, *state_dir, *control_socket;
        } pipeline;
        struct config_end source, target;
        struct {
                char *slot, *publication; /* default culvert_NAME */
                int64_t heartbeat;        /* microseconds between looks at log and slot */
        } pg;
        struct {
                int64_t server_id; /* ours, towards a MySQL-family source; 0: one that is free */
        } my;
        struct {
                struct config_list include, exclude; /* "schema.table" patterns */
                bool create;
                enum config_existing existing;
                enum config_ddl ddl;
                enum config_truncate on_truncate;
                char *pg_dump, *pg_restore; /* programs */
        } tables;
        struct config_pair *schemas; /* [schemas] source = target */
        unsigned schemas_n;
        struct config_table *table;
        unsigned table_n;
        struct config_check *checks;
        unsigned checks_n;
        struct {
                enum config_mode mode;
                int64_t workers;
                int64_t slot_timeout; /* microseconds: how long slot creation may wait */
        } snapshot;
        struct {
                int64_t batch_rows, batch_bytes, batch_delay; /* delay in microseconds */
                int64_t answer_timeout;                       /* microseconds; 0: none */
                int64_t lanes;
                int64_t retry_attempts;
                char *error_threshold; /* see config_error_threshold */
        } apply;
        struct {
                char *zero_date; /* "error", "null" or YYYY-MM-DD */
                enum enum_error enum_error;
        } convert;
        struct {
                int64_t memory, disk; /* bytes; disk 0: none */
                int64_t segment;      /* bytes of a segment of an archive */
                enum config_acknowledge acknowledge;
                int64_t acknowledge_above; /* bytes */
        } queue;
        struct {
                int64_t sample, rate; /* percent; rows a second, 0: no limit */
        } verify;
        struct {
                int64_t max_lag; /* microseconds */
                enum config_fence fence;
                char *hook_before, *hook_gate; /* programs; "" or NULL: none */
        } cutover;
        struct {
                char *listen; /* "" or host:port */
        } metrics;
        enum log_level log_level; /* [log] level */
        bool log_keys;            /* [log] keys: keys of rows in the log as they are, not hashed */

        /* Of the way back (model/config_reverse.h): the configuration that it turns round, and
         * which tables there are; items NULL: all that it selects. Else NULL and none. */
        const struct config *forward;
        struct config_list only;

        struct config_problem *problems;
        unsigned problems_n;
        struct config_value *values; /* private to config.c: what was set where */
        unsigned values_n;
};

/* Always returns an object; it may be used when problems_n is 0. */
struct config *config_load(const char *path);
struct config *config_free(struct config *c);

void config_complain(struct config *c, int line, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Line of a key of a section ("apply", "table public.orders") in the file; 0: not there. The key ""
 * is the line where the section begins. */
int config_line(const struct config *c, const char *section, const char *key);
/* One line a problem, in the order of lines: "FILE:LINE: text", "FILE: text" for line 0. */
void config_print_problems(const struct config *c, struct buf *out);

/* [table] section for a source table, or NULL. */
const struct config_table *config_table_of(
        const struct config *c, const char *schema, const char *name);
const char *config_check_query(const struct config_check *check, bool target);
bool config_is_mysql(enum config_kind kind); /* MySQL or MariaDB */
/* The folder of an end that is KIND_SEGMENTS; borrowed. */
const char *config_folder(const struct config_end *end);
/* What becomes of zero dates. */
struct convert_policy config_convert_policy(const struct config *c);
double config_error_threshold(const struct config *c); /* 0 to 1; negative: it is no such number */
/* Target schema for a source schema: [schemas], else each side's home for the other's where one of
 * them is of the MySQL family, else the same. */
const char *config_schema_of(const struct config *c, const char *schema);
/* Do include and exclude select this table? System schemas and culvert never. */
bool config_selects(const struct config *c, const char *schema, const char *name);

/* `show config`: every option with its value in force, INI syntax, `; default` where the file does
 * not set it; passwords never. Nothing of a file with problems. */
void config_show(const struct config *c, struct buf *out);
/* The reference: every option with type, range, default and sentence, INI syntax. */
void config_reference(struct buf *out);

/* `reload`: compares the running configuration with a newly loaded one and calls `each` for every
 * key that differs ("apply.batch_rows", "table public.orders.where"). `reloadable` says whether it
 * may take effect now. */
void config_diff(const struct config *old, const struct config *new,
        void (*each)(void *context, const char *key, bool reloadable), void *context);

/* Takes over what may change while running; all else stays as it was. Both are free of problems. */
void config_reload(struct config *running, const struct config *loaded);
