"""The steps of a cutover by tests/drive/steps.c."""
import os
import subprocess

from .daemon import BUILD, Refused

PROGRAM = os.path.join(BUILD, "tests/drive/steps")


class Fence:
    """Of the source in a configuration; `tables` as the source names them."""

    def __init__(self, path, tables, **environment):
        self.path, self.tables, self.environment = path, tables, environment

    def call(self, action, timeout=10):
        return subprocess.run([PROGRAM, action, self.path, str(int(timeout * 1000)), *self.tables], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              env={**os.environ, **self.environment}, timeout=120)

    def start(self, action, timeout=10):
        return subprocess.Popen([PROGRAM, action, self.path, str(int(timeout * 1000)), *self.tables], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                env={**os.environ, **self.environment})

    def done(self, action, **more):
        r = self.call(action, **more)
        if r.returncode:
            raise Refused(f"fence {action}: {r.returncode}\n{r.stdout}{r.stderr}")
        return r.stdout

    def up(self, **more):
        """The position, and how many sessions were ended."""
        at, ended = self.done("raise", **more).split()
        return at, int(ended)

    def down(self, **more):
        self.done("lower", **more)

    def is_up(self):
        return self.done("is-up").startswith("true")

    def proof(self):
        """"" while it holds, else why it does not."""
        yes, _, why = self.done("prove").rstrip("\n").partition(" ")
        assert (yes == "true") == (why == "")
        return why

    def counters(self):
        """How many were set, and seconds."""
        moved, microseconds = self.done("counters").split()
        return int(moved), int(microseconds) / 1e6

    def findings(self, level=None, of="check"):
        """[(level, text, mend)]"""
        found = [tuple(line.split("\t")) for line in self.done(of).splitlines()]
        return [f for f in found if level in (None, f[0])]

    def refused(self, action="raise", **more):
        r = self.call(action, **more)
        assert r.returncode == 1, r
        return r.stderr
