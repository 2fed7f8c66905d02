#pragma once
/*
 * Statements as the binlog has them, as text: what they do to which tables. Not a parser of SQL,
 * only of how statements begin, so that no DDL of a migrated table goes unseen:
 *
 * - comments are skipped; what is in executable ones counts
 * - DDL that only adds or drops indexes, or sets AUTO_INCREMENT or a comment, is nothing
 * - CREATE TABLE IF NOT EXISTS is nothing: the table is there, or its DROP was seen
 * - temporary tables are nothing
 * - a statement that changes tables but cannot be read is "unclear": each name in it may be one
 *
 * What a function writes that a statement-logged SELECT calls cannot be seen here. Pure.
 */
#include "model/coltype.h"
#include "model/statement.h"

enum binlog_verb {
        VERB_OTHER, /* of no interest, but for its tables */
        VERB_BEGIN,
        VERB_COMMIT,
        VERB_ROLLBACK,
        VERB_SAVEPOINT, /* `argument`: its name, as for the next */
        VERB_ROLLBACK_TO,
        VERB_XA_START,
        VERB_XA_COMMIT, /* `argument`: the xid, as for the next; `one_phase` */
        VERB_XA_ROLLBACK,
        VERB_TRUNCATE,      /* the one table */
        VERB_DROP_DATABASE, /* `argument`: its name */
        VERB_UNCLEAR        /* `tables`: all that could be meant */
};

struct binlog_table {
        enum statement_kind kind;
        char *schema, *name;
};

struct binlog_statement {
        enum binlog_verb verb;
        char *argument;
        bool one_phase;
        struct binlog_table *tables;
        size_t tables_n;
};

struct binlog_dialect {
        enum engine engine;
        bool ansi_quotes;  /* "name", not "text" */
        bool no_backslash; /* a backslash in text is itself */
};

/* `text` is UTF-8; `schema` is the default database, "" for none. */
void binlog_statement_read(const char *text, size_t len, const char *schema,
        struct binlog_dialect dialect, struct binlog_statement *out);
void binlog_statement_done(struct binlog_statement *s);
