/* DDL and statements that a source logs as text. */
#include "flow/route_private.h"

#include <stdio.h>
#include <string.h>

static const struct expected *any_of_schema(const struct route *r, const char *schema)
{
        for (unsigned i = 0; i < BUCKETS; i++)
                for (struct expected *x = r->expected[i]; x; x = x->next_entry)
                        if (!x->shape->id && !strcmp(x->shape->schema, schema))
                                return x;
        return NULL;
}

/* Those that have an id are elsewhere. */
static const struct expected *find_named(
        const struct route *r, const char *schema, const char *name)
{
        for (struct expected *x = r->expected[route_bucket(schema, name)]; x; x = x->next_entry)
                if (!x->shape->id && route_is_named(x, schema, name))
                        return x;
        for (unsigned i = 0; r->ids && i < BUCKETS; i++)
                for (struct expected *x = r->expected[i]; x; x = x->next_entry)
                        if (route_is_named(x, schema, name))
                                return x;
        return NULL;
}

const struct relation *route_known(
        const struct route *r, const char *schema, const char *name, unsigned which)
{
        const struct expected *x = *name ? find_named(r, schema, name) : any_of_schema(r, schema);

        return !x ? NULL : which == 0 ? x->shape : which == 1 ? x->next : NULL;
}

void route_accept_statements(struct route *r, struct position until)
{
        r->accepted = position_max(r->accepted, until);
}

void route_forget_statements(struct route *r)
{
        r->accepted = POSITION_NONE;
}

void route_doubt(
        struct route *r, const char *schema, const char *name, const struct route_doubt *doubt)
{
        struct route_table *t = route_table_of(r, schema, name);

        if (!t)
                return;
        t->doubt = *doubt;
        t->doubted = false;
        r->parents_changed = false;
}

/* Was the table altered again before its definition was read, and does it matter? Says so. */
static bool say_doubt(struct route *r, const struct statement *s, struct error *e)
{
        const struct route_table *t = route_table_of(r, s->schema, s->table);
        bool doubtful =
                t && s->kind != STATEMENT_WRITE && position_compare(s->end, t->doubt.read) <= 0;

        if (doubtful && t->doubt.rows && t->doubted)
                error_set(e, ERROR_DATA,
                        "table %s.%s on the source (ddl = stop): it was changed again before its "
                        "definition was read, and the rows in between have no names of columns in "
                        "the log (binlog_row_metadata is not FULL): they may be in the wrong "
                        "columns on the target. Leave the table out ([tables] exclude), restart, "
                        "then take it in again and copy it anew; or compare it, change it alike "
                        "and resume",
                        s->schema, s->table);
        else if (doubtful && t->doubt.keys && r->parents_changed)
                error_set(e, ERROR_DATA,
                        "table %s.%s on the source (ddl = stop): it was changed again before its "
                        "foreign keys were read, and what they did in between to rows of it is "
                        "not in the log and not known: compare the table with the target's and "
                        "mend that, change it alike and resume; or leave it out ([tables] "
                        "exclude), restart, then take it in again and copy it anew",
                        s->schema, s->table);
        else
                return false;
        return true;
}

/* What happened, and what the operator does before `resume`. */
static const struct {
        const char *what, *mend;
} statements[] = {
        [STATEMENT_ALTER] = {"its definition was altered",
                "alter the target alike (a column that was added with a default: old rows there "
                "must "
                "have it, too), then resume goes on with the new definition"},
        [STATEMENT_DROP] = {"it was dropped",
                "drop it on the target, or empty it there if it was made anew; then resume"},
        [STATEMENT_RENAME] = {"it was renamed, or another took its name",
                "do alike on the target, or alter the table there as an online schema change did; "
                "then resume follows the name"},
        [STATEMENT_CREATE] = {"it was made anew",
                "the target's table must be empty and alike; then resume"},
        [STATEMENT_WRITE] = {"rows were changed by a statement that was not logged by row",
                "repeat the statement on the target, then resume goes on behind it"},
};

int route_statement(struct route *r, const struct statement *s, struct error *e)
{
        if (position_compare(s->end, r->accepted) <= 0)
                return 0;
        if (!say_doubt(r, s, e))
                error_set(e, ERROR_DATA, "table %s.%s on the source (ddl = stop): %s; %s",
                        s->schema, s->table, statements[s->kind].what, statements[s->kind].mend);
        snprintf(e->table, sizeof e->table, "%s.%s", s->schema, s->table);
        snprintf(e->code, sizeof e->code, "%s",
                s->kind == STATEMENT_WRITE ? ROUTE_WRITE_CODE : ROUTE_STATEMENT_CODE);
        position_format(s->end, e->position);
        return -1;
}
