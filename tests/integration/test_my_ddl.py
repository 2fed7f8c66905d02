"""DDL of a MySQL-family source: what touches a migrated table stops the stream and says what
changed; what does not has no effect."""
import pytest

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
    stops(shop, ddl, what)


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


def test_dropped_and_made_anew(shop):
    stops(shop, "drop table plain; create table plain (id int primary key, v text)", "plain")


def test_renamed(shop):
    shop.sql("rename table plain to elsewhere, other to plain")
    error = shop.culvert.wait_error("plain")
    assert error["table"] == shop.qualified("plain")


def test_swapped_by_an_online_schema_change(shop):
    """As gh-ost and pt-online-schema-change do it."""
    shop.sql("create table _plain_new like plain; alter table _plain_new add column extra int; "
             "insert into _plain_new (id, v, n) select id, v, n from plain")
    same(shop)
    shop.sql("rename table plain to _plain_old, _plain_new to plain")
    shop.culvert.wait_error("plain")


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


@pytest.mark.parametrize("policy", ["stop", "ignore"])
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
