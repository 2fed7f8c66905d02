"""Cutover and rollback: the other side takes the lead, and no write is lost."""
import json

import pytest

from harness.until import until

TABLES = "create table t (id int primary key, v varchar(40)); insert into t values (1, 'one'), (2, 'two')"


def is_my(server):
    return hasattr(server, "engine")


def admin(server):
    """Culvert's own role: that of an application must be another one."""
    if is_my(server):
        server.run("create user if not exists cutter@'%' identified by ''; grant all on *.* to cutter@'%' "
                   "with grant option")
    elif not server.run("select 1 from pg_roles where rolname = 'cutter'"):
        server.run("create role cutter superuser login")


def open_again(server):
    """A fence that a test left."""
    if is_my(server):
        server.run("set global read_only = 0; drop user if exists cutter@'%'")
        for user, host in server.run("select user, host from mysql.user where user not in ('root', 'mysql') "
                                     "and user not like '%.sys' and host <> ''"):
            server.run(f"alter user '{user}'@'{host}' account unlock")


@pytest.fixture
def shop(every_way, culvert):
    every_way.sql(TABLES)
    ends = (every_way.source, every_way.target)
    for server in ends:
        admin(server)
    every_way.culvert = culvert(every_way.config("cutter")).start()
    every_way.culvert.wait(lag=0)
    yield every_way
    every_way.culvert.destroy()
    for server in ends:
        open_again(server)


def verify(c):
    c.ctl("verify", "start")
    until(lambda: json.loads(c.ctl("verify", "status", "--json").stdout)["state"] == "done", 60, "verify")


def walk(c, *command, code=0):
    r = c.ctl(*command, "--json", check=False)
    assert r.returncode == code, r.stdout + r.stderr + c.log_text()[-6000:]
    return json.loads(r.stdout) if r.stdout else r.stderr


def rows(sql):
    return sql("select id, v from t order by id")


def test_there_and_back(shop):
    c = shop.culvert
    verify(c)
    shop.sql("insert into t values (3, 'before')")
    r = walk(c, "cutover", "--yes")
    assert r["result"] == "done" and all(g["verdict"] == "go" for g in r["gates"])
    c.wait(state="reversed")
    shop.target_sql("insert into t values (4, 'on the target'); update t set v = 'changed' where id = 1")
    c.wait(lag=0)
    assert rows(shop.sql) == rows(shop.target_sql) == [
        (1, "changed"), (2, "two"), (3, "before"), (4, "on the target")]
    s = c.status()
    assert (s["state"], s["phase"], s["direction"]) == ("reversed", "reversed", "reverse")
    verify(c)
    r = walk(c, "rollback", "--yes")
    assert r["result"] == "done"
    c.wait(state="streaming")
    shop.sql("insert into t values (5, 'back'); delete from t where id = 2")
    c.wait(lag=0)
    assert rows(shop.sql) == rows(shop.target_sql) == [
        (1, "changed"), (3, "before"), (4, "on the target"), (5, "back")]
    assert c.status()["direction"] == "forward"
