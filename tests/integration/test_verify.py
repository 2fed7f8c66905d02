"""culvertctl verify: every row of both sides is compared, on live tables, in all four directions."""
import json

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
