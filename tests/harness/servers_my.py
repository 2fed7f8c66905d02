"""Private MariaDB and MySQL servers: unprivileged, in a temporary folder, on free loopback ports.
They have the surface of harness.servers.Postgres. `root` has no password, from any host."""
import os
import shutil
import signal
import subprocess

import pymysql
from pymysql.constants import CLIENT, ER

from . import until as _until
from .servers import free_port

SETTINGS = {
    "bind_address": "127.0.0.1",
    "skip_name_resolve": "ON",
    "log_bin": "bin",
    "binlog_row_metadata": "FULL",
    "binlog_row_image": "FULL",
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1",
    "innodb_buffer_pool_size": "64M",
    "innodb_buffer_pool_load_at_startup": "OFF",
    "innodb_buffer_pool_dump_at_shutdown": "OFF",
    "character_set_server": "utf8mb4",
    "max_connections": "100",
    "secure_file_priv": "",
}
LOST = (pymysql.err.OperationalError, pymysql.err.InterfaceError)


class MyFamily:
    """What both engines share. `folder` must be short: the socket lives in it. Logs are flushed at
    each commit; the folder is usually in memory."""

    templates = {}
    ids = 100

    def __init__(self, folder, name, **settings):
        MyFamily.ids += 1
        self.folder, self.name = folder, name
        self.data = os.path.join(folder, name)
        self.socket = self.data + ".sock"
        self.log = self.data + ".log"
        self.port = free_port()
        self.process = None
        self.settings = {**SETTINGS, **self.ENGINE_SETTINGS, "server_id": str(MyFamily.ids),
                         **{k: str(v) for k, v in settings.items()}}
        self._make()

    def _make(self):
        key = (self.engine, self.folder)
        if key not in MyFamily.templates:
            template = self.data + ".template"
            self._install(template)
            MyFamily.templates[key] = template
        shutil.copytree(MyFamily.templates[key], self.data)
        # /tmp is everybody's: servers take each other's temporary files away
        self.temporary = self.data + ".tmp"
        os.makedirs(self.temporary, exist_ok=True)

    def _check(self, *command):
        r = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        if r.returncode:
            raise RuntimeError(f"{' '.join(command)}: {r.stdout[-4000:]}")

    def _command(self):
        return [*self._server(), "--no-defaults", f"--datadir={self.data}", f"--port={self.port}",
                f"--socket={self.socket}", f"--pid-file={self.data}.pid", f"--tmpdir={self.temporary}",
                *(f"--{k.replace('_', '-')}={v}" for k, v in self.settings.items())]

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        _until.until(self._answers, 60, f"an answer of {self.name}")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            with open(self.log, errors="replace") as f:
                raise RuntimeError(f"{self.name} did not start:\n{f.read()[-4000:]}")
        try:
            self.connect(None).close()
            return True
        except LOST:
            return False

    def stop(self, mode="fast"):
        if mode == "immediate":
            return self.kill9()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def restart(self, mode="fast", **settings):
        self.stop(mode)
        self.settings.update({k: str(v) for k, v in settings.items()})
        self.start()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def setting(self, name, value):
        """Changes a global setting of the running server: new sessions have it."""
        self.run(f"set global {name} = {value}")

    def connect(self, db=None, user="root", autocommit=True, **more):
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, database=db,
                               autocommit=autocommit, charset="utf8mb4",
                               client_flag=CLIENT.MULTI_STATEMENTS | CLIENT.FOUND_ROWS,
                               init_command="set time_zone = '+00:00', lock_wait_timeout = 60",
                               **more)

    def run(self, sql, *values, db=None, user="root"):
        """One statement (or several without values); returns the rows of the last."""
        c = self.connect(db, user)
        try:
            if sql.startswith(("xa commit", "xa rollback")):
                self._end_prepared(c, sql)
                return []
            with c.cursor() as cursor:
                return execute(cursor, sql, *values)
        finally:
            c.close()

    def _end_prepared(self, c, sql):
        """The session that prepared it may be on its way out: until it is gone, the server says that
        there is no such transaction (XAER_NOTA)."""
        def ended():
            try:
                with c.cursor() as cursor:
                    cursor.execute(sql)
                return True
            except pymysql.err.MySQLError as e:
                if e.args[0] != ER.XAER_NOTA:
                    raise
        _until.until(ended, 20, f"a transaction for {sql}")

    def client(self, db, *arguments, user="root", input=None):
        """The engine's own command-line client; `input` may be text or bytes."""
        if isinstance(input, str):
            input = input.encode()
        r = subprocess.run([*self._client(), "--no-defaults", "--host=127.0.0.1",
                            f"--port={self.port}", f"--user={user}",
                            "--default-character-set=utf8mb4", *arguments, *([db] if db else [])],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, input=input)
        text = r.stdout.decode(errors="replace")
        if r.returncode:
            raise RuntimeError(f"client on {self.name}: {text[-4000:]}")
        return text

    def uri(self, db, user="root", port=None, more=""):
        return f"mysql://{user}@127.0.0.1:{port or self.port}/{db}{more}"

    def end_prepared(self):
        """XA transactions that a test leaves behind hold their locks."""
        for *_, xid in self.run("xa recover"):
            self.run(f"xa rollback '{xid.decode() if isinstance(xid, bytes) else xid}'")

    def binlogs(self):
        """Names of the binary log's files, the one being written last."""
        return [r[0] for r in self.run("show binary logs")]

    def destroy(self):
        if self.running():
            self.kill9()
        shutil.rmtree(self.data, ignore_errors=True)


def execute(cursor, sql, *values):
    cursor.execute(sql, values or None)
    rows = list(cursor.fetchall())
    while cursor.nextset():
        rows = list(cursor.fetchall())
    return rows


class MariaDB(MyFamily):
    engine = "mariadb"
    ENGINE_SETTINGS = {"binlog_format": "ROW", "innodb_log_file_size": "16M",
                       "collation_server": "utf8mb4_general_ci", "log_warnings": "2",
                       "plugin_maturity": "alpha"}

    def _install(self, data):
        self._check("mariadb-install-db", "--no-defaults", f"--datadir={data}",
                    "--auth-root-authentication-method=normal", "--skip-test-db",
                    "--innodb-log-file-size=16M")

    def _server(self):
        return ["/usr/sbin/mariadbd"]

    def _client(self):
        return ["mariadb"]

    def master(self):
        """(file, offset) of the end of the binary log."""
        return self.run("show master status")[0][:2]


MYSQL = os.environ.get("CULVERT_MYSQL", "/var/tmp/culvert-test/mysql")


class MySQL(MyFamily):
    """MySQL 9.7 from the folder that tests/tools/mysql makes, run by that folder's own loader and
    libraries, so that nobody needs root."""

    engine = "mysql"
    ENGINE_SETTINGS = {"mysqlx": "OFF", "innodb_redo_log_capacity": "32M",
                       "gtid_mode": "ON", "enforce_gtid_consistency": "ON"}

    @staticmethod
    def program(path):
        """A program of that folder, as a command."""
        inside = MYSQL + "/usr/lib/x86_64-linux-gnu"
        return [MYSQL + "/lib64/ld-linux-x86-64.so.2", "--library-path", inside, MYSQL + path]

    @staticmethod
    def available():
        return os.path.exists(MYSQL + "/usr/sbin/mysqld")

    def _server(self):
        return self.program("/usr/sbin/mysqld")

    def _client(self):
        return self.program("/usr/bin/mysql")

    def _command(self):
        return [*super()._command(), *self._places()]

    def _places(self):
        return [f"--basedir={MYSQL}/usr", f"--lc-messages-dir={MYSQL}/usr/share/mysql",
                f"--character-sets-dir={MYSQL}/usr/share/mysql/charsets",
                f"--plugin-dir={MYSQL}/usr/lib/mysql/plugin"]

    def _install(self, data):
        init = data + ".sql"
        with open(init, "w") as f:
            f.write("create user root@'%' identified by '';\ngrant all on *.* to root@'%' with "
                    "grant option;\n")
        self._check(*self._server(), "--no-defaults", f"--datadir={data}", *self._places(),
                    "--initialize-insecure", f"--init-file={init}",
                    f"--innodb-redo-log-capacity={self.ENGINE_SETTINGS['innodb_redo_log_capacity']}",
                    f"--log-error={data}.log")
        # each copy is to have a server_uuid of its own
        path = os.path.join(data, "auto.cnf")
        if os.path.exists(path):
            os.remove(path)

    def master(self):
        return self.run("show binary log status")[0][:2]
