"""PREPARE TRANSACTION on a PostgreSQL source: a change counts from COMMIT PREPARED on, however long and
over how many restarts it was prepared."""
import pytest

from harness.compare import compare
from harness.until import until
from integration.conftest import make_cross

SETUP = "create table t (id int primary key, v int); insert into t select g, 0 from generate_series(1, 50) g"


def prepare(server, database, name, sql):
    c = server.connect(database, autocommit=False)
    c.cursor().execute(f"{sql}; prepare transaction '{name}'")
    c.close()


@pytest.fixture(params=["pg-pg", pytest.param("pg-my", marks=pytest.mark.long)])
def ends(request):
    if request.param == "pg-pg":
        yield request.getfixturevalue("pair")
        return
    c = make_cross(request, "pg-my")
    yield c
    c.drop()


def same(ends, c):
    c.wait(lag=0)
    if hasattr(ends, "direction"):
        return ends.compare()
    return compare(ends.source, ends.target, ends.name)


def prepared(ends):
    return ends.sql("select count(*) from pg_prepared_xacts")[0][0]


def test_prepared_and_committed_later(ends, culvert):
    ends.sql(SETUP)
    c = culvert(ends.least(queue={"acknowledge": "queued"})).start()
    c.wait(lag=0)
    prepare(ends.source, ends.name, "keep", "update t set v = 7 where id <= 10; insert into t values (100, 1)")
    prepare(ends.source, ends.name, "drop", "delete from t where id between 11 and 20; insert into t values (200, 1)")
    ends.sql("update t set v = v + 1 where id > 20")
    c.wait(lag=0)  # that alone is on the target
    assert ends.target_sql("select count(*) from t where v = 7 or id in (100, 200)")[0][0] == 0
    c.terminate()
    ends.sql("insert into t values (300, 0)")
    c.start()
    c.wait(lag=0)
    c.kill9()
    ends.source.stop()
    ends.source.start()
    c.start()
    c.wait(lag=0)
    assert prepared(ends) == 2
    ends.sql("commit prepared 'keep'")
    ends.sql("rollback prepared 'drop'")
    assert same(ends, c) == 52
    assert ends.target_sql("select count(*) from t where v = 7")[0][0] == 10


def test_prepared_before_the_copy(ends, culvert):
    """The slot waits for it, so that it is either in the copy or in the stream."""
    ends.sql(SETUP)
    prepare(ends.source, ends.name, "early", "update t set v = 7 where id <= 10")
    c = culvert(ends.least(snapshot={"slot_timeout": "2s"})).start()
    error = until(lambda: c.status()["error"], 60, "an error")
    assert "slot_timeout" in error["message"] and "'early'" in error["message"]
    ends.sql("commit prepared 'early'")
    assert same(ends, c) == 50
    assert ends.target_sql("select count(*) from t where v = 7")[0][0] == 10
