#pragma once
/*
 * A query of the operator's, looked at before any server sees it: is it one SELECT that only reads?
 * What this lets through runs in a read-only transaction all the same (ops/checks.h); it is here to
 * say so early, and for what such a transaction does not forbid on the MySQL family: INTO OUTFILE,
 * locks. Pure; any thread.
 */
#include <stdbool.h>

/* NULL: nothing is wrong with it; else what is. `my`: as the MySQL family reads it, with
 * backslashes in quotes and comments that are run. */
const char *query_problem(const char *sql, bool my);
