#pragma once
/*
 * The objects of a PostgreSQL database and what needs what: pg_depend, plus the edges that it
 * stores the other way round (composite types, domains' constraints, operator families). From the
 * wanted tables it works out what can be carried with them and what is held back by a table that
 * is not. Nodes are catalogue oid pairs. Worker threads; belongs to one.
 */
#include "db/pg.h"

enum pg_node_state {
        NODE_IDLE, /* nothing that is carried needs it */
        NODE_CARRIED,
        NODE_THERE /* a relation that the target has under the same name */
};

struct pg_node {
        uint32_t class, oid;
        enum pg_node_state state;
        bool relation;                 /* table, view, foreign table */
        bool wanted;                   /* a table that is to be made, or a partition of one */
        bool member;                   /* belongs to an extension: comes with that */
        bool listed;                   /* for the caller: it is in the archive */
        bool vital;                    /* without it the wanted table cannot be made */
        uint32_t owner;                /* oid of the wanted table that it belongs to, or 0 */
        uint32_t schema;               /* oid, or 0 */
        const struct pg_node *blocked; /* the relation or extension that holds it back */
        unsigned first, last;          /* its edges */
        unsigned first_back, last_back;
};

struct pg_graph;

/* Oids as lists: tables to be made (roots), and relations that are on the target already. */
struct pg_graph *pg_graph_new(
        PGconn *source, const char *make_oids, const char *there_oids, struct error *e);
struct pg_graph *pg_graph_free(struct pg_graph *g);

struct pg_node *pg_graph_find(struct pg_graph *g, uint32_t class, uint32_t oid);
/* Does the sequence belong to a column of a table that is neither made nor there? */
bool pg_graph_owned_elsewhere(struct pg_graph *g, const struct pg_node *sequence);
/* Marks the node and all that it needs as carried; nothing when it is held back. */
void pg_graph_carry(struct pg_graph *g, struct pg_node *n);
/* Nothing that needs `n` will be carried. Only for nodes that are not carried. */
void pg_graph_block(struct pg_graph *g, struct pg_node *n);
/* Does it name something that is carried? */
bool pg_graph_touches(struct pg_graph *g, const struct pg_node *n);
/* Is something carried in this schema? */
bool pg_graph_schema_used(struct pg_graph *g, uint32_t schema);
/* A table or partition to be made that is not `listed`, or NULL. */
const struct pg_node *pg_graph_unlisted(struct pg_graph *g);
/* First vital node that is held back, or NULL: then the tables cannot be made. */
const struct pg_node *pg_graph_impossible(struct pg_graph *g);
