#include "sinks/pg_binding.h"
#include "base/memory.h"
#include "sinks/pg_cascade.h"
#include "sinks/quarantine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 64 /* prepared statements a table; more column sets are parsed each time */

/*
 * One row a column: name, type oid, attgenerated, attidentity, relkind, in a usable primary key
 * (valid, immediate), how two values are compared: 'c' by pg_catalog's =, 'o' by the operator
 * given, 't' as text; whether equal values are always the same bytes. A table without columns: one
 * row of nulls.
 */
const char pg_binding_sql[] =
        "select a.attname, a.atttypid, a.attgenerated, a.attidentity, c.relkind,"
        " coalesce(a.attnum = any (i.indkey), false),"
        " case when b.typnamespace = 'pg_catalog'::regnamespace"
        "        and b.typname not in ('json', 'xml', 'point', 'lseg', 'path', 'box', 'polygon', "
        "'circle', 'line',"
        "          'jsonpath', 'refcursor', 'pg_snapshot', 'txid_snapshot')"
        "        and b.typcategory <> 'A' or b.typtype in ('e', 'r', 'm') then '='"
        "      else (select case when o.oprnamespace = 'pg_catalog'::regnamespace then '=' else "
        "              'operator(' || pg_catalog.quote_ident(n2.nspname) || '.' || o.oprname || "
        "')' end"
        "            from pg_catalog.pg_opclass oc join pg_catalog.pg_amop am on am.amopfamily = "
        "oc.opcfamily"
        "              and am.amoplefttype = oc.opcintype and am.amoprighttype = oc.opcintype"
        "            join pg_catalog.pg_operator o on o.oid = am.amopopr"
        "            join pg_catalog.pg_namespace n2 on n2.oid = o.oprnamespace"
        "            where oc.opcmethod = 403 and oc.opcdefault and am.amopstrategy = 3 and "
        "(oc.opcintype = b.oid"
        "              or b.typcategory = 'A' and oc.opcintype = 'pg_catalog.anyarray'::regtype"
        "                 and exists (select from pg_catalog.pg_opclass eo where eo.opcmethod = 403"
        "                   and eo.opcdefault and eo.opcintype = b.typelem)) limit 1) end,"
        " b.typname in ('bool', 'int2', 'int4', 'int8', 'oid', 'uuid', 'bytea', 'date', "
        "'timestamp',"
        "   'timestamptz', 'time') and b.typnamespace = 'pg_catalog'::regnamespace or b.typtype = "
        "'e'"
        " from pg_catalog.pg_class c"
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
        " left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not "
        "a.attisdropped"
        " left join pg_catalog.pg_type t on t.oid = a.atttypid"
        " left join pg_catalog.pg_type b on b.oid = case when t.typtype = 'd' then (with recursive "
        "d(oid, base) as ("
        "   select t.oid, t.typbasetype union all select x.oid, x.typbasetype from "
        "pg_catalog.pg_type x"
        "   join d on x.oid = d.base where d.base <> 0) select oid from d where base = 0) else "
        "t.oid end"
        " left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary and i.indisvalid"
        "   and i.indimmediate"
        " where n.nspname = $1 and c.relname = $2 order by a.attnum";

struct bound_column {
        Oid type;
        bool written;
        bool always; /* GENERATED ALWAYS AS IDENTITY: inserts override it, updates cannot */
        bool key;
        char *equals;  /* operator, or NULL: compare as text */
        bool bytewise; /* equal means the same bytes */
};

struct variant {
        struct variant *next;
        enum change_op op;
        uint8_t *set; /* an update's columns, one byte each; NULL otherwise */
        bool by_old;  /* the key comes from the old row */
        struct pg_statement statement;
};

struct pg_binding {
        uint64_t generation, serial;
        const struct relation *relation;
        bool partitioned, whole_row; /* whole_row: found by every column, one of equal rows */
        struct variant *variants;
        unsigned named;
        struct pg_cascade *on_delete, *on_update; /* made when they are first needed */
        struct quarantine_table *quarantine;      /* NULL: nothing of it is set aside */
        struct bound_column columns[];
};

static void variant_free(struct variant *v)
{
        free(v->set);
        free(v->statement.name);
        free(v->statement.sql);
        free(v->statement.parameters);
        free(v->statement.types);
        free(v);
}

static void variants_free(struct pg_binding *b)
{
        while (b->variants) {
                struct variant *v = b->variants;

                b->variants = v->next;
                variant_free(v);
        }
}

static void binding_free(void *p)
{
        struct pg_binding *b = p;

        if (!b)
                return;
        variants_free(b);
        pg_cascade_free(b->on_delete);
        pg_cascade_free(b->on_update);
        free(b->quarantine);
        for (uint16_t i = 0; i < b->relation->columns_n; i++)
                free(b->columns[i].equals);
        free(b);
}

struct pg_binding *pg_binding_of(const struct relation *r, uint64_t generation)
{
        struct pg_binding *b = r->binding;

        return b && b->generation == generation ? b : NULL;
}

static int describe_column(
        struct pg_binding *b, const PGresult *d, uint16_t i, bool *primary, struct error *e)
{
        const struct relation *r = b->relation;

        for (int row = 0; row < PQntuples(d); row++) {
                if (strcmp(pg_text(d, row, 0), r->columns[i].name) != 0)
                        continue;
                b->columns[i].type = (Oid)strtoul(pg_text(d, row, 1), NULL, 10);
                b->columns[i].written = *pg_text(d, row, 2) == '\0';
                b->columns[i].always = *pg_text(d, row, 3) == 'a';
                if (!PQgetisnull(d, row, 6))
                        b->columns[i].equals = memory_string(pg_text(d, row, 6));
                b->columns[i].bytewise = pg_true(d, row, 7);
                *primary = pg_true(d, row, 5);
                return 0;
        }
        error_set(e, ERROR_DATA, "column '%s' of %s.%s is not there on the target",
                r->columns[i].name, r->schema, r->name);
        snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
        return -1;
}

/* Under FULL the target's primary key finds the row, if the log has all its columns. */
static void choose_key(struct pg_binding *b, const PGresult *d, const bool *primary)
{
        const struct relation *r = b->relation;
        int wanted = 0, have = 0;

        if (r->identity != IDENTITY_FULL) {
                for (uint16_t i = 0; i < r->columns_n; i++)
                        b->columns[i].key = r->columns[i].key;
                return;
        }
        for (int row = 0; row < PQntuples(d); row++)
                wanted += pg_true(d, row, 5);
        for (uint16_t i = 0; i < r->columns_n; i++)
                have += primary[i];
        b->whole_row = wanted == 0 || have < wanted;
        for (uint16_t i = 0; i < r->columns_n; i++)
                b->columns[i].key = b->whole_row ? b->columns[i].written : primary[i];
}

struct pg_binding *pg_binding_new(const struct relation *r, uint64_t generation, uint64_t serial,
        const PGresult *d, struct error *e)
{
        struct relation *mine = relation_ref(r);
        struct pg_binding *b = memory_new(sizeof *b + r->columns_n * sizeof *b->columns);
        bool *primary = memory_new(r->columns_n * sizeof *primary);

        relation_unref(mine); /* the relation owns the binding, not the reverse */
        if (mine->binding_free)
                mine->binding_free(mine->binding);
        mine->binding = b;
        mine->binding_free = binding_free;
        b->relation = r;
        b->generation = generation;
        b->serial = serial;
        if (PQntuples(d) == 0) {
                error_set(e, ERROR_DATA, "table %s.%s is not there on the target", r->schema,
                        r->name);
                snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
                goto bad;
        }
        b->partitioned = *pg_text(d, 0, 4) == 'p';
        for (uint16_t i = 0; i < r->columns_n; i++)
                if (describe_column(b, d, i, &primary[i], e) < 0)
                        goto bad;
        choose_key(b, d, primary);
        free(primary);
        return b;
bad:
        b->generation = 0; /* never found as bound */
        free(primary);
        return NULL;
}

int pg_binding_set_aside(struct pg_binding *b, enum config_conflict policy, struct error *e)
{
        const struct relation *r = b->relation;
        struct quarantine_table *t = quarantine_table_new(r, policy);
        bool keyed = false;

        for (uint16_t i = 0; i < r->columns_n; i++)
                keyed |= t->key[i] = b->columns[i].key;
        free(b->quarantine);
        b->quarantine = t;
        return keyed && !b->whole_row ? 0 : quarantine_no_key(r, policy, e);
}

const struct quarantine_table *pg_binding_quarantine(const struct pg_binding *b)
{
        return b->quarantine;
}

/* ---- statements ---- */

static void add_parameter(
        struct pg_binding *b, struct pg_statement *s, struct buf *sql, uint16_t column, bool old)
{
        s->parameters[s->n] = (struct pg_parameter){column, old};
        s->types[s->n] = b->columns[column].type;
        buf_printf(sql, "$%d", ++s->n);
}

static void sql_insert(struct pg_binding *b, struct variant *v, struct buf *sql)
{
        const struct relation *r = b->relation;
        const char *comma = "";

        buf_str(sql, "insert into ");
        pg_table(sql, r->schema, r->name);
        buf_str(sql, " (");
        for (uint16_t i = 0; i < r->columns_n; i++)
                if (b->columns[i].written) {
                        buf_str(sql, comma);
                        pg_ident(sql, r->columns[i].name);
                        comma = ", ";
                }
        if (!*comma) {
                buf_clear(sql);
                buf_str(sql, "insert into ");
                pg_table(sql, r->schema, r->name);
                buf_str(sql, " default values");
                return;
        }
        buf_str(sql, ") overriding system value values (");
        comma = "";
        for (uint16_t i = 0; i < r->columns_n; i++)
                if (b->columns[i].written) {
                        buf_str(sql, comma);
                        add_parameter(b, &v->statement, sql, i, false);
                        comma = ", ";
                }
        buf_str(sql, ")");
}

/*
 * column = $n by the type's own equality; as text where it has none. A whole row must be the same
 * to the byte (1.0 is not 1.00), and IS NOT DISTINCT FROM looks "=" up in the search path, which
 * is empty: there, text serves for everything but plain types.
 */
static void sql_match(struct pg_binding *b, struct variant *v, struct buf *sql, uint16_t i)
{
        const struct bound_column *c = &b->columns[i];
        bool plain = c->equals && c->bytewise && !strcmp(c->equals, "=");
        bool text = b->whole_row ? !plain : !c->equals;

        pg_ident(sql, b->relation->columns[i].name);
        if (text)
                buf_str(sql, "::text");
        buf_printf(sql, " %s ", b->whole_row ? "is not distinct from" : text ? "=" : c->equals);
        add_parameter(b, &v->statement, sql, i, v->by_old);
        if (text)
                buf_str(sql, "::text");
}

static void sql_where(struct pg_binding *b, struct variant *v, struct buf *sql)
{
        const char *and = " where ";
        const char *row = b->partitioned ? "(tableoid, ctid)" : "ctid";

        if (b->whole_row) {
                buf_printf(sql, " where %s = (select %s from %s", row,
                        b->partitioned ? "tableoid, ctid" : "ctid", b->partitioned ? "" : "only ");
                pg_table(sql, b->relation->schema, b->relation->name);
        }
        for (uint16_t i = 0; i < b->relation->columns_n; i++) {
                if (!b->columns[i].key)
                        continue;
                buf_str(sql, and);
                sql_match(b, v, sql, i);
                and = " and ";
        }
        if (b->whole_row)
                buf_str(sql, " limit 1)");
}

static void sql_update(struct pg_binding *b, struct variant *v, struct buf *sql)
{
        const struct relation *r = b->relation;
        const char *comma = "";

        buf_printf(sql, "update %s", b->partitioned ? "" : "only ");
        pg_table(sql, r->schema, r->name);
        buf_str(sql, " set ");
        for (uint16_t i = 0; i < r->columns_n; i++) {
                if (!v->set[i] || !b->columns[i].written || b->columns[i].always)
                        continue;
                buf_str(sql, comma);
                pg_ident(sql, r->columns[i].name);
                buf_str(sql, " = ");
                add_parameter(b, &v->statement, sql, i, false);
                comma = ", ";
        }
        if (v->statement.n == 0)
                return;
        sql_where(b, v, sql);
}

static void sql_delete(struct pg_binding *b, struct variant *v, struct buf *sql)
{
        buf_printf(sql, "delete from %s", b->partitioned ? "" : "only ");
        pg_table(sql, b->relation->schema, b->relation->name);
        sql_where(b, v, sql);
}

static bool same_columns(const struct variant *v, const struct change *c)
{
        for (uint16_t i = 0; v->set && i < c->relation->columns_n; i++)
                if (v->set[i] != (c->new[i].kind != VALUE_UNCHANGED))
                        return false;
        return true;
}

static struct variant *find_variant(struct pg_binding *b, const struct change *c)
{
        struct variant *v = b->variants;

        while (v && !(v->op == c->op && v->by_old == (c->old != NULL) && same_columns(v, c)))
                v = v->next;
        return v;
}

/* There is one unnamed statement on a connection, so one variant of it is kept. */
static void drop_unnamed(struct pg_binding *b)
{
        for (struct variant **at = &b->variants; *at; at = &(*at)->next)
                if (!*(*at)->statement.name) {
                        struct variant *v = *at;

                        *at = v->next;
                        variant_free(v);
                        return;
                }
}

static struct variant *new_variant(struct pg_binding *b, const struct change *c)
{
        struct variant *v = memory_new_of(struct variant);
        uint16_t n = b->relation->columns_n;
        AUTO_BUF sql = BUF_INIT;

        if (b->named == NAMED_MAX)
                drop_unnamed(b);
        v->op = c->op;
        v->by_old = c->old != NULL;
        v->statement.parameters = memory_new(2 * n * sizeof *v->statement.parameters);
        v->statement.types = memory_new(2 * n * sizeof *v->statement.types);
        if (c->op == CHANGE_UPDATE) {
                v->set = memory_new(n);
                for (uint16_t i = 0; i < n; i++)
                        v->set[i] = c->new[i].kind != VALUE_UNCHANGED;
        }
        if (c->op == CHANGE_INSERT)
                sql_insert(b, v, &sql);
        else if (c->op == CHANGE_UPDATE)
                sql_update(b, v, &sql);
        else
                sql_delete(b, v, &sql);
        v->statement.sql = buf_take(&sql);
        v->statement.name = b->named < NAMED_MAX
                                    ? memory_printf("c%" PRIu64 "_%u", b->serial, b->named++)
                                    : memory_string("");
        v->next = b->variants;
        b->variants = v;
        return v;
}

static bool same_value(const struct value *a, const struct value *b)
{
        return a->kind == b->kind && a->len == b->len &&
               (a->kind != VALUE_TEXT || !memcmp(a->data, b->data, a->len));
}

/* The source cannot change such a value either, unless it is not GENERATED ALWAYS there. */
static int check_always(const struct pg_binding *b, const struct change *c, struct error *e)
{
        for (uint16_t i = 0; i < c->relation->columns_n; i++)
                if (b->columns[i].always && b->columns[i].key && c->old &&
                        !same_value(&c->old[i], &c->new[i]))
                        return error_set(e, ERROR_DATA,
                                "an update changes column '%s' of %s.%s, which is GENERATED ALWAYS "
                                "on the target: alter table ... alter column ... set generated by "
                                "default",
                                c->relation->columns[i].name, c->relation->schema,
                                c->relation->name);
        return 0;
}

static int check_change(const struct pg_binding *b, const struct change *c, struct error *e)
{
        const struct relation *r = b->relation;
        const struct value *key = c->old ? c->old : c->new;
        bool keyed = false;

        for (uint16_t i = 0; i < r->columns_n; i++) {
                if (c->op == CHANGE_INSERT && c->new[i].kind == VALUE_UNCHANGED)
                        return error_set(e, ERROR_DATA, "insert into %s.%s without column '%s'",
                                r->schema, r->name, r->columns[i].name);
                if (c->op == CHANGE_INSERT || !b->columns[i].key)
                        continue;
                keyed = true;
                if (key[i].kind == VALUE_UNCHANGED)
                        return error_set(e, ERROR_DATA,
                                "the log has no value of key column '%s' of %s.%s",
                                r->columns[i].name, r->schema, r->name);
        }
        if (c->op != CHANGE_INSERT && !keyed && !b->whole_row)
                return error_set(e, ERROR_DATA,
                        "%s.%s has no key by which a row could be found: alter table ... replica "
                        "identity full",
                        r->schema, r->name);
        return c->op == CHANGE_UPDATE ? check_always(b, c, e) : 0;
}

struct pg_statement *pg_binding_statement(
        struct pg_binding *b, const struct change *c, struct error *e)
{
        struct variant *v;

        if (check_change(b, c, e) < 0)
                return NULL;
        v = find_variant(b, c);
        return v ? &v->statement : &new_variant(b, c)->statement;
}

struct pg_cascade *pg_binding_cascade(struct pg_binding *b, enum change_op op, struct error *e)
{
        struct pg_cascade **place = op == CHANGE_DELETE ? &b->on_delete : &b->on_update;

        /* names tell the two apart, as they do bindings of one connection */
        if (!*place)
                *place = pg_cascade_new(b->relation, op, b->serial * 2 + (op == CHANGE_DELETE), e);
        return *place;
}

void pg_statement_values(const struct pg_statement *s, const struct change *c, const char **values)
{
        for (int i = 0; i < s->n; i++) {
                const struct pg_parameter *p = &s->parameters[i];
                const struct value *v = p->old ? &c->old[p->column] : &c->new[p->column];

                values[i] = v->kind == VALUE_TEXT ? v->data : NULL;
        }
}

void pg_binding_truncate(const struct change *c, uint64_t generation, struct buf *sql)
{
        const char *comma = "truncate ";

        for (uint32_t i = 0; i < c->truncated_n; i++) {
                const struct pg_binding *b = pg_binding_of(c->truncated[i], generation);

                buf_str(sql, comma);
                buf_str(sql, b && b->partitioned ? "" : "only ");
                pg_table(sql, c->truncated[i]->schema, c->truncated[i]->name);
                comma = ", ";
        }
        if (c->restart_identity)
                buf_str(sql, " restart identity");
}

void pg_binding_blame(const struct pg_binding *b, const struct change *c, struct error *e)
{
        const struct relation *r = c->relation;
        const struct value *row = c->old ? c->old : c->new;
        AUTO_BUF key = BUF_INIT;

        snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
        for (uint16_t i = 0; row && b && i < r->columns_n; i++)
                if (b->columns[i].key && row[i].kind != VALUE_UNCHANGED)
                        buf_printf(&key, "%s%s=%.60s", key.len ? ", " : "", r->columns[i].name,
                                row[i].kind == VALUE_NULL ? "NULL" : row[i].data);
        snprintf(e->key, sizeof e->key, "%s", buf_text(&key));
}
