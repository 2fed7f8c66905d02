"""The fence of a PostgreSQL source (HAZARDS A19, B1): who may still write, what waits, and that lowering leaves no
trace."""
import os
import subprocess
import threading

import psycopg2
import pytest

from harness.fencing import Fence
from harness.until import until
from integration.conftest import TOP

TABLES = ["public.plain", "public.parts", 'public.Odd "name']
SETUP = """
create table plain (id serial primary key, v text);
create table parts (id int, at date, v int, primary key (id, at)) partition by range (at);
create table parts_1 partition of parts for values from ('2020-01-01') to ('2021-01-01');
create table parts_2 partition of parts for values from ('2021-01-01') to ('2022-01-01') partition by list (id);
create table parts_2a partition of parts_2 default;
create table "Odd ""name" (id int primary key);
create table beside (id int);
insert into plain (v) values ('a'), ('b');
insert into parts values (1, '2020-05-05', 1), (2, '2021-05-05', 2);
"""
WRITES = ["insert into plain (v) values ('x')", "update plain set v = 'x' where id = 1", "delete from plain",
          "truncate plain", "insert into parts values (9, '2020-06-06', 0)", "update parts_1 set v = 7",
          "delete from parts_2a", "truncate parts_2", 'insert into "Odd ""name" values (1)',
          "with w as (insert into plain (v) values ('x') returning id) select * from w",
          "begin transaction read write; insert into plain (v) values ('x'); commit",
          "copy plain (v) from program 'echo x'"]
PATH = os.path.join(TOP, "conf", "postgresql-reverse.sql")


class Shop:
    def __init__(self, pair, culvert, connect=True):
        self.pair = pair
        self.app, self.owner = f"app_{pair.name}", f"owner_{pair.name}"
        server = pair.source
        server.run(f"create role {self.app} login; create role {self.owner} login")
        pair.sql(f"alter schema public owner to {self.owner}; grant usage on schema public to {self.app}")
        server.run(f"alter database {pair.name} owner to {self.owner}")
        server.run(SETUP, db=pair.name, user=self.owner)
        server.run(f"grant select, insert, update, delete, truncate on all tables in schema public to {self.app};"
                   f"grant usage on all sequences in schema public to {self.app};"
                   f"grant pg_execute_server_program to {self.app}, {self.owner}", db=pair.name)
        pair.grant()
        variables = {"role": "culvert", "database": pair.name, "schemas": "public"}
        if connect:
            variables["connect"] = "yes"
        server.psql(pair.name, *[x for k, v in variables.items() for x in ("-v", f"{k}={v}")], "-f", PATH)
        self.config = culvert(pair.config("culvert", tables={"exclude": "public.beside"}))
        self.fence = Fence(self.config.path, TABLES)

    def session(self, user=None, **more):
        return self.pair.source.connect(self.pair.name, user or self.app, **more)

    def dump(self):
        """What a fence could leave behind. Without culvert's own schema, and with the rights to connect as a set:
        none given means the same as the default."""
        text = subprocess.run([os.path.join(self.pair.source.bin, "pg_dump"), "--schema-only", "-N", "culvert", "-h",
                               "127.0.0.1", "-p", str(self.pair.source.port), "-U", "postgres", self.pair.name],
                              check=True, text=True, stdout=subprocess.PIPE).stdout
        lines = [x for x in text.splitlines() if not x.startswith(("\\restrict", "\\unrestrict"))]
        acl = self.pair.sql("select a::text from pg_database d, unnest(coalesce(datacl, acldefault('d', datdba))) a "
                            "where datname = current_database() order by 1")
        own = self.pair.sql("select proname from pg_proc where proname like 'fence%'")
        notes = self.pair.sql("select to_regclass('culvert.fence') is not null")[0][0]
        return lines, acl, own, notes and self.pair.sql("select * from culvert.fence")

    def refuses(self, user=None, connection=None):
        """Each way to write, by a session that has been there before; none changes anything."""
        c = connection or self.session(user)
        for sql in WRITES:
            with pytest.raises(psycopg2.Error) as e, c.cursor() as cursor:
                cursor.execute(sql)
            assert e.value.pgcode == "25006", (sql, e.value)
            assert "culvert pipeline shop" in str(e.value) and "Connect to the new server" in str(e.value)
            c.cursor().execute("rollback")


@pytest.fixture
def shop(pair, culvert, request):
    s = Shop(pair, culvert, connect=getattr(request, "param", "") != "no connect")
    yield s
    pair.sql("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
             pair.name)
    pair.source.run("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", pair.name)
    pair.source.run(f"drop database {pair.name} with (force)")
    pair.source.run(f"create database {pair.name}")
    pair.source.run(f"revoke pg_execute_server_program from {s.app}, {s.owner}; drop role {s.app}; drop role {s.owner}")


def lsn(shop, text):
    return shop.pair.source.run("select %s::pg_lsn - '0/0'", text)[0][0]


def test_A19_nobody_writes_until_it_is_lowered(shop):
    before = shop.dump()
    open_before = shop.session()
    open_before.cursor().execute("insert into plain (v) values ('before')")
    rows = shop.pair.sql("select count(*) from plain")
    assert shop.fence.is_up() is False and "not up" in shop.fence.proof()
    at, ended = shop.fence.up()
    assert ended >= 1 and shop.fence.is_up() and shop.fence.proof() == ""
    assert lsn(shop, at) <= shop.pair.source.run("select pg_current_wal_flush_lsn() - '0/0'")[0][0]
    with pytest.raises(psycopg2.OperationalError):
        open_before.cursor().execute("select 1")
    for user in (shop.app, shop.owner):
        with pytest.raises(psycopg2.OperationalError) as e:
            shop.session(user)
        assert "permission denied for database" in str(e.value)
    shop.refuses("postgres")
    assert shop.pair.sql("select count(*) from plain") == rows
    shop.pair.sql("insert into beside values (1)")
    shop.fence.down()
    assert shop.dump()[:3] == before[:3] and shop.dump()[3] == []
    for user in (shop.app, shop.owner):
        shop.session(user).cursor().execute("insert into plain (v) values ('after'); truncate parts_2")
    shop.fence.down()


@pytest.mark.parametrize("shop", ["no connect"], indirect=True)
def test_A19_the_triggers_alone_hold(shop):
    """Where CONNECT cannot be revoked, sessions come again at once."""
    assert any("may not revoke CONNECT" in text for level, text, _ in shop.fence.findings("warning"))
    before = shop.dump()
    shop.fence.up()
    shop.refuses()
    shop.refuses(shop.owner)
    shop.fence.down()
    assert shop.dump()[:3] == before[:3]
    shop.session().cursor().execute("insert into plain (v) values ('after')")


def test_B1_what_passes(shop):
    """The reverse stream: the replica role; and culvert's own role and name where it may not set that."""
    shop.fence.up()
    c = shop.session("culvert", application_name="culvert shop")
    c.cursor().execute("insert into plain (v) values ('ours'); update parts set v = 5; truncate parts_2a")
    with pytest.raises(psycopg2.Error):
        shop.session("culvert").cursor().execute("insert into plain (v) values ('not ours')")
    c = shop.session("culvert")
    c.cursor().execute("set session_replication_role = replica; insert into plain (v) values ('replica')")
    assert shop.pair.sql("select v from plain where v in ('ours', 'not ours', 'replica') order by 1") == \
        [("ours",), ("replica",)]
    with pytest.raises(psycopg2.Error):
        shop.session("postgres", application_name="culvert shop").cursor().execute("delete from plain")
    shop.fence.down()


def test_B1_it_waits_for_an_open_writer(shop):
    writer = shop.session(autocommit=False)
    writer.cursor().execute("insert into plain (v) values ('open')")
    raising = shop.fence.start("raise", timeout=30)
    until(lambda: shop.pair.sql("select count(*) from pg_stat_activity where application_name = 'culvert shop' and "
                                "wait_event_type = 'Lock'") == [(1,)], 20, "the barrier")
    assert raising.poll() is None
    writer.commit()
    out, err = raising.communicate(timeout=30)
    assert raising.returncode == 0, err
    committed = shop.pair.sql("select count(*) from plain where v = 'open'")
    assert committed == [(1,)] and shop.fence.proof() == ""
    shop.fence.down()


def test_B1_an_open_writer_is_waited_for_in_vain(shop):
    """Everything is as before, and the writer goes on."""
    before = shop.dump()
    writer = shop.session(autocommit=False)
    cursor = writer.cursor()
    cursor.execute("insert into parts values (3, '2020-03-03', 3)")
    error = shop.fence.refused(timeout=1)
    assert error.startswith("retry: ") and "not fenced within 1 s" in error and shop.app in error, error
    assert "parts" in error
    assert not shop.fence.is_up() and shop.dump()[:3] == before[:3] and shop.dump()[3] == []
    cursor.execute("update parts set v = 4 where id = 3")
    writer.commit()


def test_B1_two_orders_of_locks(shop):
    """A transaction that takes the tables in the other order: the attempts come to its order."""
    stop, errors, done = threading.Event(), [], []

    def work(n):
        c = shop.session(autocommit=False)
        with c.cursor() as cursor:
            while not stop.is_set():
                try:
                    cursor.execute('insert into "Odd ""name" values (%s)', (len(done) * 10 + n + 1000 * len(errors),))
                    cursor.execute("update parts set v = v + 1 where id = 2")
                    cursor.execute("insert into plain (v) values ('w')")
                    c.commit()
                    done.append(1)
                except psycopg2.errors.UniqueViolation:
                    c.rollback()
                except psycopg2.Error as e:
                    errors.append(e)
                    return

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    until(lambda: len(done) > 20, 20, "some transactions")
    shop.fence.up(timeout=20)
    rows = shop.pair.sql("select count(*) from plain where v = 'w'")
    stop.set()
    for t in threads:
        t.join(20)
    assert not [e for e in errors if e.pgcode == "40P01"]
    assert shop.pair.sql("select count(*) from plain where v = 'w'") == rows and rows[0][0] >= len(done)
    shop.fence.down()


def test_A19_a_prepared_transaction(shop):
    before = shop.dump()
    c = shop.session(autocommit=False)
    c.cursor().execute("insert into plain (v) values ('p'); prepare transaction 'it''s'")
    c.close()
    level, text, mend = [f for f in shop.fence.findings() if "prepared" in f[1]][0]
    assert level == "error" and "'it's'" in text and mend.startswith("commit prepared 'it''s'")
    assert "a prepared transaction" in shop.fence.refused(timeout=0.5)
    assert shop.dump()[:3] == before[:3]
    shop.pair.sql("rollback prepared 'it''s'")
    shop.fence.up()
    shop.fence.down()


def test_somebody_lifts_it(shop):
    lifts = [("alter table plain disable trigger user", "alter table plain enable trigger user", "is disabled"),
             ("alter table parts_2a disable trigger all", "alter table parts_2a enable trigger all", "parts_2a"),
             ("alter table plain enable replica trigger culvert_fence_shop",
              "alter table plain enable trigger culvert_fence_shop", "is disabled"),
             ("create table parts_3 partition of parts for values from ('2022-01-01') to ('2023-01-01')",
              "drop table parts_3", "no trigger at table public.parts_3")]
    shop.fence.up()
    for lift, back, said in lifts:
        shop.pair.sql(lift)
        why = shop.fence.proof()
        assert said in why and "does not hold" in why, why
        shop.pair.sql(back)
        assert shop.fence.proof() == ""
    shop.pair.sql("drop trigger culvert_fence_shop on plain")
    assert "no trigger at table public.plain" in shop.fence.proof()
    shop.fence.up()
    assert shop.fence.proof() == ""
    shop.pair.sql("drop table plain")
    assert "does not hold: the source has no table public.plain any more" in shop.fence.proof()
    shop.fence.down()


def test_rights_to_connect_come_back_as_they_were(shop):
    """Given on, by others than the owner, to roles that have others."""
    s, db = shop.pair.source, shop.pair.name
    s.run(f"create role {db}_a; create role {db}_b; create role {db}_c")
    try:
        s.run(f"revoke connect on database {db} from public; grant connect on database {db} to {db}_a with grant option;"
              f"grant temporary on database {db} to {db}_b; revoke connect on database {db} from culvert")
        s.run(f"set role {db}_a; grant connect on database {db} to {db}_b")
        s.run(f"grant connect on database {db} to culvert")
        s.run(f"grant {db}_a to culvert")
        before = shop.dump()
        shop.fence.up()
        assert s.run("select has_database_privilege(%s, %s, 'connect')", f"{db}_b", db) == [(False,)]
        s.run(f"drop role {db}_c")
        shop.fence.down()
        assert shop.dump()[:3] == before[:3]
    finally:
        s.run(f"drop owned by {db}_a, {db}_b; revoke all on database {db} from {db}_a, {db}_b cascade; drop role {db}_a, {db}_b",
              db=db)


@pytest.mark.long
def test_a_reader_holds_up_only_the_last_of_it(shop):
    """Dropping a trigger waits for readers; applications do not."""
    before = shop.dump()
    shop.fence.up()
    reader = shop.session("postgres", autocommit=False)
    reader.cursor().execute("select * from plain")
    r = shop.fence.call("lower", timeout=0.5)
    assert r.returncode == 3 and "applications write again" in r.stderr
    assert not shop.fence.is_up()
    shop.session().cursor().execute("insert into plain (v) values ('after')")
    shop.fence.refused(timeout=0.5)
    reader.commit()
    shop.fence.down()
    assert shop.dump()[:3] == before[:3] and shop.dump()[3] == []


@pytest.mark.parametrize("shop", ["no connect"], indirect=True)
def test_what_the_check_finds(shop):
    errors = [text for _, text, _ in shop.fence.findings("error")]
    assert errors == []
    kept = [shop.session(autocommit=False), shop.session(shop.owner), shop.session("postgres"), shop.session("culvert")]
    shop.pair.source.run("revoke trigger on beside, plain from culvert; revoke pg_signal_backend from culvert",
                         db=shop.pair.name)
    found = {text: (level, mend) for level, text, mend in shop.fence.findings()}

    def one(part):
        assert [t for t in found if part in t], (part, found)
        return [found[t] for t in found if part in t][0]

    assert one("may not create triggers on public.plain") == (
        "error", 'grant trigger on "public"."plain" to culvert; -- and usage on its schema')
    assert one("may not end sessions") == ("warning", "grant pg_signal_backend to culvert")
    assert one("superuser postgres")[0] == "warning"
    assert one("own tables and may disable")[0] == "warning"
    assert one("by culvert's own role")[0] == "error"
    for c in kept:
        c.close()
    shop.pair.source.run("grant pg_signal_backend to culvert")


@pytest.mark.long
def test_kill9_between_any_two_statements(shop, faults):
    """The process dies before each thing that it sends, in turn; what is there then is lowered, or raised."""
    before = shop.dump()
    shop.fence.environment = faults.environment
    shop.fence.up()
    sent = faults.passed()["send"]
    shop.fence.down()
    lowered = faults.passed()["send"] - sent
    assert sent > 5 and lowered > 5
    for i in range(1, sent + 1):
        faults.kill("send", i)
        assert shop.fence.call("raise").returncode == -9
        faults.kill("send", 0)
        if i % 2:
            shop.fence.up()
            assert shop.fence.proof() == ""
            shop.refuses("postgres")
        shop.fence.down()
        assert shop.dump()[:3] == before[:3] and shop.dump()[3] == []
    for i in range(1, lowered + 1):
        shop.fence.up()
        faults.kill("send", i)
        assert shop.fence.call("lower").returncode == -9
        faults.kill("send", 0)
        if i % 2:
            shop.fence.up()
            shop.refuses("postgres")
        shop.fence.down()
        assert shop.dump()[:3] == before[:3] and shop.dump()[3] == []


def test_no_acknowledged_write_comes_after_the_position(shop):
    """By the log itself: a slot that is read to its end has the acknowledged writes up to the position and none behind."""
    s, db = shop.pair.source, shop.pair.name
    s.run("select pg_create_logical_replication_slot(%s, 'pgoutput')", f"{db}_log", db=db)
    acknowledged, errors = [], []

    def work(n):
        c = shop.session()
        with c.cursor() as cursor:
            for i in range(100000):
                try:
                    cursor.execute("insert into plain (v) values (%s)", (f"w{n} {i}",))
                    acknowledged.append(f"w{n} {i}")
                except psycopg2.Error as e:
                    errors.append(e)
                    return

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    until(lambda: len(acknowledged) > 100, 20, "some writes")
    at, _ = shop.fence.up()
    for t in threads:
        t.join(20)
    assert len(errors) == 4
    for e in errors:
        assert e.pgcode in ("25006", "57P01", None), (e.pgcode, e)
    there = {v for v, in shop.pair.sql("select v from plain where v like 'w%%'")}
    assert set(acknowledged) <= there
    last = s.run("select max(lsn - '0/0') from pg_logical_slot_get_binary_changes(%s, null, null, 'proto_version', '1', "
                 "'publication_names', %s) where get_byte(data, 0) = ascii('I')", f"{db}_log", "culvert_shop", db=db)[0][0]
    assert last is not None and last < lsn(shop, at)
    s.run("select pg_drop_replication_slot(%s)", f"{db}_log")
    shop.fence.down()


def test_the_stream_goes_on_to_the_position_and_beyond(shop):
    """culvert's own sessions are not ended, and the log of an idle server gets to the position by itself."""
    c = shop.config.start()
    c.wait(lag=0)
    shop.session().cursor().execute("insert into plain (v) values ('streamed')")
    at, _ = shop.fence.up()
    until(lambda: lsn(shop, c.status()["source"]["position"]) >= lsn(shop, at), 20, "the position")
    c.wait(lag=0)
    assert shop.pair.target_sql("select count(*) from plain where v = 'streamed'") == [(1,)]
    assert c.status()["state"] == "streaming" and shop.fence.proof() == ""
    shop.fence.down()
    shop.session().cursor().execute("insert into plain (v) values ('again')")
    c.wait(lag=0)
    assert shop.pair.target_sql("select count(*) from plain where v = 'again'") == [(1,)]
    assert "connection" not in str(c.status()["error"])
    c.stop()
