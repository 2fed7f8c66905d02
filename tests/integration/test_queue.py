"""The queue on disk: while the target is slow or away, what the source may forget, and what is there
after the process died."""
import os
import shutil
import threading

import pytest

from harness.compare import compare
from harness.proxy import Proxy
from harness.until import until
from integration.conftest import make_cross
from integration.test_exactly_once import SETUP, Writer

# Values that zstd cannot make small: what is on disk is measured.
ROW = ("insert into entry (account, amount) select (random() * 199)::int + 1, (random() * 1e18)::bigint "
       "from generate_series(1, {n})")

LONG = pytest.mark.long


@pytest.fixture
def shop(pair, culvert):
    """shop.start(acknowledge="queued", ...): culvert reaches the target through a proxy."""
    pair.sql(SETUP)
    pair.proxy = Proxy(pair.target.port)

    def start(**queue):
        pair.culvert = culvert(pair.least(target_port=pair.proxy.port, queue=queue)).start()
        pair.culvert.wait(lag=0)
        return pair

    pair.start = start
    return pair


def same(shop):
    shop.culvert.wait(lag=0, timeout=150)
    n = compare(shop.source, shop.target, shop.name)
    assert shop.target_sql("select sum(balance) from account") == shop.sql("select sum(balance) from account")
    return n


def confirmed(shop):
    return shop.source.run("select confirmed_flush_lsn from pg_replication_slots where slot_name = 'culvert_shop'")[0][0]


def behind(shop):
    """WAL that the source keeps for us, in bytes."""
    return int(shop.source.run("select pg_current_wal_lsn() - confirmed_flush_lsn from pg_replication_slots "
                               "where slot_name = 'culvert_shop'")[0][0])


def disk(shop):
    return shop.culvert.status()["queue"]["disk_bytes"]


def segments(shop):
    folder = os.path.join(shop.culvert.folder, "state", "queue")
    return sorted(f for f in os.listdir(folder) if f.endswith(".segment"))


def away(shop):
    shop.proxy.refusing = True
    shop.proxy.cut()


def back(shop):
    shop.proxy.refusing = False


@LONG
def test_target_away(shop):
    """The source forgets what is on disk here, and nothing is lost or doubled when the target is back."""
    shop.start(acknowledge="queued")
    with Writer(shop.source, shop.name) as w:
        w.more(20)
        away(shop)
        w.more(50)
        until(lambda: disk(shop) > 0, 60, "a queue on disk")
        shop.sql(ROW.format(n=20000))
        end = shop.source.run("select pg_current_wal_lsn()")[0][0]
        until(lambda: shop.source.run("select %s::pg_lsn <= confirmed_flush_lsn from pg_replication_slots "
                                      "where slot_name = 'culvert_shop'", end)[0][0], 60, "an acknowledgement")
        status = shop.culvert.status()
        assert status["lag"]["transactions"] > 0 and status["error"]["class"] == "retry"
        back(shop)
        w.more(50)
    assert same(shop) > 20200
    assert shop.culvert.status()["error"] is None and "connected again" in shop.culvert.log_text()


@pytest.mark.parametrize("policy", [pytest.param("applied", marks=LONG), "queued", pytest.param("auto", marks=LONG)])
def test_killed_while_the_target_is_away(shop, policy):
    shop.start(acknowledge=policy)
    with Writer(shop.source, shop.name) as w:
        w.more(20)
        away(shop)
        until(lambda: "kept on disk" in shop.culvert.log_text(), 60, "the source is read on")
        w.more(50)
        shop.culvert.kill9()
        w.more(10)
        back(shop)
        shop.culvert.start()
        w.more(30)
        shop.culvert.kill9()
        shop.culvert.start()
        w.more(10)
    same(shop)


def lock(shop, table="entry"):
    c = shop.target.connect(shop.name, autocommit=False)
    c.cursor().execute(f"lock table {table} in share mode")
    return c


@LONG
def test_what_was_found_is_not_acknowledged_under_applied(shop):
    """The queue of the process before is on disk, and of no concern to the source."""
    shop.start(acknowledge="applied")
    away(shop)
    until(lambda: "kept on disk" in shop.culvert.log_text(), 60, "the source is read on")
    before = confirmed(shop)
    shop.sql(ROW.format(n=1000))
    until(lambda: shop.culvert.status()["queue"]["transactions"] > 0, 30, "a queue")
    shop.culvert.kill9()
    back(shop)
    lock_holder = lock(shop)
    shop.culvert.start()
    until(lambda: shop.culvert.status()["source"]["connected"], 60, "the stream")
    now = shop.source.run("select now()")[0][0]
    until(lambda: shop.source.run("select count(*) from pg_stat_replication where reply_time > %s", now)[0][0], 60,
          "word from culvert")
    assert confirmed(shop) == before
    lock_holder.close()
    assert same(shop) == 1200


@LONG
@pytest.mark.parametrize("policy", ["applied", pytest.param("queued", marks=LONG)])
def test_slow_target(shop, policy):
    """Memory is small; what does not fit goes to disk, and with `queued` the source is not held up."""
    shop.start(acknowledge=policy, memory="1MiB")
    lock_holder = lock(shop)
    before = confirmed(shop)
    for _ in range(40):
        shop.sql(ROW.format(n=1000))
    until(lambda: disk(shop) > 100000, 60, "a queue on disk")
    if policy == "queued":
        until(lambda: behind(shop) < 1000000, 60, "an acknowledgement")
    else:
        assert confirmed(shop) == before
    assert shop.culvert.status()["queue"]["memory_bytes"] < 3 << 20
    lock_holder.close()
    assert same(shop) == 40200
    if policy == "applied":
        until(lambda: disk(shop) == 0, 60, "an empty disk")
        assert segments(shop) == []


@LONG
def test_auto_acknowledges_only_past_its_threshold(shop):
    shop.start(acknowledge="auto", acknowledge_above="4MiB", memory="1MiB")
    lock_holder = lock(shop)
    before = confirmed(shop)
    shop.sql(ROW.format(n=5000))
    until(lambda: shop.culvert.status()["lag"]["transactions"] > 0, 30, "something under way")
    assert confirmed(shop) == before
    for _ in range(40):
        shop.sql(ROW.format(n=2000))
    until(lambda: behind(shop) < 4 << 20, 90, "an acknowledgement")
    assert "acknowledge_above" in shop.culvert.log_text()
    lock_holder.close()
    assert same(shop) == 85200


@LONG
def test_disk_limit(shop):
    """Full: the source waits, says so, and loses nothing."""
    shop.start(acknowledge="queued", memory="1MiB", disk="2MiB")
    lock_holder = lock(shop)
    for _ in range(60):
        shop.sql(ROW.format(n=6000))
    until(lambda: "queue.disk" in shop.culvert.log_text(), 60, "a warning")
    until(lambda: disk(shop) >= 2 << 20, 60, "a full disk")
    assert disk(shop) < 4 << 20
    assert behind(shop) > 4 << 20
    lock_holder.close()
    assert same(shop) == 360200


@LONG
def test_transaction_larger_than_the_disk(shop):
    """It can never be whole there: that is said, and a larger disk takes it."""
    shop.start(acknowledge="queued", memory="1MiB", disk="1MiB")
    shop.sql(ROW.format(n=5000))
    shop.sql(ROW.format(n=200000))
    assert "room for the largest transaction" in shop.culvert.wait_error("queue.disk")["message"]
    shop.culvert.terminate()
    shop.culvert.config["queue"]["disk"] = "1GiB"
    shop.culvert.write()
    shop.culvert.start()
    shop.culvert.ctl("resume", check=False)
    assert same(shop) == 205200


@LONG
def test_killed_inside_a_transaction(shop, faults):
    """Each life of the process leaves a beginning of it on disk, which must not fill it."""
    shop.start(acknowledge="queued", memory="1MiB", disk="4MiB")
    shop.culvert.terminate()
    shop.culvert.start(**faults.environment)
    shop.culvert.ctl("pause")
    for n in range(7):
        faults.kill("written", 45)
        if n == 0:
            shop.sql(ROW.format(n=100000))
        shop.culvert.process.wait(30)
        shop.culvert.start(**faults.environment)
    faults.kill("written", 0)
    shop.culvert.ctl("resume")
    assert same(shop) == 100200


def test_lost_state_directory(shop):
    """What was acknowledged exists nowhere else: that is said before anything is applied."""
    shop.start(acknowledge="queued")
    away(shop)
    until(lambda: "kept on disk" in shop.culvert.log_text(), 60, "the source is read on")
    shop.sql(ROW.format(n=1000))
    until(lambda: behind(shop) < 10000, 60, "an acknowledgement")
    shop.culvert.kill9()
    shutil.rmtree(os.path.join(shop.culvert.folder, "state"))
    back(shop)
    shop.culvert.start()
    error = shop.culvert.wait_error("resync required")
    assert "exist neither here nor on the source" in error["message"]
    assert shop.target_sql("select count(*) from entry") == [(0,)]


@LONG
def test_damaged_segment(shop):
    shop.start(acknowledge="queued")
    away(shop)
    until(lambda: "kept on disk" in shop.culvert.log_text(), 60, "the source is read on")
    for _ in range(5):
        shop.sql(ROW.format(n=5000))
        until(lambda: behind(shop) < 10000, 60, "an acknowledgement")
    shop.culvert.kill9()
    path = os.path.join(shop.culvert.folder, "state", "queue", segments(shop)[0])
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 3)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 1]))
    back(shop)
    shop.culvert.start()
    error = shop.culvert.wait_error("segment")
    assert os.path.basename(path) in error["message"]
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 3)
        f.write(byte)
    shop.culvert.ctl("resume")
    assert same(shop) == 25200


def through_a_proxy(shop):
    """Begins again with the source behind one."""
    source = Proxy(shop.source.port)
    shop.culvert.terminate()
    shop.culvert.config["source"]["uri"] = shop.source.uri(shop.name, "culvert", source.port)
    shop.culvert.write()
    shop.culvert.start()
    shop.culvert.wait(lag=0)
    return source


def test_source_lost_inside_a_transaction(shop):
    """Its pieces are on disk and at the target already; it comes again from its beginning."""
    shop.start(acknowledge="queued", memory="1MiB")
    source = through_a_proxy(shop)
    for i in range(3):
        shop.sql(ROW.format(n=100000))
        until(lambda: disk(shop) > 100000 * i, 60, "pieces on disk")
        source.cut()
    assert same(shop) == 300200


@LONG
def test_paused(shop):
    shop.start(acknowledge="queued", memory="1MiB")
    shop.culvert.ctl("pause")
    for _ in range(20):
        shop.sql(ROW.format(n=2000))
    until(lambda: behind(shop) < 100000, 60, "an acknowledgement")
    assert shop.target_sql("select count(*) from entry") == [(0,)]
    shop.culvert.kill9()
    shop.culvert.start()
    assert shop.culvert.status()["state"] == "paused"
    shop.sql(ROW.format(n=100))
    shop.culvert.ctl("resume")
    assert same(shop) == 40300


def test_drain(shop):
    """Afterwards nothing is on this disk alone: the state directory is left behind, and nothing is lost."""
    shop.start(acknowledge="queued", memory="1MiB")
    lock_holder = lock(shop)
    for _ in range(10):
        shop.sql(ROW.format(n=2000))
    until(lambda: behind(shop) < 100000, 60, "an acknowledgement")
    done = threading.Thread(target=lambda: shop.culvert.ctl("drain", "--timeout", "120"))
    done.start()
    until(lambda: "command 'drain'" in shop.culvert.log_text(), 30, "the command")
    refused = shop.culvert.ctl("drain", check=False)
    assert refused.returncode == 4 and "already" in refused.stderr
    shop.sql(ROW.format(n=1000))  # not taken, it comes later
    lock_holder.close()
    done.join()
    shop.culvert.process.wait(30)
    assert shop.target_sql("select count(*) from entry") == [(20000,)]
    assert shop.source.run("select confirmed_flush_lsn from pg_replication_slots where slot_name = 'culvert_shop'") == \
        shop.target_sql("select position::pg_lsn from culvert.checkpoint")
    shutil.rmtree(os.path.join(shop.culvert.folder, "state"))
    shop.culvert.start()
    assert same(shop) == 21200


@LONG
def test_drain_in_a_transaction(shop):
    """Its beginning is on disk and on the target, its end will not be waited for."""
    shop.start(acknowledge="queued", memory="1MiB")
    source = through_a_proxy(shop)
    shop.sql(ROW.format(n=300000))
    until(lambda: disk(shop) > 100000, 60, "pieces on disk")
    source.stall()
    assert shop.culvert.ctl("drain", "--timeout", "60").returncode == 0
    shop.culvert.process.wait(60)
    source.allow()
    assert shop.target_sql("select count(*) from entry") == [(0,)]
    shop.culvert.start()
    assert same(shop) == 300200


@LONG
def test_drain_given_up(shop):
    """The target is away: the time passes, and the stream goes on as before."""
    shop.start(acknowledge="queued")
    paused = shop.culvert.ctl("pause") and shop.culvert.ctl("drain", check=False)
    assert paused.returncode == 4 and "resume first" in paused.stderr
    shop.culvert.ctl("resume")
    away(shop)
    until(lambda: "kept on disk" in shop.culvert.log_text(), 60, "the source is read on")
    shop.sql(ROW.format(n=1000))
    assert shop.culvert.ctl("drain", "--timeout", "1", check=False).returncode == 5
    shop.sql(ROW.format(n=1000))
    back(shop)
    assert same(shop) == 2200


@LONG
@pytest.mark.parametrize("direction", ["my-pg", pytest.param("my-my", marks=LONG),
                                       pytest.param("pg-my", marks=LONG)])
def test_across_engines(direction, request, culvert):
    """The target is away, culvertd is killed, and both come back."""
    cross = make_cross(request, direction)
    try:
        cross.sql("create table t (id int primary key, v text)")
        proxy = Proxy(cross.target.port)
        c = culvert(cross.config(target_port=proxy.port, queue={"acknowledge": "queued", "memory": "1MiB"})).start()
        c.wait(lag=0)
        for i in range(10):
            cross.sql(f"insert into t values ({i}, 'x')")
        proxy.refusing = True
        proxy.cut()
        until(lambda: "kept on disk" in c.log_text(), 60, "the source is read on")
        for i in range(10, 60):
            cross.sql(f"insert into t values ({i}, '{'long ' * 2000}'); update t set v = concat(v, '{i}') where id < 5")
        until(lambda: c.status()["queue"]["transactions"] >= 50, 60, "a queue")
        proxy.refusing = False
        c.wait(lag=0)
        assert cross.compare() == 60
        proxy.refusing = True
        proxy.cut()
        until(lambda: c.log_text().count("kept on disk") > 1, 60, "the source is read on")
        for i in range(60, 90):
            cross.sql(f"insert into t values ({i}, 'y'); delete from t where id = {i - 55}")
        until(lambda: c.status()["queue"]["transactions"] >= 30, 60, "a queue")
        c.kill9()
        proxy.refusing = False
        c.start()
        c.wait(lag=0)
        assert cross.compare() == 60
    finally:
        cross.drop()
