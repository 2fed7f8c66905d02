#pragma once
/* What plan.c finds out and plan_print.c says. */
#include "db/pg_check.h"
#include "flow/route.h"
#include "ops/pg_schema.h"

#include <stdio.h>

struct plan {
        struct config *config;
        struct route *route;
        PGconn *source, *target;
        struct pg_tables *tables;
        bool *missing;            /* per table: not on the target yet */
        bool begun;               /* the target has this pipeline's checkpoint */
        struct pg_schema *schema; /* NULL: nothing is created */
        struct checks checks;
};

void plan_print(const struct plan *p, FILE *out);
void plan_print_json(const struct plan *p, FILE *out);
