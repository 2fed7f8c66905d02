#include "db/pg_check.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SAID 10

void checks_done(struct checks *c)
{
        for (unsigned i = 0; i < c->n; i++) {
                free(c->items[i].text);
                free(c->items[i].mend);
        }
        free(c->items);
        *c = (struct checks){0};
}

void checks_take(struct checks *c, enum check_level level, char *text, char *mend)
{
        c->items = memory_grow(c->items, (c->n + 1) * sizeof *c->items);
        c->items[c->n++] = (struct check){level, text, mend ? mend : memory_string("")};
        c->errors += level == CHECK_ERROR;
}

void checks_add(struct checks *c, enum check_level level, const char *mend, const char *format, ...)
{
        char *text = NULL;
        va_list args;

        va_start(args, format);
        if (vasprintf(&text, format, args) < 0)
                abort();
        va_end(args);
        checks_take(c, level, text, memory_string(mend));
}

const char *check_level_name(enum check_level level)
{
        static const char *const names[] = {"error", "warning", "note", "statement"};

        return names[level];
}

double check_copy_hours(uint64_t bytes)
{
        return (double)bytes / (CHECK_COPY_MIB * 1024.0 * 1024) / 3600;
}

void check_names_add(struct check_names *n, const char *schema, const char *name)
{
        if (n->n < NAMES_SAID)
                buf_printf(&n->text, "%s%s.%s", n->n ? ", " : "", schema, name);
        buf_printf(&n->sql, "%s%s", n->n ? ", " : "", n->prefix ? n->prefix : "");
        pg_table(&n->sql, schema, name);
        n->n++;
}

const char *check_names_said(struct check_names *n)
{
        if (n->n > NAMES_SAID)
                buf_printf(&n->text, " and %u more", n->n - NAMES_SAID);
        return buf_text(&n->text);
}

void check_names_done(struct check_names *n)
{
        buf_done(&n->text);
        buf_done(&n->sql);
        n->n = 0;
}

/* A pooler that gives each transaction another server session breaks locks, SETs and snapshots. */
int pg_check_session(PGconn *c, const char *what, struct checks *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, "select pg_catalog.pg_backend_pid()", 0, NULL);

        if (!r)
                return error_context(e, "%s", what);
        if (atoi(pg_text(r, 0, 0)) != PQbackendPID(c))
                checks_add(out, CHECK_ERROR, NULL,
                        "%s: the connection goes through a pooler (pgbouncer or the like), which "
                        "breaks locks and session settings; connect to the server itself",
                        what);
        return 0;
}
