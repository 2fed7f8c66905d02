"""Cutover and rollback: the other side takes the lead, and no write is lost."""
import json
import os
import signal
import subprocess

import pytest

from harness.ledger import TABLE, Ledger
from harness.until import until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLES = "create table t (id int primary key, v varchar(40)); insert into t values (1, 'one'), (2, 'two')"


def is_my(server):
    return hasattr(server, "engine")


def admin(server, app):
    """Culvert's own role: that of an application must be another one."""
    if is_my(server):
        server.run("create user if not exists cutter@'%' identified by ''; grant all on *.* to cutter@'%' "
                   f"with grant option; create user {app} identified by ''; grant all on *.* to {app}")
    else:
        if not server.run("select 1 from pg_roles where rolname = 'cutter'"):
            server.run("create role cutter superuser login")
        server.run(f"create role {app} login")


def open_again(server, app):
    """A fence that a test left."""
    if is_my(server):
        server.run(f"set global read_only = 0; drop user if exists cutter@'%'; drop user {app}")
        for user, host in server.run("select user, host from mysql.user where user not in ('root', 'mysql') "
                                     "and user not like '%.sys' and host <> ''"):
            server.run(f"alter user '{user}'@'{host}' account unlock")


def dress(shop, culvert):
    """Roles, tables, and a pipeline that is not started."""
    shop.app = f"app_{shop.name}"
    for server in (shop.source, shop.target):
        admin(server, shop.app)
    shop.sql(TABLES)
    shop.sql(TABLE)
    shop.culvert = culvert(shop.config("cutter"))
    return shop


def undress(shop):
    shop.culvert.destroy()
    for server in (shop.source, shop.target):
        open_again(server, shop.app)


@pytest.fixture
def shop(every_way, culvert):
    yield dress(every_way, culvert)
    undress(every_way)


@pytest.fixture
def ready(shop):
    return make_ready(shop)


def let_in(shop):
    """The application's role writes to the tables that are there now."""
    for server in (shop.source, shop.target):
        if not is_my(server):
            server.run(f"grant all on all tables in schema public to {shop.app}", db=shop.name)


def make_ready(shop):
    """It streams, and is verified."""
    shop.culvert.start()
    shop.culvert.wait(lag=0)
    let_in(shop)
    if not is_my(shop.target):
        shop.target.run(f"grant usage on schema culvert to {shop.app}; grant select on culvert.state to {shop.app}",
                        db=shop.name)
    verify(shop.culvert)
    return shop


def app(shop, side):
    return getattr(shop, side).connect(shop.name, user=shop.app)


def write(shop, side, sql):
    """As the application."""
    connection = app(shop, side)
    try:
        with connection.cursor() as c:
            c.execute(sql)
    finally:
        connection.close()


def refuses(shop, side):
    with pytest.raises(Exception) as raised:
        write(shop, side, "insert into t values (1000, 'must not be')")
    return str(raised.value)


def verify(c):
    c.ctl("verify", "start")
    until(lambda: json.loads(c.ctl("verify", "status", "--json").stdout)["state"] == "done", 60, "verify")


def walk(c, *command, code=0):
    r = c.ctl(*command, "--json", check=False)
    assert r.returncode == code, r.stdout + r.stderr + c.log_text()[-6000:]
    return json.loads(r.stdout) if r.stdout else r.stderr


def rows(sql):
    return sql("select id, v from t order by id")


def equal(shop):
    shop.culvert.wait(lag=0)
    assert rows(shop.sql) == rows(shop.target_sql)
    return rows(shop.sql)


def test_there_and_back(ready):
    shop, c = ready, ready.culvert
    shop.sql("insert into t values (3, 'before')")
    r = walk(c, "cutover", "--yes")
    assert r["result"] == "done" and all(g["verdict"] == "go" for g in r["gates"])
    assert [s["step"] for s in r["steps"]] == ["gates", "counters ahead", "announce", "fence", "drain", "stop", "counters", "position",
                                              "release", "stream"]
    c.wait(state="reversed")
    refuses(shop, "source")
    write(shop, "target", "insert into t values (4, 'on the target')")
    write(shop, "target", "update t set v = 'changed' where id = 1")
    assert equal(shop) == [(1, "changed"), (2, "two"), (3, "before"), (4, "on the target")]
    s = c.status()
    assert (s["state"], s["phase"], s["direction"]) == ("reversed", "reversed", "reverse")
    verify(c)
    assert walk(c, "rollback", "--yes")["result"] == "done"
    c.wait(state="streaming")
    refuses(shop, "target")
    write(shop, "source", "insert into t values (5, 'back')")
    write(shop, "source", "delete from t where id = 2")
    assert equal(shop) == [(1, "changed"), (3, "before"), (4, "on the target"), (5, "back")]
    assert c.status()["direction"] == "forward"
    verify(c)
    assert walk(c, "cutover", "--yes")["result"] == "done"
    c.wait(state="reversed")
    write(shop, "target", "insert into t values (6, 'again')")
    assert (6, "again") in equal(shop)
    assert c.status()["state"] == "reversed"


@pytest.mark.long
def test_state_for_applications(ready):
    shop, c = ready, ready.culvert
    ask = "select state, phase, direction from culvert.state where pipeline = 'shop'"
    walk(c, "cutover", "--yes")
    c.wait(state="reversed")
    for sql in (shop.sql, shop.target_sql):
        assert until(lambda: sql(ask) == [("reversed", "reversed", "reverse")], 10, "the row")


def test_over_restarts(ready):
    """The folder, or the databases alone, say which way it goes."""
    shop, c = ready, ready.culvert
    walk(c, "cutover", "--yes")
    c.wait(state="reversed")
    c.terminate()
    write(shop, "target", "insert into t values (4, 'meanwhile')")
    c.start()
    assert (4, "meanwhile") in equal(shop)
    c.kill9()
    write(shop, "target", "insert into t values (5, 'meanwhile')")
    subprocess.run(["rm", "-r", c.config["pipeline"]["state_dir"]], check=True)
    c.start()
    assert (5, "meanwhile") in equal(shop)
    assert c.status()["state"] == "reversed"


def test_folder_of_other_databases(shop):
    """It says that the target led there: what the databases say counts."""
    state = shop.culvert.config["pipeline"]["state_dir"]
    os.makedirs(state, mode=0o700)
    with open(os.path.join(state, "direction"), "w") as f:
        f.write("reverse\n")
    shop.culvert.start()
    shop.culvert.wait(state="streaming")
    shop.sql("insert into t values (3, 'forward')")
    assert len(equal(shop)) == 3


def grant_way_back(shop):
    """What the role needs more for a cutover, on each side."""
    for server in (shop.source, shop.target):
        if is_my(server):
            for file in ("mysql-source.sql", "mysql-target.sql", "mysql-reverse.sql"):
                with open(os.path.join(TOP, "conf", file)) as f:
                    server.client(None, input=f"set @role = 'culvert', @host = '127.0.0.1', "
                                              f"@database = '{shop.name}';\n" + f.read())
            server.run("alter user culvert@'127.0.0.1' identified by '' account unlock")
        else:
            common = ["-v", "role=culvert", "-v", f"database={shop.name}", "-v", "schemas=public"]
            publication = "culvert_shop" + ("" if server is shop.source else "_reverse")
            server.psql(shop.name, *common, "-v", f"publication={publication}", "-f",
                        os.path.join(TOP, "conf", "postgresql-source.sql"))
            server.psql(shop.name, *common, "-v", "connect=1", "-f",
                        os.path.join(TOP, "conf", "postgresql-reverse.sql"))


def test_with_the_least_rights(shop, culvert):
    shop.grant()
    c = shop.culvert = culvert(shop.config("culvert")).start()
    c.wait(lag=0)
    grant_way_back(shop)
    verify(c)
    for command, state in (("cutover", "reversed"), ("rollback", "streaming")):
        assert walk(c, command, "--yes", "--override", "verification")["result"] == "done"
        assert c.status()["state"] == state
    shop.sql("insert into t values (3, 'back')")
    assert len(equal(shop)) == 3


@pytest.mark.long
def test_without_the_rights(shop, culvert):
    """Each that is missing is named, and nothing has changed."""
    shop.grant(role=f"weak_{shop.name}")
    config = shop.config("culvert")
    for side in ("source", "target"):
        if not is_my(getattr(shop, side)):
            config[side]["uri"] = getattr(shop, side).uri(shop.name, f"weak_{shop.name}")
    c = shop.culvert = culvert(config).start()
    c.wait(lag=0)
    r = walk(c, "cutover", "--yes", "--override", "verification", code=4)
    assert gates(r)["reverse"] == "no-go" or gates(r)["fence"] == "no-go"
    shop.sql("insert into t values (3, 'goes on')")
    assert len(equal(shop)) == 3


def gates(r):
    return {g["gate"]: g["verdict"] for g in r["gates"]}


def test_gates_say_no(shop, tmp_path):
    """Nothing has changed then."""
    c = shop.culvert
    program = tmp_path / "gate"
    program.write_text("#!/bin/sh\necho no backup >&2; exit 3\n")
    program.chmod(0o755)
    c.config["cutover"] = {"hook.gate": str(program)}
    c.write()
    c.start()
    c.wait(lag=0)
    r = walk(c, "cutover", "--yes", code=4)
    assert r["result"] == "refused" and gates(r)["verification"] == gates(r)["hook"] == "no-go"
    assert "no backup" in r["error"] and "verify start" in r["error"]
    shop.sql("insert into t values (3, 'still here')")
    assert len(equal(shop)) == 3
    verify(c)
    r = walk(c, "cutover", "--rehearse", "--override", "hook")
    assert gates(r)["hook"] == "overridden" and gates(r)["reverse"] == "go"
    shop.sql("create table fresh (id int primary key)")
    c.ctl("tables")
    until(lambda: "new" in c.ctl("tables").stdout, 30, "the new table")
    assert gates(walk(c, "cutover", "--yes", "--override", "hook", code=4))["copy"] == "no-go"
    c.ctl("pause")
    r = walk(c, "cutover", "--yes", code=4)
    assert gates(r)["stream"] == "no-go" and "paused" in r["error"]
    assert "no gate 'lags'" in walk(c, "cutover", "--yes", "--override", "lags", code=4)
    assert "nothing to roll back" in walk(c, "rollback", "--yes", code=4)
    c.ctl("resume")
    shop.sql("insert into t values (4, 'still here')")
    assert len(equal(shop)) == 4


def test_rehearsal_changes_nothing(ready):
    shop, c = ready, ready.culvert
    for _ in range(2):
        r = walk(c, "cutover", "--rehearse")
        assert r["rehearsal"] and r["result"] == "done" and r["pause_seconds"] < 60
    assert c.status()["state"] == "streaming"
    assert not slots(shop.target, shop.name)  # one would hold its log back for ever
    write(shop, "source", "insert into t values (3, 'goes on')")
    assert (3, "goes on") in equal(shop)


def slots(server, db):
    if is_my(server):
        return []
    return server.run("select slot_name from pg_replication_slots where database = %s", db)


def hold(shop, side="source"):
    """A transaction that stays open."""
    connection = app(shop, side)
    cursor = connection.cursor()
    cursor.execute("begin")
    cursor.execute("insert into t values (77, 'open')")
    return connection


def test_open_transaction_at_the_fence(ready):
    """It is waited for; when the time is over everything is as it was."""
    shop, c = ready, ready.culvert
    writer = hold(shop)
    r = walk(c, "cutover", "--yes", "--timeout", "2", "--override", "fence", code=5)
    assert r["result"] == "timed-out" and "the time is over" in r["error"]
    assert not slots(shop.target, shop.name)
    assert c.status()["state"] == "streaming"
    writer.cursor().execute("commit")
    writer.close()
    write(shop, "source", "insert into t values (3, 'goes on')")
    assert [i for i, _ in equal(shop)] == [1, 2, 3, 77]


def test_interrupted(ready):
    shop, c = ready, ready.culvert
    writer = hold(shop)
    p = subprocess.Popen([*c.client(), "cutover", "--yes", "--override", "fence"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    c.wait(state="cutting-over")
    refused = walk(c, "cutover", "--yes", code=4)
    assert "under way" in refused
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 1 and "interrupted" in out + err
    c.wait(state="streaming")
    writer.cursor().execute("commit")
    writer.close()
    write(shop, "source", "insert into t values (3, 'goes on')")
    assert [i for i, _ in equal(shop)] == [1, 2, 3, 77]


@pytest.mark.long
def test_client_leaves(ready):
    """The daemon goes on, and --attach comes back to it."""
    shop, c = ready, ready.culvert
    writer = hold(shop)
    p = subprocess.Popen([*c.client(), "cutover", "--yes", "--override", "fence"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    c.wait(state="cutting-over")
    p.kill()
    p.communicate()
    p = subprocess.Popen([*c.client(), "cutover", "--attach"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: c.log_text().count("command 'cutover'") == 2, 10, "the second client")
    writer.cursor().execute("commit")
    writer.close()
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 0 and "cutover: done" in out, out
    c.wait(state="reversed")
    assert (77, "open") in equal(shop)


def test_terminated_in_the_walk(ready):
    """SIGTERM undoes it before the daemon ends."""
    shop, c = ready, ready.culvert
    writer = hold(shop)
    p = subprocess.Popen([*c.client(), "cutover", "--yes", "--override", "fence"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    c.wait(state="cutting-over")
    assert c.terminate() == 0
    p.wait(30)
    writer.cursor().execute("commit")
    writer.close()
    write(shop, "source", "insert into t values (3, 'nobody in the way')")
    c.start()
    assert [i for i, _ in equal(shop)] == [1, 2, 3, 77]
    assert c.status()["state"] == "streaming"


def test_no_write_is_lost(ready):
    """Over a cutover, a rollback and a second cutover, under load."""
    shop, c = ready, ready.culvert
    with Ledger(shop) as ledger:
        for command, state in (("cutover", "reversed"), ("rollback", "streaming"), ("cutover", "reversed")):
            ledger.written(50)
            walk(c, command, "--yes", "--override", "verification,lag,fence")
            c.wait(state=state)
            c.wait(lag=0)
            ledger.written(50)
    c.wait(lag=0)
    assert ledger.check() > 100
    assert len(ledger.pauses()) >= 3
    print("pauses", [f"{p:.3f}" for p in ledger.pauses()], ledger.errors)


def test_last_look_behind_the_fence(shop):
    """The operator's queries, and what changed since it was verified: no difference gets past it."""
    c = shop.culvert
    c.config["cutover"] = {"check.rows": "select count(*) from t"}
    c.write()
    c.start()
    c.wait(lag=0)
    c.ctl("verify", "start", "--continuous")
    until(lambda: json.loads(c.ctl("verify", "status", "--json").stdout)["state"] == "done", 60, "verify")
    shop.sql("insert into t values (3, 'later')")
    shop.sql("update t set v = 'changed' where id = 1")
    c.wait(lag=0)
    shop.target_sql("delete from t where id = 2")  # not seen by what is verified again
    r = walk(c, "cutover", "--yes", code=1)
    assert "check.rows" in r["error"] and [s["step"] for s in r["steps"]][-3:] == ["verify", "checks", "undo"]
    assert c.status()["state"] == "streaming"
    shop.target_sql("insert into t values (2, 'two')")
    r = walk(c, "cutover", "--yes")
    assert r["result"] == "done" and "verify" in [s["step"] for s in r["steps"]]
    shop.target_sql("insert into t values (4, 'on the target')")
    assert len(equal(shop)) == 4


def left(server, db):
    """What is in schema culvert, and slots, publications, origins of that database."""
    if is_my(server):
        return [r[0] for r in server.run("select table_name from information_schema.tables where table_schema = "
                                         "'culvert'")]
    return ([r[0] for r in server.run("select relname from pg_class where relnamespace = to_regnamespace('culvert') "
                                      "and relkind in ('r', 'S')", db=db)]
            + server.run("select slot_name from pg_replication_slots where database = %s", db)
            + server.run("select pubname from pg_publication", db=db)
            + server.run("select tgname from pg_trigger where not tgisinternal", db=db))


@pytest.mark.parametrize("purge", [False, pytest.param(True, marks=pytest.mark.long)])
def test_complete(ready, purge):
    shop, c = ready, ready.culvert
    assert "the source leads" in walk(c, "complete", "--yes", code=4)
    walk(c, "cutover", "--yes")
    write(shop, "target", "insert into t values (4, 'last')")
    assert (4, "last") in equal(shop)
    asked = c.ctl("complete", check=False)
    assert asked.returncode == 2 and "--yes" in asked.stderr
    origins = shop.source.run("select roname from pg_replication_origin") if not is_my(shop.source) else []
    c.ctl("complete", "--yes", *(["--purge"] if purge else []))
    assert c.process.wait(20) == 0
    for server in (shop.source, shop.target):
        assert left(server, shop.name) == ([] if purge else ["state"]), c.log_text()
    if origins:
        assert len(shop.source.run("select roname from pg_replication_origin")) < len(origins)
    write(shop, "source", "insert into t values (5, 'as it was')")
    if not purge:
        for sql in (shop.sql, shop.target_sql):
            assert sql("select state, direction from culvert.state") == [("complete", "reverse")]
        c.start()
        c.wait(state="complete")
        c.ctl("complete", "--yes", "--purge")
        assert c.process.wait(20) == 0
        assert left(shop.source, shop.name) == left(shop.target, shop.name) == []


@pytest.mark.long
def test_inserts_by_default_work(shop):
    """Sequences and AUTO_INCREMENT go with it, both ways, though only explicit values travel."""
    c = shop.culvert
    kind = ("serial", "serial") if not is_my(shop.source) else ("int auto_increment",) * 2
    shop.sql(f"create table s (id {kind[0]} primary key, v varchar(20))")
    shop.sql("insert into s (v) values ('a'), ('b'), ('c')")
    c.start()
    c.wait(lag=0)
    let_in(shop)
    for i, (command, sql) in enumerate((("cutover", shop.target_sql), ("rollback", shop.sql))):
        walk(c, command, "--yes", "--override", "verification")
        sql(f"insert into s (v) values ('by default {i}')")
        c.wait(lag=0)
    assert shop.sql("select id, v from s order by id") == shop.target_sql("select id, v from s order by id")
    assert len(shop.sql("select id from s")) == 5


def outcome(shop):
    """Behind a kill: one side leads, takes writes, and the other side does not."""
    c = shop.culvert
    state = until(lambda: c.status()["state"] in ("streaming", "reversed") and c.status()["state"], 60, "an end")
    leads, other = ("target", "source") if state == "reversed" else ("source", "target")
    shop.n = getattr(shop, "n", 100) + 1
    write(shop, leads, f"insert into t values ({shop.n}, 'behind a kill')")
    if state == "reversed":
        refuses(shop, other)
    assert (shop.n, "behind a kill") in equal(shop)
    return state


def kills(shop, faults, every):
    c = shop.culvert
    c.config["snapshot"] = {"workers": 1}
    c.start(**faults.environment)
    c.wait(lag=0)
    let_in(shop)
    ends = {"streaming": 0, "reversed": 0}
    for command, back in (("cutover", "rollback"), ("rollback", "cutover")):
        begin = outcome(shop)
        before = faults.passed()["send"]
        walk(c, command, "--yes", "--override", "verification")
        sent = faults.passed()["send"] - before
        outcome(shop)
        walk(c, back, "--yes", "--override", "verification")
        for n in range(every // 2 + 1, sent + 10, every):
            assert outcome(shop) == begin
            faults.kill("send", n)
            c.ctl(command, "--yes", "--override", "verification", check=False)
            faults.kill("send", 0)
            if c.ctl("status", check=False).returncode == 3:  # it is dead, or about to be
                c.process.wait(10)
                c.start(**faults.environment)
            end = outcome(shop)
            ends[end] += 1
            if end != begin:
                walk(c, back, "--yes", "--override", "verification")
        walk(c, command, "--yes", "--override", "verification")
    assert ends["streaming"] > 2 and ends["reversed"] > 2
    print(ends)


@pytest.mark.long
def test_kill9_anywhere(shop, faults):
    kills(shop, faults, 7)


@pytest.mark.long
def test_kill9_here_and_there(shop, faults):
    kills(shop, faults, 40)


def test_kill9_now_and_then(shop, faults):
    """The same by a few, of a cutover alone."""
    c = shop.culvert
    c.start(**faults.environment)
    c.wait(lag=0)
    let_in(shop)
    before = faults.passed()["send"]
    walk(c, "cutover", "--yes", "--override", "verification")
    sent = faults.passed()["send"] - before
    outcome(shop)
    walk(c, "rollback", "--yes", "--override", "verification")
    for part in (0.7, 0.9):
        faults.kill("send", int(part * sent))
        c.ctl("cutover", "--yes", "--override", "verification", check=False)
        faults.kill("send", 0)
        c.process.wait(10)
        c.start(**faults.environment)
        if outcome(shop) == "reversed":
            walk(c, "rollback", "--yes", "--override", "verification")
