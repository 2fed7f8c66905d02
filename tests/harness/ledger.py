"""Clients of an application that write to the side that leads, as culvert.state says, and keep a book of what was
acknowledged."""
import threading
import time

from .until import until

TABLE = "create table ledger (id int primary key, n int not null, v varchar(40))"


class Ledger:
    """`pair`: a database on two servers, with TABLE. Each writer has rows of its own."""

    def __init__(self, pair, writers=3, pipeline=None):
        self.pair, self.pipeline = pair, pipeline or pair.culvert.name
        self.acknowledged, self.errors = {}, {}  # id -> the values n may have; text of an error -> how often
        self.times = []  # when something was acknowledged, and by which side
        self.stopping = False
        self.threads = [threading.Thread(target=self._run, args=(w,), daemon=True) for w in range(writers)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join()

    def written(self, more, timeout=30):
        """Until so many more writes were acknowledged."""
        before = len(self.times)
        until(lambda: len(self.times) >= before + more, timeout, f"{more} more writes")

    def leader(self):
        """The target has the last word; before the first cutover it may be closed to this question."""
        rows = self.pair.target_sql(f"select direction from culvert.state where pipeline = '{self.pipeline}'")
        return "target" if rows and rows[0][0] == "reverse" else "source"

    def _connect(self, side):
        server = getattr(self.pair, side)
        return server.connect(self.pair.name, user=self.pair.app)

    def _write(self, cursor, w, i):
        key = w * 1000000 + i // 2
        if i % 2 == 0:
            cursor.execute("insert into ledger values (%s, 1, %s)", (key, f"writer {w}"))
        else:
            cursor.execute("update ledger set n = n + 1 where id = %s", (key,))
        return key

    def _run(self, w):
        i, side, connection = 0, "source", None
        while not self.stopping:
            try:
                if connection is None:
                    side = self.leader()
                    connection = self._connect(side)
                with connection.cursor() as cursor:
                    key = self._write(cursor, w, i)
                self.acknowledged[key] = {i % 2 + 1}
                self.times.append((time.monotonic(), side))
                i += 1
            except Exception as e:  # the fence: look who leads
                # what is in doubt (the connection was lost) is not written again, and not counted
                text = f"{side}: {type(e).__name__}: {e}".split("\n")[0]
                self.errors[text] = self.errors.get(text, 0) + 1
                if self._is_lost(e):
                    self.acknowledged.setdefault(w * 1000000 + i // 2, {None}).add(i % 2 + 1)
                    i += 2 - i % 2
                if connection is not None:
                    self._close(connection)
                connection = None

    @staticmethod
    def _is_lost(e):
        """Was the statement sent, and its answer lost?"""
        code = getattr(e, "pgcode", None) or (e.args[0] if e.args else None)
        return code is None or code in (2006, 2013) or str(code).startswith("57P")

    @staticmethod
    def _close(connection):
        try:
            connection.close()
        except Exception:
            pass

    def pauses(self):
        """Seconds between the last write on one side and the first on the other."""
        times = sorted(self.times)
        return [b[0] - a[0] for a, b in zip(times, times[1:]) if a[1] != b[1]]

    def check(self):
        """Every acknowledged write is on both sides, once, and both sides are equal."""
        sides = [dict(sql("select id, n from ledger")) for sql in (self.pair.sql, self.pair.target_sql)]
        assert sides[0] == sides[1]
        for key, n in self.acknowledged.items():
            assert sides[0].get(key) in n, (key, n, sides[0].get(key))
        return len(sides[0])
