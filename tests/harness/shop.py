"""The sample shop: schema and rows from shop.sql, in a new database."""
import os

SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shop.sql")
TABLES = ("shop.customers", "shop.products", "shop.orders", "shop.items", "shop.payments",
          "public.visits")


def fill(connection, scale=1.0, portable=False):
    """Creates the shop in the database that connection (autocommit off) is in, and commits.
    portable: without values that the MySQL family has no place for. Returns {table: rows}; scale
    1.0 is about 300,000 rows in all."""
    with open(SQL, encoding="utf-8") as f:
        sql = f.read()
    with connection.cursor() as c:
        c.execute("select set_config('shop.scale', %s, false), "
                  "set_config('synchronous_commit', 'off', false), "
                  "set_config('timezone', 'UTC', false), set_config('shop.portable', %s, false)",
                  (str(scale), "on" if portable else "off"))
        c.execute(sql)
    connection.commit()
    return counts(connection)


def counts(connection):
    with connection.cursor() as c:
        rows = {}
        for table in TABLES:
            c.execute(f"select count(*) from {table}")
            rows[table] = c.fetchone()[0]
    connection.commit()
    return rows


def create(server, database="shop", scale=1.0, portable=False):
    """A new database on a harness.servers.Postgres with the shop in it. Returns {table: rows}."""
    server.run(f"create database {database}")
    connection = server.connect(database, autocommit=False)
    try:
        rows = fill(connection, scale, portable)
    finally:
        connection.close()
    server.run("analyze", db=database)
    return rows
