#pragma once
/*
 * The known name nearest to a mistyped one, by edit distance. Pure.
 */

/* NULL: none is near enough to be meant. */
const char *nearest_of(const char *text, const char *const *names, unsigned n);
