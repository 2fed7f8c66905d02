#pragma once
/*
 * The tables and foreign keys that one segment has defined, by number: private to the reading of
 * records (record_read.c). What the segment before defined in the same way is the same object.
 */
#include "base/error.h"
#include "model/relation.h"

struct Culvert__Cascades;
struct Culvert__Relation;
struct known_shape;
struct known_cascades;

/* Number 1 is the first. */
struct known {
        struct known_shape *relations;
        struct known_cascades *cascades;
        uint32_t relations_n, cascades_n;
        size_t relations_room, cascades_room;
};

void known_done(struct known *k);
const struct relation *known_relation(const struct known *k, uint32_t number); /* or NULL */
/* Changes the message. */
int known_take_cascades(struct known *now, const struct known *before, struct Culvert__Cascades *m,
        struct error *e);
int known_take_relation(struct known *now, const struct known *before, struct Culvert__Relation *m,
        struct error *e);

/* -1. */
int record_damaged(struct error *e, const char *what);
