"""Draining: a server that is about to stop takes no new streams, ends those there are, and is not ready."""

from __future__ import annotations

import asyncio


class Drain:
    """Whether the server drains; may be asked from any coroutine of its loop, and begun once."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether the server is about to stop."""
        return self._begun.is_set()

    def begin(self) -> None:
        """From now on the server is about to stop."""
        self._begun.set()

    async def wait(self, timeout_s: float) -> bool:
        """Waits until it begins, for so long at most; gives whether it has."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._begun.wait()
        except TimeoutError:
            pass
        return self.has_begun
