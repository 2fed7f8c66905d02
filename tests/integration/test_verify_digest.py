"""Verification between servers of one engine: they compare ranges by digests of their own, and rows travel only
where those differ."""
import json

import pytest

from harness.until import until
from harness.verifying import Load, found, is_my, status, verified, verify

CHUNK = 5000  # rows that are read at once
DIGEST = {True: "sha1(concat(", False: "hashint4extended(0, "}


class Heard:
    """The statements of culvert that a server gets."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        if is_my(server):
            server.run("set global log_output = 'TABLE'; truncate mysql.general_log; set global general_log = 1")
        else:
            server.run(f"alter database {name} set log_statement = 'all'")
            with open(server.log) as f:
                self.begin = len(f.read())

    def statements(self, *words):
        if is_my(self.server):
            rows = self.server.run("select convert(argument using utf8mb4) from mysql.general_log where command_type = 'Query'")
            lines = [r[0] for r in rows]
        else:
            with open(self.server.log) as f:
                lines = f.read()[self.begin:].splitlines()
        return [x for x in lines if all(w in x for w in words)]

    def digests(self, table):
        return len(self.statements(DIGEST[is_my(self.server)], self.quoted(table)))

    def reads(self, table):
        """How many times all columns of a chunk were asked for."""
        return len(self.statements(f"from {self.quoted(table)}", f"limit {CHUNK}"))

    def quoted(self, table):
        return f"`{self.name}`.`{table}`" if is_my(self.server) else f'"public"."{table}"'

    def close(self):
        if is_my(self.server):
            self.server.run("set global general_log = 0; set global log_output = 'FILE'")


@pytest.fixture
def heard(alike):
    h = Heard(alike.source, alike.name)
    yield h
    h.close()


def many(both, n, table="many"):
    big = "bigint" if is_my(both.source) else "bigint"
    both.sql(f"create table {table} (id {big} primary key, k int, note varchar(60), code char(20), price decimal(12,2))")
    rows = ("with recursive s(i) as (select 1 union all select i + 1 from s where i < 1000) "
            "select a.i + 1000 * b.i as i from s a, s b")
    if is_my(both.source):
        both.sql(f"set max_recursive_iterations = 10000; insert into {table} select i, i % 97, if(i % 3 = 0, null, concat('n', i)), "
                 f"concat('c', i), i / 7 from ({rows}) x where i <= {n} + 1000")
    else:
        both.sql(f"insert into {table} select i, i % 97, case when i % 3 > 0 then 'n' || i end, 'c' || i, i / 7.0 "
                 f"from generate_series(1001, {n} + 1000) i")


def start(both, culvert, **more):
    c = culvert(both.least(**more)).start()
    c.wait(state="streaming")
    c.wait(lag=0)
    return c


def test_damage_in_ranges_is_named(alike, heard, culvert):
    """A few rows of many: their chunks are read, the others are not, and all rows count."""
    n = 41000
    many(alike, n)
    c = start(alike, culvert)
    s = verify(c)
    assert (s["rows_compared"], s["rows_total"], s["coverage"], s["differences"], s["items"]) == (n, n, 100, 0, [])
    assert heard.digests("many") == 1 and heard.reads("many") == 0
    alike.target_sql("update many set k = k + 1 where id = 12345; delete from many where id = 12346;"
                     "insert into many (id, k) values (1, 1), (100000, 1); update many set note = '' where id = 30000;"
                     "update many set price = price + 0.01 where id = 42000")
    s = verify(c)
    assert found(s) == {("differs", "12345"): ["k"], ("missing", "12346"): [], ("extra", "1"): [], ("extra", "100000"): [],
                        ("differs", "30000"): ["note"], ("differs", "42000"): ["price"]}
    assert (s["rows_compared"], s["rows_total"], s["coverage"]) == (n, n, 100)
    assert heard.digests("many") > 3 and 0 < heard.reads("many") < 8


PLAIN = "id int primary key, a bigint, b varchar(20), c varchar(20), d decimal(20,3), e varchar(20)"
TRICKS = {  # what is done to rows 1, 2, ... of a table of its own; what is found
    "t_exchanged": ("update {t} set a = 30 - a where id in (1, 2)", {("differs", "1"): ["a"], ("differs", "2"): ["a"]}),
    "t_texts": ("update {t} set b = case id when 1 then 'b2' else 'b1' end where id in (1, 2)",
              {("differs", "1"): ["b"], ("differs", "2"): ["b"]}),
    "t_columns": ("update {t} set b = 'c3', c = 'b3' where id = 3", {("differs", "3"): ["b", "c"]}),
    "t_moved": ("update {t} set b = 'b', c = '3c3' where id = 3", {("differs", "3"): ["b", "c"]}),
    "t_nothing": ("update {t} set e = '' where id = 4", {("differs", "4"): ["e"]}),
    "t_folded": ("update {t} set a = 10 * 4294967296 where id = 1", {("differs", "1"): ["a"]}),
    "t_sums": ("update {t} set a = a + case id when 3 then 1 else -1 end where id in (3, 4)",
             {("differs", "3"): ["a"], ("differs", "4"): ["a"]}),
    "t_digit": ("update {t} set d = d + 0.001 where id = 5", {("differs", "5"): ["d"]}),
    "t_blank": ("update {t} set b = concat(b, ' ') where id = 5", {("differs", "5"): ["b"]}),
    "t_case": ("update {t} set b = upper(b) where id = 6", {("differs", "6"): ["b"]}),
    "t_twice": ("delete from {t} where id in (7, 8); insert into {t} select * from {t} where id = 6;"
              "insert into {t} select * from {t} where id = 6 and a = 60 limit 1",
              {("missing", "7"): [], ("missing", "8"): [], ("extra", "6"): []}),
    "t_pair": ("insert into {t} (id, a) values (70, 1), (70, 1)", {("extra", "70"): []}),
    "t_key": ("update {t} set id = 90 where id = 9", {("missing", "9"): [], ("extra", "90"): []}),
}


@pytest.mark.long
def test_what_could_cancel_itself_out(alike, heard, culvert):
    """Each in a table of its own, where nothing else gives it away. Nothing forbids equal keys on the target."""
    for table in [*TRICKS, "whole"]:
        alike.sql(f"create table {table} ({PLAIN})")
        alike.sql(f"insert into {table} values " + ", ".join(
            f"({i}, {i}0, 'b{i}', 'c{i}', {i}.125, {'null' if i % 2 == 0 else repr(f'e{i}')})" for i in range(1, 10)))
    c = start(alike, culvert)
    s = verify(c)
    assert (s["differences"], s["rows_compared"]) == (0, 9 * len(s["tables"]))
    assert all(heard.digests(t) == 1 and heard.reads(t) == 0 for t in TRICKS)
    for table, (sql, _) in TRICKS.items():
        key = "drop primary key" if is_my(alike.target) else f"drop constraint {table}_pkey"
        alike.target_sql(f"alter table {table} {key}; {sql.format(t=table)}")
    s = verify(c)
    for table, (_, expected) in TRICKS.items():
        mine = {**s, "items": [i for i in s["items"] if i["table"].split(".")[1] == table]}
        assert found(mine) == expected, table
    assert not [i for i in s["items"] if i["table"].endswith("whole")]
    assert s["rows_compared"] == 9 * len(s["tables"])


def test_where_no_digest_is_asked_for(alike, heard, culvert):
    """Other types, filters, keys that the sides may sort in different ways; but other names do not matter."""
    my = is_my(alike.source)
    tables = {"same": "id int primary key, v varchar(20)", "wider": "id int primary key, v int",
              "wider_key": "id int primary key, v varchar(20)", "longer": "id int primary key, v varchar(20)",
              "filtered": "id int primary key, v varchar(20)", "renamed": "id int primary key, v varchar(20)",
              "words": "v varchar(20) primary key, id int", "bag": "id int, v varchar(20)"}
    for table, columns in tables.items():
        alike.sql(f"create table {table} ({columns})")
        alike.sql(f"insert into {table} (id, v) values (1, '1'), (2, '2'), (3, null)" if table not in ("words", "bag") else
                  f"insert into {table} (id, v) values (1, '1'), (2, '2')")
    if not my:
        alike.sql("alter table bag replica identity full; alter table filtered replica identity full")
    alike.target_sql("create table wider (id int primary key, v bigint); create table wider_key (id bigint primary key, v varchar(20));"
                     "create table longer (id int primary key, v varchar(30))")
    name = f"{alike.name}." if my else "public."
    c = start(alike, culvert, **{
        f"table {name}filtered": {"where": "id < 3"}, f"table {name}renamed": {"column.v.to": "w"}})
    s = verify(c)
    assert (s["differences"], s["undecided"]) == (0, 0)
    used = {t for t in tables if heard.digests(t)}
    assert used == {"same", "renamed"}
    alike.target_sql("update wider set v = v + 4294967296 where id = 2; update renamed set w = 'x' where id = 1;"
                     "update longer set v = '22' where id = 2")
    s = verify(c)
    assert sorted((i["table"].split(".")[1], i["kind"], i["key"]["id"], i["columns"]) for i in s["items"]) == [
        ("longer", "differs", "2", ["v"]), ("renamed", "differs", "1", ["v"]), ("wider", "differs", "2", ["v"])]


@pytest.mark.long
def test_other_texts_of_one_value(alike, heard, culvert):
    """A digest that differs is no difference: the rows decide."""
    my = is_my(alike.source)
    alike.sql("create table amounts (id int primary key, v double)" if my else
              "create table amounts (id int primary key, v varchar(5)[])")
    alike.sql("insert into amounts values (1, 0), (2, 1.5)" if my else "insert into amounts values (1, '{a,b}'), (2, '{}')")
    c = start(alike, culvert)
    assert verify(c)["differences"] == 0 and heard.digests("amounts") == 1 and heard.reads("amounts") == 0
    alike.target_sql("update amounts set v = 1.0 where id = 1; update amounts set v = -0e0 where id = 1" if my else
                     "update amounts set v = '[1:2]={a,b}'::varchar[] where id = 1")
    s = verify(c)
    assert s["differences"] == 0 and s["rows_compared"] == 2, s["items"]
    alike.target_sql("update amounts set v = 1.5000000000000002 where id = 2" if my else
                     "update amounts set v = '{\"\"}' where id = 2")
    assert found(verify(c)) == {("differs", "2"): ["v"]}


@pytest.mark.long
@pytest.mark.parametrize("alike", ["my-my"], indirect=True)
def test_a_row_that_has_no_digest(alike, heard, culvert):
    """Longer than max_allowed_packet, beyond which the MySQL family makes NULL of a text: on both sides nothing, but
    not the same."""
    alike.sql("create table wide (id int primary key, a longtext, b longtext)")
    alike.sql("insert into wide values (1, repeat('a', 700000), repeat('b', 700000)), (2, 'a', 'b')")
    c = start(alike, culvert)
    assert verify(c)["differences"] == 0 and heard.reads("wide") == 0
    alike.target_sql("update wide set b = concat('x', substring(b, 2)) where id = 1")
    try:
        for server in (alike.source, alike.target):
            server.run("set global max_allowed_packet = 1048576")
        s = verify(c)
    finally:
        for server in (alike.source, alike.target):
            server.run("set global max_allowed_packet = 16777216")
    assert found(s) == {("differs", "1"): ["b"]} and heard.digests("wide") == 2


@pytest.mark.long
def test_load_while_ranges_are_compared(alike, culvert):
    """Rows on the move are no differences, and do not hide one that is."""
    many(alike, 30000)
    c = start(alike, culvert)
    alike.target_sql("update many set k = -1 where id = 30500; delete from many where id = 1500")
    with Load(lambda sql: alike.sql(sql.replace("name", "note")), 2000, 30000, table="many"):
        for _ in range(5):
            s = verify(c, timeout=120)
            assert found({**s, "items": [i for i in s["items"]]}) == {("differs", "30500"): ["k"], ("missing", "1500"): []}


@pytest.mark.long
def test_rate_counts_rows_of_digests(alike, culvert):
    """The rate holds, a restart goes on where it was, and no row counts twice."""
    many(alike, 30000)
    c = start(alike, culvert, verify={"rate": "8000"})
    alike.target_sql("delete from many where id = 30999")
    c.ctl("verify", "start")
    first = until(lambda: (s := status(c))["rows_compared"] > 0 and s, 20, "rows")
    assert first["state"] == "running" and first["rows_compared"] < 20000
    until(lambda: (r := alike.target_sql("select rows_compared from culvert.verify_table")[0][0]) and r > 4000, 20, "a stored place")
    c.kill9()
    c.start()
    until(lambda: status(c)["tables"], 20, "what was known")
    s = verified(c)
    assert s["state"] == "done" and s["rows_compared"] == 30000 and found(s) == {("missing", "30999"): []}
    assert json.dumps(s["items"]).count("30999") == 1


def gaps(both):
    """Keys one behind the other, then far apart, then a long way off: {from: (how many, how far apart)}"""
    parts = {-100000: (250000, 1), 10**12: (3000, 10**6), 2 * 10**12: (120000, 2), 9 * 10**18: (90000, 1)}
    for first, (n, apart) in parts.items():
        numbers = f"(select cast(seq as signed) as i from seq_0_to_{n - 1}) as s" if is_my(both.source) else f"generate_series(0::bigint, {n - 1}) as s(i)"
        both.sql(f"insert into many (id, k) select {first} + i * {apart}, i % 97 from {numbers}")
    return parts


@pytest.mark.long
def test_keys_with_gaps(alike, heard, culvert):
    """Where a span ends is reckoned where keys are dense, and asked for where they are not; no row is left out."""
    many(alike, 0)
    parts = gaps(alike)
    n = sum(x for x, _ in parts.values())
    c = start(alike, culvert)
    s = verify(c)
    assert (s["rows_compared"], s["differences"], s["coverage"]) == (n, 0, 100)
    asked, digests = len(heard.statements("limit 1 offset")), heard.digests("many")
    assert heard.reads("many") == 0 and asked < digests and digests < 2 * n / 80000 + 8, (asked, digests)
    wanted = {}
    for first, (x, apart) in parts.items():
        last = first + (x - 1) * apart
        alike.target_sql(f"update many set k = -1 where id = {first}; delete from many where id = {last};"
                         f"insert into many (id, k) values ({last + 1}, 1)")
        wanted |= {("differs", str(first)): ["k"], ("missing", str(last)): [], ("extra", str(last + 1)): []}
    assert found(verify(c)) == wanted
