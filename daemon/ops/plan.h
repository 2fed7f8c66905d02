#pragma once
/*
 * culvertctl's commands that look at both databases without a daemon:
 *   plan     what a start would do
 *   assess   the same checks, and what becomes of each column
 *   schema   the statements that make the target's tables; with `apply` they are run
 * All but the last touch nothing.
 */
#include <stdbool.h>
#include <stdio.h>

enum plan_kind { PLAN_PLAN, PLAN_ASSESS, PLAN_SCHEMA, PLAN_APPLY };

/* Returns culvertctl's exit status. */
int plan_run(enum plan_kind kind, const char *config_path, bool json, FILE *out, FILE *err);
