"""The ways in which such a tool can lose or double something in silence: HAZARDS A and B."""
import os
import shutil
import signal
import socket
import threading

import psycopg2
import pytest

from harness.compare import compare, query
from harness.daemon import Culvert
from harness.proxy import Proxy
from harness.until import until

ITEMS = """create table t (id int primary key, v text);
insert into t select i, 'row ' || i from generate_series(1, 100) i"""


def same(pair, c):
    c.wait(lag=0)
    return compare(pair.source, pair.target, pair.name)


def slots(pair):
    return pair.sql("select slot_name from pg_replication_slots where database = current_database()")


def streaming(pair, culvert, setup=ITEMS, **sections):
    pair.sql(setup)
    c = culvert(pair.config(**sections)).start()
    c.wait(state="streaming")
    c.wait(lag=0)
    return c


# ---- A3 ----

def test_A3_deferrable_primary_key_of_the_source(pair, culvert):
    pair.sql("create table t (id int primary key deferrable initially deferred, v text); insert into t values (1)")
    c = culvert(pair.config()).start()
    message = c.wait_error("public.t")["message"]
    assert "deferrable" in message and "replica identity full" in message
    assert slots(pair) == []
    assert pair.target_sql("select to_regclass('public.t')") == [(None,)]


def test_A3_deferrable_key_of_the_target(pair, culvert):
    pair.sql(ITEMS)
    pair.target_sql("create table t (id int constraint weak primary key deferrable, v text)")
    c = culvert(pair.config()).start()
    message = c.wait_error("weak")["message"]
    assert "deferrable" in message and "public.t" in message
    assert slots(pair) == [] and pair.target_sql("select count(*) from t") == [(0,)]


@pytest.mark.long
def test_A3_other_deferrable_keys_are_named_and_follow(pair, culvert):
    c = streaming(pair, culvert, """create table t (id int primary key, pos int, r int4range,
        constraint t_pos unique (pos) deferrable initially deferred,
        constraint t_r exclude using gist (r with &&) deferrable);
        insert into t select i, i, int4range(i, i + 1) from generate_series(1, 50) i""")
    log = c.log_text()
    assert "t_pos on public.t is deferrable" in log and "t_r on public.t is deferrable" in log
    pair.sql("update t set pos = pos + 1")
    pair.sql("update t set pos = case id when 1 then 3 when 2 then 2 end where id in (1, 2)")
    assert same(pair, c) == 50


# ---- A5 ----

def position(pair):
    """Where the target says that it is: row or replication origin, whichever keeps it."""
    return pair.target_sql("""select coalesce((select pg_replication_origin_progress(roname, true) from
        pg_replication_origin where roname = origin), position::pg_lsn)::text from culvert.checkpoint""")[0][0]


def go_back(pair, lsn):
    pair.target_sql("update culvert.checkpoint set position = %s", lsn)
    pair.target_sql("select pg_replication_origin_advance(roname, %s) from pg_replication_origin o "
                    "join culvert.checkpoint c on c.origin = o.roname", lsn)
    assert position(pair) == lsn


@pytest.mark.long
def test_A5_target_restored_from_an_older_backup(pair, culvert):
    c = streaming(pair, culvert)
    c.terminate()
    old = position(pair)
    c.start()
    pair.sql("insert into t values (1000, 'in the lost part')")
    c.wait(lag=0)
    c.terminate()
    pair.target_sql("delete from t where id = 1000")
    go_back(pair, old)
    pair.sql("insert into t values (1001, 'after')")
    c.start()
    error = c.wait_error("resync required")
    assert old in error["message"]
    assert pair.target_sql("select count(*) from t where id > 100") == [(0,)]
    c.ctl("resume", check=False)  # trying again changes nothing
    c.wait_error("resync required")
    assert pair.target_sql("select count(*) from t where id > 100") == [(0,)]


@pytest.mark.long
def test_A5_target_restored_from_a_dump(pair, culvert):
    """A dump has the checkpoint row and not the origin, which is the cluster's and lives on."""
    c = streaming(pair, culvert)
    c.terminate()
    dump = pair.target._run("pg_dump", "-h", "127.0.0.1", "-p", str(pair.target.port), "-U", "postgres", pair.name)
    c.start()
    pair.sql("insert into t values (1000, 'in the lost part')")
    c.wait(lag=0)
    c.terminate()
    pair.target.run(f"drop database {pair.name} with (force)")
    pair.target.run(f"create database {pair.name}")
    pair.target.psql(pair.name, input=dump)
    pair.sql("insert into t values (1001, 'after')")
    c.start()
    c.wait_error("resync required", timeout=20)
    assert pair.target_sql("select count(*) from t where id > 100") == [(0,)]


@pytest.mark.long
def test_A5_target_copied_as_a_template(pair, culvert):
    """The copy has the row and the table's oid, but the origin is the server's and went on."""
    c = streaming(pair, culvert)
    pair.sql("insert into t values (1001, 'in the copy')")
    c.stop()
    pair.target.run(f"create database {pair.name}_b template {pair.name}")
    c.start()
    pair.sql("insert into t values (1002, 'after it')")
    c.wait(lag=0)
    c.stop()
    pair.target.run(f"drop database {pair.name} with (force)")
    pair.target.run(f"alter database {pair.name}_b rename to {pair.name}")
    c.start()
    c.wait_error("resync required")


@pytest.mark.long
def test_A5_target_goes_back_under_a_running_daemon(pair, culvert):
    """As after a failover to a standby that was behind: what was acknowledged is nowhere."""
    c = streaming(pair, culvert)
    older = pair.target.data + ".older"
    pair.target.stop()
    shutil.copytree(pair.target.data, older)
    pair.target.start()
    try:
        pair.sql("insert into t values (1000, 'in the lost part')")
        end = pair.sql("select pg_current_wal_lsn()")[0][0]
        c.wait(lag=0)
        until(lambda: pair.sql("select confirmed_flush_lsn >= %s from pg_replication_slots where database = "
                               "current_database()", end) == [(True,)], 20, "the acknowledgement")
        pair.target.stop()
        shutil.rmtree(pair.target.data)
        os.rename(older, pair.target.data)
        pair.sql("insert into t values (1001, 'after')")
    finally:
        pair.target.start()
    c.wait_error("resync required")
    assert pair.target_sql("select count(*) from t where id > 100") == [(0,)]


def test_A5_source_goes_back(pair, culvert):
    """Put back from a copy of its files: the same server, timeline and slot, and positions that are
    used a second time."""
    c = streaming(pair, culvert)
    older = pair.source.data + ".older"
    pair.source.stop()
    shutil.copytree(pair.source.data, older)
    pair.source.start()
    try:
        pair.sql("insert into t select i, repeat('x', 1000) from generate_series(1000, 1200) i")
        c.wait(lag=0)
        pair.source.stop("immediate")
        shutil.rmtree(pair.source.data)
        os.rename(older, pair.source.data)
    finally:
        pair.source.start()
    c.wait_error("resync required")


@pytest.mark.parametrize("what", ["system", pytest.param("slot", marks=pytest.mark.long)])
def test_A5_position_of_another_server(pair, culvert, what):
    c = streaming(pair, culvert)
    c.terminate()
    if what == "system":
        pair.target_sql("update culvert.checkpoint set source = regexp_replace(source, '[0-9]{10,}', '7000000000000000001')")
    else:  # dropped and made again: it begins later, and what lies between is nowhere
        pair.sql("select pg_drop_replication_slot('culvert_shop')")
        pair.sql("insert into t values (1000, 'between')")
        pair.sql("select pg_create_logical_replication_slot('culvert_shop', 'pgoutput')")
    pair.sql("insert into t values (1001, 'after')")
    c.start()
    c.wait_error("resync required")
    assert pair.target_sql("select count(*) from t where id > 100") == [(0,)]


def test_E6_slot_dropped_while_streaming(pair, culvert):
    c = streaming(pair, culvert)
    end_sender = "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where database = current_database()"

    def dropped():
        pair.sql(end_sender)
        try:
            pair.sql("select pg_drop_replication_slot('culvert_shop')")
            return True
        except psycopg2.Error:
            return False
    until(dropped, 20, "the end of the slot", every=0)
    pair.sql("insert into t values (1000, 'nowhere')")
    c.wait_error("resync required")
    assert pair.target_sql("select count(*) from t") == [(100,)]


@pytest.mark.long
def test_E7_lost_slot(pair, culvert):
    c = streaming(pair, culvert)
    c.terminate()
    pair.source.setting("max_slot_wal_keep_size", "'1MB'")
    try:
        pair.sql("insert into t values (1000, 'lost')")
        for _ in range(4):
            pair.sql("create table if not exists junk as select 1 as x; select pg_switch_wal()")
        pair.sql("checkpoint")
        assert pair.sql("select wal_status from pg_replication_slots where slot_name = 'culvert_shop'") == [("lost",)]
        c.start()
        c.wait_error("resync required")
    finally:
        pair.source.setting("max_slot_wal_keep_size", "-1")


# ---- A6 ----

class HalfDeadProxy(Proxy):
    """After `lose`, the client sees its connections end, and the server keeps them: what a
    firewall does that has forgotten a connection. `bury` ends them for the server, too."""

    def __init__(self, server_port):
        super().__init__(server_port)
        self.kept = []

    def lose(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for client, server in pairs:
            try:
                self.kept.append(server.dup())
                client.shutdown(socket.SHUT_RDWR)
            except OSError:  # a connection that had ended before
                pass

    def bury(self):
        for s in self.kept:
            s.shutdown(socket.SHUT_RDWR)
            s.close()


WAIT_IN_COMMIT = """create function wait_here() returns trigger language plpgsql as $$
begin perform pg_advisory_xact_lock_shared(4711); return null; end $$;
create constraint trigger slow after insert on t deferrable initially deferred
for each row execute function wait_here();
alter table t enable always trigger slow"""


def waiting(pair):
    return pair.target_sql("select pid from pg_stat_activity where datname = current_database() "
                           "and query = 'commit' and wait_event = 'advisory'")


@pytest.mark.parametrize("death", [pytest.param("connection", marks=pytest.mark.long), "process"])
def test_A6_commit_in_doubt(pair, culvert, death):
    """A commit is under way on the target when we lose sight of it, and it succeeds later."""
    proxy = HalfDeadProxy(pair.target.port)
    holder = pair.target.connect(pair.name)
    try:
        pair.sql(ITEMS + "; create table mark (v text); alter table mark replica identity full")
        c = culvert(pair.config(target_port=proxy.port)).start()
        c.wait(state="streaming")
        c.wait(lag=0)
        pair.target_sql(WAIT_IN_COMMIT)
        query(holder, "select pg_advisory_lock(4711)")
        pair.sql("begin; insert into t values (1000, 'once'); insert into mark values ('once'); commit")
        until(lambda: waiting(pair), 20, "a commit that hangs")
        if death == "process":
            c.kill9()
        proxy.lose()
        pair.sql("insert into mark values ('later')")
        if death == "process":
            c.start()
            until(lambda: "another session" in (c.status()["error"] or {"message": ""})["message"], 30,
                  "a refusal by the lock that the dead one holds")
            assert len(waiting(pair)) == 1
        query(holder, "select pg_advisory_unlock(4711)")
        until(lambda: not waiting(pair), 20, "the end of the commit")
        proxy.bury()
        assert same(pair, c) == 103
    finally:
        holder.close()
        proxy.close()


# ---- A10, A12, A13 ----

def test_A10_duplicates_on_the_target(pair, culvert):
    """Two rows deleted where two were expected, and both the wrong ones: sums cancel out."""
    pair.sql("create table t (id int primary key, v text); insert into t values (1, 'a'), (2, 'b'), (3, 'c')")
    pair.target_sql("create table t (id int, v text)")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    assert "public.t has no unique index" in c.log_text()
    pair.target_sql("delete from t where id = 2; insert into t values (1, 'again')")
    pair.sql("delete from t where id in (1, 2)")
    error = c.wait_error("2 rows on the target have its key")
    assert (error["table"], error["key"], error["class"]) == ("public.t", "id=1", "data")
    assert pair.target_sql("select id, v from t order by 1, 2") == [(1, "a"), (1, "again"), (3, "c")]


def test_A12_a_unique_index_that_only_the_target_has(pair, culvert):
    c = streaming(pair, culvert)
    pair.target_sql("create unique index only_here on t (v)")
    pair.sql("begin; insert into t values (1000, 'fine'); insert into t values (1001, 'row 5'); commit")
    error = c.wait_error("only_here")
    assert (error["table"], error["key"], error["class"]) == ("public.t", "id=1001", "data")
    assert pair.target_sql("select count(*), count(*) filter (where v = 'row 5') from t") == [(100, 1)]
    assert "row 5" not in c.log_text() and "1001" not in c.log_text()
    pair.sql("delete from t where id = 1001")
    pair.target_sql("drop index only_here")
    c.ctl("resume")
    assert same(pair, c) == 101


@pytest.mark.long
def test_A13_array_columns_in_keys_and_rows(pair, culvert):
    c = streaming(pair, culvert, """create table t (k int[] primary key, v int[]);
        create table f (a text[], b int[]); alter table f replica identity full;
        insert into t values ('{1,2}', '{1}'), ('{{10,11},{20,21}}', null), ('[0:1]={1,2}', '{}');
        insert into f values ('{a,NULL}', '{1,2}'), ('{{a},{b}}', null), ('{}', '{}'), ('{}', '{}')""")
    pair.sql("update t set v = '{{1,2},{3,4}}' where k = '{{10,11},{20,21}}'")
    pair.sql("update t set k = '{5,6,7}' where k = '{1,2}'; delete from t where k = '[0:1]={1,2}'")
    pair.sql("update f set b = '[5:6]={7,8}' where a = '{{a},{b}}'; delete from f where a = '{a,NULL}'")
    pair.sql("delete from f where ctid = (select max(ctid) from f where a = '{}')")
    assert same(pair, c) == 4


# ---- A15, A18 ----

@pytest.fixture
def lowly(pair):
    """A target role that may not set session_replication_role."""
    pair.target.run("drop role if exists lowly")
    pair.target.run("create role lowly login")
    pair.target.run(f"grant create on database {pair.name} to lowly")
    pair.target_sql("grant create on schema public to lowly")
    yield "lowly"
    pair.target_sql("drop owned by lowly cascade")
    pair.target.run("drop role lowly")


FAMILY = """create table parent (id int primary key, v text);
create table child (id int primary key, p int constraint child_p references parent {action});
insert into parent values (1, 'a'), (2, 'b'); insert into child values (10, 1), (20, 2)"""


@pytest.mark.parametrize("made_by", ["culvert", pytest.param("hand", marks=pytest.mark.long)])
def test_A15_actions_without_the_replica_role(pair, culvert, lowly, made_by):
    pair.sql(FAMILY.format(action="on delete cascade"))
    if made_by == "hand":
        pair.target.run("""create table parent (id int primary key, v text);
            create table child (id int primary key, p int constraint child_p references parent on delete set null)""",
                        db=pair.name, user=lowly)
    c = culvert(pair.config(target={"uri": pair.target.uri(pair.name, lowly)})).start()
    message = c.wait_error("child_p")["message"]
    assert "public.child" in message and slots(pair) == []
    assert "session_replication_role" in c.log_text()


@pytest.mark.long
def test_A15_plain_foreign_keys_without_the_replica_role(pair, culvert, lowly):
    pair.sql(FAMILY.format(action=""))
    c = culvert(pair.config(target={"uri": pair.target.uri(pair.name, lowly)})).start()
    c.wait(state="streaming")
    assert "may not set session_replication_role" in c.log_text()
    pair.sql("begin; insert into parent values (3, 'c'); insert into child values (30, 3); "
             "delete from child where id = 10; delete from parent where id = 1; commit")
    assert same(pair, c) == 4


def test_A18_transactions_open_while_the_slot_is_made(pair, culvert):
    """Begun before the snapshot and committed before, after, or never; with subtransactions."""
    pair.sql("create table t (id int primary key, v text)")
    done, keep = threading.Event(), []

    def load(n):
        connection = pair.source.connect(pair.name, autocommit=False)
        i = n
        while not done.is_set():
            with connection.cursor() as cursor:
                cursor.execute("insert into t values (%s, 'a'); savepoint s; insert into t values (%s, 'b')", (i, i + 1))
                if i % 3 == 0:
                    cursor.execute("rollback to s")
                cursor.execute("savepoint u; update t set v = 'c' where id = %s", (i,))
                cursor.execute("select pg_sleep(0.03)")
            connection.rollback() if i % 5 == 0 else connection.commit()
            i += 8
        keep.append(i)
        connection.close()

    threads = [threading.Thread(target=load, args=(n,)) for n in (1, 3, 5, 7)]
    for t in threads:
        t.start()
    try:
        until(lambda: pair.sql("select count(*) > 20 from t") == [(True,)], 20, "some rows")
        c = culvert(pair.config()).start()
        c.wait(state="streaming")
        n = pair.sql("select count(*) from t")[0][0]
        until(lambda: pair.sql("select count(*) from t")[0][0] > n + 50, 20, "more rows")
    finally:
        done.set()
        for t in threads:
            t.join()
    assert same(pair, c) > 70


# ---- B2 ----

def test_B2_acknowledged_is_what_is_durable(pair, culvert):
    """Rows are visible on the target while its standby has not confirmed them: the source must
    keep what it has."""
    c = streaming(pair, culvert)
    pair.target.setting("synchronous_standby_names", "'nobody'")
    before = pair.sql("select pg_current_wal_lsn()")[0][0]
    passed = "select confirmed_flush_lsn > %s from pg_replication_slots where database = current_database()"
    try:
        pair.sql("insert into t values (1000, 'not durable yet')")
        end = pair.sql("select pg_current_wal_lsn()")[0][0]
        until(lambda: pair.target_sql("select count(*) from t") == [(101,)], 20, "the row")
        until(lambda: pair.target_sql("select 1 from pg_stat_activity where wait_event = 'SyncRep' and "
                                      "application_name like 'culvert%'"), 20, "a marker that waits")
        assert pair.sql(passed, before) == [(False,)]
        assert c.terminate(20) == 0  # it does not wait for ever, and its last word is true
        assert pair.sql(passed, before) == [(False,)]
    finally:
        pair.target.setting("synchronous_standby_names", "''")
    c.start()
    assert same(pair, c) == 101
    until(lambda: pair.sql("select confirmed_flush_lsn >= %s from pg_replication_slots where database = "
                           "current_database()", end) == [(True,)], 20, "the acknowledgement")


# ---- B4 ----

@pytest.mark.long
def test_B4_source_restart_in_the_copy(pair, culvert):
    """It is caught in the middle by a lock on the target, before the last table."""
    pair.sql("create table big (id int primary key, filler char(200)); create table small (id int primary key); "
             "create table tiny (id int primary key)")
    pair.sql("insert into big select i, 'row' from generate_series(1, 30000) i; "
             "insert into small select generate_series(1, 5000); insert into tiny values (1), (2)")
    pair.sql("analyze")
    pair.target_sql("create table small (id int primary key)")
    holder = pair.target.connect(pair.name, autocommit=False)
    with holder.cursor() as cursor:
        cursor.execute("lock table small in share mode")
    c = culvert(pair.config(snapshot={"workers": "1"})).start()
    until(lambda: c.status()["snapshot"]["rows_done"] >= 30000 and c.status()["state"] == "copying", 30, "the lock")
    pair.source.restart("immediate")
    pair.sql("delete from big where id % 3 = 0; update small set id = -id; update tiny set id = 7 where id = 1")
    holder.rollback()
    holder.close()
    c.wait(state="streaming", timeout=60)
    assert same(pair, c) == 25002
    assert "begins again" in c.log_text()
    assert slots(pair) == [("culvert_shop",)]


# ---- B8 ----

def twin(pair, folder, c, **more):
    """The same pipeline with a socket and a state folder of its own, as on another host."""
    return Culvert(os.path.join(folder, f"twin-{pair.name}"), c.name, pair.config(**more))


def epoch(pair):
    return pair.target_sql("select epoch from culvert.checkpoint where pipeline = 'shop'")[0][0]


def test_B8_a_second_daemon_waits_and_takes_over(pair, culvert, folder):
    c = streaming(pair, culvert, ITEMS + "; create table mark (v text); alter table mark replica identity full")
    before = epoch(pair)
    second = twin(pair, folder, c).start()
    try:
        until(lambda: "lock" in (second.status()["error"] or {"message": ""})["message"], 30, "the refusal")
        for i in range(20):
            pair.sql("insert into mark values (%s)", str(i))
        assert same(pair, c) == 120
        assert epoch(pair) == before
        assert second.status()["state"] != "streaming"
        c.kill9()
        pair.sql("insert into mark values ('after the first died')")
        second.wait(state="streaming", timeout=60)
        assert same(pair, second) == 121
        assert epoch(pair) > before
        c.start()
        until(lambda: "lock" in (c.status()["error"] or {"message": ""})["message"], 30, "the first one's refusal")
        pair.sql("insert into mark values ('one writer')")
        assert same(pair, second) == 122
    finally:
        second.destroy()


def test_B8_a_stopped_daemon_wakes_up(pair, culvert, folder):
    """Its sessions were ended and another has taken over: what it holds in memory must not be written."""
    c = streaming(pair, culvert, ITEMS + "; create table mark (v text); alter table mark replica identity full")
    second = twin(pair, folder, c)
    c.process.send_signal(signal.SIGSTOP)
    try:
        pair.sql("insert into mark select 'stopped ' || i from generate_series(1, 500) i")
        for server in (pair.source, pair.target):
            server.run("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s and "
                       "application_name like 'culvert%%'", pair.name)
        second.start()
        second.wait(state="streaming", timeout=60)
        assert same(pair, second) == 600
        held = epoch(pair)
        c.process.send_signal(signal.SIGCONT)
        pair.sql("insert into mark values ('both are awake')")
        until(lambda: c.status()["error"] or c.status()["state"] == "stopped-on-error", 60, "an error of the first")
        assert same(pair, second) == 601
        assert epoch(pair) == held
        assert c.status()["state"] != "streaming" or not c.status()["target"]["connected"]
    finally:
        c.process.send_signal(signal.SIGCONT)
        second.destroy()


@pytest.mark.long
def test_B8_own_session_ended_under_it(pair, culvert):
    c = streaming(pair, culvert, ITEMS + "; create table mark (v text); alter table mark replica identity full")
    for i in range(3):
        pair.sql("insert into mark select 'twice?' from generate_series(1, 100)")
        until(lambda: pair.target.run("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and "
                                      "application_name = 'culvert shop'", pair.name), 20, "a session")
    assert same(pair, c) == 400


@pytest.mark.long
def test_B8_pooler_in_between(pair, culvert, folder):
    import subprocess
    pgbouncer = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
    if not pgbouncer:
        pytest.skip("pgbouncer is not installed")
    from harness.servers import free_port
    port, path = free_port(), os.path.join(folder, "bouncer.ini")
    with open(path + ".users", "w") as f:
        f.write('"postgres" ""\n')
    with open(path, "w") as f:
        f.write(f"[databases]\n* = host=127.0.0.1 port={pair.target.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                f"listen_port = {port}\nauth_type = trust\nauth_file = {path}.users\npool_mode = transaction\nunix_socket_dir =\n"
                f"ignore_startup_parameters = extra_float_digits,options\n")
    bouncer = subprocess.Popen([pgbouncer, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return True
            except OSError:
                return False
        until(answers, 20, "pgbouncer")
        pair.sql(ITEMS)
        config = pair.config()
        config["target"]["uri"] = f"postgresql://postgres@127.0.0.1:{port}/{pair.name}"
        c = culvert(config).start()
        c.wait_error("pooler", timeout=20)
        assert slots(pair) == []
    finally:
        bouncer.terminate()
        bouncer.wait()


@pytest.mark.long
def test_B4_a_truncate_that_waits_does_not_stall_the_copy(pair, culvert):
    """Readers take all their locks before the first row, so a statement that queues behind them
    queues behind all of them."""
    pair.sql("""create table big (id int primary key, filler text);
        insert into big select g, repeat('x', 300) from generate_series(1, 400000) g;
        create table small (id int primary key); insert into small values (1)""")
    c = culvert(pair.config(snapshot={"workers": "2"})).start()
    until(lambda: c.status()["snapshot"]["rows_done"], 60, "rows", every=0.005)
    with pair.source.connect(pair.name) as writer, writer.cursor() as cursor:
        cursor.execute("set lock_timeout = '60s'")
        cursor.execute("truncate small")
    c.wait(lag=0)
    same(pair, c)
