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
