"""The fence of a MySQL-family source (HAZARDS A19, B1): who may still write, what waits, and that lowering leaves no
trace. tests/faults/test_mysql.py runs the stories with MySQL."""
import os
import threading

import pymysql
import pytest

from harness.fencing import Fence
from harness.until import until
from integration.conftest import TOP, make_cross

SETUP = """
create table plain (id int auto_increment primary key, v varchar(40));
create table `odd"` (id int primary key);
insert into plain (v) values ('a'), ('b');
"""
WRITES = ["insert into plain (v) values ('x')", "update plain set v = 'x' where id = 1", "delete from plain",
          "truncate plain", "start transaction read write; insert into plain (v) values ('x'); commit",
          "create table more (id int)", "insert into `odd\"` values (1)"]
REFUSED = {1290, 3118, 4151}  # read_only; the account is locked, as each engine says it
GONE = {0, 1053, 1927, 2006, 2013, 2055, 3169}


class Shop:
    def __init__(self, cross, culvert):
        self.cross, self.server, self.name = cross, cross.source, cross.name
        server, name = self.server, self.name
        self.clean()
        for user in ("app", "strong", "closed"):
            server.run(f"create user {user}_{name} identified by ''")
        server.run(f"grant select, insert, update, delete, create, drop on `{name}`.* to app_{name};"
                   f"grant all privileges on *.* to strong_{name};"
                   f"alter user closed_{name} account lock;"
                   f"create user replica_{name} identified by ''; grant replication slave on *.* to replica_{name};"
                   f"create role role_{name}; grant select on *.* to role_{name}")
        server.run(SETUP, db=name)
        cross.grant()
        self.reverse()
        self.config = culvert(cross.config("culvert"))
        self.fence = Fence(self.config.path, [t.format(name) for t in ("{}.plain", '{}.odd"')])

    def reverse(self):
        with open(os.path.join(TOP, "conf", "mysql-reverse.sql")) as f:
            self.server.client(None, input=f"set @role = 'culvert', @host = '127.0.0.1', @database = '{self.name}';\n"
                               + f.read())

    def clean(self):
        server, name = self.server, self.name
        server.run("set global read_only = 0; set global event_scheduler = off")
        for user in ("app", "strong", "closed", "replica"):
            server.run(f"drop user if exists {user}_{name}")
        server.run(f"drop role if exists role_{name}")

    def session(self, user="app", **more):
        return self.server.connect(self.name, f"{user}_{self.name}" if user != "culvert" else user, **more)

    def dump(self):
        """What a fence could leave behind."""
        server = self.server
        users = [f"`{u}`@`{h}`" for u, h in server.run("select User, Host from mysql.user where Host <> '' "
                                                       "and User <> 'root' order by User, Host")]
        state = [server.run(f"show create user {u}")[0][0] for u in users]
        grants = [server.run(f"show grants for {u}") for u in users]
        events = server.run("select event_schema, event_name, status, definer, last_altered from information_schema.events")
        settings = server.run("select @@global.read_only, @@global.event_scheduler")
        there = server.run("select count(*) from information_schema.tables where table_schema = 'culvert' and "
                           "table_name = 'fence'")
        return state, grants, events, settings, there[0][0] and server.run("select * from culvert.fence")

    def refuses(self, user, connection=None):
        try:
            c = connection or self.session(user)
        except pymysql.MySQLError as e:
            assert e.args[0] in REFUSED, e
            return
        for sql in WRITES:
            with pytest.raises(pymysql.MySQLError) as e, c.cursor() as cursor:
                cursor.execute(sql)
                while cursor.nextset():
                    pass
            assert e.value.args[0] in REFUSED, (sql, e.value)
        c.close()


@pytest.fixture
def shop(request, culvert):
    cross = make_cross(request, "my-pg")
    s = Shop(cross, culvert)
    yield s
    s.server.end_prepared()
    s.clean()
    cross.drop()


def place(at):
    file, offset = at.split(":")
    return int(file), int(offset)


def end_of_log(server):
    file, offset = server.master()
    return int(file.rsplit(".")[-1]), offset


def nobody_writes(shop):
    before = shop.dump()
    kept = {user: shop.session(user) for user in ("app", "strong")}
    kept["app"].cursor().execute("insert into plain (v) values ('before')")
    rows = shop.server.run("select count(*) from plain", db=shop.name)
    assert not shop.fence.is_up() and "not up" in shop.fence.proof()
    at, ended = shop.fence.up()
    assert ended >= 2 and shop.fence.is_up() and shop.fence.proof() == ""
    assert place(at) <= end_of_log(shop.server)
    for user, c in kept.items():
        with pytest.raises(pymysql.MySQLError) as e:
            c.cursor().execute("insert into plain (v) values ('x')")
        assert e.value.args[0] in GONE | REFUSED, e.value
        with pytest.raises(pymysql.MySQLError) as e:
            shop.session(user)
        assert e.value.args[0] in REFUSED, e.value
    shop.server.run(f"alter user app_{shop.name} account unlock")
    shop.refuses("app")
    assert shop.fence.proof() == ""
    assert shop.server.run("select count(*) from plain", db=shop.name) == rows
    c = shop.session("culvert")
    c.cursor().execute("insert into plain (v) values ('ours')")
    shop.fence.down()
    assert shop.dump()[:4] == before[:4] and not shop.dump()[4]
    for user in ("app", "strong"):
        shop.session(user).cursor().execute("insert into plain (v) values ('after')")
    with pytest.raises(pymysql.MySQLError):
        shop.session("closed")
    shop.fence.down()


def test_A19_nobody_writes_until_it_is_lowered(shop):
    nobody_writes(shop)


def open_writer(shop):
    writer = shop.session(autocommit=False)
    writer.cursor().execute("insert into plain (v) values ('open')")
    raising = shop.fence.start("raise", timeout=30)
    until(lambda: shop.dump()[4] and f"'app_{shop.name}'@'%'" in str(shop.dump()[4]), 20, "its beginning")
    assert raising.poll() is None
    writer.commit()
    out, err = raising.communicate(timeout=40)
    assert raising.returncode == 0, err
    assert shop.server.run("select count(*) from plain where v = 'open'", db=shop.name) == [(1,)]
    assert shop.fence.proof() == ""
    shop.fence.down()


def test_B1_it_waits_for_an_open_writer(shop):
    open_writer(shop)


def open_in_vain(shop):
    before = shop.dump()
    writer = shop.session(autocommit=False)
    writer.cursor().execute("insert into plain (v) values ('open')")
    error = shop.fence.refused(timeout=1)
    assert error.startswith("retry: ") and "not fenced within 1 s" in error and f"app_{shop.name}" in error, error
    assert not shop.fence.is_up() and shop.dump()[:4] == before[:4] and not shop.dump()[4]
    writer.cursor().execute("insert into plain (v) values ('goes on')")
    writer.commit()
    assert shop.server.run("select count(*) from plain where v in ('open', 'goes on')", db=shop.name) == [(2,)]


def test_B1_an_open_writer_is_waited_for_in_vain(shop):
    open_in_vain(shop)


def prepared(shop):
    before = shop.dump()
    c = shop.session()
    c.cursor().execute("xa start 'it'; insert into plain (v) values ('p'); xa end 'it'; xa prepare 'it'")
    c.close()
    assert any("XA transactions are prepared" in text for _, text, _ in shop.fence.findings("error"))
    assert "1 XA transactions are prepared" in shop.fence.refused()
    assert shop.dump()[:4] == before[:4] and not shop.dump()[4]
    shop.server.run("xa rollback 'it'")
    shop.fence.up()
    shop.fence.down()


def test_A19_a_prepared_transaction(shop):
    prepared(shop)


def events(shop):
    """An event whose definer passes read_only."""
    shop.server.run("set global event_scheduler = on")
    shop.server.run(f"create definer = strong_{shop.name} event tick on schedule every 1 second do "
                    "insert into plain (v) values ('tick')", db=shop.name)
    shop.server.run("grant super on *.* to culvert@'127.0.0.1'")
    def ticks():
        return shop.server.run("select count(*) from plain where v = 'tick'", db=shop.name)[0][0]
    until(lambda: ticks() > 0, 20, "the event")
    before = shop.dump()
    shop.fence.up()
    n = ticks()
    assert shop.fence.proof() == ""
    shop.server.run("do sleep(2.5)")
    assert ticks() == n
    shop.fence.down()
    assert shop.dump()[:4] == before[:4]
    until(lambda: ticks() > n, 20, "the event again")
    shop.server.run("drop event tick", db=shop.name)


def test_A19_an_event_of_a_strong_definer(shop):
    events(shop)


def lifted(shop):
    shop.fence.up()
    for lift, back, said in [
            ("set global read_only = 0", "set global read_only = 1", "read_only is off"),
            ("set global event_scheduler = on", "set global event_scheduler = off", "events are on"),
            (f"alter user strong_{shop.name} account unlock", f"alter user strong_{shop.name} account lock",
             f"account 'strong_{shop.name}'@'%' is open")]:
        shop.server.run(lift)
        assert said in shop.fence.proof()
        shop.server.run(back)
        assert shop.fence.proof() == ""
    shop.server.run("set global read_only = 0")
    shop.fence.up()
    assert shop.fence.proof() == ""
    shop.fence.down()


def test_somebody_lifts_it(shop):
    lifted(shop)


def checked(shop):
    assert shop.fence.findings("error") == []
    grants = [r[0] for r in shop.server.run("show grants for culvert@'127.0.0.1'")]
    own = shop.server.connect(shop.name, "culvert", program_name="shop")
    kept = [shop.session(autocommit=False), shop.server.connect()]
    assert any("open as root" in text for _, text, _ in shop.fence.findings("warning"))
    shop.server.run("revoke create user on *.* from culvert@'127.0.0.1'; revoke process on *.* from culvert@'127.0.0.1';"
                    "revoke select, insert, update, delete, create, alter, index, references, drop on culvert.* from "
                    "culvert@'127.0.0.1'")
    found = {mend: text for _, text, mend in shop.fence.findings("error")}
    assert "grant CREATE USER on *.* to `culvert`@`127.0.0.1`" in found
    assert "grant PROCESS on *.* to `culvert`@`127.0.0.1`" in found
    assert any("on culvert.* to" in mend for mend in found)
    shop.reverse()
    assert [r[0] for r in shop.server.run("show grants for culvert@'127.0.0.1'")] == grants
    for c in (*kept, own):
        c.close()


def test_what_the_check_finds(shop):
    checked(shop)


def kill_everywhere(shop, faults, every=1):
    before = shop.dump()
    shop.fence.environment = faults.environment
    shop.fence.up()
    sent = faults.passed()["send"]
    shop.fence.down()
    lowered = faults.passed()["send"] - sent
    assert sent > 5 and lowered > 5
    for action, n in (("raise", sent), ("lower", lowered)):
        for i in range(1, n + 1, every):
            if action == "lower":
                shop.fence.up()
            faults.kill("send", i)
            assert shop.fence.call(action).returncode == -9
            faults.kill("send", 0)
            if i % 2:
                shop.fence.up()
                assert shop.fence.proof() == ""
                shop.refuses("strong")
            shop.fence.down()
            assert shop.dump()[:4] == before[:4] and not shop.dump()[4], (action, i)


@pytest.mark.long
def test_kill9_between_any_two_statements(shop, faults):
    kill_everywhere(shop, faults)


def acknowledged(shop):
    """Writers of both kinds of accounts; what was acknowledged is there, and no row comes after the position."""
    shop.server.run("flush binary logs")
    done, errors = [], []

    def work(n, user):
        c = shop.session(user)
        with c.cursor() as cursor:
            for i in range(100000):
                try:
                    cursor.execute("insert into plain (v) values (%s)", (f"w{n} {i}",))
                    done.append(f"w{n} {i}")
                except Exception as e:
                    errors.append(e)
                    return

    threads = [threading.Thread(target=work, args=(n, user)) for n, user in enumerate(["app", "strong", "app", "strong"])]
    for t in threads:
        t.start()
    until(lambda: len(done) > 100, 20, "some writes")
    at, _ = shop.fence.up()
    for t in threads:
        t.join(20)
    assert len(errors) == 4
    for e in errors:
        assert e.args[0] in GONE | REFUSED, e
    there = {v for v, in shop.server.run("select v from plain where v like 'w%%'", db=shop.name)}
    assert set(done) <= there
    file = shop.server.binlogs()[-1]
    log = shop.server.run(f"show binlog events in '{file}'")
    rows = [r[4] for r in log if r[2].lower().startswith(("write_rows", "delete_rows", "update_rows"))]
    tables = [(r[1], r[5]) for r in log if r[2] == "Table_map"]
    ours = [place for place, text in tables if f"{shop.name}.plain" in text]
    assert rows and ours and max(ours) < int(at.split(":")[1])
    shop.fence.down()


def test_no_acknowledged_write_comes_after_the_position(shop):
    acknowledged(shop)


def stream_goes_on(shop):
    """culvert's own sessions are not ended, and what the fence does stands in the log without harm."""
    c = shop.config.start()
    c.wait(lag=0)
    shop.session().cursor().execute("insert into plain (v) values ('streamed')")
    at, _ = shop.fence.up()
    until(lambda: place(c.status()["source"]["position"].split()[0]) >= place(at), 20, "the position")
    c.wait(lag=0)
    assert shop.cross.target_sql("select count(*) from plain where v = 'streamed'") == [(1,)]
    assert c.status()["state"] == "streaming" and shop.fence.proof() == ""
    shop.fence.down()
    shop.session().cursor().execute("insert into plain (v) values ('again')")
    c.wait(lag=0)
    assert shop.cross.target_sql("select count(*) from plain where v = 'again'") == [(1,)]
    c.stop()


def test_the_stream_goes_on_to_the_position_and_beyond(shop):
    stream_goes_on(shop)
