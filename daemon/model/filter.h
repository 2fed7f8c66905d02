#pragma once
/*
 * Row filters, `where = created_at >= '2020-01-01' and state in ('open', 'paid')`:
 * conditions joined by AND; `column operator literal` with = <> != < <= > >=, `column [NOT] IN
 * (...)`, `column IS [NOT] NULL`. Evaluated by culvert alike in copy, stream and verification.
 *
 * Comparison is by the column's class: numbers exactly as decimals, text and everything else by
 * bytes; dates and times are read in PostgreSQL's ISO form (BC, infinity, more than four digits of
 * the year), where what has no offset is UTC. A value that its class cannot read compares by bytes.
 * NULL makes a comparison false, NOT IN too. Names are case-sensitive and quoted as in SQL where
 * needed; literals are 'strings' with '' inside, numbers, TRUE and FALSE.
 *
 * A filter is immutable after parsing; any thread may evaluate it.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum filter_class {
        FILTER_TEXT,
        FILTER_NUMBER,
        FILTER_BOOL,
        FILTER_TIME,  /* date, timestamp, time, with or without time zone */
        FILTER_PADDED /* char(n): spaces at the end do not count */
};

/* One column's value as the filter sees it. */
struct filter_value {
        bool null;
        const char *text;
        size_t len;
};

struct filter;

struct filter *filter_parse(const char *text, struct error *e); /* NULL: error names the place */
struct filter *filter_free(struct filter *f);

/* Columns that the filter uses, in the order of first use. */
unsigned filter_columns(const struct filter *f);
const char *filter_column(const struct filter *f, unsigned i);

/* Says how column i compares and checks its literals against that class. */
int filter_bind(struct filter *f, unsigned i, enum filter_class class, struct error *e);

/* `values[i]` belongs to filter_column(f, i). */
bool filter_passes(const struct filter *f, const struct filter_value *values);
