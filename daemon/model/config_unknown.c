#include "model/config_private.h"
#include "base/memory.h"

#include <string.h>

#define NEAR_MAX 64

static unsigned least(unsigned a, unsigned b)
{
        return a < b ? a : b;
}

/* Levenshtein's distance. */
static unsigned distance(const char *a, const char *b)
{
        unsigned row[NEAR_MAX + 1];
        size_t m = strlen(a), n = strlen(b);

        if (m > NEAR_MAX || n > NEAR_MAX)
                return NEAR_MAX;
        for (unsigned j = 0; j <= n; j++)
                row[j] = j;
        for (unsigned i = 1; i <= m; i++) {
                unsigned corner = row[0];

                row[0] = i;
                for (unsigned j = 1; j <= n; j++) {
                        unsigned change = corner + (a[i - 1] != b[j - 1]);

                        corner = row[j];
                        row[j] = least(change, least(row[j], row[j - 1]) + 1);
                }
        }
        return row[n];
}

/* Is `known` nearer to the name than what was found before, and near at all? */
static bool is_nearer(const char *name, const char *known, unsigned *best)
{
        unsigned d = distance(name, known);

        if (d >= *best || d > strlen(known) / 2 + 1)
                return false;
        *best = d;
        return true;
}

bool config_may_show(const char *name)
{
        return strlen(name) <= NEAR_MAX && !name[strcspn(name, ":@/?&%='")];
}

/* [table public.orders] is found by its first word. */
static char *first_word(const char *s)
{
        return memory_printf("%.*s", (int)strcspn(s, " \t"), s);
}

void config_unknown_section(struct config *c, int line, const char *name)
{
        AUTO_STRING word = first_word(name);
        const char *best = NULL;
        unsigned best_at = NEAR_MAX;

        for (const struct option *o = config_options; o->section; o++) {
                AUTO_STRING known = first_word(o->section);

                if (!strchr(o->section, ' ') == !strchr(name, ' ') &&
                        is_nearer(word, known, &best_at))
                        best = o->section;
        }
        if (!config_may_show(name))
                config_complain(c, line, "unknown section");
        else if (best)
                config_complain(c, line, "unknown section [%s]; did you mean [%s]?", name, best);
        else
                config_complain(c, line, "unknown section [%s]", name);
}

void config_unknown_key(struct config *c, int line, const char *section, const char *key)
{
        const char *kind = strncmp(section, "table ", 6) ? section : "table SCHEMA.TABLE";
        const char *best = NULL, *other = NULL;
        unsigned best_at = NEAR_MAX;

        for (const struct option *o = config_options; o->section; o++) {
                if (!strcmp(o->section, kind) && is_nearer(key, o->key, &best_at))
                        best = o->key;
                else if (!strcmp(o->key, key))
                        other = o->section;
        }
        if (!config_may_show(key))
                config_complain(c, line, "unknown key in [%s]", section);
        else if (other)
                config_complain(c, line, "unknown key '%s' in [%s]; it belongs in [%s]", key,
                        section, other);
        else if (best)
                config_complain(c, line, "unknown key '%s' in [%s]; did you mean '%s'?", key,
                        section, best);
        else
                config_complain(c, line, "unknown key '%s' in [%s]", key, section);
}
