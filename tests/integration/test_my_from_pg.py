"""Every type of PostgreSQL to the MySQL family, by copy and by stream: values that have a place
there. Where there is no such type, the target keeps the source's own text."""
import pytest

from harness.verifying import nothing_differs
from integration.conftest import make_cross

MADE = """
create type mood as enum ('sad', 'ok', 'a "b", c', 'Ünï', 'it''s');
create domain positive as int check (value > 0);
create domain words as text;
create type pair as (a int, b text);
"""

# (type, values, may be a key). A value is text, cast to the type.
TYPES = [
    ("bool", ["t", "f"], True),
    ("int2", ["-32768", "0", "32767"], True),
    ("int4", ["-2147483648", "0", "2147483647"], True),
    ("int8", ["-9223372036854775808", "0", "9223372036854775807"], True),
    ("numeric", ["0", "1.10", "-0.5", "12345678901234567890123456789012345.123456789"], False),
    ("numeric(20, 5)", ["1", "-999999999999999.99999", "0.10000"], True),
    ("numeric(65, 30)", ["9" * 35 + "." + "9" * 30, "-" + "0." + "0" * 29 + "1"], False),
    ("numeric(10, 0)", ["9999999999", "-1"], True),
    ("float4", ["-0", "1e-45", "3.4028235e38", "0.1", "16777217"], False),
    ("float8", ["-0", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "0.1", "0.30000000000000004",
                "9007199254740993", "123456789012345680000"], False),
    ("money", ["-92233720368547758.08", "0", "92233720368547758.07", "1.10"], False),
    ("text", ["", "x", " two  ", "NULL", "\\N", "\\.", "a\tb\nc\rd\be\ff\vg\\h", "é😀\u200d\ufeff", "'\"`;--",
              "x" * 100000, "{}", "\x01\x7f\x1a"], False),
    ("varchar(5)", ["", "abcde", "é😀  "], False),
    ("varchar", ["", "a", "A", " "], False),
    ("char(5)", ["", "ab", "é", "  x"], False),
    ("bpchar", ["", "ab", "x"], False),
    ('"char"', ["", "a"], False),
    ("name", ["", "x", "é" * 31], False),
    ("bytea", ["", "\\x00", "\\x00ff5c27220a0d09", "\\x" + "00ab" * 5000, "\\x6100"], False),
    ("bit(3)", ["000", "101"], True),
    ("bit(1)", ["0", "1"], True),
    ("bit(64)", ["0" * 64, "1" * 64, "1" + "0" * 63], False),
    ("bit(100)", ["10" * 50], False),
    ("varbit", ["", "1", "0", "00", "1" * 100], False),
    ("date", ["0001-01-01", "9999-12-31", "1970-01-01", "2024-02-29", "1582-10-10"], True),
    ("timestamp", ["1000-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.5"], True),
    ("timestamp(0)", ["2024-03-31 02:30:00"], True),
    ("timestamp(3)", ["2024-03-31 02:30:00.125"], True),
    ("timestamptz", ["1000-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "2024-11-03 05:30:00+00",
                     "2024-03-10 02:30:00-05", "1970-01-01 00:00:00+00"], True),
    ("time", ["00:00", "24:00:00", "23:59:59.999999"], True),
    ("time(2)", ["23:59:59.99"], True),
    ("timetz", ["00:00+15:59:59", "24:00:00-15:59:59", "12:00:00.000001+00", "12:00+05:30"], False),
    ("interval", ["0", "1 mon -1 day 01:00:00", "-1 mon 1 day -00:00:00.000001", "1 year -2 mons +3 days -4:05:06.7",
                  "178000000 years", "-1 days +25:00:00"], False),
    ("uuid", ["00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-426655440000",
              "0b8854ad-38f0-a6c6-5807-928d28195609", "ffffffff-ffff-ffff-ffff-ffffffffffff"], True),
    ("json", ['{"b": 1, "a": 1.0}', "null", "[]", ' {"x" :  [1,\n2] } ', "1.0", "1", '"\\u00e9\\ud83d\\ude00"',
              '{"": {"": [null, {}]}}'], False),
    ("jsonb", ['{"b": 1, "a": 1.0}', "null", "[]", "{}", "1.0", "1", "1e3", '"é\\""', "true",
               '{"": {"": [null, {}, "x\\ty"]}}'], False),
    ("xml", ["<a b='1'>x&amp;y</a>", "text only", "", "<é/>"], False),
    ("inet", ["0.0.0.0/0", "10.0.0.1/8", "10.0.0.1", "::1", "2001:db8::1/64", "::ffff:1.2.3.4"], False),
    ("cidr", ["10.0.0.0/8", "2001:db8::/32"], False),
    ("macaddr", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"], False),
    ("macaddr8", ["08:00:2b:01:02:03:04:05"], False),
    ("point", ["(0,-0)", "(1e-300,0.1)"], False),
    ("box", ["(1,1),(0,0)"], False),
    ("polygon", ["((0,0),(1,1),(2,0))"], False),
    ("int4range", ["empty", "(,)", "[1,5)"], False),
    ("tstzrange", ["empty", "[2020-01-01 00:00+00,2021-01-01 00:00-05]"], False),
    ("daterange", ["[2020-01-01,2020-01-02)"], False),
    ("int4multirange", ["{}", "{(,1),[5,7),[9,)}"], False),
    ("int4[]", ["{}", "{1,NULL,3}", "{{1,2},{3,NULL}}"], False),
    ("text[]", ["{}", '{"",NULL,"NULL","a,b","{x}","\\"q\\\\"," sp ",é😀}', '{"line\nfeed"}'], False),
    ("bool[]", ["{t,f,NULL}"], False),
    ("numeric[]", ["{1.0,1.00,NULL}"], False),
    ("uuid[]", ["{00000000-0000-0000-0000-000000000000}"], False),
    ("tsvector", ["", "'a':1A,2 'b c':3B"], False),
    ("tsquery", ["'a' & ( 'b':AB | !'c':* )"], False),
    ("oid", ["0", "4294967295"], False),
    ("pg_lsn", ["0/0", "FFFFFFFF/FFFFFFFF"], False),
    ("mood", ["sad", "ok", 'a "b", c', "Ünï", "it's"], True),
    ("mood[]", ['{sad,NULL,"a \\"b\\", c"}', "{}"], False),
    ("positive", ["1", "2147483647"], True),
    ("words", ["", "é"], False),
    ("pair", ['(1,"a b")', "(,)"], False),
]


@pytest.fixture
def cross(request):
    c = make_cross(request, "pg-my")
    yield c
    c.drop()


def literal(value, type):
    return "'" + value.replace("'", "''") + f"'::{type}"


def tables_of():
    yield MADE
    for i, (type, values, key) in enumerate(TYPES):
        for table in "cs":
            yield f"create table {table}{i} (id int primary key, v {type})"
        yield from fill(f"c{i}", type, values)
        if key:
            yield f"create table k{i} (v {type} primary key, n int)"
            yield from (f"insert into k{i} values ({literal(v, type)}, {n})" for n, v in enumerate(values))


def fill(table, type, values):
    for n, v in enumerate(values):
        yield f"insert into {table} values ({n}, {literal(v, type)})"
    yield f"insert into {table} values (99, null)"


def changes():
    for i, (type, values, key) in enumerate(TYPES):
        first, last = literal(values[0], type), literal(values[-1], type)
        yield from fill(f"s{i}", type, values)
        yield f"insert into s{i} values (100, null), (101, {first})"
        yield f"update s{i} set v = {last} where id = 100; update s{i} set v = null where id = 101"
        yield f"delete from s{i} where id >= 100"
        if key:
            yield f"update k{i} set n = n + 100"
            yield f"delete from k{i} where n = 100"
            if len(values) > 1:
                yield f"update k{i} set v = {first} where n = 101"


def run_all(server, database, statements):
    c = server.connect(database, autocommit=False)
    with c.cursor() as cursor:
        for sql in statements:
            try:
                cursor.execute(sql)
            except Exception as e:
                raise AssertionError(f"{sql[:200]}: {e}") from None
    c.commit()
    c.close()


def test_all_types_by_copy_and_by_stream(cross, culvert):
    run_all(cross.source, cross.name, tables_of())
    c = culvert(cross.config()).start()
    c.wait(state="streaming", timeout=120)
    run_all(cross.source, cross.name, changes())
    c.wait(lag=0, timeout=120)
    assert cross.compare() > 400
    nothing_differs(c)
    for i, (type, *_) in enumerate(TYPES):
        copied = cross.target_sql(f"select * from c{i} order by id")
        assert copied == cross.target_sql(f"select * from s{i} order by id") and len(copied) > 1, type


def test_generated_and_identity_columns(cross, culvert):
    cross.sql("""create table made (id bigint generated always as identity primary key, a int,
        twice int generated always as (a * 2) stored, s serial, d timestamptz default now(), t text default 'x');
        insert into made (a) values (1), (2), (null)""")
    c = culvert(cross.least()).start()
    c.wait(state="streaming")
    cross.sql("insert into made (a) values (10); update made set a = 20 where a = 1; delete from made where a = 2")
    c.wait(lag=0)
    assert cross.compare() == 3


def test_keys_of_text_are_bytewise(cross, culvert):
    """On PostgreSQL 'a', 'A', 'á' and 'a ' are four keys, and they stay four."""
    cross.sql("create table t (k text primary key, v int); "
              "insert into t values ('a', 1), ('A', 2), ('á', 3), ('a ', 4), ('', 5)")
    c = culvert(cross.config()).start()
    c.wait(state="streaming")
    cross.sql("update t set v = v + 10; update t set k = 'B' where k = 'A'; delete from t where k = 'a '; "
              "insert into t values ('b', 6)")
    c.wait(lag=0)
    assert cross.compare() == 5


def test_unchanged_toast_stays(cross, culvert):
    cross.sql("create table wide (id int primary key, small text, big text); insert into wide select g, 's', "
              "string_agg(md5(g::text || h), '') from generate_series(1, 20) g, generate_series(1, 400) h group by g")
    c = culvert(cross.config()).start()
    c.wait(state="streaming")
    cross.sql("update wide set small = 'new' where id < 10; update wide set id = id + 100 where id = 11; "
              "update wide set big = 'short' where id = 12")
    c.wait(lag=0)
    assert cross.compare() == 20


def test_partitions_arrive_as_one_table(cross, culvert):
    cross.sql("""create table parted (id int primary key, v text) partition by range (id);
        create table parted_1 partition of parted for values from (0) to (1000);
        create table parted_2 partition of parted for values from (1000) to (2000);
        insert into parted select g, 'p' from generate_series(10, 1400, 10) g""")
    c = culvert(cross.config()).start()
    c.wait(state="streaming")
    cross.sql("insert into parted values (5, 'five'), (1500, 'more'); update parted set id = 1005 where id = 5")
    c.wait(lag=0)
    assert cross.compare() == 142


DEFAULTS = ("create type e as enum ('?', '\U0001f600', 'a\U0001f601''\\'); create table t (id int primary key, "
            "v varchar(20) not null default 'a\U0001f600?', n text default 'b\U0001f600''?', c char(3) default '\U0001f600', "
            "e e not null default 'a\U0001f601''\\')")


def test_defaults_with_characters_of_four_bytes(cross, culvert):
    cross.sql(DEFAULTS)
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    c.stop()
    for side in (cross.sql, cross.target_sql):
        side("insert into t (id) values (1)")
        assert [str(x).rstrip() for x in side("select v, n, c, e from t")[0]] == \
            ["a\U0001f600?", "b\U0001f600'?", "\U0001f600", "a\U0001f601'\\"]
        side("delete from t")
