"""Changed: the facts that came into a memory in a span, what they took the place of, and what people decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apsw
import msgspec

from mnemolog.projections.digest.spans import ADDED, IN_SPAN, Change, Older, Span, rows
from mnemolog.projections.reasons.decisions import Decision
from mnemolog.schema.ids import Position

_LEARNED = f"""
SELECT n.node_id, n.content, c.subject, n.scene, n.position_ms, n.position_seq, n.source_type, c.stated_by, c.job_key
FROM cells c JOIN nodes n USING (node_id) WHERE {ADDED}
"""
# The heir of an older fact by a verdict of the span; of verdicts that a person approved the approval counts.
_REPLACED = f"""
SELECT v.ruling, v.kind, h.node_id, h.content, ch.subject, h.scene, o.node_id, o.content, o.valid_from, o.valid_until,
    v.judge, v.low, v.high, e.ms, e.seq
FROM verdicts v JOIN events e ON e.event_id = v.event_id
JOIN cells co ON co.node_id IN (v.low, v.high) JOIN nodes o ON o.node_id = co.node_id
JOIN cells ch ON ch.node_id IN (v.low, v.high) AND ch.node_id != co.node_id JOIN nodes h ON h.node_id = ch.node_id
WHERE v.state = 'in_force' AND (co.heir = ch.node_id OR EXISTS (
    SELECT 1 FROM edges s WHERE s.kind = 'supersedes' AND s.source = ch.node_id AND s.target = co.node_id
)) AND v.ruling IN ('same', 'supersedes') AND (
    {IN_SPAN} AND NOT (v.judge = 'person' AND e.type = 'conflicts_judged')
    OR (v.low, v.high) IN (SELECT value ->> 0, value ->> 1 FROM json_each(:approved))
)
"""
_FACT = "SELECT n.content, c.subject, n.scene FROM nodes n JOIN cells c USING (node_id) WHERE node_id = ?"


def of_facts(connection: apsw.Connection, span: Span, asked: Iterable[Decision]) -> Iterator[Change]:
    """What was learned, and what took the place of what, or says it again."""
    approved = {pair: one for one in asked if one.kind == "approved" for pair in _pairs(connection, one)}
    encoded = msgspec.json.encode(list(approved)).decode()
    found = rows(connection, _REPLACED, span, approved=encoded)
    replaced = [change for row in found if (change := _replaced(row, approved))]
    # What corrects a fact is told with the request.
    told = {change.node_id for change in replaced} | {id_ for one in asked if one.node_ids for id_ in one.stated}
    yield from replaced
    for node_id, content, subject, scene, ms, seq, source_type, stated_by, job_key in rows(connection, _LEARNED, span):
        if node_id not in told:
            yield Change(
                kind="learned",
                at=ms,
                position=Position(ms, seq),
                subject=subject,
                scene=scene,
                node_id=node_id,
                content=content,
                by=stated_by if source_type == "request" else _engine_of(connection, job_key),
                detail="remembered" if source_type == "request" else "",
            )


def _pairs(connection: apsw.Connection, decision: Decision) -> list[tuple[str, str]]:
    """The pairs of facts, all named by a decision, on which a person's verdict is in force."""
    named = msgspec.json.encode(decision.node_ids).decode()
    pairs: list[Any] = connection.execute(
        "SELECT low, high FROM verdicts WHERE judge = 'person' AND low IN (SELECT value FROM json_each(?1)) "
        "AND high IN (SELECT value FROM json_each(?1))",
        (named,),
    ).fetchall()
    return pairs


def _engine_of(connection: apsw.Connection, job_key: str | None) -> str | None:
    row = connection.execute(
        "SELECT engine, model FROM outcomes WHERE job_key = ? AND accepted ORDER BY ms, seq LIMIT 1", (job_key,)
    ).fetchone()
    return None if row is None else " ".join(filter(None, row))


def _replaced(row: Any, approved: Mapping[tuple[str, str], Decision]) -> Change | None:
    ruling, kind, heir, content, subject, scene, *older, judge, low, high, ms, seq = row
    if kind == "correction":
        return None
    approval = approved.get((low, high))
    position = Position(ms, seq) if approval is None else approval.position
    return Change(
        kind="changed" if ruling == "supersedes" else "repeated",
        at=position.ms,
        position=position,
        subject=subject,
        scene=scene,
        node_id=heir,
        content=content,
        replaced=Older(*older),
        by=judge,
        detail=kind if approval is None else f"{kind}, held until approved".removeprefix(", "),
    )


def of_people(connection: apsw.Connection, asked: Iterable[Decision]) -> Iterator[Change]:
    """What people asked; what they had remembered is learned like all else, and what they approved is the change."""
    for one in asked:
        if one.kind not in ("remembered", "approved"):
            yield from _decided(connection, one)


def _decided(connection: apsw.Connection, one: Decision) -> Iterator[Change]:
    for node_id in one.node_ids[:1] if one.kind == "corrected" else one.node_ids:
        row = connection.execute(_FACT, (node_id,)).fetchone()
        if row is None:
            continue
        content, subject, scene = row
        right = [connection.execute(_FACT, (stated,)).fetchone() for stated in one.stated]
        corrected = one.kind == "corrected"
        yield Change(
            kind=one.kind,  # type: ignore[arg-type]
            at=one.at,
            position=one.position,
            subject=subject,
            scene=scene,
            node_id=one.stated[0] if corrected and one.stated else node_id,
            content=" ".join(said[0] for said in right if said) if corrected and one.stated else content,
            replaced=_older(connection, node_id) if corrected else None,
            by=one.speaker or "person",
            detail=one.ruling or "",
        )


def _older(connection: apsw.Connection, node_id: str) -> Older:
    return Older(
        *connection.execute(
            "SELECT node_id, content, valid_from, valid_until FROM nodes WHERE node_id = ?", (node_id,)
        ).get
    )
