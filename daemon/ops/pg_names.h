#pragma once
/*
 * What objects are called, the same on every server: pg_identify_object's type and identity, as
 * one text ("table constraint b_pkey on app.b"). Used to see what the target has already. Blocking,
 * worker threads.
 */
#include "db/pg.h"

/* A sorted set of names. */
struct pg_names {
        char **items;
        unsigned n;
};

/* All that users made in the database, and one "attached CHILD to PARENT" for each partition. */
int pg_names_there(PGconn *c, struct pg_names *out, struct error *e);
bool pg_names_have(const struct pg_names *s, const char *name);
void pg_names_done(struct pg_names *s);

/* Names of the given catalogue oid pairs, in the same order; NULL for one that is gone. `identity`
 * gets the part behind the type. The caller frees the strings. */
struct pg_name {
        uint32_t class, oid;
        char *name, *identity;
        bool partition; /* a table that is part of another */
};
int pg_names_of(PGconn *c, struct pg_name *names, unsigned n, struct error *e);
