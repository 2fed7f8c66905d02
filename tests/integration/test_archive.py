"""Archives: the change stream into a folder of segments, and from there into a database."""
import json
import os
import random
import shutil
import stat
import subprocess

import pytest

from harness.compare import compare
from harness.daemon import BUILD
from harness.until import until
from integration.conftest import is_my
from integration.test_exactly_once import Writer

NONE = {"mode": "none"}


@pytest.fixture
def bank(pair):
    pair.sql("""
        create type mood as enum ('sad', 'it''s fine');
        create table plain (id int primary key, v text, n numeric, at timestamptz, m mood, a int[]);
        create table wide (id int primary key, n int, big text);
        alter table wide alter big set storage external;
        create table whole (a int, b text);
        alter table whole replica identity full;
        create table gone (id int primary key, v text)""")
    return pair


@pytest.fixture
def place(folder, request):
    return os.path.join(folder, "archive-" + str(abs(hash(request.node.name))))


def schema_to_target(bank):
    """The archive has none of it: whoever replays has it from elsewhere."""
    text = subprocess.run([os.path.join(bank.source.bin, "pg_dump"), "--schema-only", "--no-publications",
                           "-d", bank.source.uri(bank.name)], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    bank.target.psql(bank.name, "-q", "-f", "-", input=text)


def archiver(bank, place, **more):
    return {"source": {"uri": bank.source.uri(bank.name)}, "target": {"uri": f"segments:{place}"},
            "snapshot": NONE, **more}


def replayer(bank, place, **more):
    return {"source": {"uri": f"segments:{place}"}, "target": {"uri": bank.target.uri(bank.name)},
            "snapshot": NONE, **more}


def segments(place):
    return sorted(os.path.join(place, f) for f in os.listdir(place) if f.endswith(".segment"))


def cat(place):
    r = subprocess.run([os.path.join(BUILD, "culvertctl"), "cat", *segments(place)], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == 0, r.stderr
    return [json.loads(line) for line in r.stdout.splitlines()]


def changes(place, table):
    return [(c["op"], c["old"], c["new"]) for c in cat(place) if c.get("table") == table]


def test_what_is_changed_is_in_the_archive(bank, culvert, place):
    a = culvert(archiver(bank, place)).start()
    a.wait(state="streaming")
    bank.sql("insert into plain values (1, 'one', 1.50, '2020-01-01 00:00+00', 'sad', '{1,2}')")
    bank.sql("update plain set id = 2, v = null where id = 1")
    bank.sql("delete from plain; truncate gone, wide")
    a.wait(lag=0)
    s = a.status()
    assert s["target"]["kind"] == "segments" and s["target"]["connected"] and s["source"]["kind"] == "postgresql"
    assert s["target"]["server_version"] is None and s["applied"]["transactions"] == 3
    assert s["applied"]["rows"] == 4
    assert changes(place, "public.plain") == [
        ("insert", None, {"id": "1", "v": "one", "n": "1.50", "at": "2020-01-01 00:00:00+00", "m": "sad",
                          "a": "{1,2}"}),
        ("update", {"id": "1"},
         {"id": "2", "v": None, "n": "1.50", "at": "2020-01-01 00:00:00+00", "m": "sad", "a": "{1,2}"}),
        ("delete", {"id": "2"}, None)]
    assert changes(place, "public.gone") == [("truncate", None, None)] == changes(place, "public.wide")
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o700
    a.stop()
    before = cat(place)
    a.start().wait(lag=0)
    bank.sql("insert into gone values (1, 'later')")
    a.wait(lag=0)
    now = cat(place)
    assert now[:len(before)] == before
    assert [c["op"] for c in now[len(before):] if "table" in c] == ["insert"]


def test_a_replay_makes_the_target_what_the_source_is(bank, culvert, place):
    schema_to_target(bank)
    a = culvert(archiver(bank, place, segments={"size": "64KiB"}), "archiver").start()
    a.wait(state="streaming")
    work(bank, 1)
    a.wait(lag=0)
    r = culvert(replayer(bank, place), "replay").start()
    r.wait(lag=0)
    assert compare(bank.source, bank.target, bank.name) > 1000
    s = r.status()
    assert s["source"]["kind"] == "segments" and s["target"]["kind"] == "postgresql" and s["error"] is None
    assert s["state"] == "streaming" and s["lag"]["bytes"] == 0 and s["source"]["server_version"].startswith("15.")
    assert s["source"]["position"] == s["target"]["position"]
    assert s["source"]["position"] is not None and s["source"]["acknowledged"] is not None
    assert len(segments(place)) > 1
    work(bank, 2)  # it follows what is being written
    a.wait(lag=0)
    r.wait(lag=0)
    rows = compare(bank.source, bank.target, bank.name)
    r.stop()
    work(bank, 3)
    a.wait(lag=0)
    a.stop()
    r.start().wait(lag=0)
    assert compare(bank.source, bank.target, bank.name) > rows


def work(bank, n):
    """All that a stream has: unchanged TOAST, keys that change, truncates, no key, a large transaction."""
    base = n * 10000
    with bank.source.connect(bank.name, autocommit=False) as c, c.cursor() as cursor:
        for i in range(20):
            cursor.execute("insert into plain values (%s, %s, %s, '2020-01-01 00:00+00', 'it''s fine', "
                           "'{1,null,3}')", (base + i, "täxt\t\\\n'" * i, i / 7))
            cursor.execute("insert into wide select %s, 0, string_agg(md5(random()::text), '') "
                           "from generate_series(1, 400)", (base + i,))
            cursor.execute("insert into whole values (%s, null), (%s, 'x')", (i, i))
            cursor.execute("insert into gone values (%s, 'a')", (base + i,))
            c.commit()
        cursor.execute("update wide set n = n + 1")
        c.commit()
        cursor.execute("update plain set id = id + 5000, v = null where id %% 3 = 0 and id < %s + 100", (base,))
        cursor.execute("delete from plain where id % 7 = 0")
        cursor.execute("update whole set b = 'y' where a = 3; delete from whole where a = 5")
        cursor.execute("truncate gone; insert into gone values (%s, 'after')", (base,))
        c.commit()
        cursor.execute("insert into plain (id, v) select i, md5(i::text) from generate_series(%s, %s) i",
                       (base + 9000 + n * 100000, base + 12000 + n * 100000))
        c.commit()


# ---- between engines ----

CROSS = {
    "my": """
        create table kinds (id bigint unsigned primary key, d decimal(20,5), v varchar(100), t text, b blob,
                            e enum('x','y z'), s set('a','b'), at datetime(6), day date, ts timestamp(3) null,
                            bits bit(9), j json, f double, y year, dur time(2));
        create table gone (id int auto_increment primary key, v varchar(20));
        create table parent (id int primary key, v int);
        create table child (id int primary key, p int, foreign key (p) references parent (id)
                            on delete cascade on update cascade)""",
    "pg": """
        create table kinds (id bigint primary key, d numeric(20,5), v varchar(100), t text, b bytea,
                            at timestamp(6), day date, j jsonb, f double precision, u uuid, ok boolean);
        create table gone (id int generated by default as identity primary key, v varchar(20));
        create table parent (id int primary key, v int);
        create table child (id int primary key, p int references parent (id))""",
}
ROWS = {
    "my": """
        insert into kinds values
            (18446744073709551615, -1.5, 'ä😀', 'l\\'x', x'00ff', 'y z', 'a,b', '2020-02-29 01:02:03.000004',
             '1000-01-01', '2020-01-01 00:00:00.123', b'100000001', '{"a": [1, "b"]}', 1e-300, 2020, '-12:00:00.05'),
            (2, null, '', '', '', null, '', null, null, null, null, null, null, null, null);
        insert into gone (v) select seq from seq_1_to_500;
        insert into parent select seq, 0 from seq_1_to_9; insert into child select seq, seq from seq_1_to_9;
        update kinds set v = 'changed', e = 'x' where id = 2; update gone set id = id + 1000 where id < 100;
        delete from gone where id between 200 and 210;
        update parent set id = id + 100 where id < 4; delete from parent where id = 5""",
    "pg": """
        insert into kinds values
            (9223372036854775807, -1.5, 'ä😀', 'l''x', '\\x00ff', '2020-02-29 01:02:03.000004', '1000-01-01',
             '{"a": [1, "b"]}', 1e-300, '01234567-89ab-cdef-0123-456789abcdef', true),
            (2, null, '', '', '', null, null, null, null, null, null);
        insert into gone (v) select g::text from generate_series(1, 500) g;
        insert into parent select g, 0 from generate_series(1, 9) g;
        insert into child select g, g from generate_series(1, 9) g;
        update kinds set v = 'changed', ok = false where id = 2; update gone set id = id + 1000 where id < 100;
        delete from gone where id between 200 and 210""",
}


def make_tables(cross, culvert):
    cross.sql(CROSS["my" if is_my(cross.source) else "pg"])
    c = culvert(cross.config(), "maker")
    r = subprocess.run([os.path.join(BUILD, "culvertctl"), "schema", "--apply", "-c", c.path], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert r.returncode == 0, r.stdout


def names_of(cross):
    """An archive's database stands for none of the other side's."""
    if is_my(cross.source) and is_my(cross.target):
        return {}
    return {"schemas": {cross.name: "public"} if is_my(cross.source) else {"public": cross.name}}


def ends(cross, place):
    config = cross.config()
    return ({"source": config["source"], "target": {"uri": f"segments:{place}"}, "snapshot": NONE},
            {"source": {"uri": f"segments:{place}"}, "target": config["target"], "snapshot": NONE,
             **names_of(cross)})


def there_and_back(cross, culvert, place, fill):
    make_tables(cross, culvert)
    to, back = ends(cross, place)
    a = culvert(to, "archiver").start()
    a.wait(state="streaming")
    fill(cross, ROWS)
    a.wait(lag=0)
    r = culvert(back, "replay").start()
    r.wait(lag=0)
    assert cross.compare() > 400
    a.kill9()
    r.kill9()
    cross.sql("insert into gone (v) values ('later'); update parent set v = 1")
    for c in (a, r):
        c.start()
    for c in (a, r):
        c.wait(lag=0)
    assert cross.compare() > 400
    if is_my(cross.source):
        cross.sql("truncate table gone; delete from parent where id = 6; insert into gone (v) values ('new')")
        a.wait(lag=0)
        r.wait(lag=0)
        assert cross.compare() < 400
    s = r.status()
    assert s["source"]["kind"] == "segments" and s["target"]["kind"] != "segments"


@pytest.mark.long
def test_an_archive_goes_into_any_engine(cross, culvert, place):
    there_and_back(cross, culvert, place, lambda c, text: c.sql(text[c.direction[:2]]))


# ---- faults ----

LEDGER = """
    create table account (id int primary key, balance bigint not null);
    insert into account select g, 0 from generate_series(1, 200) g;
    create table entry (id bigserial primary key, account int, amount bigint);
    create table mark (t varchar(10)); alter table mark replica identity full"""


@pytest.fixture
def ledger(pair):
    """A replay begins with the rows that were there when the archive began."""
    pair.sql(LEDGER)
    schema_to_target(pair)
    pair.target_sql("insert into account select g, 0 from generate_series(1, 200) g")
    return pair


def begun(ledger, culvert, place, **more):
    a = culvert(archiver(ledger, place, **more), "archiver").start()
    a.wait(state="streaming")
    return a


def many(ledger):
    """About 200 KiB in an archive."""
    ledger.sql("insert into entry (account, amount) select g, random() * 1e9 from generate_series(1, 20000) g")


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.long)])
def test_kill9_of_both_at_any_moment(ledger, culvert, place, kills):
    a = begun(ledger, culvert, place, segments={"size": "64KiB"})
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait(state="streaming")
    chance = random.Random(5)
    with Writer(ledger.source, ledger.name) as w:
        for i in range(kills):
            w.more(chance.randint(1, 60))
            for c in (a, r) if i % 2 else (r, a):
                c.kill9()
                w.more(chance.randint(1, 30))
                c.start()
    a.wait(lag=0)
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)
    ids = [new["id"] for op, _, new in changes(place, "public.entry")]
    assert len(ids) == len(set(ids)) == ledger.sql("select count(*) from entry")[0][0]


@pytest.mark.long
def test_kill9_inside_a_large_transaction(ledger, culvert, place):
    """The archive has its beginning, and then the whole of it again; the target shows it once."""
    a = begun(ledger, culvert, place, segments={"size": "64KiB"})
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait(state="streaming")
    for i in range(3):
        before = len(segments(place))
        ledger.sql("insert into entry (account, amount) select g, random() * 1e9 from generate_series(1, 60000) g")
        until(lambda: len(segments(place)) > before, 30, "a part of it")
        a.kill9()
        if i == 1:
            r.kill9()
            r.start()
        a.start()
        a.wait(lag=0)
        r.wait(lag=0)
        assert ledger.target_sql("select count(*) from entry")[0][0] == (i + 1) * 60000
    compare(ledger.source, ledger.target, ledger.name)


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x40]))


def test_a_damaged_byte_is_named(ledger, culvert, place):
    a = begun(ledger, culvert, place, segments={"size": "64KiB"})
    many(ledger)
    for i in range(50):
        ledger.sql("update account set balance = %s where id = %s", i, i + 1)
    a.wait(lag=0)
    a.stop()
    files = segments(place)
    assert len(files) > 1
    flip(files[0], os.path.getsize(files[0]) // 2)
    r = culvert(replayer(ledger, place), "replay").start()
    error = r.wait_error(files[0])
    assert "frame at " in error["message"] and "damaged" in error["message"]
    flip(files[0], os.path.getsize(files[0]) // 2)
    r.ctl("resume")
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)


@pytest.mark.long
def test_a_damaged_end_is_named(ledger, culvert, place):
    """As long as somebody writes it may be a write under way, and what is cut short was one."""
    a = begun(ledger, culvert, place)
    ledger.sql("update account set balance = 1 where id = 1")
    a.wait(lag=0)
    whole = os.path.getsize(segments(place)[0])
    ledger.sql("update account set balance = 2 where id = 2")
    a.wait(lag=0)
    copy = place + "-copy"
    shutil.copytree(place, copy)
    newest = segments(copy)[0]
    size = os.path.getsize(newest)
    flip(newest, size - 1)
    r = culvert(replayer(ledger, copy), "replay").start()
    r.wait_error(f"{newest}, frame at {whole}: damaged")
    shown = "select id from account where balance > 0"
    assert ledger.target_sql(shown) == [(1,)]
    os.truncate(newest, size - 1)
    r.ctl("resume")
    r.wait(lag=0)
    assert ledger.target_sql(shown) == [(1,)]
    shutil.copyfile(segments(place)[0], newest)
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)


@pytest.mark.long
def test_a_segment_that_is_missing_is_named(ledger, culvert, place):
    a = begun(ledger, culvert, place, segments={"size": "64KiB"})
    for _ in range(3):
        many(ledger)
    a.wait(lag=0)
    a.stop()
    second = segments(place)[1]
    assert len(segments(place)) > 2
    os.rename(second, second + ".away")
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait_error(f"{place}: segment 2 is missing")
    os.rename(second + ".away", second)
    r.ctl("resume")
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)
    first = segments(place)[0]
    os.rename(first, first + ".away")  # what was applied may go
    r.stop()
    a.start()
    ledger.sql("update account set balance = 3")
    a.wait(lag=0)
    r.start().wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)


def test_one_folder_has_one_writer(ledger, culvert, place):
    a = begun(ledger, culvert, place)
    none = a.ctl("quarantine", "list", check=False)
    assert none.returncode in (1, 4) and "an archive has no quarantine" in none.stderr
    again = culvert(archiver(ledger, place), "other").start()
    until(lambda: "another culvertd writes to this archive" in str(again.status()["error"]), 20, "the refusal")
    assert again.status()["state"] == "starting"
    a.stop()
    again.wait_error("the archive of pipeline archiver, not other")
    again.stop()
    a.start().wait(lag=0)


@pytest.mark.long
def test_an_archive_of_another_source_is_refused(ledger, culvert, place):
    a = begun(ledger, culvert, place)
    ledger.sql("update account set balance = 1")
    a.wait(lag=0)
    a.stop()
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait(lag=0)
    r.stop()
    a.config["source"]["uri"] = ledger.target.uri(ledger.name)
    a.write()
    a.start()
    a.wait_error("resync required: ")
    a.stop()
    other = place + "-2"
    second = culvert({**archiver(ledger, other), "source": {"uri": ledger.target.uri(ledger.name)}}, "second").start()
    second.wait(state="streaming")
    second.stop()
    for folder, refused in ((other, True), (place, False)):
        r.config["source"]["uri"] = f"segments:{folder}"
        r.write()
        r.start()
        if refused:
            r.wait_error("resync required: ")
            r.stop()
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)


@pytest.mark.long
def test_a_folder_that_is_no_archive(ledger, culvert, place):
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait_error(f"{place}: No such file")
    os.mkdir(place)
    r.ctl("resume")
    r.wait_error("no archive of culvert's: its file 'archive' is not there")
    a = begun(ledger, culvert, place)
    ledger.sql("update account set balance = 7")
    a.wait(lag=0)
    r.ctl("resume")
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)
    a.stop()
    os.rename(place + "/archive", place + "/gone")
    a.start()
    a.wait_error("has segments, and its file 'archive' is gone")


# ---- tables that change ----

@pytest.mark.long
def test_a_table_that_comes_later(ledger, culvert, place):
    a = begun(ledger, culvert, place)
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait(state="streaming")
    later = "create table later (id int primary key, v text)"
    ledger.sql(later)
    a.ctl("reload")
    until(lambda: [t["state"] for t in json.loads(a.ctl("tables", "--json").stdout)["tables"]
                   if t["source"] == "public.later"] == ["streaming"], 30, "the table in the archive")
    ledger.sql("update account set balance = 1; insert into later values (1, 'one')")
    a.wait(lag=0)
    error = r.wait_error("table public.later comes into the archive here")
    assert error["table"] == "public.later"
    ledger.target_sql(later)
    r.ctl("reload")
    r.ctl("resume")
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)
    ledger.sql("insert into later values (2, null); update account set balance = 2")
    a.wait(lag=0)
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)
    fresh = [t["source"] for t in json.loads(r.ctl("tables", "--json").stdout)["tables"]]
    assert "public.later" in fresh


@pytest.mark.long
def test_a_table_that_is_left_out(ledger, culvert, place):
    a = begun(ledger, culvert, place, **{"table public.account": {"where": "id > 100"}})
    r = culvert(replayer(ledger, place, tables={"exclude": "public.entry"}), "replay").start()
    ledger.sql("insert into entry (account, amount) values (1, 1); update account set balance = 5; "
               "insert into mark values ('x')")
    a.wait(lag=0)
    r.wait(lag=0)
    assert ledger.target_sql("select count(*) from entry, mark") == [(0,)]
    assert ledger.target_sql("select count(*) from mark") == [(1,)]
    assert ledger.target_sql("select balance, count(*), min(id) from account group by 1 order by 1") == [
        (0, 100, 1), (5, 100, 101)]


ALTER = "alter table account add note text"


def altered(ledger, archiver):
    """Changes before and behind it; the archiver stops there, and goes on."""
    ledger.sql("update account set balance = 1 where id = 1")
    ledger.sql(ALTER)
    ledger.sql("update account set balance = 2, note = 'new' where id = 2")
    archiver.wait_error("the definition of public.account changed on the source")
    archiver.ctl("resume")
    archiver.wait(lag=0)


@pytest.mark.long
def test_a_definition_that_changes(ledger, culvert, place):
    """Both pipelines stop where it changed: the target is altered by hand, then resume goes on."""
    a = begun(ledger, culvert, place)
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait(state="streaming")
    altered(ledger, a)
    r.wait_error("the definition of public.account changed on the source")
    ledger.target_sql(ALTER)
    r.ctl("resume")
    r.wait(lag=0)
    ledger.sql("update account set note = 'later' where id = 3")
    a.stop()
    a.start().wait(lag=0)
    r.stop()
    r.start().wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)


@pytest.mark.long
def test_a_replay_from_the_beginning_after_a_change(ledger, culvert, place):
    """The archive has each table's first shape, so that a replay stops where it changed."""
    a = begun(ledger, culvert, place)
    altered(ledger, a)
    a.stop()
    r = culvert(replayer(ledger, place), "replay").start()
    r.wait_error("the definition of public.account changed on the source")
    assert ledger.target_sql("select id from account where balance <> 0") == [(1,)]
    ledger.target_sql(ALTER)
    r.ctl("resume")
    r.wait(lag=0)
    compare(ledger.source, ledger.target, ledger.name)


# ---- before a start ----

def ctl_of(c, *arguments):
    return subprocess.run([os.path.join(BUILD, "culvertctl"), *arguments, "-c", c.path], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.long
def test_plan_of_both_ways(ledger, culvert, place):
    a = culvert(archiver(ledger, place), "archiver")
    plan = ctl_of(a, "plan")
    assert plan.returncode == 0, plan
    assert "public.account" in plan.stdout and place in plan.stdout
    assert not os.path.exists(place)
    schema = ctl_of(a, "schema")
    assert schema.returncode == 1 and "an archive has no tables to make" in schema.stderr
    r = culvert(replayer(ledger, place), "replay")
    none = ctl_of(r, "plan")
    assert none.returncode == 1 and f"source: {place}: No such file" in none.stderr
    a.start().wait(state="streaming")
    ledger.target_sql("drop table mark")
    plan = ctl_of(r, "assess", "--json")
    assert plan.returncode == 1
    assert "public.mark does not exist" in plan.stdout
    schema = ctl_of(r, "schema")
    assert schema.returncode == 1 and "an archive does not define tables" in schema.stderr
    j = json.loads(plan.stdout)
    assert j["source"]["kind"] == "segments" and j["target"]["kind"] == "postgresql"
