"""Cells in the fold: each becomes a node of its own, live at once, with edges to its evidence, entities and causes.

An item of a reply that does not hold up is refused and recorded; the others stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import msgspec

from mnemolog.projections.indexes import fulltext
from mnemolog.schema.cells import Cell
from mnemolog.schema.ids import NodeId, episode_id
from mnemolog.schema.outcomes import CellsExtracted, ExtractedCell
from mnemolog.schema.quotes import is_quote_of
from mnemolog.workers.fold import pending, scenes
from mnemolog.workers.fold.context import Context, salted
from mnemolog.workers.fold.jobs import close_job, open_job
from mnemolog.workers.fold.validity import refresh_fading

_canonical = msgspec.json.Encoder(order="sorted")
_NODE_TYPES = {"procedure": "procedural", "opinion": "opinion"}
_PLANNED = ("plan", "task")


class Source(msgspec.Struct, frozen=True):
    """The newest message that a cell is taken from: its place in time counts for the cell."""

    occurred_at: int
    seq: int
    event_id: str
    session: str
    speaker: str | None
    source_type: str
    utc_offset_min: int
    valid_from: int
    recorded_at: int


class Refused(Exception):
    """A cell that does not hold up; `reason` is a stable word."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason)


def cells_extracted(ctx: Context, payload: CellsExtracted) -> None:
    """Adds what an engine found in a window, and makes a resolve job due where a subject has other cells."""
    inputs = close_job(ctx, payload, "extract")
    if inputs is None:
        return
    for reason, detail in payload.refused:
        ctx.refuse(reason, detail)
    messages = frozenset(inputs)
    pending.ask(ctx, payload.forget, messages)
    ids: list[NodeId | None] = [_add_or_refuse(ctx, item, payload.job_key, messages) for item in payload.cells]
    _link_causes(ctx, payload.cells, ids)
    settle(ctx, [node_id for node_id in ids if node_id is not None])


def settle(ctx: Context, added: Sequence[NodeId]) -> None:
    """What follows from new cells: a resolve job where there may be conflicts, and their scenes brought up to date."""
    fresh = sorted(set(added))
    contested = [node_id for node_id in fresh if _has_company(ctx, node_id)]
    if contested:
        open_job(ctx, "resolve", contested)
    scenes.touch(ctx, {str(ctx.get("SELECT scene FROM nodes WHERE node_id = ?", (node_id,))) for node_id in fresh})


def _has_company(ctx: Context, node_id: str) -> bool:
    return (
        ctx.get(
            "SELECT 1 FROM cells WHERE node_id != ?1 "
            "AND subject = (SELECT subject FROM cells WHERE node_id = ?1) LIMIT 1",
            (node_id,),
        )
        is not None
    )


def _add_or_refuse(ctx: Context, item: ExtractedCell, job_key: str, messages: frozenset[str]) -> NodeId | None:
    try:
        return add(ctx, item, job_key=job_key, messages=messages)
    except Refused as error:
        ctx.refuse(error.reason, error.detail)
        return None


def add(ctx: Context, item: ExtractedCell, *, job_key: str | None, messages: frozenset[str] | None) -> NodeId | None:
    """Adds a cell and gives its node id; None when exactly this cell is there already.

    `messages` are the node ids that evidence may be taken from, None for any. Raises Refused.
    """
    cell = item.cell
    source = _source(ctx, cell, messages)
    _check_forgotten(ctx, cell, source)
    node_id = cell_id(cell)
    if ctx.get("SELECT 1 FROM nodes WHERE node_id = ?", (node_id,)):
        return None
    _insert(ctx, node_id, cell, source, job_key)
    for evidence in cell.evidence:
        _add_edge(ctx, "derived_from", node_id, episode_id(evidence.event_id), source.valid_from)
    for entity in item.entities:
        _add_entity(ctx, node_id, entity.key, entity.name, entity.kind, source.valid_from)
    refresh_fading(ctx, node_id)
    return node_id


def cell_id(cell: Cell) -> NodeId:
    """The id of a cell's node, derived from its evidence's event ids and what it says."""
    parts = _canonical.encode(
        (cell.subject, cell.slot, cell.object, cell.polarity, cell.content, sorted(e.event_id for e in cell.evidence))
    )
    return NodeId("ce-" + blake2b(parts, digest_size=10).hexdigest())


def _source(ctx: Context, cell: Cell, messages: frozenset[str] | None) -> Source:
    """The newest of the cell's messages, after all quotes were checked. Raises Refused."""
    found = []
    for evidence in cell.evidence:
        node_id = episode_id(evidence.event_id)
        row = ctx.get(
            "SELECT content, role, occurred_at, seq, event_id, session, speaker, source_type, utc_offset_min, "
            "valid_from, recorded_at FROM nodes WHERE node_id = ? AND type = 'episodic'",
            (node_id,),
        )
        if row is None or (messages is not None and node_id not in messages):
            raise Refused("unknown_message", f"{cell.content!r} quotes message {evidence.event_id!r}")
        if not is_quote_of(evidence.quote, row[0]):
            raise Refused("not_quoted", f"{cell.content!r}: {evidence.quote!r} does not stand in {evidence.event_id!r}")
        found.append((row[1], Source(*row[2:])))
    if all(role != "user" for role, _ in found):
        raise Refused("not_said_by_a_person", f"{cell.content!r} is taken from an assistant's words alone")
    return max((source for _, source in found), key=lambda source: (source.occurred_at, source.seq, source.event_id))


def digests(ctx: Context, cell: Cell) -> list[bytes]:
    """The salted digests under which a person's decision on a cell is remembered: by value, and by evidence."""
    return value_digests(ctx.salt, cell)


def value_digests(salt: str, cell: Cell) -> list[bytes]:
    """The same in a space of this salt."""
    value = salted(salt, "value", cell.subject, cell.slot or "", cell.object or cell.content, str(cell.polarity))
    return [value, *(salted(salt, "evidence", cell.subject, cell.slot or "", e.event_id) for e in cell.evidence)]


def _check_forgotten(ctx: Context, cell: Cell, source: Source) -> None:
    for digest in digests(ctx, cell):
        until = ctx.get("SELECT until FROM tombstones WHERE digest = ?", (digest,))
        if until is not None and source.occurred_at <= until:
            raise Refused("decided_by_a_person", "it was forgotten or corrected, and nothing later says it again")


def _insert(ctx: Context, node_id: str, cell: Cell, source: Source, job_key: str | None) -> None:
    planned = cell.modality == "planned" or cell.cell_type in _PLANNED
    stated_end = None if planned else cell.holds_until
    start = source.valid_from if planned or cell.holds_from is None else cell.holds_from
    if stated_end is not None:
        # Of what is over, and of which nobody said when it began, no time is known at which it held.
        start = min(start, stated_end)
    decay = ctx.policy.decay
    rate = decay.rates.get(cell.cell_type, 0.0) * (1 - decay.salience_damping * cell.salience)
    ctx.run(
        "INSERT INTO nodes (node_id, type, cell_type, content, scene, salience, session, speaker, source_type, "
        "occurred_at, utc_offset_min, seq, event_id, valid_from, valid_until, confidence, access_count, "
        "last_accessed, decay_rate, hidden, extractable, recorded_at, position_ms, position_seq) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, 0, ?, ?, ?)",
        (
            node_id,
            _NODE_TYPES.get(cell.cell_type, "semantic"),
            cell.cell_type,
            cell.content,
            cell.scene,
            cell.salience,
            source.session,
            cell.stated_by or source.speaker,
            source.source_type,
            source.occurred_at,
            source.utc_offset_min,
            source.seq,
            source.event_id,
            start,
            stated_end,
            _confidence(ctx, cell.basis),
            max(start, source.recorded_at),
            rate,
            ctx.now,
            *ctx.position,
        ),
    )
    fulltext.add(ctx.connection, ctx.connection.last_insert_rowid(), cell.content, cell.scene, cell.cell_type)
    ctx.run(
        "INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, 0, 0, ?, ?)",
        (
            node_id,
            cell.subject,
            cell.slot,
            cell.object,
            cell.polarity,
            cell.modality,
            cell.basis,
            cell.stated_by,
            start,
            stated_end,
            (cell.due or cell.holds_until) if planned else None,
            job_key,
            _canonical.encode(cell).decode("utf-8"),
        ),
    )


def _confidence(ctx: Context, basis: Literal["requested", "first_person", "others", "inferred"]) -> float:
    trust = ctx.policy.trust
    return {
        "requested": trust.requested,
        "first_person": trust.first_person,
        "others": trust.others,
        "inferred": trust.inferred,
    }[basis]


def _add_edge(ctx: Context, kind: str, source: str, target: str, valid_from: int) -> None:
    ctx.run(
        "INSERT INTO edges VALUES (?, ?, ?, ?, NULL, 1.0) ON CONFLICT DO NOTHING", (kind, source, target, valid_from)
    )


def _add_entity(ctx: Context, node_id: str, key: str, name: str, kind: str, valid_from: int) -> None:
    entity_id = f"{kind}:{key}"
    ctx.run("INSERT INTO entities VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (entity_id, kind, key))
    # Of entities of one name, the first in the order of text: which was named first depends on the log.
    ctx.run(
        "INSERT INTO entity_aliases VALUES (?, ?) "
        "ON CONFLICT (alias) DO UPDATE SET entity_id = min(entity_id, excluded.entity_id)",
        (name, entity_id),
    )
    _add_edge(ctx, "entity", node_id, entity_id, valid_from)


def _link_causes(ctx: Context, items: Sequence[ExtractedCell], ids: Sequence[NodeId | None]) -> None:
    """Causal edges, cause → effect, between the cells of a reply or from nodes that it names."""
    for item, effect in zip(items, ids, strict=True):
        for cause in item.cell.causes if effect else ():
            source = _cause_id(items, cause)
            if source == effect or ctx.get("SELECT 1 FROM cells WHERE node_id = ?", (source,)) is None:
                ctx.refuse("unknown_cause", f"{item.cell.content!r} names {cause!r} as its cause")
            else:
                since = ctx.get("SELECT valid_from FROM nodes WHERE node_id = ?", (effect,))
                _add_edge(ctx, "causal", source, str(effect), since)


def _cause_id(items: Sequence[ExtractedCell], cause: int | str) -> str:
    """The node that a cause names; one of the reply may be there since an earlier reply."""
    if isinstance(cause, str):
        return cause
    return cell_id(items[cause].cell) if 0 <= cause < len(items) else ""
