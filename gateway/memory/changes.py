"""Changes as doors tell them: what the memory learned, replaced, let fade, was told to forget, and could not do."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.memory.axes import Moment, now_ms
from mnemolog.gateway.memory.entities import Older
from mnemolog.gateway.memory.objects import PositionText, When, told
from mnemolog.gateway.memory.place import Place
from mnemolog.projections.changes import changes as changes_in
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.digest.spans import Kind, Span
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.times import show


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change: `at` is when it came about; `position` is None for what the clock did.

    `subject` is empty for what is about no fact; `replaced` is the fact whose place `node_id` took; `by` is the person
    or the engine, as far as it is known.
    """

    kind: Kind
    at: When
    position: PositionText | None
    subject: str
    scene: str | None
    node_id: str | None
    content: str
    replaced: Older | None
    by: str | None
    detail: str


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What changed between two moments, by subject, the newest last; `counts` is of changes by their kind.

    `messages` in `sessions` were published meanwhile, and models called for so many tokens and US dollars.
    """

    since: When
    until: When
    messages: int
    sessions: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    counts: dict[str, int]
    changes: tuple[Change, ...]


def changes(place: Place, since: Moment, until: Moment | None = None, *, everything: bool = False) -> Digest:
    """What changed from a time on, or after a position, up to and with another; also the words of what was forgotten.

    Raises InvalidInput where nothing lies between the two, and DamagedFile for a damaged archive.
    """
    span = Span.between(since, now_ms() if until is None else until)
    if span.until <= span.after:
        raise InvalidInput(f"nothing lies between {_shown(since)} and {_shown(until)}: --until comes after --since")
    with place.reader() as connection, read_transaction(connection):
        return told(Digest, changes_in(connection, span, place.settings.archive, everything=everything))


def _shown(moment: Moment | None) -> str:
    return "now" if moment is None else show(moment) if isinstance(moment, int) else str(moment)
