"""Threads: where requests meet files and Redis, a bounded number at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mnemolog.gateway.http.problems import BUSY, TOO_SLOW, Refused

Answer = TypeVar("Answer")


class Threads:
    """Runs functions that block. One that takes too long keeps its thread until it ends, though nobody waits for it."""

    def __init__(self, most: int, timeout_s: float) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="http")
        self._timeout_s = timeout_s

    async def run(self, function: Callable[[], Answer]) -> Answer:
        """What a function gives. Raises Refused where no thread was free for it, or it did not end, in time."""
        started = False

        def work() -> Answer:
            nonlocal started
            started = True
            return function()

        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TimeoutError:
            pass
        if not started:
            raise Refused(BUSY, f"nothing was free for it for {self._timeout_s:g} s; nothing was done")
        raise Refused(
            TOO_SLOW, f"not done after {self._timeout_s:g} s; what was to be written may be written all the same"
        )

    def close(self) -> None:
        """Takes nothing more; what is at work ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
