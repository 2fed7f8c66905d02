"""Compares every row and every column of tables on two servers, and what belongs to them."""

TABLES = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
and n.nspname not in ('pg_catalog', 'information_schema', 'culvert') order by 1, 2"""

COLUMNS = """
select attname from pg_attribute where attrelid = %s::regclass and attnum > 0
and not attisdropped order by attnum"""


class Different(AssertionError):
    pass


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def qualified(schema, table):
    return f"{quote(schema)}.{quote(table)}"


def query(connection, sql, *values):
    with connection.cursor() as c:
        c.execute(sql, values or None)
        return c.fetchall()


def tables_of(connection):
    return query(connection, TABLES)


def _stream(connection, table, columns):
    """All rows as text, in the order of their text: duplicates count, and so does a byte."""
    texts = ", ".join(f"{quote(c)}::text" for c in columns)
    order = ", ".join(f'{quote(c)}::text collate "C"' for c in columns)
    with connection.cursor("rows") as c:
        c.itersize = 20000
        c.execute(f"select {texts} from {table} order by {order}")
        yield from c


def compare_table(source, target, source_table, target_table=None, columns=None):
    """`columns` maps source to target names; default: all of the source's, same names. Both
    connections must not be in autocommit mode. Returns the number of rows."""
    target_table = target_table or source_table
    names = {r[0]: r[0] for r in query(source, COLUMNS, source_table)} if columns is None else columns
    if columns is None:
        there = [r[0] for r in query(target, COLUMNS, target_table)]
        if there != list(names):
            raise Different(f"{source_table}: columns {list(names)} became {there}")
    left = _stream(source, source_table, list(names.keys()))
    right = _stream(target, target_table, list(names.values()))
    rows = 0
    while True:
        a, b = next(left, None), next(right, None)
        if a != b:
            raise Different(f"{source_table}: row {rows}: source {a!r}, target {b!r}")
        if a is None:
            return rows
        rows += 1


def compare(source, target, database, target_database=None, tables=None):
    """Every table of a database on two servers (harness.servers.Postgres). Returns rows compared."""
    a = source.connect(database, autocommit=False)
    b = target.connect(target_database or database, autocommit=False)
    for c in (a, b):  # both sides print alike, and one snapshot a side
        c.set_session(isolation_level="REPEATABLE READ", readonly=True)
        query(c, "select set_config('extra_float_digits', '3', false), "
                 "set_config('timezone', 'UTC', false), set_config('search_path', '', false)")
    try:
        rows = 0
        for schema, table in tables or tables_of(a):
            rows += compare_table(a, b, qualified(schema, table))
        return rows
    finally:
        a.close()
        b.close()


SCHEMA = {
    "columns": """
        select a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n
        on n.oid = c.relnamespace left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and {ours}
        order by 1, a.attnum""",
    "indexes": """
        select pg_get_indexdef(i.indexrelid), i.indisvalid from pg_index i join pg_class c
        on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace where {ours} order by 1""",
    "constraints": """
        select k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid), k.convalidated
        from pg_constraint k join pg_namespace n on n.oid = k.connamespace
        where {ours} order by 1, 2, 3""",
    "triggers": """
        select pg_get_triggerdef(t.oid), t.tgenabled::text from pg_trigger t join pg_class c
        on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
        where not t.tgisinternal and {ours} order by 1""",
}
OURS = "n.nspname not in ('pg_catalog', 'information_schema', 'culvert', 'pg_toast')"


def compare_schema(source, target, database, target_database=None):
    a, b = source.connect(database), target.connect(target_database or database)
    try:
        for what, sql in SCHEMA.items():
            left = query(a, sql.format(ours=OURS))
            right = query(b, sql.format(ours=OURS))
            missing = [r for r in left if r not in right]
            extra = [r for r in right if r not in left]
            if missing or extra:
                raise Different(f"{what}: missing on the target {missing}, extra {extra}")
    finally:
        a.close()
        b.close()


def sequences(server, database):
    c = server.connect(database)
    try:
        names = [r[0] for r in query(c, """select quote_ident(schemaname) || '.' ||
            quote_ident(sequencename) from pg_sequences where schemaname <> 'culvert' order by 1""")]
        return {n: query(c, f"select last_value, is_called from {n}")[0] for n in names}
    finally:
        c.close()
