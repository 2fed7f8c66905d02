"""[cutover] check.NAME: the operator's queries, asked on both sides at the end of a verification."""
import json

from harness.until import until
from harness.verifying import Load, is_my, things, verify

SECRET = "Sevenfold"


def notes(s):
    """{check: detail}"""
    assert all(n["table"] is None for n in s["notes"] if n["kind"] == "check")
    return {n["name"]: n["detail"] for n in s["notes"] if n["kind"] == "check"}


def start(both, culvert, **checks):
    c = culvert(both.least(cutover={f"check.{k.replace('__', '.')}": v for k, v in checks.items()})).start()
    c.wait(lag=0)
    return c


def make(both):
    my = is_my(both.source)
    both.sql("create table orders (id int primary key, total numeric(12,4), paid " + ("tinyint(1)" if my else "boolean") +
             ", at " + ("datetime(6)" if my else "timestamp(6)") + ", code varchar(20), raw " + ("varbinary(9)" if my else "bytea") + ")")
    both.sql("insert into orders values " + ", ".join(
        f"({i}, {i}.2500, {'true' if i % 2 else 'false'}, '2024-02-29 10:11:12.{'500000' if i % 3 else '000000'}', 'code {i}', "
        + (f"x'00{i:02}')" if my else f"'\\x00{i:02}')") for i in range(1, 41)))


def test_what_is_the_same(way, culvert):
    """The engines write the same value in different ways; rows count in their order."""
    both = way
    make(both)
    both.sql("create table nothing (id int primary key)")
    c = start(both, culvert,
              sum="select sum(total), count(*), max(id) from orders; -- all of it",
              rows="select id, total, paid, at, code, raw, id > 5 from orders order by id",
              numbers="select 1e20, -0.0, 1.50, 2.5e-3",
              empty="select id from nothing",
              names__source="select count(*) from orders where id % 2 = 1",
              names__target="with o as (select * from orders) select count(*) from o where id % 2 = 1",
              null="select null, '', ' '")
    assert notes(verify(c)) == {}
    both.target_sql("update orders set total = total + 0.0001 where id = 7; delete from orders where id = 40;"
                    f"update orders set code = '{SECRET}' where id = 3")
    s = verify(c)
    assert s["differences"] == 3
    assert notes(s) == {"sum": "the two sides differ: row 1, column 'sum(total)'" if is_my(both.source)
                        else "the two sides differ: row 1, column 'sum'",
                        "rows": "the two sides differ: row 3, column 'code'"}
    text = c.ctl("verify", "status").stdout
    assert "check          rows: the two sides differ: row 3, column 'code'" in text and SECRET not in text + c.log_text()
    stored = both.target_sql("select source_name, row_key from culvert.verify_result where kind = 'check'")
    assert len(stored) == 2 and all(r[0] == "" for r in stored) and SECRET not in str(stored)
    assert notes(verify(c, "--table", f"{both.name if is_my(both.source) else 'public'}.orders")) == {}  # not of one table
    c.stop()
    c.start()
    c.wait(lag=0)
    both.target_sql("delete from orders where id in (1, 2)")
    assert notes(verify(c))["rows"] == "the two sides differ: row 1, column 'id'"
    c.kill9()  # what it found is there after a restart
    c.start()
    assert until(lambda: notes(json.loads(c.ctl("verify", "status", "--json").stdout)), 20, "the notes").keys() == {"sum", "rows", "names"}


HARMFUL = {  # what passes for a SELECT
    True: {"write": "select harm()", "many": "select a.id from orders a, orders b, orders c, orders d",
           "wrong": "select nothing from orders", "wide": "select repeat('x', 5000000)"},
    False: {"write": "select harm()", "hidden": "with x as (delete from orders returning 1) select * from x",
            "many": "select a.id from orders a, orders b, orders c, orders d", "wrong": "select nothing from orders",
            "wide": "select repeat('x', 5000000)", "counter": "select nextval('counter')",
            "mode": "select set_config('transaction_read_only', 'off', true), harm()"}}


def make_harm(run, my):
    if my:
        run("create function harm() returns int deterministic modifies sql data begin insert into orders (id) values (-1); return 1; end")
    else:
        run("create function harm() returns int language sql as 'insert into orders (id) values (-1) returning 1';"
            "create sequence counter; grant all on sequence counter to public; grant all on orders to public")


def test_queries_that_do_harm(way, culvert):
    """Each fails by itself, with its reason, and nothing is changed; the others go on."""
    both = way
    make(both)
    my = is_my(both.source)
    harm = HARMFUL[my]
    c = culvert(both.least(cutover={**{f"check.{k}": v for k, v in harm.items()},
                                    **{f"check.{k}.target": "select 1" for k in harm}, "check.z": "select count(*) from orders"}))
    make_harm(both.sql, my)
    if my:
        both.sql("grant execute on *.* to culvert@'127.0.0.1'")
    c.start()
    c.wait(lag=0)
    s = verify(c)
    found = notes(s)
    assert found.keys() == harm.keys(), found
    assert all(d.startswith("no answer on the source: ") for d in found.values()), found
    assert "10000 rows" in found["many"] and "4194304 bytes" in found["wide"] and "nothing" in found["wrong"]
    assert both.sql("select count(*) from orders") == both.target_sql("select count(*) from orders") == [(40,)]
    assert s["differences"] == 0
    if not my:
        assert both.sql("select is_called from counter") == [(False,)]


def test_under_load(way, culvert):
    """What is behind is no difference; what differs is one, beside it; what never stands still is undecided."""
    both = way
    things(both)
    both.sql("create table still (id int primary key, n int); insert into still values (1, 1), (2, 2)"
             if not is_my(both.source) else "create table still (id int primary key, n int)")
    if is_my(both.source):
        both.sql("insert into still values (1, 1), (2, 2)")
    c = start(both, culvert, still="select sum(n) from still", first="select count(*) from things where id < 50")
    with Load(both.sql, 100, 300):
        assert notes(verify(c)) == {}
        both.target_sql("update still set n = 3 where id = 1")
        assert list(notes(verify(c))) == ["still"]


def test_refused_by_the_configuration(pair, culvert):
    pair.sql("create table t (id int primary key)")
    c = culvert(pair.least(cutover={"check.a": "delete from t", "check.b": "select 1; select 2"}))
    code, text = c.check()
    assert code == 2
    for name in "ab":
        assert f"[cutover] check.{name}, on the source: it " in text
