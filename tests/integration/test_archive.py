"""Archives: the change stream into a folder of segments, and from there into a database."""
import json
import os
import stat
import subprocess

import pytest

from harness.compare import compare
from harness.daemon import BUILD
from harness.until import until

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
    assert s["state"] == "streaming" and s["lag"]["bytes"] == 0
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
