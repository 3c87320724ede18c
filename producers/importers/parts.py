"""What a reader of a file yields: drafts of events, what it passes over and why, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from mnemolog.producers.messages import Message
from mnemolog.schema.events import Payload

Progress = Callable[[int], None]


class Draft(msgspec.Struct, frozen=True):
    """An event that a file tells of: the number and name of its place, its id, and what was said."""

    number: int
    place: str
    event_id: str
    said: Message | Payload


class Skipped(msgspec.Struct, frozen=True):
    """Something that is not to be remembered, and the kind of reason."""

    reason: str


class Bad(msgspec.Struct, frozen=True):
    """Something that cannot be read: the number of its place, and why."""

    number: int
    reason: str


Part = Draft | Skipped | Bad


class Reader(Protocol):
    """Reads one kind of file; `what` is the word for that which is numbered."""

    what: str

    def read(self, progress: Progress) -> Iterator[Part]:
        """All that the file holds, in its order; `progress` is told the bytes of each piece. May be repeated."""
        ...
