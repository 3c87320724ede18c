"""Changes as they are told: what a fact took the place of, and what became of plans and tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import apsw
import msgspec

from mnemolog.projections.facts import Fact, cell_of, saying_the_same
from mnemolog.schema.slots import single_valued

#: Of a longer history the newest part is told.
MOST_BEFORE = 12
#: The kinds of a verdict which says that a plan or a task is over.
_CLOSINGS = ("fulfilled", "cancelled")
_AHEAD = ("plan", "task")

_BEFORE = """
SELECT n.node_id, n.content, n.cell_type, n.valid_from, n.valid_until, n.utc_offset_min, c.due, v.kind FROM edges e
JOIN nodes n ON n.node_id = e.target JOIN cells c ON c.node_id = e.target
JOIN verdicts v ON v.low = min(e.source, e.target) AND v.high = max(e.source, e.target)
WHERE e.kind = 'supersedes' AND e.source IN (SELECT value FROM json_each(?1)) AND c.retracted IS NULL
    AND n.valid_until <= ?2 AND (n.valid_from < n.valid_until OR v.kind IN ('fulfilled', 'cancelled'))
ORDER BY n.valid_until DESC, n.valid_from DESC, n.node_id LIMIT 1
"""


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What was so before: `words` say it, from `since` until `until` (UTC milliseconds).

    `closed` says of a plan or a task what became of it, `done` or `cancelled`; `due` is when it was to be over.
    """

    node_id: str
    words: str
    since: int
    until: int
    utc_offset_min: int
    closed: str = ""
    due: int | None = None


class _Row(NamedTuple):
    node_id: str
    content: str
    cell_type: str
    valid_from: int
    valid_until: int
    utc_offset_min: int
    due: int | None
    kind: str


def before(connection: apsw.Connection, fact: Fact, at: int, most: int = MOST_BEFORE) -> list[Before]:
    """What a fact took the place of up to a time, and what that did, newest first. Empty where nothing changed."""
    found: list[Before] = []
    for one in _walk(connection, fact.node_id, at):
        if len(found) >= most:
            break
        found.append(one)
    return found


def _walk(connection: apsw.Connection, node_id: str, at: int) -> Iterator[Before]:
    seen = {node_id}
    while True:
        same = saying_the_same(connection, node_id, at)
        row = connection.execute(_BEFORE, (msgspec.json.encode(same).decode(), at)).fetchone()
        if row is None or row[0] in seen:
            return
        older = _Row(*row)
        yield _before(connection, node_id, older)
        node_id = older.node_id
        seen.add(node_id)


def _before(connection: apsw.Connection, heir: str, older: _Row) -> Before:
    closed = ""
    if older.cell_type in _AHEAD and older.kind in _CLOSINGS:
        cancelled = older.kind == "cancelled" or cell_of(connection, heir).polarity < 0
        closed = "cancelled" if cancelled else "done"
    return Before(
        node_id=older.node_id,
        words=older.content if closed else _value(connection, heir, older),
        since=older.valid_from,
        until=older.valid_until,
        utc_offset_min=older.utc_offset_min,
        closed=closed,
        due=older.due,
    )


def _value(connection: apsw.Connection, heir: str, older: _Row) -> str:
    """The value alone, as it was written, where it is all that changed; else the whole sentence."""
    old, new = cell_of(connection, older.node_id), cell_of(connection, heir)
    alike = old.slot is not None and old.slot == new.slot and old.polarity == new.polarity == 1
    if not alike or not old.object or not single_valued(str(old.slot)) or old.modality != new.modality or old.scope:
        return older.content
    place = older.content.casefold().find(old.object)
    written = older.content[place : place + len(old.object)]
    return written if place >= 0 and written.casefold() == old.object else older.content
