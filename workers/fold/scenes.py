"""Scenes in the fold: how many live cells a topic has, its summary, and whether the summary still fits.

A scene of one cell is summed up by that cell. A larger one gets a consolidate job once, however many cells change
before the job is worked off; when cells change while it is, the summary that comes back is stale and another is due.
When one of them is forgotten meanwhile, that summary is not taken at all. A summary that is refused leaves its scene
to another job.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from mnemolog.schema.outcomes import SceneConsolidated
from mnemolog.schema.summaries import bounded
from mnemolog.workers.fold.context import Context
from mnemolog.workers.fold.jobs import close_job, key_of, open_job, void

_LIVE = (
    "SELECT node_id, content FROM nodes JOIN cells USING (node_id) "
    "WHERE scene = ? AND heir IS NULL AND retracted IS NULL ORDER BY node_id"
)


def seen_hash(node_ids: Iterable[str]) -> str:
    """What a summary is compared by: a hash of the ids of all live cells of its scene."""
    return blake2b("\x1f".join(sorted(node_ids)).encode("utf-8"), digest_size=16).hexdigest()


def touch(ctx: Context, names: Iterable[str], *, keep_summary: bool = True) -> None:
    """Brings scenes up to date whose cells have changed; a summary that may tell what was forgotten is not kept."""
    for scene in sorted(names):
        live = ctx.rows(_LIVE, (scene,))
        if not keep_summary:
            void(ctx, key_of("consolidate", [scene]))
        if len(live) <= 1:
            _write(ctx, scene, bounded(live[0][1]) if live else "", len(live), stale=False)
            continue
        summary = ctx.get("SELECT summary FROM scenes WHERE scene = ?", (scene,)) if keep_summary else None
        _write(ctx, scene, summary or "", len(live), stale=True)
        open_job(ctx, "consolidate", [scene])


def _write(ctx: Context, scene: str, summary: str, cells: int, *, stale: bool) -> None:
    ctx.run(
        "INSERT INTO scenes VALUES (?, ?, ?, ?, ?) ON CONFLICT (scene) DO UPDATE SET summary = excluded.summary, "
        "cells = excluded.cells, stale = excluded.stale, updated_at = excluded.updated_at",
        (scene, summary, cells, int(stale), ctx.now),
    )


def scene_consolidated(ctx: Context, payload: SceneConsolidated) -> None:
    """Takes a summary over, if it cites live cells of its scene only."""
    inputs = close_job(ctx, payload, "consolidate")
    if inputs is None:
        return
    live = [node_id for node_id, _ in ctx.rows(_LIVE, (payload.scene,))]
    stale = seen_hash(live) != payload.seen
    if payload.scene not in inputs:
        ctx.refuse("other_scene", f"the job was about {inputs[0]!r}, the outcome is about {payload.scene!r}")
        stale = True
    elif not set(payload.cells) <= set(live):
        ctx.refuse("cites_retired", f"the summary of {payload.scene!r} cites cells that are not live in it")
        stale = True
    elif len(live) > 1:
        _write(ctx, payload.scene, bounded(payload.summary), len(live), stale=stale)
    if stale:
        touch(ctx, inputs)
