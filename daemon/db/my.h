#pragma once
/*
 * Connections to MySQL and MariaDB, blocking form: for worker threads and the commands without a
 * daemon. The loop's form is db/my_link.h. Also what both share: parameters from the URI, error
 * classes, quoting. A MYSQL belongs to the thread that opened it.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/coltype.h"
#include "model/config.h"

#include <mysql.h>
#include <stdatomic.h>

enum my_ssl_mode { MY_SSL_DISABLED, MY_SSL_PREFERRED, MY_SSL_REQUIRED, MY_SSL_VERIFY_CA, MY_SSL_VERIFY_IDENTITY };

/* From a mysql:// or mariadb:// URI and the password. Holds the password. */
struct my_params {
        char *host, *user, *password, *database, *socket; /* socket NULL: TCP, also to localhost */
        unsigned port;
        enum my_ssl_mode ssl_mode;
        char *ssl_ca, *ssl_cert, *ssl_key;
        char *what; /* "source" or "target", for messages */
};

/* What is wrong with a URI (without a part of it), or NULL; model/config uses the same text. */
struct my_params *my_params_new(const struct config_end *end, const char *what, struct error *e);
struct my_params *my_params_free(struct my_params *p);

/* Prepares `c` (from mysql_init) with all options: TLS as ssl_mode says, utf8mb4, no LOCAL INFILE
 * unless `infile`, CLIENT_FOUND_ROWS and CLIENT_MULTI_STATEMENTS in *flags. Used by my_link too. */
void my_options(MYSQL *c, const struct my_params *p, unsigned long *flags);
/* The SETs that every session of culvert begins with, one statement: time_zone +00:00, strict
 * sql_mode without NO_BACKSLASH_ESCAPES and ANSI_QUOTES, READ COMMITTED unless a snapshot asks
 * otherwise, foreign_key_checks and unique_checks as they are, wait and net timeouts. */
const char *my_session_sql(void);

/* Opens and sets the session. *fd (may be NULL) receives the socket before anything is waited for,
 * so that another thread can break the wait with shutdown(). NULL: error. */
MYSQL *my_connect(const struct my_params *p, struct error *e);
int my_fd(MYSQL *c); /* the socket; -1: none */
MYSQL *my_close(MYSQL *c); /* takes NULL, returns NULL */

/* What the server is: engine, and its version as a number (101119 for 10.11.19, 90704 for 9.7.4). */
enum engine my_engine(MYSQL *c);
unsigned my_version(MYSQL *c);
/* "10.11.19": without what is appended. The caller frees. */
char *my_version_text(MYSQL *c);

/* Runs one statement; NULL and an error unless it gave rows. The result is stored in memory. */
MYSQL_RES *my_query(MYSQL *c, struct error *e, const char *sql);
MYSQL_RES *my_queryf(MYSQL *c, struct error *e, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Statements without rows, several allowed; returns -1 at the first that fails. */
int my_run(MYSQL *c, struct error *e, const char *sql);
int my_runf(MYSQL *c, struct error *e, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The same with how many rows were found by the last. */
int my_affected(MYSQL *c, struct error *e, const char *sql, uint64_t *rows);

void my_result_done(MYSQL_RES **r);
#define AUTO_MY_RESULT __attribute__((cleanup(my_result_done))) MYSQL_RES *

/* Fills `e` from the connection's last error, with the class that its number means (mysqld_error.h,
 * errmsg.h). Values of rows that servers quote (duplicate entry, incorrect value) are cut out, and
 * passwords. Returns -1. e->code is the SQLSTATE. */
int my_error(struct error *e, MYSQL *c, const char *doing);
enum error_class my_error_class(unsigned number);

/* SQL text. Identifiers in backticks; literals in single quotes with backslash escapes; bytes as
 * x'..'. */
void my_ident(struct buf *out, const char *name);
void my_table(struct buf *out, const char *schema, const char *name);
void my_literal(struct buf *out, const char *text, size_t len);
void my_bytes(struct buf *out, const void *data, size_t len);
