"""Where the stream of a MySQL-family source begins again, and where it cannot."""
import pytest

from harness.servers_my import MariaDB
from harness.until import until

SETUP = "create table t (id int primary key, v text); insert into t values (1, 'one')"


@pytest.fixture
def shop(from_my, culvert):
    from_my.sql(SETUP)
    from_my.culvert = culvert(from_my.least()).start()
    from_my.culvert.wait(lag=0)
    return from_my


def same(shop):
    shop.culvert.wait(lag=0)
    return shop.compare()


def test_rotated_files(shop):
    for i in range(2, 12):
        shop.sql(f"insert into t values ({i}, 'x')")
        shop.source.run("flush binary logs")
    assert same(shop) == 11
    shop.culvert.terminate()
    for i in range(12, 20):
        shop.sql(f"insert into t values ({i}, 'x')")
        shop.source.run("flush binary logs")
    shop.culvert.start()
    assert same(shop) == 19


def test_files_rotated_by_size(shop):
    shop.source.setting("max_binlog_size", 4096)
    try:
        files = len(shop.source.binlogs())
        for i in range(2, 60):
            shop.sql(f"insert into t values ({i}, repeat('x', 500))")
        assert len(shop.source.binlogs()) > files + 3
        assert same(shop) == 59
    finally:
        shop.source.setting("max_binlog_size", "1073741824")


def purged(server, last):
    server.run(f"purge binary logs to '{last}'")
    return server.binlogs()[0] == last


def test_purged_while_stopped(shop):
    """Terminal, and it names what is missing."""
    needed = shop.culvert.status()["source"]["position"].split(":")[0]
    shop.culvert.terminate()
    shop.sql("insert into t values (2, 'lost')")
    for _ in range(2):
        shop.source.run("flush binary logs")
    last = shop.source.binlogs()[-1]
    until(lambda: purged(shop.source, last), 60, "the purge")  # the old dump thread holds its file for a while
    shop.culvert.start()
    error = shop.culvert.wait_error("resync required")
    assert f"bin.{needed}" in error["message"] and last in error["message"], error
    assert shop.target_sql("select count(*) from t") == [(1,)]
    shop.culvert.ctl("resume", check=False)
    shop.culvert.wait_error("resync required")


def test_binary_logs_reset(shop):
    shop.culvert.terminate()
    shop.sql("insert into t values (2, 'lost')")
    shop.source.run("reset master")
    shop.culvert.start()
    shop.culvert.wait_error("resync required")
    assert shop.target_sql("select count(*) from t") == [(1,)]


def test_another_server(shop, folder):
    """A position means nothing on a server that it is not from."""
    other = MariaDB(folder, f"other{shop.name}").start()
    try:
        other.run(f"create database {shop.name}")
        other.run(SETUP + "; insert into t values (2, 'stranger')", db=shop.name)
        shop.culvert.terminate()
        uri = shop.culvert.config["source"]["uri"].replace("//culvert@", "//root@")
        shop.culvert.config["source"]["uri"] = uri.replace(f":{shop.source.port}/", f":{other.port}/")
        shop.culvert.write()
        shop.culvert.start()
        error = shop.culvert.wait_error("resync required")
        assert error["class"] == "data"
        assert shop.target_sql("select count(*) from t") == [(1,)]
    finally:
        other.destroy()


@pytest.mark.long
def test_idle_source_advances(shop):
    """Writes elsewhere on the server move the position, so that files may be purged."""
    before = shop.culvert.status()["source"]["acknowledged"]
    shop.source.run("create database if not exists busy; create table busy.t (id int)")
    try:
        for i in range(20):
            shop.source.run(f"insert into busy.t values ({i})")
        shop.source.run("flush binary logs")
        file = int(shop.source.binlogs()[-1].split(".")[1])
        until(lambda: int(shop.culvert.status()["source"]["acknowledged"].split(":")[0]) >= file, 40,
              "an acknowledged position in the new file")
        assert shop.culvert.status()["source"]["acknowledged"] != before
        shop.source.run(f"purge binary logs to '{shop.source.binlogs()[-1]}'")
    finally:
        shop.source.run("drop database busy")
    shop.culvert.terminate()
    shop.sql("insert into t values (2, 'after')")
    shop.culvert.start()
    assert same(shop) == 2


def test_several_gtid_domains(shop):
    for i in range(2, 20):
        shop.sql(f"set session gtid_domain_id = {i % 3}; insert into t values ({i}, 'domain')")
    assert same(shop) == 19
    shop.culvert.terminate()
    for i in range(20, 30):
        shop.sql(f"set session gtid_domain_id = {i % 4}; insert into t values ({i}, 'domain')")
    shop.culvert.start()
    assert same(shop) == 29


def test_checksums_and_compression(shop):
    try:
        for checksum, compressed in (("NONE", "OFF"), ("CRC32", "ON"), ("CRC32", "OFF")):
            shop.source.setting("binlog_checksum", checksum)
            shop.source.setting("log_bin_compress", compressed)
            count = shop.sql("select count(*) from t")[0][0]
            shop.sql(f"insert into t values ({count + 1}, repeat('compress me ', 1000)); "
                     f"update t set v = concat(v, 'x'); insert into t values (1000, 'x'); delete from t where id = 1000")
        assert same(shop) == 4
    finally:
        shop.source.setting("binlog_checksum", "CRC32")
        shop.source.setting("log_bin_compress", "OFF")


@pytest.mark.long
def test_an_event_of_several_packets(from_my, culvert):
    """The protocol cuts what is longer than 16 MiB."""
    servers = [s for s in (from_my.source, from_my.target) if hasattr(s, "engine")]
    for server in servers:
        server.setting("max_allowed_packet", 64 << 20)
    try:
        from_my.sql("create table fat (id int primary key, v longtext)")
        c = culvert(from_my.least()).start()
        c.wait(lag=0)
        from_my.sql("insert into fat values (1, repeat('sixteen', 2500000)); insert into fat values (2, 'x')")
        c.wait(lag=0)
        assert from_my.compare() == 2
    finally:
        for server in servers:
            server.setting("max_allowed_packet", 16 << 20)
