#pragma once
/*
 * Inside of a filter, private to filter*.c. An operand is one value, read once by its class and
 * compared often; it points into the text that it was read from. Pure, any thread.
 */
#include "model/filter.h"

/* A decimal number: 0.DIGITS times ten to the power `top`, the first digit not 0. */
struct filter_number {
        int rank;           /* -1 -Infinity, 0 a number, 1 Infinity, 2 NaN */
        int sign;           /* -1, 0, 1 */
        const char *digits; /* may hold one '.' */
        size_t len;
        int64_t top;
};

struct filter_time {
        int infinity;    /* -1, 0, 1 */
        bool clock;      /* a time of the day, not a date */
        int64_t day, us; /* since 1970-01-01 UTC; us within the day */
        int zone;        /* seconds west of UTC; orders equal times of the day */
};

struct filter_operand {
        enum filter_class class;
        bool read; /* the class could read it */
        const char *text;
        size_t len;
        union {
                struct filter_number number;
                struct filter_time time;
                bool truth;
        };
};

struct filter_operand filter_operand_of(enum filter_class class, const char *text, size_t len);

/* Two operands of one class; false: they cannot be compared (a time of the day with a date). */
bool filter_compare(const struct filter_operand *a, const struct filter_operand *b, int *order);

enum literal_kind { LITERAL_STRING, LITERAL_NUMBER, LITERAL_BOOL };

struct literal {
        enum literal_kind kind;
        char *text;
        size_t at; /* where it stands in the filter */
        struct filter_operand operand;
};

enum operator{
        OP_EQUAL,
        OP_DIFFERS,
        OP_LESS,
        OP_AT_MOST,
        OP_GREATER,
        OP_AT_LEAST,
        OP_IN,
        OP_NOT_IN,
        OP_IS_NULL,
        OP_NOT_NULL
};

struct condition {
        unsigned column;
        enum operator op;
        unsigned first, n; /* its literals */
};

struct filter {
        char **columns;
        unsigned columns_n;
        struct condition *conditions;
        unsigned conditions_n;
        struct literal *literals;
        unsigned literals_n;
};
