"""verify start --continuous: what changes after it was compared is compared again, without starting over."""
import json

import pytest

from harness.until import until
from harness.verifying import Load, found, is_my, status, things, verify
from integration.test_verify import start


def follow(c, *arguments):
    s = verify(c, "--continuous", *arguments)
    assert s["continuous"]
    return s


def rest(c, code=0):
    r = c.ctl("verify", "rest", "--json", check=False)
    assert r.returncode == code, r.stdout[:3000] + r.stderr + c.log_text()[-3000:]
    return json.loads(r.stdout) if r.stdout else r.stderr


def spoil(both, table="things", column="price", row=50):
    """From now on the target makes something else of that row than it is told."""
    if is_my(both.target):
        both.target.run(f"create trigger spoil before update on {table} for each row "
                        f"set new.{column} = if(new.id = {row}, 77, new.{column})", db=both.name)
    else:
        both.target_sql(f"create function spoil() returns trigger language plpgsql as "
                        f"'begin if new.id = {row} then new.{column} := 77; end if; return new; end';"
                        f"create trigger spoil before update on {table} for each row execute function spoil();"
                        f"alter table {table} enable always trigger spoil")


def spare(both, table="things"):
    both.target_sql("drop trigger spoil" if is_my(both.target) else f"drop trigger spoil on {table}; drop function spoil")


def test_what_changes_is_compared_again(way, culvert):
    both = way
    things(both)
    c = start(both, culvert)
    assert "no continuous verification" in rest(c, 4)
    refused = c.ctl("verify", "start", "--continuous", "--sample", "5", check=False)
    assert refused.returncode == 2
    with Load(both.sql, 100, 300):
        s = follow(c)
        assert s["differences"] == 0 and s["coverage"] == 100
        until(lambda: status(c)["verified_position"], 20, "a place up to which all is verified")
    spoil(both)
    both.sql("update things set price = 5 where id in (50, 51, 52)")
    s = until(lambda: (s := status(c))["differences"] and s, 20, "the difference")
    assert found(s) == {("differs", "50"): ["price"]} and s["continuous"] and s["state"] == "done"
    assert "1 differ or are undecided" in c.log_text()
    c.wait(lag=0)
    assert rest(c, 1)["changed"] == 0
    both.sql("update things set code = 'x' where id = 50")
    c.wait(lag=0)
    s = rest(c, 1)  # it is found once
    assert found(s) == {("differs", "50"): ["price"]} and s["differences"] == 1 and len(s["items"]) == 1
    spare(both)
    both.sql("update things set price = 6 where id = 50; delete from things where id = 51")
    c.wait(lag=0)
    s = rest(c)  # the stream has put it right
    assert (s["differences"], s["undecided"], s["items"]) == (0, 0, [])
    assert both.target_sql("select count(*) from culvert.verify_result where kind = 'differs'") == [(0,)]
    assert "continuous: 0 changed rows not verified again yet, all verified up to" in c.ctl("verify", "status").stdout


@pytest.mark.long
def test_repair_and_another_start(alike, culvert):
    """A repair in between keeps what has changed; stop and another start end it."""
    both = alike
    things(both, 100)
    c = start(both, culvert)
    follow(c)
    spoil(both)
    both.sql("update things set price = 5 where id = 50")
    c.wait(lag=0)
    assert rest(c, 1)["differences"] == 1
    spare(both)
    body = json.loads(c.ctl("repair", "--json").stdout)
    assert body["repaired"] == 1
    s = until(lambda: (s := status(c))["continuous"] and s["tables"] and s, 20, "the verification again")
    assert s["differences"] == 0
    spoil(both, row=60)
    both.sql("update things set price = 5 where id = 60")
    c.wait(lag=0)
    s = until(lambda: (s := status(c))["differences"] and s, 20, "the difference")
    assert found(s) == {("differs", "60"): ["price"]}
    spare(both)
    s = json.loads(c.ctl("verify", "stop", "--json").stdout)
    assert (s["state"], s["continuous"], s["differences"], s["changed"]) == ("done", False, 1, None)
    assert c.ctl("verify", "stop", check=False).returncode == 4 and "no continuous" in rest(c, 4)
    c.stop()
    c.start()
    s = until(lambda: (s := status(c))["tables"] and s, 20, "what was known")
    assert (s["state"], s["continuous"], s["differences"]) == ("done", False, 1)
    follow(c)
    assert verify(c)["continuous"] is False and "no continuous" in rest(c, 4)


def test_after_a_restart_it_begins_anew(alike, culvert):
    """Nobody knows what has changed meanwhile, so nothing is called verified that was not looked at again."""
    both = alike
    things(both, 100)
    c = start(both, culvert)
    follow(c)
    started = status(c)["started_at"]
    c.kill9()
    both.sql("update things set price = 5 where id = 50")
    c.start()
    c.wait(lag=0)
    s = until(lambda: (s := status(c))["state"] == "done" and s["started_at"] != started and s, 30, "the new one")
    assert s["continuous"] and s["differences"] == 0 and s["rows_compared"] == 100
    assert "is not known after the restart" in c.log_text()
    spoil(both)
    both.sql("update things set price = 6 where id = 50")
    c.wait(lag=0)
    assert found(rest(c, 1)) == {("differs", "50"): ["price"]}


@pytest.mark.long
def test_whole_tables(alike, culvert):
    """Where the rows are not known, the table counts as not verified until it is compared again."""
    both = alike
    things(both, 100)
    both.sql("create table bag (n int, note varchar(40))" + ("" if is_my(both.source) else "; alter table bag replica identity full"))
    both.sql("insert into bag values (1, 'a'), (2, 'b'), (2, 'b')")
    c = start(both, culvert)
    assert follow(c)["coverage"] == 100
    both.sql("insert into bag values (3, 'c')")
    c.wait(lag=0)

    def stale():
        s = status(c)
        return [t["table"].split(".")[1] for t in s["tables"] if t["stale"]] == ["bag"] and s

    s = until(stale, 20, "the table without a key")
    assert s["coverage"] < 100 and "not verified again" in c.ctl("verify", "status").stdout
    s = rest(c)
    assert s["coverage"] == 100 and not any(t["stale"] for t in s["tables"]) and s["rows_compared"] == 104
    both.target_sql("insert into bag values (9, 'more')")
    both.sql("insert into bag values (4, 'd')")
    c.wait(lag=0)
    s = rest(c, 1)
    assert [(i["kind"], i["key"]["copies"]) for i in s["items"]] == [("extra", "1")]
    both.sql("truncate table things")
    both.sql("insert into things (id, name) values (1, 'x')")
    c.wait(lag=0)
    s = rest(c, 1)
    assert s["rows_compared"] == 6 and s["differences"] == 1 and s["coverage"] == 100
    both.target_sql("delete from bag where n = 9")
    both.sql("insert into bag values (5, 'e')")
    s = until(lambda: (s := status(c))["differences"] == 0 and not any(t["stale"] for t in s["tables"]) and s, 40,
              "the table by itself")
    assert s["items"] == [] and s["coverage"] == 100


@pytest.mark.long
def test_under_load_for_long(every_way, culvert):
    """Rows that come and go all the time, servers that are away: no false report, and damage is found."""
    both = every_way
    things(both)
    c = start(both, culvert)
    with Load(both.sql, 100, 300, seed=1), Load(both.sql, 100, 300, seed=2):
        follow(c)
        for _ in range(20):
            r = c.ctl("verify", "rest", "--json", check=False)
            s = json.loads(r.stdout)
            assert s["differences"] == 0 and s["items"] == [], s
    c.wait(lag=0)
    s = rest(c)
    assert (s["differences"], s["undecided"], s["changed"]) == (0, 0, 0)
    both.target.stop()
    both.sql("update things set price = 5 where id = 99")
    both.target.start()
    c.wait(lag=0)
    s = until(lambda: (s := status(c))["changed"] == 0 and s, 60, "all verified again")
    assert s["continuous"] and s["differences"] == 0
    spoil(both, row=99)
    both.sql("update things set price = 6 where id = 99")
    c.wait(lag=0)
    assert found(rest(c, 1)) == {("differs", "99"): ["price"]}
