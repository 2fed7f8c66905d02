"""Compares every row and every column of tables on servers of any two engines, and the definitions
between servers of one engine of the MySQL family."""
import re
from collections import Counter

from .canonical import form, my_column, pg_column
from .compare import TABLES as PG_TABLES
from .compare import Different, qualified, quote

# Of a domain, the type below it.
PG_COLUMNS = """
select attname, case typtype when 'd' then format_type(typbasetype, typtypmod)
else format_type(atttypid, atttypmod) end from pg_attribute join pg_type t on t.oid = atttypid
where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum"""
PG_SESSION = """
select set_config('extra_float_digits', '3', false), set_config('timezone', 'UTC', false),
set_config('search_path', '', false), set_config('intervalstyle', 'postgres', false),
set_config('datestyle', 'ISO', false), set_config('bytea_output', 'hex', false)"""
MY_TABLES = """
select table_schema, table_name from information_schema.tables where table_schema = %s
and table_type in ('BASE TABLE', 'SYSTEM VERSIONED') order by 1, 2"""
MY_COLUMNS = """
select column_name, data_type, column_type from information_schema.columns
where table_schema = %s and table_name = %s order by ordinal_position"""
# MariaDB has no JSON: it is LONGTEXT with this check.
MY_CHECKS = """
select check_clause from information_schema.check_constraints where constraint_schema = %s
and table_name = %s"""


def my_quote(name):
    return "`" + name.replace("`", "``") + "`"


class PgSide:
    engine = "postgresql"

    def __init__(self, server, database):
        self.connection = server.connect(database, autocommit=False)
        self.connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        self.query(PG_SESSION)

    def query(self, sql, *values):
        with self.connection.cursor() as c:
            c.execute(sql, values or None)
            return c.fetchall()

    def tables(self):
        return self.query(PG_TABLES)

    def columns(self, schema, table):
        return [pg_column(*r) for r in self.query(PG_COLUMNS, qualified(schema, table))]

    def rows(self, schema, table, columns):
        """As the types write themselves: inet's cast to text differs."""
        texts = ", ".join(f"nullif(format('%s', {quote(c.name)}), '')" if c.kind == "inet"
                          else f"{quote(c.name)}::text" for c in columns)
        return self.query(f"select {texts} from {qualified(schema, table)}")

    def close(self):
        self.connection.close()


class MySide:
    """Nothing is made of the values: they stay the text or the bytes that the server sent."""

    def __init__(self, server, database):
        self.engine, self.database = server.engine, database
        self.connection = server.connect(database, autocommit=False, conv={})
        self.query("start transaction with consistent snapshot")

    def query(self, sql):
        with self.connection.cursor() as c:
            c.execute(sql)
            return list(c.fetchall())

    def tables(self):
        return self.query(MY_TABLES.replace("%s", literal(self.database)))

    def columns(self, schema, table):
        where = literal(schema), literal(table)
        checked = set()
        if self.engine == "mariadb":
            for (clause,) in self.query(MY_CHECKS % where):
                checked |= set(re.findall(r"^json_valid\(`(.*)`\)$", clause))
        return [my_column(self.engine, n, d.lower(), t, n in checked)
                for n, d, t in self.query(MY_COLUMNS % where)]

    def rows(self, schema, table, columns):
        """FLOAT as a double: its own text has six digits only. The client takes a VECTOR for text."""
        def text(c):
            if c.kind == "float4":
                return f"cast({my_quote(c.name)} as double)"
            return f"cast({my_quote(c.name)} as binary)" if c.type.startswith("vector") else my_quote(c.name)

        texts = ", ".join(map(text, columns))
        return self.query(f"select {texts} from {my_quote(schema)}.{my_quote(table)}")

    def close(self):
        self.connection.close()


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def side(server, database):
    return MySide(server, database) if hasattr(server, "engine") else PgSide(server, database)


def _canonical(rows, forms):
    """{row: how often}: duplicates count."""
    return Counter(tuple([None if v is None else f(v) for v, f in zip(row, forms)]) for row in rows)


def compare_rows(a, b, source_table, target_table, names=None):
    """`names` maps source to target columns; default: all, same names, same order. Returns the
    number of rows."""
    left, right = a.columns(*source_table), b.columns(*target_table)
    if names is None:
        if [c.name for c in left] != [c.name for c in right]:
            raise Different(f"{source_table}: columns {[c.name for c in left]} became "
                            f"{[c.name for c in right]}")
    else:
        left = [c for c in left if c.name in names]
        there = {c.name: c for c in right}
        right = [there[names[c.name]] for c in left]
    forms = [form(x, y) for x, y in zip(left, right)]
    x = _canonical(a.rows(*source_table, left), [f for f, _ in forms])
    y = _canonical(b.rows(*target_table, right), [g for _, g in forms])
    if x != y:
        raise Different(difference(source_table, left, x, y))
    return x.total()


def difference(table, columns, x, y):
    """The first rows that only one side has, and the columns in which they differ."""
    p = min((x - y).elements(), key=repr, default=None)
    q = min((y - x).elements(), key=repr, default=None)
    where = [c.name for c, v, w in zip(columns, p or (), q or ()) if v != w]
    return (f"{table}: {x.total()} and {y.total()} rows; {where}: source {repr(p)[:600]}, target "
            f"{repr(q)[:600]}")


def compare_across(source, target, source_db, target_db=None, names=None, only=None):
    """Every table of the source's database (PostgreSQL: of schema public) on the target's, whatever
    the engines. `only`: these tables. `names`: {(schema, table): (schema, table, columns or None)}
    where they go by other names. Returns the number of rows."""
    target_db = target_db or source_db
    a, b = side(source, source_db), side(target, target_db)
    try:
        rows = 0
        for schema, table in a.tables():
            if only is not None and (schema, table) not in only:
                continue
            to = (names or {}).get((schema, table))
            to = to or (place(schema, a, b, target_db), table, None)
            rows += compare_rows(a, b, (schema, table), to[:2], to[2])
        return rows
    finally:
        a.close()
        b.close()


def tables_of(server, database):
    """[(schema, table)]; of the MySQL family, those of this database."""
    a = side(server, database)
    try:
        return a.tables()
    finally:
        a.close()


def place(schema, a, b, target_db):
    """The URI's database and `public` correspond; other schemas keep their names."""
    home = a.database if isinstance(a, MySide) else "public"
    if schema != home:
        return schema
    return target_db if isinstance(b, MySide) else "public"


MY_SCHEMA = {
    "columns": """select table_name, ordinal_position, column_name, column_default, is_nullable,
        column_type, character_set_name, collation_name, extra, column_comment,
        generation_expression from information_schema.columns join information_schema.tables t
        using (table_schema, table_name) where table_schema = %s and t.table_type <> 'VIEW'""",
    "indexes": """select table_name, index_name, seq_in_index, column_name, non_unique, sub_part,
        index_type from information_schema.statistics where table_schema = %s""",
    "constraints": """select table_name, constraint_name, constraint_type from
        information_schema.table_constraints where table_schema = %s""",
    # InnoDB makes no difference between the two that do nothing
    "references": """select table_name, constraint_name, referenced_table_name,
        replace(update_rule, 'NO ACTION', 'RESTRICT'), replace(delete_rule, 'NO ACTION', 'RESTRICT')
        from information_schema.referential_constraints where constraint_schema = %s""",
    "tables": """select table_name, engine, table_collation, table_comment, create_options from
        information_schema.tables where table_schema = %s and table_type <> 'VIEW'""",
}


def compare_my_schema(source, target, source_db, target_db=None):
    """Two databases of one engine of the MySQL family."""
    for what, sql in MY_SCHEMA.items():
        left = source.run(sql, source_db)
        right = target.run(sql, target_db or source_db)
        missing = [r for r in left if r not in right]
        extra = [r for r in right if r not in left]
        if missing or extra:
            raise Different(f"{what}: missing on the target {missing}, extra {extra}")
