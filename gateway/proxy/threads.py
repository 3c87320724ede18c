"""Calls that block, made in a bounded number of threads, and given up on when they take too long or fail in a row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

#: So many failures in a row open a circuit, for so long.
FAILURES = 3
PAUSE_S = 5.0


class Busy(Exception):
    """All threads have work, and more waits than is taken on."""


class Threads:
    """A few threads. Work that nobody waits for any more goes on to its end."""

    def __init__(self, name: str, *, workers: int = 8, most_waiting: int = 64) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._most = workers + most_waiting
        self._open = 0

    async def run(self, function: Callable[[], T], timeout_s: float | None = None) -> T:
        """What the function gives. Raises what it raises, TimeoutError and Busy."""
        if self._open >= self._most:
            raise Busy
        self._open += 1
        future = asyncio.wrap_future(self._pool.submit(function))
        future.add_done_callback(self._done)
        return await asyncio.wait_for(asyncio.shield(future), timeout_s)

    def _done(self, future: asyncio.Future[T]) -> None:
        self._open -= 1
        if not future.cancelled():
            # Marks it as seen: who gave up on it is not there to see it.
            future.exception()

    def close(self) -> None:
        """Takes no more work; what hangs is left behind."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Circuit:
    """Says whether something is worth a try: after FAILURES in a row it is not, for PAUSE_S seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closes_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it is not."""
        return self._clock() < self._closes_at

    def succeeded(self) -> None:
        """Notes that it went well."""
        self._failures = 0

    def failed(self) -> None:
        """Notes that it went wrong."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._closes_at = self._clock() + PAUSE_S
