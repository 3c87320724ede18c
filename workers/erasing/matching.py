"""Which entries an erasure names: by salted hashes, since the log does not say of whom it was asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from mnemolog.schema.controls import EntryErased, ErasedWhat, ErasureLifted, ErasureRequested, salted
from mnemolog.schema.events import EntryParked, Event, GapAccepted, PolicySet, SpaceCreated
from mnemolog.schema.ids import Position
from mnemolog.schema.requests import Statement
from mnemolog.workers.fold.requests import SESSION

#: What stays when a whole space is erased: without it the rest of the log could not be folded.
_KEPT = (SpaceCreated, PolicySet, EntryParked, GapAccepted, ErasureRequested, EntryErased, ErasureLifted)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"')


class Asked(msgspec.Struct, frozen=True):
    """An erasure: of what, its salted hash, and the entry before which it holds."""

    what: ErasedWhat
    hash: str
    before: Position


class Matching:
    """Tells which entries some erasures name, in a space of this salt."""

    def __init__(self, salt: str, asked: Sequence[Asked]) -> None:
        self._salt = salt
        self._asked = asked
        self._hashes: dict[tuple[str, str], str] = {}

    def names(self, position: Position, event: Event) -> bool:
        """Whether one of them names an event."""
        return any(position < one.before and self._is_named(one, event) for one in self._asked)

    def names_bytes(self, position: Position, body: bytes) -> bool:
        """Whether one of them names an entry that is no event: by a text in it."""
        asked = [one for one in self._asked if position < one.before]
        return any(one.what == "space" for one in asked) or any(
            self._hash(one.what, text) == one.hash for text in texts_in(body) for one in asked
        )

    def names_session(self, position: Position, session: str) -> bool:
        """Whether one of them names a session."""
        return any(
            position < one.before
            and (one.what == "space" or (one.what == "session" and self._hash("session", session) == one.hash))
            for one in self._asked
        )

    def _is_named(self, asked: Asked, event: Event) -> bool:
        payload = event.payload
        if asked.what == "space":
            return not isinstance(payload, _KEPT)
        if isinstance(payload, _KEPT):
            return False
        if asked.what == "event":
            return self._hash("event", event.id) == asked.hash
        name = getattr(payload, asked.what, None)
        if asked.what == "session" and isinstance(payload, Statement):
            name = SESSION
        return name is not None and self._hash(asked.what, name) == asked.hash

    def _hash(self, what: str, name: str) -> str:
        found = self._hashes.get((what, name))
        if found is None:
            found = self._hashes[what, name] = salted(self._salt, what, name)
        return found


def texts_in(body: bytes) -> Iterator[str]:
    """The texts in what may have been JSON."""
    for token in _TOKEN.findall(body):
        try:
            yield msgspec.json.decode(token, type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
