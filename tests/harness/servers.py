"""Private PostgreSQL servers: unprivileged, in a temporary folder, on free loopback ports."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess

import psycopg2

from . import until as _until

BIN = os.environ.get("CULVERT_PG_BIN", "/usr/lib/postgresql/15/bin")

SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_connections": "60",
    "max_prepared_transactions": "20",
    "shared_buffers": "16MB",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
    "timezone": "'UTC'",
}


# What wants its database for itself, or counts for sessions that begin after it.
ANEW = re.compile(r"(create|drop|alter) database|alter (role|user|system)|pg_terminate_backend", re.I)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    """One cluster. `folder` must be short: the socket lives in it. fsync stays on, since culvert
    refuses a target without it; the folder is usually in memory."""

    template = None

    def __init__(self, folder, name, bin=BIN, **settings):
        self.folder, self.name, self.bin = folder, name, bin
        self.data = os.path.join(folder, name)
        self.log = self.data + ".log"
        self.port = free_port()
        self.sessions = {}  # that run() keeps, by database
        self.settings = {**SETTINGS, **{k: str(v) for k, v in settings.items()}}
        self._make()

    def _make(self):
        key = (self.folder, self.bin)
        if Postgres.template and Postgres.template[0] == key:
            shutil.copytree(Postgres.template[1], self.data)
        else:
            self._run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
                      "--locale=C.UTF-8", "-D", self.data)
            template = self.data + ".template"
            shutil.copytree(self.data, template)
            Postgres.template = (key, template)
        os.chmod(self.data, 0o700)
        self.write_settings()

    def write_settings(self, **more):
        self.settings.update({k: str(v) for k, v in more.items()})
        with open(os.path.join(self.data, "postgresql.auto.conf"), "w") as f:
            f.write(f"port = {self.port}\nunix_socket_directories = '{self.folder}'\n")
            for key, value in self.settings.items():
                f.write(f"{key} = {value}\n")

    def setting(self, name, value):
        """Changes a setting that takes effect on reload."""
        self.write_settings(**{name: value})
        self.run("select pg_reload_conf()")

    def trust_only(self, *lines):
        """Replaces pg_hba.conf; needs a reload."""
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as f:
            f.write("\n".join(lines) + "\n")

    def _run(self, program, *arguments):
        r = subprocess.run([os.path.join(self.bin, program), *arguments], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if r.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {r.stdout}")
        return r.stdout

    def start(self):
        # pg_ctl's pipe would be inherited by the server, so its output goes nowhere
        r = subprocess.run([os.path.join(self.bin, "pg_ctl"), "-D", self.data, "-l", self.log, "-w",
                            "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if r.returncode:
            with open(self.log) as f:
                raise RuntimeError(f"{self.name} did not start:\n{f.read()[-4000:]}")
        return self

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def pid(self):
        with open(os.path.join(self.data, "postmaster.pid")) as f:
            return int(f.readline())

    def running(self):
        try:
            os.kill(self.pid(), 0)
            return True
        except (OSError, ValueError):
            return False

    def kill9(self):
        """The postmaster and its children die at once, as in a crash of the machine's software."""
        pid = self.pid()
        children = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True)
        for victim in [pid, *map(int, children.stdout.split())]:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass
        _until.until(lambda: not self.running(), 20, f"the end of {self.name}")

    def connect(self, db="postgres", user="postgres", autocommit=True, **more):
        c = psycopg2.connect(host="127.0.0.1", port=self.port, dbname=db, user=user, **more)
        c.autocommit = autocommit
        return c

    def run(self, sql, *values, db="postgres", user="postgres"):
        """One statement (or several without values); returns its rows. Each call is like a new session; the
        superuser's sessions are kept, since a server process costs more than most statements."""
        kept = user == "postgres" and not ANEW.search(sql)
        if ANEW.search(sql):
            self.forget()
        c = (kept and self._kept(db)) or self.connect(db, user)
        try:
            with c.cursor() as cursor:
                cursor.execute(sql, values or None)
                rows = cursor.fetchall() if cursor.description else []
                if kept:
                    self._keep(db, c, cursor)
                return rows
        finally:
            if c not in self.sessions.values():
                c.close()

    def _kept(self, db):
        """A session that is still there: a server that closed it has said so."""
        c = self.sessions.pop(db, None)
        if c and select.select([c], [], [], 0)[0]:
            c.close()
            return None
        return c

    def _keep(self, db, c, cursor):
        try:
            cursor.execute("discard all")
        except psycopg2.Error:
            return  # within a transaction, whose end is the session's
        other = self.sessions.pop(db, None) or (self.sessions.pop(next(iter(self.sessions)), None)
                                                if len(self.sessions) == 4 else None)
        if other:
            other.close()
        self.sessions[db] = c

    def forget(self):
        for db in list(self.sessions):
            c = self.sessions.pop(db, None)
            if c:
                c.close()

    def psql(self, db, *arguments, user="postgres", input=None):
        r = subprocess.run([os.path.join(self.bin, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
                            "-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", db,
                            *arguments], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, input=input)
        if r.returncode:
            raise RuntimeError(f"psql on {self.name}: {r.stdout[-4000:]}")
        return r.stdout

    def standby(self, name, slot, **settings):
        """A standby that streams by a slot of that name: this server's files, for which it is stopped a
        while. Not started."""
        s = Postgres.__new__(Postgres)
        s.folder, s.name, s.bin, s.port, s.sessions = self.folder, name, self.bin, free_port(), {}
        s.data = os.path.join(self.folder, name)
        s.log = s.data + ".log"
        self.run("select pg_create_physical_replication_slot(%s, true)", slot)
        self.stop()
        shutil.copytree(self.data, s.data, ignore=lambda folder, names:
                        names if os.path.basename(folder) == "pg_replslot" else [])
        os.chmod(s.data, 0o700)
        self.start()
        s.settings = {**self.settings, "primary_slot_name": f"'{slot}'", "primary_conninfo":
                      f"'host=127.0.0.1 port={self.port} user=postgres dbname=postgres'",
                      **{k: str(v) for k, v in settings.items()}}
        s.write_settings()
        open(os.path.join(s.data, "standby.signal"), "w").close()
        return s

    def promote(self):
        self._run("pg_ctl", "-D", self.data, "-w", "promote")

    def uri(self, db, user="postgres", port=None, more=""):
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{db}{more}"

    def destroy(self):
        if self.running():
            self.stop("immediate")
        shutil.rmtree(self.data, ignore_errors=True)
