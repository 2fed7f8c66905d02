#pragma once
/*
 * Selection: which of the source's tables the configuration takes, and whether each of its patterns
 * and sections has met one. One pass over the names of all tables. Preparing thread.
 */
#include "flow/route.h"

struct selection {
        const struct config *config;
        struct route *route;
        bool *include, *exclude, *table;
        char **names; /* of all tables there are, for the nearest */
        unsigned names_n, room;
};

void selection_init(struct selection *s, const struct config *c, struct route *r);
void selection_done(struct selection *s);
/* Notes that there is such a table; true when it is selected. */
bool selection_see(struct selection *s, const char *schema, const char *name);
/* A pattern or section that met no table is a CONFIG error with its line and the nearest name. */
int selection_check(const struct selection *s, struct error *e);
