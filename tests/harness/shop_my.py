"""The sample shop for MariaDB: schema and rows from shop_my.sql, in a new database."""
import os

SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shop_my.sql")
TABLES = ("customers", "products", "orders", "items", "payments", "visits")


def create(server, database="shop", scale=1.0):
    """A new database on a harness.servers_my.MariaDB with the shop in it. Returns {table: rows};
    scale 1.0 is about 300,000 rows in all."""
    server.run(f"create database {database}")
    with open(SQL, encoding="utf-8") as f:
        server.client(database, input=f"set @scale = {scale};\n" + f.read())
    return counts(server, database)


def counts(server, database):
    return {t: server.run(f"select count(*) from {t}", db=database)[0][0] for t in TABLES}
