"""Scenes: the topics that cells group under, with their summaries.

A summary is that of the cells that are live now. Of another time it is told only where the same cells were live then.
"""

from __future__ import annotations

from collections.abc import Iterable

import apsw
import msgspec

from mnemolog.projections.facts import Fact, facts
from mnemolog.schema.summaries import bounded


class Scene(msgspec.Struct, frozen=True):
    """A topic: how many live cells it has, and its summary; `stale` when cells changed since that was made."""

    scene: str
    summary: str
    cells: int
    updated_at: int
    stale: bool


def scenes(connection: apsw.Connection) -> list[Scene]:
    """The scenes that have live cells, the largest first."""
    rows = connection.execute(
        "SELECT scene, summary, cells, updated_at, stale FROM scenes WHERE cells > 0 ORDER BY cells DESC, scene"
    )
    return [Scene(scene, summary, cells, updated_at, bool(stale)) for scene, summary, cells, updated_at, stale in rows]


def scenes_at(connection: apsw.Connection, at: int) -> list[Scene]:
    """The scenes that had live facts at a time (UTC milliseconds), the largest first; `updated_at` is of their newest.

    Where others were live than those that the recorded summary tells, the facts stand in for it, the most salient
    first, and it counts as stale. The caller spans it with a read transaction.
    """
    then: dict[str, list[Fact]] = {}
    for fact in facts(connection, at):
        then.setdefault(fact.scene, []).append(fact)
    found = [_then(connection, scene, live) for scene, live in then.items()]
    return sorted(found, key=lambda scene: (-scene.cells, scene.scene))


def holds(connection: apsw.Connection, scene: str, at: int) -> bool:
    """Whether the recorded summary of a scene tells what was true at a time: the same facts were live then."""
    return _is_told(connection, scene, facts(connection, at, scene=scene))


_RECORDED = "SELECT summary, updated_at, stale FROM scenes WHERE scene = ?"
_TOLD = """
SELECT node_id FROM nodes JOIN cells USING (node_id) WHERE scene = ? AND heir IS NULL AND retracted IS NULL
"""


def _is_told(connection: apsw.Connection, scene: str, live: Iterable[Fact]) -> bool:
    told = {node_id for (node_id,) in connection.execute(_TOLD, (scene,))}
    return {fact.node_id for fact in live} == told


def _then(connection: apsw.Connection, scene: str, live: list[Fact]) -> Scene:
    newest = max(fact.valid_from for fact in live)
    recorded = connection.execute(_RECORDED, (scene,)).fetchone()
    if recorded is not None and _is_told(connection, scene, live):
        return Scene(scene, str(recorded[0]), len(live), newest, bool(recorded[2]))
    by_salience = sorted(live, key=lambda fact: -fact.salience)
    return Scene(scene, bounded(" ".join(fact.content for fact in by_salience)), len(live), newest, stale=len(live) > 1)
