"""[table] on_conflict = quarantine: what the target refuses for its row goes to culvert.quarantine, in
all four directions."""
import json
import random
import time

import pytest

from conftest import DIRECTIONS, Pair, is_my, make_cross
from harness.compare import compare
from harness.until import until

MARK = "Sevenfold"  # a value of every row that is refused: never in a log or an answer
SETUP = ("create table good (id int primary key, v int, note varchar(40));"
         "create table t (id int primary key, v int, note varchar(40))")


class Shop:
    """The database of a pair or cross, with a pipeline that has table t quarantined."""

    def __init__(self, both, culvert, **more):
        self.both, self.sql, self.target_sql = both, both.sql, both.target_sql
        both.sql(SETUP + "; insert into t values (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')")
        source = f"{both.name}.t" if is_my(both.source) else "public.t"
        config = both.config(**{f"table {source}": {"on_conflict": "quarantine"}, **more})
        self.culvert = culvert(config).start()
        self.culvert.wait(lag=0)
        self.target = f"{both.name}.t" if is_my(both.target) else "public.t"

    def refuse(self, negative=True, unique=False):
        """Rules that the target alone has."""
        if negative:
            self.target_sql("alter table t add constraint positive check (v >= 0)")
        if unique:
            self.target_sql("create unique index only_one on t (note)")

    def allow(self):
        self.target_sql("alter table t drop constraint positive")

    def list(self, *more):
        answer = json.loads(self.culvert.ctl("quarantine", "list", "--json", *more).stdout)
        assert MARK not in json.dumps(answer)
        return answer["items"]

    def rows(self):
        """Of culvert.quarantine itself."""
        return self.target_sql("select id, table_name, operation, row_key, old_row, new_row, position, code, "
                               "message from culvert.quarantine order by id")

    def keys(self):
        return [(r[2], json.loads(r[3]) if isinstance(r[3], str) else r[3]) for r in self.rows()]

    def status(self):
        return self.culvert.status()

    def done(self, count=0):
        self.culvert.wait(lag=0)
        until(lambda: self.status()["quarantined"] == count, 10, f"{count} changes in quarantine")

    def compare(self):
        """Every row and column, and no value in the log."""
        assert MARK not in self.culvert.log_text()
        if isinstance(self.both, Pair) and not hasattr(self.both, "direction"):
            return compare(self.both.source, self.both.target, self.both.name)
        return self.both.compare()


ALL = ["pg-pg", *DIRECTIONS]


@pytest.fixture(params=ALL)
def both(request):
    if request.param == "pg-pg":
        yield request.getfixturevalue("pair")
        return
    c = make_cross(request, request.param)
    yield c
    c.drop()


def test_what_is_refused_waits_and_the_rest_goes_on(both, culvert):
    shop = Shop(both, culvert)
    shop.refuse()
    shop.sql(f"begin; insert into t values (10, 10, 'fine'); insert into t values (11, -1, '{MARK}');"
             "insert into good values (1, 1, 'also'); insert into t values (12, 12, 'fine'); commit")
    shop.sql(f"update t set v = 5 where id = 11; update t set v = -7, note = '{MARK}' where id = 1;"
             "update t set v = 22 where id = 2; delete from t where id = 1; insert into t values (1, 100, 'again')")
    shop.done(5)
    assert [op for op, _ in shop.keys()] == ["insert", "update", "update", "delete", "insert"]
    assert [int(key["id"]) for _, key in shop.keys()] == [11, 11, 1, 1, 1]
    rows = shop.rows()
    assert rows[0][7] and "positive" in rows[0][8] and rows[1][7] == "" and "earlier change" in rows[1][8]
    new = json.loads(rows[0][5]) if isinstance(rows[0][5], str) else rows[0][5]
    assert new == {"id": "11", "v": "-1", "note": MARK}
    assert sorted(shop.target_sql("select id, v from t")) == [(1, 1), (2, 22), (3, 3), (10, 10), (12, 12)]
    assert shop.target_sql("select count(*) from good") == [(1,)]
    assert shop.culvert.ctl("status", "--check", check=False).returncode == 1
    assert "culvert_quarantined_changes" in shop.culvert.ctl("metrics").stdout
    assert MARK not in shop.culvert.log_text()
