"""What goes wrong around culvertd: the disk of its state directory, clocks, descriptors, a long stop, and the target's
disk and locks. In the end every row is the same on both sides."""
import os
import signal
import subprocess
from contextlib import closing

import pytest

from harness.compare import compare
from harness.daemon import Culvert
from harness.until import until
from integration.conftest import is_my
from integration.test_exactly_once import Writer
from integration.test_my_exactly_once import SETUP, equal

LONG = pytest.mark.long


def many(bank):
    """More than memory holds, and the sum stays as it is."""
    chance = "rand()" if is_my(bank.source) else "random()"
    bank.sql(f"insert into entry (account, amount) select floor({chance} * 199) + 1, 0 from entry, entry e, entry f "
             "limit 20000")


@pytest.fixture
def bank(way):
    way.sql(SETUP["my" if is_my(way.source) else "pg"])
    way.sql("insert into entry (account, amount) values " + ", ".join(["(1, 0)"] * 30))
    return way


def same(bank, c):
    """`equal`, for a pair as well."""
    if not hasattr(bank, "compare"):
        bank.compare = lambda: compare(bank.source, bank.target, bank.name)
    equal(bank, c)


def error(c):
    return (c.status()["error"] or {"message": ""})["message"]


def rows(bank):
    return bank.target_sql("select count(*) from entry")[0][0]


# ---- the disk of the state directory ----

@pytest.mark.parametrize("policy", ["queued", pytest.param("applied", marks=LONG)])
def test_no_space_in_the_state_directory(bank, culvert, faults, policy):
    c = culvert(bank.least(queue={"acknowledge": policy, "memory": "1MiB"})).start(**faults.environment)
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        w.more(10)
        c.ctl("pause")
        faults.full()
        many(bank)
        w.more(20)
        until(lambda: "No space left" in error(c), 40, "a word about the disk")
        refused = c.ctl("resume", check=False)  # could not be remembered
        assert refused.returncode == 1 and "No space left" in refused.stderr
        assert c.status()["state"] == "paused"
        w.more(10)
        until(lambda: faults.skip(30) or "No space left" in error(c), 40, "the same word, after a retry")
        c.kill9()
        c.start(**faults.environment)
        until(lambda: faults.skip(30) or "No space left" in error(c), 40, "the same word, after a restart")
        w.more(10)
        faults.full(False)
        c.ctl("resume")
        until(lambda: faults.skip(30) or c.status()["target"]["connected"], 40, "another try")
    same(bank, c)


def test_a_sync_fails(bank, culvert, faults):
    """What was written before it counts for nothing, whatever a later sync says."""
    c = culvert(bank.least(queue={"acknowledge": "queued", "memory": "1MiB"})).start(**faults.environment)
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        w.more(20)
        faults.break_sync()
        w.more(20)
        c.wait_error("cannot be synced")
        w.more(10)
        c.ctl("resume")
        w.more(10)
    same(bank, c)


# ---- clocks ----

@pytest.mark.parametrize("days", [400, pytest.param(-400, marks=LONG)])
def test_the_clock_jumps(bank, culvert, faults, days):
    c = culvert(bank.least()).start(**faults.environment)
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        w.more(20)
        faults.calendar(days * 86400)
        w.more(20)
        c.wait(lag=0)
        assert c.status()["state"] == "streaming"
        faults.calendar(0)
        w.more(20)
        c.wait(lag=0)
        faults.skip(100000)  # the machine was asleep
        w.more(20)
    same(bank, c)


# ---- descriptors ----

@LONG
def test_out_of_descriptors(bank, culvert):
    """Whatever it gets to, it says what is missing; with more of them it goes on."""
    c = culvert(bank.least())
    with Writer(bank.source, bank.name) as w:
        w.more(10)
        for limit in range(5, 23, 3):
            c.start(answer=False, limit=limit)
            said = until(lambda: c.process.poll() is not None or "open files" in c.log_text() or
                         c.ctl("status", check=False).returncode == 0, 30, "a word")
            assert said and c.process.poll() in (None, 1, 2, 78), (limit, c.log_text())
            if c.process.poll() is None and c.ctl("status", check=False).returncode == 0:
                until(lambda: "open files" in error(c) or c.status()["state"] == "streaming", 30, "an error or success")
            if limit == 20:
                subprocess.run(["prlimit", f"--pid={c.process.pid}", "--nofile=1024"], check=True)
                c.ctl("resume", check=False)
                c.wait(lag=0)
            c.kill9()
        c.start()
        w.more(10)
    same(bank, c)


# ---- a long stop ----

@LONG
@pytest.mark.parametrize("policy", ["applied", "queued"])
def test_a_stopped_daemon_with_a_queue_wakes_up(bank, culvert, folder, policy):
    """Another one has taken over meanwhile, on a host without that queue."""
    config = bank.least(queue={"acknowledge": policy, "memory": "1MiB"})
    c = culvert(config).start()
    other = Culvert(os.path.join(folder, bank.name + "-other"), "shop", config)
    c.wait(lag=0)
    try:
        c.ctl("pause")
        for _ in range(3):
            many(bank)
        until(lambda: c.status()["queue"]["disk_bytes"] > 30000, 40, "a queue on disk")
        if policy == "queued":
            until(lambda: is_my(bank.source) or forgotten(bank), 40, "what is on disk is forgotten by the source")
        else:
            c.ctl("resume")
        c.process.send_signal(signal.SIGSTOP)
        end_sessions(bank)
        other.start()
        if policy == "queued" and not is_my(bank.source):
            assert "exist neither here nor on the source" in other.wait_error("resync required")["message"]
        else:
            same(bank, other)
        held = rows(bank)
        c.process.send_signal(signal.SIGCONT)
        if policy == "applied":
            until(lambda: error(c), 60, "a word about the other")
            assert rows(bank) == held
            with Writer(bank.source, bank.name) as w:
                w.more(20)
            same(bank, other)
        other.terminate()
        c.ctl("resume", check=False)
        same(bank, c)
    finally:
        c.process.send_signal(signal.SIGCONT)
        other.destroy()


def forgotten(bank):
    return bank.source.run("select pg_current_wal_lsn() - confirmed_flush_lsn < 50000 from pg_replication_slots "
                           "where database = %s", bank.name)[0][0]


def end_sessions(bank):
    for server in (bank.source, bank.target):
        if is_my(server):
            for row in server.run("select id from information_schema.processlist where user = 'culvert'"):
                server.run(f"kill {row[0]}")
        else:
            server.run("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'culvert'")


# ---- the target ----

@pytest.mark.parametrize("attempts", [10, pytest.param(0, marks=LONG)])
def test_deadlock_on_the_target(bank, culvert, attempts):
    c = culvert(bank.least(apply={"retry_attempts": attempts})).start()
    c.wait(lag=0)
    with closing(bank.target.connect(bank.name, autocommit=False)) as session, session.cursor() as other:
        if is_my(bank.target):
            other.execute("update account set balance = balance + 1 where id > 100")
            other.execute("update account set balance = balance - 1 where id > 100")
        else:
            other.execute("set deadlock_timeout = '1h'")
        other.execute("update account set balance = balance where id = 2")
        bank.sql("begin; update account set balance = 7 where id = 1; update account set balance = -7 where id = 2; "
                 "insert into entry (account, amount) values (1, 7), (2, -7); commit")
        until(lambda: waits(bank), 20, "a lock that is waited for")
        other.execute("update account set balance = balance where id = 1")
        if attempts == 0:
            assert "given up after 1 attempts" in c.wait_error("eadlock")["message"]
        else:
            until(lambda: "eadlock" in c.log_text(), 20, "a word about it")
        session.commit()
    if attempts == 0:
        c.ctl("resume")
    same(bank, c)


def waits(bank):
    if is_my(bank.target):
        # not innodb_trx: asked more often than ten times a second it answers from its cache for ever
        return bank.target.run("select 1 from information_schema.global_status "
                               "where variable_name = 'innodb_row_lock_current_waits' and variable_value > 0")
    return bank.target_sql("select 1 from pg_stat_activity where wait_event_type = 'Lock' and usename = 'culvert'")


FULL = {"pg": """create table no_room (x int);
        create function no_room() returns trigger language plpgsql as $$ begin
        if exists (select from public.no_room) then raise 'could not extend file' using errcode = 'disk_full'; end if;
        return new; end $$;
        create trigger no_room before insert on entry for each row execute function no_room();
        alter table entry enable always trigger no_room; grant select on no_room to culvert;
        insert into no_room values (1)""",
        "my": """create table no_room (x int); insert into no_room values (1);
        create trigger no_room before insert on entry for each row begin
        if exists (select 1 from no_room) then signal sqlstate 'HY000' set mysql_errno = 1114; end if; end"""}


def test_the_target_has_no_room(bank, culvert):
    """The errors that its disk makes are transient, for ever: nobody has to resume."""
    c = culvert(bank.least(apply={"retry_attempts": 1})).start()
    c.wait(lag=0)
    before = rows(bank)
    bank.target_sql(FULL["my" if is_my(bank.target) else "pg"])
    with Writer(bank.source, bank.name) as w:
        w.more(20)
        until(lambda: error(c), 30, "a word about it")
        assert c.status()["state"] == "streaming" and rows(bank) == before
        bank.target_sql("delete from no_room")
        w.more(20)
    c.wait(lag=0)
    bank.target_sql("drop trigger no_room" + ("" if is_my(bank.target) else " on entry; drop function no_room"))
    bank.target_sql("drop table no_room")
    same(bank, c)


# ---- servers crash while the queue is in use ----

@LONG
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_server_crashes(bank, culvert, side):
    c = culvert(bank.least(queue={"acknowledge": "queued", "memory": "1MiB"})).start()
    c.wait(lag=0)
    with Writer(bank.source, bank.name) as w:
        for _ in range(3):
            c.ctl("pause")
            many(bank)
            w.more(20)
            c.ctl("resume")
            w.more(5)
            getattr(bank, side).kill9()
            getattr(bank, side).start()
            w.more(10)
    same(bank, c)
