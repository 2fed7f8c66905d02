"""The target's disk is full, really: culvert tries again, over a kill -9 of its own too, and goes on when there is
space. Every row is compared."""
import pytest

from harness.compare import compare
from harness.small_disk import SmallDisk, SmallMariaDB, SmallPostgres
from harness.until import until
from integration import conftest
from integration.conftest import Cross, Pair

SERVERS = {"pg-pg": ("pg_source", SmallPostgres), "my-my": ("my_source", SmallMariaDB),
           "my-pg": ("my_source", SmallPostgres), "pg-my": ("pg_source", SmallMariaDB)}


@pytest.fixture(params=list(SERVERS))
def small(request, folder):
    conftest._count += 1
    name = f"small{conftest._count}"
    source, kind = SERVERS[request.param]
    disk = SmallDisk(folder, name + "d")
    if not disk.works:
        pytest.skip("no namespace of one's own here")
    target = kind(folder, name, disk).start()
    pair = (Pair if request.param == "pg-pg" else Cross)(request.getfixturevalue(source), target, name)
    pair.direction, pair.disk = request.param, disk
    yield pair
    pair.drop()
    target.destroy()
    disk.close()


def has_told(c, small):
    """InnoDB of MariaDB 10.11 may end the server instead of refusing the row."""
    e = c.status()["error"] or {"message": "", "class": None}
    return e["class"] == "retry" and ("No space left" in e["message"] or "full" in e["message"] or not small.target.running())


def make_space(small):
    small.disk.free()
    if not small.target.running():
        small.target.start()


@pytest.mark.parametrize("acknowledge", ["applied", "queued"])
def test_no_space_on_the_target(small, culvert, acknowledge):
    small.sql("create table t (id int primary key, v int, body varchar(1000)); insert into t values (1, 1, 'one')")
    small.target.place(small.name)
    c = culvert(small.least(queue={"acknowledge": acknowledge, "memory": "1MiB"})).start()
    c.wait(lag=0)
    small.disk.fill()
    for n in range(10, 20010, 1000):
        small.sql("insert into t values " + ", ".join(f"({i}, {i}, '{'x' * 990}{i}')" for i in range(n, n + 1000)))
    until(lambda: has_told(c, small), 60, "a word about the disk")
    assert c.status()["state"] == "streaming"
    small.sql("update t set v = v + 1 where id < 200; delete from t where id between 300 and 400")
    c.kill9()
    c.start()
    until(lambda: has_told(c, small), 60, "the same word, after a restart")
    make_space(small)
    c.wait(lag=0, timeout=120)
    small.sql("update t set v = v + 1 where id > 19000")
    c.wait(lag=0)
    assert (small.compare() if hasattr(small, "compare") else compare(small.source, small.target, small.name)) == 19900
