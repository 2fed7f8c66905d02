#pragma once
/*
 * Loading rows into a table of a MySQL-family target, in one transaction that proves the epoch.
 *
 * Where the server lets us, rows go by LOAD DATA LOCAL from memory. LOCAL makes warnings of errors:
 * a row that does not fit is cut, one that is there already is left out. So each load must end
 * without a warning and with as many rows as were sent, else it is rolled back to its savepoint,
 * and its rows go as all do where the server does not let us: by plain INSERTs of many rows under
 * strict mode, which refuse what does not fit and say which row (HAZARDS A12).
 *
 * Blocking; a loader belongs to one thread.
 */
#include "db/my.h"
#include "model/txn.h"
#include "ops/halt.h"

struct loader;

/* Whose transactions; what it names is borrowed. */
struct my_loader_setup {
        struct halt *halt; /* that knows the connection */
        const char *pipeline;
        uint64_t epoch, packet; /* max_allowed_packet */
        bool infile;            /* LOAD DATA LOCAL is allowed, by both sides */
};

/* Takes the connection, whose session is set. */
struct loader *my_loader_new(MYSQL *c, const struct my_loader_setup *setup);
struct loader *my_loader_free(struct loader *l); /* closes it; takes NULL */

/* As the functions of these names in ops/destination.h. */
int my_loader_load(struct loader *l, const struct relation *target, struct error *e);
int my_loader_row(struct loader *l, const struct value *row, struct error *e);
int my_loader_may_set_aside(struct loader *l, const struct relation *target, struct error *e);
int my_loader_set_aside(
        struct loader *l, const struct change *c, struct position at, struct error *e);
uint64_t my_loader_refused(const struct loader *l);
int my_loader_loaded(struct loader *l, const char *schema, const char *name, const char *state,
        uint64_t rows, struct position at, struct error *e);
