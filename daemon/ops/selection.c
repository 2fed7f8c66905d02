#include "ops/selection.h"
#include "base/memory.h"
#include "model/pattern.h"
#include "ops/nearest.h"

#include <stdlib.h>
#include <string.h>

void selection_init(struct selection *s, const struct config *c, struct route *r)
{
        *s = (struct selection){.config = c,
                .route = r,
                .include = memory_new(c->tables.include.n + 1),
                .exclude = memory_new(c->tables.exclude.n + 1),
                .table = memory_new(c->table_n + 1)};
}

void selection_done(struct selection *s)
{
        for (unsigned i = 0; i < s->names_n; i++)
                free(s->names[i]);
        free(s->names);
        free(s->include);
        free(s->exclude);
        free(s->table);
}

bool selection_see(struct selection *s, const char *schema, const char *name)
{
        const struct config *c = s->config;

        for (unsigned i = 0; i < c->tables.include.n; i++)
                s->include[i] |= pattern_matches(c->tables.include.items[i], schema, name);
        for (unsigned i = 0; i < c->tables.exclude.n; i++)
                s->exclude[i] |= pattern_matches(c->tables.exclude.items[i], schema, name);
        for (unsigned i = 0; i < c->table_n; i++)
                s->table[i] |=
                        !strcmp(c->table[i].schema, schema) && !strcmp(c->table[i].name, name);
        if (s->names_n == s->room) {
                s->room = s->room ? s->room * 2 : 64;
                s->names = memory_grow(s->names, s->room * sizeof *s->names);
        }
        s->names[s->names_n++] = memory_printf("%s.%s", schema, name);
        return route_find(s->route, schema, name) != NULL;
}

static int unmatched(
        const struct selection *s, const char *what, const char *text, int line, struct error *e)
{
        const char *near = nearest_of(text, (const char *const *)s->names, s->names_n);

        return error_set(e, ERROR_CONFIG, "%s:%d: %s '%s' matches no table of the source%s%s%s",
                s->config->path, line, what, text, near ? " (did you mean '" : "", near ? near : "",
                near ? "'?)" : "");
}

int selection_check(const struct selection *s, struct error *e)
{
        const struct config *c = s->config;
        int line = config_line(c, "tables", "include");

        for (unsigned i = 0; line > 0 && i < c->tables.include.n; i++)
                if (!s->include[i])
                        return unmatched(s, "tables.include", c->tables.include.items[i], line, e);
        line = config_line(c, "tables", "exclude");
        for (unsigned i = 0; line > 0 && i < c->tables.exclude.n; i++)
                if (!s->exclude[i])
                        return unmatched(s, "tables.exclude", c->tables.exclude.items[i], line, e);
        for (unsigned i = 0; i < c->table_n; i++) {
                AUTO_STRING name = memory_printf("%s.%s", c->table[i].schema, c->table[i].name);

                if (!s->table[i])
                        return unmatched(s, "[table]", name, c->table[i].line, e);
        }
        return 0;
}
