"""The works of tests/tools/bench for the MySQL family: the copy of sysbench rows from MariaDB to
PostgreSQL beside pgloader, and a backlog of sysbench transactions from MariaDB to MariaDB beside
the server's own replica, which applies serially as it does by default.

Logs are flushed at each commit on every server. The targets have no binary log: neither peer would
need it. The folder is usually in memory, so that a commit costs a peer little that makes many.
"""
import os
import subprocess

from .daemon import Culvert
from .servers import Postgres
from .servers_my import MariaDB
from .until import until

ROWS = int(os.environ.get("ROWS", 1000000))
BACKLOG_ROWS = int(os.environ.get("BACKLOG_ROWS", 100000))
BACKLOG = int(os.environ.get("BACKLOG", 20000))
COLUMNS = "concat_ws(',', id, k, rtrim(c), rtrim(pad))"  # PostgreSQL shows a CHAR padded


def sysbench(server, db, command, *arguments):
    subprocess.run(["sysbench", "--db-driver=mysql", "--mysql-host=127.0.0.1",
                    f"--mysql-port={server.port}", "--mysql-user=root", f"--mysql-db={db}",
                    *arguments, "oltp_write_only", command],
                   check=True, stdout=subprocess.DEVNULL)


def prepare(source, db, rows):
    source.run(f"create database {db}")
    sysbench(source, db, "prepare", "--tables=1", f"--table-size={rows}")


def digest_my(server, db):
    return server.run(f"select count(*), sum(conv(left(md5({COLUMNS}), 8), 16, 10)) from sbtest1",
                      db=db)[0]


def digest_pg(server, db, schema):
    return server.run(f"select count(*), sum(('x' || left(md5({COLUMNS}), 8))::bit(32)::bigint) "
                      f"from {schema}.sbtest1", db=db)[0]


def same(left, right):
    left, right = [int(x) for x in left], [int(x) for x in right]
    assert left == right, f"(rows, sum of digests): {left} became {right}"


class Ours:
    """culvert, in both works."""
    name = "culvert"

    def __init__(self, source, target, db, folder):
        self.source, self.db = source, db
        self.culvert = Culvert(folder, db, {"source": {"uri": source.uri(db)},
                                            "target": {"uri": target.uri(db)}})

    def copy(self):
        self.culvert.start(answer=False)
        until(self.culvert._answers, 20)
        self.culvert.wait(state="streaming", timeout=600)

    def begin(self):
        self.copy()
        self.culvert.wait(lag=0)
        self.culvert.stop()

    def apply(self):
        self.culvert.start(answer=False)
        until(self.culvert._answers, 20)
        self.culvert.wait(lag=0, timeout=600)

    def schema(self):
        return "public"

    def memory(self):
        return self.culvert.rss_kb()

    def drop(self):
        self.culvert.destroy()


class Pgloader:
    name = "pgloader"

    def __init__(self, source, target, db, folder):
        self.source, self.target, self.db, self.folder = source, target, db, folder

    def copy(self):
        r = subprocess.run(["pgloader", "--root-dir", os.path.join(self.folder, "pgloader"),
                            self.source.uri(self.db), self.target.uri(self.db)],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            raise RuntimeError(r.stdout)

    def schema(self):
        return self.db

    def memory(self):
        return None

    def drop(self):
        pass


class Replica:
    name = "the server's replica"

    def __init__(self, source, target, db, folder):
        self.source, self.target = source, target

    def begin(self):
        """All that the source's log holds, which begins with this run's database."""
        self.target.run(f"change master to master_host = '127.0.0.1', master_port = "
                        f"{self.source.port}, master_user = 'root', master_log_file = "
                        f"'{self.source.binlogs()[0]}', master_log_pos = 4")
        self.apply()
        self.target.run("stop slave")

    def apply(self):
        self.target.run("start slave")
        file, position = self.source.master()
        r = self.target.run("select master_pos_wait(%s, %s, 600)", file, position)
        assert r[0][0] is not None and r[0][0] >= 0, self.target.run("show slave status")

    def memory(self):
        return None

    def drop(self):
        self.target.run("stop slave; reset slave all")


def copy(side, source, target, folder, db, timed):
    prepare(source, db, ROWS)
    target.run(f"create database {db}")
    peer = side(source, target, db, folder)
    seconds = timed(peer.copy)
    memory = peer.memory()
    same(digest_my(source, db), digest_pg(target, db, peer.schema()))
    peer.drop()
    source.run(f"drop database {db}")
    target.run(f"drop database {db} with (force)")
    return seconds, memory


def backlog(side, source, target, folder, db, timed):
    source.run("reset master")
    prepare(source, db, BACKLOG_ROWS)
    peer = side(source, target, db, folder)
    if side is Ours:
        target.run(f"create database {db}")
    peer.begin()
    sysbench(source, db, "run", "--tables=1", f"--table-size={BACKLOG_ROWS}", "--threads=4",
             "--time=0", f"--events={BACKLOG}")
    seconds = timed(peer.apply)
    memory = peer.memory()
    same(digest_my(source, db), digest_my(target, db))
    peer.drop()
    for server in (source, target):
        server.run(f"drop database {db}; drop database if exists culvert")
    return seconds, memory


def my_server(folder, name, **settings):
    return MariaDB(folder, name, innodb_buffer_pool_size="512M", innodb_log_file_size="512M",
                   **settings)


def measure(folder, run):
    """`run(title, work, peers)` measures and prints one work."""
    source = my_server(folder, "my").start()
    loaded = Postgres(folder, "pg", shared_buffers="256MB", max_wal_size="8GB").start()
    applied = my_server(folder, "to")
    del applied.settings["log_bin"]
    try:
        applied.start()
        run(f"copy of {ROWS} sysbench rows, MariaDB to PostgreSQL", copy, (Pgloader, Ours), source,
            loaded)
        run(f"sysbench backlog of {BACKLOG} transactions, MariaDB to MariaDB", backlog,
            (Replica, Ours), source, applied)
    finally:
        for server in (source, loaded, applied):
            server.destroy()
