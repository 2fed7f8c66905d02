"""[table] on_conflict = overwrite: where the target's rows are not those of the source, what the source says wins, in
all four directions."""
import random

import pytest

from harness.compare import compare
from harness.until import until
from integration.conftest import is_my
from integration.test_quarantine import MARK, Shop, chaos


class Overwritten(Shop):
    def __init__(self, both, culvert, **more):
        super().__init__(both, culvert, policy="overwrite", **more)
        self.told = self.count_told()  # by a daemon before, in the same file

    def count_told(self):
        return self.culvert.log_text().count("overwrote them (on_conflict = overwrite)")

    def settled(self, overwritten):
        self.culvert.wait(lag=0)
        s = self.status()
        assert (s["overwritten"], s["quarantined"]) == (overwritten, 0), s


def test_the_source_wins(every_way, culvert):
    shop = Overwritten(every_way, culvert)
    shop.sql("insert into t values (5, 5, 'five'), (7, 7, 'seven'), (8, 8, 'eight')")
    shop.culvert.wait(lag=0)
    shop.target_sql("insert into t values (10, -1, 'foreign'), (6, -1, 'foreign'), (9, -1, 'foreign');"
                    "update t set v = -1 where id = 1; delete from t where id in (2, 3, 7)")
    shop.settled(0)
    shop.sql(f"begin; insert into good values (1, 1, 'x'); insert into t values (10, 10, '{MARK}'); update t set note = 'b' where id = 1;"
             "update t set v = 22 where id = 2; delete from t where id = 3; update t set id = 6 where id = 5;"
             "update t set id = 9 where id = 7; insert into t values (11, 11, 'fine'); update t set v = 12 where id = 11; commit")
    shop.settled(5)
    assert shop.compare() == 8
    shop.sql("update t set v = v + 1; delete from t where id = 10")
    shop.settled(5)
    assert shop.compare() == 7
    assert MARK not in shop.culvert.log_text()
    assert shop.count_told() == shop.told + 1
    assert "5 changes overwrote rows of the target" in shop.culvert.ctl("status").stdout
    assert 'culvert_overwritten_changes_total{pipeline="shop"} 5' in shop.culvert.ctl("metrics").stdout


@pytest.mark.long
def test_a_target_that_others_write_to(every_way, culvert):
    """With kill -9 in between; in the end every row has been said once more."""
    shop = Overwritten(every_way, culvert)
    random.seed(4)
    for n in range(6):
        for id in random.sample(range(1, 61), 12):
            if random.random() < 0.5:
                shop.target_sql("delete from t where id = %s", id)
            elif shop.target_sql("update t set v = -5, note = 'foreign' where id = %s returning 1" if not is_my(every_way.target)
                                 else "select id from t where id = %s for update", id) == []:
                shop.target_sql("insert into t values (%s, -6, 'foreign')", id)
        chaos(shop, 25, 30 + n)
        if n % 2 == 0:
            shop.culvert.kill9()
            chaos(shop, 5, 40 + n)
            shop.culvert.start()
        shop.culvert.wait(lag=0)
    live = {r[0] for r in shop.sql("select id from t")}
    shop.sql("update t set v = v + 1000")
    for id in set(range(1, 61)) - live:
        shop.sql(f"insert into t values ({id}, 0, 'x'); delete from t where id = {id}")
    shop.culvert.wait(lag=0)
    assert shop.status()["overwritten"] > 3  # since the last start
    assert shop.compare() > 100


def test_a_row_with_another_key_stays(every_way, culvert):
    """A secondary unique index: the source may still have the row that is in the way."""
    shop = Overwritten(every_way, culvert)
    shop.target_sql("create unique index only_one on t (note); insert into t values (50, 50, 'taken')")
    shop.sql("insert into t values (4, 4, 'fine')")
    shop.settled(0)
    for statement in ("insert into t values (51, 1, 'taken')", "update t set note = 'taken' where id = 1"):
        shop.sql(statement)
        error = shop.culvert.wait_error("the row in the way has another key, and stays")
        assert error["class"] == "data" and error["table"] == shop.target, error
        assert shop.target_sql("select v from t where id = 50") == [(50,)]
        shop.target_sql("update t set note = 'moved' where note = 'taken'")
        shop.culvert.ctl("resume")
        shop.culvert.wait(lag=0)
        shop.sql("update t set note = %s where note = 'taken'", statement[:6])
        shop.culvert.wait(lag=0)
        shop.target_sql("update t set note = 'taken' where id = 50")
    shop.target_sql("delete from t where id = 50")
    assert shop.compare() == 5


def test_other_refusals_stop(way, culvert):
    shop = Overwritten(way, culvert)
    shop.refuse()
    shop.sql(f"insert into t values (11, -1, '{MARK}')")
    error = shop.culvert.wait_error("positive")
    assert error["class"] == "data" and shop.target_sql("select count(*) from t") == [(3,)]
    shop.target_sql("insert into t values (11, 5, 'foreign')")
    shop.culvert.ctl("resume")
    shop.culvert.wait_error("positive")  # also as the update that it becomes
    shop.allow()
    shop.culvert.ctl("resume")
    shop.culvert.wait(lag=0)
    assert shop.compare() == 4


@pytest.mark.long
def test_a_row_that_is_not_whole_in_the_log(pair, culvert):
    """An unchanged TOAST datum: the missing row cannot be made."""
    pair.sql("create table w (id int primary key, v int, body text); alter table w alter body set storage external;"
             "insert into w values (1, 1, repeat('x', 9000))")
    shop = Overwritten(pair, culvert, **{"table public.w": {"on_conflict": "overwrite"}})
    shop.target_sql("delete from w")
    shop.sql("update w set v = 2")
    assert shop.culvert.wait_error("the log has not the whole row")["table"] == "public.w"
    shop.target_sql("insert into w values (1, 0, repeat('x', 9000))")
    shop.culvert.ctl("resume")
    shop.settled(0)
    shop.target_sql("insert into w values (2, 0, 'in the way')")
    shop.sql("update w set id = 2")  # the row that moves keeps its body
    shop.settled(1)
    assert compare(pair.source, pair.target, pair.name) == 4


@pytest.mark.long
def test_a_transaction_in_many_pieces(way, culvert):
    shop = Overwritten(way, culvert, apply={"batch_bytes": "64KiB"}, queue={"memory": "1MiB"})
    numbers = ("(select a.n + 10 * b.n + 100 * c.n + 1000 * d.n as n from {0} a, {0} b, {0} c, {0} d) as s".format(
        "(select 0 as n " + " ".join(f"union all select {i}" for i in range(1, 10)) + ")"))
    shop.target_sql(f"insert into t select n + 10, -1, 'foreign' from {numbers} where n % 1000 = 7")
    shop.sql(f"insert into t select n + 10, n, '{MARK}' from {numbers}")
    shop.settled(10)
    shop.target_sql("delete from t where id > 9990")
    shop.sql("update t set v = v + 1 where id > 9000")
    shop.settled(29)
    assert shop.compare() == 10003


@pytest.mark.long
def test_tables_that_cannot_be_overwritten(way, culvert):
    way.sql("create table k (v int)")
    if not is_my(way.source):
        way.sql("alter table k replica identity full")
    source = f"{way.name}.k" if is_my(way.source) else "public.k"
    c = culvert(way.config(**{f"table {source}": {"on_conflict": "overwrite"}})).start()
    c.wait(lag=0)
    way.sql("insert into k values (1)")
    error = c.wait_error("on_conflict = overwrite: ")
    assert "has no key that both sides have" in error["message"] and error["class"] == "config"
    if not is_my(way.source):
        return
    c.terminate()
    way.sql("create table p (id int primary key); create table c (id int primary key, p int, "
            "foreign key (p) references p (id) on delete cascade)")
    c = culvert(way.config(tables={"exclude": f"{way.name}.k"}, **{f"table {way.name}.c": {"on_conflict": "overwrite"}}), name="other").start()
    c.wait(lag=0)
    way.sql("insert into p values (1); insert into c values (1, 1)")
    assert "on_conflict = overwrite" in c.wait_error("CASCADE")["message"]


@pytest.mark.long
def test_from_quarantine_to_overwriting(way, culvert):
    """What waits still comes first: later changes of its row follow it, others overwrite."""
    shop = Shop(way, culvert)
    shop.target_sql("insert into t values (20, -1, 'foreign')")
    shop.sql("insert into t values (20, 20, 'x')")
    shop.done(1)
    shop.culvert.stop()
    shop.culvert.config[next(k for k in shop.culvert.config if k.startswith("table "))]["on_conflict"] = "overwrite"
    shop.culvert.write()
    shop.culvert.start()
    shop.target_sql("delete from t where id = 1")
    shop.sql("update t set v = 21 where id = 20; update t set v = 11 where id = 1")
    shop.done(2)
    until(lambda: shop.status()["overwritten"] == 1, 20, "the one that overwrites")
    shop.target_sql("delete from t where id = 20")
    shop.culvert.ctl("quarantine", "retry")
    shop.done()
    assert shop.compare() == 4
