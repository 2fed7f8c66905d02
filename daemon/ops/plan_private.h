#pragma once
/*
 * What the plan's finders (plan.c between two PostgreSQL servers, move_plan.c else) hand to
 * plan_print.c. Everything in a view is borrowed but what its comments say.
 */
#include "db/pg_check.h"
#include "model/config.h"
#include "ops/plan.h"

#include <stdio.h>

struct plan_table {
        char *source, *target; /* "schema.name"; owned */
        double rows;           /* estimate; -1: unknown */
        uint64_t bytes;
        const char *identity; /* for people */
        bool usable_identity, create;
        bool partitioned;
        unsigned partitions;
};

struct plan_lines {
        char **items; /* owned */
        unsigned n;
};

struct plan_end {
        const char *kind, *title; /* "mariadb", "MariaDB" */
        char version[32];         /* "": none */
};

struct plan_view {
        const char *pipeline;
        bool begun; /* the target has this pipeline's checkpoint */
        struct plan_end source, target;
        struct plan_table *tables; /* owned */
        unsigned n;
        struct plan_lines columns, made, left; /* columns: what becomes of them */
        const struct checks *checks;
};

void plan_print(const struct plan_view *v, FILE *out);
void plan_print_json(const struct plan_view *v, FILE *out);
void plan_print_statements(const struct plan_view *v, FILE *out); /* `made` as a script */
void plan_view_done(struct plan_view *v);
void plan_line(struct plan_lines *l, char *line); /* takes it */

/* Any other pair of ends. Takes `c`, which has no problems. */
int move_plan_run(enum plan_kind kind, struct config *c, bool json, FILE *out, FILE *err);
