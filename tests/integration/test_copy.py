"""The bulk copy: what it carries, what it refuses, and what an interruption leaves."""
import threading

import psycopg2
import pytest

from harness.compare import compare, compare_schema, query, sequences
from harness.until import until

SHOP = """
create schema "Odd.S";
create type mood as enum ('sad', 'ok');
create table "Odd.S"."Tä ""x"" y" (id int primary key, "Col A" text,
    twice int generated always as (id * 2) stored);
insert into "Odd.S"."Tä ""x"" y" select i, e'tab\\tnl\\nbs\\\\' || i from generate_series(1, 100) i;
create table part (id int, r text, primary key (id, r)) partition by list (r);
create table part_a partition of part for values in ('a');
create table part_b (r text, id int, primary key (id, r));
alter table part attach partition part_b for values in ('b');
insert into part select i, case when i % 2 = 0 then 'a' else 'b' end from generate_series(1, 1000) i;
create table always (id bigint generated always as identity primary key, v text, n numeric);
insert into always (v, n) select nullif(i % 7, 0)::text, i / 3.0 from generate_series(1, 3000) i;
create table types (id int primary key, m mood, a int[], j jsonb, t timestamptz, b bytea, e text,
    c char(5), f float8);
insert into types values (1, 'ok', '{1,null}', '{"a": 1}', 'infinity', '\\x00ff', '', 'ab', 'NaN'),
    (2, null, '[5:6]={7,8}', 'null', '4713-01-01 BC', '', null, '', '-0');
create table counted (id serial primary key, v text);
insert into counted (v) select 'x' from generate_series(1, 50);
create table nokey (a int, b text);
alter table nokey replica identity full;
insert into nokey select 1, 'same' from generate_series(1, 3);
create index on always (n);
alter table always add constraint fk foreign key (id) references always (id);
"""


def states(pair):
    return dict(pair.target_sql("select source_name, state from culvert.tables"))


def slots(pair):
    return pair.sql("select slot_name from pg_replication_slots where database = current_database()")


def fill(pair, rows=600000):
    """One table that takes some seconds with one worker, and is divided with several."""
    pair.sql("create table big (id int primary key, filler char(200))")
    pair.sql("insert into big select i, 'row' from generate_series(1, %s) i", rows)
    pair.sql("create table small (id int primary key)")
    pair.sql("insert into small select generate_series(1, 100)")
    pair.sql("vacuum analyze")


def when_rows_committed(pair):
    """True once some rows of the copy are committed, and not all tables are."""
    def committed():
        try:
            return pair.target_sql("select 1 from culvert.tables where source_name = 'big' "
                                   "and state = 'copying' and rows > 0")
        except Exception:  # the schema is not there yet
            return None
    until(committed, 60, "the first rows of a divided table", every=0.005)


def test_everything_arrives(pair, culvert):
    pair.sql(SHOP)
    c = culvert(pair.config(snapshot={"workers": "2"})).start()
    c.wait(state="streaming")
    assert compare(pair.source, pair.target, pair.name) == 100 + 1000 + 3000 + 2 + 50 + 3
    compare_schema(pair.source, pair.target, pair.name)
    assert sequences(pair.source, pair.name) == sequences(pair.target, pair.name)
    assert set(states(pair).values()) == {"copied"}
    snapshot = c.status()["snapshot"]
    assert snapshot["tables_done"] == snapshot["tables_total"] == 6
    assert snapshot["rows_done"] == 4155
    assert pair.target_sql("select state, mode from culvert.copy") == [("done", "bulk")]
    published = pair.sql("select tablename from pg_publication_tables order by 1")
    assert [t for (t,) in published] == ["Tä \"x\" y", "always", "counted", "nokey", "part", "types"]
    assert pair.target_sql("select count(*) from pg_stat_user_tables where schemaname <> 'culvert' "
                           "and last_analyze is not null")[0][0] >= 6


@pytest.mark.long
def test_divided_table_under_load(pair, culvert):
    """Rows that move between pages while several workers read ranges of them: each once."""
    fill(pair)
    done = threading.Event()

    def load():
        i = 0
        while not done.is_set():
            i += 1
            pair.sql("update big set filler = 'moved' where id %% 1000 = %s", i % 1000)
            pair.sql("delete from big where id = %s", i * 37)
            pair.sql("insert into big values (%s, 'new')", 10000000 + i)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        c = culvert(pair.config(snapshot={"workers": "3"})).start()
        c.wait(state="streaming", timeout=120)
    finally:
        done.set()
        thread.join()
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) > 590000


def test_filter_rename_exclude(pair, culvert):
    pair.sql("create table f (id int primary key, state text, secret text, n numeric)")
    pair.sql("alter table f replica identity full")
    pair.sql("""insert into f select i, (array['open', 'a\\b', null, e'o\\tpen'])[i % 4 + 1], 's', i
                from generate_series(1, 2000) i""")
    pair.target_sql("create schema there")
    pair.target_sql("create table there.g (number numeric, state text, id int primary key)")
    config = pair.config()
    config["table public.f"] = {"to": "there.g", "columns.exclude": "secret",
                                "column.n.to": "number", "where": "state in ('open', 'a\\b')"}
    c = culvert(config).start()
    c.wait(state="streaming")
    left = pair.sql("select id, state, n from f where state in ('open', 'a\\b') order by id")
    assert len(left) == 1000
    assert pair.target_sql("select id, state, number from there.g order by id") == left


def test_rows_are_refused_emptied_or_kept(pair, culvert):
    pair.sql("create table t (id int primary key); insert into t select generate_series(1, 10)")
    pair.target_sql("create table t (id int primary key); insert into t values (77)")
    c = culvert(pair.config()).start()
    assert "public.t" in c.wait_error("the target has rows in")["message"]
    assert pair.target_sql("select id from t") == [(77,)]
    assert slots(pair) == []
    c.terminate()
    c.config["tables"] = {"existing": "append"}
    c.write()
    c.start().wait(state="streaming")
    assert pair.target_sql("select count(*), max(id) from t") == [(11, 77)]
    c.terminate()
    pair.sql("select pg_drop_replication_slot('culvert_shop')")
    pair.target_sql("drop schema culvert cascade")
    c.config["tables"] = {"existing": "truncate"}
    c.write()
    c.start().wait(state="streaming")
    assert pair.target_sql("select count(*), max(id) from t") == [(10, 10)]


def test_missing_table_is_refused(pair, culvert):
    pair.sql("create table t (id int primary key)")
    c = culvert(pair.config(tables={"create": "no"})).start()
    assert "public.t" in c.wait_error("tables.create")["message"]
    assert slots(pair) == []


def test_a_failing_row_names_its_table(pair, culvert):
    pair.sql("create table t (id int primary key, v int); insert into t values (1, -5)")
    pair.target_sql("create table t (id int primary key, v int check (v > 0))")
    c = culvert(pair.config()).start()
    error = c.wait_error("violates check constraint")
    assert error["table"] == "public.t"
    assert error["class"] == "data"
    assert "-5" not in error["message"] and "-5" not in c.log_text()


def test_a_strange_slot_is_left_alone(pair, culvert):
    pair.sql("create table t (id int primary key)")
    pair.sql("select pg_create_logical_replication_slot('culvert_shop', 'pgoutput')")
    c = culvert(pair.config()).start()
    c.wait_error("belongs to nobody known here")
    assert slots(pair) == [("culvert_shop",)]


@pytest.mark.long
def test_slot_creation_has_a_deadline(pair, culvert):
    pair.sql("create table t (id int primary key)")
    open_one = pair.source.connect(pair.name, autocommit=False, application_name="sleeper")
    query(open_one, "select pg_current_xact_id()")
    pid = open_one.info.backend_pid
    c = culvert(pair.config(snapshot={"slot_timeout": "1s"})).start()
    error = until(lambda: c.status()["error"], 30, "an error")
    assert "slot_timeout" in error["message"]
    assert f"process {pid} (sleeper" in error["message"]
    until(lambda: slots(pair) == [] or None, 10, "the end of the half-made slot")
    open_one.rollback()
    open_one.close()
    c.wait(state="streaming")


def test_unknown_tables_in_the_configuration(pair, culvert):
    pair.sql("create table orders (id int primary key)")
    c = culvert(pair.config(tables={"include": "public.order"})).start()
    message = c.wait_error("matches no table")["message"]
    assert "did you mean 'public.orders'" in message
    assert "shop.conf:" in message


@pytest.mark.parametrize("moment", ["rows", pytest.param("loaded", marks=pytest.mark.long)])
def test_kill_in_the_copy(pair, culvert, moment):
    fill(pair)
    c = culvert(pair.config(snapshot={"workers": "2"})).start()
    if moment == "rows":
        when_rows_committed(pair)
    else:
        until(lambda: "all rows are in" in c.log_text(), 60, "the end of the load", every=0.005)
    c.kill9()
    pair.sql("update big set filler = 'meanwhile' where id <= 1000")
    pair.sql("delete from big where id > 599000")
    c.start().wait(state="streaming", timeout=120)
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 599100
    compare_schema(pair.source, pair.target, pair.name)
    again = "begins again with emptied target tables" in c.log_text()
    went_on = "going on with indexes" in c.log_text()
    assert (again, went_on) == ((True, False) if moment == "rows" else (False, True))
    assert slots(pair) == [("culvert_shop",)]


def test_interrupted_append_is_not_guessed(pair, culvert):
    """Ours and the user's rows in one table cannot be told apart: nothing is deleted."""
    pair.sql("""create table big (id int primary key, filler char(200));
        insert into big select g, 'x' from generate_series(1, 1000) g;
        create table small (id int primary key); insert into small select generate_series(1, 100)""")
    pair.target_sql("create table big (id int primary key, filler char(200))")
    pair.target_sql("create table small (id int primary key); insert into small values (-1)")
    blocker = pair.target.connect(pair.name, autocommit=False)
    blocker.cursor().execute("lock table big in share mode")  # no row gets in before the kill
    c = culvert(pair.config(tables={"existing": "append"}, snapshot={"workers": "2"})).start()
    until(lambda: c.status()["state"] == "copying" and states(pair).get("small") == "appended", 60,
          "rows beside the user's")
    c.kill9()
    blocker.close()
    c.start()
    c.wait_error("can not be told apart")
    assert pair.target_sql("select count(*) from small") == [(101,)]


@pytest.mark.long
def test_term_in_the_copy_ends_soon(pair, culvert):
    fill(pair)
    c = culvert(pair.config(snapshot={"workers": "1"})).start()
    until(lambda: c.status()["snapshot"]["rows_done"], 60, "rows", every=0.005)
    assert c.terminate(timeout=5) == 0

    def sessions():
        sql = "select count(*) from pg_stat_activity where application_name like 'culvert%'"
        return pair.source.run(sql)[0][0] + pair.target.run(sql)[0][0]
    until(lambda: sessions() == 0, 5, "the end of all sessions")


def test_no_rewrite_while_pages_are_read(pair, culvert):
    """Parts are ranges of pages, and a rewritten table is empty for an older snapshot."""
    pair.sql("create table small (id int primary key); insert into small select generate_series(1, 100)")
    pair.target_sql("create table small (id int primary key)")
    blocker = pair.target.connect(pair.name, autocommit=False)
    blocker.cursor().execute("lock table small in share mode")  # no row gets in
    c = culvert(pair.config()).start()
    until(lambda: pair.target_sql("select 1 from pg_locks where not granted and relation = 'small'::regclass"),
          60, "a copy that is held up")
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        pair.sql("set lock_timeout = '20ms'; alter table small alter id type bigint")
    blocker.close()
    c.wait(state="streaming", timeout=120)
    assert compare(pair.source, pair.target, pair.name) == 100


def test_resync_required(pair, culvert):
    pair.sql("create table t (id int primary key); insert into t values (1)")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    c.wait(lag=0)
    c.terminate()
    pair.sql("alter publication culvert_shop drop table t")
    c.start()
    assert "public.t" in c.wait_error("resync required")["message"]
    c.terminate()
    pair.sql("alter publication culvert_shop add table t")
    c.start()
    assert "publication culvert_shop was changed" in c.wait_error("resync required")["message"]


@pytest.mark.long
def test_slot_that_is_past_the_checkpoint(pair, culvert):
    pair.sql("create table t (id int primary key); insert into t values (1)")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    c.wait(lag=0)
    c.terminate()
    pair.sql("insert into t values (2)")
    pair.sql("select pg_replication_slot_advance('culvert_shop', pg_current_wal_lsn())")
    c.start()
    assert "exist neither here nor on the source" in c.wait_error("resync required")["message"]
    assert pair.target_sql("select count(*) from t") == [(1,)]
    c.terminate()
    pair.sql("select pg_drop_replication_slot('culvert_shop')")
    c.start()
    assert "is gone" in c.wait_error("resync required")["message"]


def test_new_and_left_tables(pair, culvert):
    pair.sql("create table a (id int primary key); create table b (id int primary key)")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    c.terminate()
    pair.sql("create table later (id int primary key); insert into later values (1)")
    c.config["tables"] = {"exclude": "public.b"}
    c.write()
    c.start().wait(state="streaming")
    pair.sql("insert into a values (1); insert into b values (1)")
    c.wait(lag=0)
    assert "public.later is new" in c.log_text()
    assert pair.sql("select tablename from pg_publication_tables") == [("a",)]
    assert pair.target_sql("select (select count(*) from a), (select count(*) from b)") == [(1, 0)]
    c.terminate()
    del c.config["tables"]  # what was left has a gap: it does not come back by itself
    c.write()
    c.start().wait(state="streaming")
    pair.sql("insert into b values (2)")
    c.wait(lag=0)
    assert states(pair)["b"] == "left"
    assert pair.target_sql("select count(*) from b") == [(0,)]


def test_statement_for_the_administrator(pair, culvert):
    pair.sql("create table t (id int primary key)")
    pair.source.run("drop role if exists lowly")
    pair.source.run("create role lowly login replication")
    pair.sql("grant select on t to lowly")
    try:
        config = pair.config()
        config["source"]["uri"] = pair.source.uri(pair.name, "lowly")
        c = culvert(config).start()
        error = c.wait_error("create publication")
        assert error["class"] == "config"
        assert '"public"."t"' in error["message"]
        c.terminate()
    finally:
        pair.sql("drop owned by lowly")
        pair.source.run("drop role lowly")


def test_mode_none(pair, culvert):
    pair.sql("create table t (id int primary key); insert into t values (1)")
    pair.target_sql("create table t (id int primary key)")
    c = culvert(pair.config(snapshot={"mode": "none"})).start()
    c.wait(state="streaming")
    pair.sql("insert into t values (2)")
    c.wait(lag=0)
    assert pair.target_sql("select id from t") == [(2,)]
