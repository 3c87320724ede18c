"""Requests in the fold: what a person asks of the memory, and recalls that reinforce it."""

from __future__ import annotations

import msgspec

from mnemolog.schema.cells import Cell
from mnemolog.schema.ids import NodeId
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    NodePayload,
    NodesRecalled,
    Statement,
)
from mnemolog.workers.fold import cells, conflicts, scenes
from mnemolog.workers.fold.context import Context, Unfoldable
from mnemolog.workers.fold.episodes import Episode
from mnemolog.workers.fold.episodes import add as add_episode
from mnemolog.workers.fold.validity import CORRECTION, recompute, refresh_fading

#: The session that statements made to the memory itself belong to.
SESSION = "requests"

_cells = msgspec.json.Decoder(Cell)


def fact_remembered(ctx: Context, payload: FactRemembered, at: int) -> None:
    """Adds what a person wants remembered."""
    cells.settle(ctx, _state(ctx, payload, at))


def fact_corrected(ctx: Context, payload: FactCorrected, at: int) -> None:
    """Adds what is true instead; it takes over the old fact's beginning, and the old one was never true."""
    wrong = {node_id: _cell_of(ctx, node_id) for node_id in _saying_the_same(ctx, payload.node_id)}
    added = _state(ctx, payload, at)
    for old_id, cell in wrong.items():
        _bury(ctx, cell)
        for node_id in added:
            conflicts.give(ctx, node_id, old_id, "supersedes", CORRECTION)
    cells.settle(ctx, added)


def _state(ctx: Context, payload: Statement, at: int) -> list[NodeId]:
    """Adds a statement's words and its cells. Raises Unfoldable where none of the cells holds up."""
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
        job_key=None,
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


_SAME = """
    WITH RECURSIVE same (node_id) AS (
        VALUES (?)
        UNION SELECT iif(v.low = s.node_id, v.high, v.low) FROM same s JOIN verdicts v ON s.node_id IN (v.low, v.high)
        WHERE v.ruling = 'same' AND v.state = 'in_force'
    ) SELECT node_id FROM same ORDER BY node_id
"""


def _saying_the_same(ctx: Context, node_id: str) -> list[str]:
    """A cell and all that were judged to say the same: what is wrong in one is wrong in each."""
    return [row[0] for row in ctx.rows(_SAME, (node_id,))]


def _cell_of(ctx: Context, node_id: str) -> Cell:
    text = ctx.get("SELECT cell FROM cells WHERE node_id = ?", (node_id,))
    if text is None:
        raise Unfoldable("no_fact", f"{node_id} is not a fact")
    return _cells.decode(text)


def _bury(ctx: Context, cell: Cell) -> None:
    """Remembers a person's decision by digests, so that no later extraction undoes it."""
    for digest in cells.digests(ctx, cell):
        ctx.run(
            "INSERT INTO tombstones VALUES (?, ?) "
            "ON CONFLICT (digest) DO UPDATE SET until = max(until, excluded.until)",
            (digest, ctx.now),
        )


def facts_forgotten(ctx: Context, payload: FactsForgotten) -> None:
    """Retires facts, hides what they were taken from, and remembers that they are not wanted back."""
    wanted = [(node_id, _cell_of(ctx, node_id)) for node_id in dict.fromkeys(payload.node_ids)]
    concerned: set[str] = set()
    for node_id, cell in wanted:
        ctx.run("UPDATE cells SET retracted = 'forgotten' WHERE node_id = ?", (node_id,))
        ctx.run(
            "UPDATE nodes SET hidden = 1 WHERE node_id IN "
            "(SELECT target FROM edges WHERE kind = 'derived_from' AND source = ?)",
            (node_id,),
        )
        _bury(ctx, cell)
        concerned.add(str(ctx.get("SELECT scene FROM nodes WHERE node_id = ?", (node_id,))))
        neighbours = ctx.rows(
            "SELECT high FROM verdicts WHERE low = ?1 UNION SELECT low FROM verdicts WHERE high = ?1", (node_id,)
        )
        concerned |= recompute(ctx, [node_id, *(other for (other,) in neighbours)])
    scenes.touch(ctx, concerned, keep_summary=False)


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


def nodes_recalled(ctx: Context, payload: NodesRecalled) -> None:
    """Reinforces the facts that were recalled: the newest time counts, so order and repetition do not matter."""
    newest = ctx.now + ctx.policy.caps.future_ms
    for recalled_at, node_ids in payload.recalls:
        for node_id in dict.fromkeys(node_ids):
            if ctx.get("SELECT 1 FROM cells WHERE node_id = ?", (node_id,)):
                _reinforce(ctx, node_id, min(recalled_at, newest))


def _reinforce(ctx: Context, node_id: str, recalled_at: int) -> None:
    ctx.run(
        "INSERT INTO reinforcements VALUES (?, ?, 1) "
        "ON CONFLICT (node_id, recalled_at) DO UPDATE SET times = times + 1",
        (node_id, recalled_at),
    )
    ctx.run(
        "UPDATE nodes SET access_count = access_count + 1, last_accessed = max(last_accessed, ?) WHERE node_id = ?",
        (recalled_at, node_id),
    )
    refresh_fading(ctx, node_id)
