"""A target that owes an answer and gives none, on a connection that looks alive: a network that takes bytes and
delivers none, a server that hangs, a lock that somebody holds. Every row is compared in the end."""
import os
import select
import signal
import subprocess

import pytest

from harness.compare import compare
from harness.proxy import Proxy
from harness.until import until
from integration.conftest import is_my

GIVEN_UP = "the connection is given up"
SETUP = "create table t (id int primary key, v int); insert into t values (1, 1), (2, 2), (3, 3)"


class DeafProxy(Proxy):
    """After `deafen`, what the connections that are open now send is taken, and never delivered."""

    def __init__(self, server_port):
        self.deaf = set()
        super().__init__(server_port)

    def deafen(self):
        with self.lock:
            self.deaf = set(self.pairs)

    def _pump(self, a, b):
        other = {a: b, b: a}
        try:
            while True:
                ready, _, _ = select.select([a, b], [], [], 0.2)
                for s in ready:
                    data = s.recv(65536)
                    if not data:
                        return
                    if (a, b) not in self.deaf:
                        other[s].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            for s in (a, b):
                s.close()


class Shop:
    def __init__(self, both, culvert, port=None, timeout="1s"):
        self.both, self.sql, self.target_sql = both, both.sql, both.target_sql
        both.sql(SETUP)
        both.grant()
        self.culvert = culvert(both.config("culvert", target_port=port, apply={"answer_timeout": timeout})).start()
        self.culvert.wait(lag=0)

    def log(self):
        return self.culvert.log_text()

    def compare(self):
        self.culvert.wait(lag=0)
        return self.both.compare() if hasattr(self.both, "direction") else compare(self.both.source, self.both.target,
                                                                                   self.both.name)


@pytest.mark.long
def test_bytes_that_nobody_delivers(every_way, culvert):
    proxy = DeafProxy(every_way.target.port)
    try:
        shop = Shop(every_way, culvert, proxy.port)
        for n in range(10, 13):
            proxy.deafen()
            shop.sql(f"insert into t values ({n}, {n}); update t set v = v + 1")
            until(lambda: shop.log().count(GIVEN_UP) >= n - 9, 20, "the end of a deaf connection")
            shop.culvert.wait(lag=0)
        assert "the server waits for us" in shop.log()
        assert shop.compare() == 6
    finally:
        proxy.close()


def processes(server):
    """All of the server's, the main one first."""
    main = server.pid() if hasattr(server, "pid") else server.process.pid
    main = main() if callable(main) else main
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(main)], stdout=subprocess.PIPE, text=True).stdout
    return [int(main), *map(int, children.split())]


@pytest.mark.long
def test_a_server_that_hangs(every_way, culvert):
    """New connections are taken by its system, and have no answer either."""
    shop = Shop(every_way, culvert)
    stopped = processes(every_way.target)
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        shop.sql("insert into t values (4, 4); update t set v = v + 1")
        until(lambda: GIVEN_UP in shop.log(), 60, "the end of the connection")
        shop.sql("insert into t values (5, 5)")
        assert shop.culvert.status()["error"]["class"] == "retry"
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert shop.compare() == 5


def test_a_lock_is_waited_for(every_way, culvert):
    shop = Shop(every_way, culvert, timeout="400ms")
    holder = every_way.target.connect(every_way.name, autocommit=False)
    try:
        with holder.cursor() as c:
            c.execute("update t set v = v where id = 2")
        shop.sql("update t set v = 22 where id = 2")
        until(lambda: "but works on it" in shop.log(), 20, "the news that it waits")
        shop.sql("insert into t values (9, 9)")  # goes on after more questions than one
        backend = "transactionid" if not is_my(every_way.target) else "connection "
        until(lambda: backend in shop.log(), 5, "what it waits for")
        assert shop.target_sql("select v from t where id = 2") == [(2,)]
    finally:
        holder.rollback()
        holder.close()
    assert shop.compare() == 4
    assert shop.log().count("but works on it") == 1 and GIVEN_UP not in shop.log()


@pytest.mark.long
def test_nobody_asks_where_it_is_off(pair, culvert):
    """0, and on again by a reload."""
    proxy = DeafProxy(pair.target.port)
    try:
        shop = Shop(pair, culvert, proxy.port, timeout="0ms")
        proxy.deafen()
        shop.sql("insert into t values (4, 4)")
        until(lambda: shop.culvert.status()["lag"]["transactions"] == 1, 20, "a transaction under way")
        shop.culvert.config["apply"]["answer_timeout"] = "500ms"
        shop.culvert.write()
        assert GIVEN_UP not in shop.log()
        shop.culvert.ctl("reload")
        until(lambda: GIVEN_UP in shop.log(), 20, "the end of the connection")
        assert shop.compare() == 4
    finally:
        proxy.close()
