"""Values that have no place on the other side: an error with table, column and key, never the value,
and nothing rounded, cut or zeroed. Both by copy and by stream."""
import pytest

from harness.verifying import nothing_differs
from integration.conftest import make_cross

ZERO = "create table t (id int primary key, d date, m datetime(3), s timestamp(3) null); " \
       "set sql_mode = ''; insert into t values (1, '0000-00-00', '0000-00-00', '0000-00-00'), " \
       "(2, '2024-01-01', '2024-01-01', '2024-01-01')"
MORE = "set sql_mode = ''; insert into t values (3, '0000-00-00', '2024-01-01', null), " \
       "(4, '2024-01-01', '0000-00-00', '0000-00-00')"


@pytest.fixture
def to_pg(request):
    c = make_cross(request, "my-pg")
    yield c
    c.drop()


@pytest.fixture
def from_pg(request):
    c = make_cross(request, "pg-my")
    yield c
    c.drop()


def test_zero_dates_are_an_error(to_pg, culvert):
    to_pg.sql(ZERO)
    c = culvert(to_pg.config()).start()
    error = c.wait_error("zero")
    assert error["table"] == to_pg.qualified("t") and error["key"] == "id=1" and error["class"] == "data"
    assert "d" in error["message"]


def test_zero_dates_in_the_stream_are_an_error(to_pg, culvert):
    to_pg.sql(ZERO + "; delete from t where id = 1")
    c = culvert(to_pg.config()).start()
    c.wait(lag=0)
    to_pg.sql(MORE)
    error = c.wait_error("zero")
    assert error["table"] == to_pg.qualified("t") and error["key"] == "id=3"
    c.config["values"] = {"zero_date": "null"}
    c.write()
    c.terminate()
    c.start()
    c.wait(lag=0)
    assert to_pg.target_sql("select id, d is null from t order by id") == [(2, False), (3, True), (4, False)]


@pytest.mark.parametrize("policy,text", [("null", None), ("1970-01-01", "1970-01-01")])
def test_zero_dates_by_policy(to_pg, culvert, policy, text):
    to_pg.sql(ZERO)
    c = culvert(to_pg.config(values={"zero_date": policy})).start()
    c.wait(lag=0)
    to_pg.sql(MORE)
    c.wait(lag=0)
    rows = dict((r[0], r[1:]) for r in to_pg.target_sql(
        "select id, d::text, left(m::text, 10), left((s at time zone 'utc')::text, 10) from t"))
    assert rows == {1: (text, text, text), 2: ("2024-01-01",) * 3, 3: (text, "2024-01-01", None),
                    4: ("2024-01-01", text, text)}
    nothing_differs(c)


def test_zero_dates_stay_where_they_have_a_place(request, culvert):
    cross = make_cross(request, "my-my")
    try:
        cross.sql(ZERO)
        c = culvert(cross.least()).start()
        c.wait(lag=0)
        cross.sql(MORE + "; set sql_mode = ''; insert into t (id, d) values (5, '2024-00-00'), (6, '2024-02-00')")
        c.wait(lag=0)
        assert cross.compare() == 6
    finally:
        cross.drop()


def test_zero_date_into_a_column_without_null(to_pg, culvert):
    to_pg.sql("create table t (id int primary key, d date not null); set sql_mode = ''; "
              "insert into t values (1, '0000-00-00')")
    c = culvert(to_pg.config(values={"zero_date": "null"})).start()
    error = c.wait_error("t")
    assert error["table"] == to_pg.qualified("t")


# (type on the source, the target's type, a value with a place, one without)
TO_PG = [
    ("bigint unsigned", "bigint", "9223372036854775807", "9223372036854775808"),
    ("int", "smallint", "-32768", "32768"),
    ("decimal(20,5)", "numeric(10,2)", "1.50", "1.555"),
    ("varchar(10)", "varchar(3)", "'abc'", "'abcd'"),
    ("varchar(10)", "text", "'abc'", "'a\\0b'"),
    ("date", "date", "'2024-01-01'", "'2024-00-10'"),
    ("time", "time", "'23:59:59'", "'25:00:00'"),
    ("tinyint(1)", "boolean", "1", "2"),
    ("enum('a','b','c')", "e", "'b'", "'c'"),
    ("datetime(6)", "timestamp(3)", "'2024-01-01 00:00:00.125'", "'2024-01-01 00:00:00.125001'"),
]
# (the same, with values as text of the source's type)
FROM_PG = [
    ("bigint", "int", "2147483647", "2147483648"),
    ("int", "int unsigned", "5", "-5"),
    ("numeric", "decimal(10,2)", "1.50", "NaN"),
    ("numeric", "decimal(10,2)", "1.50", "1.555"),
    ("float8", "double", "1e300", "Infinity"),
    ("float8", "float", "0.5", "1e300"),
    ("text", "varchar(3)", "abc", "abcd"),
    ("text", "varchar(10) character set latin1", "é", "日"),
    ("date", "date", "2024-01-01", "infinity"),
    ("date", "date", "2024-01-01", "0044-03-15 BC"),
    ("timestamp", "datetime(6)", "2024-01-01 00:00:00", "10000-01-01 00:00:00"),
    ("timestamptz", "timestamp(6)", "2024-01-01 00:00:00+00", "1969-12-31 00:00:00+00"),
    ("timestamp", "datetime(0)", "2024-01-01 00:00:00", "2024-01-01 00:00:00.5"),
    ("bytea", "varbinary(2)", "\\x0001", "\\x000102"),
    ("interval", "time(6)", "01:02:03", "1 mon"),
    ("text", "enum('a','b')", "b", "c"),
]


def check(cross, culvert, way, place, no_place):
    """`place` and `no_place` make the insert of a row with that id."""
    cross.sql(place(1))
    if way == "copy":
        cross.sql(no_place(2))
    c = culvert(cross.config(tables={"create": "no"})).start()
    if way == "stream":
        c.wait(lag=0)
        cross.sql(place(3))
        cross.sql(no_place(2))
    error = c.wait_error("v")
    assert error["table"] in cross.names("t") and error["class"] == "data", error
    assert error["key"] == "id=2", error
    if way == "stream":
        assert cross.target_sql("select id from t order by id") == [(1,), (3,)]
    return error, c


@pytest.mark.parametrize("way", ["copy", "stream"])
@pytest.mark.parametrize("case", range(len(TO_PG)))
def test_no_place_in_postgresql(to_pg, culvert, case, way):
    source, target, good, bad = TO_PG[case]
    to_pg.sql(f"create table t (id int primary key, v {source})")
    to_pg.target_sql(f"create type e as enum ('a', 'b'); create table t (id int primary key, v {target})")
    error, c = check(to_pg, culvert, way, lambda i: f"insert into t values ({i}, {good})",
                     lambda i: f"set sql_mode = ''; insert into t values ({i}, {bad})")
    if len(bad) > 5:
        assert bad.strip("'") not in error["message"] and bad.strip("'") not in c.log_text()


@pytest.mark.parametrize("way", ["copy", "stream"])
@pytest.mark.parametrize("case", range(len(FROM_PG)))
def test_no_place_in_the_mysql_family(from_pg, culvert, case, way):
    source, target, good, bad = FROM_PG[case]
    from_pg.sql(f"create table t (id int primary key, v {source})")
    from_pg.target_sql(f"create table t (id int primary key, v {target})")
    error, c = check(from_pg, culvert, way, lambda i: f"insert into t values ({i}, '{good}')",
                     lambda i: f"insert into t values ({i}, '{bad}')")
    if len(bad) > 8:
        assert bad not in error["message"] and bad not in c.log_text()


# Index 0: what a careless insert leaves; '0' is a member of one.
ENUMS = "create table t (id int primary key, v enum('a','b'), w enum('x','0','00') not null, n varchar(3)); " \
        "create table k (v enum('a','b') primary key, n int); create table w (v enum('a','b'), n int); " \
        "set sql_mode = ''; insert into t values (1, 'a', 'x', 'n'), (2, '', '0', 'n'), (3, 'no', 'no', null); " \
        "insert into k values ('', 1), ('a', 2); insert into w values ('', 1), ('', 1), ('b', 2)"
ENUM_CHANGES = ["insert into t values (4, '', '', 'n'), (5, 'b', '00', 'n'), (6, '', 'x', 'n')",
                "update t set v = '' where id = 1", "update t set v = 'a' where id = 2",
                "update t set n = 'm' where id = 3", "update t set v = '', w = '' where id = 5",
                "update k set n = 3 where v = ''", "update k set v = 'b' where v = ''",
                "update k set v = '' where v = 'a'", "update w set v = 'a' limit 1", "delete from w where n = 1 limit 1",
                "insert into w values ('', 4)"]


# The same where '' is a member, too: 0 and its number, in each place that a value can have.
EMPTY = "create table t (id int primary key, v enum('','x','0') not null, w enum('x','','000000') character set utf16 " \
        "default '', u enum('é','') character set latin1); create table k (v enum('','x') primary key, n int); " \
        "create table two (n int, v enum('x','') collate utf8mb4_unicode_ci, primary key (n, v)); " \
        "create table w (v enum('x',''), n int); set sql_mode = ''; insert into t values (1, 0, 0, 0), (2, 1, 2, 2), " \
        "(3, 2, 1, 1), (4, 3, 3, null), (9, 0, 2, 0); insert into k values (0, 1), (1, 2), (2, 3); " \
        "insert into two values (1, 0), (1, 1), (1, 2), (2, 0), (2, 2); insert into w values (0, 1), (0, 1), (2, 1), (2, 2), (null, 1)"
EMPTY_CHANGES = ["insert into t values (11, 0, 0, 0), (12, 1, 2, 2), (13, 2, 1, 1), (14, 3, 3, null), (15, 1, 0, 0); "
                 "insert into t (id, v) values (16, 1)", "update t set v = 0, w = 2 where id in (2, 3)",
                 "update t set v = 1, w = 0, u = 2 where id in (1, 4)", "update t set id = -id where id = 9",
                 "update k set n = n + 10 where v + 0 = 0", "update k set n = n + 20 where v + 0 = 1",
                 "delete from k where v + 0 = 1", "update k set v = 1 where v + 0 = 0", "update k set v = 0 where v + 0 = 2",
                 "delete from two where n = 1 and v + 0 in (0, 2)", "update two set n = 3 where v + 0 = 0",
                 "update two set v = 0 where n = 2", "delete from w where v + 0 = 2 and n = 1",
                 "update w set v = 2 where v + 0 = 0 limit 1", "update w set n = 5 where v + 0 = 0",
                 "update w set v = 0 where v is null", "insert into w values (2, 7), (0, 7)"]
EMPTY_TABLES = (("id, v + 0, w + 0, u + 0", "t"), ("v + 0, n", "k"), ("n, v + 0", "two"), ("v + 0, n", "w"))


def empty_members(cross, culvert, charset="utf16"):
    cross.sql(EMPTY.replace("utf16", charset))
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    same_indexes(cross, EMPTY_TABLES)
    for change in EMPTY_CHANGES:
        cross.sql("set sql_mode = ''; " + change)
    c.wait(lag=0)
    same_indexes(cross, EMPTY_TABLES)
    assert cross.target_sql("select v + 0 from t where v = '' and id > 0 order by id") == \
        [(1,), (0,), (0,), (1,), (0,), (1,), (1,), (1,)]


def test_an_empty_member_is_not_the_empty_value_of_an_enum(request, culvert):
    cross = make_cross(request, "my-my")
    try:
        empty_members(cross, culvert)
    finally:
        cross.drop()


def enum_refused(to_pg, culvert, way, bad):
    """The error of rows that come by copy or by stream."""
    if way == "copy":
        to_pg.sql(bad)
    c = culvert(to_pg.config()).start()
    if way == "stream":
        c.wait(lag=0)
        to_pg.sql(bad)
    error = c.wait_error("enum_error")
    assert error["table"] == to_pg.qualified("t") and error["class"] == "data"
    return error


@pytest.mark.parametrize("way", ["copy", "stream"])
def test_an_empty_member_has_a_place_in_postgresql_and_index_0_none(to_pg, culvert, way):
    to_pg.sql("create table t (id int primary key, v enum('x','')); insert into t values (1, ''), (2, 'x')")
    error = enum_refused(to_pg, culvert, way, "set sql_mode = ''; insert into t values (3, ''), (4, 0)")
    assert error["key"] == "id=4"


@pytest.mark.parametrize("policy,value", [("null", None), ("empty", "")])
def test_an_empty_member_and_index_0_by_policy(to_pg, culvert, policy, value):
    to_pg.sql("create table t (id int primary key, v enum('x',''), s enum('x','')); set sql_mode = ''; "
              "insert into t values (1, '', ''), (2, 0, 0)")
    to_pg.target_sql("create type mine as enum ('x', ''); create table t (id int primary key, v mine, s text)")
    c = culvert(to_pg.config(values={"enum_error": policy})).start()
    c.wait(lag=0)
    to_pg.sql("set sql_mode = ''; insert into t values (3, '', ''), (4, 0, 0)")
    c.wait(lag=0)
    assert to_pg.target_sql("select id, v::text, s from t order by id") == [
        (1, "", ""), (2, value, ""), (3, "", ""), (4, value, "")]


def test_the_empty_value_of_an_enum_stays_within_the_family(request, culvert):
    cross = make_cross(request, "my-my")
    try:
        cross.sql(ENUMS)
        c = culvert(cross.least()).start()
        c.wait(lag=0)
        same_indexes(cross)
        for change in ENUM_CHANGES:
            cross.sql("set sql_mode = ''; " + change)
        c.wait(lag=0)
        same_indexes(cross)
        assert cross.target_sql("select count(*) from t where v + 0 = 0") == [(5,)]
        cross.sql("delete from k where v = ''; delete from t where v = ''")
        c.wait(lag=0)
        same_indexes(cross)
    finally:
        cross.drop()


def same_indexes(cross, tables=(("id, v + 0, w + 0", "t"), ("v + 0, n", "k"), ("v + 0, n", "w"))):
    """'' is also how a member could be called."""
    cross.compare()
    for columns, table in tables:
        sql = f"select {columns} from {table} order by 1, 2"
        assert cross.sql(sql) == cross.target_sql(sql)


@pytest.mark.long
def test_many_empty_values_of_enums_are_copied(request, culvert):
    cross = make_cross(request, "my-my")
    try:
        cross.sql("create table t (id int primary key, v enum('a','b'), n varchar(200)); set sql_mode = ''; "
                  "insert into t select seq, if(seq % 3, '', 'a'), repeat('x', seq % 200) from seq_1_to_200000")
        c = culvert(cross.least()).start()
        c.wait(lag=0)
        assert cross.compare() == 200000
    finally:
        cross.drop()


@pytest.mark.parametrize("way", ["copy", "stream"])
def test_the_empty_value_of_an_enum_has_no_place_in_postgresql(to_pg, culvert, way):
    to_pg.sql("create table t (id int primary key, v enum('a','b')); insert into t values (1, 'a')")
    error = enum_refused(to_pg, culvert, way, "set sql_mode = ''; insert into t values (2, 'nonsense')")
    assert error["key"] == "id=2" and "'v'" in error["message"]


@pytest.mark.parametrize("policy,value", [("null", None), ("empty", "")])
def test_the_empty_value_of_an_enum_by_policy(to_pg, culvert, policy, value):
    to_pg.sql("create table t (id int primary key, v enum('a','b'), s enum('a')); set sql_mode = ''; "
              "insert into t values (1, 'a', 'a'), (2, '', '')")
    if policy == "empty":
        to_pg.target_sql("create type mine as enum ('a', 'b', ''); create table t (id int primary key, v mine, s text)")
    else:
        to_pg.target_sql("create type mine as enum ('a', 'b'); create table t (id int primary key, v mine, s text)")
    c = culvert(to_pg.config(values={"enum_error": policy})).start()
    c.wait(lag=0)
    to_pg.sql("set sql_mode = ''; insert into t values (3, '', ''); update t set v = '', s = '' where id = 1")
    c.wait(lag=0)
    assert to_pg.target_sql("select id, v::text, s from t order by id") == [
        (1, value, ""), (2, value, ""), (3, value, "")]


# Bytes that a server stores in such a column and that are none of its characters.
NO_CHARACTERS = [("ascii", "c3a9"), ("ascii", "e9"), ("hebrew", "41fb"), ("gbk", "fefe"), ("sjis", "8540"),
                 ("tis620", "ff"), ("greek", "ff41")]


@pytest.mark.parametrize("way", ["copy", "stream"])
@pytest.mark.parametrize("charset,data", NO_CHARACTERS)
def test_bytes_that_are_no_characters(from_my, culvert, way, charset, data):
    """A server that is asked for text makes '?' of them, without a word."""
    from_my.sql(f"create table t (id int primary key, v varchar(10) character set {charset}); "
                "insert into t values (1, 'a')")
    bad = f"insert into t values (2, x'{data}')"
    if way == "copy":
        from_my.sql(bad)
    c = culvert(from_my.config()).start()
    if way == "stream":
        c.wait(lag=0)
        from_my.sql(bad)
    error = c.wait_error(f"not valid {charset}")
    assert error["table"] == from_my.qualified("t") and error["class"] == "data"
    assert "v" in error["message"]
    if way == "copy":
        assert error["key"] == "id=2"


def test_all_bytes_of_latin1(from_my, culvert):
    rows = ", ".join(f"({i}, char({i + 1} using latin1), char({i + 1} using latin1))" for i in range(255))
    from_my.sql("create table t (id int primary key, v varchar(3) character set latin1, c text character set latin1); "
                f"insert into t values {rows}; insert into t values (300, 0x8190, repeat(char(0x8d using latin1), 9999))")
    c = culvert(from_my.config()).start()
    c.wait(lag=0)
    from_my.sql("insert into t select id + 1000, v, c from t")
    c.wait(lag=0)
    assert from_my.compare() == 512
