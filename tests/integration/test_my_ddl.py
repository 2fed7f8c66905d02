"""DDL of a MySQL-family source: what touches a migrated table stops the stream and says what
changed; what does not has no effect."""
import pytest

from harness.proxy import Proxy
from harness.until import until
from integration.conftest import is_my
from integration.test_adding import states

SETUP = """
create table plain (id int primary key, v varchar(50), n int);
insert into plain select seq, concat('row ', seq), seq from seq_1_to_50;
create table other (id int primary key, v text)
"""


@pytest.fixture
def shop(from_my, culvert):
    from_my.sql(SETUP)
    from_my.culvert = culvert(from_my.least(tables={"include": f"{from_my.name}.plain"})).start()
    from_my.culvert.wait(lag=0)
    return from_my


def same(shop):
    shop.culvert.wait(lag=0)
    return shop.compare(only=[(shop.name, "plain")])


def stops(shop, ddl, *texts):
    """The DDL stops the stream before anything that comes after it."""
    shop.sql("insert into plain (id) values (8999)")
    shop.sql(ddl)
    shop.sql("insert into plain (id) values (9000)")
    error = shop.culvert.wait_error("plain")
    assert error["table"] == shop.qualified("plain") and error["class"] == "data"
    for text in texts:
        assert text in error["message"], error
    assert shop.target_sql("select id from plain where id >= 8999") == [(8999,)]


@pytest.mark.parametrize("ddl,what", [
    ("alter table plain add column extra int default 5", "column extra added"),
    ("alter table plain drop column n", "column n"),
    ("alter table plain modify n bigint", "n"),
    ("alter table plain change v w varchar(50)", "v"),
    ("alter table plain modify v varchar(50) character set latin1", "v"),
    ("alter table plain modify n int unsigned", "n"),
    ("alter table plain add column first_one int first", "first_one"),
])
def test_a_changed_column_stops(shop, ddl, what):
    """What changed is in the log once it is accepted; the statement alone does not say it."""
    stops(shop, ddl, "altered")
    shop.culvert.ctl("resume")
    until(lambda: what in shop.culvert.log_text().partition("is accepted")[2].partition("\n")[0], 30, what)


def test_resume_accepts_ddl_that_the_target_has_too(shop):
    stops(shop, "alter table plain add column extra int")
    shop.target_sql("alter table plain add column extra int")
    shop.sql("update plain set extra = 7 where id = 3")
    shop.culvert.ctl("resume")
    assert same(shop) == 52
    shop.culvert.terminate()
    shop.sql("update plain set extra = 6 where id < 10")
    shop.culvert.start()
    same(shop)


def test_resume_without_the_ddl_on_the_target_names_the_column(shop):
    stops(shop, "alter table plain add column extra int")
    shop.culvert.ctl("resume")
    shop.culvert.wait_error("extra")
    shop.target_sql("alter table plain add column extra int")
    shop.culvert.ctl("resume")
    same(shop)


@pytest.fixture(params=["FULL", "NO_LOG"])
def metadata(request, my_source):
    before = my_source.run("select @@global.binlog_row_metadata")[0][0]
    my_source.run(f"set global binlog_row_metadata = '{request.param}'")
    yield request.param
    my_source.run(f"set global binlog_row_metadata = '{before}'")


def alike(shop, ddl):
    """The operator does on the target what was done on the source."""
    if not is_my(shop.target):
        ddl = PG.get(ddl, ddl)
    shop.target_sql(ddl)


ADD = "alter table plain add column extra int not null default 5"
DROP = "alter table plain drop column n"
MODIFY = "alter table plain modify n bigint"
SHORTER = "alter table plain modify v varchar(40)"
RENAME = "alter table plain change v w varchar(50)"
FIRST = "alter table plain add column first_one int first"
PG = {MODIFY: "alter table plain alter column n type bigint",
      SHORTER: "alter table plain alter column v type varchar(40)",
      RENAME: "alter table plain rename column v to w",
      FIRST: "alter table plain add column first_one int"}


@pytest.mark.parametrize("ddl", [ADD, RENAME, *(pytest.param(x, marks=pytest.mark.long) for x in (DROP, MODIFY, SHORTER, FIRST))])
def test_resume_after_the_same_on_the_target(metadata, shop, ddl):
    if ddl == FIRST and not is_my(shop.target):
        pytest.skip("PostgreSQL adds columns behind the others")
    stops(shop, ddl, "default" if ddl == ADD else "alter")
    alike(shop, ddl)
    shop.sql("insert into plain (id) values (9001); update plain set id = 9002 where id = 3; delete from plain where id = 4")
    shop.culvert.ctl("resume")
    assert same(shop) == 52
    shop.culvert.terminate()
    shop.sql("insert into plain (id) values (9003)")
    shop.culvert.start()
    assert same(shop) == 53


def resume_until_streaming(shop, *ddl):
    """Each stop is one decision; what the stop is about is on the target by then, or is done now."""
    left = list(ddl)
    for _ in range(6):
        shop.culvert.ctl("resume")
        if shop.culvert.ctl("wait", "--lag", "0", "--timeout", "30", check=False).returncode == 0:
            break
        if left and "was altered" in shop.culvert.wait_error("plain")["message"]:
            alike(shop, left.pop(0))
    assert not left
    return same(shop)


def test_two_in_a_row(metadata, shop):
    stops(shop, RENAME + ";" + ADD)
    alike(shop, RENAME)
    alike(shop, ADD)
    assert resume_until_streaming(shop) == 52


def test_rows_between_two_of_them(shop):
    """Their shape is neither what was recorded nor what the source has now: the log describes it."""
    shop.sql("set global binlog_row_metadata = 'FULL'")
    try:
        stops(shop, ADD + "; insert into plain (id, v, extra) values (8000, 'between', 7); "
              "update plain set extra = 8 where id = 5; alter table plain modify v varchar(60); " + RENAME)
        alike(shop, ADD)
        if is_my(shop.target):
            assert resume_until_streaming(shop, "alter table plain modify v varchar(60)", RENAME) == 53
        else:
            assert resume_until_streaming(shop, "alter table plain alter column v type varchar(60)", RENAME) == 53
    finally:
        shop.sql("set global binlog_row_metadata = 'FULL'")


@pytest.mark.long
def test_rows_between_two_of_them_without_names(shop, request):
    """Nobody can know what they hold: it says what to do, and that works."""
    request.addfinalizer(lambda: shop.sql("set global binlog_row_metadata = 'FULL'"))
    shop.sql("set global binlog_row_metadata = 'NO_LOG'")
    stops(shop, ADD + "; insert into plain (id, v, extra) values (8000, 'between', 7); " + DROP)
    alike(shop, ADD)
    alike(shop, DROP)
    shop.culvert.ctl("resume")
    shop.culvert.wait_error("definition")
    shop.culvert.ctl("resume")
    assert "exclude" in shop.culvert.wait_error("binlog_row_metadata")["message"]
    c = shop.culvert
    c.terminate()
    c.config["tables"] = {"include": f"{shop.name}.*", "exclude": f"{shop.name}.plain", "existing": "truncate"}
    c.write()
    c.start().wait(lag=0)
    c.terminate()
    c.config["tables"] = {"include": f"{shop.name}.*", "existing": "truncate"}
    c.write()
    c.start().wait(state="streaming")
    c.ctl("reload")
    until(lambda: states(c).get(shop.qualified("plain")) == "streaming" and c.status()["state"] == "streaming", 30, "plain")
    shop.sql("insert into plain (id) values (9005)")
    until(lambda: shop.target_sql("select id from plain where id = 9005") == [(9005,)], 30, "the row")
    assert same(shop) == 54


@pytest.mark.long
def test_altered_while_the_daemon_was_down(metadata, shop):
    shop.culvert.terminate()
    shop.sql("insert into plain (id) values (8999); " + RENAME + "; insert into plain (id, w) values (9000, 'x')")
    shop.culvert.start()
    shop.culvert.wait_error("plain")
    alike(shop, RENAME)
    shop.culvert.ctl("resume")
    assert same(shop) == 52


@pytest.mark.long
def test_a_restart_between_stop_and_resume(metadata, shop):
    stops(shop, RENAME)
    shop.culvert.kill9()
    shop.culvert.start()
    shop.culvert.wait_error("plain")
    alike(shop, RENAME)
    shop.culvert.ctl("resume")
    assert same(shop) == 52


@pytest.mark.long
def test_two_columns_that_change_places(metadata, shop):
    """Of one type, so that without names only the order of things tells."""
    shop.culvert.terminate()
    swap = ["alter table plain add column m int", "alter table plain change n x int, change m n int",
            "alter table plain change x m int"]
    for ddl in swap:
        shop.sql(ddl)
    shop.sql("insert into plain (id, n, m) values (9100, 1, 2)")
    shop.culvert.start()
    shop.culvert.wait_error("plain")
    for ddl in swap:
        if is_my(shop.target):
            shop.target_sql(ddl)
    if not is_my(shop.target):
        shop.target_sql("alter table plain rename column n to m; alter table plain add column n int")
    assert resume_until_streaming(shop) == 51


@pytest.mark.long
def test_rows_that_may_be_in_the_wrong_columns_are_told(shop):
    """Without names, and of the same types all along: nothing but the order of things shows it."""
    shop.sql("set global binlog_row_metadata = 'NO_LOG'")
    try:
        stops(shop, "alter table plain add column m int; insert into plain (id, n, m) values (9100, 1, 2);"
              "alter table plain change n x int, change m n int; alter table plain change x m int")
        shop.target_sql("alter table plain add column m int")
        shop.culvert.ctl("resume")
        assert "wrong columns" in shop.culvert.wait_error("binlog_row_metadata")["message"]
    finally:
        shop.sql("set global binlog_row_metadata = 'FULL'")


def test_dropped_and_made_anew(shop):
    again = "create table plain (id int primary key, v text)"
    stops(shop, f"drop table plain; {again}", "plain", "dropped")
    shop.target_sql("drop table plain")
    shop.target_sql(again)
    shop.grant()
    assert resume_until_streaming(shop) == 1


def test_dropped(shop):
    shop.sql("insert into plain (id) values (8999); drop table plain")
    assert "dropped" in shop.culvert.wait_error("plain")["message"]
    shop.target_sql("drop table plain")
    shop.culvert.ctl("resume")
    shop.culvert.wait(lag=0)
    shop.culvert.terminate()
    shop.culvert.start().wait(lag=0)


@pytest.mark.long
def test_dropped_and_kept_on_the_target(shop):
    shop.sql("insert into plain (id) values (8999); drop table plain")
    shop.culvert.wait_error("plain")
    shop.culvert.ctl("resume")
    shop.culvert.wait(lag=0)
    assert shop.target_sql("select count(*) from plain") == [(51,)]


def test_the_database_is_dropped(from_my, culvert):
    from_my.sql(SETUP)
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    from_my.source.run(f"drop database `{from_my.name}`")
    error = c.wait_error("dropped")
    assert error["table"] in (from_my.qualified("plain"), from_my.qualified("other"))


@pytest.mark.long
def test_the_database_is_dropped_while_nobody_reads(from_my, culvert):
    """The log tells it, and where: not a connection that does not find it."""
    from_my.sql(SETUP)
    proxy = Proxy(from_my.source.port)
    c = culvert(from_my.least(source_port=proxy.port)).start()
    c.wait(lag=0)
    until(lambda: c.status()["source"]["connected"], what="the stream")
    proxy.refusing = True
    proxy.cut()
    from_my.source.run(f"drop database `{from_my.name}`")
    proxy.refusing = False
    error = c.wait_error("dropped")
    assert error["table"] in (from_my.qualified("plain"), from_my.qualified("other"))


def test_renamed(shop):
    shop.sql("rename table plain to elsewhere, other to plain")
    error = shop.culvert.wait_error("plain")
    assert error["table"] == shop.qualified("plain")


def test_renamed_away(shop):
    shop.sql("insert into plain (id) values (8999); rename table plain to elsewhere")
    assert "renamed" in shop.culvert.wait_error("plain")["message"]
    shop.culvert.ctl("resume")
    shop.culvert.wait(lag=0)
    shop.sql("insert into elsewhere (id) values (9000)")
    shop.culvert.wait(lag=0)
    assert shop.target_sql("select count(*) from plain") == [(51,)]


def test_swapped_by_an_online_schema_change(metadata, shop):
    """As gh-ost and pt-online-schema-change do it: the name is followed."""
    shop.sql("create table _plain_new like plain; alter table _plain_new add column extra int not null default 5; "
             "insert into _plain_new (id, v, n) select id, v, n from plain")
    same(shop)
    shop.sql("rename table plain to _plain_old, _plain_new to plain")
    shop.sql("insert into plain (id, v) values (9000, 'after')")
    assert "online schema change" in shop.culvert.wait_error("plain")["message"]
    alike(shop, ADD)
    shop.culvert.ctl("resume")
    assert same(shop) == 51


def test_ddl_elsewhere_has_no_effect(shop):
    for sql in ("create table t2 (id int primary key)", "alter table other add column plain int",
                "create table t3 like plain", "drop table t3", "rename table t2 to t4",
                "create view plain_view as select * from plain", "create index other_plain on other (plain)",
                "/* alter table plain drop column n */ create table t5 (id int) comment 'alter table plain'",
                "-- alter table plain drop column v\ncreate table t6 (id int)",
                "create table t7 as select * from plain", "truncate table other",
                "create temporary table plain (x int); insert into plain values (1); drop temporary table plain",
                "create procedure p7() begin alter table plain drop column v; end",
                "create trigger tr7 before insert on other for each row set new.v = 'alter table plain'",
                "create user if not exists plain@localhost", "drop user plain@localhost",
                "analyze table plain", "flush tables", "flush logs",
                "set statement max_statement_time = 60 for flush tables",
                "create or replace table t8 (id int)", "create sequence s7", "drop sequence s7",
                "create event e7 on schedule every 1 year do drop table plain", "drop event e7",
                "optimize table other", "create database if not exists culvert_other_db",
                "create table culvert_other_db.plain (x int); insert into culvert_other_db.plain values (1)",
                "drop database culvert_other_db"):
        shop.sql(sql)
    shop.sql("insert into plain (id, v) values (9001, 'after all that'); insert into other (id) values (1)")
    assert same(shop) == 51
    assert shop.culvert.status()["state"] == "streaming"


def test_ddl_that_leaves_the_columns_alone(shop):
    """An index, a comment, a check: the rows stay what they are. It goes on, or resume is enough."""
    shop.sql("alter table plain add index plain_n (n); insert into plain (id) values (9002)")
    same_after_resume(shop)
    shop.sql("alter table plain comment 'x', engine = innodb; insert into plain (id) values (9003)")
    same_after_resume(shop)


def same_after_resume(shop):
    if shop.culvert.ctl("wait", "--lag", "0", "--timeout", "60", check=False).returncode:
        assert shop.culvert.status()["state"] == "stopped-on-error"
        shop.culvert.ctl("resume")
    same(shop)


def test_truncate(shop):
    shop.sql("truncate table plain; insert into plain (id, v) values (1, 'after')")
    assert same(shop) == 1
    shop.sql(f"insert into plain (id) values (2); truncate `{shop.name}`.`plain`; insert into plain (id) values (3)")
    assert same(shop) == 1


@pytest.mark.parametrize("policy", ["stop", pytest.param("ignore", marks=pytest.mark.long)])
def test_truncate_by_policy(from_my, culvert, policy):
    from_my.sql(SETUP)
    c = culvert(from_my.least(tables={"on_truncate": policy})).start()
    c.wait(lag=0)
    from_my.sql("truncate table plain; insert into plain (id) values (100)")
    if policy == "stop":
        assert c.wait_error("plain")["table"] in from_my.names("plain")
    else:
        c.wait(lag=0)
        assert from_my.target_sql("select count(*) from plain") == [(51,)]


def test_writes_logged_as_statements_stop(shop):
    """Their rows are not in the log."""
    shop.sql("set session binlog_format = 'STATEMENT'; update plain set n = n + 1 where id < 5")
    error = shop.culvert.wait_error("plain")
    assert error["table"] == shop.qualified("plain")


def test_statement_format_elsewhere_has_no_effect(shop):
    shop.sql("set session binlog_format = 'STATEMENT'; insert into other values (1, 'x'); update other set v = 'plain'")
    shop.sql("insert into plain (id) values (9004)")
    assert same(shop) == 51
