"""Requests in the fold: what a person asks of the memory."""

from __future__ import annotations

import msgspec

from mnemolog.schema.cells import Cell
from mnemolog.schema.controls import Decided
from mnemolog.schema.ids import NodeId
from mnemolog.schema.outcomes import ExtractedCell
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    NodePayload,
    Statement,
)
from mnemolog.workers.fold import cells, conflicts, pending, scenes
from mnemolog.workers.fold.context import Context, Unfoldable
from mnemolog.workers.fold.episodes import Episode
from mnemolog.workers.fold.episodes import add as add_episode
from mnemolog.workers.fold.validity import CORRECTION, refresh_fading

#: The session that statements made to the memory itself belong to.
SESSION = "requests"

_cells = msgspec.json.Decoder(Cell)


def fact_remembered(ctx: Context, payload: FactRemembered, at: int) -> None:
    """Adds what a person wants remembered."""
    remember_decisions(ctx, payload.decided)
    cells.settle(ctx, _state(ctx, payload, at))


def fact_corrected(ctx: Context, payload: FactCorrected, at: int) -> None:
    """Adds what is true instead; it takes over the old fact's beginning, and the old one was never true.

    Where none of what is stated holds up, nothing takes the place of the old fact, and it stays.
    """
    wrong = {node_id: _cell_of(ctx, node_id) for node_id in _saying_the_same(ctx, payload.node_id)}
    added = _state(ctx, msgspec.structs.replace(payload, cells=tuple(map(_correcting, payload.cells))), at)
    for old_id, cell in wrong.items() if added else ():
        _bury(ctx, old_id, cell)
        for node_id in added:
            conflicts.give(ctx, node_id, old_id, "supersedes", CORRECTION)
    cells.settle(ctx, added)


def _correcting(item: ExtractedCell) -> ExtractedCell:
    return msgspec.structs.replace(item, cell=msgspec.structs.replace(item.cell, correction=True))


def _state(ctx: Context, payload: Statement, at: int) -> list[NodeId]:
    """Adds a statement's words and those of its cells that hold up. Raises Unfoldable where none quotes it."""
    _ = ctx.policy
    quoted = all(evidence.event_id == ctx.event_id for item in payload.cells for evidence in item.cell.evidence)
    if not payload.cells or not quoted:
        raise Unfoldable("no_cells", "a statement to the memory has cells that quote it")
    episode = Episode(
        content=payload.text,
        session=SESSION,
        role="user",
        speaker=payload.speaker,
        source_type="request",
        metadata=None,
        occurred_at=at if payload.occurred_at is None else payload.occurred_at,
        utc_offset_min=payload.utc_offset_min,
        seq=0,
        extractable=False,
    )
    add_episode(ctx, episode)
    added = []
    for item in payload.cells:
        try:
            node_id = cells.add(ctx, item, job_key=None, messages=None)
        except cells.Refused as error:
            ctx.refuse(error.reason, error.detail)
        else:
            added += [node_id] if node_id else []
    return added


# Only what goes on without a break is one fact: somebody who returns to something does so in a new one.
_SAME = """
    WITH RECURSIVE same (node_id) AS (
        VALUES (?)
        UNION SELECT iif(c.node_id = s.node_id, c.heir, c.node_id)
        FROM same s JOIN verdicts v ON s.node_id IN (v.low, v.high) AND v.ruling = 'same' AND v.state = 'in_force'
        JOIN cells c ON c.node_id IN (v.low, v.high) AND c.heir IN (v.low, v.high)
        JOIN nodes n ON n.node_id = c.node_id JOIN nodes h ON h.node_id = c.heir AND h.valid_from = n.valid_until
    ) SELECT node_id FROM same ORDER BY node_id
"""


def _saying_the_same(ctx: Context, node_id: str) -> list[str]:
    """A cell and all that say the same in one unbroken chain with it: what is wrong in one is wrong in each."""
    return [row[0] for row in ctx.rows(_SAME, (node_id,))]


def _cell_of(ctx: Context, node_id: str) -> Cell:
    text = ctx.get("SELECT cell FROM cells WHERE node_id = ?", (node_id,))
    if text is None:
        raise Unfoldable("no_fact", f"{node_id} is not a fact")
    return _cells.decode(text)


def _bury(ctx: Context, node_id: str, cell: Cell) -> None:
    """Remembers a person's decision by digests, so that no later extraction undoes it.

    What a message says of it does not come back, though its clock ran ahead; what is said later of the same, does.
    """
    said_at = ctx.get("SELECT occurred_at FROM nodes WHERE node_id = ?", (node_id,))
    for digest, until in decided_on(ctx, cell, said_at):
        _remember_decision(ctx, digest, until)


def decided_on(ctx: Context, cell: Cell, said_at: int) -> list[tuple[bytes, int]]:
    """The digests under which a decision made now on a cell is remembered, each with the time up to which it holds."""
    value, *evidence = cells.digests(ctx, cell)
    return [(value, ctx.now), *((digest, max(ctx.now, said_at)) for digest in evidence)]


def remember_decisions(ctx: Context, decided: Decided) -> None:
    """Keeps what a person decided on facts that were erased: what was stated of them does not come back."""
    for digest, until in decided:
        _remember_decision(ctx, bytes.fromhex(digest), until)


def _remember_decision(ctx: Context, digest: bytes, until: int) -> None:
    ctx.run(
        "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET until = max(until, excluded.until)",
        (digest, until),
    )


def facts_forgotten(ctx: Context, payload: FactsForgotten) -> None:
    """Retires facts, hides what they were taken from, and remembers that they are not wanted back.

    What they took the place of stays as it was: nothing else becomes true by it.
    """
    wanted = [(node_id, _cell_of(ctx, node_id)) for node_id in dict.fromkeys(payload.node_ids)]
    if payload.request is not None:
        pending.check(ctx, payload.request)
    for node_id, cell in wanted:
        ctx.run("UPDATE cells SET retracted = 'forgotten' WHERE node_id = ?", (node_id,))
        ctx.run(
            "UPDATE nodes SET hidden = 1 WHERE node_id IN "
            "(SELECT target FROM edges WHERE kind = 'derived_from' AND source = ?)",
            (node_id,),
        )
        _bury(ctx, node_id, cell)
    if payload.request is not None:
        pending.confirm(ctx, payload.request)
    scenes.touch(ctx, {cell.scene for _, cell in wanted}, keep_summary=False)


def fact_confirmed(ctx: Context, payload: FactConfirmed) -> None:
    """Pins a fact: it does not fade."""
    _set_pinned(ctx, payload, pinned=True)


def fact_unpinned(ctx: Context, payload: FactUnpinned) -> None:
    """Lets a pinned fact fade again."""
    _set_pinned(ctx, payload, pinned=False)


def _set_pinned(ctx: Context, payload: NodePayload, *, pinned: bool) -> None:
    _cell_of(ctx, payload.node_id)
    ctx.run("UPDATE cells SET pinned = ? WHERE node_id = ?", (int(pinned), payload.node_id))
    refresh_fading(ctx, payload.node_id)
