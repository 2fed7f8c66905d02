#include "ops/pg_names.h"
#include "base/memory.h"
#include "db/pg_array.h"

#include <stdlib.h>
#include <string.h>

#define OBJECTS(catalogue)                                                                         \
        " union all select '" catalogue "'::regclass, oid from " catalogue " where oid >= 16384"

/* Types that are a relation's or an array's come with those. */
#define THERE_SQL                                                                                  \
        "select i.type || ' ' || i.identity from ("                                                \
        " select 'pg_catalog.pg_namespace'::regclass, oid from pg_catalog.pg_namespace"            \
        " union all select 'pg_catalog.pg_extension'::regclass, oid from pg_catalog.pg_extension"  \
        " union all select 'pg_catalog.pg_language'::regclass, oid from pg_catalog.pg_language"    \
        " union all select 'pg_catalog.pg_class'::regclass, oid from pg_catalog.pg_class"          \
        "  where oid >= 16384 and relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I', 'c')"        \
        "  and relnamespace <> 'pg_toast'::regnamespace"                                           \
        " union all select 'pg_catalog.pg_trigger'::regclass, oid from pg_catalog.pg_trigger"      \
        "  where oid >= 16384 and not tgisinternal"                                                \
        " union all select 'pg_catalog.pg_rewrite'::regclass, oid from pg_catalog.pg_rewrite"      \
        "  where oid >= 16384 and rulename <> '_RETURN'" OBJECTS("pg_catalog.pg_type") OBJECTS(    \
                "pg_catalog.pg_proc") OBJECTS("pg_catalog.pg_constraint") OBJECTS("pg_catalog.pg_" \
                                                                                  "attrdef")       \
                OBJECTS("pg_catalog.pg_policy") OBJECTS("pg_catalog.pg_statistic_ext") OBJECTS(    \
                        "pg_catalog.pg_operator") OBJECTS("pg_catalog.pg_opclass") OBJECTS("pg_"   \
                                                                                           "catal" \
                                                                                           "og."   \
                                                                                           "pg_"   \
                                                                                           "opfam" \
                                                                                           "ily")  \
                        OBJECTS("pg_catalog.pg_collation") OBJECTS("pg_catalog.pg_ts_config")      \
                                OBJECTS("pg_catalog.pg_ts_dict") OBJECTS(                          \
                                        "pg_catalog.pg_ts_parser") OBJECTS("pg_catalog.pg_ts_"     \
                                                                           "template")             \
                                        OBJECTS("pg_catalog.pg_cast") " ) o(class, oid), lateral " \
                                                                      "pg_catalog.pg_identify_"    \
                                                                      "object(o."                  \
                                                                      "class, o.oid, 0) i"         \
                                                                      " where i.identity is not "  \
                                                                      "null"                       \
                                                                      " union all select "         \
                                                                      "'attached ' || "            \
                                                                      "child.identity || ' to ' "  \
                                                                      "|| "                        \
                                                                      "parent.identity"            \
                                                                      " from "                     \
                                                                      "pg_catalog.pg_inherits h "  \
                                                                      "join pg_catalog.pg_class "  \
                                                                      "c on "                      \
                                                                      "c.oid = h.inhrelid"         \
                                                                      "  and c.relispartition "    \
                                                                      "and "                       \
                                                                      "c.relkind in ('r', 'p'),"   \
                                                                      " lateral "                  \
                                                                      "pg_catalog.pg_identify_"    \
                                                                      "object('pg_"                \
                                                                      "catalog.pg_class'::"        \
                                                                      "regclass, "                 \
                                                                      "h.inhrelid, 0) child,"      \
                                                                      " lateral "                  \
                                                                      "pg_catalog.pg_identify_"    \
                                                                      "object('pg_"                \
                                                                      "catalog.pg_class'::"        \
                                                                      "regclass, "                 \
                                                                      "h.inhparent, 0) parent"

#define NAMES_SQL                                                                                  \
        "select u.at, i.type || ' ' || i.identity, i.identity, coalesce(c.relispartition, false)"  \
        " from unnest($1::oid[], $2::oid[]) with ordinality u(class, oid, at)"                     \
        " left join pg_catalog.pg_class c on u.class = 1259 and c.oid = u.oid,"                    \
        " lateral pg_catalog.pg_identify_object(u.class, u.oid, 0) i where i.identity is not null"

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

int pg_names_there(PGconn *c, struct pg_names *out, struct error *e)
{
        AUTO_RESULT r = pg_query(c, e, THERE_SQL, 0, NULL);

        if (!r)
                return -1;
        pg_names_done(out);
        out->n = (unsigned)PQntuples(r);
        out->items = memory_new((out->n + 1) * sizeof *out->items);
        for (unsigned i = 0; i < out->n; i++)
                out->items[i] = memory_string(pg_text(r, (int)i, 0));
        qsort(out->items, out->n, sizeof *out->items, compare);
        return 0;
}

bool pg_names_have(const struct pg_names *s, const char *name)
{
        return s->n && bsearch(&name, s->items, s->n, sizeof *s->items, compare);
}

void pg_names_done(struct pg_names *s)
{
        for (unsigned i = 0; i < s->n; i++)
                free(s->items[i]);
        free(s->items);
        *s = (struct pg_names){0};
}

int pg_names_of(PGconn *c, struct pg_name *names, unsigned n, struct error *e)
{
        AUTO_BUF classes = BUF_INIT, oids = BUF_INIT;
        PGresult *r;

        for (unsigned i = 0; i < n; i++) {
                pg_array_number(&classes, names[i].class);
                pg_array_number(&oids, names[i].oid);
        }
        r = pg_query(c, e, NAMES_SQL, 2,
                (const char *[]){pg_array_close(&classes), pg_array_close(&oids)});
        if (!r)
                return -1;
        for (int row = 0; row < PQntuples(r); row++) {
                struct pg_name *x = &names[strtoul(pg_text(r, row, 0), NULL, 10) - 1];

                x->name = memory_string(pg_text(r, row, 1));
                x->identity = memory_string(pg_text(r, row, 2));
                x->partition = pg_true(r, row, 3);
        }
        PQclear(r);
        return 0;
}
