"""The log: the archive, then the stream after the archive's end, and the events that its entries hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from mnemolog.schema import archive
from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import NewerEvent, Undecodable
from mnemolog.schema.events import EntryParked, Event
from mnemolog.schema.ids import START, Position
from mnemolog.schema.stream import Stream

PAGE = 500

_PARKED = EntryParked.TYPE.encode("ascii")


def event_of(entry: Entry) -> Event:
    """The event that an entry holds. Raises Undecodable and NewerEvent as `decode` does."""
    return decode(entry.body)


def read(
    folder: Path, stream: Stream | None, after: Position = START, until: Position | None = None
) -> Iterator[Entry]:
    """The entries after `after`, up to and with `until`: from the archive, then, where there is one, from the stream.

    What is archived and trimmed away meanwhile is read from the archive. Raises DamagedFile for a damaged archive and
    the errors of Stream.
    """
    for entry in archive.read(folder, after, until):
        after = entry.position
        yield entry
    while stream is not None and (page := _next_page(folder, stream, after, until)):
        yield from page
        after = page[-1].position


def _next_page(folder: Path, stream: Stream, after: Position, until: Position | None) -> list[Entry]:
    """What comes next, from the stream; where the stream no longer reaches back so far, from the archive."""
    page = stream.range(after, PAGE, until)
    # Asked after the page was read: while the entry before it is there, nothing between the two was trimmed away.
    if stream.entry(after) is None:
        before_page = page[0].position if page else until
        return list(islice(archive.read(folder, after, before_page), PAGE)) or page
    return page


def was_parked(position: Position, later: Iterable[Entry]) -> bool:
    """Whether one of the later entries is an operator's word that the entry at `position` is to be parked."""
    return parking(position, later) is not None


def parking(position: Position, later: Iterable[Entry]) -> Position | None:
    """Where among the later entries that word stands; None when it was not given."""
    for entry in later:
        # Decoding costs a hundred times as much, and there may be a long log to look through.
        if _PARKED not in entry.body:
            continue
        try:
            payload = event_of(entry).payload
        except (Undecodable, NewerEvent):
            continue
        if isinstance(payload, EntryParked) and payload.position == position:
            return entry.position
    return None
