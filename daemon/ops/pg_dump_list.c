#include "ops/pg_dump_list.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEPENDS ";\tdepends on:"

/* pg_dump.c, the descriptions given to ArchiveEntry. A longer name comes before its beginning. */
static const struct pg_dump_kind KINDS[] = {
        {"ACCESS METHOD", DUMP_NEVER, false},
        {"AGGREGATE", DUMP_PRE, false},
        {"BLOB", DUMP_NEVER, true},
        {"CAST", DUMP_PRE, false},
        {"CHECK CONSTRAINT", DUMP_POST, true},
        {"COLLATION", DUMP_PRE, false},
        {"COMMENT", DUMP_WITH, true},
        {"CONSTRAINT", DUMP_POST, true},
        {"CONVERSION", DUMP_NEVER, false},
        {"DATABASE PROPERTIES", DUMP_NEVER, true},
        {"DATABASE", DUMP_NEVER, true},
        {"DEFAULT ACL", DUMP_NEVER, true},
        {"DEFAULT", DUMP_PRE, true},
        {"DOMAIN", DUMP_PRE, false},
        {"ENCODING", DUMP_NEVER, true},
        {"EVENT TRIGGER", DUMP_NEVER, false},
        {"EXTENSION", DUMP_PRE, false},
        {"FK CONSTRAINT", DUMP_POST, true},
        {"FOREIGN DATA WRAPPER", DUMP_NEVER, false},
        {"FOREIGN TABLE", DUMP_NEVER, false},
        {"FUNCTION", DUMP_PRE, false},
        {"INDEX ATTACH", DUMP_POST, true},
        {"INDEX", DUMP_POST, true},
        {"MATERIALIZED VIEW", DUMP_NEVER, false},
        {"OPERATOR CLASS", DUMP_PRE, false},
        {"OPERATOR FAMILY", DUMP_PRE, false},
        {"OPERATOR", DUMP_PRE, false},
        {"POLICY", DUMP_LAST, true},
        {"PROCEDURAL LANGUAGE", DUMP_PRE, false},
        {"PROCEDURE", DUMP_PRE, false},
        {"ROW SECURITY", DUMP_LAST, true},
        {"RULE", DUMP_LAST, true},
        {"SCHEMA", DUMP_PRE, true},
        {"SEARCHPATH", DUMP_NEVER, true},
        {"SEQUENCE OWNED BY", DUMP_PRE, true},
        {"SEQUENCE", DUMP_PRE, false},
        {"SERVER", DUMP_NEVER, false},
        {"SHELL TYPE", DUMP_NEVER, true},
        {"STATISTICS", DUMP_POST, true},
        {"STDSTRINGS", DUMP_NEVER, true},
        {"TABLE ATTACH", DUMP_PRE, true},
        {"TABLE", DUMP_PRE, false},
        {"TEXT SEARCH CONFIGURATION", DUMP_PRE, false},
        {"TEXT SEARCH DICTIONARY", DUMP_PRE, false},
        {"TEXT SEARCH PARSER", DUMP_PRE, false},
        {"TEXT SEARCH TEMPLATE", DUMP_PRE, false},
        {"TRANSFORM", DUMP_NEVER, false},
        {"TRIGGER", DUMP_LAST, true},
        {"TYPE", DUMP_PRE, false},
        {"USER MAPPING", DUMP_NEVER, true},
        {"VIEW", DUMP_NEVER, false},
};

static const struct pg_dump_kind UNKNOWN = {"", DUMP_NEVER, false};

static const struct pg_dump_kind *kind_of(const char *line)
{
        for (unsigned i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
                size_t len = strlen(KINDS[i].name);

                if (!strncmp(line, KINDS[i].name, len) && line[len] == ' ')
                        return &KINDS[i];
        }
        return &UNKNOWN;
}

/* A decimal number below 2^32 and the character behind it. */
static bool take_number(const char **at, char end, uint32_t *value)
{
        uint64_t v = 0;
        const char *p = *at;

        if (!isdigit((unsigned char)*p))
                return false;
        for (; isdigit((unsigned char)*p); p++)
                if ((v = v * 10 + (uint64_t)(*p - '0')) > UINT32_MAX)
                        return false;
        if (*p != end)
                return false;
        *at = end ? p + 1 : p;
        *value = (uint32_t)v;
        return true;
}

static bool parse_entry(struct pg_dump_list *l, const char *line)
{
        struct pg_dump_entry i = {0};

        if (!take_number(&line, ';', &i.id) || *line++ != ' ' ||
                !take_number(&line, ' ', &i.class) || !take_number(&line, ' ', &i.oid))
                return false;
        i.kind = kind_of(line);
        line += strlen(i.kind->name);
        i.rest = memory_string(line + (*line == ' '));
        if ((l->n & (l->n - 1)) == 0)
                l->items = memory_grow(l->items, (l->n ? l->n * 2 : 1) * sizeof *l->items);
        l->items[l->n++] = i;
        return true;
}

static bool parse_needs(struct pg_dump_list *l, const char *line)
{
        struct pg_dump_entry *i = l->n ? &l->items[l->n - 1] : NULL;

        if (!i)
                return false;
        while (*line == ' ') {
                uint32_t id;

                line++;
                if (!take_number(&line, '\0', &id) && !take_number(&line, ' ', &id))
                        return false;
                if (line[-1] == ' ')
                        line--;
                if ((i->needs_n & (i->needs_n - 1)) == 0)
                        i->needs = memory_grow(
                                i->needs, (i->needs_n ? i->needs_n * 2 : 1) * sizeof *i->needs);
                i->needs[i->needs_n++] = id;
        }
        return *line == '\0';
}

static int compare_ids(const void *a, const void *b, void *list)
{
        const struct pg_dump_list *l = list;
        uint32_t x = l->items[*(const uint32_t *)a].id, y = l->items[*(const uint32_t *)b].id;

        return x < y ? -1 : x > y;
}

static struct pg_dump_list *index_ids(struct pg_dump_list *l)
{
        l->by_id = memory_new((l->n + 1) * sizeof *l->by_id);
        for (uint32_t i = 0; i < l->n; i++)
                l->by_id[i] = i;
        qsort_r(l->by_id, l->n, sizeof *l->by_id, compare_ids, l);
        return l;
}

struct pg_dump_list *pg_dump_list_parse(const char *text, struct error *e)
{
        struct pg_dump_list *l = memory_new_of(struct pg_dump_list);

        while (*text) {
                size_t len = strcspn(text, "\n");
                AUTO_STRING line = memory_printf("%.*s", (int)len, text);
                bool needs = !strncmp(line, DEPENDS, strlen(DEPENDS)), good = true;

                if (needs)
                        good = parse_needs(l, line + strlen(DEPENDS));
                else if (*line && *line != ';')
                        good = parse_entry(l, line);
                if (!good) {
                        error_set(
                                e, ERROR_DATA, "pg_restore --list: a line that is not understood");
                        return pg_dump_list_free(l);
                }
                text += len + (text[len] == '\n');
        }
        return index_ids(l);
}

struct pg_dump_list *pg_dump_list_free(struct pg_dump_list *l)
{
        if (!l)
                return NULL;
        for (unsigned i = 0; i < l->n; i++) {
                free(l->items[i].rest);
                free(l->items[i].needs);
        }
        free(l->items);
        free(l->by_id);
        free(l);
        return NULL;
}

const struct pg_dump_entry *pg_dump_list_find(const struct pg_dump_list *l, uint32_t id)
{
        unsigned low = 0, high = l->n;

        while (low < high) {
                unsigned middle = (low + high) / 2;
                const struct pg_dump_entry *i = &l->items[l->by_id[middle]];

                if (i->id == id)
                        return i;
                if (i->id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}
