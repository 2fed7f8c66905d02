"""Every type of a MySQL-family source with its edge values, by copy and by stream: both end alike."""
import pytest

from harness.until import until
from harness.verifying import nothing_differs
from integration.my_types import CHARSETS, MARIADB, TYPES

LONG_TIMEOUT = 120


def tables_of(types):
    """c: filled before the copy; s: its sibling, filled by the stream; k: the type is the key."""
    for i, (type, values, key) in enumerate(types):
        for table in "cs":
            yield f"create table {table}{i} (id int primary key, v {type})"
        yield from fill(f"c{i}", values)
        if key:
            yield f"create table k{i} (v {type} not null primary key, n int)"
            yield from (f"insert into k{i} values ({v}, {n})" for n, v in enumerate(values))


def fill(table, values):
    for n, v in enumerate(values):
        yield f"insert into {table} values ({n}, {v})"
    yield f"insert into {table} values (99, null)"


def changes(types):
    for i, (type, values, key) in enumerate(types):
        yield from fill(f"s{i}", values)
        yield f"insert into s{i} values (100, null), (101, {values[0]}), (102, {values[-1]})"
        yield f"update s{i} set v = {values[-1]} where id = 100"
        yield f"update s{i} set v = null where id = 101"
        yield f"delete from s{i} where id >= 100"
        if key:
            yield f"update k{i} set n = n + 100"
            yield f"delete from k{i} where n = 100"
            if len(values) > 1:
                yield f"update k{i} set v = {values[0]} where n = 101"
                yield f"insert into k{i} values ({values[1]}, 7)"


def run_all(server, database, statements):
    c = server.connect(database, autocommit=False)
    with c.cursor() as cursor:
        cursor.execute("set names utf8mb4")
        for sql in statements:
            try:
                cursor.execute(sql)
            except Exception as e:
                raise AssertionError(f"{sql[:200]}: {e}") from None
    c.commit()
    c.close()


def siblings_equal(cross, types):
    """On the target, what was copied and what was streamed."""
    for i, (type, *_) in enumerate(types):
        copied = cross.target_sql(f"select * from c{i} order by id")
        streamed = cross.target_sql(f"select * from s{i} order by id")
        assert copied == streamed and len(copied) > 1, type


def move(cross, culvert, types):
    run_all(cross.source, cross.name, tables_of(types))
    c = culvert(cross.least(), "shop").start()
    c.wait(state="streaming", timeout=LONG_TIMEOUT)
    run_all(cross.source, cross.name, changes(types))
    c.wait(lag=0, timeout=LONG_TIMEOUT)
    assert cross.compare() > 4 * len(types)
    siblings_equal(cross, types)
    nothing_differs(c)


def test_all_types_by_copy_and_by_stream(from_my, culvert):
    move(from_my, culvert, TYPES + MARIADB)


def test_all_character_sets_by_copy_and_by_stream(from_my, culvert):
    move(from_my, culvert, CHARSETS)


GENERATED = """
create table made (id int auto_increment primary key, a int, twice int as (a * 2) virtual,
    thrice int as (a * 3) stored, hidden varchar(10) invisible default 'h', b text);
insert into made (a, b) values (1, 'one'), (2, null);
insert into made (a, hidden) values (3, 'seen');
"""


def test_generated_and_invisible_columns(from_my, culvert):
    from_my.sql(GENERATED)
    c = culvert(from_my.least()).start()
    c.wait(state="streaming")
    from_my.sql("insert into made (a, b, hidden) values (10, 'x', null); update made set a = 20 where a = 1; "
                "update made set hidden = 'h2' where a = 2; delete from made where a = 3")
    c.wait(lag=0)
    assert from_my.compare() == 3
    assert from_my.target_sql("select sum(twice), sum(thrice) from made") == [(64, 96)]


def test_temporal_types_of_old_format(from_my, culvert):
    """As tables of MySQL 5.5 and MariaDB 10.0 have them: the binlog holds them in another form."""
    from_my.source.setting("mysql56_temporal_format", "off")
    try:
        from_my.sql("create table old (id int primary key, d datetime, e time, f timestamp null)")
    finally:
        from_my.source.setting("mysql56_temporal_format", "on")
    row = "'1000-01-01 00:00:00', '-00:00:01', '1970-01-01 00:00:01'"
    from_my.sql(f"insert into old values (1, {row})")
    c = culvert(from_my.least()).start()
    c.wait(state="streaming")
    from_my.sql(f"insert into old values (2, {row}), (3, null, null, null)")
    c.wait(lag=0)
    assert from_my.compare() == 3
    assert from_my.target_sql("select d, e, f from old where id = 1") == \
        from_my.target_sql("select d, e, f from old where id = 2")


@pytest.mark.parametrize("type", ["datetime(3)", "time(6)", "timestamp(1) null"])
def test_fractions_of_old_format_are_refused(from_my, culvert, type):
    """MariaDB 5.3's own form of fractional seconds: named before anything is copied."""
    from_my.source.setting("mysql56_temporal_format", "off")
    try:
        from_my.sql(f"create table old (id int primary key, a {type})")
    finally:
        from_my.source.setting("mysql56_temporal_format", "on")
    c = culvert(from_my.config()).start()
    error = c.wait_error("mysql56_temporal_format")
    assert error["class"] == "config" and from_my.qualified("old") in error["message"]
    from_my.sql("alter table old force; insert into old values (1, '2024-01-01 10:11:12.999999')")
    c.ctl("resume")
    c.wait(lag=0)
    assert from_my.compare() == 1


@pytest.mark.parametrize("type", ["datetime(3)", "time(6)", "timestamp(1) null"])
def test_old_format_that_comes_later(from_my, culvert, type):
    """The log does not tell how many digits its values have: never a wrong one."""
    row = "'2024-01-01 10:11:12.9', 'abcdefgh', 1"
    from_my.sql(f"create table old (id int primary key, a {type}, b varchar(10), n bigint); insert into old values (1, {row})")
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    from_my.source.setting("mysql56_temporal_format", "off")
    try:
        from_my.sql("alter table old force")
    finally:
        from_my.source.setting("mysql56_temporal_format", "on")
    from_my.sql(f"insert into old values (2, {row}), (3, {row}), (4, {row})")
    c.wait_error("old")

    def refused(text):
        until(lambda: text in (c.status()["error"] or {"message": ""})["message"], 20, text)
        assert from_my.target_sql("select id from old") == [(1,)]

    c.ctl("resume")
    refused("in an old format (mysql56_temporal_format=OFF)")
    c.ctl("resume")
    refused("as the log has it")


@pytest.mark.parametrize("type", ["datetime", "time", "timestamp null"])
def test_old_format_beside_another_change(from_my, culvert, type):
    from_my.source.setting("mysql56_temporal_format", "off")
    try:
        from_my.sql(f"create table old (id int primary key, a {type}); insert into old values (1, '2024-01-01 10:11:12')")
        c = culvert(from_my.least()).start()
        c.wait(lag=0)
        assert "mysql56_temporal_format is OFF" in c.log_text() and "= ON" in c.log_text()
        for sql in (from_my.sql, from_my.target_sql):
            sql("alter table old add column n int")
        from_my.sql("insert into old values (2, '2024-01-01 10:11:12', 2)")
        c.wait_error("old")
        c.ctl("resume")
        c.wait(lag=0)
        assert from_my.compare() == 2
    finally:
        from_my.source.setting("mysql56_temporal_format", "on")


def test_session_time_zone_of_the_writer(from_my, culvert):
    """TIMESTAMP is a moment, DATETIME is not; the writer's zone shows in neither."""
    from_my.sql("create table t (id int primary key, moment timestamp(3) null, wall datetime(3))")
    rows = "'2024-03-31 01:30:00.5', '2024-03-31 02:30:00.5'"
    from_my.sql(f"set time_zone = '+05:30'; insert into t values (1, {rows})")
    from_my.source.setting("time_zone", "'-03:00'")
    try:
        c = culvert(from_my.least()).start()
        c.wait(state="streaming")
        from_my.sql(f"set time_zone = '+05:30'; insert into t values (2, {rows})")
        c.wait(lag=0)
        assert from_my.compare() == 2
        assert len(set(from_my.target_sql("select moment, wall from t"))) == 1
    finally:
        from_my.source.setting("time_zone", "'SYSTEM'")


FOUR_BYTES = ("create table t (id int primary key, e enum('a','\U0001f600','?','\u00e9') not null default '\U0001f600' "
              "comment 'it''s ? ', s set('?','\U0001f600''s','b\\\\\U0001f600') default '?,\U0001f600''s', "
              "l enum('\u00e9','?') character set latin1, w enum('\U0001f601','\U0001f602') character set utf16 collate utf16_bin, "
              "v varchar(20) default '? \U0001f600 it''s', p varchar(9) default 'what?') default charset utf8mb4 collate utf8mb4_bin")


def fill_four_bytes(cross, first):
    cross.sql(f"insert into t values ({first}, 'a', '?', '?', '\U0001f602', 'x', 'y')")
    cross.sql(f"insert into t (id) values ({first + 1})")
    cross.sql(f"insert into t (id, e, s, w) values ({first + 2}, 4, 7, 1), ({first + 3}, '?', '', 2)")
    cross.sql(f"update t set e = '\U0001f600', s = 'b\\\\\U0001f600' where id = {first}")


@pytest.mark.parametrize("image", ["FULL", "MINIMAL"])
def test_characters_of_four_bytes_in_members_and_defaults(from_my, culvert, my_source, image):
    """The catalogue shows '?' for them."""
    my_source.setting("binlog_row_image", f"'{image}'")
    try:
        from_my.sql(FOUR_BYTES)
        fill_four_bytes(from_my, 1)
        c = culvert(from_my.least()).start()
        c.wait(lag=0)
        fill_four_bytes(from_my, 11)
        c.wait(lag=0)
        assert from_my.compare() == 8
        from_my.target_sql("insert into t (id, e) values (20, 'a')")
        default = from_my.target_sql("select v from t where id = 20"), from_my.target_sql("select p from t where id = 20")
        assert default == ([("? \U0001f600 it's",)], [("what?",)])
    finally:
        my_source.setting("binlog_row_image", "'FULL'")


EMPTY_DEFAULTS = ("create table t (id int primary key, v varchar(20) not null default 'a\U0001f600?', "
                  "n varchar(20) default 'b\U0001f600?', e enum('?','\U0001f600') not null default '\U0001f600', "
                  "p varchar(9) not null default 'plain') default charset utf8mb4 collate utf8mb4_bin")


def defaults_of_an_empty_table(cross, culvert, exact):
    """`exact`: the columns without NULL have theirs; else they have none, and it is said."""
    cross.sql(EMPTY_DEFAULTS)
    c = culvert(cross.least())
    for command in ("schema", "assess"):
        r = c.ctl(command, "-c", c.path, check=False)
        text = r.stdout
        assert r.returncode == 0, text + r.stderr
        for column, shown in (("v", "a??"), ("e", "?")):
            said = f"t: column {column}: default '{shown}', in which '?' may be any character of four bytes, "
            assert (said in text) != exact, text
        assert "column n: default" not in text and "column p: default" not in text, text
    c.start()
    c.wait(lag=0)
    cross.target_sql("insert into t (id, v, e) values (1, 'x', '?')")
    assert cross.target_sql("select n, p from t") == [("b\U0001f600?", "plain")]
    if exact:
        cross.target_sql("insert into t (id) values (2)")
        assert cross.target_sql("select v, e from t where id = 2") == [("a\U0001f600?", "\U0001f600")]
        return
    with pytest.raises(Exception, match="default value|not-null"):  # an ENUM of the family takes its first member
        cross.target_sql("insert into t (id, e) values (3, '?')")


def test_defaults_of_four_bytes_of_an_empty_table(from_my, culvert):
    """MariaDB tells them only of columns that may be NULL."""
    defaults_of_an_empty_table(from_my, culvert, exact=False)


def test_many_members_that_the_catalogue_cuts(from_my, culvert):
    members = ", ".join(f"'{chr(0x1f300 + i)}'" for i in range(1500))
    from_my.sql(f"create table t (id int primary key, e enum({members}) collate utf8mb4_bin); insert into t values (1, 1), (2, 1500)")
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    from_my.sql("insert into t values (3, 700)")
    c.wait(lag=0)
    assert from_my.compare() == 3
