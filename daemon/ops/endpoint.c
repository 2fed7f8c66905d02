#include "ops/endpoint.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const char *side_of(bool target)
{
        return target ? "target" : "source";
}

static const struct config_end *end_of(const struct config *c, bool target)
{
        return target ? &c->target : &c->source;
}

PGconn *endpoint_pg(const struct config *c, bool target, struct halt *h, struct error *e)
{
        AUTO_STRING name = memory_printf("culvert %s", c->pipeline.name);
        struct pg_params *p = pg_params_new(end_of(c, target), side_of(target), name, false, e);
        PGconn *conn = p ? halt_connect(h, p, e) : NULL;

        pg_params_free(p);
        return conn;
}

MYSQL *endpoint_my(const struct config *c, bool target, struct halt *h, struct error *e)
{
        struct my_params *p = my_params_new(end_of(c, target), side_of(target), e);
        MYSQL *conn = p ? halt_my_connect(h, p, e) : NULL;

        my_params_free(p);
        return conn;
}

int endpoint_open(
        struct endpoint *p, const struct config *c, bool target, struct halt *h, struct error *e)
{
        *p = (struct endpoint){.halt = h,
                .what = side_of(target),
                .is_my = config_is_mysql(end_of(c, target)->kind)};
        if (p->is_my)
                p->my = endpoint_my(c, target, h, e);
        else
                p->pg = endpoint_pg(c, target, h, e);
        return p->my || p->pg ? 0 : -1;
}

void endpoint_close(struct endpoint *p)
{
        if (p->pg)
                halt_close(p->halt, &p->pg);
        if (p->my)
                halt_my_close(p->halt, &p->my);
}

int endpoint_run(struct endpoint *p, const char *sql, struct error *e)
{
        int rc = p->is_my ? my_run(p->my, e, sql) : pg_run(p->pg, e, sql);

        return rc < 0 ? error_context(e, "%s", p->what) : 0;
}

static int row_of_pg(
        struct endpoint *p, const char *sql, char **fields, unsigned n, struct error *e)
{
        AUTO_RESULT r = pg_query(p->pg, e, sql, 0, NULL);

        if (!r)
                return error_context(e, "%s", p->what);
        if (PQntuples(r) == 0)
                return 0;
        for (unsigned i = 0; i < n && (int)i < PQnfields(r); i++)
                if (!PQgetisnull(r, 0, (int)i))
                        fields[i] = memory_string(PQgetvalue(r, 0, (int)i));
        return 1;
}

static int row_of_my(
        struct endpoint *p, const char *sql, char **fields, unsigned n, struct error *e)
{
        AUTO_MY_RESULT r = my_query(p->my, e, sql);
        MYSQL_ROW row;

        if (!r)
                return error_context(e, "%s", p->what);
        if (!(row = mysql_fetch_row(r)))
                return 0;
        for (unsigned i = 0; i < n && i < mysql_num_fields(r); i++)
                if (row[i])
                        fields[i] = memory_string(row[i]);
        return 1;
}

int endpoint_row(struct endpoint *p, const char *sql, char **fields, unsigned n, struct error *e)
{
        memset(fields, 0, n * sizeof *fields);
        return p->is_my ? row_of_my(p, sql, fields, n, e) : row_of_pg(p, sql, fields, n, e);
}

void endpoint_literal(const struct endpoint *p, struct buf *sql, const char *text)
{
        if (p->is_my)
                my_literal(sql, text, strlen(text));
        else
                pg_literal(sql, text);
}

void endpoint_name(const struct endpoint *p, struct buf *sql, const char *name)
{
        if (p->is_my)
                my_ident(sql, name);
        else
                pg_ident(sql, name);
}

bool endpoint_is_missing(const struct endpoint *p, const struct error *e)
{
        if (!p->is_my) /* undefined_table, invalid_schema_name */
                return !strcmp(e->code, "42P01") || !strcmp(e->code, "3F000");
        switch (mysql_errno(p->my)) {
        case 1049: /* ER_BAD_DB_ERROR */
        case 1146: /* ER_NO_SUCH_TABLE */
        case 1044: /* ER_DBACCESS_DENIED_ERROR: said of what is not there, too */
        case 1142: /* ER_TABLEACCESS_DENIED_ERROR */
                return true;
        default:
                return false;
        }
}
