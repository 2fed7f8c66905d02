/*
 * The page of types: what holds for all of them, by hand (tests/unit/test_typemap.c has a value for
 * each sentence), and the tables, from the rules.
 */
#include "model/typemap_private.h"

#include <string.h>

static const char intro[] =
        "# Types\n"
        "\n"
        "What a column becomes where culvert creates the table in the other engine, as\n"
        "`culvertd --types` prints it. Tables that exist may have other types.\n"
        "`culvertctl assess` shows the same for your own columns.\n"
        "\n"
        "## What holds for all of them\n"
        "\n"
        "- **Each value is checked.** Integers, decimals, dates and times, texts and bytes arrive\n"
        "  as they were; a float as the same 4 bytes, a double as the same 8. What the target's\n"
        "  column cannot hold is an error that names table, column and key, never the value; it\n"
        "  stops the pipeline, or waits in quarantine where the table has `on_conflict =\n"
        "  quarantine`. Nothing is rounded, cut or zeroed. (A negative zero of MariaDB,\n"
        "  which prints it as 0, becomes 0.)\n"
        "- **Types that cannot become one another** (DATETIME and timestamptz, vector and any\n"
        "  type of PostgreSQL or MariaDB) are an error of `plan` and of the start, before "
        "anything\n"
        "  is written.\n"
        "- **Time zones.** TIMESTAMP is a moment and becomes timestamptz. DATETIME does not say\n"
        "  in which zone it is: it becomes timestamp without time zone, as it is written, and is\n"
        "  refused where the target's column is a timestamptz. timestamptz becomes DATETIME in\n"
        "  UTC, because TIMESTAMP ends in 2038; applications must read it as UTC.\n"
        "- **Zero dates** (0000-00-00, 2024-00-00, 2024-02-00) have no place in PostgreSQL:\n"
        "  `[values] zero_date` makes them an error (the default), NULL, or a date of your\n"
        "  choice. Within the MySQL family they stay what they are.\n"
        "- **The empty text of an ENUM** that was given none of its members (its index 0) has no\n"
        "  place in an enum of PostgreSQL: `[values] enum_error` makes it an error (the\n"
        "  default), NULL, or the empty label of a type that has one. Texts and the MySQL family\n"
        "  take it as it is. A member that is the empty text is told from it.\n"
        "- **Blanks at the end.** A varchar or text keeps them. MySQL's CHAR(n) gives its values\n"
        "  without, and PostgreSQL's character(n) takes no notice of them, so both arrive\n"
        "  without. Where the target has a CHAR(n), a varchar or text that ends in blanks is an\n"
        "  error.\n"
        "- **Zero bytes** in a text have no place in PostgreSQL. In bytea they have.\n"
        "- **Collations and keys.** PostgreSQL compares by bytes: a unique key that took 'Ann'\n"
        "  and 'ann' for the same on MySQL lets both in after the move; `plan` names such keys.\n"
        "  Text from PostgreSQL gets utf8mb4 and a collation that compares by bytes, blanks at\n"
        "  the end included (utf8mb4_nopad_bin on MariaDB, utf8mb4_0900_bin on MySQL), so that no\n"
        "  two of its keys become one; a table of yours with another collation may refuse a row\n"
        "  as a duplicate, and the pipeline stops. The MySQL family indexes a bounded length\n"
        "  only, so text in a key becomes a varchar. A unique key on the first characters of a\n"
        "  column has no equal in PostgreSQL and is not made.\n"
        "- **JSON.** Its text is kept: the order of keys, and each digit (blanks are MySQL's\n"
        "  where MySQL is the source). Where the target would keep less, the value is an error:\n"
        "  on MySQL a number that it would round, on MySQL and in jsonb one key twice in an\n"
        "  object, in jsonb \\u0000.\n"
        "- **Booleans.** tinyint(1) becomes smallint, since it holds -128 to 127. A boolean\n"
        "  column that you made takes 0 and 1.\n"
        "- **Generated columns** are worked out by the target where the expression means the same\n"
        "  there, else they are left out of tables that culvert makes; `plan` names those. A\n"
        "  plain column on the target receives the source's values.\n";

/* "numeric({n},{s})" as a reader knows it: numeric(p,s). */
static void put_form(struct buf *out, const char *form)
{
        bool digits = strstr(form, "{s}") != NULL;

        buf_char(out, '`');
        for (const char *p = form; *p; p++) {
                if (*p != '{') {
                        buf_char(out, *p);
                        continue;
                }
                if (p[1] == 'm')
                        buf_str(out, "'...'");
                else if (p[1] != 't')
                        buf_char(out, p[1] == 'n' && digits ? 'p' : p[1]);
                p += 2;
        }
        buf_char(out, '`');
}

static void put_rule(struct buf *out, const struct typemap_rule *r)
{
        buf_printf(out, "| %s | ", r->shown);
        if (*r->to)
                put_form(out, r->to);
        else
                buf_str(out, "a type of its own");
        if (r->mysql) {
                buf_str(out, "; MySQL: ");
                put_form(out, r->mysql);
        }
        if (r->key) {
                buf_str(out, "; in a key: ");
                put_form(out, r->key);
        }
        buf_printf(out, " | %s |\n", r->note ? r->note : "");
}

static void put_table(struct buf *out, const char *title, const struct typemap_rule *rules)
{
        buf_printf(out, "\n## %s\n\n| type | becomes | |\n|---|---|---|\n", title);
        for (const struct typemap_rule *r = rules; r->sample; r++)
                put_rule(out, r);
}

void typemap_page(struct buf *out)
{
        buf_str(out, intro);
        put_table(out, "MySQL and MariaDB to PostgreSQL", typemap_my_to_pg);
        put_table(out, "PostgreSQL to MySQL and MariaDB", typemap_pg_to_my);
        put_table(out, "MariaDB to MySQL", typemap_my_to_my);
        buf_str(out,
                "\nAll other types are the same on both. A collation that the other does not have "
                "becomes its nearest; `plan` names it.\n");
}
