"""A bad network between culvertd and both servers, by a seeded plan: connections are cut between and inside
messages, closed in one direction, slow, or silent for longer than any timeout. In the end both sides are equal, and
nothing came twice."""
import time

import pytest

from harness.proxy import RoughProxy
from harness.until import until
from integration.test_exactly_once import Writer
from integration.test_my_exactly_once import equal

FAULTS = 10  # on each side
LONGEST = 700  # s: more than twice what culvertd waits for a word
BETWEEN_TRIES = 16


class Patience:
    """When nothing has happened for a while, what waits for time gets it: pauses between tries, and connections that
    are silent."""

    def __init__(self, c, faults):
        self.culvert, self.faults = c, faults
        self.seen, self.since = None, time.monotonic()

    def over(self, state, silent=False):
        if state != self.seen:
            self.seen, self.since = state, time.monotonic()
        elif time.monotonic() - self.since > 1:
            self.faults.skip(LONGEST if silent else BETWEEN_TRIES)
            self.culvert.ctl("status")
            self.since = time.monotonic()


def enough(patience, proxy):
    n = sum(proxy.faults.values())
    patience.over(n, proxy.silent)
    return n >= FAULTS


def connected(patience, c):
    patience.over(None)
    s = c.status()
    return s["source"]["connected"] and s["target"]["connected"]


@pytest.mark.parametrize("bank, acknowledge", [("pg-pg", "queued"), ("my-my", "queued"), ("my-pg", "applied"),
                                               ("pg-my", "applied")], indirect=["bank"])
def test_bad_network(bank, culvert, faults, acknowledge):
    sides = [RoughProxy(bank.source.port, seed=11), RoughProxy(bank.target.port, seed=12)]
    c = culvert(bank.least(source_port=sides[0].port, target_port=sides[1].port,
                           queue={"acknowledge": acknowledge, "memory": "1MiB"}))
    try:
        c.start(**faults.environment)
        c.wait(lag=0)
        patience = Patience(c, faults)
        with Writer(bank.source, bank.name) as w:
            for proxy in sides:
                proxy.rough()
                until(lambda: enough(patience, proxy), 100, "faults", every=0.2)
                proxy.calm()
                w.more(20)
            assert all(len(p.faults) >= 4 for p in sides), [p.faults for p in sides]
        until(lambda: connected(patience, c), 60, "connections", every=0.2)
        equal(bank, c)
    finally:
        for proxy in sides:
            proxy.close()
