"""culvertctl verify: every row of both sides is compared, on live tables, in all four directions."""
import json
import math
import os
import random

import pytest

from harness.until import until
from harness.verifying import Load, found, is_my, status, things, verified, verify

SECRET = "Sevenfold"  # a value that must not be told


def start(both, culvert, **more):
    c = culvert(both.least(**more)).start()
    c.wait(lag=0)
    return c


def damage(both):
    """Each kind once, by hand on the target: {(kind, id): columns}."""
    my = is_my(both.target)
    micro = "interval 1 microsecond" if my else "interval '1 microsecond'"
    hour = "interval 1 hour" if my else "interval '1 hour'"
    cut = "left(name, char_length(name) - 1)"
    both.target_sql(
        "update things set name = 'rov 1 \U0001f600' where id = 1;"
        "update things set price = price + 0.000001 where id = 2;"
        f"update things set at = at + {micro} where id = 3;"
        "update things set note = '' where id = 5;"
        "update things set code = concat(code, ' ') where id = 6;"
        "delete from things where id = 7;"
        f"insert into things (id, name) values (-1, '{SECRET}');"
        f"insert into things (id, name) values (100000, '{SECRET}');"
        "update things set name = case id when 8 then 'row 9 \U0001f600' else 'row 8 \U0001f600' end where id in (8, 9);"
        f"update things set name = {cut} where id = 10;"
        f"update things set moment = moment + {hour} where id = 11;"
        "update things set doc = null where id = 12;"  # MySQL takes 1 and 1.0 for the same, and changes nothing
        "update things set doc = '{\"n\": 1.0, \"s\": \"x\"}' where id = 12;"
        "update things set amount = 13.100000000000001 where id = 13;"
        f"update things set name = '{SECRET}', note = null where id = 14")
    return {("differs", "1"): ["name"], ("differs", "2"): ["price"], ("differs", "3"): ["at"],
            ("differs", "5"): ["note"], ("differs", "6"): ["code"], ("missing", "7"): [], ("extra", "-1"): [],
            ("extra", "100000"): [], ("differs", "8"): ["name"], ("differs", "9"): ["name"],
            ("differs", "10"): ["name"], ("differs", "11"): ["moment"], ("differs", "12"): ["doc"],
            ("differs", "13"): ["amount"], ("differs", "14"): ["name", "note"]}


def test_damage_is_found_and_named(every_way, culvert):
    both = every_way
    things(both)
    c = start(both, culvert)
    s = status(c)
    assert (s["state"], s["differences"], s["tables"], s["items"]) == ("idle", 0, [], [])
    s = verify(c)
    assert (s["rows_compared"], s["rows_total"], s["coverage"], s["differences"], s["undecided"]) == (300, 300, 100, 0, 0)
    assert s["items"] == [] and s["finished_at"] and s["sample"] == 100
    with Load(both.sql, 100, 300):
        expected = damage(both)
        s = verify(c)
    assert found(s) == expected and s["position"]
    assert s["differences"] == len(expected) and s["undecided"] == 0 and not s["items_truncated"]
    assert c.status()["verify"]["differences"] == len(expected) and c.status()["verify"]["state"] == "done"
    assert {t["table"] for t in s["tables"]} == {both.qualified("things") if hasattr(both, "qualified") else "public.things"}
    assert SECRET not in json.dumps(s) and SECRET not in c.log_text()
    stored = both.target_sql("select kind, row_key, column_names from culvert.verify_result")
    assert len(stored) == len(expected) and SECRET not in str(stored)


def source_name(both, table):
    return f"{both.name}.{table}" if is_my(both.source) else f"public.{table}"


KINDS = {  # of tables, as both engines take them
    "words": "w varchar(50){ci} primary key, n int",
    "pairs": "a int, b varchar(20), c date, n numeric(10,2), primary key (a, b, c)",
    "moments": "at {moment} primary key, n int",
    "bag": "n int, note varchar(40)",
    "nothing": "id int primary key, v int",
    "renamed": "id int primary key, state varchar(10), old_note varchar(20), secret int"}


def make_kinds(both):
    my = is_my(both.source)
    words = {"ci": " character set utf8mb4 collate utf8mb4_general_ci" if my else "", "moment": "datetime(6)" if my else "timestamp"}
    for table, columns in KINDS.items():
        both.sql(f"create table {table} ({columns.format(**words)})")
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    spelled = ["%s%s" % (x.upper() if i % 3 == 0 else x, y) for i, x in enumerate(letters) for y in letters] + ["Ärger", "éaaa", "-x", "_y"]
    both.sql("insert into words values " + ", ".join(f"('{w}', {i})" for i, w in enumerate(spelled)))
    both.sql("insert into pairs values " + ", ".join(
        f"({a}, '{b}', '2024-01-{c:02}', {a}.5)" for a in range(-2, 6) for b in ("x", "Y", "z", "ä") for c in range(1, 6)))
    both.sql("insert into moments values " + ", ".join(f"('2024-01-01 00:00:00.{i:06}', {i})" for i in range(0, 900, 3)))
    both.sql("insert into bag values " + ", ".join(f"({i % 40}, {'null' if i % 7 == 0 else repr(f'note {i % 50}')})" for i in range(400)))
    both.sql("insert into renamed values " + ", ".join(f"({i}, '{('open', 'shut')[i % 2]}', 'n{i}', {i})" for i in range(60)))
    if not my:
        both.sql("alter table bag replica identity full; alter table renamed replica identity full;"
                 "create table parts (id int, k int, v text, primary key (id, k)) partition by range (k);"
                 "create table parts_1 partition of parts for values from (0) to (10);"
                 "create table parts_2 partition of parts for values from (10) to (20);"
                 "insert into parts select i, i % 20, 'v' || i from generate_series(1, 200) i")


def spoil_kinds(both):
    both.target_sql(
        "update words set w = 'BC' where w = 'bc'; delete from words where n = 5; insert into words values ('zzz', 1);"
        "update words set n = -1 where w = 'ce';"
        "update pairs set n = 7.51 where a = 1 and b = 'Y' and c = '2024-01-03'; insert into pairs values (1, 'ZZ', '2024-01-03', 1);"
        "delete from pairs where a = -2 and b = 'x' and c = '2024-01-01'; insert into moments values ('2023-01-01 00:00:00', 1);"
        "delete from moments where n = 897; insert into nothing values (1, 1);"
        "update renamed set note = 'other' where id = 4; insert into renamed (id, state) values (5, 'shut');"
        "insert into bag values (1, 'twice'), (1, 'twice'); insert into bag values (3, '')")
    both.target_sql("update bag set note = 'note  8' where note = 'note 8'")
    if not is_my(both.source):
        both.target_sql("delete from parts where id = 7; update parts set v = 'V8' where id = 8")


def test_kinds_of_tables(way, culvert):
    """Keys that the sides sort in different ways, of several columns, none; filters, other names."""
    both = way
    make_kinds(both)
    c = start(both, culvert, **{f"table {source_name(both, 'renamed')}": {
        "where": "state = 'open'", "columns.exclude": "secret", "column.old_note.to": "note"}})
    s = verify(c)
    assert (s["differences"], s["undecided"], s["items"]) == (0, 0, [])
    compared = {t["table"].split(".")[1]: t["rows_compared"] for t in s["tables"]}
    expected = {"words": 680, "pairs": 160, "moments": 300, "bag": 400, "nothing": 0, "renamed": 30}
    assert compared == {**expected, **({} if is_my(both.source) else {"parts": 200})}
    spoil_kinds(both)
    s = verify(c)
    items = {}
    for i in s["items"]:
        items.setdefault(i["table"].split(".")[1], []).append((i["kind"], i["key"], i["columns"]))
    bag = items.pop("bag")
    assert sorted((k, key["copies"]) for k, key, _ in bag) == sorted(
        [("extra", "2"), ("extra", "1")] + [(k, str(n)) for k in ("extra", "missing") for n in eights(both)]), bag
    fifth = both.sql("select w from words where n = 5")[0][0]
    at = sorted(key["at"][:26] for _, key, _ in items.pop("moments"))
    assert [a[:19] for a in at] == ["2023-01-01 00:00:00", "2024-01-01 00:00:00"]
    day = "2024-01-03"
    wanted = {
        "words": [("missing", {"w": "bc"}, []), ("extra", {"w": "BC"}, []), ("missing", {"w": fifth}, []),
                  ("extra", {"w": "zzz"}, []), ("differs", {"w": "ce"}, ["n"])],
        "pairs": [("differs", {"a": "1", "b": "Y", "c": day}, ["n"]), ("extra", {"a": "1", "b": "ZZ", "c": day}, []),
                  ("missing", {"a": "-2", "b": "x", "c": "2024-01-01"}, [])],
        "nothing": [("extra", {"id": "1"}, [])],
        "renamed": [("differs", {"id": "4"}, ["old_note"]), ("extra", {"id": "5"}, [])]}
    if not is_my(both.source):
        wanted["parts"] = [("missing", {"id": "7", "k": "7"}, []), ("differs", {"id": "8", "k": "8"}, ["v"])]
    assert {t: sorted(map(str, x)) for t, x in items.items()} == {t: sorted(map(str, x)) for t, x in wanted.items()}


def eights(both):
    """How many rows of each content have note 8 on the source."""
    return [n for (n,) in both.sql("select count(*) from bag where note = 'note 8' group by n")]


def no_false_report(both, culvert, runs):
    """Rows that come, go and change to and fro all the time are never called different."""
    things(both, 200)
    both.sql(f"create table bag (id int, name varchar(200), price {'decimal' if is_my(both.source) else 'numeric'}(20,6), "
             "code varchar(60))" + ("" if is_my(both.source) else "; alter table bag replica identity full"))
    both.sql("insert into bag select id, name, price, code from things; insert into bag select id, name, price, code from things")
    c = start(both, culvert)
    undecided = 0
    with Load(both.sql, 1, 200, seed=1), Load(both.sql, 1, 200, seed=2), Load(both.sql, 1, 30, seed=3, table="bag"):
        for _ in range(runs):
            s = verify(c, timeout=120)
            assert s["differences"] == 0 and s["items"] == [], s
            undecided += s["undecided"]
    c.wait(lag=0)
    s = verify(c)
    assert (s["differences"], s["undecided"]) == (0, 0), s
    return undecided


def test_no_false_report_under_load(way, culvert):
    no_false_report(way, culvert, 3)


RUNS = int(os.environ.get("RUNS", "0"))  # of the two below, in each direction


@pytest.mark.long
def test_no_false_report_in_many_runs(every_way, culvert):
    no_false_report(every_way, culvert, RUNS or 250)


class Damage:
    """At random, by hand on the target, in rows that stand still: what a verification has to say of it."""

    def __init__(self, both, seed):
        self.both, self.random, self.my = both, random.Random(seed), is_my(both.target)
        self.kinds = [self.flip, self.digit, self.microsecond, self.nothing, self.space, self.lose, self.add, self.swap, self.json,
                      self.emoji, self.hour, self.last_bit]

    def differs(self, column, value, row):
        self.both.target_sql(f"update things set {column} = {value} where id = {row}")
        return {("differs", str(row)): [column]}

    def interval(self, of):
        sign = self.random.choice("+-")
        return f"{sign} interval 1 {of}" if self.my else f"{sign} interval '1 {of}'"

    def flip(self, row, _):
        return self.differs("name", f"concat('R', {'substr' if self.my else 'substring'}(name, 2))", row)

    def digit(self, row, _):
        return self.differs("price", f"price {self.random.choice('+-')} 0.000001", row)

    def microsecond(self, row, _):
        return self.differs("at", f"at {self.interval('microsecond')}", row)

    def nothing(self, row, _):
        return self.differs("note", "case when note is null then '' end", row)

    def space(self, row, _):
        return self.differs("code", "concat(code, ' ')", row)

    def lose(self, row, _):
        self.both.target_sql(f"delete from things where id = {row}")
        return {("missing", str(row)): []}

    def add(self, row, _):
        row = self.random.choice((-row, 1000 + row))
        self.both.target_sql(f"insert into things (id, name) values ({row}, 'more')")
        return {("extra", str(row)): []}

    def swap(self, row, other):
        self.both.target_sql("update things set name = case id when %d then 'row %d \U0001f600' else 'row %d \U0001f600' end "
                             "where id in (%d, %d)" % (row, other, row, row, other))
        return {("differs", str(row)): ["name"], ("differs", str(other)): ["name"]}

    def json(self, row, _):
        self.both.target_sql(f"update things set doc = null where id = {row}")
        return self.differs("doc", "'{\"n\": 1.0, \"s\": \"x\"}'", row)

    def emoji(self, row, _):
        return self.differs("name", "left(name, char_length(name) - 1)", row)

    def hour(self, row, _):
        return self.differs("moment", f"moment {self.interval('hour')}", row)

    def last_bit(self, row, _):
        return self.differs("amount", repr(math.nextafter(row + 0.1, self.random.choice((0, 1e9)))), row)

    def some(self):
        """{(kind, id): columns}"""
        rows = self.random.sample(range(1, 100), 12)
        expected = {}
        for i in range(self.random.randint(1, 6)):
            expected |= self.random.choice(self.kinds)(rows[2 * i], rows[2 * i + 1])
        return expected


@pytest.mark.long
def test_damage_at_random_in_many_runs(every_way, culvert):
    """All of it is found, and nothing else, while other rows change; repair makes the sides alike for the next time."""
    both = every_way
    things(both)
    c = start(both, culvert)
    damage = Damage(both, 5)
    total = 0
    with Load(both.sql, 100, 300, seed=1), Load(both.sql, 100, 300, seed=2):
        for _ in range(RUNS or 40):
            expected = damage.some()
            s = verify(c, timeout=120)
            assert found(s) == expected
            total += len(expected)
            body = json.loads(c.ctl("repair", "--json").stdout)
            assert body["repaired"] + body["equal"] >= len(expected)
    print(f"{RUNS or 40} runs, {total} rows damaged and found")
    c.wait(lag=0)
    assert verify(c)["items"] == []


def slow(both, culvert, rows=3000, rate=700):
    things(both, rows)
    return start(both, culvert, verify={"rate": str(rate)})


def running(c, rows):
    return until(lambda: (s := status(c))["state"] == "running" and s["rows_compared"] >= rows and s, 30, f"{rows} rows")


@pytest.mark.long
def test_kill_and_restart_in_between(way, culvert):
    """It goes on where it was, and knows what it had found; a stop ends it for good."""
    c = slow(way, culvert)
    way.target_sql("update things set name = 'x' where id = 2; delete from things where id = 2990")
    c.ctl("verify", "start")
    refused = c.ctl("verify", "start", check=False)
    assert refused.returncode == 4 and "under way" in refused.stderr
    running(c, 1000)
    before = until(lambda: (r := way.target_sql("select rows_compared from culvert.verify_table")[0][0]) >= 1000 and r, 20,
                   "a stored place")
    c.kill9()
    c.start()
    assert until(lambda: (x := status(c))["tables"] and x, 20, "what was known")["rows_compared"] >= before
    s = verified(c)
    assert s["state"] == "done" and s["rows_compared"] == 3000
    assert found(s) == {("differs", "2"): ["name"], ("missing", "2990"): []}
    c.terminate()
    c.start()
    assert until(lambda: (x := status(c))["state"] == "done" and x, 20, "what was known") == s
    c.ctl("verify", "start")
    running(c, 500)
    assert c.terminate(10) == 0
    c.start()
    running(c, 500)
    stopped = json.loads(c.ctl("verify", "stop", "--json", timeout=5).stdout)
    assert stopped["state"] == "idle" and 500 <= stopped["rows_compared"] < 3000
    assert c.ctl("verify", "stop", check=False).returncode == 4
    c.kill9()
    c.start()
    s = until(lambda: (x := status(c))["tables"] and x, 20, "what was known")
    assert s["state"] == "idle" and s["rows_compared"] <= stopped["rows_compared"] and s["differences"] <= 1


def test_it_writes_to_schema_culvert_alone(way, culvert):
    """With no right to write to anything else."""
    things(way, 100)
    c = start(way, culvert)
    way.target_sql("delete from things where id = 7; update things set code = null where id = 8")
    if is_my(way.target):
        way.target.run(f"revoke insert, update, delete, create, alter, index, drop on `{way.name}`.* from culvert@'127.0.0.1'")
    else:
        way.target_sql("alter table things owner to postgres; revoke all on things from culvert; grant select on things to culvert;"
                       "revoke create on schema public from culvert")
    s = verify(c)
    assert found(s) == {("missing", "7"): [], ("differs", "8"): ["code"]}
    if is_my(way.target):
        way.target.run(f"revoke select on `{way.name}`.* from culvert@'127.0.0.1'")
    else:
        way.target_sql("revoke select on things from culvert")
    c.ctl("verify", "start")
    s = verified(c)
    assert s["state"] == "failed" and "denied" in s["error"], s
    assert c.status()["verify"]["state"] == "failed" and c.status()["state"] == "streaming"


@pytest.mark.long
def test_one_table_samples_and_pause(pair, culvert):
    things(pair, 200)
    things(pair, 12000, "many")
    c = start(pair, culvert)
    pair.target_sql("delete from things where id = 7; delete from many where id = 6000")
    table = pair.qualified("things") if hasattr(pair, "qualified") else "public.things"
    s = verify(c, "--table", table)
    assert [t["table"] for t in s["tables"]] == [table] and found(s) == {("missing", "7"): []}
    s = verify(c, "--sample", "50")
    assert s["sample"] == 50 and found(s) == {("missing", "7"): []}, s
    assert s["rows_compared"] == 7200 and s["rows_total"] == 12200 and 50 < s["coverage"] < 60
    assert "a sample of 50 %" in c.ctl("verify", "status").stdout
    refused = c.ctl("verify", "start", "--table", "no.such", check=False)
    assert refused.returncode == 4 and "not migrated" in refused.stderr
    assert c.ctl("verify", "start", "--sample", "0", check=False).returncode == 2
    c.ctl("pause")  # what is on its way cannot be told from what is lost
    pair.sql("update things set code = 'changed' where id = 9")
    c.ctl("verify", "start")
    running(c, 200)
    assert status(c)["differences"] == 0
    c.ctl("resume")
    assert sorted(found(verified(c))) == [("missing", "6000"), ("missing", "7")]
    text = c.ctl("verify", "status").stdout
    assert "missing" in text and '{"id":"7"}' in text and "2 differences" in text


def notes(s):
    return {(n["kind"], n["table"].split(".")[1], n["name"]) for n in s["notes"]}


def test_what_rows_do_not_tell(way, culvert):
    """Keys, indexes and constraints of one side only, orphans, counters: notes, and no differences."""
    my, to_my = is_my(way.source), is_my(way.target)
    counted = "int auto_increment primary key" if my else "serial primary key"
    way.sql(f"create table owner (id {counted}, name varchar(20) not null);"
            f"create table pet (id {counted}, owner_id int, name varchar(20), constraint pet_owner foreign key (owner_id) "
            "references owner (id));"
            "create index pet_name on pet (name, id);"
            "create table lonely (id int primary key, owner_id int, constraint lonely_owner foreign key (owner_id) "
            "references owner (id));"
            "insert into owner (name) values ('a'), ('b'), ('c'); insert into pet (owner_id, name) values (1, 'x'), (2, 'y'), (null, 'z');"
            "insert into lonely values (1, 1)")
    c = start(way, culvert)
    assert verify(c)["notes"] == []
    way.sql("insert into owner (name) values ('d'); insert into pet (owner_id, name) values (3, 'w')")
    c.wait(lag=0)
    s = verify(c)
    behind = set() if to_my else {("counter", "owner", "id"), ("counter", "pet", "id")}
    assert notes(s) == behind, s["notes"]
    if to_my:
        way.target_sql("drop index pet_name on pet; alter table lonely drop foreign key lonely_owner;"
                       "create unique index owner_name on owner (name);"
                       "set foreign_key_checks = 0; delete from owner where id in (1, 3); set foreign_key_checks = 1")
    else:
        index = way.target_sql("select indexname from pg_indexes where tablename = 'pet' and indexdef like '%(name, id)'")[0][0]
        way.target_sql(f"drop index {index}; alter table lonely drop constraint lonely_owner;"
                       "create unique index owner_name on owner (name);"
                       "set session_replication_role = replica; delete from owner where id in (1, 3)")
    s = verify(c)
    assert found(s) == {("missing", "1"): [], ("missing", "3"): []} and s["differences"] == 2
    assert notes(s) == behind | {("object-missing", "pet", "pet_name"), ("object-missing", "lonely", "lonely_owner"),
                                 ("object-extra", "owner", "owner_name"), ("orphans", "pet", "pet_owner")}
    assert [n["detail"].split(" refer")[0] for n in s["notes"] if n["kind"] == "orphans"] == ["2 rows"]
    text = c.ctl("verify", "status").stdout
    assert "pet_name: index (name, id)" in text and "object-extra" in text
    c.kill9()
    c.start()
    again = until(lambda: (x := status(c))["state"] == "done" and x, 20, "what was known")
    assert again["notes"] == s["notes"]


def shown(c):
    """{(kind, id): (source, target)}"""
    s = json.loads(c.ctl("verify", "status", "--show-values", "--json").stdout)
    assert s["values_truncated"] is False
    return {(i["kind"], i["key"].get("id")): (i["source"], i["target"]) for i in s["items"]}


def test_values_are_shown_on_demand(way, culvert):
    """What both sides have of each row that was found, now; nowhere else."""
    both = way
    things(both)
    c = start(both, culvert)
    assert c.ctl("verify", "status", "--show-values", check=False).returncode == 4
    both.target_sql(f"update things set name = '{SECRET}', code = null where id = 2; delete from things where id = 7;"
                    f"insert into things (id, name) values (1000, '{SECRET}'); update things set note = repeat('x', 400) where id = 9;"
                    "update things set price = 0 where id = 8")
    s = verify(c)
    assert not any("source" in i or "target" in i for i in s["items"]) and "values_truncated" not in s
    both.target_sql("update things set price = 8.123456 where id = 8")  # it is equal by now
    values = shown(c)
    assert values["differs", "2"] == ({"name": "row 2 \U0001f600", "code": "code 2"}, {"name": SECRET, "code": None})
    assert values["differs", "8"] == ({"price": "8.123456"},) * 2
    assert values["differs", "9"] == ({"note": None}, {"note": "x" * 256 + "..."})
    source, target = values["missing", "7"]
    assert target is None and source["name"] == "row 7 \U0001f600" and source["price"] == "7.123456" and len(source) == 9
    source, target = values["extra", "1000"]
    assert source is None and target["name"] == SECRET and target["code"] is None and len(target) == 9
    text = c.ctl("verify", "status", "--show-values").stdout
    assert f'target {{"name":"{SECRET}","code":null}}' in text and "source null" in text
    assert SECRET not in c.log_text() + c.ctl("verify", "status").stdout
    assert SECRET not in str(both.target_sql("select row_key, column_names from culvert.verify_result"))


@pytest.mark.long
def test_values_of_all_kinds_of_tables(way, culvert):
    """Keys of several columns, none, other names; queries of the operator's; a side that is away."""
    both = way
    make_kinds(both)
    c = start(both, culvert, cutover={"check.pairs": "select count(*), sum(n) from pairs"}, **{
        f"table {source_name(both, 'renamed')}": {"where": "state = 'open'", "columns.exclude": "secret", "column.old_note.to": "note"}})
    spoil_kinds(both)
    verify(c)
    s = json.loads(c.ctl("verify", "status", "--show-values", "--json").stdout)
    rows = {}
    for i in s["items"]:
        rows.setdefault(i["table"].split(".")[1], []).append((i["kind"], i["source"], i["target"]))
    assert ("differs", {"n": "1.50"}, {"n": "7.51"}) in rows["pairs"]
    assert ("differs", {"old_note": "n4"}, {"old_note": "other"}) in rows["renamed"]
    assert ("extra", None, {"id": "5", "state": "shut", "old_note": None}) in rows["renamed"]
    assert ("extra", None, {"n": "1", "note": "twice"}) in rows["bag"]
    assert all(source["note"] == "note 8" for kind, source, target in rows["bag"] if kind == "missing")
    assert {n["name"]: (n["source"], n["target"]) for n in s["notes"] if n["kind"] == "check"} == {
        "pairs": ("160, 280", "160, 289.51")}
    both.target.stop()
    failed = c.ctl("verify", "status", "--show-values", check=False, timeout=60)
    assert failed.returncode == 1 and failed.stderr
    both.target.start()
