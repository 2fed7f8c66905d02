#pragma once
/*
 * Numbers as text: taken apart without rounding, so that "does it fit" needs no arithmetic.
 * Pure; any thread.
 */
#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "-0012.3400e5": `whole` "12" and `part` "34" (without the zeros that say nothing), exponent 5. */
struct number {
        bool negative;
        const char *whole, *part;
        size_t whole_n, part_n;
        int exponent;
};

/* [-]digits[.digits][e[+-]digits], or .digits; false: anything else, also NaN and infinities. */
bool number_parse(const char *text, size_t len, struct number *n);
bool number_is_zero(const struct number *n);
/* Works the exponent into the digits, which then live in the arena. False: hundreds of digits. */
bool number_expand(struct number *n, struct arena *a);
/* Its plain text, in the arena. The exponent must be 0. */
char *number_text(const struct number *n, struct arena *a, size_t *len);
/* A whole number without exponent that fits 64 bits; negative ones by their size. */
bool number_u64(const struct number *n, uint64_t *size);

/* The shortest text that reads back to the same number: 17 and 9 digits at most. */
#define NUMBER_MAX 40
int number_of_double(char out[NUMBER_MAX], double d);
int number_of_float(char out[NUMBER_MAX], float f);
/* Does this number, written as shortly as a double allows, keep all of its digits? */
bool number_survives_double(const struct number *n, const char *text);
bool number_survives_float(const struct number *n, const char *text);
