"""What the stream of a PostgreSQL source does not tell, with a MySQL-family target: partitions that
come, go and are emptied, columns made anew, tables that leave the publication and come back."""
import pytest

from harness.until import until
from integration.conftest import make_cross
from integration.test_adding import states
from integration.test_partitions import looked_at, refused

SETUP = """
create table log (region text, id int, v text, primary key (region, id)) partition by list (region);
create table log_us partition of log for values in ('us');
create table log_eu partition of log for values in ('eu');
insert into log select (array['us', 'eu'])[i % 2 + 1], i, 'v' from generate_series(1, 100) i;
create table t (id int primary key, v text);
insert into t select i, 'v' from generate_series(1, 9) i;
"""


@pytest.fixture
def shop(request, culvert):
    cross = make_cross(request, "pg-my")
    cross.sql(SETUP)
    cross.culvert = culvert(cross.config(tables={"include": "public.*"})).start()
    cross.culvert.wait(lag=0)
    yield cross
    cross.drop()


def same(shop, *tables):
    shop.culvert.wait(lag=0)
    return shop.compare(only=[("public", t) for t in tables or ("log", "t")])


def accepted(shop, target_sql):
    """Put right on the target, and quiet after that."""
    shop.target_sql(target_sql)
    shop.culvert.ctl("resume")
    shop.culvert.wait(state="streaming")
    looked_at(shop.culvert)
    shop.sql("insert into t values (1000, 'later')")


def test_a_partition_is_detached(shop):
    shop.sql("alter table log detach partition log_us")
    shop.sql("update log_us set v = 'no longer ours'; insert into log values ('eu', 900, 'after')")
    shop.culvert.wait(lag=0)
    error = refused(shop.culvert, "partition public.log_us of public.log was detached or dropped")
    assert error["table"] == "public.log"
    accepted(shop, "delete from log where region = 'us'")
    assert same(shop) == 61


@pytest.mark.parametrize("rows", [True, False], ids=["rows", "empty"])
def test_a_partition_is_attached(shop, rows):
    shop.sql("create schema aside; create table aside.extra (like log including all)")
    if rows:
        shop.sql("insert into aside.extra values ('mars', 950, 'before')")
    shop.sql("alter table log attach partition aside.extra for values in ('mars')")
    shop.sql("insert into log values ('mars', 951, 'after')")
    shop.culvert.wait(lag=0)
    if rows:
        refused(shop.culvert, "partition aside.extra was attached to public.log with rows in it")
        accepted(shop, "insert into log values ('mars', 950, 'before')")
        assert same(shop) == 112
    else:
        looked_at(shop.culvert)
        assert same(shop) == 110


def test_a_partition_is_truncated_or_only_rewritten(shop):
    shop.sql("vacuum full log_us")
    looked_at(shop.culvert)
    assert same(shop) == 109
    shop.sql("truncate log; insert into log values ('us', 1, 'after')")
    shop.culvert.wait(lag=0)
    looked_at(shop.culvert)
    assert same(shop) == 10
    shop.sql("truncate log_us; insert into log values ('us', 2, 'later')")
    shop.culvert.wait(lag=0)
    refused(shop.culvert, "partition public.log_us of public.log was truncated")
    accepted(shop, "delete from log where id = 1")
    assert same(shop) == 11


def test_a_column_is_dropped_and_added_again(shop):
    shop.sql("alter table t drop column v; alter table t add column v text; insert into t values (10, 'new')")
    shop.culvert.wait(lag=0)
    refused(shop.culvert, "column v of public.t was dropped and added again")
    accepted(shop, "update t set v = null where id < 10")
    assert same(shop) == 111


@pytest.mark.long
def test_other_changes_of_a_definition_are_the_streams_to_tell(shop):
    shop.sql("alter table t add column w int; insert into t values (10, 'new', 1)")
    shop.culvert.wait_error("definition")
    shop.target_sql("alter table t add column w int")
    shop.culvert.ctl("resume")
    assert same(shop) == 110
    looked_at(shop.culvert)
    shop.culvert.wait(lag=0)
    shop.sql("alter table t drop column w; alter table t add column w int; insert into t values (11, 'newer')")
    shop.culvert.wait(lag=0)
    refused(shop.culvert, "column w of public.t was dropped and added again")


def test_a_table_left_the_publication_and_came_back(shop):
    shop.culvert.stop()
    shop.sql("alter publication culvert_shop drop table t; insert into t values (500, 'nobody hears');"
             "alter publication culvert_shop add table t")
    for _ in range(2):
        shop.culvert.start()
        error = shop.culvert.wait_error("resync required: publication culvert_shop was changed")
        assert error["class"] == "data"
        shop.culvert.terminate()
    assert shop.target_sql("select count(*) from t") == [(9,)]


def test_it_came_back_while_the_stream_runs(shop):
    shop.sql("alter publication culvert_shop drop table t; insert into t values (500, 'nobody hears');"
             "alter publication culvert_shop add table t")
    shop.culvert.ctl("reload")  # looks at once
    shop.culvert.wait_error("resync required: publication culvert_shop was changed")


def test_a_partition_is_emptied_while_the_stream_runs(shop):
    shop.sql("truncate log_us")
    shop.culvert.ctl("reload")
    error = shop.culvert.wait_error("partition public.log_us of public.log was truncated")
    assert error["class"] == "data" and "resume accepts it" in error["message"]
    accepted(shop, "delete from log where region = 'us'")
    assert same(shop) == 60


@pytest.mark.long
def test_added_and_left_tables_do_not_look_like_it(shop):
    """They move the publication's mark, and bring their own."""
    shop.sql("create table more (id int primary key, v text) partition by range (id);"
             "create table more_1 partition of more for values from (0) to (100);"
             "create table more_2 partition of more for values from (100) to (200);"
             "insert into more values (1, 'one'), (101, 'two')")
    shop.culvert.ctl("reload")
    until(lambda: states(shop.culvert).get("public.more") == "streaming", 60)
    shop.sql("insert into more values (2, 'more')")
    assert same(shop, "log", "t", "more") == 112
    looked_at(shop.culvert)
    assert same(shop, "log", "t", "more") == 112
    shop.culvert.terminate()
    shop.culvert.config["tables"]["exclude"] = "public.t"
    shop.culvert.write()
    shop.culvert.start()
    shop.culvert.wait(lag=0)
    looked_at(shop.culvert)
    shop.culvert.wait(lag=0)
    shop.sql("truncate more_1; insert into more values (102, 'more')")
    shop.culvert.wait(lag=0)
    refused(shop.culvert, "partition public.more_1 of public.more was truncated")


def test_without_a_copy(request, culvert):
    cross = make_cross(request, "pg-my")
    try:
        cross.sql(SETUP)
        cross.target_sql("create table log (region varchar(9) primary key, id int, v text);"
                         "create table t (id int primary key, v text)")
        c = culvert(cross.config(snapshot={"mode": "none"})).start()
        c.wait(lag=0)
        cross.sql("truncate log_us; insert into t values (10, 'new')")
        c.wait(lag=0)
        refused(c, "partition public.log_us of public.log was truncated")
    finally:
        cross.drop()
