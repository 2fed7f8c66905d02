"""Tables that are made on the source while the pipeline runs, and added by `reload`."""
import itertools
import json
import threading

import pytest

from harness.compare import compare
from harness.until import until

LATER = """
    create type mood as enum ('sad', 'ok', 'happy');
    create table later (
      id int generated always as identity primary key, t_id int not null references t,
      feeling mood not null default 'ok', v text, at timestamptz not null default now());
    create index on later (t_id);
    create table parted (id int, at date, v text, primary key (id, at)) partition by range (at);
    create table parted_1 partition of parted for values from ('2020-01-01') to ('2021-01-01');
    create table parted_2 partition of parted for values from ('2021-01-01') to ('2022-01-01');
    insert into later (t_id, v) select i % 100 + 1, 'row ' || i from generate_series(1, 5000) i;
    insert into parted select i, date '2020-01-01' + i % 700, 'p' from generate_series(1, 2000) i
"""


def states(c):
    return {t["source"]: t["state"] for t in json.loads(c.ctl("tables", "--json").stdout)["tables"]}


def added(c, *names):
    until(lambda: all(states(c).get(n) == "streaming" for n in names) and
          c.status()["state"] == "streaming" and not joining(c), 60, "tables that were added")


def joining(c):
    return c.pair.target_sql("select 1 from culvert.tables where start_position <> ''")


@pytest.fixture
def shop(pair, culvert):
    pair.sql("create table t (id int primary key, v text);"
             "insert into t select i, 'v' || i from generate_series(1, 100) i")
    c = culvert(pair.config()).start()
    c.pair = pair
    c.wait(state="streaming")
    c.wait(lag=0)
    return c


class Load:
    """A connection that runs the statements, again and again."""

    def __init__(self, pair, statements):
        self.done, self.error, self.stopping = 0, None, threading.Event()
        self.connection = pair.source.connect(pair.name)
        self.thread = threading.Thread(target=self.run, args=(statements,))
        self.thread.start()

    def run(self, statements):
        cursor = self.connection.cursor()
        for statement in itertools.cycle(statements):
            if self.stopping.is_set():
                return
            try:
                cursor.execute(statement)
            except Exception as e:  # shown by stop
                self.error = e
                return
            self.done += 1

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.connection.close()
        if self.error:
            raise self.error


def constraints(db):
    return db("""select c.conrelid::regclass::text, c.contype, pg_get_constraintdef(c.oid) from pg_constraint c
        join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace
        where n.nspname = 'public' order by 1, 2, 3""")


def test_reload_adds_them(pair, shop):
    c = shop
    pair.sql(LATER)
    until(lambda: states(c) == {"public.t": "streaming", "public.later": "new", "public.parted": "new"},
          30, "new tables that are shown")
    assert "reload" in c.status()["next"]
    pair.sql("insert into later (t_id, v) values (1, 'before the reload'); insert into t values (500, 'x')")
    c.wait(lag=0)
    assert pair.target_sql("select to_regclass('later')") == [(None,)]
    c.ctl("reload")
    added(c, "public.t", "public.later", "public.parted")
    pair.sql("insert into later (t_id, v) values (500, 'after'); update later set v = 'changed' where id % 7 = 0;"
             "delete from later where id % 11 = 0; insert into parted values (9999, '2021-05-05', 'after');"
             "insert into t values (501, 'x')")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) > 6000
    assert constraints(pair.sql) == constraints(pair.target_sql)
    assert pair.sql("select count(*) from pg_replication_slots where database = current_database()") == [(1,)]
    rows = {t["source"]: t for t in json.loads(c.ctl("tables", "--json").stdout)["tables"]}
    assert rows["public.later"]["rows_copied"] == 5001 and rows["public.t"]["rows_copied"] == 100
    c.terminate()
    pair.sql("insert into later (t_id, v) values (1, 'after a restart')")
    c.start()
    c.wait(state="streaming")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) > 6000


@pytest.mark.long
def test_under_load(pair, shop, culvert):
    """Nothing is lost or twice, whatever is written while they are copied and joined."""
    c = shop
    pair.sql(LATER)
    pair.sql("create sequence ids start 10000")
    load = [Load(pair, [
        "insert into later (t_id, v) values (1 + floor(random() * 100)::int, 'load')",
        "update later set v = v || '.' where id = 1 + floor(random() * 5000)::int",
        "delete from later where id = 1 + floor(random() * 5000)::int",
        "update t set v = v || '.' where id = 1 + floor(random() * 100)::int",
        "with n as (insert into t values (nextval('ids'), 'n') returning id)"
        " insert into later (t_id, v) select id, 'of a new one' from n"]) for _ in range(2)]
    try:
        until(lambda: all(x.done > 50 for x in load), 60, "a load")
        c.ctl("reload")
        added(c, "public.later", "public.parted")
        before = [x.done for x in load]
        until(lambda: all(x.done > n + 50 for x, n in zip(load, before)), 60, "a load afterwards")
    finally:
        for x in load:
            x.stop()
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) > 2100
    assert constraints(pair.sql) == constraints(pair.target_sql)


@pytest.mark.long
def test_a_transaction_from_before(pair, shop):
    """It wrote to the table before it was published, and writes again afterwards."""
    c = shop
    pair.sql("create table later (id int primary key, v text)")
    old = pair.source.connect(pair.name, autocommit=False)
    old.cursor().execute("insert into later values (1, 'before')")
    until(lambda: "public.later" in states(c), 30, "the new table")
    c.ctl("reload")
    until(lambda: pair.sql("select 1 from pg_replication_slots where slot_name = 'culvert_shop_add'"), 30,
          "a slot that waits")
    old.cursor().execute("insert into later values (2, 'after'); update later set v = 'changed' where id = 1")
    pair.sql("insert into t values (700, 'while it waits'); insert into later values (3, 'beside')")
    old.commit()
    added(c, "public.later")
    pair.sql("insert into later values (4, 'later')")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 105


@pytest.mark.long
def test_killed_while_they_are_copied(pair, shop):
    c = shop
    pair.sql("create table later (id int primary key, v text); insert into later select i, 'x' from generate_series(1, 1000) i")
    pair.sql("create table other (id int primary key); insert into other select generate_series(1, 10)")
    pair.target_sql("create table later (id int primary key, v text)")
    blocker = pair.target.connect(pair.name, autocommit=False)
    blocker.cursor().execute("lock table later in share mode")  # no row gets in
    c.ctl("reload")
    until(lambda: pair.target_sql("select 1 from pg_locks where not granted and relation = 'later'::regclass"),
          60, "a copy that is held up")
    assert states(c)["public.t"] == "streaming" and states(c)["public.later"] in ("waiting", "copying")
    assert c.status()["state"] == "copying"
    c.kill9()
    pair.sql("insert into later values (2000, 'while it is away'); insert into t values (600, 'x');"
             "create table not_asked_for (id int primary key); insert into not_asked_for values (1)")
    blocker.close()
    c.start()  # goes on by itself, and begins nothing new
    added(c, "public.later", "public.other")
    c.wait(lag=0)
    assert states(c)["public.not_asked_for"] == "new"
    tables = [("public", "t"), ("public", "later"), ("public", "other")]
    assert compare(pair.source, pair.target, pair.name, tables=tables) == 101 + 1001 + 10


@pytest.mark.long
def test_killed_while_they_join(pair, shop):
    """The stream has to come to where the copy stands first, over a restart."""
    c = shop
    pair.sql("create table later (id int primary key, t_id int references t); insert into later select i, i from generate_series(1, 100) i")
    old = pair.source.connect(pair.name, autocommit=False)
    old.cursor().execute("insert into t values (900, 'keeps the snapshot waiting')")
    c.ctl("reload")
    until(lambda: pair.sql("select 1 from pg_replication_slots where slot_name = 'culvert_shop_add'"), 30,
          "a slot that waits")
    blocker = pair.target.connect(pair.name, autocommit=False)
    blocker.cursor().execute("select from t where id = 1 for update")
    pair.sql("update t set v = 'waits' where id = 1")
    old.commit()
    until(lambda: pair.target_sql("select 1 from culvert.tables where state = 'joining'"), 60, "tables that join")
    pair.sql("insert into t values (800, 'meanwhile'); insert into later values (800, 800)")
    c.kill9()
    pair.target.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'culvert%'")
    c.start()
    c.wait(state="streaming")
    assert joining(c)
    blocker.close()
    added(c, "public.later")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 102 + 101
    assert constraints(pair.sql) == constraints(pair.target_sql)


@pytest.mark.long
def test_refused_and_mended(pair, shop):
    """The others go on without it, and the next reload tries again."""
    c = shop
    pair.sql("create table later (id int primary key); insert into later values (1), (2)")
    pair.target_sql("create table later (id int primary key); insert into later values (77)")
    c.ctl("reload")
    until(lambda: "rows in public.later" in c.ctl("status", "--check", check=False).stdout, 30, "a warning")
    c.wait(state="streaming")
    assert c.status()["state"] == "streaming" and states(c)["public.later"] == "new"
    pair.sql("insert into t values (600, 'goes on'); insert into later values (3)")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name, tables=[("public", "t")]) == 101
    assert pair.target_sql("select id from later") == [(77,)]
    pair.target_sql("truncate later")
    c.ctl("reload")
    added(c, "public.later")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 101 + 3
    assert c.ctl("status", "--check").returncode == 0


@pytest.mark.long
def test_reload_while_paused(pair, shop):
    c = shop
    pair.sql("create table later (id int primary key); insert into later values (1), (2)")
    c.ctl("pause")
    c.ctl("reload")
    until(lambda: "public.later" in states(c), 30, "the new table")
    assert c.status()["state"] == "paused" and not joining(c)
    c.ctl("resume")
    added(c, "public.later")
    assert compare(pair.source, pair.target, pair.name) == 102


@pytest.mark.long
def test_publication_of_the_administrator(pair, culvert):
    pair.sql("create table t (id int primary key, v text); insert into t values (1, 'a')")
    pair.grant()
    c = culvert(pair.config("culvert")).start()
    c.pair = pair
    c.wait(state="streaming")
    pair.sql("create table later (id int primary key); insert into later values (1); grant select on later to culvert")
    c.ctl("reload")
    until(lambda: 'add table only "public"."later"' in c.log_text(), 30, "the statement for an administrator")
    c.wait(state="streaming")
    assert "could not be added" in c.ctl("status", "--check", check=False).stdout
    pair.grant()
    c.ctl("reload")
    added(c, "public.later")
    pair.sql("insert into later values (2); insert into t values (2, 'b')")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 4


@pytest.mark.long
def test_one_that_left_comes_back(pair, culvert):
    pair.sql("create table a (id int primary key); create table b (id int primary key, v text);"
             "insert into b select i, 'b' from generate_series(1, 10) i")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    c.terminate()
    c.config["tables"] = {"exclude": "public.b"}
    c.write()
    c.start().wait(state="streaming")
    pair.sql("insert into b values (11, 'while it is left'); insert into a values (1)")
    c.wait(lag=0)
    c.terminate()
    c.config["tables"] = {"existing": "truncate"}
    c.write()
    c.pair = pair
    c.start().wait(state="streaming")
    assert states(c) == {"public.a": "streaming", "public.b": "new"}
    c.ctl("reload")
    added(c, "public.b")
    pair.sql("insert into b values (12, 'after')")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 13


def test_nothing_is_copied_where_nothing_was(pair, culvert):
    """snapshot.mode = none: the operator has filled the tables."""
    pair.sql("create table t (id int primary key); insert into t values (1)")
    pair.target_sql("create table t (id int primary key); insert into t values (1)")
    c = culvert(pair.config(snapshot={"mode": "none"})).start()
    c.pair = pair
    c.wait(state="streaming")
    assert states(c) == {"public.t": "streaming"}
    for sql in (pair.sql, pair.target_sql):
        sql("create table later (id int primary key); insert into later values (1)")
    c.ctl("reload")
    added(c, "public.later")
    pair.sql("insert into later values (2); insert into t values (2)")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 4
