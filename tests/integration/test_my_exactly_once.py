"""Kills, restarts and cut connections with the MySQL family: afterwards both sides are equal, and
nothing came twice."""
import os
import random

import pytest

from harness.daemon import Culvert
from harness.proxy import Proxy
from harness.until import until
from integration.test_exactly_once import Writer

SETUP = {
    "my": """
        create table account (id int primary key, balance bigint not null);
        insert into account select seq, 0 from seq_1_to_200;
        create table entry (id bigint auto_increment primary key, account int, amount bigint);
        create table mark (t varchar(10))""",
    "pg": """
        create table account (id int primary key, balance bigint not null);
        insert into account select g, 0 from generate_series(1, 200) g;
        create table entry (id bigserial primary key, account int, amount bigint);
        create table mark (t varchar(10)); alter table mark replica identity full""",
}


@pytest.fixture
def bank(cross):
    cross.sql(SETUP[cross.direction[:2]])
    return cross


def equal(bank, c):
    c.wait(lag=0)
    bank.compare()
    assert bank.target_sql("select count(*) from entry")[0][0] > 0
    assert bank.target_sql("select sum(balance) from account") == bank.target_sql("select sum(amount) from entry")


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


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("mode", [pytest.param("fast", marks=pytest.mark.long), "immediate"])
def test_restart_of_a_server(bank, culvert, side, mode):
    c = culvert(bank.least()).start()
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        w.more(100)
        getattr(bank, side).restart(mode)
        w.more(100)
    equal(bank, c)


@pytest.mark.parametrize("side", ["source", "target"])
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
def test_kill_in_the_middle_of_the_copy(bank, culvert):
    """Whatever of the copy is there: in the end all rows are, once."""
    many = {"my": "select seq, 'x', 1 from seq_1_to_100000", "pg": "select g, 'x', 1 from generate_series(1, 100000) g"}
    bank.sql("create table big (id int primary key, v varchar(100), n int)")
    bank.sql("insert into big " + many[bank.direction[:2]])
    c = culvert(bank.least()).start()
    with Writer(bank.source, bank.name) as w:
        until(lambda: c.status()["snapshot"]["rows_done"] or c.status()["state"] == "streaming", 30, "some rows")
        c.kill9()
        w.more(50)
        c.start()
        c.wait(state="streaming")
        w.more(50)
    equal(bank, c)


@pytest.mark.long
def test_sigterm_stores_the_checkpoint(bank, culvert):
    c = culvert(bank.least()).start()
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        w.more(100)
        assert c.terminate(15) == 0
        w.more(20)
    c.start()
    equal(bank, c)


def test_two_daemons_of_one_pipeline(bank, culvert, folder):
    """The second does not write beside the first."""
    c = culvert(bank.least()).start()
    c.wait(lag=0)
    other = Culvert(os.path.join(folder, bank.name + "-other"), "shop", bank.least())
    other.start()
    try:
        with Writer(bank.source, bank.name) as w:
            w.more(100)
            until(lambda: other.status()["error"] or c.status()["error"], 30, "a word about the other")
        other.terminate()
        c.ctl("resume", check=False)  # where the other had taken over
        equal(bank, c)
    finally:
        other.destroy()
