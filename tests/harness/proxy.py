"""A loopback TCP proxy that breaks connections on command."""
import random
import select
import socket
import struct
import threading
import time
from collections import Counter


class Proxy:
    """Forwards 127.0.0.1:port to a server's port. `cut` resets what is open, `stall` holds bytes
    back, `refuse` closes new connections at once, `allow` ends stall and refusal."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = []
        self.refusing = False
        self.flowing = threading.Event()
        self.flowing.set()
        self.closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.server_port))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

    def _pump(self, a, b):
        other = {a: b, b: a}
        try:
            while True:
                self.flowing.wait()
                ready, _, _ = select.select([a, b], [], [], 1.0)
                for s in ready:
                    data = s.recv(65536)
                    self.flowing.wait()
                    if not data:
                        return
                    other[s].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            for s in (a, b):
                s.close()

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for s in pair:
                try:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        return len(pairs)

    def stall(self):
        self.flowing.clear()

    def refuse(self):
        self.refusing = True

    def allow(self):
        self.refusing = False
        self.flowing.set()

    def close(self):
        self.closed = True
        self.allow()
        self.listener.close()
        self.cut()


SILENT = 4  # seconds


class RoughProxy(Proxy):
    """While it is `rough`, each connection has a fate, drawn from the seed: after so many bytes it is

      cut      reset, with what is under way
      inside   reset behind the first half of what came, which is the middle of a message
      half     closed in one direction; the other one stays open and is read
      slow     everything comes later, and then it is cut
      silent   nothing comes any more, and for seconds nothing is closed
    """

    FATES = ("cut", "inside", "half", "slow", "silent")

    def __init__(self, server_port, seed=1):
        self.random = random.Random(seed)
        self.faults = Counter()
        self.is_rough = self.silent = False
        super().__init__(server_port)

    def rough(self):
        """The connections that are open are cut, so that new ones come."""
        self.is_rough = True
        self.cut()

    def calm(self):
        self.is_rough = False
        self.cut()

    def _pump(self, a, b):
        if not self.is_rough:
            return super()._pump(a, b)
        fate = self.FATES[sum(self.faults.values()) % len(self.FATES)]
        left = self.random.choice([100, 1500, 4000, 10000])
        try:
            left = self._forward(a, b, left, 0.01 if fate == "slow" else 0)
            if left <= 0:
                self._end(a, b, fate)
        except (OSError, ValueError):
            pass
        finally:
            for s in (a, b):
                s.close()

    def _forward(self, a, b, left, delay):
        """Until so many bytes have passed; a positive number is left over when one side has closed."""
        while left > 0 and self.is_rough:
            ready, _, _ = select.select([a, b], [], [], 0.2)
            for s in ready:
                data = s.recv(4096)
                if not data:
                    return left
                time.sleep(delay)  # the network's, not the test's
                (b if s is a else a).sendall(data)
                left -= len(data)
        return left

    def _end(self, a, b, fate):
        with self.lock:
            self.faults[fate] += 1
            first, second = (a, b) if self.random.random() < 0.5 else (b, a)
        if fate == "inside":
            data = select.select([first], [], [], 5)[0] and first.recv(4096)
            if data:
                second.sendall(data[:max(1, len(data) // 2)])
        elif fate == "half":
            second.shutdown(socket.SHUT_WR)
            while select.select([second], [], [], 5)[0] and second.recv(4096):
                pass
        elif fate == "silent":
            self._swallow(a)
        for s in (a, b):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _swallow(self, client):
        """Until it gives up, or for some seconds."""
        self.silent = True
        end = time.monotonic() + SILENT
        while self.is_rough and time.monotonic() < end:
            if select.select([client], [], [], 0.2)[0] and not client.recv(65536):
                break
        self.silent = False
