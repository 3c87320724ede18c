"""Scenes: the topics that cells group under, with their summaries."""

from __future__ import annotations

import apsw
import msgspec


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
