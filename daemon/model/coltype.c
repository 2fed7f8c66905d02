#include "model/coltype.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void members_free(struct coltype *t)
{
        for (unsigned i = 0; i < t->members_n; i++)
                free(t->members[i]);
        free(t->members);
        t->members = NULL;
        t->members_n = 0;
}

struct coltype *coltype_free(struct coltype *t)
{
        if (!t)
                return NULL;
        members_free(t);
        free(t->native);
        free(t);
        return NULL;
}

static char **members_copy(char *const *members, unsigned n)
{
        char **copy = memory_new(n * sizeof *copy);

        for (unsigned i = 0; i < n; i++)
                copy[i] = memory_string(members[i]);
        return copy;
}

struct coltype *coltype_copy(const struct coltype *t)
{
        struct coltype *copy = memory_copy(t, sizeof *t);

        copy->native = memory_string(t->native);
        copy->members = members_copy(t->members, t->members_n);
        return copy;
}

void coltype_set_members(struct coltype *t, char *const *members, unsigned n)
{
        members_free(t);
        t->class = TYPE_ENUM;
        t->members = members_copy(members, n);
        t->members_n = n;
}

bool coltype_has_member(const struct coltype *t, const char *text, size_t len)
{
        for (unsigned i = 0; i < t->members_n; i++)
                if (strlen(t->members[i]) == len && !memcmp(t->members[i], text, len))
                        return true;
        return t->members_n == 0;
}

unsigned coltype_empty_member(const struct coltype *t)
{
        for (unsigned i = 0; t->class == TYPE_ENUM && i < t->members_n; i++)
                if (!*t->members[i])
                        return i + 1;
        return 0;
}

bool coltype_is_enum_error(const struct coltype *t, const char *text, size_t len)
{
        if (t->class != TYPE_ENUM || t->engine == ENGINE_POSTGRESQL || len > 1)
                return false;
        return coltype_empty_member(t) ? len == 1 && *text == '\0' : len == 0 && t->members_n > 0;
}

bool coltype_is_bytes(const struct coltype *t)
{
        switch (t->class) {
        case TYPE_BINARY:
        case TYPE_VARBINARY:
        case TYPE_BLOB:
        case TYPE_GEOMETRY:
                return true;
        case TYPE_BIT:
                return t->engine != ENGINE_POSTGRESQL;
        default:
                return coltype_is_vector(t);
        }
}

/* The only type of the family that is known by its text alone. */
bool coltype_is_vector(const struct coltype *t)
{
        return t->class == TYPE_OTHER && t->engine != ENGINE_POSTGRESQL;
}

bool coltype_is_number(const struct coltype *t)
{
        switch (t->class) {
        case TYPE_INTEGER:
        case TYPE_DECIMAL:
        case TYPE_FLOAT:
        case TYPE_DOUBLE:
        case TYPE_YEAR:
                return true;
        default:
                return false;
        }
}
