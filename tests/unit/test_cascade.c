#include "sinks/pg_cascade.h"
#include "base/memory.h"
#include "model/cascade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fixtures ---- */

static const char *word(char **at, char delimiter)
{
        char delimiters[] = {delimiter, '\0'};

        return strsep(at, delimiters);
}

static enum cascade_rule rule(char c)
{
        return c == 'C' ? RULE_CASCADE : c == 'N' ? RULE_SET_NULL : RULE_NONE;
}

/* "child(a,b) parent(x,y) CN": on delete CASCADE, on update SET NULL; "-": nothing. */
static void add(struct cascades *c, const char *text)
{
        AUTO_STRING copy = memory_string(text);
        char *at = copy, *from, *to;
        const char *child, *parent;
        struct cascade_key *k;
        unsigned n = 1;

        for (const char *p = text; *p && *p != ')'; p++)
                n += *p == ',';
        child = word(&at, '(');
        from = strsep(&at, ")");
        at++;
        parent = word(&at, '(');
        to = strsep(&at, ")");
        k = cascades_add(c, n);
        k->name = memory_printf("%s_fk", child);
        k->schema = memory_string("s");
        k->to_schema = memory_string("s");
        k->table = memory_string(child);
        k->to_table = memory_string(parent);
        for (unsigned i = 0; i < n; i++) {
                k->columns[i] = memory_string(word(&from, ','));
                k->to_columns[i] = memory_string(word(&to, ','));
        }
        k->on_delete = rule(at[1]);
        k->on_update = rule(at[2]);
}

/* A parent with columns, separated by blanks, and keys, one a line. */
static struct relation *parent(const char *name, const char *columns, const char *keys)
{
        struct relation *r = relation_new(0, "s", name, IDENTITY_DEFAULT, 4);
        struct cascades *c = cascades_new();
        AUTO_STRING list = memory_string(columns);
        AUTO_STRING lines = memory_string(keys);
        char *at = list, *line = lines;
        uint16_t n = 0;

        for (; at; n++)
                relation_set_column(r, n, word(&at, ' '), 0, 0, n == 0);
        r->columns_n = n;
        while (line)
                add(c, word(&line, '\n'));
        relation_set_cascades(r, c);
        cascades_unref(c);
        return r;
}

/* The statements, one a line, with their parameters behind: "$1=old id". */
static void expect(const struct relation *r, enum change_op op, const char *want)
{
        struct error e = ERROR_INIT;
        struct pg_cascade *c = pg_cascade_new(r, op, 7, &e);
        AUTO_BUF got = BUF_INIT;

        assert_non_null(c);
        for (unsigned i = 0; i < c->n; i++) {
                const struct pg_cascade_statement *s = &c->statements[i];

                buf_str(&got, s->sql);
                for (int k = 0; k < s->n; k++)
                        buf_printf(&got, "%s%s.%s", k ? ", " : " -- ",
                                s->parameters[k].old ? "old" : "new",
                                r->columns[s->parameters[k].column].name);
                buf_char(&got, '\n');
        }
        assert_string_equal(buf_text(&got), want);
        pg_cascade_free(c);
}

static struct value text(const char *v)
{
        return v ? (struct value){VALUE_TEXT, (uint32_t)strlen(v), v}
                 : (struct value){.kind = VALUE_NULL};
}

/* ---- statements ---- */

static void test_children_only(void **state)
{
        struct relation *r = parent("p", "id code",
                "c(p) p(id) CC\nn(p) p(id) NN\nw(code) p(code) -C\no(x) other(id) CC");

        (void)state;
        expect(r, CHANGE_DELETE,
                "update \"s\".\"n\" t0 set \"p\" = null where t0.\"p\" = $1 -- old.id\n"
                "delete from \"s\".\"c\" c where c.\"p\" = $1 -- old.id\n");
        expect(r, CHANGE_UPDATE,
                "update \"s\".\"c\" t0 set \"p\" = $1 where t0.\"p\" = $2 -- new.id, old.id\n"
                "update \"s\".\"n\" t0 set \"p\" = null where t0.\"p\" = $1 -- old.id\n"
                "update \"s\".\"w\" t0 set \"code\" = $1 where t0.\"code\" = $2 -- new.code, "
                "old.code\n");
        relation_unref(r);
}

/* The far end comes first, while the way there is as it was. */
static void test_paths(void **state)
{
        struct relation *r = parent("o", "r id",
                "line(r,o) o(r,id) CC\npart(r,o,n) line(r,o,n) CC\nnote(o,n) line(o,n) -N\n"
                "far(k) part(k) CC");

        (void)state;
        expect(r, CHANGE_UPDATE,
                "update \"s\".\"part\" t0 set \"r\" = $1, \"o\" = $2 where (t0.\"r\", t0.\"o\", "
                "t0.\"n\") in (select t1.\"r\", t1.\"o\", t1.\"n\" from \"s\".\"line\" t1 where "
                "t1.\"r\" = $3 and t1.\"o\" = $4) -- new.r, new.id, old.r, old.id\n"
                "update \"s\".\"note\" t0 set \"o\" = null, \"n\" = null where (t0.\"o\", "
                "t0.\"n\") in (select t1.\"o\", t1.\"n\" from \"s\".\"line\" t1 where t1.\"r\" = "
                "$1 and t1.\"o\" = $2) -- old.r, old.id\n"
                "update \"s\".\"line\" t0 set \"r\" = $1, \"o\" = $2 where t0.\"r\" = $3 and "
                "t0.\"o\" = $4 -- new.r, new.id, old.r, old.id\n");
        relation_unref(r);
}

static void test_tree(void **state)
{
        struct relation *r = parent("t", "id up", "t(up) t(id) CC\nleaf(t) t(id) N-");

        (void)state;
#define GONE                                                                                       \
        "with recursive gone(number, part, line) as ((select 0, c.tableoid, c.ctid from "          \
        "\"s\".\"t\" c where c.\"up\" = $1) union select x.number, x.part, x.line from gone g "    \
        "cross join lateral (select 0, c.tableoid, c.ctid from \"s\".\"t\" p join \"s\".\"t\" c "  \
        "on c.\"up\" = p.\"id\" where g.number = 0 and p.tableoid = g.part and p.ctid = g.line) "  \
        "x(number, part, line)) "
        expect(r, CHANGE_DELETE,
                GONE "update \"s\".\"leaf\" t0 set \"t\" = null where (t0.\"t\" = $2 or "
                     "(t0.\"t\") in (select p.\"id\" from gone g join \"s\".\"t\" p on p.tableoid "
                     "= g.part and p.ctid = g.line where g.number = 0)) -- old.id, old.id\n" GONE
                     "delete from \"s\".\"t\" t using gone g where g.number = 0 and t.tableoid = "
                     "g.part and t.ctid = g.line -- old.id\n");
        expect(r, CHANGE_UPDATE, ""); /* InnoDB refuses to update a table twice */
        relation_unref(r);
}

/* Paths double at each level. */
static void test_too_many_paths(void **state)
{
        AUTO_BUF keys = BUF_INIT;
        struct error e = ERROR_INIT;
        struct relation *r;

        (void)state;
        buf_str(&keys, "t1(id) p(id) CC\nu1(id) p(id) CC");
        for (unsigned i = 1; i < 10; i++)
                for (unsigned k = 0; k < 4; k++)
                        buf_printf(&keys, "\n%c%u(id) %c%u(id) CC", k & 1 ? 'u' : 't', i + 1,
                                k & 2 ? 'u' : 't', i);
        r = parent("p", "id", buf_text(&keys));
        assert_null(pg_cascade_new(r, CHANGE_UPDATE, 1, &e));
        assert_int_equal(e.class, ERROR_CONFIG);
        relation_unref(r);
        r = parent("p", "other", "c(p) p(id) C-");
        error_clear(&e);
        assert_null(pg_cascade_new(r, CHANGE_DELETE, 1, &e));
        assert_non_null(strstr(e.message, "'id'"));
        relation_unref(r);
}

/* ---- whether and with what ---- */

static void test_fires(void **state)
{
        struct relation *r = parent("p", "id code", "c(p) p(id) CC\nw(code) p(code) -C");
        struct value old[] = {text("1"), text("a")}, new[] = {text("1"), text("b")};
        struct change c = {.op = CHANGE_UPDATE, .relation = r, .old = old, .new = new};
        struct error e = ERROR_INIT;
        struct pg_cascade *all = pg_cascade_new(r, CHANGE_UPDATE, 1, &e);
        const char *values[2];

        (void)state;
        assert_false(cascades_fire(&c)); /* the source's engine did nothing */
        c.cascades = true;
        assert_true(cascades_fire(&c));
        assert_false(pg_cascade_applies(&all->statements[0], &c));
        assert_true(pg_cascade_applies(&all->statements[1], &c));
        assert_int_equal(pg_cascade_values(&all->statements[1], &c, values, &e), 0);
        assert_string_equal(values[0], "b");
        assert_string_equal(values[1], "a");
        new[1] = (struct value){.kind = VALUE_UNCHANGED};
        assert_false(cascades_fire(&c));
        new[1] = text(NULL);
        assert_true(cascades_fire(&c));
        assert_int_equal(pg_cascade_values(&all->statements[1], &c, values, &e), 0);
        assert_null(values[0]);
        old[1] = new[1];
        assert_false(cascades_fire(&c));
        pg_cascade_free(all);
        relation_unref(r);
}

/* Row image MINIMAL has the key only. */
static void test_absent_values(void **state)
{
        struct relation *r = parent("p", "id code", "w(code) p(code) CC");
        struct value old[] = {text("1"), {.kind = VALUE_UNCHANGED}};
        struct value new[] = {{.kind = VALUE_UNCHANGED}, text("b")};
        struct change c = {
                .op = CHANGE_UPDATE, .relation = r, .old = old, .new = new, .cascades = true};
        struct error e = ERROR_INIT;
        struct pg_cascade *all = pg_cascade_new(r, CHANGE_UPDATE, 1, &e);
        const char *values[2];

        (void)state;
        assert_true(cascades_fire(&c));
        assert_int_equal(pg_cascade_values(&all->statements[0], &c, values, &e), -1);
        assert_int_equal(e.class, ERROR_DATA);
        assert_non_null(strstr(e.message, "'code'"));
        assert_non_null(strstr(e.message, "binlog_row_image"));
        pg_cascade_free(all);
        relation_unref(r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_children_only),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_tree),
                cmocka_unit_test(test_too_many_paths),
                cmocka_unit_test(test_fires),
                cmocka_unit_test(test_absent_values),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
