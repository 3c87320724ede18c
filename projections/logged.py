"""Events of the log by their positions: what the file keeps only the place of, such as an engine's raw reply."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from mnemolog.schema import archive
from mnemolog.schema.errors import NewerEvent, Undecodable
from mnemolog.schema.events import Event
from mnemolog.schema.ids import MAX_STREAM_PART, Position
from mnemolog.schema.log import event_of


def events_at(folder: Path, positions: Iterable[Position]) -> dict[Position, Event]:
    """The events that the archive holds at some positions. What was erased, or is not there, is left out.

    Reads the segments that hold the positions, and no others. Raises DamagedFile for a damaged archive.
    """
    found = {}
    for wanted in _by_segment(folder, sorted(set(positions))):
        for entry in archive.read(folder, before(wanted[0]), wanted[-1]):
            if entry.position in wanted:
                try:
                    found[entry.position] = event_of(entry)
                except (Undecodable, NewerEvent):
                    continue
    return found


def before(position: Position) -> Position:
    """The greatest position below another one."""
    ms, seq = position
    return Position(ms, seq - 1) if seq else Position(max(0, ms - 1), MAX_STREAM_PART)


def _by_segment(folder: Path, positions: list[Position]) -> Iterator[list[Position]]:
    """Sorted positions in groups, one for each segment that may hold some."""
    seals = (archive.seal_of(folder, number) for number in archive.numbers(folder))
    ends = [Position.parse(seal.last) for seal in seals if seal]
    for _, group in groupby(positions, key=lambda position: bisect_left(ends, position)):
        yield list(group)
