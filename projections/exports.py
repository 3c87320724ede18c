"""A memory for people to read or keep: its topics with their facts, its plans, and what was said, piece by piece.

What has been forgotten or was corrected is not told, nor what it was taken from. At most one topic and one message are
in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import msgspec

from mnemolog.projections.facts import Fact, facts
from mnemolog.projections.scenes import holds

_SCENES = "SELECT DISTINCT scene FROM nodes WHERE scene IS NOT NULL ORDER BY scene"
_SUMMARY = "SELECT summary FROM scenes WHERE scene = ?"
_PLANS = "SELECT node_id FROM nodes WHERE cell_type IN ('plan', 'task')"
_HEIRS = """
SELECT n.node_id, n.content FROM nodes n JOIN cells c USING (node_id)
WHERE n.node_id IN (SELECT value FROM json_each(?)) AND c.retracted IS NULL
"""
_SOURCES = """
SELECT n.node_id, n.event_id, n.session, n.speaker, n.occurred_at FROM edges e JOIN nodes n ON n.node_id = e.target
WHERE e.kind = 'derived_from' AND e.source = ? AND NOT n.hidden ORDER BY n.occurred_at, n.seq, n.event_id
"""
_SESSIONS = """
SELECT session, min(occurred_at) FROM nodes WHERE type = 'episodic' AND NOT hidden AND occurred_at <= ?
GROUP BY session ORDER BY 2, 1
"""
_MESSAGES = """
SELECT node_id, event_id, session, role, speaker, content, occurred_at, source_type FROM nodes
WHERE type = 'episodic' AND session = ? AND NOT hidden AND occurred_at <= ? ORDER BY occurred_at, seq, event_id
"""
#: Facts that are told, though not as what is so: who forgot or corrected something wants it told no more.
_UNTOLD = ("forgotten", "corrected")


class SourceMessage(msgspec.Struct, frozen=True):
    """A message that a fact was taken from. Times are UTC milliseconds."""

    node_id: str
    event_id: str
    session: str
    speaker: str | None
    occurred_at: int


class ToldFact(msgspec.Struct, frozen=True):
    """A fact with what it was taken from, and the words of the one that superseded it."""

    fact: Fact
    sources: tuple[SourceMessage, ...]
    replaced_by: str | None


class Topic(msgspec.Struct, frozen=True):
    """A scene: its summary where it tells what was so, the facts that were live, and those that were so before."""

    scene: str
    summary: str
    live: tuple[ToldFact, ...]
    past: tuple[ToldFact, ...]


class SaidMessage(msgspec.Struct, frozen=True):
    """A message as it was said."""

    node_id: str
    event_id: str
    session: str
    role: str
    speaker: str | None
    content: str
    occurred_at: int
    source_type: str


def topics(connection: apsw.Connection, at: int) -> Iterator[Topic]:
    """The scenes that had facts by a time (UTC milliseconds), by name. The caller spans it with a read transaction."""
    for scene in [str(name) for (name,) in connection.execute(_SCENES)]:
        known = [fact for fact in facts(connection, at, everything=True, scene=scene) if _is_told(fact, at)]
        told = _told(connection, known)
        if told:
            live = tuple(one for one in told if one.fact.status == "live")
            past = tuple(one for one in told if one.fact.status != "live")
            yield Topic(scene, _summary(connection, scene, at, live), live, past)


def plans(connection: apsw.Connection, at: int) -> list[ToldFact]:
    """The plans and tasks that were live at a time, by when they are due; those without a date last."""
    wanted = [node_id for (node_id,) in connection.execute(_PLANS)]
    live = facts(connection, at, node_ids=wanted) if wanted else []
    return _told(connection, sorted(live, key=lambda fact: (fact.due is None, fact.due or 0, fact.node_id)))


def said(connection: apsw.Connection, at: int) -> Iterator[SaidMessage]:
    """What was said by a time, session by session in the order in which they began."""
    for session, _ in connection.execute(_SESSIONS, (at,)).fetchall():
        for row in connection.execute(_MESSAGES, (session, at)):
            yield SaidMessage(*row)


def _is_told(fact: Fact, at: int) -> bool:
    return fact.status not in _UNTOLD and fact.valid_from <= at


def _told(connection: apsw.Connection, found: list[Fact]) -> list[ToldFact]:
    heirs = [fact.superseded_by for fact in found if fact.superseded_by is not None]
    words = dict(connection.execute(_HEIRS, (msgspec.json.encode(heirs).decode(),))) if heirs else {}
    return [ToldFact(fact, _sources(connection, fact.node_id), words.get(fact.superseded_by)) for fact in found]


def _sources(connection: apsw.Connection, node_id: str) -> tuple[SourceMessage, ...]:
    return tuple(SourceMessage(*row) for row in connection.execute(_SOURCES, (node_id,)))


def _summary(connection: apsw.Connection, scene: str, at: int, live: tuple[ToldFact, ...]) -> str:
    """The recorded summary, where it tells more than the one fact there is and what was so at that time."""
    told: str | None = connection.execute(_SUMMARY, (scene,)).get
    return told if told and len(live) > 1 and holds(connection, scene, at) else ""
