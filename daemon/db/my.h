#pragma once
/*
 * Connections to MySQL and MariaDB, blocking form: for worker threads and the commands without a
 * daemon. The loop's form is db/my_link.h. Also what both share: parameters from the URI, error
 * classes, quoting. A MYSQL belongs to the thread that opened it, or to the one it was handed to.
 *
 * my_connect gives up within a tenth of a second of `stop`. On an established connection another
 * thread breaks the wait with shutdown(my_fd(c), SHUT_RDWR), as ops/halt does, while its owner has
 * not closed it.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/coltype.h"
#include "model/config.h"
#include "model/my_uri.h"

#include <mysql.h>
#include <stdatomic.h>

/* From a mysql:// or mariadb:// URI and the password. Holds the password. */
struct my_params {
        char *host, *user, *password, *database, *socket; /* socket NULL: TCP, also to localhost */
        unsigned port;
        enum my_ssl_mode ssl_mode;
        char *ssl_ca, *ssl_cert, *ssl_key;
        char *what; /* "source" or "target", for messages */
        /* LOAD DATA LOCAL INFILE works, for a statement that begins with LOAD and no other. Whoever
         * sets it installs a handler (mysql_set_local_infile_handler) that opens no file by a name
         * that the server gives. */
        bool local_infile;
};

/* NULL: not such a URI (the error does not repeat a part of it). */
struct my_params *my_params_new(const struct config_end *end, const char *what, struct error *e);
struct my_params *my_params_copy(const struct my_params *p);
struct my_params *my_params_free(struct my_params *p);

/* The SETs that every session of culvert begins with, several statements: time_zone +00:00, strict
 * sql_mode without NO_BACKSLASH_ESCAPES, ANSI_QUOTES and NO_ZERO_DATE, READ COMMITTED, autocommit,
 * no limit on the time of a statement, utf8mb4 in all directions, messages in English.
 * foreign_key_checks and unique_checks stay as they are. my_connect has run them. */
const char *my_session_sql(enum engine engine);

/*
 * Opens a connection and sets the session, within 15 s. Setting `stop` (may be NULL) from another
 * thread ends the wait; only the resolver's wait for a name cannot be ended. Rows found, not rows
 * changed, are counted as affected, and one text may hold several statements. NULL: error.
 */
MYSQL *my_connect(const struct my_params *p, const atomic_bool *stop, struct error *e);
int my_fd(MYSQL *c);       /* the socket; -1: none */
MYSQL *my_close(MYSQL *c); /* never waits; takes NULL, returns NULL */
void my_conn_done(MYSQL **c);
#define AUTO_MY_CONN __attribute__((cleanup(my_conn_done))) MYSQL *

/* What the server is: engine, and its version as a number (101119 for 10.11.19, 90704 for 9.7.4).
 */
enum engine my_engine(MYSQL *c);
unsigned my_version(MYSQL *c);
/* "10.11.19": without what is appended. The caller frees. */
char *my_version_text(MYSQL *c);

/* Runs one statement; NULL and an error unless it gave rows. The result is stored in memory. */
MYSQL_RES *my_query(MYSQL *c, struct error *e, const char *sql);
MYSQL_RES *my_queryf(MYSQL *c, struct error *e, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Statements, several allowed; rows are dropped. Returns -1 at the first that fails. */
int my_run(MYSQL *c, struct error *e, const char *sql);
int my_runf(MYSQL *c, struct error *e, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The same with how many rows were found by the last. */
int my_affected(MYSQL *c, struct error *e, const char *sql, uint64_t *rows);

void my_result_done(MYSQL_RES **r);
#define AUTO_MY_RESULT __attribute__((cleanup(my_result_done))) MYSQL_RES *

/* Fills `e` from the connection's last error, with the class that its number means (mysqld_error.h,
 * errmsg.h). Values of rows that servers quote (duplicate entry, incorrect value) are cut out, and
 * passwords. Returns -1. e->code is the SQLSTATE. `c` NULL: out of memory. */
int my_error(struct error *e, MYSQL *c, const char *doing);
enum error_class my_error_class(unsigned number);
/* Is the connection gone, or about to be, with this error? */
bool my_error_is_lost(unsigned number);
/* Cuts in place what a message of that number quotes of rows. */
void my_error_cut(char *message, unsigned number);

/* SQL text. Identifiers in backticks; literals in single quotes with backslash escapes; bytes as
 * x'..'. */
void my_ident(struct buf *out, const char *name);
void my_table(struct buf *out, const char *schema, const char *name);
void my_literal(struct buf *out, const char *text, size_t len);
void my_bytes(struct buf *out, const void *data, size_t len);
