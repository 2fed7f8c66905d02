"""kill -9 at named points: before and after each sync, rename, creation, deletion and write of a file, each
commit on the target and each acknowledgement, one life of culvertd for each; and around what takes the first
copy forward, one copy for each. In the end both sides are equal, and nothing came twice."""
import random
import signal

import pytest

from harness.daemon import Refused
from harness.until import NotReached, until
from integration.conftest import Cross
from integration.test_exactly_once import Writer
from integration.test_my_exactly_once import SETUP, equal

LARGE = {"pg": "create table large (id int primary key, v text)",
         "my": "create table large (id int primary key, v longtext)"}
PASSAGES = 5  # of one point, at most


class Story:
    """What happens in each life of culvertd: it is paused, there is more than memory and a segment hold, and all
    of it is applied."""

    def __init__(self, bank, c, faults, seed=1):
        self.bank, self.culvert, self.faults = bank, c, faults
        self.random = random.Random(seed)
        self.killed = 0
        bank.sql(LARGE[bank.direction[:2]])
        bank.sql("insert into large values " + ", ".join(f"({i}, '')" for i in range(30)))

    def change(self, rows):
        connection = self.bank.source.connect(self.bank.name, autocommit=False)
        with connection.cursor() as c:
            for _ in range(rows):
                c.execute("update large set v = %s where id = %s",
                          (self.random.randbytes(30000).hex(), self.random.randrange(30)))
        connection.commit()
        connection.close()

    def tell(self, writer):
        c = self.culvert
        c.ctl("pause")
        self.change(5)
        self.change(50)
        writer.more(3)
        c.ctl("resume")
        writer.more(3)
        c.wait(lag=0)

    def live(self, writer, point, n):
        """Was it killed there?"""
        self.faults.kill(point, n)
        try:
            self.culvert.start(**self.faults.environment)
            self.tell(writer)
        except Refused:
            if not is_dead(self.culvert):
                raise
        died = is_dead(self.culvert, 0)
        if not died:
            self.culvert.kill9()
        assert self.culvert.process.returncode == -signal.SIGKILL, self.culvert.log_text()[-4000:]
        self.faults.kill(point, 0)
        self.killed += died
        return died

    def points(self, writer):
        """{point: passages} of a life in which nothing goes wrong."""
        before = self.faults.passed()
        self.culvert.start(**self.faults.environment)
        self.tell(writer)
        self.culvert.terminate()
        return {p: n - before[p] for p, n in self.faults.passed().items() if n > before[p]}


class Copies:
    """First copies of a database under load, each killed once and begun again, each from nothing."""

    def __init__(self, bank, culvert, faults):
        self.bank, self.make, self.faults, self.n = bank, culvert, faults, 0

    def _database(self):
        self.n += 1
        fresh = Cross(self.bank.source, self.bank.target, f"{self.bank.name}c{self.n}")
        fresh.direction = self.bank.direction
        side = fresh.direction[:2]
        fresh.sql(SETUP[side] + ";" + LARGE[side] + "; create index of_account on entry (account);"
                  "insert into mark values ('before'), ('before'), ('once')")
        fresh.sql("insert into large values " + ", ".join(f"({i}, '{i % 10}')" for i in range(60)))
        fresh.sql("update large set v = repeat(v, 9000)")
        return fresh

    def copy(self, point=None, n=0):
        """Was it killed there? Both sides are equal in the end."""
        b = self._database()
        c = self.make(b.config(), f"copies{self.n}")
        try:
            with Writer(b.source, b.name) as w:
                w.more(5)
                if point:
                    self.faults.kill(point, n)
                died = self._live(c)
                if point:
                    self.faults.kill(point, 0)
                if died:
                    c.start()
                w.more(5)
            equal(b, c)
        finally:
            c.destroy()
            b.drop()
        return died

    def _live(self, c):
        """Until the copy is done, or it is dead."""
        try:
            c.start(**self.faults.environment)
            c.wait(lag=0)
            return False
        except Refused:
            if not is_dead(c):
                raise
            assert c.process.returncode == -signal.SIGKILL, c.log_text()[-4000:]
            return True

    def points(self):
        """{point: passages} of a copy in which nothing goes wrong."""
        self.copy()  # the points are there once a process has had the page
        before = self.faults.passed()
        assert not self.copy()
        return {p: n - before[p] for p, n in self.faults.passed().items() if n > before[p]}


def is_dead(c, timeout=5):
    try:
        until(lambda: c.process.poll() is not None, timeout)
        return True
    except NotReached:
        return False


def some(n):
    """Numbers from 1 to n: the first ones, and others up to the last."""
    if n <= PASSAGES:
        return range(1, n + 1)
    return [1, 2, *(3 + (n - 3) * i // (PASSAGES - 3) for i in range(PASSAGES - 2))]


@pytest.mark.parametrize("bank", ["pg-pg", "my-my"], indirect=True)
def test_at_each_point(bank, culvert, faults):
    c = culvert(bank.config(queue={"acknowledge": "queued", "memory": "1MiB", "disk": "4MiB"}))
    story = Story(bank, c, faults)
    c.start(**faults.environment)
    c.wait(lag=0)
    c.terminate()
    with Writer(bank.source, bank.name) as w:
        points = story.points(w)
        assert {"synced", "synced folder", "renamed", "unlinked", "commit answered"} <= set(points)
        assert bank.direction[:2] == "my" or "ack sent" in points
        missed = [p for p, n in points.items() if not any([story.live(w, p, i) for i in some(n)])]
        c.start()
        c.ctl("resume", check=False)
        w.more(5)
    assert not missed
    print(story.killed, "kills;", points)
    equal(bank, c)


IN_A_COPY = ("snapshot", "snapshot sent", "slot", "slot sent", "rows", "rows sent", "definition", "definition sent",
             "record", "record sent", "commit sent", "commit answered")


@pytest.mark.parametrize("bank", ["pg-pg", "my-pg", "pg-my", "my-my"], indirect=True)
def test_in_the_first_copy(bank, culvert, faults):
    """At the slot, the snapshot, amid rows, keys, and before and after each record of how far it is."""
    copies = Copies(bank, culvert, faults)
    points = {p: n for p, n in copies.points().items() if p in IN_A_COPY}
    assert {"snapshot", "rows", "definition", "record", "commit answered"} <= set(points), points
    assert bank.direction[:2] == "my" or "slot sent" in points
    killed = {p: [i for i in sorted({1, n // 2 or 1, n} if "rows" in p else {1, n}) if copies.copy(p, i)]
              for p, n in points.items()}
    print(sum(map(len, killed.values())), "kills;", killed, points)
    assert all(killed.values()), killed
