"""Waiting for something that another process does."""
import time


class NotReached(AssertionError):
    pass


def until(predicate, timeout=30.0, what="the condition", every=0.02):
    """Calls predicate until it returns something true, and returns that. The poll is the event:
    other processes tell us nothing by themselves."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise NotReached(f"{what} was not reached within {timeout:g} s (last: {value!r})")
        time.sleep(every)
