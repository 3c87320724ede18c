"""Spans of a log, and the changes that come about in them."""

from __future__ import annotations

from typing import Any, Literal, get_args

import apsw
import msgspec

from mnemolog.projections.logged import before
from mnemolog.schema.ids import MAX_STREAM_PART, Position

Kind = Literal[
    "learned",
    "changed",
    "repeated",
    "corrected",
    "forgotten",
    "confirmed",
    "unpinned",
    "judged",
    "rejected",
    "ended",
    "due",
    "faded",
    "held",
    "refused",
    "failed",
    "voided",
    "parked",
]
#: In the order in which they are counted for people.
KINDS: tuple[Kind, ...] = get_args(Kind)

#: That an entry `e`, or the entry that added a node `n`, lies in a span, by the parameters of Span.bindings.
IN_SPAN = "(e.ms, e.seq) > (:after_ms, :after_seq) AND (e.ms, e.seq) <= (:until_ms, :until_seq)"
ADDED = """(n.position_ms, n.position_seq) > (:after_ms, :after_seq)
    AND (n.position_ms, n.position_seq) <= (:until_ms, :until_seq)"""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Entries after `after` up to and with `until`, and the clock from `since` to `now` (UTC milliseconds)."""

    after: Position
    until: Position
    since: int
    now: int

    @classmethod
    def between(cls, start: int | Position, end: int | Position) -> Span:
        """From a time on, or after a position, up to and with a time or a position."""
        after = start if isinstance(start, Position) else before(Position(max(0, start), 0))
        until = end if isinstance(end, Position) else Position(max(0, end), MAX_STREAM_PART)
        since = start.ms if isinstance(start, Position) else start
        return cls(after=after, until=until, since=since, now=until.ms)

    def bindings(self) -> dict[str, Any]:
        """The parameters of the statements here."""
        return {
            "after_ms": self.after.ms,
            "after_seq": self.after.seq,
            "until_ms": self.until.ms,
            "until_seq": self.until.seq,
            "since": self.since,
            "now": self.now,
        }


class Older(msgspec.Struct, frozen=True):
    """What a fact took the place of, and from when until when that held."""

    node_id: str
    content: str
    valid_from: int
    valid_until: int | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change: `at` is when it came about (UTC milliseconds); `position` is None for what the clock did.

    `subject` is empty for what is about no fact; `by` is the person or the engine, as far as it is known.
    """

    kind: Kind
    at: int
    position: Position | None
    subject: str = ""
    scene: str | None = None
    node_id: str | None = None
    content: str = ""
    replaced: Older | None = None
    by: str | None = None
    detail: str = ""


def rows(connection: apsw.Connection, sql: str, span: Span, **more: Any) -> list[Any]:
    """All rows of a query about a span."""
    return connection.execute(sql, {**span.bindings(), **more}).fetchall()
