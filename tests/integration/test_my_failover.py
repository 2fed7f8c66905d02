"""The source fails over: its place is taken by a replica, which GTIDs prove to have the same."""
import pytest

from harness.proxy import Proxy
from harness.servers_my import MariaDB
from harness.until import until
from integration.conftest import Cross

SETUP = ("create table t (id int primary key, v text); insert into t values (1, 'one');"
         "create table bare (v int)")
COUNT = [0]


def replicate(source, replica, position="slave_pos"):
    replica.run("stop slave; change master to master_host = '127.0.0.1', "
                f"master_port = {source.port}, master_user = 'root', "
                f"master_use_gtid = {position}; start slave")


def catch_up(source, replica):
    at = source.run("select @@gtid_binlog_pos")[0][0]
    assert replica.run(f"select master_gtid_wait('{at}', 30)") == [(0,)], replica.run("show slave status")


class Topology(Cross):
    """`source` with the replica `other`; culvert reaches the source through a proxy."""

    def start(self, culvert, other):
        self.other = other
        replicate(self.source, other)
        self.sql(SETUP)
        self.proxy = Proxy(self.source.port)
        self.culvert = culvert(self.config(source_port=self.proxy.port)).start()
        self.culvert.wait(lag=0)
        self.old = self.source

    def promote(self):
        """The old source stays up; writers and culvert go to the replica."""
        self.other.run("stop slave; reset slave all")
        self.source, self.other = self.other, self.source
        self.proxy.server_port = self.source.port
        self.proxy.cut()

    def same(self):
        self.culvert.wait(lag=0)
        for table in ("t", "bare"):
            columns = {"t": "id, v", "bare": "v"}[table]
            sql = f"select {columns} from {table} order by 1"
            assert list(self.sql(sql)) == list(self.target_sql(sql)), table


@pytest.fixture(params=["pg", "my"])
def topology(request, folder, culvert):
    COUNT[0] += 1
    target = request.getfixturevalue({"pg": "pg_target", "my": "my_target"}[request.param])
    a = MariaDB(folder, f"fa{COUNT[0]}", log_slave_updates="ON", gtid_domain_id="1").start()
    b = MariaDB(folder, f"fb{COUNT[0]}", log_slave_updates="ON", gtid_domain_id="2").start()
    t = Topology(a, target, f"fail{COUNT[0]}")
    try:
        t.start(culvert, b)
        yield t
        t.culvert.destroy()
    finally:
        t.source = a
        t.drop()
        a.destroy()
        b.destroy()


def write(t, first, n=10):
    for i in range(first, first + n):
        t.sql(f"insert into t values ({i}, 'x'); insert into bare values ({i}); "
              f"update t set v = concat(v, '{i}') where id = 1")


def test_running(topology):
    """The address leads to the promoted replica, and later back to the old source."""
    write(topology, 10)
    topology.same()
    catch_up(topology.source, topology.other)
    topology.promote()
    write(topology, 30)
    topology.same()
    replicate(topology.source, topology.other)
    catch_up(topology.source, topology.other)
    write(topology, 50)
    topology.same()
    catch_up(topology.source, topology.other)
    topology.promote()
    write(topology, 70)
    topology.same()


@pytest.mark.long
def test_stopped_meanwhile(topology):
    """What was written while culvert was away, on both servers and in several domains."""
    write(topology, 10)
    topology.same()
    topology.culvert.terminate()
    for domain in (1, 7, 8, 7):
        topology.sql(f"set session gtid_domain_id = {domain}; insert into bare values ({domain})")
    topology.source.run("flush binary logs")
    write(topology, 30)
    catch_up(topology.source, topology.other)
    topology.promote()
    write(topology, 50)
    for domain in (2, 7, 8, 9):
        topology.sql(f"set session gtid_domain_id = {domain}; insert into bare values ({domain})")
    topology.culvert.start()
    topology.same()
    assert "another server" in topology.culvert.log_text()
    topology.culvert.kill9()
    write(topology, 70)
    topology.culvert.start()
    topology.same()


def test_killed_behind_the_failover(topology):
    """Before the stream is behind all that was there, a start goes by GTID again."""
    write(topology, 10)
    topology.same()
    topology.culvert.terminate()
    write(topology, 30)
    catch_up(topology.source, topology.other)
    topology.promote()
    for i in range(3):
        write(topology, 100 + 20 * i, 15)
        topology.culvert.start()
        until(lambda: topology.culvert.status()["state"] == "streaming", 30, "the stream")
        topology.culvert.kill9()
    topology.culvert.start()
    topology.same()


@pytest.mark.long
def test_prepared_on_the_old_source(topology):
    """An XA transaction that is prepared on one server and committed on the other."""
    topology.sql("xa start 'old'; insert into t values (500, 'xa'); xa end 'old'; xa prepare 'old'")
    write(topology, 10)
    topology.same()
    catch_up(topology.source, topology.other)
    topology.promote()
    try:
        write(topology, 30)
        topology.same()
        topology.culvert.kill9()
        topology.culvert.start()
        topology.sql("xa commit 'old'")
        write(topology, 50)
        topology.same()
        assert topology.target_sql("select v from t where id = 500") == [("xa",)]
    finally:
        for server in (topology.source, topology.other):
            server.end_prepared()


@pytest.mark.long
def test_lacks_transactions(topology):
    """A replica that was behind lost what the target has: nothing but a new copy helps."""
    write(topology, 10)
    topology.same()
    catch_up(topology.source, topology.other)
    topology.other.run("stop slave")
    write(topology, 30)
    topology.same()
    missing = topology.source.run("select @@gtid_binlog_pos")[0][0]
    before = topology.target_sql("select count(*) from bare")
    topology.promote()
    write(topology, 50)
    error = topology.culvert.wait_error("resync required")
    assert error["class"] == "data" and "lacks" in error["message"]
    assert any(g in error["message"] for g in missing.split(",")), (missing, error)
    assert topology.target_sql("select count(*) from bare") == before


def test_purged(topology):
    write(topology, 10)
    topology.same()
    topology.culvert.terminate()
    write(topology, 30)
    catch_up(topology.source, topology.other)
    for _ in range(3):
        topology.other.run("flush binary logs")
    last = topology.other.binlogs()[-1]

    def purged():  # a log that somebody still reads stays, without a word
        topology.other.run(f"purge binary logs to '{last}'")
        return topology.other.binlogs()[0] == last
    until(purged, 20, "the purge")
    topology.promote()
    before = topology.target_sql("select count(*) from bare")
    topology.culvert.start()
    topology.culvert.wait_error("resync required")
    assert topology.target_sql("select count(*) from bare") == before


def test_foreign(topology, folder):
    """A server with the same GTIDs that was never a replica, and one without."""
    write(topology, 10)
    topology.same()
    topology.culvert.terminate()
    server = topology.source.run("select @@server_id")[0][0]
    other = MariaDB(folder, f"ff{COUNT[0]}", gtid_domain_id="1", server_id=server).start()
    try:
        other.run(f"create database {topology.name}")
        other.run(SETUP, db=topology.name)
        for i in range(60):
            other.run(f"insert into bare values ({i})", db=topology.name)
        topology.proxy.server_port = other.port
        topology.culvert.start()
        topology.culvert.wait_error("resync required")
        topology.proxy.server_port = topology.source.port
        topology.culvert.ctl("resume")
        topology.same()
    finally:
        other.destroy()
