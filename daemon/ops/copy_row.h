#pragma once
/*
 * A line of COPY's text format, taken apart for row filters. Pure functions; what they point to
 * belongs to the caller's buffer.
 */
#include "base/buf.h"
#include "model/filter.h"

/* A filter of one table and where its columns are in the line. */
struct copy_filter {
        struct filter *filter; /* owned */
        unsigned *at;          /* filter column -> column of the line */
        unsigned n, columns_n; /* columns_n: columns of a whole line */
};

/* What a thread needs to take lines apart; one a thread. */
struct copy_row {
        struct filter_value *columns;
        struct filter_value *values;
        struct buf text;
};

void copy_row_done(struct copy_row *r);

/*
 * Splits a line (with or without its newline) into exactly `n` unescaped values in `r`. -1: the
 * line has another number of columns or ends inside of an escape.
 */
int copy_row_split(struct copy_row *r, const char *line, size_t len, unsigned n);

/* 1: passes; 0: does not; -1: not a line of that many columns. */
int copy_filter_line(const struct copy_filter *f, struct copy_row *r, const char *line, size_t len);
