"""A write load on the sample shop: threads with a connection each, seeded, paced by a clock.

    with Load(lambda: server.connect("shop", autocommit=False), seed=7, rate=300) as load:
        ...
    load.counts.transactions    # acknowledged commits that changed something

A thread's sequence of statements follows from the seed; how the threads interleave does not.
"""
import random
import threading
import time
from collections import Counter, namedtuple

import psycopg2
from psycopg2.extras import Json

Counts = namedtuple("Counts", "transactions rows inserted deleted rolled_back refused unknown "
                              "reconnects operations")
# lost, clash: exceptions; operations: {function: weight}; writer: makes a Writer from a seed
Dialect = namedtuple("Dialect", "lost clash operations writer")
LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)
CLASH = (psycopg2.errors.DeadlockDetected, psycopg2.errors.SerializationFailure,
         psycopg2.errors.IntegrityError)

NAMES = ["Ada", "Zoë", "李小龍", "Мария", "محمد", "さくら", "O'Neil", "Jürgen\\n", "👩‍👩‍👧 family", ""]
NOTES = [None, "", " padded ", "tab\tnewline\n", "back\\slash \\N", "emoji 🎁🇪🇺", 'say "hi"', "NULL"]
METHODS = ["card", "cash", "支付宝", "SEPA"]


class Writer:
    """What one transaction may do. Rows count when the transaction commits; those of a savepoint
    that was rolled back never do."""

    portable = False  # only what has a place in the MySQL family

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.cursor = None
        self.changes = []

    def do(self, sql, *values):
        self.cursor.execute(sql, values)
        kind, table = sql.split()[0], next(w for w in sql.split() if "." in w)
        self.changes.append((kind, table, self.cursor.rowcount))
        return self.cursor.fetchall() if self.cursor.description else []

    def key(self, table, column="id"):
        """An existing key, wherever deletes have left holes; None in an empty table."""
        c = self.cursor
        c.execute(f"select max({column}) from {table}")
        at = int(self.random.random() * (c.fetchone()[0] or 0))
        c.execute(f"select {column} from {table} where {column} >= %s order by {column} limit 1",
                  (at,))
        row = c.fetchone()
        return row[0] if row else None

    def pick(self, values):
        return self.random.choice(values)

    def price(self):
        return f"{self.random.randrange(10 ** 7)}.{self.random.randrange(10 ** 4):04}"

    def noise(self, length):
        return "".join(self.random.choices("abcdefghij klmnop\nqrstuvwxyzäß漢字🙂", k=length))

    def settings(self):
        return Json({"theme": self.pick(NAMES), "n": self.random.randrange(10 ** 12),
                     "deep": [None, True, 1.50, {"🛒": self.pick(NOTES)}]})


def new_customer(w):
    w.do("insert into shop.customers (name, email, country, tags, settings) values "
         "(%s, %s, %s, %s, %s)", w.pick(NAMES), f"{w.random.getrandbits(80):x}@load.example",
         w.pick(["de", "f", None]), [w.pick(NAMES), None, w.pick(NAMES)], w.settings())


def new_order(w):
    lines = w.random.randint(1, 5)
    (order,), = w.do("insert into shop.orders (customer_id, placed_at, note, \"Gift?\") values "
                     "(%s, clock_timestamp(), %s, %s) returning id",
                     w.key("shop.customers"), w.pick(NOTES), w.random.random() < 0.3)
    for line in range(1, lines + 1):
        w.do("insert into shop.items (order_id, line, product_id, quantity, unit_price, options) "
             "values (%s, %s, %s, %s, %s, %s)", order, line, w.key("shop.products"),
             w.random.randint(1, 9), w.price(), w.settings() if line == 2 else None)
    w.do("update shop.orders set total = (select sum(amount) from shop.items where order_id = "
         "orders.id), state = 'paid' where id = %s", order)
    if w.random.random() < 0.7:
        w.do("insert into shop.payments (order_id, paid_on, amount, method) values "
             "(%s, date '2026-01-01' + %s, %s, %s)", order, w.random.randrange(400), w.price(),
             w.pick(METHODS))


def new_products(w):
    """One statement, several rows, some with a long text."""
    for_each = [(f"N{w.random.getrandbits(60):x}", w.pick(NAMES), w.price(),
                 w.noise(9000) if w.random.random() < 0.2 else None) for _ in range(4)]
    w.do("insert into shop.products (sku, title, price, sizes, manual) values "
         + ", ".join(["(%s, %s, %s, array[1, null, 3], %s)"] * len(for_each)),
         *[value for row in for_each for value in row])


def advance_order(w):
    w.do("update shop.orders set state = %s, delivered_on = %s where id = %s",
         w.pick(["packed", "sent", "returned ↩"]),
         w.pick([None, "2026-11-02", "9999-12-31" if w.portable else "infinity"]),
         w.key("shop.orders"))


def restock(w):
    """Several rows; the long text of each stays as it is and is not sent."""
    key = w.key("shop.products")
    w.do("update shop.products set stock = stock + %s, attributes = attributes || %s where id "
         "between %s and %s", w.random.randint(1, 50), Json({"seen": w.pick(NAMES)}), key, key + 5)


def new_manual(w):
    w.do("update shop.products set manual = %s where id = %s",
         w.noise(w.pick([0, 200, 12000])), w.key("shop.products"))


def renumber_product(w):
    """A key update that its children follow."""
    key = w.key("shop.products")
    w.do("update shop.products set id = nextval('shop.products_id_seq') where id = %s", key)


def renumber_item(w):
    w.do("update shop.items set line = line + 100 where order_id = %s and line < 3",
         w.key("shop.orders"))


def swap_items(w):
    """Two rows exchange keys through a third value, in one transaction."""
    order = w.key("shop.items", "order_id")
    for a, b in ((1, -1), (2, 1), (-1, 2)):
        w.do("update shop.items set line = %s where order_id = %s and line = %s", b, order, a)


def move_payment(w):
    """Often into another partition: a delete and an insert."""
    w.do("update shop.payments set paid_on = date '2025-12-01' + %s where order_id = %s",
         w.random.randrange(420), w.key("shop.payments", "order_id"))


def change_customer(w):
    w.do("update shop.customers set name = %s, settings = %s, tags = tags || %s where id = %s",
         w.pick(NAMES), w.settings(), [w.pick(NAMES)], w.key("shop.customers"))


def delete_order(w):
    order = w.key("shop.orders")
    w.do("delete from shop.payments where order_id = %s", order)
    w.do("delete from shop.items where order_id = %s", order)
    w.do("delete from shop.orders where id = %s", order)


def visit(w):
    """Rows without a key: the same one up to three times, and NULLs."""
    row = (w.pick([None, "/", "/🛍", "/p/1"]), w.pick([None, 1, 2]), w.pick([None, "10.0.0.1"]))
    w.do("insert into public.visits (page, customer_id, address, took) select %s, %s, %s::inet, "
         "interval '3 ms' from generate_series(1, %s)", *row, w.random.randint(1, 3))


# Any one of equal rows; the lock keeps the other threads' hands off it.
ONE_VISIT = ("where ctid = (select ctid from public.visits where page is not distinct from %s "
             "limit 1 for update skip locked)")


def change_visit(w):
    w.do("update public.visits set took = null, customer_id = %s " + ONE_VISIT,
         w.pick([None, 3]), w.pick([None, "/", "/🛍"]))


def forget_visit(w):
    w.do("delete from public.visits " + ONE_VISIT, w.pick([None, "/", "/🛍", "/p/1"]))


OPERATIONS = {new_customer: 10, new_order: 20, new_products: 4, advance_order: 16, restock: 8,
              new_manual: 4, renumber_product: 2, renumber_item: 4, swap_items: 3, move_payment: 5,
              change_customer: 8, delete_order: 4, visit: 8, change_visit: 2, forget_visit: 2}


class PortableWriter(Writer):
    portable = True


POSTGRES = Dialect(LOST, CLASH, OPERATIONS, Writer)
PORTABLE = POSTGRES._replace(writer=PortableWriter)


def with_savepoint(w, operations, one):
    """The work before and after the savepoint stays, what is in it goes."""
    simple = next(iter(operations))
    one(w)
    kept = len(w.changes)
    w.cursor.execute("savepoint here")
    w.pick(list(operations))(w)
    w.cursor.execute("savepoint inner_one")
    simple(w)
    w.cursor.execute("release savepoint inner_one")
    w.cursor.execute("rollback to savepoint here")
    del w.changes[kept:]
    simple(w)


class Load:
    """connect() gives a fresh connection of the dialect with autocommit off. rate: transactions a
    second over all threads (0: as fast as it goes). total: end after so many commits. reconnect: outlive
    restarts of the server; otherwise a lost connection ends the load, and stop() raises it."""

    def __init__(self, connect, seed=1, threads=2, rate=500, total=None, reconnect=False,
                 dialect=POSTGRES):
        self._dialect = dialect
        self._connect, self._reconnect = connect, reconnect
        self._interval = threads / rate if rate else 0
        self._total = total
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._moved = threading.Condition(self._lock)
        self._tally = Counter()
        self._inserted, self._deleted, self._operations = Counter(), Counter(), Counter()
        self._error = None
        self._threads = [threading.Thread(target=self._run, args=(f"{seed}/{n}",), daemon=True)
                         for n in range(threads)]

    def start(self):
        for t in self._threads:
            t.start()
        return self

    def stop(self):
        """Every thread finishes its transaction and ends. Returns the counts."""
        self._ending.set()
        return self.finish()

    def finish(self):
        """Waits until the total is reached (or the load has failed). Returns the counts."""
        for t in self._threads:
            t.join()
        if self._error:
            raise self._error
        return self.counts

    def wait(self, more, timeout=60):
        """Until that many further transactions are committed."""
        with self._moved:
            goal = self._tally["transactions"] + more
            if not self._moved.wait_for(lambda: self._error or self._tally["transactions"] >= goal,
                                        timeout):
                raise TimeoutError(f"the load did not commit {more} transactions in {timeout} s")
        if self._error:
            raise self._error

    @property
    def counts(self):
        with self._lock:
            t = self._tally
            return Counts(t["transactions"], t["rows"], dict(self._inserted), dict(self._deleted),
                          t["rolled_back"], t["refused"], t["unknown"], t["reconnects"],
                          dict(self._operations))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
            return
        self._ending.set()  # the first failure is the one to show
        for t in self._threads:
            t.join()

    def _run(self, seed):
        try:
            self._write(self._dialect.writer(seed))
        except Exception as e:  # handed to whoever stops or waits for the load
            with self._moved:
                self._error = self._error or e
                self._ending.set()
                self._moved.notify_all()

    def _write(self, w):
        connection = self._open()
        due = time.monotonic()
        while connection and not self._ending.wait(max(0, due - time.monotonic())):
            due = max(due + self._interval, time.monotonic() - 1)  # never catches up a long stop
            try:
                self._transaction(connection, w)
            except self._dialect.lost:
                if not self._reconnect:
                    raise
                connection.close()
                self._add("reconnects")
                connection = self._open()
        if connection:
            connection.close()

    def _open(self):
        while True:
            try:
                return self._connect()
            except self._dialect.lost:
                if not self._reconnect:
                    raise
            if self._ending.wait(0.05):
                return None

    def _transaction(self, connection, w):
        operations = self._dialect.operations
        operation = w.random.choices(list(operations), list(operations.values()))[0]
        w.changes = []
        try:
            with connection.cursor() as w.cursor:
                self._statements(w, operation)
            if w.random.random() < 0.04:
                connection.rollback()
                return self._add("rolled_back")
        except self._dialect.clash:  # with the other threads
            connection.rollback()
            return self._add("refused")
        self._commit(connection, w, operation)

    def _statements(self, w, operation):
        chance = w.random.random()
        if chance < 0.08:
            with_savepoint(w, self._dialect.operations, operation)
        else:
            operation(w)
        if 0.08 <= chance < 0.2:
            w.pick(list(self._dialect.operations))(w)

    def _commit(self, connection, w, operation):
        try:
            connection.commit()
        except self._dialect.clash:
            connection.rollback()
            return self._add("refused")
        except self._dialect.lost:  # nobody can say from here whether it is committed
            self._add("unknown")
            raise
        self._count(w, operation)

    def _add(self, what):
        with self._lock:
            self._tally[what] += 1

    def _count(self, w, operation):
        rows = sum(n for _, _, n in w.changes)
        if rows == 0:
            return
        with self._moved:
            self._tally["transactions"] += 1
            self._tally["rows"] += rows
            self._operations[operation.__name__] += 1
            for kind, table, n in w.changes:
                if kind != "update":
                    (self._inserted if kind == "insert" else self._deleted)[table] += n
            if self._total and self._tally["transactions"] >= self._total:
                self._ending.set()
            self._moved.notify_all()
