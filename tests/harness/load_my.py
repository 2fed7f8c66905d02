"""The write load of load.py for the sample shop on MariaDB, database shop.

    with Load(lambda: server.connect("shop", autocommit=False), dialect=MARIADB) as load:
        ...
"""
import json

import pymysql

from .load import METHODS, NAMES, NOTES, Dialect, Writer

CLASHES = (1213, 1205, 1020)  # deadlock, lock wait, changed since the snapshot
TAGS = ["", "vip", "new,vip", "日本 ✓"]


class Clash(Exception):
    """With the other threads."""


class MyWriter(Writer):
    def do(self, sql, *values):
        try:
            return super().do(sql, *values)
        except pymysql.err.OperationalError as e:
            if e.args[0] in CLASHES:
                raise Clash from e
            raise

    def settings(self):
        return json.dumps({"theme": self.pick(NAMES), "n": self.random.randrange(10 ** 12),
                           "deep": [None, True, 1.50, {"🛒": self.pick(NOTES)}]}, ensure_ascii=False)


def new_customer(w):
    w.do("insert into shop.customers (name, email, country, tags, settings) values "
         "(%s, %s, %s, %s, %s)", w.pick(NAMES), f"é{w.random.getrandbits(80):x}@load.example",
         w.pick(["de", "f", None]), w.pick(TAGS), w.settings())


def new_order(w):
    w.do("insert into shop.orders (customer_id, placed_at, note, `Gift?`) values "
         "(%s, now(3), %s, %s)", w.key("shop.customers"), w.pick(NOTES), w.random.random() < 0.3)
    order = w.cursor.lastrowid
    for line in range(1, w.random.randint(1, 5) + 1):
        w.do("insert into shop.items (order_id, line, product_id, quantity, unit_price, options) "
             "values (%s, %s, %s, %s, %s, %s)", order, line, w.key("shop.products"),
             w.random.randint(1, 9), w.price(), w.settings() if line == 2 else None)
    w.do("update shop.orders set total = (select sum(amount) from shop.items where order_id = %s), "
         "state = 'paid' where id = %s", order, order)
    if w.random.random() < 0.7:
        w.do("insert into shop.payments (order_id, paid_on, amount, method) values "
             "(%s, date '2026-01-01' + interval %s day, %s, %s)", order, w.random.randrange(400),
             w.price()[:-2], w.pick(METHODS))


def new_products(w):
    """One statement, several rows, some with a long text."""
    for_each = [(f"N{w.random.getrandbits(60):x}", w.pick(NAMES), w.price(),
                 w.noise(9000) if w.random.random() < 0.2 else None) for _ in range(4)]
    w.do("insert into shop.products (sku, title, price, flags, since, manual) values "
         + ", ".join(["(%s, %s, %s, b'101', 2155, %s)"] * len(for_each)),
         *[value for row in for_each for value in row])


def advance_order(w):
    w.do("update shop.orders set state = %s, delivered_on = %s where id = %s",
         w.pick(["packed", "sent", "returned ↩"]), w.pick([None, "2026-11-02", "9999-12-31"]),
         w.key("shop.orders"))


def restock(w):
    """Several rows."""
    key = w.key("shop.products")
    w.do("update shop.products set stock = stock + %s, attributes = json_set(attributes, '$.seen', %s) "
         "where id between %s and %s", w.random.randint(1, 50), w.pick(NAMES), key, key + 5)


def new_manual(w):
    w.do("update shop.products set manual = %s where id = %s",
         w.noise(w.pick([0, 200, 12000])), w.key("shop.products"))


def renumber_item(w):
    w.do("update shop.items set line = line + 100 where order_id = %s and line < 3 "
         "order by line desc", w.key("shop.orders"))


def swap_items(w):
    """Two rows exchange keys through a third value, in one transaction."""
    order = w.key("shop.items", "order_id")
    for a, b in ((1, -1), (2, 1), (-1, 2)):
        w.do("update shop.items set line = %s where order_id = %s and line = %s", b, order, a)


def move_payment(w):
    """Often into another partition: a change of the key."""
    w.do("update shop.payments set paid_on = date '2025-12-01' + interval %s day where order_id = %s",
         w.random.randrange(420), w.key("shop.payments", "order_id"))


def change_customer(w):
    w.do("update shop.customers set name = %s, settings = %s, tags = %s where id = %s",
         w.pick(NAMES), w.settings(), w.pick(TAGS), w.key("shop.customers"))


def touch_customer(w):
    """Often no change at all, which is not in the log."""
    w.do("update shop.customers set country = 'de' where id = %s", w.key("shop.customers"))


def delete_order(w):
    order = w.key("shop.orders")
    w.do("delete from shop.payments where order_id = %s", order)
    w.do("delete from shop.items where order_id = %s", order)
    w.do("delete from shop.orders where id = %s", order)


def visit(w):
    """Rows without a key: the same one up to three times, and NULLs."""
    row = (w.pick([None, "/", "/🛍", "/p/1"]), w.pick([None, 1, 2]), w.pick([None, "2001:db8::1", "::1"]))
    n = w.random.randint(1, 3)
    w.do("insert into shop.visits (page, customer_id, address, took) values "
         + ", ".join(["(%s, %s, %s, '-00:00:00.003')"] * n), *row * n)


def change_visit(w):
    w.do("update shop.visits set took = null, customer_id = %s where page <=> %s limit 1",
         w.pick([None, 3]), w.pick([None, "/", "/🛍"]))


def forget_visit(w):
    w.do("delete from shop.visits where page <=> %s limit 1", w.pick([None, "/", "/🛍", "/p/1"]))


OPERATIONS = {new_customer: 10, new_order: 20, new_products: 4, advance_order: 16, restock: 8,
              new_manual: 4, renumber_item: 4, swap_items: 3, move_payment: 5, change_customer: 8,
              touch_customer: 3, delete_order: 4, visit: 8, change_visit: 2, forget_visit: 2}
MARIADB = Dialect((pymysql.err.OperationalError, pymysql.err.InterfaceError),
                  (Clash, pymysql.err.IntegrityError), OPERATIONS, MyWriter)
