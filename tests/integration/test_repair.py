"""culvertctl repair: what a verification has found is put right, on live tables, in all four directions."""
import json

import pytest

from harness.compare import compare
from harness.until import until
from harness.verifying import Load, found, is_my, things, verify
from integration.test_verify import SECRET, damage, eights, make_kinds, source_name, start


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
    assert both.target_sql("select count(*) from culvert.verify_result")[0][0] == 0
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
    assert log.count("repair: update, table") == 12 and log.count("repair: insert, table") == 1
    assert log.count("repair: delete, table") == 2 and SECRET not in log
    assert c.status()["state"] == "streaming"
