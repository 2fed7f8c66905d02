"""What goes wrong below culvertd, by tests/preload/faults.c: the page of memory that both share."""
import mmap
import os
import struct

from .daemon import BUILD

LIBRARY = os.path.join(BUILD, "tests/preload/faults")
HEAD = struct.Struct("<4q")     # calendar, monotonic, full, broken
POINT = struct.Struct("<24s2Q")  # name, passed, kill_at
SIZE = 4096


class Faults:
    """culvert.start(**faults.environment). Outlives the process, and counts on over restarts."""

    def __init__(self, path):
        with open(path, "wb") as f:
            f.truncate(SIZE)
        self.file = open(path, "r+b")
        self.page = mmap.mmap(self.file.fileno(), SIZE)
        self.environment = {"LD_PRELOAD": LIBRARY, "CULVERT_FAULTS": path}

    def close(self):
        self.page.close()
        self.file.close()

    def _points(self):
        """{name: (place in the page, passed)}; empty before the first process."""
        points, at = {}, HEAD.size
        while True:
            name, passed, _ = POINT.unpack_from(self.page, at)
            if not name[0]:
                return points
            points[name.rstrip(b"\0").decode()] = (at, passed)
            at += POINT.size

    def passed(self):
        return {name: passed for name, (_, passed) in self._points().items()}

    def kill(self, name, n):
        """At the n-th passage of the point from now on; 0: nevermore."""
        at, passed = self._points()[name]
        struct.pack_into("<Q", self.page, at + 32, passed + n if n else 0)

    def _head(self, index, value):
        struct.pack_into("<q", self.page, 8 * index, int(value))

    def calendar(self, seconds):
        """Sets the clock on the wall so far ahead, or behind."""
        self._head(0, seconds * 1e9)

    def skip(self, seconds):
        """So much more time has passed. The loop looks at the clock when something wakes it."""
        self._head(1, struct.unpack_from("<q", self.page, 8)[0] + seconds * 1e9)

    def full(self, full=True):
        self._head(2, full)

    def break_sync(self):
        """The next one fails."""
        self._head(3, 1)
