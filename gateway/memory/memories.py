"""Memories: the spaces of one process, of which a bounded number is open at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

from mnemolog.gateway.memory.memory import Memory
from mnemolog.gateway.memory.place import Place
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.indexes.embedders import embedder_of
from mnemolog.schema.endpoint import find_embedded, log_client
from mnemolog.schema.ids import check_space
from mnemolog.schema.model_settings import ModelSettings
from mnemolog.schema.settings import Settings, spaces_in
from mnemolog.schema.stream import spaces_on

#: So many memories are kept open; each has a few files and connections open.
MOST_OPEN = 64

T = TypeVar("T")


class _Lent:
    """A memory, and how many blocks use it."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.users = 0


class Memories:
    """Hands out the memory of each space of a data folder. Thread-safe; close it, or use it in a `with` block.

    All share one embedder, which is made when it is first needed. The memory that was not used longest is closed where
    too many are open, never one that is in use.
    """

    def __init__(self, settings: Settings, models: ModelSettings, *, most_open: int = MOST_OPEN) -> None:
        self.settings = settings
        self._models = models
        self._most_open = most_open
        self._lock = threading.Lock()
        self._embedder: Embedder | None = None
        self._lent: OrderedDict[str, _Lent] = OrderedDict()

    @contextmanager
    def using(self, space: str | None = None) -> Iterator[Memory]:
        """The memory of a space for a block, of the settings' space unless one is named. Raises InvalidSpaceName."""
        name = check_space(space or self.settings.space)
        with self._lock:
            lent = self._lent.setdefault(name, _Lent(self._made(name)))
            self._lent.move_to_end(name)
            lent.users += 1
        try:
            yield lent.memory
        finally:
            with self._lock:
                lent.users -= 1
                surplus = self._surplus()
            for memory in surplus:
                memory.close()

    def run(self, space: str | None, action: Callable[[Memory], T]) -> T:
        """What a function gives for the memory of a space."""
        with self.using(space) as memory:
            return action(memory)

    def spaces(self) -> list[str]:
        """The names of the spaces that have a folder here or a stream on Redis, sorted. Raises errors of the log."""
        url = self.settings.redis_url or find_embedded(self.settings.data)
        found = set(spaces_in(self.settings.data))
        if url is not None:
            with log_client(url) as client:
                found |= set(spaces_on(client))
        return sorted(found)

    def close(self) -> None:
        """Closes all memories."""
        with self._lock:
            lent = list(self._lent.values())
            self._lent.clear()
        for one in lent:
            one.memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _made(self, space: str) -> Memory:
        return Memory(Place(self.settings.of_space(space), self._shared_embedder))

    def _shared_embedder(self) -> Embedder:
        with self._lock:
            if self._embedder is None:
                self._embedder = embedder_of(self._models, self.settings.data)
            return self._embedder

    def _surplus(self) -> list[Memory]:
        """Memories to be closed, the one that was not used longest first; they are handed out no more."""
        idle = [name for name, lent in self._lent.items() if lent.users == 0]
        return [self._lent.pop(name).memory for name in idle[: max(0, len(self._lent) - self._most_open)]]
