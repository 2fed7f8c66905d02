"""The load that other tests rely on: it commits what it counts, all of it, and in all its kinds."""
import psycopg2
import pytest

from harness import shop
from harness.load import OPERATIONS, Load


class Shop:
    """A small shop on the source, and what its own log says was committed since."""

    def __init__(self, pair):
        self.server, self.db, self.sql = pair.source, pair.name, pair.sql
        connection = self.connect()
        self.before = shop.fill(connection, 0.02)
        connection.close()
        self.sql("select pg_create_logical_replication_slot(%s, 'test_decoding')", self.db)

    def connect(self):
        return self.server.connect(self.db, autocommit=False)

    def committed(self):
        (n,), = self.sql("select count(*) from pg_logical_slot_get_changes(%s, null, null, "
                         "'skip-empty-xacts', 'on') where data like 'COMMIT%%'", self.db)
        return n

    def rows(self):
        connection = self.connect()
        try:
            return shop.counts(connection)
        finally:
            connection.close()

    def rows_after(self, counts):
        return {t: n + counts.inserted.get(t, 0) - counts.deleted.get(t, 0)
                for t, n in self.before.items()}


@pytest.fixture
def small_shop(pair):
    return Shop(pair)


def test_commits_what_it_counts(small_shop):
    counts = Load(small_shop.connect, seed=3, threads=3, rate=0, total=1500).start().finish()
    assert 1500 <= counts.transactions < 1503  # the other threads end what they are at
    assert counts.transactions == small_shop.committed()
    assert small_shop.rows() == small_shop.rows_after(counts)
    assert set(counts.operations) == {o.__name__ for o in OPERATIONS}
    assert counts.rolled_back > 0 and counts.unknown == 0


def test_outlives_a_restart(small_shop):
    with Load(small_shop.connect, seed=4, rate=1000, reconnect=True) as load:
        load.wait(100)
        small_shop.server.restart("immediate")
        load.wait(100)
    counts = load.counts
    assert counts.reconnects >= 2
    assert counts.transactions <= small_shop.committed() <= counts.transactions + counts.unknown
    if not counts.unknown:
        assert small_shop.rows() == small_shop.rows_after(counts)


def test_a_lost_server_is_an_error_unless_asked_for(small_shop):
    load = Load(small_shop.connect, rate=1000).start()
    load.wait(10)
    small_shop.server.restart("immediate")
    with pytest.raises((psycopg2.OperationalError, psycopg2.InterfaceError)):
        load.stop()
