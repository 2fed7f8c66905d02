"""The service on a machine that boots: installed, started, watched, restarted and stopped by
systemd. Needs root and systemd-nspawn."""
import configparser
import json
import os
import re
import subprocess
import tempfile
import time

import pytest

from harness.daemon import BUILD, TOP
from harness.machine import Machine
from harness.servers import BIN
from harness.until import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="booting a machine needs root")
PORTS = {"src": 7001, "dst": 7002}
STATE_CHANGED = "5f1c2a6d0f0b4f5c9d3e8a7b61c40e01"


def start_server(machine, name):
    """Type=notify: systemd-run returns when the server takes connections."""
    data = f"/var/lib/postgresql/{name}"
    machine.run(f"{BIN}/initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
                "--locale=C.UTF-8", "-D", data, user="postgres")
    with_password = "host all cvt 127.0.0.1/32 scram-sha-256\n"
    machine.run("sh", "-c", f"printf '{with_password}' | cat - {data}/pg_hba.conf >{data}/hba && "
                f"mv {data}/hba {data}/pg_hba.conf", user="postgres")
    machine.run("systemd-run", f"--unit={name}", "--service-type=notify", "--uid=postgres",
                f"{BIN}/postgres", "-D", data, "-c", f"port={PORTS[name]}",
                "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=/tmp",
                "-c", "wal_level=logical", "-c", "max_replication_slots=20",
                "-c", "max_wal_senders=20")


@pytest.fixture(scope="module")
def machine():
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    m = Machine(tempfile.mkdtemp(prefix="culvert-boot-", dir=base))
    try:
        # sysusers and tmpfiles run at boot, as after the installation of a package
        subprocess.run(["make", "-s", "-C", TOP, "-o", "all", "install", f"BUILD={BUILD}",
                        "PREFIX=/usr", f"DESTDIR={m.root}"], check=True)
        m.write("/etc/culvert/booted.conf", configuration("booted"))
        subprocess.run(["systemctl", "-q", f"--root={m.root}", "enable", "culvert@booted"],
                       check=True)
        m.boot()
        m.run("journalctl", "--update-catalog")
        for name in PORTS:
            start_server(m, name)
        yield m
    finally:
        m.close()


def configuration(name, user="postgres", more=""):
    uri = "postgresql://{}@127.0.0.1:{}/{}".format
    return (f"[source]\nuri = {uri(user, PORTS['src'], name)}\n"
            f"[target]\nuri = {uri('postgres', PORTS['dst'], name)}\n{more}")


class Pipeline:
    """culvert@NAME with a database of that name on both servers."""

    def __init__(self, machine, name, user="postgres"):
        self.machine, self.name, self.user = machine, name, user
        self.unit = f"culvert@{name}"
        for side in PORTS:
            self.sql(side, f"create database {name}", db="postgres")
        self.sql("src", "create table t (id int primary key, v text); insert into t "
                 "select g, 'row ' || g from generate_series(1, 1000) g")
        self.configure()

    def configure(self, more=""):
        self.machine.write(f"/etc/culvert/{self.name}.conf",
                           configuration(self.name, self.user, more))

    def sql(self, side, text, db=None):
        return self.machine.output("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "/tmp", "-p",
                                   str(PORTS[side]), "-U", "postgres", "-d", db or self.name,
                                   "-c", text)

    def systemctl(self, verb, check=True):
        return self.machine.run("systemctl", verb, self.unit, check=check)

    def start(self):
        self.systemctl("start")
        return self

    def show(self, name):
        return self.machine.output("systemctl", "show", "--value", "-p", name, self.unit)

    def active(self):
        return self.show("ActiveState")

    def main_pid(self):
        return int(self.show("MainPID"))

    def ctl(self, *arguments, check=True, **who):
        return self.machine.run("culvertctl", self.name, *arguments, check=check, **who)

    def status(self):
        return json.loads(self.ctl("status", "--json").stdout)

    def option(self, name):
        section, key = name.split(".")
        shown = configparser.ConfigParser(strict=False, interpolation=None)
        shown.read_string(self.ctl("show", "config").stdout)
        return shown[section][key]

    def journal(self, *matches):
        text = self.machine.output("journalctl", "-u", self.unit, "-o", "json", "--no-pager",
                                   *matches)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def caught_up(self):
        self.ctl("wait", "--lag", "0", "--timeout", "60")

    def assert_same(self):
        self.caught_up()
        text = "select count(*), md5(string_agg(t::text, ',' order by id)) from t"
        assert self.sql("src", text) == self.sql("dst", text)

    def restarted(self, pid):
        """Until systemd has another process, which answers."""
        until(lambda: self.main_pid() not in (0, pid) and self.active() == "active"
              and self.ctl("status", check=False).returncode == 0, 60, f"a restart of {self.unit}")


@pytest.fixture
def pipeline(machine, request):
    made = []

    def make(name, **more):
        made.append(Pipeline(machine, name, **more))
        return made[-1]

    yield make
    for p in made:
        if getattr(request.node, "failed", False):
            print(machine.output("journalctl", "-u", p.unit, "--no-pager", "-n", "80"))
            print(p.systemctl("status", check=False).stdout)
        p.systemctl("stop", check=False)


def test_installed(machine):
    assert machine.output("stat", "-c", "%U:%G %a", "/etc/culvert") == "root:culvert 750"
    assert machine.output("stat", "-c", "%U:%G %a", "/run/culvert") == "culvert:culvert 750"
    assert "/var/lib/culvert" in machine.output("getent", "passwd", "culvert")
    found = machine.run("systemd-analyze", "verify", "culvert@shop.service", "culvert.target")
    assert "culvert" not in found.stdout, found.stdout
    assert "culvert" in machine.output("journalctl", "--list-catalog", STATE_CHANGED)


def test_runs_as_a_service(pipeline):
    p = pipeline("shop").start()
    assert p.active() == "active" and p.show("Type") == "notify"
    p.assert_same()
    p.sql("src", "update t set v = 'changed' where id < 100; delete from t where id > 900")
    p.assert_same()
    assert p.sql("dst", "select count(*) from t") == "900"
    until(lambda: p.show("StatusText").startswith("streaming"), 20, "a status text")
    pid = p.main_pid()
    assert p.machine.output("stat", "-c", "%U", f"/proc/{pid}") == "culvert"
    assert "0000000000000000" in p.machine.output("grep", "CapEff", f"/proc/{pid}/status")


def test_the_journal_has_fields(pipeline):
    p = pipeline("fields").start()
    p.caught_up()
    p.machine.run("journalctl", "--sync")
    entries = p.journal(f"MESSAGE_ID={STATE_CHANGED}")
    assert entries and all(e["CULVERT_PIPELINE"] == "fields" for e in entries)
    assert any("streaming" in e["MESSAGE"] for e in entries)
    text = p.machine.output("journalctl", "-x", "-u", p.unit, "--no-pager")
    assert "Pipeline fields changed its state" in text  # the catalogue explains it


def test_the_group_may_use_the_socket_and_others_not(pipeline):
    p = pipeline("peers").start()
    assert p.machine.output("stat", "-c", "%U:%G %a", "/run/culvert/peers.sock") == \
        "culvert:culvert 660"
    assert p.ctl("status", check=False, user="nobody", group="culvert").returncode == 0
    assert p.ctl("status", check=False, user="nobody", group="nogroup").returncode != 0


def test_reload(pipeline):
    p = pipeline("reloaded")
    p.configure("[log]\nlevel = info\n")
    p.start()
    pid = p.main_pid()
    p.configure("[log]\nlevel = debug\n")
    p.systemctl("reload")
    until(lambda: p.option("log.level") == "debug", 20, "the new value")
    until(lambda: p.active() == "active", 20, "the end of the reload")
    assert p.main_pid() == pid
    p.assert_same()


def test_a_broken_file_is_refused_at_reload(pipeline):
    p = pipeline("kept").start()
    pid = p.main_pid()
    p.machine.write("/etc/culvert/kept.conf", "[source]\nuri = nothing\nfrobnicate = yes\n")
    p.systemctl("reload", check=False)
    until(lambda: any("frobnicate" in e["MESSAGE"] for e in p.journal()), 20, "a word in the journal")
    assert p.active() in ("active", "reloading") and p.main_pid() == pid
    p.assert_same()


def test_the_watchdog_restarts_what_hangs(pipeline):
    p = pipeline("hung").start()
    assert p.show("WatchdogUSec") == "30s"
    p.machine.write(f"/run/systemd/system/{p.unit}.service.d/test.conf",
                    "[Service]\nWatchdogSec=2\nRestartSec=100ms\n")
    p.machine.run("systemctl", "daemon-reload")
    p.systemctl("restart")
    p.caught_up()
    pid = p.main_pid()
    p.machine.run("kill", "-STOP", str(pid))
    p.sql("src", "insert into t select g, 'meanwhile' from generate_series(2000, 3000) g")
    p.restarted(pid)
    assert any("atchdog" in e["MESSAGE"] for e in p.journal())
    p.assert_same()


def test_kill_9_restarts(pipeline):
    p = pipeline("killed").start()
    p.caught_up()
    pid = p.main_pid()
    p.sql("src", "insert into t select g, 'burst' from generate_series(2000, 20000) g")
    p.machine.run("kill", "-KILL", str(pid))
    p.restarted(pid)
    assert int(p.show("NRestarts")) == 1
    p.assert_same()


def test_a_broken_configuration_is_not_tried_again(pipeline):
    p = pipeline("broken")
    p.machine.write("/etc/culvert/broken.conf", "[source]\nfrobnicate = 1\n")
    assert p.systemctl("start", check=False).returncode != 0
    assert p.active() == "failed"  # activating (auto-restart) would be a further try
    assert p.show("ExecMainStatus") == "2" and p.show("NRestarts") == "0"
    assert any("frobnicate" in e["MESSAGE"] for e in p.journal())
    p.configure()
    p.start().assert_same()


def test_stop_stores_the_checkpoint(pipeline):
    p = pipeline("stopped").start()
    p.caught_up()
    p.sql("src", "insert into t select g, 'last' from generate_series(2000, 9000) g")
    p.caught_up()
    began = time.monotonic()
    p.systemctl("stop")
    assert time.monotonic() - began < 10
    assert p.active() == "inactive" and p.show("Result") == "success"
    assert p.sql("dst", "select count(*) from t") == "8001"
    position = p.sql("dst", "select position from culvert.checkpoint where pipeline = 'stopped'")
    lsn = re.search(r"[0-9A-F]+/[0-9A-F]+", position).group()
    assert p.sql("src", f"select confirmed_flush_lsn >= '{lsn}'::pg_lsn and not active "
                 "from pg_replication_slots where slot_name = 'culvert_stopped'") == "t"
    p.start().assert_same()
    assert not any("copying the rows" in e["MESSAGE"] for e in
                   p.journal(f"_PID={p.main_pid()}"))


def test_a_pipeline_that_was_told_to_stop_stays_stopped(pipeline):
    p = pipeline("told").start()
    p.caught_up()
    p.ctl("stop")
    until(lambda: p.active() == "inactive", 20, "the end")
    assert p.show("Result") == "success" and p.show("NRestarts") == "0"


def test_a_server_that_is_down_does_not_fail_the_start(pipeline):
    p = pipeline("waiting")
    p.configure()
    p.machine.run("sed", "-i", "s/:7002/:7009/", "/etc/culvert/waiting.conf")
    p.start()
    assert p.active() == "active"
    until(lambda: p.status()["error"] or any(
        "7009" in e["MESSAGE"] or "refused" in e["MESSAGE"] for e in p.journal()), 30,
        "a word about the server")
    p.configure()
    p.systemctl("restart")
    p.assert_same()


def test_password_by_credential(pipeline):
    p = pipeline("secret", user="cvt")
    p.sql("src", "create role cvt superuser login password 'pa:ss wörd'")
    store = "/etc/credstore/culvert-secret-source-password"
    p.start()  # without the file: the unit starts, and says what is missing
    until(lambda: "password" in json.dumps(p.status()) or any(
        "password" in e["MESSAGE"] for e in p.journal()), 30, "a word about the password")
    assert p.active() == "active"
    p.machine.run("install", "-d", "-m", "700", "/etc/credstore")
    p.machine.write(store, "pa:ss wörd\n", 0o600)
    p.systemctl("restart")
    p.assert_same()
    environment = p.machine.output("cat", f"/proc/{p.main_pid()}/environ",
                                   f"/proc/{p.main_pid()}/cmdline")
    assert "wörd" not in environment and "wörd" not in json.dumps(p.journal(), ensure_ascii=False)


def test_two_pipelines_side_by_side(pipeline):
    one, two = pipeline("one").start(), pipeline("two").start()
    one.caught_up()
    two.caught_up()
    one.systemctl("stop")
    assert two.status()["state"] == "streaming"
    two.sql("src", "insert into t values (5000, 'alone')")
    two.assert_same()
    one.start().assert_same()


def test_enabled_pipelines_start_with_the_machine(machine, pipeline):
    unit = "culvert@booted"  # enabled before the boot, when no server was there
    assert machine.output("systemctl", "is-active", unit) == "active"
    p = pipeline("booted")
    p.systemctl("restart")
    p.assert_same()
    machine.run("systemctl", "stop", "culvert.target")  # all at once
    until(lambda: p.active() == "inactive", 30, "the stop with culvert.target")
    machine.run("systemctl", "start", "culvert.target")
    until(lambda: p.active() == "active", 30, "the start with culvert.target")
    p.assert_same()
