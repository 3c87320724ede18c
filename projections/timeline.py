"""The timeline: messages in the order of time with the facts that were taken from them, page by page."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections.facts import Fact, facts
from mnemolog.schema.errors import InvalidInput

_COLUMNS = ("node_id", "event_id", "session", "role", "speaker", "content", "source_type", "occurred_at", "recorded_at")
_KEY = "occurred_at, seq, event_id"
_PLACE = f"SELECT {_KEY} FROM nodes WHERE node_id = ? AND type = 'episodic'"
_TAKEN = """
SELECT target, source FROM edges
WHERE kind = 'derived_from' AND target IN (SELECT value FROM json_each(?)) ORDER BY target, source
"""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages: of a session or of all; earlier than a message, or the next ones later than it, by node ids.

    With `everything` also those that are hidden since a fact was forgotten.
    """

    session: str | None = None
    before: str | None = None
    after: str | None = None
    everything: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A message, and the facts that were taken from it. Times are UTC milliseconds."""

    node_id: str
    event_id: str
    session: str
    role: str
    speaker: str | None
    content: str
    source_type: str
    occurred_at: int
    recorded_at: int
    hidden: bool
    facts: tuple[Fact, ...]


class Timeline(msgspec.Struct, frozen=True):
    """Messages, the newest first; `before` is the cursor of those that are earlier, None where there are none."""

    entries: tuple[Entry, ...]
    before: str | None


def timeline(connection: apsw.Connection, at: int, span: Span, *, limit: int) -> Timeline:
    """The newest messages of a span that had been said at a time (UTC milliseconds), the facts as they stood then.

    Raises InvalidInput for a cursor that is none. The caller spans it with a read transaction.
    """
    rows = _rows(connection, at, span, limit + 1)
    later = span.after is not None
    page = rows[:limit][::-1] if later else rows[:limit]
    taken = _taken(connection, at, [row[0] for row in page])
    entries = tuple(_entry(row, taken) for row in page)
    follow = later or len(rows) > limit
    return Timeline(entries, entries[-1].node_id if entries and follow else None)


def _rows(connection: apsw.Connection, at: int, span: Span, most: int) -> list[Any]:
    """The messages nearest to where the span begins, the nearest first."""
    conditions = ["type = 'episodic'", "occurred_at <= :at"]
    bindings: dict[str, Any] = {"at": at, "most": most, "session": span.session}
    if span.session is not None:
        conditions.append("session = :session")
    if not span.everything:
        conditions.append("hidden = 0")
    way = "ASC" if span.after is not None else "DESC"
    for name, node_id, beyond in (("b", span.before, "<"), ("a", span.after, ">")):
        if node_id is not None:
            conditions.append(f"({_KEY}) {beyond} (:{name}0, :{name}1, :{name}2)")
            bindings |= {f"{name}{number}": part for number, part in enumerate(_place(connection, node_id))}
    order = ", ".join(f"{column} {way}" for column in _KEY.split(", "))
    return connection.execute(
        f"SELECT {', '.join(_COLUMNS)}, hidden FROM nodes WHERE {' AND '.join(conditions)} "
        f"ORDER BY {order} LIMIT :most",
        bindings,
    ).fetchall()


def _place(connection: apsw.Connection, node_id: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = connection.execute(_PLACE, (node_id,)).fetchone()
    if found is None:
        raise InvalidInput(f"{node_id[:100]!r} is no cursor: it is the id of a message of this memory")
    return found


def _taken(connection: apsw.Connection, at: int, node_ids: list[str]) -> dict[str, list[Fact]]:
    """The facts that were taken from messages, by the message."""
    pairs: list[Any] = connection.execute(_TAKEN, (msgspec.json.encode(node_ids).decode(),)).fetchall()
    known = facts(connection, at, everything=True, node_ids={source for _, source in pairs})
    by_id = {fact.node_id: fact for fact in known}
    found: dict[str, list[Fact]] = {}
    for message, source in pairs:
        if source in by_id:
            found.setdefault(message, []).append(by_id[source])
    return found


def _entry(row: Any, taken: dict[str, list[Fact]]) -> Entry:
    *values, hidden = row
    fields: dict[str, Any] = dict(zip(_COLUMNS, values, strict=True))
    return Entry(**fields, hidden=bool(hidden), facts=tuple(taken.get(fields["node_id"], ())))
