#pragma once
/*
 * The operator's own queries ([cutover] check.NAME): each is asked on both sides, and the answers
 * have to be the same, row by row in the order in which they come.
 *
 * A query runs alone on a connection of its own, in a transaction that only reads and is rolled
 * back, for so long at most, and may give so many rows. On PostgreSQL it is the query of a cursor,
 * so that it cannot be anything but a SELECT; on the MySQL family one text is one statement, and
 * model/query_text.h has looked at it. Names that it does not qualify are found as in a session of
 * the role (PostgreSQL's search_path), or in the URI's database.
 *
 * Values are compared as text, in one form for what the engines write in different ways, by the
 * type that the side gives the column:
 *
 *   numbers              plain digits, no zeros in front or at the end of the fraction, no
 *                        exponent: 1.50 is 1.5 and 1e2 is 100; NaN and infinities as they are
 *   booleans             1 and 0; BIT of the MySQL family is its number
 *   dates and times      without zeros at the end of the fraction, in UTC and without "+00"
 *   bytes                \x and hex digits
 *   json, jsonb, JSON    by value
 *   all else             to the byte
 *
 * NULL is NULL alone. Columns are compared by their place, not their names.
 *
 * While somebody writes, the target is behind: `await` returns when it has what the source had when
 * it was called. Then the source is asked before and after the target; the target's answer has to
 * be one of the two, and what differs while the source's stands still does so twice in a row, or it
 * is not reported. Behind the fence nobody writes, `await` is NULL, and one look decides.
 *
 * Blocking: any thread but the loop's, with a halt of its caller's that ends it.
 */
#include "model/config.h"
#include "ops/halt.h"

#define CHECK_ROWS_MAX 10000u
#define CHECK_BYTES_MAX ((size_t)4 << 20)
#define CHECK_SECONDS 300 /* of one query, unless the caller has less */

struct check_context {
        const struct config *config;
        struct halt *halt;
        unsigned seconds;                             /* of one query at most; 0: CHECK_SECONDS */
        int (*await)(void *context, struct error *e); /* NULL: nobody writes */
        void *context;
};

enum check_verdict {
        CHECK_EQUAL,
        CHECK_DIFFERS,
        CHECK_MOVING, /* never the same twice while it was looked at: undecided */
        CHECK_FAILED  /* one side has no answer */
};

struct check_result {
        const char *name; /* the configuration's */
        enum check_verdict verdict;
        char *where;           /* it differs: which row or column first; no value is in it */
        char *source, *target; /* and what that is on either side; NULL: nothing is there */
        char *error;           /* it failed, on which side and why */
};

const char *check_verdict_name(enum check_verdict v); /* "equal", "differs", "moving", "failed" */

/* -1: the caller has asked to stop, or a server is away; else the result is there. */
int check_run(const struct check_context *x, const struct config_check *check,
        struct check_result *r, struct error *e);
void check_result_done(struct check_result *r);
