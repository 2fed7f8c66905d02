"""Passwords and TLS: what works, what is refused, and that no secret shows anywhere."""
import itertools
import os
import subprocess
import threading

import pytest

from harness.compare import compare
from harness.servers import Postgres
from harness.until import until

PASSWORD = {"source": "s3cret-Source!pw 'x", "target": "geheim%20T@rget:/?#"}
NUMBERS = itertools.count(1)
ITEMS = """create table t (id int primary key, v text);
insert into t select i, 'row ' || i from generate_series(1, 100) i"""


def openssl(*arguments):
    r = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert r.returncode == 0, r.stdout


def make_authority(folder, name):
    key, certificate = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".crt")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
            "-out", certificate, "-days", "2", "-subj", f"/CN={name}")
    return key, certificate


def make_server_files(server, key, certificate):
    request, ours = os.path.join(server.data, "server.csr"), os.path.join(server.data, "server.key")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", ours,
            "-out", request, "-subj", "/CN=localhost")
    extensions = os.path.join(server.data, "ext")
    with open(extensions, "w") as f:
        f.write("subjectAltName = DNS:localhost")
    openssl("x509", "-req", "-in", request, "-CA", certificate, "-CAkey", key, "-set_serial", "7", "-days", "2",
            "-extfile", extensions, "-out", os.path.join(server.data, "server.crt"))
    os.chmod(ours, 0o600)


@pytest.fixture(scope="module")
def authority(folder):
    return make_authority(folder, "authority")


@pytest.fixture(scope="module")
def locked(folder, authority):
    """Two servers that want SCRAM passwords and TLS of role mover."""
    servers = {}
    for side in ("source", "target"):
        server = Postgres(folder, "locked-" + side)
        make_server_files(server, *authority)
        server.write_settings(ssl="on", password_encryption="'scram-sha-256'", ssl_cert_file="'server.crt'",
                              ssl_key_file="'server.key'")
        server.trust_only("local all all trust", "host all postgres 127.0.0.1/32 trust",
                          "hostssl all all all scram-sha-256")
        server.start()
        server.run("create role mover superuser login password %s", PASSWORD[side])
        servers[side] = server
    yield servers
    for server in servers.values():
        server.destroy()


@pytest.fixture
def shop(locked, folder, culvert):
    """A pipeline between two databases of that server, over localhost and TLS."""
    name = "s" + str(next(NUMBERS))
    for server in locked.values():
        server.run(f"create database {name}")
    locked["source"].run(ITEMS, db=name)
    ca = os.path.join(folder, "authority.crt")
    uris = {side: {"uri": f"postgresql://mover@localhost:{server.port}/{name}?sslmode=verify-full&sslrootcert={ca}"}
            for side, server in locked.items()}
    c = culvert(uris, name)
    for side in locked:
        c.password_file(side, PASSWORD[side])
    c.database, c.servers = name, locked
    yield c
    c.destroy()
    locked["source"].run("select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where active")
    locked["source"].run("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
    for server in locked.values():
        server.run(f"drop database {name} with (force)")


def shown(c):
    """All that anybody could read."""
    answers = [c.ctl(*command, check=False) for command in (
        ("status",), ("status", "--json"), ("show", "config"), ("show", "config", "--json"), ("metrics",),
        ("tables", "--json"), ("status", "--check"), ("watch", "--count", "1"))]
    return "\n".join([a.stdout + a.stderr for a in answers] + [c.log_text()])


def assert_hidden(text):
    for password in PASSWORD.values():
        for part in (password, password[:12], password[-10:]):
            assert part not in text


class Onlooker:
    """Reads the arguments and environment of every process that the daemon has, as often as it can."""

    def __init__(self, pid):
        self.pid, self.seen, self.done = pid, {}, threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.done.is_set():
            for pid in [self.pid] + [int(p) for p in os.listdir("/proc") if p.isdigit() and self._ours(p)]:
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as f:
                        arguments = f.read().decode("utf-8", "replace").split("\0")
                    self.seen.setdefault(os.path.basename(arguments[0]), set()).update(arguments)
                except OSError:
                    pass

    def _ours(self, pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return int(f.read().rsplit(")", 1)[1].split()[1]) == self.pid
        except (OSError, ValueError, IndexError):
            return False

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def test_passwords_from_files_over_tls(shop):
    shop.start()
    with Onlooker(shop.process.pid) as onlooker:
        shop.wait(state="streaming")
    shop.servers["source"].run("insert into t values (1000, 'streamed')", db=shop.database)
    shop.wait(lag=0)
    assert compare(shop.servers["source"], shop.servers["target"], shop.database) == 101
    assert {"culvertd", "pg_dump"} <= set(onlooker.seen), sorted(onlooker.seen)
    assert_hidden("\n".join("\n".join(a) for a in onlooker.seen.values()))
    assert_hidden(shown(shop))
    tls = "select count(*), bool_and(s.ssl) from pg_stat_ssl s join pg_stat_activity a using (pid) where usename = 'mover'"
    for server in shop.servers.values():
        n, all_tls = server.run(tls)[0]
        assert n > 0 and all_tls
    for dirpath, _, files in os.walk(shop.config["pipeline"]["state_dir"]):
        for name in files:
            with open(os.path.join(dirpath, name), errors="replace") as f:
                assert_hidden(f.read())


@pytest.mark.parametrize("side", ["source", pytest.param("target", marks=pytest.mark.long)])
def test_wrong_password(shop, side):
    wrong = "wr0ng-passw0rd-of-nobody"
    shop.password_file(side, wrong)
    shop.start()
    error = until(lambda: shop.status()["error"], 20, "an error")
    assert "password authentication failed" in error["message"] and side in error["message"]
    text = shown(shop)
    assert wrong not in text
    assert_hidden(text)
    assert shop.status()["state"] == "stopped-on-error" and error["class"] == "config"
    shop.password_file(side, PASSWORD[side])
    shop.terminate()
    shop.start()
    shop.wait(state="streaming", timeout=40)


@pytest.mark.parametrize("side", [pytest.param("source", marks=pytest.mark.long), "target"])
def test_certificate_of_a_stranger(shop, folder, side):
    _, stranger = make_authority(folder, "stranger-" + side)
    shop.config[side]["uri"] = shop.config[side]["uri"].replace("authority.crt", os.path.basename(stranger))
    shop.write()
    shop.start()
    error = until(lambda: shop.status()["error"], 20, "an error")
    assert "certificate verify failed" in error["message"] and side in error["message"]
    assert error["class"] == "config" and shop.status()["state"] == "stopped-on-error"
    assert_hidden(shown(shop))
    assert shop.servers["target"].run("select to_regclass('t')", db=shop.database) == [(None,)]


def test_name_in_the_certificate(shop):
    shop.config["source"]["uri"] = shop.config["source"]["uri"].replace("@localhost:", "@127.0.0.1:")
    shop.write()
    shop.start()
    error = until(lambda: shop.status()["error"], 20, "an error")
    assert "does not match host name" in error["message"] and error["class"] == "config"


def test_file_of_the_authority_is_gone(shop):
    shop.config["target"]["uri"] = shop.config["target"]["uri"].replace("authority.crt", "nobody.crt")
    shop.write()
    shop.start()
    error = until(lambda: shop.status()["error"], 20, "an error")
    assert "nobody.crt" in error["message"] and error["class"] == "config"


def test_certificate_changes_while_streaming(shop, folder, authority):
    """Another certificate than the one to be trusted stops the stream; the right one lets it go on."""
    shop.start()
    shop.wait(state="streaming", timeout=40)
    server = shop.servers["target"]
    make_server_files(server, *make_authority(folder, "impostor"))
    server.restart()
    try:
        assert shop.wait_error("certificate verify failed")["class"] == "config"
    finally:
        make_server_files(server, *authority)
        server.restart()
    shop.servers["source"].run("insert into t select g, 'later' from generate_series(1001, 1050) g", db=shop.database)
    shop.ctl("resume")
    shop.wait(lag=0)
    compare(shop.servers["source"], server, shop.database)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_password_file_that_others_can_read(shop, mode):
    shop.password_file("target", PASSWORD["target"], mode=mode)
    status, output = shop.check()
    line = next(i for i, text in enumerate(open(shop.path), 1)
                if text.startswith("password_file") and "target" in text)
    assert status == 2 and f"{shop.path}:{line}:" in output
    assert_hidden(output)
    shop.start(answer=False)
    assert shop.process.wait(10) == 2 and f"{shop.path}:{line}:" in shop.log_text()


def test_password_in_the_uri(shop):
    shop.config["source"]["uri"] = shop.config["source"]["uri"].replace("mover@", "mover:s3cret-Source@")
    shop.config["target"]["uri"] += "&password=geheim%20T"
    shop.write()
    status, output = shop.check()
    assert status == 2 and "[source] uri: a password" in output and "[target] uri: a password" in output
    assert "s3cret" not in output and "geheim" not in output


def test_systemd_credentials(shop, tmp_path):
    for side in ("source", "target"):
        with open(tmp_path / (side + "-password"), "w") as f:
            f.write(PASSWORD[side] + "\n")
        os.chmod(tmp_path / (side + "-password"), 0o400)
        del shop.config[side]["password_file"]
    shop.write()
    shop.start(CREDENTIALS_DIRECTORY=str(tmp_path))
    shop.wait(state="streaming", timeout=40)
    assert_hidden(shown(shop))


def test_passfile_of_libpq(shop, tmp_path):
    path = tmp_path / "pgpass"
    with open(path, "w") as f:
        for side, server in shop.servers.items():
            password = PASSWORD[side].replace("\\", "\\\\").replace(":", "\\:")
            f.write(f"localhost:{server.port}:*:mover:{password}\n")
            del shop.config[side]["password_file"]
    os.chmod(path, 0o600)
    shop.write()
    shop.start(PGPASSFILE=str(path))
    shop.wait(state="streaming", timeout=40)
    assert compare(shop.servers["source"], shop.servers["target"], shop.database) == 100
    assert_hidden(shown(shop))
