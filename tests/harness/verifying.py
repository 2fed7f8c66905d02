"""Verification as the tests see it: a table of many types on both sides, a load, damage."""
import json
import random
import threading

from .until import until

COLUMNS = {
    True: "id int primary key, name varchar(200) character set utf8mb4, price decimal(20,6), at datetime(6), "
          "moment timestamp(6) null, note text character set utf8mb4, code varchar(60), doc json, amount double",
    False: "id int primary key, name varchar(200), price numeric(20,6), at timestamp(6), moment timestamptz(6), "
           "note text, code varchar(60), doc json, amount double precision"}


def is_my(server):
    return hasattr(server, "engine")


class Load(threading.Thread):
    """Changes rows, adds some and takes some away, until it is told to stop. Rows of an ID below
    `first` are left alone."""

    def __init__(self, sql, first, last, seed=1, table="things"):
        super().__init__(daemon=True)
        self.sql, self.first, self.last, self.table = sql, first, last, table
        self.random, self.over, self.error, self.n = random.Random(seed), threading.Event(), None, 0

    def one(self):
        r, id = self.random, self.random.randint(self.first, self.last)
        kind = r.random()
        if kind < 0.3:
            return f"delete from {self.table} where id = {id}"
        if kind < 0.6:  # to and fro: a row that comes back as it was
            return f"update {self.table} set price = {r.choice((1, 2))}, code = '{r.choice('ab')}' where id = {id}"
        if kind < 0.8:
            return f"update {self.table} set name = 'n{r.randint(0, 999)}' where id = {id}"
        return (f"insert into {self.table} (id, name, price, code) select {id}, 'back', 1, 'a' "
                f"where not exists (select 1 from {self.table} where id = {id})")

    def run(self):
        try:
            while not self.over.is_set():
                statements = [self.one() for _ in range(self.random.randint(1, 5))]
                try:
                    self.sql("begin; " + "; ".join(statements) + "; commit")
                except Exception as e:  # of two loads on one table: one was faster
                    if "uplicate" not in str(e) and "eadlock" not in str(e):
                        raise
                self.n += 1
        except Exception as e:  # shown by stop()
            self.error = e

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        if self.error:
            raise self.error


def things(both, n=300, table="things"):
    """Makes and fills the table on the source."""
    both.sql(f"create table {table} ({COLUMNS[is_my(both.source)]})")
    rows = [f"({i}, 'row {i} \U0001f600', {i}.123456, '2024-02-29 10:11:12.{i:06}', "
            f"'2024-07-01 00:00:00.5{'' if is_my(both.source) else '+00'}', {'null' if i % 2 else repr('note')}, 'code {i}', "
            f"'{{\"n\": 1, \"s\": \"x\"}}', {i}.1)" for i in range(1, n + 1)]
    for i in range(0, n, 1000):
        both.sql(f"insert into {table} values " + ", ".join(rows[i:i + 1000]))


def status(culvert):
    return json.loads(culvert.ctl("verify", "status", "--json").stdout)


def verified(culvert, timeout=60):
    """Until the verification has ended; its status."""
    return until(lambda: (s := status(culvert))["state"] != "running" and s, timeout, "the end of the verification",
                 every=0.05)


def verify(culvert, *arguments, timeout=60):
    culvert.ctl("verify", "start", *arguments)
    s = verified(culvert, timeout)
    assert s["state"] == "done", s["error"]
    return s


def nothing_differs(culvert, timeout=120):
    """culvert itself finds both sides the same. How many rows it compared."""
    s = verify(culvert, timeout=timeout)
    assert (s["differences"], s["undecided"], s["items"]) == (0, 0, []), s["items"][:20]
    assert s["coverage"] == 100
    return s["rows_compared"]


def found(s):
    """{(kind, id): columns}, of one table."""
    return {(i["kind"], i["key"].get("id")): i["columns"] for i in s["items"]}
