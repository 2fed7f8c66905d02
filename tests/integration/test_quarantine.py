"""[table] on_conflict = quarantine: what the target refuses for its row goes to culvert.quarantine, in
all four directions."""
import json
import random

import pytest

from harness.compare import compare
from harness.until import until
from integration.conftest import is_my, make_way

MARK = "Sevenfold"  # a value of every row that is refused: never in a log or an answer
SETUP = ("create table good (id int primary key, v int, note varchar(40));"
         "create table t (id int primary key, v int, note varchar(40))")


class Shop:
    """The database of a pair or cross, with a pipeline that has table t quarantined."""

    def __init__(self, both, culvert, policy="quarantine", **more):
        self.both, self.sql, self.target_sql = both, both.sql, both.target_sql
        both.sql(SETUP + "; insert into t values (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')")
        source = f"{both.name}.t" if is_my(both.source) else "public.t"
        config = both.least(**{f"table {source}": {"on_conflict": policy}, **more})
        self.culvert = culvert(config).start()
        self.culvert.wait(lag=0)
        self.target = f"{both.name}.t" if is_my(both.target) else "public.t"

    def refuse(self, negative=True, unique=False):
        """Rules that the target alone has."""
        if negative:
            self.target_sql("alter table t add constraint positive check (v >= 0)")
        if unique:
            self.target_sql("create unique index only_one on t (note)")

    def allow(self):
        self.target_sql("alter table t drop constraint positive")

    def list(self, *more):
        answer = json.loads(self.culvert.ctl("quarantine", "list", "--json", *more).stdout)
        assert MARK not in json.dumps(answer)
        return answer["items"]

    def rows(self):
        """Of culvert.quarantine itself."""
        return self.target_sql("select id, table_name, operation, row_key, old_row, new_row, position, code, "
                               "message from culvert.quarantine order by id")

    def keys(self):
        return [(r[2], json.loads(r[3]) if isinstance(r[3], str) else r[3]) for r in self.rows()]

    def status(self):
        return self.culvert.status()

    def done(self, count=0):
        self.culvert.wait(lag=0)
        until(lambda: self.status()["quarantined"] == count, 10, f"{count} changes in quarantine")

    def compare(self):
        """Every row and column, and no value in the log."""
        assert MARK not in self.culvert.log_text()
        if not hasattr(self.both, "direction"):
            return compare(self.both.source, self.both.target, self.both.name)
        return self.both.compare()


def test_what_is_refused_waits_and_the_rest_goes_on(every_way, culvert):
    shop = Shop(every_way, culvert)
    shop.refuse()
    shop.sql(f"begin; insert into t values (10, 10, 'fine'); insert into t values (11, -1, '{MARK}');"
             "insert into good values (1, 1, 'also'); insert into t values (12, 12, 'fine'); commit")
    shop.sql(f"update t set v = 5 where id = 11; update t set v = -7, note = '{MARK}' where id = 1;"
             "update t set v = 22 where id = 2; delete from t where id = 1; insert into t values (1, 100, 'again')")
    shop.done(5)
    assert [op for op, _ in shop.keys()] == ["insert", "update", "update", "delete", "insert"]
    assert [int(key["id"]) for _, key in shop.keys()] == [11, 11, 1, 1, 1]
    rows = shop.rows()
    assert rows[0][7] and "positive" in rows[0][8] and rows[1][7] == "" and "earlier change" in rows[1][8]
    new = json.loads(rows[0][5]) if isinstance(rows[0][5], str) else rows[0][5]
    assert new == {"id": "11", "v": "-1", "note": MARK}
    assert sorted(shop.target_sql("select id, v from t")) == [(1, 1), (2, 22), (3, 3), (10, 10), (12, 12)]
    assert shop.target_sql("select count(*) from good") == [(1,)]
    assert shop.culvert.ctl("status", "--check", check=False).returncode == 1
    assert "culvert_quarantined_changes" in shop.culvert.ctl("metrics").stdout
    assert MARK not in shop.culvert.log_text()


def chaos(shop, rounds, seed, bad=1):
    """Some good and some bad changes, keys that move among them, in transactions of several."""
    random.seed(seed)
    live = {r[0] for r in shop.sql("select id from t")}
    for n in range(rounds):
        statements, mine = [], set(live)
        for _ in range(random.randint(1, 6)):
            value = random.choice((random.randint(0, 99), random.randint(0, 99), -bad * random.randint(1, 99)))
            kind, id = random.random(), random.choice(sorted(mine) or [0])
            fresh = random.randint(1, 60)
            if kind < 0.4 and fresh not in mine:
                statements.append(f"insert into t values ({fresh}, {value}, '{MARK}{n}')")
                mine.add(fresh)
            elif kind < 0.7 and id in mine:
                statements.append(f"update t set v = {value} where id = {id}")
            elif kind < 0.85 and id in mine and fresh not in mine:
                statements.append(f"update t set id = {fresh} where id = {id}")
                mine = mine - {id} | {fresh}
            elif id in mine:
                statements.append(f"delete from t where id = {id}")
                mine.discard(id)
        statements.append(f"insert into good values ({1000 * seed + n}, {n}, 'x')")
        shop.sql("begin; " + "; ".join(statements) + "; commit")
        live = mine


def retry_all(shop):
    shop.culvert.ctl("quarantine", "retry")
    assert shop.list() == [] and shop.status()["quarantined"] == 0


def test_retry_after_mending(way, culvert):
    shop = Shop(way, culvert)
    shop.refuse()
    shop.sql(f"insert into t values (11, -1, '{MARK}'); update t set v = 5 where id = 11; update t set id = 12 where id = 11;"
             f"update t set v = -2 where id = 1; update t set id = 4 where id = 1; insert into t values (1, 1, 'new one');"
             "update t set v = 44 where id = 4; update t set v = 9 where id = 2; delete from t where id = 3")
    shop.done(7)
    assert [(i["operation"], i["key"]["id"]) for i in shop.list()] == [
        ("insert", "11"), ("update", "11"), ("update", "11"), ("update", "1"), ("update", "1"), ("insert", "1"),
        ("update", "4")]
    r = shop.culvert.ctl("quarantine", "retry", check=False)
    assert r.returncode == 1 and "refused again" in r.stderr and "positive" in r.stderr, r
    assert MARK not in r.stderr
    assert [i["attempts"] for i in shop.list()][0] == 1 and shop.list()[0]["tried_at"]
    shop.allow()
    ids = [str(i["id"]) for i in shop.list()]
    assert shop.culvert.ctl("quarantine", "retry", ids[0], "999999", check=False).returncode == 4
    r = shop.culvert.ctl("quarantine", "retry", ids[1], check=False)
    assert r.returncode == 1 and "wait behind" in r.stderr
    shop.culvert.ctl("quarantine", "retry", ids[0], ids[1])
    shop.sql("update t set v = 6 where id = 12")  # its key is still there: it moved
    shop.done(6)
    retry_all(shop)
    shop.sql("update t set v = -6 where id = 12; update t set v = v + 1")
    shop.done()
    assert shop.compare() == 4


def test_kill_at_any_moment(every_way, culvert, seed=1):
    """Exactly once: nothing is lost between t and the quarantine, nothing is there twice."""
    shop = Shop(every_way, culvert, apply={"error_threshold": "1"})
    shop.refuse()
    for n in range(4):
        chaos(shop, 25, 10 * seed + n)
        if n % 2 == 0:
            until(lambda: shop.status()["lag"]["transactions"] != 0 or shop.status()["quarantined"], 5, "work")
        shop.culvert.kill9()
        chaos(shop, 5, 10 * seed + n + 5)
        shop.culvert.start()
    shop.culvert.wait(lag=0)
    assert shop.status()["quarantined"] == len(shop.rows()) > 10
    shop.culvert.stop()
    shop.culvert.start()
    chaos(shop, 20, 77)
    shop.culvert.wait(lag=0)
    shop.allow()
    retry_all(shop)
    chaos(shop, 20, 78)
    shop.done()
    assert shop.compare() > 100


@pytest.mark.long
def test_retry_while_the_stream_goes_on(way, culvert):
    shop = Shop(way, culvert, apply={"error_threshold": "1"})
    shop.refuse()
    chaos(shop, 30, 5)
    shop.culvert.wait(lag=0)
    assert shop.status()["quarantined"] > 5
    shop.allow()
    for n in range(4):
        chaos(shop, 15, 20 + n)
        shop.culvert.ctl("quarantine", "retry")
    shop.done()
    assert shop.compare() > 60


@pytest.mark.long
def test_discard(way, culvert):
    shop = Shop(way, culvert)
    shop.refuse()
    shop.sql(f"insert into t values (11, -1, '{MARK}'); update t set v = -2 where id = 1; update t set v = 22 where id = 1")
    shop.done(3)
    first, second, third = (str(i["id"]) for i in shop.list())
    for wrong in ("0", "", "x", "1 2"):
        assert shop.culvert.ctl("quarantine", "discard", wrong, check=False).returncode == 2
    assert shop.culvert.ctl("quarantine", "discard", "--table", "nowhere.x", check=False).returncode == 4
    r = shop.culvert.ctl("quarantine", "discard", second)
    assert "may differ" in r.stdout
    shop.culvert.ctl("quarantine", "retry", third)
    shop.culvert.ctl("quarantine", "discard", "--table", f"{way.name}.t" if is_my(way.source) else "public.t")
    assert shop.rows() == []
    shop.sql("delete from t where id = 11; update t set v = 1 where id = 1")
    shop.done(1)  # a row that the target never had
    assert shop.list()[0]["operation"] == "delete" and "not there" in shop.list()[0]["message"]
    shop.culvert.ctl("quarantine", "discard")
    shop.done()
    assert shop.compare() == 3


def test_unique_index_of_the_target_and_rows_that_are_not_there(way, culvert):
    shop = Shop(way, culvert)
    shop.refuse(negative=False, unique=True)
    shop.target_sql("delete from t where id = 3")
    shop.sql(f"insert into t values (4, 4, 'one'); update t set v = 33 where id = 3; insert into t values (5, 5, '{MARK}');"
             "update t set note = 'two' where id = 1; insert into good values (1, 1, 'x')")
    shop.done(3)
    assert sorted(op for op, _ in shop.keys()) == ["insert", "update", "update"]
    assert shop.target_sql("select count(*) from good") == [(1,)]
    shop.target_sql("insert into t values (3, 3, 'three'); "
                    + ("drop index only_one on t" if is_my(way.target) else "drop index only_one"))
    retry_all(shop)
    assert shop.compare() == 6


def test_threshold_pauses(way, culvert):
    shop = Shop(way, culvert, apply={"error_threshold": "0.0003"})
    shop.refuse()
    shop.sql(";".join(f"insert into t values ({n}, -1, '{MARK}')" for n in range(20, 23)))
    shop.done(3)
    assert shop.status()["state"] == "streaming"
    shop.sql(f"insert into t values (30, -1, '{MARK}')")
    until(lambda: shop.status()["state"] == "paused", 20, "the pause")
    s = shop.status()
    assert "error_threshold" in s["error"]["message"] and "quarantine list" in s["next"], s
    shop.sql("insert into t values (31, 31, 'waits')")
    assert shop.target_sql("select count(*) from t where id = 31") == [(0,)]
    shop.culvert.ctl("resume")
    shop.done(4)
    assert shop.status()["error"] is None and shop.status()["state"] == "streaming"
    shop.culvert.ctl("pause")
    shop.allow()
    retry_all(shop)
    assert shop.status()["state"] == "paused"
    shop.culvert.ctl("resume")
    shop.done()
    assert shop.compare() == 8


def test_truncate_ends_a_tables_quarantine(way, culvert):
    shop = Shop(way, culvert)
    shop.refuse()
    shop.sql(f"insert into t values (11, -1, '{MARK}'); update t set v = -2 where id = 1")
    shop.done(2)
    shop.sql("truncate table t") if is_my(way.source) else shop.sql("truncate t")
    shop.sql("insert into t values (1, 1, 'again'), (11, 11, 'again')")
    shop.done()
    assert shop.rows() == [] and shop.compare() == 2
    assert "2 changes of it that were in quarantine are void" in shop.culvert.log_text()


BYTES = {"pg": "bytea", "my": "blob"}


@pytest.mark.long
def test_values_come_back_exactly(way, culvert):
    """Bytes, NULL and characters of all kinds, through JSON and back."""
    engine = "my" if is_my(way.source) else "pg"
    way.sql(f"create table b (id int, code varchar(20), v int, raw {BYTES[engine]}, note text, primary key (id, code))")
    source = f"{way.name}.b" if is_my(way.source) else "public.b"
    shop = Shop(way, culvert, **{f"table {source}": {"on_conflict": "quarantine"}})
    shop.target_sql("alter table b add constraint positive_b check (v >= 0)")
    for id, raw, note in ((1, bytes(range(256)), "a\\b'\"\n\t\x7f`é😀"), (2, b"", ""), (3, None, None), (4, b"\0", "x" * 30000)):
        shop.sql("insert into b values (%s, %s, -1, %s, %s)", id, f"K {id} \\'", raw, note)
    shop.sql("update b set note = 'y' where id = 1; update b set code = 'moved', v = 8 where id = 2")
    shop.done(6)
    shop.target_sql("alter table b drop constraint positive_b")
    retry_all(shop)
    shop.sql("update b set v = v + 1")
    shop.done()
    assert shop.compare() == 7


@pytest.mark.long
def test_a_transaction_in_many_pieces(way, culvert):
    shop = Shop(way, culvert, apply={"error_threshold": "1", "batch_bytes": "64KiB"}, queue={"memory": "1MiB"})
    shop.refuse()
    numbers = ("(select a.n + 10 * b.n + 100 * c.n + 1000 * d.n as n from {0} a, {0} b, {0} c, {0} d) as s".format(
        "(select 0 as n " + " ".join(f"union all select {i}" for i in range(1, 10)) + ")"))
    shop.sql(f"insert into t select n + 10, case when n % 1000 = 7 then -1 else n end, '{MARK}' from {numbers}")
    shop.sql("update t set v = v + 1 where id > 9000")
    shop.done(11)
    shop.allow()
    retry_all(shop)
    assert shop.compare() == 10003


@pytest.mark.long
def test_other_tables_stop_as_ever(way, culvert):
    """Nothing of the transaction is there then, and nothing twice after resume."""
    shop = Shop(way, culvert)
    shop.refuse()
    shop.target_sql("alter table good add constraint small check (v < 10)")
    shop.sql(f"begin; insert into t values (11, -1, '{MARK}'); insert into good values (1, 100, 'x'); commit")
    shop.culvert.wait_error("small")
    assert shop.rows() == []
    shop.target_sql("alter table good drop constraint small")
    shop.culvert.ctl("resume")
    shop.done(1)
    assert len(shop.rows()) == 1 and shop.target_sql("select count(*) from good") == [(1,)]
    shop.culvert.stop()
    del shop.culvert.config[next(k for k in shop.culvert.config if k.startswith("table "))]
    shop.culvert.write()
    shop.culvert.start()  # on_conflict = stop again: what follows a change that waits waits, too
    shop.sql("update t set v = 3 where id = 11")
    shop.done(2)
    shop.allow()
    retry_all(shop)
    assert shop.compare() == 5


def test_tables_without_a_key_are_refused(way, culvert):
    way.sql("create table k (v int)")
    if not is_my(way.source):
        way.sql("alter table k replica identity full")
    source = f"{way.name}.k" if is_my(way.source) else "public.k"
    c = culvert(way.config(**{f"table {source}": {"on_conflict": "quarantine"}})).start()
    c.wait(lag=0)
    way.sql("insert into k values (1)")
    error = c.wait_error("has no key that both sides have")
    assert error["class"] == "config" and error["table"].endswith(".k")
    c.stop()
    c.config[f"table {source}"]["on_conflict"] = "stop"
    c.write()
    c.start()
    c.wait(lag=0)
    assert way.target_sql("select v from k") == [(1,)]


def test_tables_with_cascades_are_refused(from_my, culvert):
    from_my.sql("create table p (id int primary key); create table c (id int primary key, p int, "
                "foreign key (p) references p (id) on delete cascade)")
    c = culvert(from_my.config(**{f"table {from_my.name}.c": {"on_conflict": "quarantine"}})).start()
    c.wait(lag=0)
    from_my.sql("insert into p values (1); insert into c values (1, 1)")
    assert c.wait_error("CASCADE")["table"] == f"{from_my.name}.c"


@pytest.mark.long
def test_more_rows_than_may_wait(pair, culvert):
    shop = Shop(pair, culvert)
    shop.culvert.terminate()
    shop.target_sql("insert into culvert.quarantine (pipeline, table_schema, table_name, operation, row_key, old_full, "
                    "shape, position, xid, committed_at, code, message, row_id) select 'shop', 'public', 't', 'insert', "
                    "'{}', false, '', '', 1, now(), '', 'x', n from generate_series(1, 100001) as n")
    shop.culvert.start()
    shop.culvert.wait_error("more than 100000 rows are in quarantine")
    answer = json.loads(shop.culvert.ctl("quarantine", "list", "--json").stdout)
    assert answer["changes"] == 100001 and len(answer["items"]) == 1000 and answer["items_truncated"]
    shop.culvert.ctl("quarantine", "discard", str(answer["items"][0]["id"]))
    shop.culvert.ctl("resume")
    shop.done(100000)
    shop.culvert.ctl("quarantine", "discard")
    shop.done()
    assert shop.compare() == 3


# ---- values that have no place on the target: kept as the source had them ----

class Narrow(Shop):
    """The target's column v, made by the operator, holds less than the source's."""

    def __init__(self, both, culvert, **more):
        self.pg_pair = not hasattr(both, "direction")  # the server refuses there: nothing is converted
        both.target_sql("create table t (id int primary key, v smallint, note varchar(40))")
        super().__init__(both, culvert, **more)

    def widen(self):
        self.target_sql("alter table t modify v int" if is_my(self.both.target) else "alter table t alter v type int")

    def sources(self):
        return [r[0] for r in self.target_sql("select source from culvert.quarantine order by id")]


def test_values_without_a_place_wait(every_way, culvert):
    shop = Narrow(every_way, culvert)
    shop.sql(f"begin; insert into t values (10, 10, 'fine'); insert into t values (11, 70000, '{MARK}');"
             "insert into good values (1, 1, 'also'); insert into t values (12, 12, 'fine'); commit")
    shop.sql(f"update t set note = 'b' where id = 11; update t set v = -70000, note = '{MARK}' where id = 1;"
             "update t set v = 22 where id = 2; update t set v = 5 where id = 1; update t set id = 4 where id = 1;"
             "update t set v = 70001 where id = 12; delete from t where id = 12; delete from t where id = 3")
    shop.done(7)
    assert [(op, int(key["id"])) for op, key in shop.keys()] == [
        ("insert", 11), ("update", 11), ("update", 1), ("update", 1), ("update", 1), ("update", 12), ("delete", 12)]
    items = shop.list()
    for n in (0, 2, 5):
        assert shop.pg_pair or "column 'v'" in items[n]["message"], items
    assert "earlier change" in items[4]["message"] and "earlier change" in items[6]["message"]
    engine = None if shop.pg_pair else getattr(every_way.source, "engine", "postgresql")
    assert [shop.sources()[n] for n in (0, 2, 4, 5, 6)] == [engine, engine, None, engine, None]
    assert sorted(shop.target_sql("select id, v from t")) == [(1, 1), (2, 22), (10, 10), (12, 12)]
    assert shop.target_sql("select count(*) from good") == [(1,)]
    r = shop.culvert.ctl("quarantine", "retry", check=False)
    assert r.returncode == 1 and "refused again" in r.stderr, r
    assert [i["attempts"] for i in shop.list()] == [1, 0, 1, 0, 0, 1, 0]
    shop.widen()
    ids = [str(i["id"]) for i in shop.list()]
    shop.culvert.ctl("quarantine", "discard", *ids[5:])
    retry_all(shop)
    shop.sql("delete from t where id = 4")
    shop.target_sql("delete from t where id = 12")
    shop.culvert.stop()
    shop.culvert.start()  # the stream knows the wider column from its start on
    shop.sql("insert into t values (13, 70000, 'goes at once')")
    shop.done()
    assert shop.compare() == 5


def test_what_only_the_row_before_had_is_not_needed(every_way, culvert):
    """After a discard the target has an older row; a later change of the source's brings it up to date."""
    shop = Narrow(every_way, culvert)
    shop.sql("update t set v = 70000 where id = 1; update t set v = 70000 where id = 2")
    shop.done(2)
    shop.culvert.ctl("quarantine", "discard")
    shop.sql("update t set v = 6, note = 'mended' where id = 1; delete from t where id = 2")
    shop.done()
    assert shop.compare() == 2


@pytest.mark.long
def test_values_without_a_place_through_the_disk_and_kills(every_way, culvert):
    shop = Narrow(every_way, culvert, apply={"error_threshold": "1"}, queue={"acknowledge": "queued"})
    for n in range(4):
        chaos(shop, 25, 10 + n, bad=100000)
        shop.culvert.kill9()
        chaos(shop, 5, 20 + n, bad=100000)
        shop.culvert.start()
    shop.culvert.wait(lag=0)
    assert shop.status()["quarantined"] == len(shop.rows()) > 10
    assert shop.pg_pair or len([s for s in shop.sources() if s]) > 5
    shop.widen()
    chaos(shop, 20, 77, bad=100000)
    shop.culvert.wait(lag=0)
    retry_all(shop)
    shop.culvert.kill9()
    shop.culvert.start()
    chaos(shop, 20, 78, bad=100000)
    shop.done()
    assert shop.compare() > 100


def test_a_key_without_a_place_stops(cross, culvert):
    """Nobody could tell which later changes are of that row."""
    cross.target_sql("create table t (id smallint primary key, v int, note varchar(40))")
    shop = Shop(cross, culvert)
    shop.sql("insert into t values (4, 4, 'fine')")
    shop.culvert.wait(lag=0)
    shop.sql(f"insert into t values (70000, 5, '{MARK}')")
    error = shop.culvert.wait_error("a value of the key")
    assert error["class"] == "data" and "column 'id'" in error["message"] and error["table"] == shop.target
    assert shop.rows() == [] and shop.target_sql("select count(*) from t") == [(4,)]
    shop.target_sql("alter table t modify id int" if is_my(cross.target) else "alter table t alter id type int")
    shop.culvert.ctl("resume")
    shop.done()
    assert shop.compare() == 5


class Copied(Shop):
    """Rows from before the start that the target has no place for."""

    def __init__(self, both, culvert, rows, bad, key="int", wait=True, **more):
        self.both, self.sql, self.target_sql = both, both.sql, both.target_sql
        both.target_sql(f"create table t (id {key} primary key, v smallint, note varchar(40))")
        both.sql("create table t (id int primary key, v int, note varchar(40))")
        for first in range(1, rows + 1, 1000):
            both.sql("insert into t values " + ", ".join(
                f"({n}, {70000 if n in bad else n % 1000}, '{MARK}')" for n in range(first, min(first + 1000, rows + 1))))
        self.culvert = culvert(both.least(**{f"table {both.qualified('t')}": {"on_conflict": "quarantine"}, **more})).start()
        if wait:
            self.culvert.wait(lag=0)

    def widen(self):
        self.target_sql("alter table t modify v int" if is_my(self.both.target) else "alter table t alter v type int")


def test_rows_of_the_copy_wait(cross, culvert):
    shop = Copied(cross, culvert, 3000, {1, 7, 1500, 3000}, apply={"error_threshold": "0.01"})
    shop.done(4)
    assert [(op, int(key["id"])) for op, key in shop.keys()] == [("insert", n) for n in (1, 7, 1500, 3000)]
    assert {i["message"].split(":")[0] for i in shop.list()} == {"column 'v'"} and shop.list()[0]["position"]
    assert shop.target_sql("select count(*) from t") == [(2996,)]
    shop.sql("update t set v = 5 where id in (7, 8); delete from t where id = 1500; insert into t values (4000, 1, 'new')")
    shop.done(6)  # the later changes of such rows follow
    shop.culvert.kill9()
    shop.culvert.start()
    shop.done(6)
    shop.widen()
    retry_all(shop)
    assert shop.compare() == 3000


@pytest.mark.long
def test_a_copy_that_begins_again(cross, culvert):
    """What it has set aside is there once."""
    shop = Copied(cross, culvert, 60000, set(range(500, 60000, 997)), wait=False, apply={"error_threshold": "1"})
    for n in range(3):
        until(lambda: shop.culvert.log_text().count("-> copying") > n or "the copy is complete" in shop.culvert.log_text(), 60,
              "the copy")
        shop.culvert.kill9()
        shop.culvert.start()
    shop.done(60)
    shop.widen()
    retry_all(shop)
    assert shop.compare() == 60000


@pytest.mark.long
def test_a_new_copy_forgets_what_waited(cross, culvert):
    shop = Copied(cross, culvert, 100, {7}, tables={"existing": "truncate"})
    shop.sql("update t set v = 8 where id = 7")
    shop.done(2)
    shop.culvert.terminate()
    tables = "culvert.`tables`" if is_my(cross.target) else "culvert.tables"
    shop.target_sql(f"delete from {tables}; delete from culvert.checkpoint; delete from culvert.copy" if not is_my(cross.target)
                    else f"delete from {tables}; delete from culvert.checkpoint; delete from culvert.`copy`")
    if not is_my(cross.source):
        shop.sql("select pg_drop_replication_slot('culvert_shop')")
    shop.culvert.start()
    shop.done()
    assert shop.compare() == 100


def test_too_many_rows_of_the_copy(cross, culvert):
    shop = Copied(cross, culvert, 300, set(range(1, 301)), wait=False, apply={"error_threshold": "0.001"})
    error = shop.culvert.wait_error("more than apply.error_threshold (0.001)")
    assert error["class"] == "data" and error["table"] == cross.qualified("t")
    assert shop.rows() == []
    shop.culvert.config["apply"]["error_threshold"] = "1"
    shop.culvert.write()
    shop.culvert.ctl("reload")
    shop.culvert.ctl("resume")
    shop.done(300)
    shop.widen()
    retry_all(shop)
    assert shop.compare() == 300


@pytest.mark.long
def test_rows_of_the_copy_whose_key_has_no_place(cross, culvert):
    shop = Copied(cross, culvert, 40000, set(), key="smallint", wait=False)
    error = shop.culvert.wait_error("a value of the key")
    assert error["key"] == "id=32768" and shop.rows() == []
    shop.target_sql("alter table t modify id int" if is_my(cross.target) else "alter table t alter id type int")
    shop.culvert.ctl("resume")
    shop.done()
    assert shop.compare() == 40000


def test_another_policy_for_values(request, culvert):
    """[values] zero_date was `error` when the rows came; counted by error_threshold."""
    for both in make_way(request, "my-pg"):
        both.sql("create table d (id int primary key, d date)")
        shop = Shop(both, culvert, apply={"error_threshold": "0.0003"},
                    **{f"table {both.name}.d": {"on_conflict": "quarantine"}})
        shop.sql("set sql_mode = ''; " + "; ".join(f"insert into d values ({n}, '0000-00-00')" for n in range(1, 5)))
        until(lambda: shop.status()["state"] == "paused", 20, "the pause")
        assert "error_threshold" in shop.status()["error"]["message"]
        assert {i["operation"] for i in shop.list()} == {"insert"} and "column 'd'" in shop.list()[0]["message"]
        assert shop.rows()[0][5] == {"id": "1", "d": "0000-00-00"}
        shop.culvert.stop()
        shop.culvert.config["values"] = {"zero_date": "null"}
        shop.culvert.write()
        shop.culvert.start()
        shop.culvert.ctl("resume", check=False)
        shop.done(4)
        retry_all(shop)
        shop.sql("set sql_mode = ''; insert into d values (9, '0000-00-00')")
        shop.done()
        assert both.target_sql("select id, d from d order by id") == [(n, None) for n in (1, 2, 3, 4, 9)]


@pytest.mark.long
def test_a_value_without_a_place_that_may_not_wait_any_more(cross, culvert):
    """It is in the queue on disk, from when it might have been set aside."""
    shop = Narrow(cross, culvert, queue={"acknowledge": "queued"})
    shop.culvert.ctl("pause")
    shop.sql(f"insert into t values (11, 70000, '{MARK}')")
    until(lambda: shop.status()["queue"]["transactions"] == 1, 20, "the row in the queue")
    shop.culvert.stop()
    shop.culvert.config[next(k for k in shop.culvert.config if k.startswith("table "))]["on_conflict"] = "stop"
    shop.culvert.write()
    shop.culvert.start()
    shop.culvert.ctl("resume", check=False)
    error = shop.culvert.wait_error("column 'v'")
    assert error["class"] == "data" and MARK not in shop.culvert.log_text()
    shop.culvert.stop()
    shop.culvert.config[next(k for k in shop.culvert.config if k.startswith("table "))]["on_conflict"] = "quarantine"
    shop.culvert.write()
    shop.culvert.start()
    shop.done(1)
    shop.widen()
    retry_all(shop)
    assert shop.compare() == 4
