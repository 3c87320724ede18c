"""Waiting for a state: the only place in the tests that pauses."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout_s: float = 10.0, what: str = "") -> T:
    """The first true value that `condition` gives. Fails, naming `what` and the last value, after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"waited {timeout_s} s for {name}; it is still {value!r}")
        time.sleep(0.01)
    return value
