"""XA transactions of a MySQL-family source: their rows are in the log where they are prepared, and
count from XA COMMIT on, which may come after restarts, from another session."""
import random
import threading

import pytest

from harness.until import until

SETUP = "create table t (id int primary key, v text); insert into t values (1, 'one')"


@pytest.fixture
def shop(from_my, culvert):
    from_my.sql(SETUP)
    from_my.culvert = culvert(from_my.least())
    yield from_my
    from_my.source.end_prepared()


@pytest.fixture
def streaming(shop):
    shop.culvert.start()
    shop.culvert.wait(lag=0)
    return shop


def same(shop):
    shop.culvert.wait(lag=0)
    return shop.compare()


def prepared(xid, *statements):
    return f"xa start '{xid}'; {'; '.join(statements)}; xa end '{xid}'; xa prepare '{xid}'"


def prepare(shop, xid, *statements):
    shop.sql(prepared(xid, *statements))


def ids(shop):
    shop.culvert.wait(lag=0)
    return [i for i, in shop.target_sql("select id from t order by id")]


def test_commit_in_another_session(streaming):
    shop = streaming
    prepare(shop, "one", "insert into t values (2, 'xa')", "insert into t values (3, 'xa')",
            "update t set v = 'changed' where id = 3")
    shop.sql("insert into t values (4, 'meanwhile')")
    assert ids(shop) == [1, 4]
    shop.sql("xa commit 'one'")
    assert same(shop) == 4
    prepare(shop, "two", "insert into t values (5, 'no')")
    shop.sql("xa rollback 'two'")
    shop.sql("insert into t values (6, 'after')")
    assert ids(shop) == [1, 2, 3, 4, 6]
    assert same(shop) == 5


def test_one_phase(streaming):
    shop = streaming
    shop.sql("xa start 'three'; insert into t values (5, 'one phase'); xa end 'three'; xa commit 'three' one phase; "
             "xa start 'four'; insert into t values (6, 'no'); xa end 'four'; xa rollback 'four'")
    assert same(shop) == 2


@pytest.mark.parametrize("stop", ["terminate", "kill9"])
def test_over_restarts(streaming, stop):
    """Also where the log has been rotated, and others were prepared and ended since."""
    shop = streaming
    prepare(shop, "old", "insert into t values (2, 'old')")
    for i in range(10, 14):
        prepare(shop, f"x{i}", f"insert into t values ({i}, 'xa')")
        shop.sql(f"insert into t values ({i + 10}, 'plain')")
        shop.source.run("flush binary logs")
        shop.sql(f"xa {'commit' if i % 2 else 'rollback'} 'x{i}'")
        shop.culvert.wait(lag=0)
        getattr(shop.culvert, stop)()
        shop.sql(f"update t set v = concat(v, '+') where id = {i + 10}")
        shop.culvert.start()
        assert ids(shop) == sorted([1, *[k for k in range(10, i + 1) if k % 2], *range(20, i + 11)])
    shop.culvert.wait(lag=0)
    getattr(shop.culvert, stop)()
    shop.sql("xa commit 'old'")
    shop.culvert.start()
    assert same(shop) == 8


def before_the_copy(shop, another=True):
    """The copy waits for its end: neither snapshot nor stream would have it. Where the snapshot
    takes no lock on the tables, `another` is prepared at that moment."""
    prepare(shop, "before", "insert into t values (2, 'before')")
    shop.culvert.start()
    shop.culvert.wait(state="copying")
    until(lambda: shop.source.run("select count(*) from information_schema.processlist "
                                  "where info like 'do sleep%'") == [(1,)], 30, "the copy waits")
    if another:
        prepare(shop, "later", "insert into t values (3, 'later')")
    shop.sql("xa commit 'before'")
    shop.culvert.wait(lag=0)
    assert ids(shop) == [1, 2]
    shop.culvert.kill9()
    shop.culvert.start()
    if another:
        shop.sql("xa commit 'later'")
    assert same(shop) == 2 + another


def test_prepared_before_the_copy(shop):
    before_the_copy(shop)


def test_larger_than_allowed(from_my, culvert):
    from_my.sql(SETUP)
    from_my.culvert = culvert(from_my.config(queue={"memory": "1MiB"})).start()
    from_my.culvert.wait(lag=0)
    try:
        prepare(from_my, "large", *[f"insert into t values ({i}, repeat('x', 60000))" for i in range(2, 42)])
        from_my.culvert.wait_error("queue.memory")
        assert from_my.target_sql("select id from t") == [(1,)]
        from_my.sql("xa commit 'large'")
        from_my.culvert.terminate()
        from_my.culvert.config["queue"]["memory"] = "64MiB"
        from_my.culvert.write()
        from_my.culvert.start()
        from_my.culvert.ctl("resume", check=False)
        assert same(from_my) == 41
    finally:
        from_my.source.end_prepared()


def test_log_of_a_prepared_one_purged(streaming):
    shop = streaming
    prepare(shop, "gone", "insert into t values (2, 'gone')")
    shop.culvert.wait(lag=0)
    shop.culvert.terminate()
    shop.source.run("flush binary logs")
    last = shop.source.binlogs()[-1]
    shop.sql("insert into t values (3, 'after')")
    shop.source.run("flush binary logs")
    shop.source.run(f"purge binary logs to '{last}'")
    if shop.source.binlogs()[0] != last:
        pytest.skip("this server keeps the log of what is prepared")
    shop.culvert.start()
    assert "resync required" in shop.culvert.wait_error("resync required")["message"]


class Writer(threading.Thread):
    """Transactions that are prepared, and ended by another session, some much later."""

    def __init__(self, shop, number):
        super().__init__()
        self.shop, self.number, self.random = shop, number, random.Random(number)
        self.error = None

    def run(self):
        waiting = []
        try:
            self.write(waiting)
        except Exception as e:  # shown by the test
            self.error = e
            for xid in waiting:
                self.shop.sql(f"xa rollback '{xid}'")

    def write(self, waiting):
        for i in range(40):
            first, xid = 1000 * self.number + 10 * i, f"w{self.number}-{i}"
            # without locks on gaps, in which another writer's rows belong
            self.shop.sql("set session transaction isolation level read committed; " + prepared(
                xid, *[f"insert into t values ({first + k}, '{xid}')" for k in range(3)],
                f"update t set v = '{xid}+' where id = {first}"))
            self.shop.sql(f"insert into t values ({first + 5}, 'plain')")
            waiting.append(xid)
            while len(waiting) > 3 or (waiting and self.random.random() < 0.3):
                self.end(waiting, self.random.randrange(len(waiting)))
        while waiting:
            self.end(waiting, 0)

    def end(self, waiting, i):
        self.shop.sql(f"xa {self.random.choice(['commit', 'commit', 'rollback'])} '{waiting[i]}'")
        del waiting[i]


def test_load_over_copy_and_kills(shop):
    writers = [Writer(shop, n) for n in (1, 2, 3)]
    for w in writers:
        w.start()
    shop.culvert.start()
    shop.culvert.wait(state="streaming")
    while any(w.is_alive() for w in writers):
        shop.culvert.kill9()
        shop.culvert.start()
        shop.culvert.wait(state="streaming")
    for w in writers:
        w.join()
        assert not w.error, w.error
    shop.culvert.kill9()
    shop.culvert.start()
    assert same(shop) == shop.sql("select count(*) from t")[0][0]
