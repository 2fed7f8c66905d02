#include "decoders/binlog_statement.h"
#include "base/memory.h"
#include "decoders/binlog_token.h"

#include <stdlib.h>
#include <string.h>

struct parser {
        struct scanner s;
        const char *schema;
        struct binlog_statement *out;
};

static void add(struct parser *p, enum statement_kind kind, char *schema, char *name)
{
        struct binlog_statement *out = p->out;

        out->tables = memory_grow(out->tables, (out->tables_n + 1) * sizeof *out->tables);
        out->tables[out->tables_n++] = (struct binlog_table){kind, schema, name};
}

/* NAME or SCHEMA.NAME at hand; goes behind it. */
static bool take_table(struct parser *p, enum statement_kind kind)
{
        char *name, *schema;

        if (!scanner_is_name(&p->s))
                return false;
        name = scanner_name(&p->s);
        scanner_next(&p->s);
        if (!scanner_sign(&p->s, '.')) {
                add(p, kind, memory_string(p->schema), name);
                return true;
        }
        schema = name;
        scanner_next(&p->s);
        if (!scanner_is_name(&p->s)) {
                free(schema);
                return false;
        }
        add(p, kind, schema, scanner_name(&p->s));
        scanner_next(&p->s);
        return true;
}

static void forget_tables(struct binlog_statement *s)
{
        for (size_t i = 0; i < s->tables_n; i++) {
                free(s->tables[i].schema);
                free(s->tables[i].name);
        }
        free(s->tables);
        s->tables = NULL;
        s->tables_n = 0;
}

/* Every name in the rest of the statement may be a table's. */
static void take_all(struct parser *p, enum statement_kind kind)
{
        while (p->s.kind != TOKEN_END)
                if (!take_table(p, kind))
                        scanner_next(&p->s);
}

static void unclear(struct parser *p, struct scanner begin, enum statement_kind kind)
{
        forget_tables(p->out);
        p->out->verb = VERB_UNCLEAR;
        p->s = begin;
        take_all(p, kind);
}

static void skip_if_exists(struct scanner *s)
{
        if (scanner_take(s, "IF"))
                scanner_take(s, "EXISTS");
}

/* MariaDB: WAIT n or NOWAIT behind a table. */
static void skip_wait(struct scanner *s)
{
        if (!scanner_take(s, "NOWAIT") && scanner_take(s, "WAIT"))
                scanner_next(s);
}

/* ---- ALTER TABLE ---- */

/* To the next specification, behind a comma that is in no brackets. */
static void skip_specification(struct scanner *s)
{
        unsigned depth = 0;

        for (; s->kind != TOKEN_END; scanner_next(s)) {
                if (scanner_sign(s, '('))
                        depth++;
                else if (scanner_sign(s, ')'))
                        depth -= depth > 0;
                else if (scanner_sign(s, ',') && depth == 0) {
                        scanner_next(s);
                        return;
                }
        }
}

static bool is_one_of(const struct scanner *s, const char *const *words)
{
        while (*words && !scanner_is(s, *words))
                words++;
        return *words != NULL;
}

/* One that changes neither columns nor rows, as far as is sure. */
static bool is_harmless(struct scanner s)
{
        static const char *const indexes[] = {
                "INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", NULL};
        static const char *const dropped[] = {"INDEX", "KEY", NULL};
        static const char *const others[] = {
                "AUTO_INCREMENT", "COMMENT", "ENABLE", "DISABLE", "ALGORITHM", "LOCK", NULL};

        if (scanner_take(&s, "ADD"))
                return is_one_of(&s, indexes);
        if (scanner_take(&s, "DROP") || scanner_take(&s, "RENAME"))
                return is_one_of(&s, dropped);
        return is_one_of(&s, others);
}

/* RENAME [TO | AS | =] name, but not of a column or index. */
static void take_new_name(struct parser *p)
{
        struct scanner ahead = p->s;
        static const char *const parts[] = {"COLUMN", "INDEX", "KEY", NULL};

        if (!scanner_take(&ahead, "RENAME") || is_one_of(&ahead, parts))
                return;
        p->s = ahead;
        if (!scanner_take(&p->s, "TO") && !scanner_take(&p->s, "AS") && scanner_sign(&p->s, '='))
                scanner_next(&p->s);
        p->out->tables[0].kind = STATEMENT_RENAME;
        take_table(p, STATEMENT_RENAME);
}

/* EXCHANGE PARTITION p WITH TABLE t: rows go both ways. CONVERT PARTITION p TO TABLE t, CONVERT
 * TABLE t TO PARTITION p. */
static void take_exchanged(struct parser *p)
{
        if (!scanner_is(&p->s, "EXCHANGE") && !scanner_is(&p->s, "CONVERT"))
                return;
        while (p->s.kind != TOKEN_END && !scanner_is(&p->s, "TABLE"))
                scanner_next(&p->s);
        if (scanner_take(&p->s, "TABLE"))
                take_table(p, STATEMENT_ALTER);
}

static bool read_alter(struct parser *p)
{
        bool harmless = true, any = false;

        scanner_take(&p->s, "ONLINE");
        scanner_take(&p->s, "IGNORE");
        if (!scanner_take(&p->s, "TABLE"))
                return true;
        skip_if_exists(&p->s);
        if (!take_table(p, STATEMENT_ALTER))
                return false;
        skip_wait(&p->s);
        for (; p->s.kind != TOKEN_END; skip_specification(&p->s)) {
                harmless &= is_harmless(p->s);
                any = true;
                take_new_name(p);
                take_exchanged(p);
        }
        if (harmless && any)
                forget_tables(p->out);
        return true;
}

/* ---- the others ---- */

static bool read_create(struct parser *p)
{
        bool replace = false;

        if (scanner_take(&p->s, "OR"))
                replace = scanner_take(&p->s, "REPLACE");
        if (!scanner_take(&p->s, "TABLE"))
                return true;
        if (scanner_is(&p->s, "IF") && !replace)
                return true;
        return take_table(p, STATEMENT_CREATE);
}

static bool read_drop(struct parser *p)
{
        if (scanner_take(&p->s, "DATABASE") || scanner_take(&p->s, "SCHEMA")) {
                skip_if_exists(&p->s);
                if (!scanner_is_name(&p->s))
                        return false;
                p->out->verb = VERB_DROP_DATABASE;
                p->out->argument = scanner_name(&p->s);
                return true;
        }
        if (!scanner_take(&p->s, "TABLE") && !scanner_take(&p->s, "TABLES"))
                return true;
        skip_if_exists(&p->s);
        do {
                if (!take_table(p, STATEMENT_DROP))
                        return false;
        } while (scanner_sign(&p->s, ',') && (scanner_next(&p->s), true));
        return true;
}

static bool read_rename(struct parser *p)
{
        if (!scanner_take(&p->s, "TABLE") && !scanner_take(&p->s, "TABLES"))
                return true;
        skip_if_exists(&p->s);
        do {
                if (!take_table(p, STATEMENT_RENAME))
                        return false;
                skip_wait(&p->s);
                if (!scanner_take(&p->s, "TO") || !take_table(p, STATEMENT_RENAME))
                        return false;
        } while (scanner_sign(&p->s, ',') && (scanner_next(&p->s), true));
        return true;
}

static bool read_truncate(struct parser *p)
{
        scanner_take(&p->s, "TABLE");
        p->out->verb = VERB_TRUNCATE;
        return take_table(p, STATEMENT_WRITE);
}

static bool read_insert(struct parser *p)
{
        static const char *const options[] = {
                "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", NULL};

        while (is_one_of(&p->s, options))
                scanner_next(&p->s);
        scanner_take(&p->s, "INTO");
        return take_table(p, STATEMENT_WRITE);
}

/* Several tables may be named, with aliases and joins; so each name up to `stop`. */
static bool read_references(struct parser *p, const char *stop)
{
        while (p->s.kind != TOKEN_END && !scanner_is(&p->s, stop))
                if (!take_table(p, STATEMENT_WRITE))
                        scanner_next(&p->s);
        return true;
}

static bool read_update(struct parser *p)
{
        return read_references(p, "SET");
}

static bool read_delete(struct parser *p)
{
        return read_references(p, "WHERE");
}

static bool read_load(struct parser *p)
{
        while (p->s.kind != TOKEN_END && !scanner_is(&p->s, "INTO"))
                scanner_next(&p->s);
        return scanner_take(&p->s, "INTO") && scanner_take(&p->s, "TABLE") &&
               take_table(p, STATEMENT_WRITE);
}

/* WITH ... UPDATE or DELETE */
static bool read_with(struct parser *p)
{
        (void)p;
        return false;
}

static bool read_rollback(struct parser *p)
{
        scanner_take(&p->s, "WORK");
        p->out->verb = VERB_ROLLBACK;
        if (!scanner_take(&p->s, "TO"))
                return true;
        p->out->verb = VERB_ROLLBACK_TO;
        scanner_take(&p->s, "SAVEPOINT");
        p->out->argument = scanner_name(&p->s);
        return true;
}

static bool read_savepoint(struct parser *p)
{
        p->out->verb = VERB_SAVEPOINT;
        p->out->argument = scanner_name(&p->s);
        return true;
}

static bool read_begin(struct parser *p)
{
        p->out->verb = VERB_BEGIN;
        return true;
}

static bool read_start(struct parser *p)
{
        if (scanner_is(&p->s, "TRANSACTION"))
                p->out->verb = VERB_BEGIN;
        return true;
}

static bool read_commit(struct parser *p)
{
        p->out->verb = VERB_COMMIT;
        return true;
}

/* XA verb xid [ONE PHASE]; the server writes each xid as X'..',X'..',number. */
static bool read_xa(struct parser *p)
{
        static const struct {
                const char *word;
                enum binlog_verb verb;
        } verbs[] = {{"START", VERB_XA_START}, {"BEGIN", VERB_XA_START}, {"COMMIT", VERB_XA_COMMIT},
                {"ROLLBACK", VERB_XA_ROLLBACK}};
        AUTO_BUF xid = BUF_INIT;

        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
                if (scanner_is(&p->s, verbs[i].word))
                        p->out->verb = verbs[i].verb;
        scanner_next(&p->s);
        for (; p->s.kind != TOKEN_END && !scanner_is(&p->s, "ONE"); scanner_next(&p->s))
                buf_add(&xid, p->s.begin, p->s.len);
        p->out->one_phase = scanner_is(&p->s, "ONE");
        p->out->argument = memory_string(buf_text(&xid));
        return true;
}

static const struct {
        const char *word;
        bool (*read)(struct parser *p);
        enum statement_kind kind; /* when it cannot be read */
} verbs_known[] = {
        {"BEGIN", read_begin, STATEMENT_ALTER},
        {"COMMIT", read_commit, STATEMENT_ALTER},
        {"ROLLBACK", read_rollback, STATEMENT_ALTER},
        {"SAVEPOINT", read_savepoint, STATEMENT_ALTER},
        {"START", read_start, STATEMENT_ALTER},
        {"XA", read_xa, STATEMENT_ALTER},
        {"ALTER", read_alter, STATEMENT_ALTER},
        {"CREATE", read_create, STATEMENT_CREATE},
        {"DROP", read_drop, STATEMENT_DROP},
        {"RENAME", read_rename, STATEMENT_RENAME},
        {"TRUNCATE", read_truncate, STATEMENT_WRITE},
        {"INSERT", read_insert, STATEMENT_WRITE},
        {"REPLACE", read_insert, STATEMENT_WRITE},
        {"UPDATE", read_update, STATEMENT_WRITE},
        {"DELETE", read_delete, STATEMENT_WRITE},
        {"LOAD", read_load, STATEMENT_WRITE},
        {"WITH", read_with, STATEMENT_WRITE},
};

/* MariaDB: SET STATEMENT variable = value, ... FOR statement. */
static void skip_set_statement(struct scanner *s)
{
        struct scanner ahead = *s;

        if (!scanner_take(&ahead, "SET") || !scanner_take(&ahead, "STATEMENT"))
                return;
        while (ahead.kind != TOKEN_END && !scanner_is(&ahead, "FOR"))
                scanner_next(&ahead);
        scanner_take(&ahead, "FOR");
        *s = ahead;
}

void binlog_statement_read(const char *text, size_t len, const char *schema,
        struct binlog_dialect dialect, struct binlog_statement *out)
{
        struct parser p = {{.at = text, .end = text + len, .dialect = dialect}, schema, out};
        struct scanner begin;

        *out = (struct binlog_statement){.verb = VERB_OTHER};
        scanner_next(&p.s);
        skip_set_statement(&p.s);
        begin = p.s;
        for (size_t i = 0; i < sizeof verbs_known / sizeof *verbs_known; i++) {
                if (!scanner_is(&p.s, verbs_known[i].word))
                        continue;
                scanner_next(&p.s);
                if (!verbs_known[i].read(&p))
                        unclear(&p, begin, verbs_known[i].kind);
                return;
        }
}

void binlog_statement_done(struct binlog_statement *s)
{
        forget_tables(s);
        free(s->argument);
        *s = (struct binlog_statement){.verb = VERB_OTHER};
}
