"""Tombstones: what was erased is known again by the salted hash of its event id, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import apsw
import msgspec

from mnemolog.schema.controls import MAX_LIFTED, ErasureLifted, salted
from mnemolog.schema.ids import Position

_THERE = "SELECT count(*) FROM sqlite_master WHERE name = 'erased_events'"


class Erasures(msgspec.Struct, frozen=True):
    """How many entries of a memory were erased, and where the last one stood."""

    entries: int
    last: Position


class Tombstones:
    """The tombstones of a file. Looked up one by one, so that nobody has to hold them all."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._salt = ""
        if connection.execute(_THERE).get and connection.execute("SELECT 1 FROM erased_events LIMIT 1").get:
            self._salt = str(connection.execute("SELECT salt FROM space").get)

    def has(self, event_id: str) -> bool:
        """Whether an event of this id was erased."""
        if not self._salt:
            return False
        found: Any = self._connection.execute("SELECT 1 FROM erased_events WHERE hash = ?", (self._hash(event_id),)).get
        return bool(found)

    def lifting(self, event_ids: Iterable[str]) -> Iterator[ErasureLifted]:
        """The events that let erased ones be published again; none for what was not erased."""
        hashes = (self._hash(event_id) for event_id in dict.fromkeys(event_ids) if self.has(event_id))
        while some := tuple(islice(hashes, MAX_LIFTED)):
            yield ErasureLifted(events=some)

    def _hash(self, event_id: str) -> str:
        return salted(self._salt, "event", event_id)


def erasures(connection: apsw.Connection) -> Erasures | None:
    """What was erased; None where nothing was."""
    last: Any = connection.execute("SELECT ms, seq FROM erased_events ORDER BY ms DESC, seq DESC LIMIT 1").get
    count: Any = connection.execute("SELECT count(*) FROM erased_events").get
    return None if last is None else Erasures(int(count), Position(*last))
