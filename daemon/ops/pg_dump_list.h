#pragma once
/*
 * The table of contents of a pg_dump archive, as `pg_restore --list --verbose` prints it:
 *
 *   3393; 0 0 TABLE ATTACH app root_eu postgres
 *   ;	depends on: 228 227
 *
 * that is: dump id; catalogue's oid, object's oid, kind, schema ("-": none), name and owner. Names
 * may have spaces, so nothing here splits them: objects are known by their oids, and those without
 * (0) by the entries that they depend on. Pure; any thread.
 */
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum pg_dump_phase {
        DUMP_NEVER, /* not carried, or not ours to carry */
        DUMP_PRE,   /* before the load */
        DUMP_POST,  /* after it: indexes, constraints */
        DUMP_LAST,  /* after those: triggers, rules, policies */
        DUMP_WITH   /* a comment: goes with what it depends on */
};

struct pg_dump_kind {
        const char *name;
        enum pg_dump_phase phase;
        bool part; /* part of a table or of another object: not listed by itself when left behind */
};

struct pg_dump_entry {
        uint32_t id, class, oid;
        const struct pg_dump_kind *kind; /* name "" when unknown */
        char *rest;                      /* schema, name and owner as printed */
        uint32_t *needs;                 /* ids of entries, unsorted, with repeats */
        unsigned needs_n;
};

struct pg_dump_list {
        struct pg_dump_entry *items; /* in the archive's order */
        unsigned n;
        uint32_t *by_id; /* indexes into items, by id */
};

/* NULL: a line that is none of a list's. */
struct pg_dump_list *pg_dump_list_parse(const char *text, struct error *e);
struct pg_dump_list *pg_dump_list_free(struct pg_dump_list *l);
const struct pg_dump_entry *pg_dump_list_find(const struct pg_dump_list *l, uint32_t id);
