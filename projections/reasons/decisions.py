"""Decisions: what people asked of the memory about its facts, read from the log at the positions that the file has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw
import msgspec

from mnemolog.projections.logged import events_at
from mnemolog.schema.events import Payload
from mnemolog.schema.ids import MAX_STREAM_PART, START, Position, episode_id
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    NodePayload,
    Statement,
    VerdictGiven,
    VerdictsReviewed,
)

#: What each request is called here; of verdicts that were reviewed, approved or rejected.
KINDS: dict[type[Payload], str] = {
    FactRemembered: "remembered",
    FactCorrected: "corrected",
    FactConfirmed: "confirmed",
    FactUnpinned: "unpinned",
    FactsForgotten: "forgotten",
    VerdictGiven: "judged",
    VerdictsReviewed: "rejected",
}
_END = Position(MAX_STREAM_PART, MAX_STREAM_PART)

_REQUESTS = """
SELECT ms, seq FROM events
WHERE type IN (SELECT value FROM json_each(?)) AND (ms, seq) > (?, ?) AND (ms, seq) <= (?, ?) ORDER BY ms, seq
"""
_STATED = "SELECT source FROM edges WHERE kind = 'derived_from' AND target = ? ORDER BY source"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A person's request: `kind` is one of KINDS or approved, `at` when it was recorded (UTC milliseconds).

    `node_ids` are the facts that it names, `stated` those that were taken from its text, `speaker` who said it as far
    as the request tells.
    """

    event_id: str
    kind: str
    at: int
    position: Position
    node_ids: tuple[str, ...]
    stated: tuple[str, ...] = ()
    text: str | None = None
    speaker: str | None = None
    ruling: str | None = None

    def concerns(self, node_ids: Iterable[str]) -> bool:
        """Whether it names one of some facts, or stated it."""
        return not {*self.node_ids, *self.stated}.isdisjoint(node_ids)


def decisions(
    connection: apsw.Connection, folder: Path, after: Position = START, until: Position = _END
) -> list[Decision]:
    """What people decided after a position, up to and with another, in the log's order; `folder` is the archive.

    Raises DamagedFile for a damaged archive.
    """
    types = msgspec.json.encode([payload.TYPE for payload in KINDS]).decode()
    rows: list[Any] = connection.execute(_REQUESTS, (types, *after, *until)).fetchall()
    events = events_at(folder, (Position(ms, seq) for ms, seq in rows))
    return [
        _decision(connection, event.id, position, event.payload)
        for position, event in sorted(events.items())
        if type(event.payload) in KINDS
    ]


def _decision(connection: apsw.Connection, event_id: str, position: Position, payload: Payload) -> Decision:
    kind = KINDS[type(payload)]
    if isinstance(payload, VerdictsReviewed) and payload.approved:
        kind = "approved"
    stated: tuple[str, ...] = ()
    if isinstance(payload, Statement):
        stated = tuple(node_id for (node_id,) in connection.execute(_STATED, (episode_id(event_id),)))
    return Decision(
        event_id=event_id,
        kind=kind,
        at=position.ms,
        position=position,
        node_ids=_named(payload),
        stated=stated,
        text=payload.text if isinstance(payload, Statement) else None,
        speaker=payload.speaker if isinstance(payload, Statement) else None,
        ruling=payload.ruling if isinstance(payload, VerdictGiven) else None,
    )


def _named(payload: Payload) -> tuple[str, ...]:
    """The facts that a request names."""
    if isinstance(payload, FactCorrected | NodePayload):
        return (payload.node_id,)
    if isinstance(payload, FactsForgotten):
        return payload.node_ids
    if isinstance(payload, VerdictGiven):
        return (payload.first, payload.second)
    if isinstance(payload, VerdictsReviewed):
        return tuple(dict.fromkeys(node_id for pair in payload.pairs for node_id in pair))
    return ()
