"""culvertctl against a real daemon: exit statuses, JSON, and what the daemon survives."""
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import threading

import pytest

from harness.compare import compare
from harness.daemon import BUILD, Culvert
from harness.until import until

ITEMS = """create table t (id int primary key, v text);
create table "Odd.T" (id int primary key);
insert into t select i, 'row ' || i from generate_series(1, 100) i"""
UNBUILT = (("throttle", "--rows", "5"), ("report",))
SIDE = {"kind", "connected", "position", "acknowledged", "server_version"}
STATUS = {
    "format": None, "pipeline": None, "state": None, "phase": None, "direction": None, "since": None, "error": None,
    "source": SIDE, "target": SIDE, "lag": {"bytes", "seconds", "transactions"},
    "queue": {"memory_bytes", "disk_bytes", "transactions", "acknowledge"},
    "applied": {"transactions", "rows", "rows_per_second"},
    "snapshot": {"mode", "tables_done", "tables_total", "rows_done", "rows_estimated", "eta_seconds"},
    "verify": {"state", "rows_compared", "rows_total", "differences", "finished_at"},
    "quarantined": None, "retention": {"bytes_held_at_source", "hours_left"}, "next": None}


@pytest.fixture
def shop(pair, culvert):
    pair.sql(ITEMS)
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    c.wait(lag=0)
    pair.c = c
    return pair


def program(name, *arguments):
    return subprocess.run([os.path.join(BUILD, name), *arguments], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60)


def code(c, *arguments):
    return c.ctl(*arguments, check=False).returncode


def break_it(shop):
    shop.target_sql("insert into t values (9999, 'in the way')")
    shop.sql("insert into t values (9999, 'x')")
    return shop.c.wait_error("t_pkey")


def test_status(shop):
    c = shop.c
    shop.sql("insert into t values (1000, 'x'), (1001, 'y')")
    c.wait(lag=0)
    s = c.status()
    for key, inner in STATUS.items():
        assert key in s, key
        if inner:
            assert inner <= set(s[key]), key
    assert (s["format"], s["pipeline"], s["state"], s["phase"]) == (1, "shop", "streaming", "streaming")
    assert s["direction"] == "forward" and s["error"] is None and s["quarantined"] == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", s["since"])
    for side in ("source", "target"):
        assert s[side]["kind"] == "postgresql" and s[side]["connected"] is True
        assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", s[side]["position"])
        assert s[side]["server_version"].startswith("15.")
    assert s["lag"]["bytes"] == 0 and s["lag"]["seconds"] == 0 and s["lag"]["transactions"] == 0
    assert s["applied"]["transactions"] == 1 and s["applied"]["rows"] == 2
    assert (s["snapshot"]["mode"], s["snapshot"]["tables_done"], s["snapshot"]["rows_done"]) == ("bulk", 2, 100)
    assert isinstance(s["next"], str)
    held = until(lambda: c.status()["retention"]["bytes_held_at_source"], 20, "what the slot holds")
    assert isinstance(held, int)
    first = c.ctl("status").stdout.splitlines()[0]
    assert re.match(r"shop\s+streaming\s+lag 0(\.0)? s\s+OK", first), first


def test_status_check_for_monitoring(shop):
    c = shop.c
    r = c.ctl("status", "--check", check=False)
    assert r.returncode == 0 and len(r.stdout.splitlines()) == 1 and "shop" in r.stdout
    c.ctl("pause")
    r = c.ctl("status", "--check", check=False)
    assert r.returncode == 1 and len(r.stdout.splitlines()) == 1 and "paused" in r.stdout
    c.ctl("resume")
    break_it(shop)
    r = c.ctl("status", "--check", check=False)
    assert r.returncode == 2 and len(r.stdout.splitlines()) == 1 and "t_pkey" in r.stdout
    c.terminate()
    assert code(c, "status", "--check") == 3


def test_error_in_the_status(shop):
    error = break_it(shop)
    assert set(error) >= {"class", "message", "table", "key", "position"}
    assert (error["class"], error["table"], error["key"]) == ("data", "public.t", "id=9999")
    assert shop.c.status()["phase"] == "streaming"
    text = shop.c.ctl("status").stdout
    assert "stopped-on-error" in text.splitlines()[0] and "public.t" in text
    assert "9999" not in shop.c.log_text() and "in the way" not in text


@pytest.mark.long
def test_watch(shop):
    c = shop.c
    lines = c.ctl("watch", "--count", "3").stdout.splitlines()
    assert len(lines) >= 3 and all("\x1b" not in line for line in lines) and "streaming" in lines[0]
    documents = [json.loads(line) for line in c.ctl("watch", "--count", "2", "--json").stdout.splitlines()]
    assert len(documents) == 2 and all(d["state"] == "streaming" and d["format"] == 1 for d in documents)
    watcher = subprocess.Popen([os.path.join(BUILD, "culvertctl"), "-s", c.socket, "watch"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    assert watcher.stdout.readline()
    c.terminate()
    watcher.communicate(timeout=20)
    assert watcher.returncode == 3


def test_wait(shop):
    c = shop.c
    for arguments in ((), ("--timeout", "1"), ("--state", "nonsense"), ("--lag", "-1"), ("--lag", "x"),
                      ("--lag", "0", "--timeout", "soon"), ("--state",), ("--lag", "0", "--speed", "1")):
        assert code(c, "wait", *arguments) == 2, arguments
    assert code(c, "wait", "--state", "paused", "--timeout", "1") == 5
    assert code(c, "wait", "--state", "streaming", "--lag", "5", "--timeout", "20") == 0
    c.ctl("pause")
    shop.sql("insert into t values (2000, 'held')")
    assert code(c, "wait", "--lag", "0", "--timeout", "1") == 5
    assert code(c, "wait", "--state", "paused") == 0
    waiter = subprocess.Popen([os.path.join(BUILD, "culvertctl"), "-s", c.socket, "wait", "--lag", "0"],
                              stdin=subprocess.DEVNULL)
    c.ctl("resume")
    assert waiter.wait(20) == 0
    assert shop.target_sql("select v from t where id = 2000") == [("held",)]
    break_it(shop)
    assert code(c, "wait", "--state", "streaming", "--timeout", "30") == 1
    assert code(c, "wait", "--lag", "0", "--timeout", "30") == 1


def test_wait_for_no_lag_ends_on_a_busy_source(shop):
    done = threading.Event()

    def load():
        i = 10000
        connection = shop.source.connect(shop.name)
        with connection.cursor() as cursor:
            while not done.is_set():
                i += 1
                cursor.execute("insert into t values (%s, 'busy')", (i,))
        connection.close()
    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(3):
            before = shop.sql("select max(id) from t")[0][0]
            shop.c.wait(lag=0, timeout=20)
            assert shop.target_sql("select max(id) from t")[0][0] >= before
    finally:
        done.set()
        thread.join()


def test_pause_and_resume(shop):
    c = shop.c
    assert code(c, "resume") == 4  # it runs: nothing to do, nothing changed
    answer = json.loads(c.ctl("pause", "--json").stdout)
    assert (answer["state"], answer["phase"]) == ("paused", "streaming")
    shop.sql("insert into t values (3000, 'while paused'); update t set v = 'held' where id = 1")
    s = c.status()
    assert (s["state"], s["phase"], s["source"]["connected"]) == ("paused", "streaming", True)
    assert s["next"] == "resume"
    until(lambda: c.status()["lag"]["bytes"], 10, "a lag that is seen")
    assert shop.target_sql("select count(*) from t where id = 3000 or v = 'held'") == [(0,)]
    assert code(c, "pause") in (0, 4)
    assert c.status()["state"] == "paused"
    c.ctl("resume")
    c.wait(lag=0)
    assert compare(shop.source, shop.target, shop.name) == 101
    assert shop.target_sql("select state, phase from culvert.state where pipeline = 'shop'") == [("streaming", "streaming")]


def test_tables(shop):
    shop.sql("insert into t values (1000, 'x'); update t set v = 'y' where id = 1; delete from t where id = 2")
    shop.c.wait(lag=0)
    tables = {t["source"]: t for t in json.loads(shop.c.ctl("tables", "--json").stdout)["tables"]}
    assert set(tables) == {"public.t", "public.Odd.T"}
    t = tables["public.t"]
    assert t["target"] == "public.t" and t["state"] == "streaming"
    numbers = {k: v for k, v in t.items() if isinstance(v, int)}
    assert sorted(numbers.values())[-1] == 100 and list(numbers.values()).count(1) >= 3, numbers
    text = shop.c.ctl("tables").stdout
    assert "public.t" in text and "streaming" in text


def test_reload(shop):
    c = shop.c
    c.config["apply"] = {"batch_rows": "77"}
    c.config["source"]["slot"] = "another_slot"
    c.write()
    r = c.ctl("reload", "--json")
    results = {k["key"]: k["result"] for k in json.loads(r.stdout)["keys"]}
    assert results == {"apply.batch_rows": "applied", "source.slot": "needs restart"}
    shown = c.ctl("show", "config").stdout
    assert re.search(r"(?m)^batch_rows = 77$", shown) and "slot = culvert_shop" in shown
    del c.config["source"]["slot"]
    c.config["apply"] = {"batch_rows": "88", "batch_rowz": "1"}
    c.write()
    r = c.ctl("reload", check=False)
    assert r.returncode == 4 and "batch_rowz" in r.stdout + r.stderr and "batch_rows" in r.stdout + r.stderr
    assert re.search(r"(?m)^batch_rows = 77$", c.ctl("show", "config").stdout)
    c.config["apply"] = {"batch_rows": "99"}
    c.write()
    c.process.send_signal(signal.SIGHUP)
    until(lambda: re.search(r"(?m)^batch_rows = 99$", c.ctl("show", "config").stdout), 10, "the reload by signal")
    os.rename(c.path, c.path + ".away")
    r = c.ctl("reload", check=False)
    assert r.returncode == 4 and "No such file" in r.stdout + r.stderr
    shop.sql("insert into t values (1000, 'still there')")
    c.wait(lag=0)


@pytest.mark.long
def test_show_config_is_a_configuration(shop, tmp_path):
    text = shop.c.ctl("show", "config").stdout
    path = tmp_path / "again.conf"
    path.write_text(text)
    r = program("culvertd", "-n", "-c", str(path))
    assert r.returncode == 0, r.stdout + r.stderr
    assert text == json.loads(shop.c.ctl("show", "config", "--json").stdout)["text"]
    for key in ("state_dir", "slot = culvert_shop", "publication = culvert_shop", "batch_rows", "on_truncate"):
        assert key in text


METRIC = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z_]+="(\\.|[^"\\])*"(,[a-z_]+="(\\.|[^"\\])*")*\})? '
                    r"(NaN|[+-]?Inf|-?[0-9.]+([eE][+-]?[0-9]+)?)( [0-9.]+)?")


def test_metrics(shop):
    shop.sql("insert into t values (1000, 'x'), (1001, 'y')")
    shop.c.wait(lag=0)
    text = shop.c.ctl("metrics").stdout
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    types = {}
    for line in text.splitlines()[:-1]:
        if line.startswith("#"):
            _, kind, name, rest = line.split(" ", 3)
            assert kind in ("TYPE", "HELP", "UNIT")
            if kind == "TYPE":
                assert name not in types and rest in ("gauge", "counter", "info", "stateset"), line
                types[name] = rest
            continue
        assert METRIC.fullmatch(line), line
        name = re.match(r"[^{ ]*", line)[0]
        base = next((n for n in (name, name.rsplit("_", 1)[0]) if n in types), None)
        assert base, line
        assert types[base] != "counter" or name.endswith(("_total", "_created")), line
    assert re.search(r"(?m)^culvert_applied_rows_total\{[^}]*\} 2$", text), text


def test_stop(shop):
    c = shop.c
    shop.sql("insert into t values (1000, 'last')")
    c.wait(lag=0)
    c.ctl("stop")
    assert c.process.wait(1) == 0  # it answers when the daemon has ended
    assert not os.path.exists(c.socket)
    for command in ("status", "pause", "resume", "tables", "reload", "metrics", "stop"):
        assert code(c, command) == 3, command
    assert code(c, "show", "config") == 3 and code(c, "wait", "--lag", "0") == 3 and code(c, "watch") == 3


def test_unknown_and_unbuilt_commands(shop):
    c = shop.c
    before = c.status()["applied"]
    for arguments in (("stauts",), ("status", "--chekc"), ("status", "extra"), ("show",), ("show", "confit"), ()):
        r = c.ctl(*arguments, check=False)
        assert r.returncode == 2 and r.stderr, arguments
    assert "'stauts'" in c.ctl("stauts", check=False).stderr
    for arguments in UNBUILT:
        r = c.ctl(*arguments, check=False)
        assert r.returncode in (1, 2) and "not built" in r.stderr and arguments[0] in r.stderr, arguments
    for command in ("status", "watch", "wait", "pause", "resume", "tables", "reload", "metrics", "stop", "plan"):
        assert code(c, command, "--help") == 0
    assert c.status()["applied"] == before and c.status()["state"] == "streaming"


def test_cat(tmp_path):
    """Segment files need no daemon; what is whole of a damaged one is printed."""
    sample = os.path.join(os.path.dirname(__file__), "../unit/data/segment-1.segment")
    whole = program("culvertctl", "cat", sample)
    assert whole.returncode == 0 and not whole.stderr
    lines = [json.loads(line) for line in whole.stdout.splitlines()]
    assert lines[0] == {"position": "0/C3", "begin": True, "end": False, "table": "s.t", "op": "insert", "old": None,
                        "new": {"id": "200", "a": "ipgnelcjah", "b": None}}
    assert sum(line.get("begin", False) for line in lines) == sum(line.get("end", False) for line in lines) == 2
    damaged = tmp_path / "damaged.segment"
    with open(sample, "rb") as f:
        damaged.write_bytes(f.read()[:-1])
    r = program("culvertctl", "cat", str(damaged), sample)
    assert r.returncode == 1 and f"{damaged}, frame at " in r.stderr
    assert r.stdout.endswith(whole.stdout) and len(r.stdout.splitlines()) == 2 + len(lines)
    assert program("culvertctl", "cat", str(tmp_path / "none")).returncode == 1
    assert program("culvertctl", "cat").returncode == 2


def test_no_daemon(tmp_path):
    missing = program("culvertctl", "-s", str(tmp_path / "no.sock"), "status")
    assert missing.returncode == 3 and "no.sock" in missing.stderr
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "stale.sock"))
    stale.close()
    assert program("culvertctl", "-s", str(tmp_path / "stale.sock"), "status", "--json").returncode == 3
    (tmp_path / "plain").write_text("")
    assert program("culvertctl", "-s", str(tmp_path / "plain"), "status").returncode == 3
    assert program("culvertctl", "no_such_pipeline_xyz", "status").returncode == 3


@pytest.mark.long
def test_second_daemon_on_the_same_socket(shop, folder):
    c = shop.c
    twin = Culvert(os.path.join(folder, "same-" + shop.name), "shop", shop.config())
    twin.config["pipeline"]["control_socket"] = c.socket
    twin.write()
    twin.start(answer=False)
    assert twin.process.wait(10) == 2 and c.socket in twin.log_text()
    assert c.status()["state"] == "streaming"
    c.kill9()  # leaves the socket's file behind, which is no reason to refuse
    assert os.path.exists(c.socket)
    c.start()
    c.wait(state="streaming")


def test_socket_survives_bad_clients(shop):
    c = shop.c
    assert stat.S_IMODE(os.stat(c.socket).st_mode) == 0o660
    kept = []
    for data in (b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 65536, struct.pack(">I", 2 ** 32 - 1),
                 struct.pack(">I", 100) + b"half", struct.pack("<I", 5) + b"\x08\x96\x01\xff\xff",
                 struct.pack(">I", 3) + b"\xff\xff\xff", struct.pack(">I", 0) * 50):
        s = socket.socket(socket.AF_UNIX)
        s.connect(c.socket)
        try:
            s.sendall(data)
        except OSError:
            pass
        kept.append(s)
        assert c.status()["state"] == "streaming"
    shop.sql("insert into t values (1000, 'still there')")
    c.wait(lag=0)
    for s in kept:
        s.close()
    assert re.search(r"command 'status' by uid \d+, gid \d+, pid \d+", c.log_text())


def test_all_errors_of_a_configuration_in_one_pass(tmp_path):
    path = tmp_path / "bad.conf"
    path.write_text("""[pipeline]
name = Shop!
[source]
uri = postgresql://127.0.0.1/shop
sl0t = x
password_file = /nonexistent/password
[target]
uri = mysql://127.0.0.1/shop
[tables]
creat = yes
create = perhaps
[snapshot]
workers = 0
workers = 2
[aply]
batch_rows = 10
[apply]
batch_rows = many
batch_bytes = -1
batch_delay = 5 parsecs
no equals sign
""")
    r = program("culvertd", "-n", "-c", str(path))
    output = r.stdout + r.stderr
    assert r.returncode == 2
    said = {int(n) for n in re.findall(re.escape(str(path)) + r":(\d+):", output)}
    assert said >= {2, 5, 6, 8, 10, 11, 13, 15, 18, 19, 20, 21}, output
    for nearest in ("slot", "create", "apply"):
        assert nearest in output
    assert program("culvertd", "-c", str(path)).returncode == 2


def test_usage_of_the_daemon(tmp_path):
    assert program("culvertd").returncode == 2
    assert program("culvertd", "-c", str(tmp_path / "none.conf")).returncode == 2
    assert program("culvertd", "-n", "-c", str(tmp_path / "none.conf")).returncode == 2
    assert program("culvertd", "-c", "x", "--log-level", "loud").returncode == 2
    assert program("culvertd", "--nonsense").returncode == 2
    assert program("culvertd", "--help").returncode == 0
    version = program("culvertd", "--version")
    assert version.returncode == 0 and version.stdout.split() == program("culvertctl", "--version").stdout.replace(
        "culvertctl", "culvertd").split()


def test_plan_changes_nothing(pair, culvert):
    pair.sql(ITEMS)
    c = culvert(pair.config())
    r = program("culvertctl", "plan", "-c", c.path)
    assert r.returncode == 0 and "public.t" in r.stdout, r.stdout + r.stderr
    json.loads(program("culvertctl", "plan", "-c", c.path, "--json").stdout)
    assert pair.sql("select count(*) from pg_replication_slots where database = current_database()") == [(0,)]
    assert pair.sql("select count(*) from pg_publication") == [(0,)]
    assert pair.target_sql("select to_regnamespace('culvert'), to_regclass('t')") == [(None, None)]
