#include "model/convert.h"
#include "base/memory.h"
#include "model/convert_private.h"

#include <stdlib.h>
#include <string.h>

static convert_chooser *const choosers[] = {
        [TYPE_OTHER] = convert_to_known_text,
        [TYPE_BOOL] = convert_to_bool,
        [TYPE_INTEGER] = convert_to_integer,
        [TYPE_DECIMAL] = convert_to_decimal,
        [TYPE_FLOAT] = convert_to_float,
        [TYPE_DOUBLE] = convert_to_float,
        [TYPE_BIT] = convert_to_bit,
        [TYPE_CHAR] = convert_to_text,
        [TYPE_VARCHAR] = convert_to_text,
        [TYPE_TEXT] = convert_to_text,
        [TYPE_BINARY] = convert_to_bytes,
        [TYPE_VARBINARY] = convert_to_bytes,
        [TYPE_BLOB] = convert_to_bytes,
        [TYPE_DATE] = convert_to_date,
        [TYPE_TIME] = convert_to_time,
        [TYPE_TIMETZ] = convert_to_known_text,
        [TYPE_DATETIME] = convert_to_datetime,
        [TYPE_TIMESTAMPTZ] = convert_to_timestamptz,
        [TYPE_INTERVAL] = convert_to_interval,
        [TYPE_YEAR] = convert_to_year,
        [TYPE_ENUM] = convert_to_enum,
        [TYPE_SET] = convert_to_set,
        [TYPE_JSON] = convert_to_json,
        [TYPE_JSONB] = convert_to_json,
        [TYPE_UUID] = convert_to_uuid,
        [TYPE_INET4] = convert_to_inet,
        [TYPE_INET6] = convert_to_inet,
        [TYPE_GEOMETRY] = convert_to_geometry,
        [TYPE_ARRAY] = convert_to_array,
};

bool convert_is_pg(const struct coltype *t)
{
        return t->engine == ENGINE_POSTGRESQL;
}

bool convert_is_text(const struct coltype *t)
{
        return t->class == TYPE_CHAR || t->class == TYPE_VARCHAR || t->class == TYPE_TEXT;
}

bool convert_is_numeric(const struct coltype *t)
{
        return coltype_is_number(t) || t->class == TYPE_BOOL || t->class == TYPE_BIT ||
               convert_is_text(t);
}

bool convert_is_named(const struct coltype *t, const char *name)
{
        const char *dot = strrchr(t->native, '.'), *base = dot ? dot + 1 : t->native;
        size_t len = strlen(name);

        return !strncmp(base, name, len) && (base[len] == '\0' || base[len] == '(');
}

int convert_pass(const struct convert *c, struct arena *a, struct value *v, struct error *e)
{
        (void)c;
        (void)a;
        (void)v;
        (void)e;
        return 0;
}

int convert_refuse(const struct convert *c, const char *reason, struct error *e)
{
        return error_set(e, ERROR_DATA, "a value of type %.80s has no place in %.80s: %s",
                c->from->native, c->to->native, reason);
}

void convert_set(struct arena *a, struct value *v, const char *text, size_t len)
{
        v->data = arena_text(a, text, len);
        v->len = (uint32_t)len;
}

static const char *why_not(const struct coltype *from, const struct coltype *to)
{
        if (from->class == TYPE_DATETIME && to->class == TYPE_TIMESTAMPTZ)
                return "; it does not say in which time zone it is";
        return "";
}

int convert_new(const struct coltype *from, const struct coltype *to,
        const struct convert_policy *policy, struct convert **out, struct error *e)
{
        convert_run *run;
        struct convert *c;

        *out = NULL;
        if (from->engine == to->engine && !strcmp(from->native, to->native))
                return 0;
        run = choosers[to->class](from, to, policy);
        if (run == convert_pass)
                return 0;
        if (!run)
                return error_set(e, ERROR_CONFIG, "a column of type %.80s cannot become %.80s%s",
                        from->native, to->native, why_not(from, to));
        c = memory_new_of(struct convert);
        c->run = run;
        c->from = coltype_copy(from);
        c->to = coltype_copy(to);
        c->policy = *policy;
        *out = c;
        return 0;
}

struct convert *convert_free(struct convert *c)
{
        if (!c)
                return NULL;
        coltype_free(c->from);
        coltype_free(c->to);
        free(c);
        return NULL;
}

int convert_value(const struct convert *c, struct arena *a, const struct value *in,
        struct value *out, struct error *e)
{
        *out = *in;
        if (!c || in->kind != VALUE_TEXT)
                return 0;
        return c->run(c, a, out, e);
}
