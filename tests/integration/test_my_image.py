"""What a MySQL-family source writes into its log, by its settings: short row images, less metadata.
An absent column is unchanged, never NULL; where the log does not say enough, the pipeline says so."""
import pytest

SETUP = """
create table t (id int primary key, a int default 7, b varchar(50), c text, d decimal(10,2) unsigned,
    e enum('x','y'), f bigint unsigned, u timestamp(3) null default null);
insert into t select seq, seq, concat('b', seq), repeat('c', 3000), 1.5, 'x', 18446744073709551615, null from seq_1_to_20;
create table pair (a int, b varchar(10) character set latin1, v text, primary key (a, b));
insert into pair values (1, 'ä', 'one'), (1, 'b', null), (2, 'ä', 'three')
"""
CHANGES = ("update t set a = 100 where id = 1", "update t set c = null where id = 2", "update t set b = 'é' where id = 3",
           "update t set id = 104 where id = 4", "update t set id = 105, b = 'moved' where id = 5",
           "delete from t where id = 6", "insert into t (id, b) values (200, 'new')", "update t set a = a where id = 7",
           "insert into t values (201, null, null, null, null, null, null, now(3))", "update t set e = 'y', f = 1 where id = 8",
           "update t set c = concat(c, 'x') where id between 9 and 12", "update pair set v = 'uno' where a = 1",
           "update pair set b = 'ö' where a = 2", "delete from pair where b = 'b'",
           "begin; update t set a = 1 where id = 13; update t set b = '2' where id = 13; update t set a = 3 where id = 13; "
           "delete from t where id = 14; insert into t (id) values (14); commit")


@pytest.fixture
def settings(my_source):
    """settings(name=value): global, put back at the end."""
    before = {}

    def change(**more):
        for name, value in more.items():
            before.setdefault(name, my_source.run(f"select @@global.{name}")[0][0])
            my_source.setting(name, f"'{value}'")

    yield change
    for name, value in before.items():
        my_source.setting(name, f"'{value}'")


def change_all(shop):
    for sql in CHANGES:
        shop.sql(sql)


@pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"])
@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_short_row_images(from_my, culvert, settings, image, metadata):
    settings(binlog_row_image=image, binlog_row_metadata=metadata)
    from_my.sql(SETUP)
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    change_all(from_my)
    c.wait(lag=0)
    assert from_my.compare() > 20
    c.kill9()
    from_my.sql("update t set a = 55 where id = 1")
    c.start().wait(lag=0)
    from_my.compare()


@pytest.mark.parametrize("metadata", ["NO_LOG", "MINIMAL"])
def test_less_metadata(from_my, culvert, settings, metadata):
    """Names, members and (NO_LOG) signs come from the catalogue; the rows come out the same."""
    settings(binlog_row_metadata=metadata)
    from_my.sql(SETUP)
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    change_all(from_my)
    c.wait(lag=0)
    assert from_my.compare() > 20


@pytest.mark.parametrize("metadata", ["NO_LOG", "MINIMAL"])
def test_changed_table_with_less_metadata_stops(from_my, culvert, settings, metadata):
    """The log alone does not show it: the statement does."""
    settings(binlog_row_metadata=metadata)
    from_my.sql(SETUP)
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    from_my.sql("alter table t change b b2 varchar(50), add column b varchar(50) after a; "
                "insert into t (id, b) values (300, 'wrong column?')")
    error = c.wait_error("t")
    assert error["table"] == from_my.qualified("t")
    assert from_my.target_sql("select count(*) from t where id = 300") == [(0,)]


def test_images_change_while_it_runs(from_my, culvert, settings):
    from_my.sql(SETUP)
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    for n, image in enumerate(("MINIMAL", "NOBLOB", "FULL", "MINIMAL")):
        settings(binlog_row_image=image)
        from_my.sql(f"update t set a = {n} where id = {n + 1}; update t set b = '{n}' where id > 10; "
                    f"update t set id = {1000 + n} where id = {15 + n}")
    c.wait(lag=0)
    assert from_my.compare() == 23


def test_no_key_needs_full_images(from_my, culvert, settings):
    settings(binlog_row_image="MINIMAL")
    from_my.sql("create table nokey (a int, b text); insert into nokey values (1, 'x'), (1, 'x')")
    c = culvert(from_my.least()).start()
    from_my.sql("update nokey set b = 'y' limit 1")
    if c.ctl("wait", "--lag", "0", "--timeout", "60", check=False).returncode:
        assert "binlog_row_image" in c.status()["error"]["message"]
    else:  # MariaDB logs every column of a row without a key
        from_my.compare()


@pytest.mark.parametrize("setting,value", [("binlog_format", "STATEMENT"), ("binlog_format", "MIXED")])
def test_formats_that_do_not_log_rows_are_refused(from_my, culvert, settings, setting, value):
    settings(**{setting: value})
    from_my.sql("create table t (id int primary key)")
    c = culvert(from_my.least()).start()
    error = c.wait_error("binlog_format")
    assert error["class"] == "config"
    assert "binlog_format" in plan(c)


def plan(c):
    r = c.ctl("plan", "-c", c.path, check=False)
    return r.stdout + r.stderr


def test_a_source_without_binary_log_is_refused(from_my, culvert, my_source):
    log_bin = my_source.settings.pop("log_bin")
    my_source.restart()
    try:
        from_my.sql("create table t (id int primary key)")
        c = culvert(from_my.least()).start()
        assert c.wait_error("log")["class"] == "config"
    finally:
        c.destroy()
        my_source.restart(log_bin=log_bin)
