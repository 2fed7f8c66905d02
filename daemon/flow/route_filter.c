/* Filters of a table, bound to the columns of its shape. */
#include "flow/route_private.h"

/* The MySQL family's names; its zero dates are no times, and compare by bytes. */
static enum filter_class class_of_native(const char *native)
{
        struct error ignored = ERROR_INIT;
        struct coltype *t = coltype_my(ENGINE_MARIADB, native, &ignored);
        enum type_class class = t ? t->class : TYPE_OTHER;

        coltype_free(t);
        switch (class) {
        case TYPE_INTEGER:
        case TYPE_DECIMAL:
        case TYPE_FLOAT:
        case TYPE_DOUBLE:
        case TYPE_YEAR:
                return FILTER_NUMBER;
        case TYPE_DATE:
        case TYPE_DATETIME:
        case TYPE_TIMESTAMPTZ:
                return FILTER_TIME;
        default:
                return FILTER_TEXT;
        }
}

/* Built-in types by oid, src/include/catalog/pg_type.dat. */
static enum filter_class class_of(const struct column *c)
{
        if (!c->type) /* PostgreSQL's have names, too, where they were read from a catalogue */
                return class_of_native(c->native ? c->native : "");
        switch (c->type) {
        case 16:
                return FILTER_BOOL;
        case 20:   /* int8 */
        case 21:   /* int2 */
        case 23:   /* int4 */
        case 26:   /* oid */
        case 700:  /* float4 */
        case 701:  /* float8 */
        case 1700: /* numeric */
                return FILTER_NUMBER;
        case 1082: /* date */
        case 1083: /* time */
        case 1114: /* timestamp */
        case 1184: /* timestamptz */
        case 1266: /* timetz */
                return FILTER_TIME;
        case 1042: /* char(n) */
                return FILTER_PADDED;
        default:
                return FILTER_TEXT;
        }
}

int route_filter(const struct route_table *t, const struct relation *source, struct filter **f,
        struct error *e)
{
        *f = NULL;
        if (!t->options || !t->options->where)
                return 0;
        if (!(*f = filter_parse(t->options->where, e)))
                goto bad;
        for (unsigned i = 0; i < filter_columns(*f); i++) {
                int at = relation_column(source, filter_column(*f, i));

                if (at < 0) {
                        route_no_column(t, "where", filter_column(*f, i), e);
                        goto bad;
                }
                if (source->id && !source->columns[at].key) {
                        error_set(e, ERROR_CONFIG,
                                "where uses column '%s', whose old values are not in the log: "
                                "alter table %s.%s replica identity full",
                                filter_column(*f, i), t->source_schema, t->source_name);
                        goto bad;
                }
                if (filter_bind(*f, i, class_of(&source->columns[at]), e) < 0)
                        goto bad;
        }
        return 0;
bad:
        *f = filter_free(*f);
        return error_context(e, "[table %s.%s]", t->source_schema, t->source_name);
}
