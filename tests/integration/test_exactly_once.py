"""Kills, restarts and cut connections: afterwards both sides are equal, and nothing came twice."""
import random
import threading

import pytest

from harness.compare import compare
from harness.proxy import Proxy
from harness.until import until

SETUP = """
create table account (id int primary key, balance bigint not null);
insert into account select g, 0 from generate_series(1, 200) g;
create table entry (id bigserial primary key, account int, amount bigint);
create table mark (t text); alter table mark replica identity full;
"""


class Writer:
    """Transactions whose doubling or loss would show: each adds to a balance and logs an entry."""

    def __init__(self, server, database, seed=1):
        self.server, self.database = server, database
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.committed = 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        connection = None
        while not self.stopping.is_set():
            try:
                connection = connection or self.server.connect(self.database, autocommit=False)
                with connection.cursor() as c:
                    for _ in range(self.random.randint(1, 4)):
                        account, amount = self.random.randint(1, 200), self.random.randint(-9, 9)
                        c.execute("update account set balance = balance + %s where id = %s", (amount, account))
                        c.execute("insert into entry (account, amount) values (%s, %s)", (account, amount))
                    if self.random.random() < 0.2:
                        c.execute("insert into mark values ('twice'), ('twice')")
                    if self.random.random() < 0.1:
                        connection.rollback()
                connection.commit()
                self.committed += 1
            except Exception:
                connection = None
                self.stopping.wait(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def more(self, n):
        goal = self.committed + n
        until(lambda: self.committed >= goal, 60, f"{n} more transactions")


@pytest.fixture
def bank(pair):
    pair.sql(SETUP)
    return pair


def equal(bank, c):
    c.wait(lag=0)
    rows = compare(bank.source, bank.target, bank.name)
    assert bank.target_sql("select count(*) from entry")[0][0] > 0
    assert bank.target_sql("select sum(balance) from account") == bank.target_sql("select sum(amount) from entry")
    return rows


def kill_loop(bank, c, kills):
    chance = random.Random(7)
    with Writer(bank.source, bank.name) as w:
        c.wait(state="streaming")
        for _ in range(kills):
            w.more(chance.randint(1, 120))
            c.kill9()
            w.more(chance.randint(1, 50))
            c.start()
    equal(bank, c)
    assert w.committed > kills


def test_kill9_three_times(bank, culvert):
    kill_loop(bank, culvert(bank.least()).start(), 3)


@pytest.mark.long
def test_kill9_thirty_times(bank, culvert):
    kill_loop(bank, culvert(bank.least(apply={"batch_rows": 50})).start(), 30)


@pytest.mark.parametrize("side,mode", [("source", "fast"), pytest.param("target", "immediate", marks=pytest.mark.long),
                                       pytest.param("source", "immediate", marks=pytest.mark.long),
                                       pytest.param("target", "fast", marks=pytest.mark.long)])
def test_restart_of_a_server(bank, culvert, side, mode):
    c = culvert(bank.least()).start()
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        w.more(100)
        getattr(bank, side).restart(mode)
        w.more(100)
    equal(bank, c)


def test_target_crash_takes_back_asynchronous_commits(bank, culvert):
    c = culvert(bank.least()).start()
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        for _ in range(3):
            w.more(60)
            bank.target.kill9()
            bank.target.start()
    equal(bank, c)


@pytest.mark.parametrize("side", [pytest.param("source", marks=pytest.mark.long), "target"])
def test_cut_connections(bank, culvert, side):
    proxy = Proxy(getattr(bank, side).port)
    c = culvert(bank.least(**{side + "_port": proxy.port})).start()
    try:
        c.wait(lag=0)
        with Writer(bank.source, bank.name) as w:
            for _ in range(3):
                w.more(60)
                until(lambda: c.status()[side]["connected"], 30, "a connection to cut")
                assert proxy.cut() > 0
                w.more(60)
        equal(bank, c)
    finally:
        proxy.close()


@pytest.mark.long
def test_sigterm_stores_the_checkpoint(bank, culvert):
    c = culvert(bank.least()).start()
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        w.more(100)
        assert c.terminate(15) == 0
        w.more(20)
    position = bank.target_sql("select position::pg_lsn from culvert.checkpoint")[0][0]
    confirmed = bank.source.run("select confirmed_flush_lsn from pg_replication_slots where database = %s", bank.name)[0][0]
    assert confirmed == position
    c.start()
    equal(bank, c)


@pytest.mark.long
def test_paused_stays_paused_over_a_restart(bank, culvert):
    bank.source.setting("wal_sender_timeout", "'5s'")
    try:
        c = culvert(bank.least()).start()
        c.wait(lag=0)
        c.ctl("pause")
        with Writer(bank.source, bank.name) as w:
            w.more(100)
        entries = "select count(*) from entry"
        before = bank.target_sql(entries)
        c.kill9()
        c.start()
        assert c.status()["state"] == "paused"
        until(lambda: c.status()["source"]["connected"], 20, "the connection of a paused pipeline")
        pid = "select active_pid from pg_replication_slots where database = %s"
        first = bank.source.run(pid, bank.name)
        until(lambda: bank.source.run("select now() - backend_start > '8s' from pg_stat_replication where pid = %s",
                                      first[0][0]) == [(True,)], 20, "longer than wal_sender_timeout")
        assert bank.source.run(pid, bank.name) == first
        assert bank.target_sql(entries) == before
        c.ctl("resume")
        equal(bank, c)
    finally:
        bank.source.setting("wal_sender_timeout", "'60s'")
