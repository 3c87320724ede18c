"""Rounds: one thread beside the writer that takes turns with all spaces of a process, until it is stopped."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Generic, Protocol, TypeVar

from mnemolog.workers.writer.space_writer import SpaceWriter


class Tended(Protocol):
    """What is kept for a space while its turns are taken."""

    def close(self) -> None:
        """Gives back what it holds."""
        ...


Kept = TypeVar("Kept", bound=Tended)

#: So long after something was folded in a space it has a turn in every round.
LINGER_S = 2.0
#: So many spaces in which nothing is folded have a turn in a second: each of many has not one in every round.
QUIET_PER_S = 500


class Rounds(ABC, Generic[Kept]):
    """One thread for all spaces of a process. `start`, then `wake` after something was folded, then `stop`."""

    #: The errors of a step that are logged once and tried again later; others end the thread.
    caught: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(f"mnemolog.{name}")
        self._kept: dict[str, Kept] = {}
        self._failed: dict[tuple[str, str], tuple[float, str]] = {}
        self._woken: dict[str, float] = {}
        self._visited: dict[str, float] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        #: Whether the writer has much to do itself.
        self.backlog = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def add(self, writer: SpaceWriter) -> None:
        """Begins to take turns with a space that this process holds."""
        with self._lock:
            self._kept[writer.space] = self._open(writer)
            self._woken[writer.space] = time.monotonic()

    def remove(self, space: str) -> None:
        """Ceases to take turns with a space, and closes what is kept for it."""
        with self._lock:
            kept = self._kept.pop(space, None)
            self._woken.pop(space, None)
            self._visited.pop(space, None)
            self._failed = {key: failed for key, failed in self._failed.items() if key[0] != space}
            if kept is not None:
                kept.close()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self, space: str) -> None:
        """Says that there may be something to do for a space."""
        self._woken[space] = time.monotonic()
        self._wake.set()

    def stop(self) -> None:
        """Stops the thread after the turn it is at."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    # ---- what differs ------------------------------------------------------------------------------------------

    @abstractmethod
    def _open(self, writer: SpaceWriter) -> Kept:
        """What is kept for a space."""

    @abstractmethod
    def _take_turn(self, space: str, kept: Kept, *, idle: bool) -> bool:
        """One turn for one space; whether there is more. `idle` is whether nobody woke the thread."""

    @abstractmethod
    def _pauses(self, *, more: bool) -> tuple[float, float]:
        """How long to rest after a round, and then to wait until somebody wakes the thread, in seconds."""

    @property
    @abstractmethod
    def _retry_s(self) -> float:
        """After how long what failed is tried again."""

    def _told(self, error: Exception) -> str:
        """What is logged of an error."""
        return str(error) or type(error).__name__

    # ---- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        more = False
        while not self._stop.is_set():
            rest_s, wait_s = self._pauses(more=more)
            self._stop.wait(rest_s)
            self._wake.wait(wait_s)
            idle = not (more or self._wake.is_set())
            self._wake.clear()
            more = self._round(idle=idle)

    def _round(self, *, idle: bool) -> bool:
        """One turn for each space that is due for one; whether there is more in any."""
        with self._lock:
            spaces = list(self._kept)
        more = False
        for space in spaces:
            with self._lock:
                kept = self._kept.get(space)
                if kept is not None and not self._stop.is_set() and self._is_due(space, len(spaces)):
                    self._visited[space] = time.monotonic()
                    if self._take_turn(space, kept, idle=idle):
                        self._woken[space] = time.monotonic()
                        more = True
        return more

    def _is_due(self, space: str, count: int) -> bool:
        now = time.monotonic()
        if now - self._woken.get(space, 0.0) < LINGER_S:
            return True
        return now - self._visited.get(space, 0.0) >= count / QUIET_PER_S

    def _tried(self, space: str, what: str, step: Callable[[], object]) -> bool:
        """Whether the step says that there is more; no when it failed, which is logged once and tried again later."""
        due, told = self._failed.get((space, what), (0.0, ""))
        if time.monotonic() < due:
            return False
        try:
            more = step()
        except self.caught as error:
            reason = self._told(error)
            if told != reason:
                self._log.warning("space %s: %s: %s", space, what, reason, extra={"space": space})
            self._failed[space, what] = (time.monotonic() + self._retry_s, reason)
            return False
        self._failed.pop((space, what), None)
        return bool(more)
