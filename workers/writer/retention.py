"""Retention: trims a space's stream behind its archive, so that Redis need not hold the whole log.

Only what is folded, archived and synced goes, and only when it was read back from the archive: beyond the bounds that
the settings give, and, while Redis runs short of memory, all of it. The last folded entry always stays: by it a stream
is known again.
"""

from __future__ import annotations

import logging
import math
import time
from itertools import islice

import apsw

from mnemolog.projections.integrity import position_of
from mnemolog.schema import archive
from mnemolog.schema.errors import DamagedFile
from mnemolog.schema.ids import MAX_STREAM_PART, Position
from mnemolog.schema.settings import Settings
from mnemolog.workers.writer import lease
from mnemolog.workers.writer.space_file import immediate
from mnemolog.workers.writer.space_writer import SpaceWriter

log = logging.getLogger("mnemolog.retention")

#: A stream that is too large is trimmed to this share of its bounds, so that it need not be trimmed again at once.
TARGET = 0.9
#: How many entries go at once: reading them back takes some tens of milliseconds.
MOST_AT_ONCE = 20_000
LOOK_S = 1.0
#: With less than this share of its memory left Redis soon refuses messages: all that may go then goes.
SHORT_OF_MEMORY = 0.2


def surplus(length: int, memory_bytes: int | None, settings: Settings) -> int:
    """How many of a stream's oldest entries have to go; 0 while it is within the bounds that the settings give."""
    keep = length
    if settings.stream_events and length > settings.stream_events:
        keep = math.ceil(TARGET * settings.stream_events)
    if settings.stream_bytes and memory_bytes and memory_bytes > settings.stream_bytes:
        keep = min(keep, math.floor(length * TARGET * settings.stream_bytes / memory_bytes))
    return length - keep


class Trimmer:
    """Trims the stream of one space for the writer that holds it, over a connection of the caller's thread."""

    def __init__(self, writer: SpaceWriter, connection: apsw.Connection) -> None:
        self._writer = writer
        self._connection = connection
        self._due = 0.0

    def trim_if_due(self) -> bool:
        """Trims what is too much, MOST_AT_ONCE entries at most; whether there is more.

        Raises StaleWriter, DamagedFile for an archive that does not hold what the stream begins with, errors of
        Stream, SQLite and the disk.
        """
        settings = self._writer.settings
        if not (settings.stream_events or settings.stream_bytes) or time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + LOOK_S
        # Read before the archive is synced: what is folded was archived before.
        folded = position_of(self._connection)
        bounds = self._writer.stream.bounds()
        if bounds is None or bounds.first is None or bounds.first >= folded:
            return False
        too_many = bounds.length if self._is_short_of_memory() else self._surplus(bounds.length)
        if not too_many:
            return False
        count = min(too_many, MOST_AT_ONCE)
        self._writer.archive.sync()
        self._trim(self._read_back(bounds.first, folded, count))
        if count < too_many:
            self._due = 0.0
        return count < too_many

    def _surplus(self, length: int) -> int:
        settings = self._writer.settings
        return surplus(length, self._writer.stream.memory_bytes() if settings.stream_bytes else None, settings)

    def _is_short_of_memory(self) -> bool:
        left = self._writer.stream.memory_left()
        return left is not None and left < SHORT_OF_MEMORY

    def _read_back(self, first: Position, folded: Position, count: int) -> Position:
        """Where the stream may begin after so many entries are gone, the last folded one at most."""
        archived = archive.read(self._writer.settings.archive, _just_before(first), folded)
        found = [entry.position for entry in islice(archived, count + 1)]
        if not found or found[0] != first:
            raise DamagedFile(
                f"the stream of space {self._writer.space!r} begins at {first}, which the archive does not hold: "
                "nothing is trimmed"
            )
        return found[-1]

    def _trim(self, first: Position) -> None:
        with self._writer.lock, immediate(self._connection):
            lease.check(self._connection, self._writer.space, self._writer.epoch)
        # Not within the transaction, in which nobody folds while Redis takes its time.
        gone = self._writer.stream.trim(first)
        log.debug("space %s: %d entries trimmed: its stream begins at %s", self._writer.space, gone, first)


def _just_before(position: Position) -> Position:
    ms, seq = position
    return Position(ms, seq - 1) if seq else Position(ms - 1, MAX_STREAM_PART)
