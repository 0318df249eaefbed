"""Waiting for conditions, each with a deadline: no test sleeps and hopes."""

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], what: str, timeout: float = 30.0, interval: float = 0.02,
             detail: Callable[[], object] = lambda: "") -> Value:
    """Calls `condition` until what it returns is true, and returns that.

    Fails the test with `what`, and whatever `detail` has to say, once `timeout` seconds are over.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout:g} s still not so: {what} {detail()}".rstrip())
        time.sleep(interval)


def stays_so(condition: Callable[[], bool], what: str, seconds: float, interval: float = 0.05) -> None:
    """Fails where `condition` stops being true within `seconds`: for what must not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"no longer so: {what}"
        time.sleep(interval)
