"""MySQL 9.7 as source and as target, with PostgreSQL, MariaDB and itself on the other side. The
server comes from tests/tools/mysql; CULVERT_MYSQL names its folder."""
import os
import re

import pytest

from harness.servers import Postgres
from harness.servers_my import MariaDB, MySQL
from harness.until import until
from integration import test_archive as archive
from integration import test_my_definitions_from_pg as definitions
from integration import test_my_exactly_once as bank_test
from integration import test_cutover as cutting
from integration import test_my_fence as fencing
from integration import test_my_stream as stream
from integration import test_my_xa as xa
from integration import test_overwrite as overwriting
from integration import test_quarantine as quarantine
from integration import test_repair as repairing
from integration import test_silence as silence
from integration import test_my_types as types
from integration import test_verify as verification
from integration import test_verify_checks as checks
from integration import test_verify_continuous as continuous
from integration import test_my_values as values
from integration import test_my_versioned as versioned
from integration.conftest import Cross, is_my
from integration.my_types import TYPES
from integration.test_my_types import move, run_all

pytestmark = pytest.mark.skipif(not MySQL.available(), reason="no CULVERT_MYSQL")
KINDS = {"mysql": MySQL, "maria": MariaDB, "pg": Postgres}
DIRECTIONS = ["mysql-pg", "pg-mysql", "mysql-mysql", "maria-mysql", "mysql-maria"]
COUNT = [0]


@pytest.fixture(scope="session")
def server(folder):
    """server(kind, side): a running server, kept for the other tests of this session."""
    running = {}

    def get(kind, side):
        if (kind, side) not in running:
            running[kind, side] = KINDS[kind](folder, f"{side}{kind}").start()
        return running[kind, side]

    yield get
    for s in running.values():
        s.destroy()


@pytest.fixture
def make(server):
    """make("mysql-pg"): an empty database on each."""
    made = []

    def one(direction):
        source, target = direction.split("-")
        COUNT[0] += 1
        c = Cross(server(source, "s"), server(target, "d"), f"m{COUNT[0]}")
        c.direction = direction
        made.append(c)
        return c

    yield one
    for c in made:
        c.drop()


def fill(cross, text):
    """Without MariaDB's sequence engine: its rows from a recursive query."""
    if getattr(cross.source, "engine", "") != "mysql":
        return cross.sql(text["my" if is_my(cross.source) else "pg"])
    rows = "(with recursive s(seq) as (select 1 union all select seq + 1 from s where seq < {}) select seq from s) q"
    return cross.sql(re.sub(r"seq_1_to_(\d+)", lambda m: rows.format(m[1]), text["my"]))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_copy_stream_and_kill(make, culvert, direction):
    cross = make(direction)
    fill(cross, stream.SETUP)
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    kinds = {s: getattr(getattr(cross, s), "engine", "postgresql") for s in ("source", "target")}
    status = c.status()
    assert {s: status[s]["kind"] for s in kinds} == kinds
    if kinds["source"] == "mysql":
        assert status["source"]["server_version"].startswith("9.")
    cross.sql("insert into plain values (2000, 'é😀', -0.01), (2001, '', null)")
    cross.sql("update plain set v = 'changed' where id <= 10; update plain set id = -id where id between 20 and 25; "
              "delete from plain where id between 30 and 40; begin; insert into plain (id) values (3000); savepoint a; "
              "insert into plain (id) values (3001); rollback to savepoint a; commit")
    c.kill9()
    cross.sql("truncate table composite; insert into composite values (9, 'x', 'after'); update byindex set code = 'uno'"
              " where id = 1")
    c.start()
    c.wait(lag=0)
    assert cross.compare() > 900
    c.stop()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_exactly_once(make, culvert, direction):
    bank = make(direction)
    fill(bank, bank_test.SETUP)
    c = culvert(bank.least()).start()
    bank_test.kill_loop(bank, c, 3)
    with bank_test.Writer(bank.source, bank.name) as w:
        w.more(50)
        bank.source.restart("immediate")
        w.more(50)
        bank.target.restart("immediate")
        w.more(50)
    bank_test.equal(bank, c)
    c.stop()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_archives(folder, make, culvert, direction):
    cross = make(direction)
    archive.there_and_back(cross, culvert, os.path.join(folder, "archive-" + cross.name), fill)


@pytest.mark.parametrize("direction", ["mysql-pg", "mysql-mysql"])
def test_all_types(make, culvert, direction):
    cross = make(direction)
    move(cross, culvert, TYPES)


@pytest.mark.parametrize("direction", ["mysql-mysql", "maria-mysql", "mysql-maria"])
def test_index_0_of_enums(make, culvert, direction):
    cross = make(direction)
    cross.sql(values.ENUMS)
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    values.same_indexes(cross)
    for change in values.ENUM_CHANGES:
        cross.sql("set sql_mode = ''; " + change)
    c.wait(lag=0)
    values.same_indexes(cross)


@pytest.mark.parametrize("direction", ["mysql-mysql", "maria-mysql", "mysql-maria"])
def test_empty_members_of_enums(make, culvert, direction):
    """MySQL takes index 0 in no way where digits have two bytes."""
    values.empty_members(make(direction), culvert, "gbk")


@pytest.mark.parametrize("direction", ["mysql-mysql", "mysql-pg", "mysql-maria"])
def test_characters_of_four_bytes_in_members(make, culvert, direction):
    cross = make(direction)
    cross.sql(types.FOUR_BYTES)
    types.fill_four_bytes(cross, 1)
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    types.fill_four_bytes(cross, 11)
    c.wait(lag=0)
    assert cross.compare() == 8


@pytest.mark.parametrize("direction", ["mysql-mysql", "mysql-pg", "maria-mysql"])
def test_defaults_of_four_bytes_of_an_empty_table(make, culvert, direction):
    """Its own CREATE TABLE tells them."""
    types.defaults_of_an_empty_table(make(direction), culvert, exact=direction == "mysql-mysql")


def test_system_versioned_tables_of_mariadb(make, culvert):
    cross = make("maria-mysql")
    tables = ("e", "i", "w", "p")
    cross.sql("; ".join(versioned.TABLES[t].format(t) for t in tables))
    for t in tables:
        for change in versioned.history(t, 100):
            cross.sql(change)
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    for t in tables:
        for change in versioned.history(t, 200):
            cross.sql(change)
    c.wait(lag=0)
    names = {(cross.name, "e"): (cross.name, "e", {n: n for n in ("id", "v", "b")})}
    assert cross.compare(names=names) == 4 * len(cross.sql("select id from i"))


def test_json_changed_in_part(make, culvert):
    """binlog_row_value_options=PARTIAL_JSON logs what changed within a document."""
    cross = make("mysql-pg")
    cross.sql("create table j (id int primary key, v json); insert into j values (1, '{\"a\": 1, \"b\": [1, 2, 3]}'), (2, '{}')")
    cross.source.setting("binlog_row_value_options", "PARTIAL_JSON")
    try:
        c = culvert(cross.config(), cross.name).start()
        if c.ctl("wait", "--lag", "0", "--timeout", "60", check=False).returncode:
            assert "PARTIAL_JSON" in c.status()["error"]["message"].upper()
            return
        cross.sql("update j set v = json_set(v, '$.a', 2, '$.b[1]', 'x')")
        if c.ctl("wait", "--lag", "0", "--timeout", "60", check=False).returncode:
            assert c.status()["error"]["class"] == "data" and "json" in c.status()["error"]["message"].lower()
        else:
            assert cross.compare() == 2
    finally:
        cross.source.setting("binlog_row_value_options", "''")


@pytest.mark.parametrize("direction", ["mysql-pg", "mysql-mysql"])
def test_compressed_transactions(make, culvert, direction):
    cross = make(direction)
    cross.sql("create table t (id int primary key, v text); insert into t values (1, 'one')")
    cross.source.setting("binlog_transaction_compression", "ON")
    try:
        c = culvert(cross.config(), cross.name).start()
        c.wait(lag=0)
        cross.sql("begin; insert into t values (2, repeat('compress ', 5000)), (3, ''); update t set v = 'x' where id = 1; commit")
        c.wait(lag=0)
        assert cross.compare() == 3
    finally:
        cross.source.setting("binlog_transaction_compression", "OFF")


@pytest.mark.parametrize("gtids", ["ON", "OFF"])
def test_with_and_without_gtids(folder, make, culvert, gtids):
    source = MySQL(folder, f"g{gtids}", gtid_mode=gtids, enforce_gtid_consistency=gtids).start()
    cross = Cross(source, make("mysql-pg").target, f"gtid{gtids.lower()}")
    cross.direction = "mysql-pg"
    try:
        cross.sql("create table t (id int primary key, v text); insert into t values (1, 'one')")
        c = culvert(cross.config(), cross.name).start()
        c.wait(lag=0)
        cross.sql("insert into t values (2, 'two')")
        c.kill9()
        source.run("flush binary logs")
        cross.sql("insert into t values (3, 'three')")
        c.start()
        c.wait(lag=0)
        assert cross.compare() == 3
        c.destroy()
    finally:
        cross.drop()
        source.destroy()


@pytest.mark.parametrize("direction", ["mysql-pg", "mysql-maria"])
def test_xa(make, culvert, direction):
    cross = make(direction)
    cross.sql(xa.SETUP)
    cross.culvert = culvert(cross.least())
    try:
        xa.before_the_copy(cross, another=False)
        cross.sql("delete from t where id > 1")
        xa.test_commit_in_another_session(cross)
        cross.sql("delete from t where id > 1")
        xa.test_over_restarts(cross, "kill9")
    finally:
        cross.source.end_prepared()


VECTORS = "create table t (id int primary key, v vector(3)); create table bare (v vector(3), n int); " \
          "create table big (id int primary key, v vector(2000) not null); create table uneven (id int primary key, v vector)"
VECTOR_ROWS = ["insert into t values ({0}, to_vector('[0.1,-2,3e30]')), ({0} + 1, null), ({0} + 2, x'0000008001000000')",
               "insert into t values ({0} + 3, x'00275c0d0a09c33f80ff4140'), ({0} + 4, to_vector('[1,2,3]'))",
               "insert into bare values (to_vector('[1,2]'), {0}), (to_vector('[1,2]'), {0}), (null, {0}), (x'00275c0d', {0})",
               "insert into big select {0}, unhex(repeat('cdcc4c3e', 2000))", "insert into uneven values ({0}, to_vector('[1]'))"]
VECTOR_CHANGES = ["update t set v = to_vector('[9,9]') where id in (1, 2)", "update t set v = null where id = 3",
                  "delete from t where id = 4", "update t set id = -5 where id = 5", "delete from bare limit 1",
                  "update bare set v = x'5c275c27' where v is null", "delete from bare where hex(v) = '00275C0D' and n = 1",
                  "update big set v = to_vector('[1]')"]


def test_vectors(make, culvert):
    """Their bytes, by copy and by stream."""
    cross = make("mysql-mysql")
    cross.sql(VECTORS)
    run_all(cross.source, cross.name, [s.format(1) for s in VECTOR_ROWS])
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    assert cross.compare() == 11
    run_all(cross.source, cross.name, [s.format(11) for s in VECTOR_ROWS] + VECTOR_CHANGES)
    c.wait(lag=0)
    assert cross.compare() == 19


@pytest.mark.parametrize("direction,other", [("mysql-pg", "PostgreSQL"), ("mysql-maria", "MariaDB")])
def test_vectors_have_no_place_elsewhere(make, culvert, direction, other):
    """Refused by name before anything is copied; without the column the rest goes on. One that
    comes later, too."""
    cross = make(direction)
    cross.sql("create table t (id int primary key, v vector(3)); insert into t values (1, to_vector('[1,2,3]'))")
    c = culvert(cross.config()).start()
    error = c.wait_error("vector(3)")
    assert error["class"] == "config" and cross.qualified("t") in error["message"] and other in error["message"]
    c.terminate()
    c.config[f"table {cross.qualified('t')}"] = {"columns.exclude": "v"}
    c.write()
    c.start()
    c.wait(lag=0)
    cross.sql("insert into t values (2, to_vector('[1,2,3]')); update t set v = null where id = 1; insert into t (id) values (3)")
    c.wait(lag=0)
    assert cross.target_sql("select id from t order by id") == [(1,), (2,), (3,)]


def test_invisible_primary_key(make, culvert):
    """sql_generate_invisible_primary_key: a column that select * does not show and the log has."""
    cross = make("mysql-pg")
    cross.sql("set session sql_generate_invisible_primary_key = on; create table t (v text); insert into t values ('x'), ('x')")
    c = culvert(cross.config(), cross.name).start()
    c.wait(lag=0)
    cross.sql("update t set v = 'y' limit 1; insert into t values ('z')")
    c.wait(lag=0)
    assert cross.compare() == 3


@pytest.mark.parametrize("target", ["pg", "mysql"])
def test_failover(folder, make, culvert, target):
    """A replica takes the source's place; GTIDs, also tagged ones, prove that it has the same."""
    a, b = (MySQL(folder, f"f{side}{target}").start() for side in "ab")
    cross = Cross(a, make(f"mysql-{target}").target, f"over{target}")
    cross.direction = f"mysql-{target}"

    def replicate(source, replica):
        replica.run(f"stop replica; change replication source to source_host = '127.0.0.1', source_port = {source.port}, "
                    "source_user = 'root', source_auto_position = 1, get_source_public_key = 1; start replica")

    def catch_up(source, replica):
        done = source.run("select @@global.gtid_executed")[0][0]
        assert replica.run("select wait_for_executed_gtid_set(%s, 30)", done) == [(0,)], replica.run("show replica status")

    def write(server, first):
        for i in range(first, first + 10):
            server.run(f"insert into t values ({i}, 'x'); insert into bare values ({i})", db=cross.name)
            server.run(f"set gtid_next = 'AUTOMATIC:tag{i % 3}'; insert into bare values (-{i})", db=cross.name)

    def same(server):
        c.wait(lag=0)
        sql = "select v from bare order by 1"
        assert list(server.run(sql, db=cross.name)) == list(cross.target.run(sql, db=cross.name))

    def go(server):
        c.config["source"]["uri"] = server.uri(cross.name)
        c.write()
        c.start()

    try:
        replicate(a, b)
        cross.sql("create table t (id int primary key, v text); create table bare (v int)")
        c = culvert(cross.config(), cross.name).start()
        c.wait(lag=0)
        write(a, 10)
        same(a)
        c.terminate()
        write(a, 30)
        catch_up(a, b)
        b.run("stop replica; reset replica all")
        write(b, 50)
        go(b)
        same(b)
        c.kill9()
        write(b, 70)
        c.start()
        same(b)
        c.terminate()
        go(a)  # it was not made a replica: it lacks what b wrote since
        error = c.wait_error("resync required")
        assert "lacks" in error["message"] and b.run("select @@server_uuid")[0][0] in error["message"]
        c.destroy()
    finally:
        cross.drop()
        a.destroy()
        b.destroy()


def test_retention(make, culvert):
    """Expiry, seen coming, until purging is switched off; then a file that is gone before it is
    acknowledged."""
    cross = make("mysql-pg")
    cross.sql("create table t (id int primary key, v text); insert into t values (1, 'one')")
    cross.source.setting("binlog_expire_logs_seconds", 60)
    c = culvert(cross.least(source={"heartbeat": "1s"})).start()
    c.wait(lag=0)
    c.ctl("pause")
    cross.sql("insert into t values (2, 'waits')")
    until(lambda: c.status()["lag"]["transactions"], 30, "the change to be read")
    cross.source.run("flush binary logs")
    assert 0 < until(lambda: c.status()["retention"]["hours_left"], 60, "a forecast") * 3600 <= 30
    until(lambda: "(its binlog_expire_logs_seconds)" in c.log_text(), 30, "the warning")
    cross.source.setting("binlog_expire_logs_auto_purge", 0)
    until(lambda: "fine again" in c.log_text(), 30, "the end of the warning")
    assert c.status()["retention"]["hours_left"] is None

    last = cross.source.binlogs()[-1]

    def purged():
        cross.source.run(f"purge binary logs to '{last}'")
        return cross.source.binlogs()[0] == last
    until(purged, 30, "the end of older files")
    until(lambda: "a restart will not find the rest" in c.log_text(), 30, "the loss")
    assert c.ctl("status", "--check", check=False).returncode == 2
    c.ctl("resume")
    c.wait(lag=0)
    until(lambda: c.ctl("status", "--check", check=False).returncode == 0, 30, "health")
    assert cross.compare() == 2
    c.stop()
    cross.source.setting("binlog_expire_logs_auto_purge", 1)
    cross.source.setting("binlog_expire_logs_seconds", 2592000)


def test_definitions_of_postgresql(make, culvert):
    """As test_my_definitions_from_pg.py has it for MariaDB; there are indexes on expressions."""
    cross = make("pg-mysql")
    cross.sql(definitions.SETUP)
    c = culvert(cross.config())
    definitions.says(c, cross, definitions.OF_MYSQL)
    definitions.moves(c, cross)
    assert definitions.indexes(cross, "par") == {"PRIMARY", "par_v_key", "par_sum", "par_desc"}
    with pytest.raises(Exception, match="Duplicate entry"):
        cross.target_sql("insert into par values (9, 1, 1)")


@pytest.mark.parametrize("direction", ["pg-mysql", "mysql-mysql"])
def test_quarantine(make, culvert, direction):
    """What MySQL refuses, under numbers of its own; kills on the way."""
    quarantine.test_kill_at_any_moment(make(direction), culvert)


@pytest.mark.parametrize("direction", ["pg-mysql", "mysql-mysql"])
def test_quarantine_and_values(make, culvert, direction):
    quarantine.test_values_come_back_exactly(make(direction), culvert)


@pytest.mark.parametrize("direction", ["pg-mysql", "mysql-mysql"])
def test_values_without_a_place(make, culvert, direction):
    quarantine.test_values_without_a_place_wait(make(direction), culvert)


@pytest.mark.parametrize("direction", ["pg-mysql", "mysql-mysql"])
def test_rows_of_the_copy_that_wait(make, culvert, direction):
    quarantine.test_rows_of_the_copy_wait(make(direction), culvert)


@pytest.mark.parametrize("direction", ["pg-mysql", "mysql-mysql"])
def test_overwriting(make, culvert, direction):
    overwriting.test_the_source_wins(make(direction), culvert)


@pytest.mark.parametrize("direction", ["pg-mysql", "mysql-mysql"])
def test_silence(make, culvert, direction):
    both = make(direction)
    silence.test_a_lock_is_waited_for(both, culvert)


@pytest.mark.parametrize("direction", ["pg-mysql", "mysql-mysql"])
def test_bytes_that_nobody_delivers(make, culvert, direction):
    silence.test_bytes_that_nobody_delivers(make(direction), culvert)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_verification(make, culvert, direction):
    verification.test_damage_is_found_and_named(make(direction), culvert)


@pytest.mark.parametrize("direction", ["mysql-pg", "pg-mysql", "mysql-mysql"])
def test_verification_of_all_kinds_of_tables(make, culvert, direction):
    verification.test_kinds_of_tables(make(direction), culvert)


@pytest.mark.parametrize("direction", ["mysql-pg", "pg-mysql", "maria-mysql"])
def test_queries_of_the_operator(make, culvert, direction):
    checks.test_what_is_the_same(make(direction), culvert)


@pytest.mark.parametrize("direction", ["mysql-pg", "mysql-mysql"])
def test_queries_that_do_harm(make, culvert, direction):
    checks.test_queries_that_do_harm(make(direction), culvert)


@pytest.mark.parametrize("direction", ["mysql-pg", "pg-mysql", "mysql-mysql"])
def test_continuous_verification(make, culvert, direction):
    continuous.test_what_changes_is_compared_again(make(direction), culvert)


@pytest.mark.parametrize("direction", ["mysql-pg", "pg-mysql"])
def test_values_are_shown(make, culvert, direction):
    verification.test_values_are_shown_on_demand(make(direction), culvert)


@pytest.mark.parametrize("direction", ["mysql-pg", "pg-mysql", "mysql-mysql"])
def test_repair(make, culvert, direction):
    repairing.test_damage_is_mended(make(direction), culvert)


@pytest.mark.parametrize("direction", ["mysql-pg", "pg-mysql", "mysql-mysql"])
def test_repair_of_all_kinds_of_tables(make, culvert, direction):
    repairing.test_kinds_of_tables(make(direction), culvert)


@pytest.mark.parametrize("story", [cutting.test_there_and_back, cutting.test_no_write_is_lost,
                                   cutting.test_open_transaction_at_the_fence],
                         ids=lambda story: story.__name__)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_cutover(make, culvert, direction, story):
    cross = make(direction)
    shop = cutting.dress(cross, lambda config: culvert(config, name=cross.name))
    try:
        story(cutting.make_ready(shop))
    finally:
        cutting.undress(shop)


@pytest.mark.parametrize("story", [fencing.nobody_writes, fencing.open_writer, fencing.open_in_vain, fencing.prepared,
                                   fencing.events, fencing.lifted, fencing.checked, fencing.acknowledged,
                                   fencing.stream_goes_on],
                         ids=lambda story: story.__name__)
def test_the_fence(make, culvert, story):
    shop = fencing.Shop(make("mysql-pg"), culvert)
    try:
        story(shop)
    finally:
        shop.server.end_prepared()
        shop.clean()


def test_the_fence_killed_between_any_two_statements(make, culvert, faults):
    shop = fencing.Shop(make("mysql-pg"), culvert)
    shop.config.config["source"]["uri"] += "?ssl-mode=DISABLED"  # what goes out by OpenSSL is not counted
    shop.config.write()
    try:
        fencing.kill_everywhere(shop, faults)
    finally:
        shop.clean()
