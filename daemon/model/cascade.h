#pragma once
/*
 * Cascades: the foreign keys of the migrated tables by which the source's engine changes rows
 * without logging it (ON DELETE and ON UPDATE CASCADE and SET NULL in InnoDB, HAZARDS A14), under
 * the target's names. The log tells the parent's change alone; whoever applies that one sees to the
 * children.
 *
 * One list serves all tables of a target. Shared by reference by the relations that are parents in
 * it; counts are not atomic: loop thread, except before it is shared. Read-only once it is built.
 */
#include "model/txn.h"

enum cascade_rule { RULE_NONE, RULE_CASCADE, RULE_SET_NULL };

struct cascade_key { /* as the target names all of it */
        char *name;  /* the source's */
        char *schema, *table, **columns;
        char *to_schema, *to_table, **to_columns;
        unsigned columns_n;
        enum cascade_rule on_delete, on_update;
};

struct cascades {
        unsigned references;
        struct cascade_key *keys;
        unsigned n;
};

struct cascades *cascades_new(void);
struct cascades *cascades_ref(const struct cascades *c);   /* takes NULL */
struct cascades *cascades_unref(const struct cascades *c); /* takes NULL, returns NULL */

/* A key with room for `n` columns, to be filled in by the caller. */
struct cascade_key *cascades_add(struct cascades *c, unsigned n);

/* RULE_NONE where the engine itself does nothing. */
enum cascade_rule cascade_rule_of(const char *text);
enum cascade_rule cascade_rule_for(const struct cascade_key *k, enum change_op op);

bool cascade_is_to(const struct cascade_key *k, const char *schema, const char *table);
bool cascade_is_from(const struct cascade_key *k, const char *schema, const char *table);
/* Does any key refer to this table? */
bool cascades_have_parent(const struct cascades *c, const char *schema, const char *table);

/* Does any key change rows of this table, or of others by its rows? */
bool cascades_touch(const struct cascades *c, const char *schema, const char *table);

/* Did the source's engine follow this key (one of `c->relation`'s) for the change? For an update:
 * the columns that it refers to are not what they were. An old value that is not in the log counts
 * as another one. */
bool cascade_fires(const struct cascade_key *k, const struct change *c);
/* Any key of the change's relation. */
bool cascades_fire(const struct change *c);
