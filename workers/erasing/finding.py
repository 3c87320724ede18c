"""Finding: the entries that an erasure names, read from the whole log, and the rest that may be made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from mnemolog.schema.archive import Entry
from mnemolog.schema.controls import EntryErased, ErasureRequested
from mnemolog.schema.errors import NewerEvent, Undecodable
from mnemolog.schema.events import Event, MessagePublished
from mnemolog.schema.ids import Position, episode_id
from mnemolog.schema.log import event_of
from mnemolog.schema.requests import Statement
from mnemolog.workers.erasing.matching import Asked, Matching

_REQUEST = ErasureRequested.TYPE.encode("ascii")


class Found(msgspec.Struct, kw_only=True):
    """What a reading of the log found.

    `erased` are the events that are named, `unreadable` what is named and no event, `unknown` what is neither; `others`
    is all else but kept messages. `events` and `nodes` are the ids of erased messages and statements, `places` where
    each first stood.
    """

    erased: dict[Position, Event] = msgspec.field(default_factory=dict)
    unreadable: list[Position] = msgspec.field(default_factory=list)
    unknown: list[Entry] = msgspec.field(default_factory=list)
    others: list[tuple[Position, Event]] = msgspec.field(default_factory=list)
    events: set[str] = msgspec.field(default_factory=set)
    nodes: set[str] = msgspec.field(default_factory=set)
    places: dict[str, Position] = msgspec.field(default_factory=dict)
    texts: list[str] = msgspec.field(default_factory=list)
    speakers: set[str] = msgspec.field(default_factory=set)
    touched: set[str] = msgspec.field(default_factory=set)
    kept: set[str] = msgspec.field(default_factory=set)
    kept_beside: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def gone_sessions(self) -> set[str]:
        """The sessions of which no message is left."""
        return self.touched - self.kept

    @property
    def first(self) -> Position | None:
        """Where the first of it stands."""
        return min((*self.erased, *self.unreadable), default=None)


def undone(log: Iterable[Entry]) -> list[tuple[Entry, Event, Asked]]:
    """The erasures of a log that are not carried out."""
    found = []
    for entry in log:
        event = _decoded(entry) if _REQUEST in entry.body else None
        if event is not None and isinstance(event.payload, ErasureRequested) and not event.payload.done:
            found.append((entry, event, Asked(event.payload.what, event.payload.hash, entry.position)))
    return found


def find(log: Iterable[Entry], matching: Matching, tick: Callable[[], None] = lambda: None) -> Found:
    """Reads the whole log; `tick` is called now and then."""
    found = Found()
    for number, entry in enumerate(log):
        if number % 1_000 == 0:
            tick()
        event = _decoded(entry)
        if event is None:
            if matching.names_bytes(entry.position, entry.body):
                found.unreadable.append(entry.position)
            else:
                found.unknown.append(entry)
        elif matching.names(entry.position, event):
            _take(found, entry.position, event)
        else:
            _leave(found, matching, entry.position, event)
    return found


def _decoded(entry: Entry) -> Event | None:
    try:
        return event_of(entry)
    except (Undecodable, NewerEvent):
        return None


def _take(found: Found, position: Position, event: Event) -> None:
    payload = event.payload
    found.erased[position] = event
    session = getattr(payload, "session", None)
    if session is not None:
        found.touched.add(session)
    if isinstance(payload, MessagePublished | Statement):
        found.events.add(event.id)
        found.nodes.add(episode_id(event.id))
        found.places.setdefault(event.id, position)
        found.texts.append(payload.content if isinstance(payload, MessagePublished) else payload.text)
        if payload.speaker is not None:
            found.speakers.add(payload.speaker)


def _leave(found: Found, matching: Matching, position: Position, event: Event) -> None:
    payload = event.payload
    if isinstance(payload, MessagePublished):
        found.kept.add(payload.session)
        found.kept_beside[payload.session] = found.kept_beside.get(payload.session, 0) + 1
        return
    if isinstance(payload, EntryErased) and payload.session and matching.names_session(position, payload.session):
        found.touched.add(payload.session)
    found.others.append((position, event))
