#pragma once
/*
 * PostgreSQL connections, blocking form: for worker threads and the commands without a daemon.
 * The loop's form is db/pg_link.h. Also what both share: parameters, error classes, quoting.
 * A PGconn belongs to the thread that opened it.
 */
#include "base/buf.h"
#include "base/error.h"
#include "model/config.h"

#include <libpq-fe.h>
#include <stdatomic.h>

/* Keywords and values for PQconnectStartParams. Holds the password. */
struct pg_params {
        char **keywords, **values;
        unsigned n;
        char *what; /* "source" or "target", for messages */
};

/* A URI that libpq does not take, or that has a password in it, is an error. */
int pg_uri_check(const char *uri, struct error *e);

struct pg_params *pg_params_new(const struct config_end *end, const char *what,
        const char *application_name, bool replication, struct error *e);
struct pg_params *pg_params_free(struct pg_params *p);

/* Opens and sets the session: UTC, ISO dates, exact floats, UTF-8, empty search path, no timeouts.
 * Setting `stop` (may be NULL) from another thread ends the wait. NULL: error. */
PGconn *pg_connect(const struct pg_params *p, const atomic_bool *stop, struct error *e);

/* The SETs that every session of culvert begins with, one simple query. */
const char *pg_session_sql(void);

/* Runs a query with text parameters; NULL and an error unless it gave PGRES_TUPLES_OK or
 * PGRES_COMMAND_OK. */
PGresult *pg_query(PGconn *c, struct error *e, const char *sql, int n, const char *const *values);
int pg_run(PGconn *c, struct error *e, const char *sql); /* simple query, may be several */
int pg_runf(PGconn *c, struct error *e, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* While COPY sends rows: does the server have something to say? libpq does not look for an error
 * then; bytes that wait to be read are one. */
bool pg_speaks(PGconn *c);

/* Frees a result at the end of the scope. */
void pg_result_done(PGresult **r);
#define AUTO_RESULT __attribute__((cleanup(pg_result_done))) PGresult *
void pg_conn_done(PGconn **c);
#define AUTO_CONN __attribute__((cleanup(pg_conn_done))) PGconn *

/* Values of a result: "" and false for NULL, and for a row that is not there. */
const char *pg_text(const PGresult *r, int row, int column);
bool pg_true(const PGresult *r, int row, int column);

/*
 * Fills `e` from a failed result (or from the connection when `r` is NULL), with the class that
 * its SQLSTATE means (PostgreSQL, Appendix A). Values of rows that servers quote in messages of
 * classes 22 and 23 are cut out, passwords too. Returns -1.
 */
int pg_error(struct error *e, PGconn *c, const PGresult *r, const char *doing);
enum error_class pg_error_class(const char *sqlstate);

/* SQL text. */
void pg_ident(struct buf *out, const char *name);
void pg_literal(struct buf *out, const char *text); /* standard_conforming_strings = on */
void pg_table(struct buf *out, const char *schema, const char *name);
