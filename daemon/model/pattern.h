#pragma once
/*
 * Patterns: `schema.table` with * and ?, case-sensitive, parts quoted as in SQL ("a.b".c) where
 * needed; comma-separated in the configuration. Pure functions, any thread.
 */
#include "base/error.h"

#include <stdbool.h>

/* Splits "schema.table" (or `"Odd.Name".t`) into its two parts, unquoted; the caller frees both.
 * In a quoted part * and ? are themselves: they are kept apart by a backslash in the result. */
int pattern_split(const char *text, char **schema, char **name, struct error *e);
/* Is `text` free of unquoted wildcards? */
bool pattern_is_plain(const char *text);
/* `pattern` is a whole pattern as written in the configuration. */
bool pattern_matches(const char *pattern, const char *schema, const char *name);

/* Plain names, unquoted: "table" (schema NULL) or "schema.table"; wildcards outside of quotes are
 * an error. Up to 255 bytes each; the caller frees both. Without `schema`, a dot is an error. */
int pattern_name(const char *text, char **schema, char **name, struct error *e);
/* Splits at the commas outside of double quotes into trimmed items as written; an empty item is an
 * error, an empty text is none. The caller frees the items and their array. */
int pattern_list(const char *text, char ***items, unsigned *n, struct error *e);
