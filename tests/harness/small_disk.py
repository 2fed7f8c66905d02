"""A file system of a few megabytes that is really full when it is: a tmpfs in a namespace of one's own, which needs no
root. A server has to run inside: `SmallDisk.inside` goes in front of its command."""
import os
import shutil
import subprocess

from .servers import Postgres
from .servers_my import MariaDB


class SmallDisk:
    def __init__(self, folder, name, megabytes=48):
        self.path = os.path.join(folder, name)
        os.makedirs(self.path)
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
             f"mount -t tmpfs -o size={megabytes}m,mode=1777 tmpfs {self.path} && echo there && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.works = self.holder.stdout.readline() == "there\n"
        self.enter = ["nsenter", "--target", str(self.holder.pid), "--user", "--mount", "--preserve-credentials", "--"]
        self.inside = [*self.enter, "unshare", "--user", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}", "--"]

    def run(self, command):
        return subprocess.run([*self.enter, "sh", "-c", f"cd {self.path} && {command}"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout

    def fill(self, leave=2):
        """Up to so many megabytes."""
        free = int(self.run("df --output=avail -k . | tail -1")) >> 10
        assert free > leave and not self.run(f"head -c {free - leave}M /dev/zero > filler")

    def free(self):
        assert not self.run("rm filler")

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()
        shutil.rmtree(self.path, ignore_errors=True)


class SmallPostgres(Postgres):
    """Its tablespace `small` is on the disk."""

    def __init__(self, folder, name, disk):
        self.disk = disk
        super().__init__(folder, name)

    def start(self):
        r = subprocess.run([*self.disk.inside, os.path.join(self.bin, "pg_ctl"), "-D", self.data, "-l", self.log, "-w",
                            "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert r.returncode == 0, open(self.log).read()[-4000:] if os.path.exists(self.log) else "no log"
        return self

    def place(self, db):
        self.run(f"create tablespace small location '{self.disk.path}'")
        self.run("create table t (id int, v int, body varchar(1000), primary key (id) using index tablespace small) "
                 "tablespace small", db=db)


class SmallMariaDB(MariaDB):
    def __init__(self, folder, name, disk):
        self.disk = disk
        super().__init__(folder, name)

    def _command(self):
        return [*self.disk.inside, *super()._command()]

    def place(self, db):
        self.run(f"create table t (id int primary key, v int, body varchar(1000)) data directory = '{self.disk.path}'", db=db)
