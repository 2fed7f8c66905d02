"""culvertctl repair: what a verification has found is put right, on live tables, in all four directions."""
import json
import os
import signal
import subprocess

import pytest

from harness.compare import compare
from harness.daemon import BUILD
from harness.until import until
from harness.verifying import Load, found, is_my, things, verify
from integration.test_hazards import twin
from integration.test_verify import SECRET, damage, eights, make_kinds, source_name, spoil_kinds, start


def repair(c, *arguments, code=0):
    r = c.ctl("repair", "--json", *arguments, check=False)
    assert r.returncode == code, f"{r.returncode} {r.stdout[:3000]} {r.stderr} {c.log_text()[-3000:]}"
    assert SECRET not in r.stdout + r.stderr
    return json.loads(r.stdout) if r.stdout else r.stderr


def outcomes(body):
    """{(table, result): how many}"""
    count = {}
    for i in body["items"]:
        at = (i["table"].split(".")[1], i["result"])
        count[at] = count.get(at, 0) + 1
    return count


def same(both, only=None):
    """Every row and column of both sides."""
    if not hasattr(both, "direction"):
        return compare(both.source, both.target, both.name)
    return both.compare(only=only)


def everything(both):
    return both.target_sql("select * from things order by id")


def clean(both, c):
    """The findings are gone, a new verification finds none, and every row is compared by the test, too."""
    s = json.loads(c.ctl("verify", "status", "--json").stdout)
    assert (s["differences"], s["undecided"], s["items"]) == (0, 0, []), s
    assert c.status()["verify"]["differences"] == 0
    assert both.target_sql("select count(*) from culvert.verify_result where kind in ('missing', 'extra', 'differs', "
                           "'undecided')")[0][0] == 0  # there may be notes
    c.wait(lag=0)
    s = verify(c)
    assert (s["differences"], s["undecided"], s["items"]) == (0, 0, []), s


def test_damage_is_mended(every_way, culvert):
    both = every_way
    things(both)
    c = start(both, culvert)
    assert "no result" in repair(c, code=4)
    with Load(both.sql, 100, 300):
        expected = damage(both)
        s = verify(c)
        assert found(s) == expected
        before = both.target_sql("select * from things where id < 100 order by id")
        body = repair(c, "--dry-run")
        assert (body["dry_run"], body["planned"], body["repaired"], body["refused"]) == (True, len(expected), 0, 0)
        actions = {(i["kind"], i["key"]["id"]): i["action"] for i in body["items"]}
        assert actions == {k: {"missing": "insert", "extra": "delete", "differs": "update"}[k[0]] for k in expected}
        assert both.target_sql("select * from things where id < 100 order by id") == before
        assert found(json.loads(c.ctl("verify", "status", "--json").stdout)) == expected
        body = repair(c)
        assert (body["repaired"], body["equal"], body["refused"], body["undecided"]) == (len(expected), 0, 0, 0), body
    assert outcomes(body) == {("things", "repaired"): len(expected)}
    clean(both, c)
    same(both)
    log = c.log_text()
    assert log.count("repair: update, table") in (12, 13)  # MySQL takes 1 and 1.0 for the same at first
    assert log.count("repair: insert, table") == 1
    assert log.count("repair: delete, table") == 2 and SECRET not in log
    assert c.status()["state"] == "streaming"


def test_kinds_of_tables(way, culvert):
    """Keys that the sides sort in different ways, of several columns, none; filters, other names."""
    both = way
    make_kinds(both)
    c = start(both, culvert, **{f"table {source_name(both, 'renamed')}": {
        "where": "state = 'open'", "columns.exclude": "secret", "column.old_note.to": "note"}})
    spoil_kinds(both)
    s = verify(c)
    one = repair(c, "--table", source_name(both, "pairs"))
    assert outcomes(one) == {("pairs", "repaired"): 3}
    left = json.loads(c.ctl("verify", "status", "--json").stdout)
    assert left["differences"] == s["differences"] - 3
    body = repair(c)
    assert body["refused"] == body["undecided"] == 0, body
    copies = [i["key"]["copies"] for i in body["items"] if i["table"].endswith(".bag")]
    assert sorted(copies) == sorted(["2", "1", *(str(n) for n in eights(both) * 2)])
    clean(both, c)
    assert both.target_sql("select count(*) from nothing")[0][0] == 0
    bag = "select n, note, count(*) from bag group by n, note order by n, note"
    assert sorted(map(str, both.sql(bag))) == sorted(map(str, both.target_sql(bag)))
    assert "rows mended" in c.ctl("repair").stdout


@pytest.mark.long
def test_values_that_are_taken(way, culvert):
    """Unique values in a pair that was swapped, in a ring, in a chain; one that a row has which is too much."""
    both = way
    both.sql("create table t (id int primary key, u int not null unique, v varchar(20))")
    both.sql("insert into t values " + ", ".join(f"({i}, {i * 10}, 'v{i}')" for i in range(1, 41)))
    c = start(both, culvert)
    both.target_sql("update t set u = -1 where id = 1; update t set u = 10 where id = 2; update t set u = 20 where id = 1;"
                    "update t set u = -1 where id = 3; update t set u = 30 where id = 4; update t set u = 40 where id = 5;"
                    "update t set u = 50 where id = 3; update t set u = 1000 where id = 6; update t set u = 60 where id = 7;"
                    "update t set u = 70 where id = 8; delete from t where id = 9; insert into t values (100, 90, 'too much')")
    assert verify(c)["differences"] == 10
    body = repair(c)
    assert outcomes(body) == {("t", "repaired"): 10}, body
    clean(both, c)
    same(both)


def test_a_row_that_is_refused(way, culvert):
    """It is named with the reason and stays a difference; the others are mended."""
    both = way
    both.sql("create table t (id int primary key, v int, note varchar(40))")
    both.sql("insert into t values " + ", ".join(f"({i}, {i}, '{SECRET}')" for i in range(1, 21)))
    c = start(both, culvert)
    both.target_sql("delete from t where id in (3, 5, 7); update t set v = 100 where id = 9;"
                    "alter table t add constraint odd check (v <> 5 and v <> 100 or id = 9)")
    assert verify(c)["differences"] == 4
    body = repair(c, code=1)
    assert (body["repaired"], body["refused"]) == (3, 1)
    refused = [i for i in body["items"] if i["result"] == "refused"]
    assert [i["key"] for i in refused] == [{"id": "5"}] and "odd" in refused[0]["error"]
    left = json.loads(c.ctl("verify", "status", "--json").stdout)
    assert found(left) == {("missing", "5"): []} and left["differences"] == 1
    assert "repair: refused" in c.log_text() and SECRET not in c.log_text()
    text = c.ctl("repair", check=False)
    assert text.returncode == 1 and "refused" in text.stdout and '{"id":"5"}' in text.stdout, text
    both.target_sql("alter table t drop constraint odd")
    assert repair(c)["repaired"] == 1
    clean(both, c)
    same(both)


@pytest.mark.long
def test_states(pair, culvert):
    things(pair, 50)
    c = start(pair, culvert)
    pair.target_sql("delete from things where id = 7; delete from things where id = 8")
    verify(c)
    assert "not migrated" in repair(c, "--table", "no.such", code=4)
    assert "schema.table" in repair(c, "--table", "things", code=2)
    c.ctl("pause")
    assert "paused" in repair(c, code=4)
    c.ctl("resume")
    pair.sql("insert into things (id) values (1000)")
    c.wait(lag=0)
    pair.target_sql("delete from things where id = 1000")
    pair.sql("update things set code = 'x' where id = 1000")
    c.wait_error("conflict")
    assert "stopped" in repair(c, code=4)
    pair.target_sql("insert into things (id) values (1000)")
    c.ctl("resume")
    c.wait(lag=0)
    pair.sql("insert into things (id, name) values (7000, 'there')")  # what is equal by now needs nothing
    c.wait(lag=0)
    pair.target_sql("insert into things select 8, name, price, at, moment, note, code, doc, amount from things where id = 9;"
                    "update things set name = 'row 8 \U0001f600', price = 8.123456, at = '2024-02-29 10:11:12.000008', note = 'note', "
                    "code = 'code 8', amount = 8.1 where id = 8")
    pair.target_sql("update things set note = null where id = 8 and (select note from things where id = 10) is null")
    body = repair(c)
    assert outcomes(body) in ({("things", "equal"): 1, ("things", "repaired"): 1}, {("things", "repaired"): 2}), body
    clean(pair, c)
    same(pair)


@pytest.mark.long
def test_several_rows_of_a_key(pair, culvert):
    """Which no index of the target forbids."""
    pair.sql("create table t (id int primary key, v text); insert into t select i, 'v' || i from generate_series(1, 20) i")
    c = start(pair, culvert)
    pair.target_sql("alter table t drop constraint t_pkey; insert into t values (3, 'v3'), (4, 'other'), (50, 'a'), (50, 'b')")
    pair.target_sql("alter table t replica identity full")
    s = verify(c)
    assert s["differences"] == 3, s
    body = repair(c)
    assert outcomes(body) == {("t", "repaired"): 3}, body
    clean(pair, c)
    assert pair.target_sql("select * from t order by id") == pair.sql("select * from t order by id")


def in_background(c):
    return subprocess.Popen([os.path.join(BUILD, "culvertctl"), "-s", c.socket, "repair"], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def many(both, culvert, n=12000):
    things(both, n)
    c = start(both, culvert)
    both.target_sql("delete from things where id % 3 = 0 and id <= 10500; update things set name = 'x' where id % 3 = 1 and id <= 10500;"
                    "insert into things (id, name) select -id, 'extra' from things where id % 30 = 1 and id <= 10500")
    return c


@pytest.mark.long
def test_kill_in_between(way, culvert):
    """A transaction of it is there or is not; a repair that is begun again goes on."""
    both = way
    c = many(both, culvert)
    left = verify(c, timeout=120)["differences"]
    assert left == 7350
    kills = 0
    with Load(both.sql, 11000, 12000):
        while kills < 5:
            p = in_background(c)
            mended = c.log_text().count("repair: ")
            until(lambda: c.log_text().count("repair: ") > mended or p.poll() is not None, 60, "a row that is mended")
            c.kill9()
            p.wait(20)
            c.start()
            c.wait(lag=0)
            until(lambda: json.loads(c.ctl("verify", "status", "--json").stdout)["tables"], 20, "what was known")
            kills += 1
            now = json.loads(c.ctl("verify", "status", "--json").stdout)["differences"]
            assert now <= left
            left = now
        body = repair(c)
    assert body["refused"] == body["undecided"] == 0
    clean(both, c)
    same(both)


def held(pair):
    """A transaction of a repair that stands before a lock."""
    return pair.target_sql("select pid from pg_locks join pg_stat_activity using (pid) where not granted and "
                           "application_name = 'culvert shop quarantine' and query not like '%advisory%'")


@pytest.mark.long
def test_fenced_and_killed_inside_the_transaction(pair, culvert, folder):
    """It is not there, neither after a kill nor after another daemon has taken over, who can do it instead."""
    things(pair, 100)
    c = start(pair, culvert)
    pair.target_sql("delete from things where id in (7, 8); update things set name = 'x' where id = 90")
    verify(c)
    before = everything(pair)
    holder = pair.target.connect(pair.name, autocommit=False)
    with holder.cursor() as cursor:
        cursor.execute("update things set name = name where id = 90")
    p = in_background(c)
    until(lambda: held(pair), 30, "the repair before the lock")
    c.kill9()
    assert p.wait(20) != 0
    holder.rollback()
    until(lambda: not pair.target_sql("select 1 from pg_stat_activity where application_name = 'culvert shop quarantine'"), 30,
          "the end of its session")
    assert everything(pair) == before
    c.start()
    c.wait(lag=0)
    until(lambda: json.loads(c.ctl("verify", "status", "--json").stdout)["tables"], 20, "what was known")
    with holder.cursor() as cursor:
        cursor.execute("update things set name = name where id = 90")
    p = in_background(c)
    pid = until(lambda: held(pair), 30, "the repair before the lock")[0][0]
    second = twin(pair, folder, c)
    try:
        c.process.send_signal(signal.SIGSTOP)
        pair.target_sql(f"select pg_terminate_backend({pid}, 5000)")
        holder.rollback()
        second.start().wait(state="streaming", timeout=60)
        c.process.send_signal(signal.SIGCONT)
        assert p.wait(60) == 1  # for the lock, or since the other one has moved the slot on
        said = p.stderr.read()
        assert "another session" in said or "stopped on an error" in said, said
        assert everything(pair) == before
        assert verify(second)["differences"] == 3
        assert repair(second)["repaired"] == 3
        clean(pair, second)
        same(pair)
    finally:
        c.process.send_signal(signal.SIGCONT)
        holder.close()
        second.destroy()


def insist(both, *statements):
    """Each on the target; one that the stream's transaction has won over runs again."""
    for statement in statements:
        def run():
            try:
                both.target_sql(statement)
            except Exception as e:
                if "eadlock" not in str(e):
                    raise
                return False
            return True

        until(run, 30, statement)


def no_conflict(both, culvert, rounds):
    """Damage in rows that come, go and change all the time: what the stream brings later fits what was mended."""
    things(both, 200)
    both.sql(f"create table bag (id int, name varchar(200), price {'decimal' if is_my(both.source) else 'numeric'}(20,6), "
             "code varchar(60))" + ("" if is_my(both.source) else "; alter table bag replica identity full"))
    both.sql("insert into bag select id, name, price, code from things where id < 40")
    c = start(both, culvert)
    with Load(both.sql, 101, 130, seed=1), Load(both.sql, 60, 100, seed=2), Load(both.sql, 1, 12, seed=3, table="bag"):
        for i in range(rounds):
            insist(both, "update things set note = 'damaged' where id between 60 and 130",
                   "update things set doc = '[1]' where id between 60 and 130",
                   "delete from things where id in (131, 132)", "delete from bag where id between 20 and 24",
                   "insert into bag (id, name) values (300, 'x')", f"insert into things (id, name) values ({1000 + i}, 'x')")
            s = verify(c, timeout=120)
            assert s["differences"] > 0
            r = c.ctl("repair", "--json", check=False)
            assert r.returncode in (0, 1) and json.loads(r.stdout)["refused"] == 0, r
            assert c.status()["state"] == "streaming", c.status()["error"]
    c.wait(lag=0)
    verify(c)
    repair(c)
    clean(both, c)
    same(both, only=["things"])


def test_rows_on_the_move(way, culvert):
    no_conflict(way, culvert, 1)


@pytest.mark.long
def test_rows_on_the_move_for_long(every_way, culvert):
    no_conflict(every_way, culvert, 8)
