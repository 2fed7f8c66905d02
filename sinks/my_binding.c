#include "sinks/my_binding.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of the description. */
enum {
        D_NAME,
        D_TYPE, /* native, model/coltype.h */
        D_NULLABLE,
        D_EXTRA,
        D_GENERATED,
        D_KEY,
        D_TABLE_TYPE,
        D_ENGINE,
        D_TRANSACTIONS,
        D_TRIGGERS,
        D_UNIQUE, /* how many unique indexes the table has */
        D_N
};

static void literal(struct buf *out, const char *text)
{
        my_literal(out, text, strlen(text));
}

static void where_table(
        struct buf *out, const char *schema, const char *table, const struct relation *r)
{
        buf_printf(out, " where %s = ", schema);
        literal(out, r->schema);
        buf_printf(out, " and %s = ", table);
        literal(out, r->name);
}

/* Every part names the table by literals: so servers open that table and no other. */
void my_binding_sql(struct buf *out, const struct relation *r)
{
        buf_str(out, "select c.column_name, concat(c.column_type, case when c.character_set_name "
                     "is null then '' else concat(' charset ', c.character_set_name) end), "
                     "c.is_nullable, c.extra, c.generation_expression, c.column_key, "
                     "(select table_type from information_schema.tables");
        where_table(out, "table_schema", "table_name", r);
        buf_str(out, "), (select engine from information_schema.tables");
        where_table(out, "table_schema", "table_name", r);
        buf_str(out, "), (select e.transactions from information_schema.engines e join "
                     "information_schema.tables t on t.engine = e.engine");
        where_table(out, "t.table_schema", "t.table_name", r);
        buf_str(out, "), (select group_concat(trigger_name order by trigger_name separator ', ') "
                     "from information_schema.triggers");
        where_table(out, "event_object_schema", "event_object_table", r);
        buf_str(out, "), (select count(distinct index_name) from information_schema.statistics");
        where_table(out, "table_schema", "table_name", r);
        buf_str(out, " and non_unique = 0) from information_schema.columns c");
        where_table(out, "c.table_schema", "c.table_name", r);
        buf_str(out, " order by c.ordinal_position");
}

static void binding_free(void *p)
{
        struct my_binding *b = p;

        if (!b)
                return;
        for (uint16_t i = 0; i < b->relation->columns_n; i++) {
                coltype_free(b->columns[i].type);
                free(b->columns[i].quoted);
        }
        for (unsigned i = 0; i < b->others_n; i++)
                free(b->others[i]);
        free(b->others);
        free(b->table);
        free(b->insert);
        free(b->delete);
        free(b->triggers);
        free(b->quarantine);
        free(b);
}

struct my_binding *my_binding_of(const struct relation *r, uint64_t generation)
{
        struct my_binding *b = r->binding;

        return b && b->generation == generation ? b : NULL;
}

static char *quoted(const char *name)
{
        AUTO_BUF out = BUF_INIT;

        my_ident(&out, name);
        return buf_take(&out);
}

static const char *text(const char *field)
{
        return field ? field : "";
}

static bool is_touched(MYSQL_ROW d)
{
        return strcasestr(text(d[D_EXTRA]), "on update") != NULL;
}

/* DEFAULT_GENERATED, MySQL's word for a default that is an expression, is not one of them. */
static bool is_generated(MYSQL_ROW d)
{
        return *text(d[D_GENERATED]) || strcasestr(text(d[D_EXTRA]), "virtual generated") ||
               strcasestr(text(d[D_EXTRA]), "stored generated");
}

static bool is_primary(MYSQL_ROW d)
{
        /* the end of a row's time is in every key of a versioned table */
        return !strcmp(text(d[D_KEY]), "PRI") && strncmp(text(d[D_GENERATED]), "ROW ", 4) != 0;
}

static bool is_base_table(MYSQL_ROW d)
{
        return !strcmp(text(d[D_TABLE_TYPE]), "BASE TABLE") ||
               !strcmp(text(d[D_TABLE_TYPE]), "SYSTEM VERSIONED");
}

/* A table without transactions keeps what is rolled back, and its rows are logged outside of the
 * transaction that has our mark (HAZARDS A8). */
static int check_table(const struct relation *r, MYSQL_ROW d, struct error *e)
{
        if (!is_base_table(d))
                return error_set(e, ERROR_CONFIG, "%s.%s on the target is no table but a %.20s",
                        r->schema, r->name, text(d[D_TABLE_TYPE]));
        if (strcmp(text(d[D_TRANSACTIONS]), "YES") != 0)
                return error_set(e, ERROR_CONFIG,
                        "table %s.%s on the target is kept by %.40s, which has no transactions: "
                        "alter table ... engine = InnoDB",
                        r->schema, r->name, d[D_ENGINE] ? d[D_ENGINE] : "an unknown engine");
        return 0;
}

static MYSQL_ROW find_row(MYSQL_ROW *rows, unsigned n, const char *name)
{
        for (unsigned i = 0; i < n; i++)
                if (!strcmp(rows[i][D_NAME], name))
                        return rows[i];
        /* columns are told apart without regard to case, as the server does */
        for (unsigned i = 0; i < n; i++)
                if (!strcasecmp(rows[i][D_NAME], name))
                        return rows[i];
        return NULL;
}

static int describe_column(
        struct my_binding *b, uint16_t i, enum engine engine, MYSQL_ROW d, struct error *e)
{
        const struct relation *r = b->relation;
        struct my_column *c = &b->columns[i];

        c->quoted = quoted(r->columns[i].name);
        if (!d)
                return error_set(e, ERROR_DATA, "column '%s' of %s.%s is not there on the target",
                        r->columns[i].name, r->schema, r->name);
        if (!(c->type = coltype_my(engine, text(d[D_TYPE]), e)))
                return error_context(e, "column '%s' of %s.%s on the target", r->columns[i].name,
                        r->schema, r->name);
        c->written = !is_generated(d);
        b->warns |= engine == ENGINE_MARIADB && c->type->class == TYPE_ENUM;
        c->not_null = !strcmp(text(d[D_NULLABLE]), "NO");
        c->touched = is_touched(d);
        return 0;
}

static void note_others(struct my_binding *b, MYSQL_ROW *rows, unsigned n)
{
        b->others = memory_new((n + 1) * sizeof *b->others);
        for (unsigned i = 0; i < n; i++) {
                bool ours = false;

                for (uint16_t k = 0; k < b->relation->columns_n && !ours; k++)
                        ours = !strcasecmp(b->relation->columns[k].name, rows[i][D_NAME]);
                if (!ours && is_touched(rows[i]))
                        b->others[b->others_n++] = quoted(rows[i][D_NAME]);
        }
}

/* Under FULL the target's primary key finds the row, if the log has all its columns. */
static void choose_key(struct my_binding *b, MYSQL_ROW *rows, unsigned n)
{
        const struct relation *r = b->relation;
        unsigned wanted = 0, have = 0;

        for (unsigned i = 0; i < n; i++)
                wanted += is_primary(rows[i]);
        for (uint16_t i = 0; i < r->columns_n; i++) {
                MYSQL_ROW d = find_row(rows, n, r->columns[i].name);

                b->columns[i].key =
                        r->identity == IDENTITY_FULL ? is_primary(d) : r->columns[i].key;
                have += b->columns[i].key;
        }
        b->whole_row = r->identity == IDENTITY_FULL && (wanted == 0 || have < wanted);
        for (uint16_t i = 0; b->whole_row && i < r->columns_n; i++)
                b->columns[i].key = b->columns[i].written;
}

/* PRI marks the columns of one unique index without NULL, the primary key if there is one. */
static void note_numbers(struct my_binding *b, MYSQL_ROW *rows, unsigned n)
{
        unsigned wanted = 0, have = 0;

        for (unsigned i = 0; i < n; i++)
                wanted += is_primary(rows[i]);
        b->by_number = !b->whole_row && wanted && !strcmp(text(rows[0][D_UNIQUE]), "1");
        for (uint16_t i = 0; i < b->relation->columns_n; i++) {
                const struct my_column *c = &b->columns[i];

                if (!c->key)
                        continue;
                have++;
                b->by_number &= c->type->class == TYPE_INTEGER &&
                                is_primary(find_row(rows, n, b->relation->columns[i].name));
        }
        b->by_number &= have == wanted;
}

static void make_insert(struct my_binding *b)
{
        AUTO_BUF table = BUF_INIT;
        AUTO_BUF sql = BUF_INIT;
        const char *comma = "";

        my_table(&table, b->relation->schema, b->relation->name);
        b->table = buf_take(&table);
        buf_printf(&sql, "insert into %s (", b->table);
        for (uint16_t i = 0; i < b->relation->columns_n; i++)
                if (b->columns[i].written) {
                        buf_printf(&sql, "%s%s", comma, b->columns[i].quoted);
                        comma = ", ";
                }
        buf_str(&sql, ") values ");
        b->insert = buf_take(&sql);
}

static void make_delete(struct my_binding *b)
{
        AUTO_BUF sql = BUF_INIT;
        const char *only = NULL;
        unsigned n = 0;

        for (uint16_t i = 0; i < b->relation->columns_n; i++)
                if (b->columns[i].key && n++ == 0)
                        only = b->columns[i].quoted;
        for (uint16_t i = 0; i < b->relation->columns_n; i++) /* found by its index, not its text */
                n += b->columns[i].key && coltype_empty_member(b->columns[i].type);
        buf_printf(&sql, "delete from %s where ", b->table);
        if (n == 1)
                buf_printf(&sql, "%s in ", only);
        buf_char(&sql, '(');
        b->delete = buf_take(&sql);
        b->many_keys = n > 1;
}

static int describe(
        struct my_binding *b, enum engine engine, MYSQL_ROW *rows, unsigned n, struct error *e)
{
        const struct relation *r = b->relation;

        if (n == 0)
                return error_set(e, ERROR_DATA, "table %s.%s is not there on the target", r->schema,
                        r->name);
        if (check_table(r, rows[0], e) < 0)
                return -1;
        for (uint16_t i = 0; i < r->columns_n; i++)
                if (describe_column(b, i, engine, find_row(rows, n, r->columns[i].name), e) < 0)
                        return -1;
        if (rows[0][D_TRIGGERS])
                b->triggers = memory_string(rows[0][D_TRIGGERS]);
        note_others(b, rows, n);
        choose_key(b, rows, n);
        note_numbers(b, rows, n);
        make_insert(b);
        make_delete(b);
        return 0;
}

static struct my_binding *binding_empty(const struct relation *r)
{
        struct relation *mine = relation_ref(r);
        struct my_binding *b = memory_new(sizeof *b + r->columns_n * sizeof *b->columns);

        relation_unref(mine); /* the relation owns the binding, not the reverse */
        if (mine->binding_free)
                mine->binding_free(mine->binding);
        mine->binding = b;
        mine->binding_free = binding_free;
        b->relation = r;
        return b;
}

struct my_binding *my_binding_new(const struct relation *r, uint64_t generation, enum engine engine,
        MYSQL_RES *description, struct error *e)
{
        struct my_binding *b = binding_empty(r);
        unsigned n = 0, fields = mysql_num_fields(description);
        MYSQL_ROW *rows = memory_new(((size_t)mysql_num_rows(description) + 1) * sizeof *rows);
        MYSQL_ROW row;
        int result;

        while (fields == D_N && (row = mysql_fetch_row(description)))
                rows[n++] = row;
        result = describe(b, engine, rows, n, e);
        free(rows);
        if (result < 0) {
                snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
                return NULL; /* generation 0: never found as bound */
        }
        b->generation = generation;
        return b;
}

int my_binding_set_aside(struct my_binding *b, enum config_conflict policy, struct error *e)
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

static void add_printable(struct buf *key, const struct value *v)
{
        for (uint32_t i = 0; i < v->len && i < 60; i++)
                if ((uint8_t)v->data[i] >= ' ' && v->data[i] != 127)
                        buf_char(key, v->data[i]);
                else
                        buf_printf(key, "\\x%02x", (uint8_t)v->data[i]);
}

void my_binding_blame(const struct my_binding *b, const struct change *c, struct error *e)
{
        const struct relation *r = c->relation;
        const struct value *row = c->old ? c->old : c->new;
        AUTO_BUF key = BUF_INIT;

        snprintf(e->table, sizeof e->table, "%s.%s", r->schema, r->name);
        for (uint16_t i = 0; row && b && i < r->columns_n; i++) {
                if (!b->columns[i].key || row[i].kind == VALUE_UNCHANGED)
                        continue;
                buf_printf(&key, "%s%s=", key.len ? ", " : "", r->columns[i].name);
                if (row[i].kind == VALUE_NULL)
                        buf_str(&key, "NULL");
                else
                        add_printable(&key, &row[i]);
        }
        snprintf(e->key, sizeof e->key, "%s", buf_text(&key));
}
