"""kill -9 at named points: before and after each sync, rename, creation, deletion and write of a file, each
commit on the target and each acknowledgement, one life of culvertd for each. In the end both sides are
equal, and nothing came twice."""
import random
import signal

import pytest

from harness.daemon import Refused
from harness.until import NotReached, until
from integration.test_exactly_once import Writer
from integration.test_my_exactly_once import equal

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
