"""The log: the archive, then the stream after the archive's end, and the events that its entries hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mnemolog.schema import archive
from mnemolog.schema.archive import Entry
from mnemolog.schema.codec import decode
from mnemolog.schema.errors import NewerEvent, Undecodable
from mnemolog.schema.events import MAX_EVENT_BYTES, EntryParked, Event
from mnemolog.schema.ids import START, Position
from mnemolog.schema.stream import Stream

PAGE = 500

#: How deep the objects and lists of an event may be nested. The JSON decoder's own limit depends on the caller's
#: stack, so that a replay might judge an entry in another way than the writer did.
MAX_NESTING = 100

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def event_of(entry: Entry) -> Event:
    """The event that an entry holds. Raises Undecodable and NewerEvent as `decode` does."""
    body = entry.body
    if len(body) <= MAX_EVENT_BYTES and body.count(b"[") + body.count(b"{") > MAX_NESTING and _is_too_deep(body):
        raise Undecodable("nested_too_deeply", f"more than {MAX_NESTING} objects and lists inside one another")
    return decode(body)


def _is_too_deep(body: bytes) -> bool:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_NESTING:
            return True
    return False


def read(
    folder: Path, stream: Stream | None, after: Position = START, until: Position | None = None
) -> Iterator[Entry]:
    """The entries after `after`, up to and with `until`: from the archive, then, where there is one, from the stream.

    Raises DamagedFile for a damaged archive and the errors of Stream.
    """
    for entry in archive.read(folder, after, until):
        after = entry.position
        yield entry
    while stream is not None and (page := stream.range(after, PAGE, until)):
        yield from page
        after = page[-1].position


def was_parked(position: Position, later: Iterable[Entry]) -> bool:
    """Whether one of the later entries is an operator's word that the entry at `position` is to be parked."""
    for entry in later:
        try:
            payload = event_of(entry).payload
        except (Undecodable, NewerEvent):
            continue
        if isinstance(payload, EntryParked) and payload.position == position:
            return True
    return False
