"""A loopback TCP proxy that breaks connections on command."""
import select
import socket
import threading


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
