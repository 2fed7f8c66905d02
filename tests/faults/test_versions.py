"""PostgreSQL 14 to 18: each as source and as target of Debian's 15, and with itself. The servers
come from tests/tools/versions; CULVERT_VERSIONS names their folder."""
import itertools
import os
import subprocess

import psycopg2
import pytest
from psycopg2.extras import LogicalReplicationConnection

from harness import servers
from harness.compare import compare
from harness.until import until
from integration.conftest import Cross, Pair
from integration.test_stream import SETUP

CONF = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                    "conf")

VERSIONS = os.environ.get("CULVERT_VERSIONS", "/var/tmp/culvert-test")
HOUSE = 15
OTHERS = (14, 16, 17, 18)
PAIRS = [p for v in OTHERS for p in ((v, HOUSE), (HOUSE, v), (v, v))]
COUNT = itertools.count(1)
CLIENTS = HOUSE  # the version of the pg_dump that is installed

CHANGES = """
insert into plain values (2000, 'é😀', -0.01, 'sad'), (2001, '', null, null);
update plain set v = 'changed' where id <= 10;
update plain set id = -id where id between 20 and 25;
delete from plain where id between 30 and 40;
begin; insert into plain values (3000); savepoint a; insert into plain values (3001);
rollback to a; insert into plain values (3002); commit;
insert into nokey values ('a', 1, 1.00, '{"x": 1}');
delete from nokey where ctid = (select min(ctid) from nokey where c::text = '1.0');
update nokey set b = 7 where a is null;
update wide set small = 'new' where id < 10; update wide set id = id + 100 where id = 11;
update widefull set small = 'new' where id < 10; delete from widefull where id = 15;
update byindex set code = 'uno', v = null where id = 1; delete from byindex where code = 'two';
insert into made (a) values (10); update made set a = 20 where a = 1; delete from made where a = 2;
insert into parted values (5, 'five'), (1500, 'more'); update parted set id = 1005 where id = 5;
truncate emptied; insert into emptied values (9, 'after')
"""
MORE_SETUP = """
create table parted (id int primary key, v text) partition by range (id);
create table parted_1 partition of parted for values from (0) to (1000);
create table parted_2 partition of parted for values from (1000) to (2000);
insert into parted select g, 'p' from generate_series(10, 1400, 10) g;
create table emptied (id int primary key, v text);
insert into emptied values (1, 'x'), (2, 'y');
"""


def binaries(version):
    return servers.BIN if version == HOUSE else os.path.join(VERSIONS, f"pg{version}", "bin")


@pytest.fixture(scope="session")
def server(folder):
    """server(version, side): a running server, kept for the other tests of this session."""
    running = {}

    def get(version, side):
        key = (version, side)
        if key not in running:
            running[key] = servers.Postgres(folder, f"{side}{version}", binaries(version))
            running[key].start()
        return running[key]

    yield get
    for s in running.values():
        s.destroy()


@pytest.fixture
def pair_of(server):
    """pair_of(source version, target version): an empty database on each."""
    made = []

    def make(source, target):
        name = f"v{source}_{target}_{next(COUNT)}"
        made.append(Pair(server(source, "src"), server(target, "dst"), name))
        return made[-1]

    yield make
    for p in made:
        p.drop()


def tables(run):
    return [r[0] for r in run("select oid::regclass::text from pg_class where relkind in ('r', 'p') "
                              "and relnamespace = 'public'::regnamespace and not relispartition")]


def fill(p, source, more=""):
    """The rows are on the source; the tables too on the target where pg_dump is too old."""
    p.sql(SETUP + MORE_SETUP + more)
    if source <= CLIENTS:
        return "yes"
    p.target_sql(SETUP + MORE_SETUP + more)
    p.target_sql("truncate " + ", ".join(tables(p.target_sql)))
    return "no"


@pytest.mark.parametrize("source,target", PAIRS)
def test_copy_and_stream(pair_of, culvert, source, target):
    p = pair_of(source, target)
    c = culvert(p.config(tables={"create": fill(p, source)}), p.name).start()
    c.wait(lag=0)
    assert c.status()["source"]["server_version"].startswith(str(source))
    assert c.status()["target"]["server_version"].startswith(str(target))
    assert compare(p.source, p.target, p.name) > 1000

    p.sql(CHANGES)
    c.wait(lag=0)
    assert p.target_sql("select v from emptied") == [("after",)]
    assert p.target_sql("select count(*) from plain where id = 3002") == [(1,)]

    before = compare(p.source, p.target, p.name)
    p.sql("insert into plain select g, 'burst' from generate_series(10000, 30000) g")
    c.kill9()
    p.sql("update plain set n = 1 where id >= 10000; insert into nokey values ('dead', 1, 2, '{}')")
    c.start().wait(lag=0)
    assert compare(p.source, p.target, p.name) == before + 20001 + 1
    c.stop()


def grant(p, side, server):
    """The role's SQL under conf/, by the only psql there is."""
    r = subprocess.run([os.path.join(servers.BIN, "psql"), "-X", "-d", server.uri("postgres"),
                        "-v", "role=cvt", "-v", f"database={p.name}", "-v", "schemas=public",
                        "-f", os.path.join(CONF, f"postgresql-{side}.sql")],
                       text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert r.returncode == 0, r.stdout


@pytest.mark.parametrize("version", OTHERS)
def test_least_privilege_roles(pair_of, culvert, version):
    p = pair_of(version, version)
    for run in (p.sql, p.target_sql):
        run(SETUP + MORE_SETUP)
    p.target_sql("truncate " + ", ".join(tables(p.target_sql)))
    grant(p, "source", p.source)
    grant(p, "target", p.target)
    c = culvert(p.config("cvt", tables={"create": "no"}), p.name).start()
    c.wait(lag=0)
    p.sql(CHANGES)
    c.wait(lag=0)
    assert compare(p.source, p.target, p.name) > 1000
    assert ("may not set session_replication_role" in c.log_text()) == (version < 15)
    c.stop()


@pytest.mark.parametrize("source", [v for v in OTHERS if v > CLIENTS])
def test_an_old_pg_dump_is_named(pair_of, culvert, source):
    p = pair_of(source, HOUSE)
    p.sql("create table t (id int primary key); insert into t values (1)")
    c = culvert(p.config(), p.name).start()
    error = c.wait_error("tables.pg_dump")
    assert f"version {CLIENTS}" in error["message"] and f"version {source}" in error["message"]
    assert error["class"] == "config"
    assert tables(p.target_sql) == []


def test_virtual_generated_columns(pair_of, culvert):
    """New in 18, and the default there."""
    p = pair_of(18, 18)
    fill(p, 18, "create table calc (id int primary key, a int, twice int generated always as (a * 2));"
                "insert into calc values (1, 1), (2, 2)")
    c = culvert(p.config(tables={"create": "no"}), p.name).start()
    c.wait(lag=0)
    p.sql("insert into calc values (3, 3); update calc set a = 20 where id = 2; "
          "delete from calc where id = 1")
    c.wait(lag=0)
    compare(p.source, p.target, p.name)
    assert p.target_sql("select id, twice from calc order by 1") == [(2, 40), (3, 6)]


def test_slot_idle_for_too_long(pair_of, culvert):
    """PostgreSQL 18 gives up a slot that nothing is connected to; a pipeline whose target is down
    sees it coming, and says that it has happened. With a queue on disk it would stay connected."""
    p = pair_of(18, HOUSE)
    fill(p, 18)
    c = culvert(p.config(source={"heartbeat": "1s"}, tables={"create": "no"}, queue={"disk": "0"}), p.name).start()
    c.wait(lag=0)
    assert c.status()["retention"]["hours_left"] is None
    p.source.setting("idle_replication_slot_timeout", "'30s'")
    p.target.stop()
    try:
        left = until(lambda: c.status()["retention"]["hours_left"], 60, "a forecast")
        assert 0 < left * 3600 <= 30
        until(lambda: "(its idle_replication_slot_timeout)" in c.log_text(), 60, "the warning")

        def invalidated():
            p.sql("checkpoint")
            return p.sql("select invalidation_reason from pg_replication_slots where database = "
                         "current_database()") == [("idle_timeout",)]
        until(invalidated, 60, "the end of the slot", every=1)
        assert "idle_replication_slot_timeout" in c.wait_error("resync required")["message"]
    finally:
        p.source.setting("idle_replication_slot_timeout", "0")
        p.target.start()


@pytest.mark.parametrize("version", OTHERS)
def test_plan_and_watch_ask_what_the_version_has(pair_of, culvert, version):
    p = pair_of(version, HOUSE)
    create = fill(p, version)
    p.source.setting("max_slot_wal_keep_size", "'1GB'")
    try:
        c = culvert(p.config(source={"heartbeat": "1s"}, tables={"create": create}), p.name)
        assert "lets a slot keep 1024 MiB" in c.ctl("plan", "-c", c.path).stdout
        c.start().wait(lag=0)
        until(lambda: "culvert_retention_used_ratio{" in c.ctl("metrics").stdout, 30, "the watch")
        assert c.ctl("status", "--check", check=False).returncode == 0
        c.stop()
    finally:
        p.source.setting("max_slot_wal_keep_size", "-1")


class Failover:
    """A primary with a standby that synchronises its slots. Writers and culvert go to the standby when
    the primary is gone; `both`: the URI has had both from the beginning."""

    def __init__(self, folder, culvert, version, target, both=False, guarded=True, crossing=False):
        self.name = f"failover{next(COUNT)}"
        self.primary = servers.Postgres(folder, self.name + "p", binaries(version)).start()
        self.standby = self.primary.standby(self.name + "s", "mirror", hot_standby_feedback="on",
                                            sync_replication_slots="on").start()
        if guarded:
            self.primary.setting("synchronized_standby_slots", "'mirror'")
        self.crossing = crossing
        self.pair = (Cross if crossing else Pair)(self.primary, target, self.name)
        config = self.pair.config(tables={"create": self.fill(version)})
        if both:
            config["source"]["uri"] = (
                f"postgresql://postgres@127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}/"
                f"{self.name}?target_session_attrs=read-write")
        self.culvert = culvert(config, self.name).start()
        self.culvert.wait(lag=0)

    def fill(self, version):
        if not self.crossing:
            return fill(self.pair, version)
        self.pair.sql("create table plain (id int primary key, v text);"
                      "insert into plain select g, 'x' from generate_series(1, 100) g")
        return "yes"

    def slot_is_synchronised(self):
        """The standby's slot is there for good. It is brought up to date now and then, by what is written."""
        self.pair.sql("select pg_log_standby_snapshot()")
        return self.standby.run("select 1 from pg_replication_slots where slot_name = %s and synced and "
                                "not temporary and invalidation_reason is null", "culvert_" + self.name)

    def standby_has_all(self):
        end = self.primary.run("select pg_current_wal_lsn()")[0][0]
        until(lambda: self.standby.run("select pg_last_wal_replay_lsn() >= %s", end)[0][0], 30, end)

    def go_over(self):
        """The standby takes the crashed primary's place."""
        self.primary.kill9()
        self.standby.promote()
        self.pair.source = self.standby
        self.culvert.config["source"]["uri"] = self.culvert.config["source"]["uri"].replace(
            str(self.primary.port), str(self.standby.port))

    def same(self):
        self.culvert.wait(lag=0)
        return (self.pair.compare() if self.crossing else
                compare(self.pair.source, self.pair.target, self.name))

    def destroy(self):
        self.culvert.destroy()
        try:
            self.pair.drop()
        finally:
            self.standby.destroy()
            self.primary.destroy()


@pytest.fixture
def failover(folder, culvert, server):
    made = []

    def make(version, **how):
        target = how.pop("target", None) or server(HOUSE, "dst")
        made.append(Failover(folder, culvert, version, target, **how))
        return made[-1]

    yield make
    for f in made:
        f.destroy()


SYNCHRONISING = [v for v in OTHERS if v >= 17]


@pytest.mark.parametrize("version", SYNCHRONISING)
def test_failover_to_a_standby(failover, version):
    """The URI has both; culvert streams when the primary crashes, and goes on by itself."""
    f = failover(version, both=True)
    until(f.slot_is_synchronised, 60, "the slot on the standby", every=1)
    f.pair.sql(CHANGES)
    f.same()
    f.pair.sql("insert into plain select g, 'late' from generate_series(10000, 12000) g")
    f.standby_has_all()
    f.go_over()
    f.pair.sql("update plain set v = 'new primary' where id between 10000 and 10100; "
               "insert into plain values (20000, 'new primary'); delete from plain where id = 12000")
    before = f.same()
    assert f.pair.target_sql("select count(*) from plain where id >= 10000") == [(2001,)]
    assert "is a promoted standby: it was on timeline 1, it is on timeline 2" in f.culvert.log_text()
    f.culvert.kill9()
    f.pair.sql("insert into plain values (20001, 'after the kill')")
    f.culvert.start()
    assert f.same() == before + 1
    assert f.culvert.log_text().count("is a promoted standby") == 1


def test_failover_while_it_was_away(failover):
    """The URI is changed, and what was written on both timelines comes once."""
    f = failover(SYNCHRONISING[0])
    until(f.slot_is_synchronised, 60, "the slot on the standby", every=1)
    f.culvert.terminate()
    f.pair.sql(CHANGES)
    f.standby_has_all()
    f.go_over()
    f.pair.sql("insert into plain values (20000, 'new primary')")
    f.culvert.write()
    f.culvert.start()
    f.same()
    assert f.pair.target_sql("select v from plain where id = 20000") == [("new primary",)]


def test_failover_with_a_target_of_another_engine(failover, my_target):
    f = failover(SYNCHRONISING[-1], target=my_target, crossing=True)
    until(f.slot_is_synchronised, 60, "the slot on the standby", every=1)
    f.pair.sql("insert into plain values (200, 'old')")
    f.same()
    f.standby_has_all()
    f.culvert.terminate()
    f.go_over()
    f.culvert.write()
    f.culvert.start()
    f.pair.sql("insert into plain values (201, 'new')")
    f.same()
    assert list(f.pair.target_sql("select id from plain where id > 100 order by 1")) == [(200,), (201,)]
    f.culvert.kill9()
    f.pair.sql("delete from plain where id = 1")
    f.culvert.start()
    f.same()


def test_a_standby_is_waited_for(failover):
    f = failover(SYNCHRONISING[-1])
    until(f.slot_is_synchronised, 60, "the slot on the standby", every=1)
    f.culvert.terminate()
    primary = f.culvert.config["source"]["uri"]
    f.culvert.config["source"]["uri"] = primary.replace(str(f.primary.port), str(f.standby.port))
    f.culvert.write()
    f.culvert.start()
    until(lambda: "the server is a standby" in str(f.culvert.status()["error"]), 30, "the reason")
    f.culvert.config["source"]["uri"] = primary
    f.go_over()
    f.pair.sql("insert into plain values (20000, 'promoted')")
    f.same()


def test_failover_behind_the_target(failover):
    """An asynchronous standby has not what the target has: no way on, and nothing of the new primary
    is applied."""
    f = failover(SYNCHRONISING[0], guarded=False)
    until(f.slot_is_synchronised, 60, "the slot on the standby", every=1)
    f.standby.run("select pg_wal_replay_pause()")
    f.standby.stop("immediate")
    f.pair.sql("insert into plain values (20000, 'old primary only')")
    f.culvert.wait(lag=0)
    f.culvert.terminate()
    f.primary.kill9()
    f.standby.start()
    f.standby.promote()
    f.pair.source = f.standby
    f.culvert.config["source"]["uri"] = f.culvert.config["source"]["uri"].replace(
        str(f.primary.port), str(f.standby.port))
    f.culvert.write()
    f.pair.sql("insert into plain values (30000, 'new primary only')")
    f.culvert.start()
    error = f.culvert.wait_error("resync required: the source is a promoted standby")
    assert "is ahead of that" in error["message"] and error["class"] == "data"
    assert f.pair.target_sql("select id from plain where id >= 20000") == [(20000,)]


def test_a_slot_from_before_is_kept_on_standbys(pair_of, culvert):
    """An older culvert made it without `failover`."""
    p = pair_of(17, HOUSE)
    c = culvert(p.config(tables={"create": fill(p, 17)}), p.name).start()
    c.wait(lag=0)
    slot = "select failover from pg_replication_slots where database = current_database()"
    assert p.sql(slot) == [(True,)]
    c.terminate()
    made = psycopg2.connect(p.source.uri(p.name), connection_factory=LogicalReplicationConnection)
    with made.cursor() as cursor:
        cursor.execute(f"ALTER_REPLICATION_SLOT culvert_{p.name} (FAILOVER false)")
    made.close()
    assert p.sql(slot) == [(False,)]
    c.start().wait(lag=0)
    assert p.sql(slot) == [(True,)]
    c.stop()
