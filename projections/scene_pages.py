"""Scenes of another time a page at a time: as `scenes.scenes_at` tells them, of a memory of any size.

To know which scenes were the largest, all facts of that time are counted; only those are weighed that may have faded.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections.facts import facts, policy_of
from mnemolog.projections.scenes import Scene
from mnemolog.schema.decay import fades_at
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.policy import DecayPolicy
from mnemolog.schema.summaries import MOST_WORDS, bounded

_VALID = """
SELECT n.node_id, n.scene, n.valid_from, n.salience, n.confidence, n.decay_rate, c.start, c.pinned
FROM cells c JOIN nodes n USING (node_id)
WHERE c.retracted IS NULL AND n.valid_from <= :at AND (n.valid_until IS NULL OR n.valid_until > :at)
    AND (:scene IS NULL OR n.scene = :scene)
ORDER BY n.valid_from, n.occurred_at, n.seq, n.event_id, n.node_id
"""
_RECORDED = "SELECT summary, stale FROM scenes WHERE scene = ?"
_TOLD = """
SELECT node_id FROM nodes JOIN cells USING (node_id) WHERE scene = ? AND heir IS NULL AND retracted IS NULL
"""
_CONTENT = "SELECT content FROM nodes WHERE node_id = ?"


class ScenePage(msgspec.Struct, frozen=True):
    """Scenes, the largest first; `after` is the cursor of what comes next, None at the end."""

    scenes: tuple[Scene, ...]
    after: str | None


class _Live(msgspec.Struct, frozen=True):
    """A fact that was live, in short."""

    node_id: str
    scene: str
    valid_from: int
    salience: float


def scene_page(
    connection: apsw.Connection, at: int, *, scene: str | None = None, after: str | None = None, limit: int = 50
) -> ScenePage:
    """The scenes that had live facts at a time (UTC milliseconds), or the one that is named, after a cursor.

    Raises InvalidInput for what is no cursor. The caller spans it with a read transaction.
    """
    then: dict[str, list[_Live]] = {}
    for fact in _live(connection, at, scene):
        then.setdefault(fact.scene, []).append(fact)
    names = sorted(then, key=lambda name: (-len(then[name]), name))
    if after is not None and after not in then:
        raise InvalidInput(f"there is no topic {after[:100]!r} at this time after which to go on")
    start = 0 if after is None else names.index(after) + 1
    page = names[start : start + limit]
    found = tuple(_then(connection, name, then[name]) for name in page)
    return ScenePage(found, page[-1] if start + limit < len(names) else None)


def _live(connection: apsw.Connection, at: int, scene: str | None) -> list[_Live]:
    """The facts that were live, in order of time."""
    decay = policy_of(connection).decay
    rows: list[Any] = connection.execute(_VALID, {"at": at, "scene": scene}).fetchall()
    doubtful = [row[0] for row in rows if _may_have_faded(row, at, decay)]
    faded = set(doubtful) - {one.node_id for one in facts(connection, at, node_ids=doubtful)}
    return [_Live(*row[:4]) for row in rows if row[0] not in faded]


def _may_have_faded(row: Any, at: int, decay: DecayPolicy) -> bool:
    """Whether a fact would have faded by a time if nothing had lifted it since it began."""
    *_, confidence, rate, start, pinned = row
    moment = None if pinned else fades_at(confidence, rate, start, decay.floor, decay.exponent)
    return moment is not None and moment <= at


def _then(connection: apsw.Connection, scene: str, live: list[_Live]) -> Scene:
    newest = max(fact.valid_from for fact in live)
    recorded = connection.execute(_RECORDED, (scene,)).fetchone()
    told = {node_id for (node_id,) in connection.execute(_TOLD, (scene,))}
    if recorded is not None and told == {fact.node_id for fact in live}:
        return Scene(scene, str(recorded[0]), len(live), newest, bool(recorded[1]))
    # Each fact has a word at least, and no more words are told.
    salient = sorted(live, key=lambda fact: -fact.salience)[: MOST_WORDS + 1]
    contents = [str(connection.execute(_CONTENT, (fact.node_id,)).get) for fact in salient]
    return Scene(scene, bounded(" ".join(contents)), len(live), newest, stale=len(live) > 1)
