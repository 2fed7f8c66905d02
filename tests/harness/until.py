"""Waiting for something that another process does."""
import time


class NotReached(AssertionError):
    pass


def until(predicate, timeout=30.0, what="the condition", every=0.02):
    """Calls predicate until it returns something true, and returns that. The poll is the event:
    other processes tell us nothing by themselves. What takes long is asked for less often."""
    begin = time.monotonic()
    end = begin + timeout
    while True:
        value = predicate()
        if value:
            return value
        now = time.monotonic()
        if now > end:
            raise NotReached(f"{what} was not reached within {timeout:g} s (last: {value!r})")
        time.sleep(max(every, min((now - begin) / 10, 0.2)))
