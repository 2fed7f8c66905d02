"""culvertctl with the MySQL family: status, wait, pause, plan, and what a start says is missing."""
import pytest

from integration.conftest import is_my

SETUP = "create table t (id int primary key, v varchar(20)); insert into t values (1, 'one')"


@pytest.fixture
def shop(cross, culvert):
    cross.sql(SETUP)
    cross.culvert = culvert(cross.least())
    return cross


def kind(server):
    return server.engine if is_my(server) else "postgresql"


def test_status(shop):
    c = shop.culvert.start()
    c.wait(lag=0)
    shop.sql("insert into t values (2, 'two')")
    c.wait(lag=0)
    s = c.status()
    for side in ("source", "target"):
        server = getattr(shop, side)
        assert s[side]["kind"] == kind(server) and s[side]["connected"] is True
        version = server.run("select version()")[0][0].split("-")[0] if is_my(server) else "15."
        assert s[side]["server_version"].startswith(version)
    assert s["state"] == "streaming" and s["error"] is None and s["lag"]["seconds"] == 0
    assert s["applied"]["transactions"] >= 1 and s["snapshot"]["tables_done"] == 1
    if is_my(shop.source):
        file, offset = s["source"]["position"].split(":")
        end = shop.source.master()
        assert int(file) == int(end[0].split(".")[1]) and 0 < int(offset) <= end[1]
    assert "streaming" in c.ctl("status").stdout.splitlines()[0]
    assert c.ctl("status", "--check").returncode == 0
    assert 'culvert' in c.ctl("metrics").stdout


def test_pause_and_resume(shop):
    c = shop.culvert.start()
    c.wait(lag=0)
    c.ctl("pause")
    c.wait(state="paused")
    shop.sql("insert into t values (2, 'two')")
    c.terminate()
    c.start()
    assert c.status()["state"] == "paused"
    assert shop.target_sql("select count(*) from t") == [(1,)]
    c.ctl("resume")
    c.wait(lag=0)
    assert shop.compare() == 2


def test_wait_ends_on_an_idle_source(shop):
    c = shop.culvert.start()
    c.wait(lag=0)
    for _ in range(3):
        c.wait(lag=0, timeout=15)


def test_plan_touches_nothing(shop):
    c = shop.culvert
    r = c.ctl("plan", "-c", c.path, check=False)
    assert r.returncode == 0, r.stdout + r.stderr
    assert shop.qualified("t") in r.stdout
    home = shop.name if is_my(shop.target) else "public"
    tables = "select count(*) from information_schema.tables where table_schema in (%s, 'culvert')"
    assert shop.target_sql(tables, home) == [(0,)]


def test_state_for_applications(shop):
    c = shop.culvert.start()
    c.wait(lag=0)
    assert shop.target_sql("select state, phase from culvert.state where pipeline = 'shop'") == \
        [("streaming", "streaming")]
    assert shop.target_sql("select count(*) from culvert.checkpoint")[0][0] >= 1
    c.stop()


def test_target_table_that_has_rows(shop):
    shop.target_sql(SETUP)
    shop.grant()
    c = shop.culvert.start()
    error = c.wait_error(shop.qualified("t", "target"))
    assert error["class"] == "config"
    c.config["tables"] = {"existing": "truncate"}
    c.write()
    c.terminate()
    c.start()
    c.wait(lag=0)
    assert shop.compare() == 1


def test_tables_and_reload_with_a_new_one(shop):
    c = shop.culvert.start()
    c.wait(lag=0)
    assert shop.qualified("t") in c.ctl("tables").stdout
    shop.sql("create table later (id int primary key); insert into later values (1), (2)")
    if shop.direction == "pg-my":
        shop.grant()
    c.ctl("reload")
    shop.sql("insert into t values (7, 'x')")
    c.wait(lag=0)
    home = shop.name if is_my(shop.source) else "public"
    assert shop.compare(only=[(home, "t")]) == 2


def test_wrong_user_is_named_without_its_password(from_my, culvert):
    c = culvert(from_my.config())
    c.config["source"]["uri"] = from_my.source.uri(from_my.name, "nobody")
    c.password_file("source", "geheim-1234")
    c.start()
    error = c.wait_error("source")
    assert error["class"] == "config" and "geheim" not in error["message"] + c.log_text()


def test_missing_rights_are_named_with_their_grant(from_my, culvert):
    from_my.sql(SETUP)
    from_my.source.run("create or replace user poor@'127.0.0.1'")
    try:
        from_my.source.run(f"grant select on `{from_my.name}`.* to poor@'127.0.0.1'")
        c = culvert(from_my.config())
        c.config["source"]["uri"] = from_my.source.uri(from_my.name, "poor")
        c.write()
        r = c.ctl("plan", "-c", c.path, check=False)
        text = r.stdout + r.stderr
        assert r.returncode != 0 and "GRANT" in text.upper() and "REPLICATION" in text.upper()
        c.start()
        assert c.wait_error("REPLICATION")["class"] == "config"
    finally:
        from_my.source.run("drop user poor@'127.0.0.1'")


@pytest.mark.parametrize("uri,text", [
    ("mysql://root:secret@127.0.0.1/x", "password"), ("mysql://root@127.0.0.1/x?nonsense=1", "unknown parameter"),
    ("mysql://root@127.0.0.1:99999/x", "port"), ("mysql://root@127.0.0.1", "database"),
    ("mysql://root@127.0.0.1/x?ssl-mode=MAYBE", "ssl-mode"),
])
def test_uris_are_checked(culvert, uri, text):
    c = culvert({"source": {"uri": uri}, "target": {"uri": "mariadb://root@127.0.0.1/y"}}, "uris")
    status, output = c.check()
    assert status == 2 and text in output and "secret" not in output, output
