"""The works of tests/tools/bench for verification: of pgbench_accounts between two PostgreSQL servers, and of sysbench
rows from MariaDB to PostgreSQL and to MariaDB, beside clients that read both tables once, at the same time, and throw
the rows away.
"""
import os
import subprocess

from . import bench_my
from .daemon import Culvert
from .servers import BIN, Postgres
from .verifying import is_my, verify


class Tables:
    """A table on both sides, by culvert itself."""

    def __init__(self, source, target, db, folder, table):
        self.source, self.target, self.db, self.table = source, target, db, table
        self.culvert = Culvert(folder, db, {"source": {"uri": source.uri(db)}, "target": {"uri": target.uri(db)}})
        self.culvert.start()
        self.culvert.wait(state="streaming", timeout=600)
        self.culvert.wait(lag=0)

    def schema(self, server):
        return self.db if is_my(server) else "public"

    def memory(self):
        return None

    def drop(self):
        self.culvert.stop()
        self.culvert.destroy()


class Readers(Tables):
    name = "reading both tables"

    def command(self, server):
        if is_my(server):
            return ["mariadb", "--no-defaults", "--quick", "--host=127.0.0.1", f"--port={server.port}", "--user=root",
                    "-e", f"select * from {self.table}", self.db]
        return [os.path.join(BIN, "psql"), "-X", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-d",
                self.db, "-c", f"copy {self.table} to stdout"]

    def work(self):
        readers = [subprocess.Popen(self.command(s), stdout=subprocess.DEVNULL) for s in (self.source, self.target)]
        assert [r.wait() for r in readers] == [0, 0]


class Ours(Tables):
    name = "culvert"

    def work(self):
        s = verify(self.culvert, "--table", f"{self.schema(self.source)}.{self.table}", timeout=600)
        assert s["rows_compared"] == s["rows_total"] > 0 and (s["differences"], s["undecided"]) == (0, 0), s

    def memory(self):
        return self.culvert.rss_kb()


def measured(side, source, target, folder, db, timed, table):
    tables = side(source, target, db, folder, table)
    seconds = timed(tables.work)
    memory = tables.memory()
    tables.drop()
    return seconds, memory


def clean(server, db):
    if is_my(server):
        server.run(f"drop database {db}; drop database if exists culvert")
        return
    server.run("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", db)
    server.run(f"drop database {db} with (force)")


def accounts(scale):
    def verify_pg(side, source, target, folder, db, timed):
        for server in (source, target):
            server.run(f"create database {db}")
        subprocess.run([os.path.join(BIN, "pgbench"), "-h", "127.0.0.1", "-p", str(source.port), "-U", "postgres", "-i",
                        "-s", str(scale), "-q", db], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        source.run("alter table pgbench_history replica identity full; checkpoint", db=db)
        result = measured(side, source, target, folder, db, timed, "pgbench_accounts")
        for server in (source, target):
            clean(server, db)
        return result
    return verify_pg


def verify_my(side, source, target, folder, db, timed):
    bench_my.prepare(source, db, bench_my.ROWS)
    target.run(f"create database {db}")
    result = measured(side, source, target, folder, db, timed, "sbtest1")
    for server in (source, target):
        clean(server, db)
    return result


def measure(folder, scale, run):
    """`run(title, work, peers, source, target, rows)` measures and prints one work."""
    source, target = [Postgres(folder, name, shared_buffers="512MB", max_wal_size="8GB").start() for name in ("a", "b")]
    my, other = [bench_my.my_server(folder, name).start() for name in ("my", "other")]
    try:
        run(f"verification of {scale * 100000} pgbench_accounts rows, PostgreSQL to PostgreSQL", accounts(scale),
            (Readers, Ours), source, target, scale * 100000)
        for kind, to in (("PostgreSQL", target), ("MariaDB", other)):
            run(f"verification of {bench_my.ROWS} sysbench rows, MariaDB to {kind}", verify_my, (Readers, Ours), my, to,
                bench_my.ROWS)
    finally:
        for server in (source, target, my, other):
            server.destroy()
