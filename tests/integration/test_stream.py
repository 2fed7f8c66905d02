"""The stream: every kind of change, from a real server to a real server."""
import socket

import pytest

from harness.compare import compare
from harness.until import until

SETUP = """
create type mood as enum ('sad', 'ok', 'happy');
create table plain (id int primary key, v text, n numeric(10, 2), m mood);
insert into plain select g, 'row ' || g, g * 1.5, 'ok' from generate_series(1, 1000) g;
create table nokey (a text, b int, c numeric, j json);
alter table nokey replica identity full;
insert into nokey values ('a', 1, 1.0, '{"x": 1}'), ('a', 1, 1.0, '{"x": 1}'), (null, null, null, null);
create table wide (id int primary key, small text, big text);
insert into wide select g, 's', string_agg(md5(g::text || h), '') from generate_series(1, 20) g,
  generate_series(1, 400) h group by g;
create table widefull (id int, small text, big text);
alter table widefull replica identity full;
insert into widefull select * from wide;
create table byindex (id int, code text not null, v text);
create unique index byindex_code on byindex (code);
alter table byindex replica identity using index byindex_code;
insert into byindex values (1, 'one', 'x'), (2, 'two', 'y');
create table made (id int generated always as identity primary key, a int, twice int generated always as (a * 2) stored);
insert into made (a) values (1), (2), (3);
"""


@pytest.fixture
def shop(pair, culvert):
    pair.sql(SETUP)
    c = culvert(pair.least()).start()
    c.wait(lag=0)
    pair.culvert = c
    return pair


def same(shop):
    shop.culvert.wait(lag=0)
    return compare(shop.source, shop.target, shop.name)


def test_every_row_change(shop):
    shop.sql("insert into plain values (2000, 'é😀', -0.01, 'sad'), (2001, '', null, null)")
    shop.sql("update plain set v = 'changed' where id <= 10")
    shop.sql("update plain set id = -id where id between 20 and 25")
    shop.sql("delete from plain where id between 30 and 40")
    assert same(shop) > 900


def test_savepoints_and_rollbacks(shop):
    shop.sql("""begin; insert into plain values (3000); savepoint a; insert into plain values (3001);
        rollback to a; insert into plain values (3002); savepoint b; update plain set v = 'b' where
        id = 3000; release b; commit; begin; delete from plain; rollback""")
    same(shop)
    assert [r[0] for r in shop.target_sql("select id from plain where id >= 3000 order by 1")] == [3000, 3002]


def test_rows_without_a_key_change_one_by_one(shop):
    shop.sql("insert into nokey values ('a', 1, 1.00, '{\"x\": 1}')")
    shop.sql("delete from nokey where ctid = (select min(ctid) from nokey where c::text = '1.0')")
    shop.sql("update nokey set b = 7 where a is null")
    same(shop)
    assert sorted(r[0] for r in shop.target_sql("select c::text from nokey where a = 'a'")) == ["1.0", "1.00"]


def test_unchanged_toast_stays(shop):
    shop.sql("update wide set small = 'new' where id < 10")
    shop.sql("update wide set id = id + 100 where id = 11")
    shop.sql("update wide set big = 'short' where id = 12")
    same(shop)


def test_unchanged_toast_under_full_identity(shop):
    shop.sql("update widefull set small = 'new' where id < 10; delete from widefull where id = 15")
    shop.sql("update widefull set id = id + 100 where id = 11")
    same(shop)


def test_replica_identity_by_index(shop):
    shop.sql("update byindex set code = 'uno', v = null where id = 1")
    shop.sql("delete from byindex where code = 'two'; insert into byindex values (null, 'drei', '')")
    same(shop)


def test_generated_columns_and_identity(shop):
    shop.sql("insert into made (a) values (10); update made set a = 20 where a = 1; delete from made where a = 2")
    same(shop)
    assert shop.target_sql("select sum(twice) from made") == [(66,)]


def test_truncate(shop):
    shop.sql("truncate plain, nokey")
    shop.sql("insert into plain values (1, 'after')")
    same(shop)
    assert shop.target_sql("select v from plain") == [("after",)]


def test_a_large_transaction_arrives_whole(shop):
    shop.sql("""begin; insert into plain select g, repeat('x', 100), g, 'sad'
        from generate_series(10000, 130000) g; update plain set v = 'y' where id > 100000; commit""")
    assert same(shop) > 120000
    assert shop.culvert.rss_kb() < 64 * 1024


@pytest.mark.long
def test_a_large_transaction_of_few_long_rows(shop):
    """The server sends few answers, which it keeps back until it is asked."""
    shop.sql("insert into wide select g, 's', repeat(md5(g::text), 3000) from generate_series(1000, 1300) g")
    shop.culvert.wait(lag=0, timeout=40)
    assert same(shop) > 300


@pytest.mark.long
def test_resume_before_the_next_try_of_a_start(shop):
    """Source: refuses while the first tries are made, then takes connections and says nothing."""
    c = shop.culvert
    c.ctl("pause")
    c.stop()
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        c.config["source"]["uri"] = shop.source.uri(shop.name, "culvert", deaf.getsockname()[1])
        c.write()
        c.start()
        until(lambda: c.status()["error"], 20, "the first failure")
        deaf.listen(20)
        c.ctl("resume")
        until(lambda: "no connection" in c.log_text(), 40, "the end of the try that resume began")
        assert c.status()["state"] == "starting"
    c.stop()


def test_missing_row_is_a_conflict(shop):
    shop.target_sql("delete from plain where id = 5")
    shop.sql("update plain set v = 'gone' where id = 5")
    error = shop.culvert.wait_error("the row is not there on the target")
    assert error["table"] == "public.plain" and error["key"] == "id=5" and error["class"] == "data"
    assert "id=5" not in shop.culvert.log_text() and ", key #" in shop.culvert.log_text()
    assert shop.target_sql("select v from plain where id = 6") == [("row 6",)]
    shop.target_sql("insert into plain values (5, 'row 5', 7.5, 'ok')")
    shop.culvert.ctl("resume")
    same(shop)


def test_source_ddl_stops(shop):
    shop.sql("alter table plain add column extra int default 5")
    shop.sql("insert into plain (id, extra) values (9000, 1)")
    error = shop.culvert.wait_error("column extra added")
    assert error["table"] == "public.plain"
    assert shop.target_sql("select count(*) from plain where id = 9000") == [(0,)]


def test_resume_accepts_ddl_that_the_target_has_too(shop):
    ddl = "alter table plain add column extra int default 5; alter table plain drop column n"
    shop.sql("insert into plain (id, n) values (8999, 1.5)")
    shop.sql(ddl)
    shop.sql("insert into plain (id, extra) values (9000, 1)")
    shop.culvert.wait_error("column n dropped or renamed, column extra added")
    shop.target_sql(ddl)
    shop.culvert.ctl("resume")
    same(shop)
    shop.culvert.terminate()
    shop.sql("update plain set extra = 6 where id < 50")
    shop.culvert.start()
    same(shop)


def test_resume_without_the_ddl_on_the_target_names_the_column(shop):
    shop.sql("alter table plain add column extra int")
    shop.sql("insert into plain (id, extra) values (9000, 1)")
    shop.culvert.wait_error("column extra added")
    shop.culvert.ctl("resume")
    shop.culvert.wait_error("table public.plain has no column extra")


@pytest.mark.long
def test_a_row_larger_than_the_queue(pair, culvert):
    pair.sql("create table fat (id int primary key, v text)")
    c = culvert(pair.least(queue={"memory": "1MiB"}, apply={"batch_bytes": "1MiB"})).start()
    c.wait(lag=0)
    pair.sql("insert into fat select g, repeat(md5(g::text), 200000) from generate_series(1, 3) g")
    pair.sql("update fat set v = v || 'x' where id = 2; delete from fat where id = 3")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 2
