#pragma once
/*
 * `culvertctl plan -c FILE`: what a start would do, without doing it. Touches nothing.
 */
#include <stdbool.h>
#include <stdio.h>

/* Returns culvertctl's exit status. */
int plan_run(const char *config_path, bool json, FILE *out, FILE *err);
