"""Every built-in type with its edge values, and every odd name, by copy and by stream."""
from harness.compare import compare, compare_schema, query, quote
from harness.verifying import nothing_differs, verify

MADE = """
create type mood as enum ('sad', 'ok', 'a "b", c', 'Ünï', '{x}', 'NULL', '');
create domain positive as int check (value > 0);
create domain words as text[];
create domain nested as positive check (value < 1000000);
create type pair as (a int, b text);
create type deep as (p pair, m mood, d positive, list mood[]);
create type floats as range (subtype = float8, subtype_diff = float8mi);
create schema elsewhere;
create type elsewhere."Odd Type" as enum ('x', 'Y y');
create extension hstore;
create extension citext;
create extension ltree schema elsewhere;
"""

# (type, values, may be a key). A value is SQL text in quotes, cast to the type.
TYPES = [
    ("bool", ["t", "f"], True),
    ("int2", ["-32768", "0", "32767"], True),
    ("int4", ["-2147483648", "0", "2147483647"], True),
    ("int8", ["-9223372036854775808", "0", "9223372036854775807"], True),
    ("numeric", ["NaN", "Infinity", "-Infinity", "0", "0.000", "1", "-1.10", "1e-16383", "1e131071",
                 "9" * 300 + "." + "9" * 300, "-0.00000000000000000001", "123456789012345678901234567890.10"], False),
    ("numeric(20, 5)", ["1", "-99999.99999", "NaN"], True),
    ("numeric(3, -2)", ["12300", "-99900"], True),
    ("float4", ["NaN", "Infinity", "-Infinity", "-0", "1e-45", "3.4028235e38", "0.1", "16777217"], True),
    ("float8", ["NaN", "Infinity", "-Infinity", "-0", "5e-324", "2.2250738585072014e-308",
                "1.7976931348623157e308", "0.1", "0.30000000000000004", "9007199254740993"], True),
    ("money", ["-92233720368547758.08", "0", "92233720368547758.07", "1.10"], True),
    ("text", ["", "x", " two  ", "NULL", "\\N", "\\.", "a\tb\nc\rd\be\ff\vg\\h", "é😀\u200d\ufeff", "'\"`;--",
              "x" * 100000, "{}", "\x01\x7f"], False),
    ("varchar(5)", ["", "abcde", "é😀  "], True),
    ("varchar", ["", "a", "A", " "], True),
    ("char(5)", ["", "ab", "é", "  x"], True),
    ("bpchar", ["", "ab  ", "x"], False),
    ('"char"', ["", "a", "\\377", "\\001"], True),
    ("name", ["", "x", "é" * 31], True),
    ("bytea", ["", "\\x00", "\\x00ff5c27220a0d09", "\\x" + "00ab" * 5000], False),
    ("bit(3)", ["000", "101"], True),
    ("bit(1)", ["0", "1"], True),
    ("varbit", ["", "1", "0", "00", "1" * 100], True),
    ("varbit(9)", ["", "111111111"], True),
    ("date", ["infinity", "-infinity", "4714-11-24 BC", "0001-12-31 BC", "0001-01-01", "5874897-12-31",
              "1970-01-01", "2024-02-29"], True),
    ("timestamp", ["infinity", "-infinity", "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999",
                   "1999-12-31 23:59:59.999999", "0044-03-15 12:00:00 BC"], True),
    ("timestamp(0)", ["2024-03-31 02:30:00"], True),
    ("timestamptz", ["infinity", "-infinity", "4714-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00",
                     "2024-11-03 05:30:00+00", "2024-11-03 06:30:00+00", "2024-03-10 02:30:00-05",
                     "1883-11-18 12:03:58-05"], True),
    ("time", ["00:00", "24:00:00", "23:59:59.999999"], True),
    ("timetz", ["00:00+15:59:59", "24:00:00-15:59:59", "12:00:00.000001+00", "12:00+05:30"], True),
    ("interval", ["0", "1 mon -1 day 01:00:00", "-1 mon 1 day -00:00:00.000001", "1 year -2 mons +3 days -4:05:06.7",
                  "178000000 years", "-178000000 years", "-1 days +25:00:00", "00:00:00.000001",
                  "2147483647 days"], True),
    ("interval day to second(3)", ["1 2:03:04.567"], True),
    ("uuid", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"], True),
    ("json", ['{"b": 1, "a": 1.0, "b": 2}', "null", "[]", ' {"x" :  [1,\n2] } ', "1.0", "1",
              '"\\u00e9\\ud83d\\ude00"', "123456789012345678901234567890.00001", '{"": {"": [null, {}]}}'], False),
    ("jsonb", ['{"b": 1, "a": 1.0}', "null", "[]", "{}", "1.0", "1", "1e3", '"é\\""',
               "123456789012345678901234567890.000010", '{"": {"": [null, {}, "x\\ty"]}}', "true"], True),
    ("jsonpath", ['$.a[*] ? (@.b > 1.0 && @.c == "x")', "strict $"], False),
    ("xml", ["<a b='1'>x&amp;y</a>", "text only", "<?xml version=\"1.0\" standalone=\"yes\"?><é/>", "", "<a/><b/>"], False),
    ("inet", ["0.0.0.0/0", "10.0.0.1/8", "10.0.0.1", "::1", "2001:db8::1/64", "::ffff:1.2.3.4"], True),
    ("cidr", ["0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32"], True),
    ("macaddr", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"], True),
    ("macaddr8", ["00:00:00:00:00:00:00:00", "08:00:2b:01:02:03:04:05"], True),
    ("point", ["(0,-0)", "(NaN,Infinity)", "(1e-300,0.1)"], False),
    ("line", ["{1,-1,0}", "{0,-1,0.1}"], False),
    ("lseg", ["[(0,0),(1,0.1)]"], False),
    ("box", ["(1,1),(0,0)", "(0.1,2),(-1,-2)"], False),
    ("path", ["[(0,0),(1,1)]", "((0,0),(1,1),(2,0.1))"], False),
    ("polygon", ["((0,0),(1,1),(2,0))", "((0.1,0.2))"], False),
    ("circle", ["<(0,0),0>", "<(1.5,-2),0.1>"], False),
    ("int4range", ["empty", "(,)", "[1,5)", "(,5)", "[2147483646,2147483647)"], True),
    ("int8range", ["empty", "[-9223372036854775808,)", "[1,2)"], True),
    ("numrange", ["empty", "[1.0,1.00]", "(-Infinity,NaN)", "(,1.50)"], True),
    ("tsrange", ["empty", "[infinity,]", "(-infinity,infinity)", "[2020-01-01 00:00,)"], True),
    ("tstzrange", ["empty", "(,)", "[2020-01-01 00:00+00,2021-01-01 00:00-05]"], True),
    ("daterange", ["empty", "[4713-01-01 BC,infinity]", "[2020-01-01,2020-01-02)"], True),
    ("int4multirange", ["{}", "{(,1),[5,7),[9,)}", "{(,)}"], True),
    ("nummultirange", ["{}", "{[1.0,1.00],(2,3.0)}"], True),
    ("tstzmultirange", ["{}", "{(,2020-01-01 00:00+00)}"], True),
    ("datemultirange", ["{}", "{[2020-01-01,2020-01-05),[infinity,]}"], True),
    ("int4[]", ["{}", "{1,NULL,3}", "[0:1]={1,2}", "{{1,2},{3,NULL}}", "[-2:-1][5:6]={{1,2},{3,4}}", "{NULL}"], True),
    ("text[]", ["{}", '{"",NULL,"NULL","a,b","{x}","\\"q\\\\"," sp ",é😀}', "[3:4]={a,b}", '{{"a"},{NULL}}',
                '{"line\nfeed"}', "{null}"], True),
    ("bytea[]", ['{"\\\\x00","\\\\x",NULL}'], True),
    ("numeric[]", ["{1.0,1.00,NaN,NULL,-Infinity}"], True),
    ("float8[]", ["{-0,NaN,1e-300,0.1}"], True),
    ("timestamptz[]", ['{infinity,"2020-01-01 00:00+00",NULL}'], True),
    ("date[]", ["{infinity,NULL}"], True),
    ("interval[]", ['{"1 mon -1 day"}'], True),
    ("bool[]", ["{t,f,NULL}"], True),
    ("char(3)[]", ['{"a  ",NULL,""}'], True),
    ("json[]", ['{"{\\"a\\": 1.0}",NULL}'], False),
    ("jsonb[]", ['{"{\\"a\\": 1.0}",NULL}'], True),
    ("uuid[]", ["{00000000-0000-0000-0000-000000000000}"], True),
    ("point[]", ['{"(0,1)",NULL}'], False),
    ("box[]", ["{(1,1),(0,0);(2,2),(0.1,0)}"], False),
    ("int4range[]", ['{"[1,5)",empty,NULL}'], True),
    ("inet[]", ["{10.0.0.1/8,::1}"], True),
    ("tsvector", ["", "'a':1A,2 'b c':3B '\\\\x':4"], True),
    ("tsquery", ["", "'a' & ( 'b':AB | !'c':* ) <-> 'd'", "'a' <3> 'b'"], True),
    ("oid", ["0", "4294967295"], True),
    ("xid", ["0", "4294967295"], False),
    ("xid8", ["18446744073709551615"], True),
    ("cid", ["4294967295"], False),
    ("tid", ["(4294967295,65535)", "(0,1)"], True),
    ("regtype", ["int4", "-", "mood", 'elsewhere."Odd Type"'], True),
    ("regclass", ["pg_catalog.pg_class", "-", "only_here"], True),
    ("regnamespace", ["public", "elsewhere"], True),
    ("pg_lsn", ["0/0", "FFFFFFFF/FFFFFFFF"], True),
    ("txid_snapshot", ["10:20:10,14,15"], False),
    ("pg_snapshot", ["10:20:10,14,15"], False),
    ("refcursor", ["x y", ""], False),
    ("int2vector", ["", "1 2 -3"], False),
    ("oidvector", ["", "1 2 4294967295"], True),
    ("mood", ["sad", "ok", 'a "b", c', "Ünï", "{x}", "NULL", ""], True),
    ('elsewhere."Odd Type"', ["x", "Y y"], True),
    ("positive", ["1", "2147483647"], True),
    ("nested", ["1", "999999"], True),
    ("words", ["{}", "{a,NULL}"], True),
    ("pair", ['(1,"a b")', "(,)", '(2,"")', '(3,"q""x\\\\,()")'], True),
    ("deep", ['("(1,x)",ok,5,"{sad,ok,NULL}")', "(,,,)"], True),
    ("mood[]", ['{sad,NULL,"a \\"b\\", c","NULL",""}', "{}", "[2:3]={ok,sad}", "{{ok},{sad}}"], True),
    ('elsewhere."Odd Type"[]', ['{x,"Y y",NULL}'], True),
    ("pair[]", ['{"(1,x)",NULL,"(,)"}', "{}"], True),
    ("positive[]", ["{1,NULL,3}", "{}"], True),
    ("floats", ["empty", "(,)", "[0.1,0.2)", "[-Infinity,NaN]"], True),
    ("floats[]", ['{"[0.1,0.2)",empty}'], True),
    ("hstore", ["", '"a"=>"1", "b"=>NULL', '"k \\"x"=>"=>,"', '"NULL"=>"NULL"'], True),
    ("hstore[]", ['{"\\"a\\"=>NULL"}'], False),
    ("citext", ["Abc", "é", "", "X y"], True),
    ("citext[]", ["{Abc,NULL}"], True),
    ("elsewhere.ltree", ["", "Top.Science_1"], True),
]

# Settings of databases and roles that would change what values look like.
HOSTILE = {"datestyle": "'SQL, DMY'", "intervalstyle": "sql_standard", "extra_float_digits": "-15",
           "bytea_output": "escape", "timezone": "'America/New_York'", "xmloption": "document",
           "array_nulls": "off", "standard_conforming_strings": "off", "quote_all_identifiers": "on",
           "default_transaction_isolation": "serializable", "search_path": "elsewhere"}
MINE = "-c array_nulls=on -c xmloption=content -c search_path=public -c datestyle=ISO " \
       "-c standard_conforming_strings=on -c default_transaction_isolation=read\\ committed -c timezone=UTC"


def literal(value, type):
    return "'" + value.replace("'", "''") + f"'::{type}"


def setup():
    yield MADE + "create table only_here (id int primary key)"
    for i, (type, values, key) in enumerate(TYPES):
        all_of = [literal(v, type) for v in values]
        yield f"create table v{i} (id int primary key, v {type})"
        yield f"create table f{i} (v {type}, n int)"
        yield f"alter table f{i} replica identity full"
        for k, v in enumerate(all_of):
            yield f"insert into v{i} values ({k}, {v}), ({100 + k}, {v})"
            yield f"insert into f{i} values ({v}, 1), ({v}, 1), ({v}, 2)"
        yield f"insert into v{i} values (99, null), (199, null)"
        yield f"insert into f{i} values (null, 1), (null, 1), (null, null)"
        if key:
            yield f"create table k{i} (v {type} primary key, n int)"
            yield from (f"insert into k{i} values ({v}, {k}) on conflict do nothing" for k, v in enumerate(all_of))


def changes():
    for i, (type, values, key) in enumerate(TYPES):
        all_of = [literal(v, type) for v in values]
        for k, v in enumerate(all_of):
            yield f"insert into v{i} values ({1000 + k}, {v})"
            yield f"update v{i} set v = {v} where id = {100 + (k + 1) % len(values)}"
        yield f"update v{i} set v = null where id = 1000"
        yield f"update v{i} set v = {all_of[-1]} where id = 199"
        yield f"update f{i} set n = coalesce(n, 0) + 10 where n is distinct from 2"
        yield f"delete from f{i} where ctid in (select min(ctid) from f{i} group by v::text)"
        yield f"update f{i} set v = {all_of[0]} where v is null"
        yield f"insert into f{i} values ({all_of[-1]}, 5), (null, 6)"
        if key:
            yield f"update k{i} set n = n + 100"
            yield f"delete from k{i} where n = 100"
            if len(values) > 1:
                yield f"update k{i} set v = {all_of[0]} where n = 101"
                yield f"insert into k{i} values ({all_of[1]}, 7)"


def run_all(server, database, statements):
    c = server.connect(database, autocommit=False, options=MINE)
    with c.cursor() as cursor:
        for sql in statements:
            try:
                cursor.execute(sql)
            except Exception as e:
                raise AssertionError(f"{sql[:200]}: {e}") from None
    c.commit()
    c.close()


SENDS = """select c.relname, p.proname from pg_class c join pg_attribute a on a.attrelid = c.oid
join pg_type t on t.oid = a.atttypid join pg_proc p on p.oid = t.typsend
where c.relname ~ '^v[0-9]' and c.relkind = 'r' and a.attname = 'v' and t.oid < 16384 and t.typelem = 0
and t.typname not like 'reg%' and t.typname <> 'refcursor' order by 1"""


def binary(server, database):
    """What text might hide: each value of a built-in type as the server would send it."""
    c = server.connect(database)
    try:
        return {table: query(c, f"select id, encode({send}(v), 'hex') from {table} order by id")
                for table, send in query(c, SENDS)}
    finally:
        c.close()


def test_all_types_by_copy_and_by_stream(pair, culvert):
    run_all(pair.source, pair.name, setup())
    for server in (pair.source, pair.target):
        for name, value in HOSTILE.items():
            server.run(f"alter database {pair.name} set {name} = {value}")
    c = culvert(pair.config()).start()
    c.wait(state="streaming", timeout=120)
    run_all(pair.source, pair.name, changes())
    c.wait(lag=0, timeout=120)
    for server in (pair.source, pair.target):
        server.run(f"alter database {pair.name} reset all")
    assert compare(pair.source, pair.target, pair.name) > 2500
    assert nothing_differs(c) > 2500
    compare_schema(pair.source, pair.target, pair.name)
    left = binary(pair.source, pair.name)
    assert len(left) > 50
    assert binary(pair.target, pair.name) == left
    assert "NOTICE" not in c.log_text()  # a notice can hold a value


def test_citext_key_changes_its_case(pair, culvert):
    pair.sql("create extension citext")
    pair.sql("create table t (k citext primary key, v text); insert into t values ('Abc', 'one'), ('x', 'two')")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    pair.sql("update t set k = 'ABC' where k = 'abc'")
    pair.sql("update t set k = 'aBc', v = 'uno' where k = 'abc'; delete from t where k = 'X'")
    c.wait(lag=0)
    compare(pair.source, pair.target, pair.name)
    assert pair.target_sql("select k::text, v from t") == [("aBc", "uno")]
    nothing_differs(c)
    pair.target_sql("update t set k = 'ABC'")
    assert verify(c)["differences"] == 2


def test_keys_whose_equal_values_differ(pair, culvert):
    """1.0 and 1.00 are one key, as are -0 and 0, and the strings of a nondeterministic collation."""
    pair.sql("""create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        create table n (k numeric primary key, v int); create table f (k float8 primary key, v int);
        create table s (k text collate ci primary key, v int);
        insert into n values (1.0, 1); insert into f values ('0', 1); insert into s values ('ab', 1)""")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    pair.sql("update n set k = 1.00; update f set k = '-0'; update s set k = 'AB'")
    pair.sql("update n set v = 2; update f set v = 2; update s set v = 2")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 3
    nothing_differs(c)
    pair.target_sql("update n set k = 1.0; update f set k = '0'; update s set k = 'ab'")
    s = verify(c)  # told by what they are to the byte: one that is missing, and another that is extra
    assert {(i["table"], i["kind"]) for i in s["items"]} == {("public." + t, k) for t in "nfs" for k in ("missing", "extra")}


SCHEMA = 'Öd "x" y.z'
LONG = "a" * 61 + "é"


def name_tables():
    names = ['T "q" ü', "dot.ted", "per%cent %s", "back\\slash", LONG, "select", "UPPER", "new\nline", "$1", "a;b'c",
             "schlüssel 日本"]
    for i, name in enumerate(names):
        table = quote(SCHEMA if i % 2 else "public") + "." + quote(name)
        columns = ["order", 'c "q" é', "user.name", "100%d", LONG, "\\x", "ctid2", "Mixed", "it's"]
        yield table, columns


def key_name(pair, table):
    return pair.sql("select conname from pg_constraint where conrelid = %s::regclass", table)[0][0]


def test_odd_names(pair, culvert):
    pair.sql(f"create schema {quote(SCHEMA)}".replace("%", "%%"))
    connection = pair.source.connect(pair.name)
    with connection.cursor() as cursor:
        for i, (table, columns) in enumerate(name_tables()):
            cursor.execute(f"create table {table} ({quote('key')} serial primary key, "
                           + ", ".join(f"{quote(c)} text" for c in columns) + ")")
            cursor.execute(f"insert into {table} ({quote('order')}, {quote(LONG)}) values ('a', 'b'), (null, '')")
            if i % 2:
                cursor.execute(f"alter table {table} replica identity full")
            if i % 4 == 3:
                cursor.execute(f"alter table {table} drop constraint {quote(key_name(pair, table))}")
        c = culvert(pair.config()).start()
        c.wait(state="streaming")
        for table, columns in name_tables():
            cursor.execute(f"insert into {table} ({', '.join(map(quote, columns))}) values "
                           "('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i')")
            cursor.execute(f"update {table} set {quote('100%d')} = 'new', {quote('key')} = 77 where {quote('key')} = 1")
            cursor.execute(f"delete from {table} where {quote('key')} = 2")
    connection.close()
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 22
    compare_schema(pair.source, pair.target, pair.name)


def test_narrow_and_wide_tables(pair, culvert):
    wide = ", ".join(f"c{i} {('int', 'text', 'numeric', 'timestamptz')[i % 4]}" for i in range(500))
    pair.sql(f"""create table one (id int primary key); insert into one select generate_series(1, 10);
        create table wide (id int primary key, {wide});
        insert into wide (id, c0, c499, c2) values (1, 5, now(), 1.50), (2, null, null, null);
        create table widefull ({wide}); alter table widefull replica identity full;
        insert into widefull (c0) values (1), (1), (null);
        create table nothing (); alter table nothing replica identity full;
        insert into nothing default values; insert into nothing default values;
        create table shrunk (id int primary key, gone int, v text, gone2 text, w int);
        insert into shrunk values (1, 2, 'v', 'x', 3);
        alter table shrunk drop column gone; alter table shrunk drop column gone2""")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    pair.sql("insert into one values (11); update one set id = 100 where id = 1; delete from one where id = 2")
    pair.sql("update wide set c498 = 3, c1 = 'x'; insert into wide (id, c497) values (3, 'y'); delete from wide where id = 2")
    pair.sql("update widefull set c499 = 'epoch' where c0 = 1; insert into widefull default values")
    pair.sql("delete from widefull where ctid = (select min(ctid) from widefull where c0 = 1)")
    pair.sql("insert into nothing default values")
    pair.sql("update shrunk set w = 4; insert into shrunk values (2, 'b', 5); update shrunk set id = 9 where id = 2")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name, tables=[
        ("public", t) for t in ("one", "wide", "widefull", "shrunk")]) == 10 + 2 + 3 + 2
    assert pair.target_sql("select count(*) from nothing") == [(3,)]
    pair.sql("delete from nothing where ctid = (select min(ctid) from nothing)")
    c.wait(lag=0)
    assert pair.target_sql("select count(*) from nothing") == [(2,)]


def recode(pair, encoding):
    pair.source.run(f"drop database {pair.name}")
    pair.source.run(f"create database {pair.name} encoding '{encoding}' template template0 "
                    "lc_collate 'C' lc_ctype 'C'")


def test_latin1_source(pair, culvert):
    recode(pair, "LATIN1")
    pair.sql("""create type färbe as enum ('röt', 'blau');
        create table "Tä" (id int primary key, "spält" text, f färbe, a text[], j jsonb, c char(4), x xml);
        insert into "Tä" values (1, 'déjà ÿ' || chr(255), 'röt', '{é,NULL}', '{"ö": "ü"}', 'ß', '<ä>é</ä>')""")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    pair.sql("""insert into "Tä" values (2, chr(233), 'röt', '{ñ}', '{"ß": 1}', 'äöü', '<é/>');
        update "Tä" set "spält" = "spält" || '£' where id = 1""")
    c.wait(lag=0)
    sql = 'select id, "spält", f::text, a, j::text, c, octet_length(c), x::text from "Tä" order by id'
    left, right = pair.sql(sql.replace("octet_length", "char_length")), pair.target_sql(sql.replace("octet_length", "char_length"))
    assert left == right and left[0][1] == "déjà ÿÿ£"
    nothing_differs(c)


def test_sql_ascii_source(pair, culvert):
    recode(pair, "SQL_ASCII")
    utf8 = r"convert_from('\xc3a9f09f9880', 'SQL_ASCII')"
    pair.sql(f"create table t (id int primary key, v text); insert into t values (1, {utf8}), (2, 'plain')")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    pair.sql(f"insert into t values (3, {utf8}); update t set v = v || {utf8} where id = 2")
    c.wait(lag=0)
    assert pair.target_sql("select * from t order by id") == [(1, "é😀"), (2, "plainé😀"), (3, "é😀")]
    nothing_differs(c)
    pair.sql(r"insert into t values (4, convert_from('\xe9', 'SQL_ASCII'))")
    error = c.wait_error("invalid byte sequence")
    assert error["class"] == "data"
    assert pair.target_sql("select count(*) from t") == [(3,)]


def test_sql_ascii_row_that_cannot_be_copied(pair, culvert):
    recode(pair, "SQL_ASCII")
    pair.sql(r"create table t (id int primary key, v text); insert into t values (4, convert_from('\xe9', 'SQL_ASCII'))")
    c = culvert(pair.config()).start()
    error = c.wait_error("invalid byte sequence")
    assert error["class"] == "data" and error["table"] == "public.t"
