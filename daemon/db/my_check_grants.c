#include "base/memory.h"
#include "db/my_check_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * A line of SHOW GRANTS:
 *   GRANT SELECT, REPLICATION SLAVE ON *.* TO `culvert`@`%` IDENTIFIED BY PASSWORD '...'
 *   GRANT SELECT (`a`), INSERT ON `db`.`t` TO ...     rights on columns count for nothing here
 *   GRANT ALL PRIVILEGES ON `sh\_p%`.* TO ...         _ and % are wildcards, \ takes that away
 *   GRANT `role`@`%` TO ...                           a role: no ON
 */

/* Behind a name in quotes of any kind. */
static const char *after_name(const char *at)
{
        char quote = *at++;

        for (; *at; at++) {
                if (*at != quote)
                        continue;
                if (at[1] != quote)
                        return at + 1;
                at++;
        }
        return at;
}

/* `what` outside of names and parentheses; NULL: not there. */
static const char *find(const char *at, const char *what)
{
        unsigned depth = 0;

        while (*at) {
                if (*at == '`' || *at == '\'' || *at == '"') {
                        at = after_name(at);
                        continue;
                }
                if (depth == 0 && !strncmp(at, what, strlen(what)))
                        return at;
                depth += *at == '(';
                depth -= *at == ')' && depth > 0;
                at++;
        }
        return NULL;
}

char *my_grants_user(const char *line)
{
        const char *at = find(line, " TO "), *end;

        if (!at || !strchr("`'\"", at[4]))
                return NULL;
        at += 4;
        end = after_name(at);
        if (*end == '@' && end[1] && strchr("`'\"", end[1]))
                end = after_name(end + 1);
        return memory_printf("%.*s", (int)(end - at), at);
}

/* Without what is behind the user: a hash of the password may be there. */
static void add_line(struct my_grants *g, const char *line)
{
        const char *to = find(line, " TO ");

        if (!g->user)
                g->user = my_grants_user(line);
        if (strncmp(line, "GRANT ", 6) != 0 || !to)
                return;
        g->lines = memory_grow(g->lines, (g->n + 1) * sizeof *g->lines);
        g->lines[g->n++] = memory_printf("%.*s", (int)(to - line), line);
}

static int read_lines(MYSQL *c, struct my_grants *g, const char *sql, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e, sql);

        if (!r)
                return -1;
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
                if (row[0])
                        add_line(g, row[0]);
        return 0;
}

/* MySQL tells what active roles may only when they are named; MariaDB tells it anyway. */
int my_grants_read(MYSQL *c, struct my_grants *g, struct error *e)
{
        AUTO_STRING sql = memory_string("show grants");

        *g = (struct my_grants){0};
        if (my_engine(c) == ENGINE_MYSQL && my_version(c) >= 80000) {
                AUTO_MY_RESULT r = my_query(c, e, "select current_role()");
                MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;

                if (!r)
                        return -1;
                if (row && row[0] && strcasecmp(row[0], "NONE") != 0) {
                        memory_free_string(&sql);
                        sql = memory_printf("show grants for current_user() using %s", row[0]);
                }
        }
        return read_lines(c, g, sql, e);
}

void my_grants_done(struct my_grants *g)
{
        for (unsigned i = 0; i < g->n; i++)
                free(g->lines[i]);
        free(g->lines);
        free(g->user);
        *g = (struct my_grants){0};
}

/* ---- questions ---- */

static bool has_right(const char *line, const char *on, const char *right)
{
        const char *at = line + 6;

        while (at < on) {
                const char *end = at;

                while (end < on && *end != ',')
                        end = *end == '(' ? strchr(end, ')') ? strchr(end, ')') + 1 : on : end + 1;
                if ((size_t)(end - at) == strlen(right) && !strncasecmp(at, right, strlen(right)))
                        return true;
                if (end - at == 14 && !strncmp(at, "ALL PRIVILEGES", 14))
                        return true;
                at = end + strspn(end, ", ");
        }
        return false;
}

static char *unquoted(const char *at, const char *end)
{
        AUTO_BUF name = BUF_INIT;

        for (at++; at + 1 < end; at++) {
                at += *at == '`' && at[1] == '`';
                buf_char(&name, *at);
        }
        return memory_string(buf_text(&name));
}

/* Length of one element of a LIKE pattern: a character, or a backslash with one. */
static size_t element(const char *pattern)
{
        return *pattern == '\\' && pattern[1] ? 2 : 1;
}

static bool one(const char *pattern, char c)
{
        return *pattern == '_' || pattern[element(pattern) - 1] == c;
}

/* LIKE with a backslash as the escape. */
static bool matches(const char *pattern, const char *name)
{
        const char *percent = NULL, *from = NULL;

        while (*name) {
                if (*pattern == '%') {
                        percent = ++pattern;
                        from = name;
                } else if (*pattern && one(pattern, *name)) {
                        pattern += element(pattern);
                        name++;
                } else if (percent) {
                        pattern = percent;
                        name = ++from;
                } else {
                        return false;
                }
        }
        return pattern[strspn(pattern, "%")] == '\0';
}

static bool covers(const char *object, const char *schema, const char *table)
{
        const char *dot;
        AUTO_STRING database = NULL;
        AUTO_STRING name = NULL;

        if (!strcmp(object, "*.*"))
                return true;
        if (!schema || *object != '`')
                return false;
        dot = after_name(object);
        database = unquoted(object, dot);
        if (*dot != '.')
                return false;
        if (!strcmp(dot, ".*"))
                return matches(database, schema);
        if (!table || dot[1] != '`')
                return false;
        name = unquoted(dot + 1, after_name(dot + 1));
        return !strcmp(database, schema) && !strcmp(name, table);
}

bool my_grants_has(
        const struct my_grants *g, const char *right, const char *schema, const char *table)
{
        for (unsigned i = 0; i < g->n; i++) {
                const char *on = find(g->lines[i], " ON ");

                if (on && has_right(g->lines[i], on, right) && covers(on + 4, schema, table))
                        return true;
        }
        return false;
}

/* ---- variables ---- */

int my_variables_read(MYSQL *c, struct my_variables *v, struct error *e)
{
        AUTO_MY_RESULT r = my_query(c, e, "show global variables");

        *v = (struct my_variables){0};
        if (!r)
                return -1;
        v->names = memory_new(((size_t)mysql_num_rows(r) + 1) * sizeof *v->names);
        v->values = memory_new(((size_t)mysql_num_rows(r) + 1) * sizeof *v->values);
        for (MYSQL_ROW row; (row = mysql_fetch_row(r));) {
                v->names[v->n] = memory_string(row[0]);
                v->values[v->n++] = memory_string(row[1] ? row[1] : "");
        }
        return 0;
}

void my_variables_done(struct my_variables *v)
{
        for (unsigned i = 0; i < v->n; i++) {
                free(v->names[i]);
                free(v->values[i]);
        }
        free(v->names);
        free(v->values);
        *v = (struct my_variables){0};
}

const char *my_variable(const struct my_variables *v, const char *name)
{
        for (unsigned i = 0; i < v->n; i++)
                if (!strcasecmp(v->names[i], name))
                        return v->values[i];
        return "";
}

bool my_variable_is(const struct my_variables *v, const char *name, const char *value)
{
        return !strcasecmp(my_variable(v, name), value);
}
