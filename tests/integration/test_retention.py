"""The source throws away log that was not read: seen coming, and said when it has happened."""
import json

import pytest

from harness.compare import compare
from harness.until import until
from integration.conftest import make_cross

SETUP = "create table t (id int primary key, v text); insert into t values (1, 'one')"
HALF, SHORT, FINE = "of what the source keeps", "hours until the source throws away", "fine again"


def junk(pair, kilobytes):
    """WAL that is nobody's."""
    pair.sql("select pg_logical_emit_message(false, 'junk', repeat('x', 1024)) from generate_series(1, %s)",
             kilobytes)


def said(c, text):
    until(lambda: text in c.log_text(), 60, f"'{text}' in the log")


def check(c, status, text):
    def answer():
        r = c.ctl("status", "--check", check=False)
        return (r.returncode, r.stdout) if r.returncode == status and text in r.stdout else None
    return until(answer, 30, f"status --check {status} with '{text}'")


def use_up(pair):
    """Writes until the slot is lost; the server looks at each checkpoint."""
    def lost():
        junk(pair, 20000)
        pair.sql("checkpoint")
        return pair.sql("select wal_status from pg_replication_slots where slot_name = 'culvert_shop'") == [("lost",)]
    until(lost, 60, "the end of the slot", every=0)


@pytest.fixture
def limited(pair):
    pair.source.setting("max_slot_wal_keep_size", "'128MB'")
    pair.sql(SETUP)
    yield pair
    pair.source.setting("max_slot_wal_keep_size", "-1")


def streaming(pair, culvert):
    c = culvert(pair.least(source={"heartbeat": "1s"})).start()
    c.wait(lag=0)
    return c


@pytest.mark.long
def test_slot_of_a_paused_pipeline(limited, culvert):
    c = streaming(limited, culvert)
    c.ctl("pause")
    limited.sql("insert into t values (2, 'waits')")
    assert HALF not in c.log_text()
    junk(limited, 90000)
    said(c, HALF)
    assert "max_slot_wal_keep_size" in c.log_text()
    check(c, 1, "of what the source keeps is used (max_slot_wal_keep_size)")
    assert "culvert_retention_used_ratio{" in c.ctl("metrics").stdout

    def forecast():
        junk(limited, 10)
        return c.status()["retention"]["hours_left"]
    assert until(forecast, 90, "a forecast") < 2
    said(c, SHORT)
    check(c, 2, "hours until the source drops changes that were not read")
    assert "until its limit" in c.ctl("status").stdout
    assert "culvert_retention_left_seconds{" in c.ctl("metrics").stdout

    c.ctl("resume")
    c.wait(lag=0)

    def fine():
        limited.sql("checkpoint; insert into t select max(id) + 1, 'moves on' from t")
        return FINE in c.log_text()
    until(fine, 60, "the end of the warning")
    check(c, 0, "OK")
    assert c.log_text().count(HALF) == 1 and c.log_text().count(SHORT) == 1

    c.ctl("pause")
    c.wait(state="paused")
    limited.sql("insert into t select max(id) + 1, 'lost' from t")
    use_up(limited)
    message = c.wait_error("resync required: slot culvert_shop is lost")["message"]
    assert "removed WAL" in message and "max_slot_wal_keep_size" in message
    check(c, 2, "resync required")


def test_slot_while_the_target_is_down(limited, culvert):
    """Nothing streams then, and nobody but the watch would notice."""
    c = streaming(limited, culvert)
    limited.target.stop()
    try:
        until(lambda: not c.status()["target"]["connected"], 30, "the loss of the target")
        limited.sql("insert into t values (2, 'waits')")
        junk(limited, 90000)
        said(c, HALF)
        use_up(limited)
        c.wait_error("resync required: slot culvert_shop is lost")
    finally:
        limited.target.start()


@pytest.mark.long
def test_slot_of_a_stopped_pipeline(limited, culvert):
    """Stopped on another error; the log piles up all the same."""
    c = streaming(limited, culvert)
    limited.target_sql("insert into t values (2, 'in the way')")
    limited.sql("insert into t values (2, 'refused')")
    c.wait_error("t_pkey")
    junk(limited, 90000)
    said(c, HALF)
    limited.target_sql("delete from t where id = 2")
    c.ctl("resume")
    c.wait(lag=0)
    assert compare(limited.source, limited.target, limited.name) == 2


@pytest.mark.long
def test_slot_while_the_copy_runs(limited, culvert):
    limited.target_sql("create table t (id int primary key, v text)")
    holder = limited.target.connect(limited.name, autocommit=False)
    holder.cursor().execute("lock table t in share row exclusive mode")
    c = culvert(limited.config(source={"heartbeat": "1s"})).start()
    c.wait(state="copying")
    until(lambda: c.status()["retention"]["bytes_held_at_source"], 30, "the watch")
    junk(limited, 90000)
    said(c, HALF)
    assert c.status()["state"] == "copying"
    holder.close()
    c.wait(lag=0)
    assert compare(limited.source, limited.target, limited.name) == 1


def found(c, text):
    """(level, text) of the checks that have this in them."""
    checks = json.loads(c.ctl("plan", "--json", "-c", c.path).stdout)["checks"]
    return [(k["level"], k["text"]) for k in checks if text in k["text"]]


def test_plan_compares_slot_and_copy(limited, culvert):
    c = culvert(limited.least())
    said = found(c, "max_slot_wal_keep_size lets a slot keep 128 MiB")
    assert len(said) == 1 and "the copy takes about 0.0 hours" in said[0][1]
    limited.source.setting("max_slot_wal_keep_size", "-1")
    assert found(c, "max_slot_wal_keep_size") == []


# ---- MySQL family ----

@pytest.fixture
def my(from_my, culvert):
    from_my.sql(SETUP)
    from_my.culvert = culvert(from_my.least(source={"heartbeat": "1s"})).start()
    from_my.culvert.wait(lag=0)
    return from_my


def acknowledged_file(c):
    return int(c.status()["source"]["acknowledged"].split(":")[0])


def purge(server):
    last = server.binlogs()[-1]

    def gone():
        server.run(f"purge binary logs to '{last}'")
        return server.binlogs()[0] == last
    until(gone, 30, "the end of older files")


@pytest.mark.long
def test_expiry_of_a_paused_pipeline(request, culvert):
    shop = make_cross(request, "my-pg")
    shop.sql(SETUP)
    shop.source.setting("binlog_expire_logs_seconds", 60)
    try:
        c = culvert(shop.least(source={"heartbeat": "1s"})).start()
        c.wait(lag=0)
        c.ctl("pause")
        shop.sql("insert into t values (2, 'waits')")
        until(lambda: c.status()["retention"]["bytes_held_at_source"], 30, "the watch")
        assert c.status()["retention"]["hours_left"] is None  # the file that is written stays
        shop.source.run("flush binary logs")
        left = until(lambda: c.status()["retention"]["hours_left"], 60, "a forecast")
        assert 0 < left * 3600 <= 30
        said(c, HALF)
        assert "binlog_expire_logs_seconds" in c.log_text()
        check(c, 2, "hours until the source drops changes that were not read")
        shop.source.setting("binlog_expire_logs_seconds", 0)
        said(c, FINE)
        assert c.status()["retention"]["hours_left"] is None
        c.ctl("resume")
        c.wait(lag=0)
        assert shop.compare() == 2
    finally:
        shop.source.setting("binlog_expire_logs_seconds", 0)
        shop.drop()


def test_plan_compares_expiry_and_copy(from_my, culvert):
    from_my.sql(SETUP)
    c = culvert(from_my.least())
    assert found(c, "binary logs are kept") == []
    for seconds, level in ((3600, "warning"), (864000, "note")):
        from_my.source.setting("binlog_expire_logs_seconds", seconds)
        try:
            said = found(c, f"binary logs are kept for {seconds / 3600:.1f} hours")
        finally:
            from_my.source.setting("binlog_expire_logs_seconds", 0)
        assert [k[0] for k in said] == [level] and "the copy alone takes about 0.0 hours" in said[0][1]


def test_files_purged_while_paused(my):
    """What was read already is applied; until then a restart would need what is gone."""
    c = my.culvert
    c.ctl("pause")
    my.sql("insert into t values (2, 'read before')")
    until(lambda: c.status()["lag"]["transactions"], 30, "the change to be read")
    needed = acknowledged_file(c)
    my.source.run("flush binary logs")
    purge(my.source)
    said(c, "a restart will not find the rest")
    assert f".{needed:06} any more" in check(c, 2, "resync required: the source has no binlog")[1]
    assert c.status()["state"] == "paused"
    c.ctl("resume")
    c.wait(lag=0)
    said(c, FINE)
    check(c, 0, "OK")
    assert my.compare() == 2


@pytest.mark.long
def test_files_purged_while_the_target_is_down(my):
    c = my.culvert
    my.target.stop()
    try:
        until(lambda: not c.status()["target"]["connected"], 30, "the loss of the target")
        my.sql("insert into t values (2, 'lost')")
        my.source.run("flush binary logs")
        purge(my.source)
        message = c.wait_error("resync required: the source has no binlog")["message"]
        assert my.source.binlogs()[0] in message
    finally:
        my.target.start()
