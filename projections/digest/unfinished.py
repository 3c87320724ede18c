"""Unfinished: what waits, was refused, failed or was called off in a span, and what the clock alone did to facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw

from mnemolog.projections.digest.spans import IN_SPAN, Change, Kind, Span, rows
from mnemolog.projections.logged import events_at
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.ids import Position

_HELD = f"""
SELECT l.node_id, l.content, c.subject, l.scene, h.content, v.ruling, v.kind, e.ms, e.seq FROM verdicts v
JOIN events e ON e.event_id = v.event_id JOIN nodes l ON l.node_id = v.low JOIN cells c ON c.node_id = v.low
JOIN nodes h ON h.node_id = v.high WHERE v.state = 'held' AND {IN_SPAN}
"""
_REFUSED = f"""
SELECT r.reason, r.detail, e.ms, e.seq, e.event_id FROM refusals r JOIN events e USING (event_id)
WHERE {IN_SPAN} ORDER BY e.ms, e.seq, r.item
"""
_FAILED = f"""
SELECT o.job_key, o.kind, j.state, j.reason, o.engine, o.model, e.ms, e.seq FROM events e
JOIN outcomes o USING (event_id) LEFT JOIN jobs j USING (job_key, generation)
WHERE e.type = 'job_failed' AND o.accepted AND {IN_SPAN}
"""
_PARKED = f"SELECT e.reason, e.detail, e.state, e.ms, e.seq FROM dead_letters e WHERE {IN_SPAN}"
_VOIDED = f"SELECT e.ms, e.seq FROM events e WHERE e.type = :type AND {IN_SPAN}"
_BY_CLOCK = """
SELECT n.node_id, n.content, c.subject, n.scene, n.fades_at, n.valid_until, c.due, n.cell_type, n.recorded_at
FROM cells c JOIN nodes n USING (node_id)
WHERE c.heir IS NULL AND c.retracted IS NULL AND n.recorded_at <= :now AND (
    n.fades_at >= :since AND n.fades_at <= :now OR n.valid_until >= :since AND n.valid_until <= :now
    OR c.due >= :since AND c.due <= :now
)
"""


def waiting_and_refused(connection: apsw.Connection, span: Span) -> Iterator[Change]:
    """What waits for a person, and what was proposed, attempted or published and came to nothing."""
    for node_id, content, subject, scene, other, ruling, kind, ms, seq in rows(connection, _HELD, span):
        yield Change(
            kind="held",
            at=ms,
            position=Position(ms, seq),
            subject=subject,
            scene=scene,
            node_id=node_id,
            content=content,
            detail=f"{ruling}{f' ({kind})' if kind else ''} with: {other}",
        )
    for reason, detail, ms, seq, event_id in rows(connection, _REFUSED, span):
        told = f"{reason} (event {event_id})"
        yield Change(kind="refused", at=ms, position=Position(ms, seq), content=detail, detail=told)
    for job_key, kind, state, reason, engine, model, ms, seq in rows(connection, _FAILED, span):
        since = "" if state == "failed" else f", {state} since"
        by = " ".join(filter(None, (engine, model)))
        detail = f"{kind} job {job_key[:12]}{since}"
        yield Change(kind="failed", at=ms, position=Position(ms, seq), content=reason or "", by=by, detail=detail)
    for reason, detail, state, ms, seq in rows(connection, _PARKED, span):
        yield Change(kind="parked", at=ms, position=Position(ms, seq), content=detail, detail=f"{reason}, {state}")


def called_off(connection: apsw.Connection, span: Span, archive: Path) -> Iterator[Change]:
    """The voids of outcomes, with their reasons as the archive has them."""
    positions = [Position(ms, seq) for ms, seq in rows(connection, _VOIDED, span, type=OutcomesVoided.TYPE)]
    for position, event in sorted(events_at(archive, positions).items()):
        if isinstance(event.payload, OutcomesVoided):
            count = len(event.payload.positions)
            detail = f"{count} outcomes were called off"
            yield Change(kind="voided", at=position.ms, position=position, content=event.payload.reason, detail=detail)


def by_clock(connection: apsw.Connection, span: Span) -> Iterator[Change]:
    """What faded, ended, or was due, in a span, without that anything replaced it or anybody took it back."""
    for node_id, content, subject, scene, fades_at, valid_until, due, cell_type, recorded_at in rows(
        connection, _BY_CLOCK, span
    ):
        # What is over before it is heard of was learned so; and what has ended does not fade.
        over = fades_at is None or (valid_until is not None and valid_until <= fades_at)
        moments: list[tuple[Kind, int | None]] = [
            ("ended", valid_until),
            ("due", due),
            ("faded", None if over else fades_at),
        ]
        for kind, moment in moments:
            if moment is not None and span.since <= moment <= span.now and moment > recorded_at:
                yield Change(
                    kind=kind,
                    at=moment,
                    position=None,
                    subject=subject,
                    scene=scene,
                    node_id=node_id,
                    content=content,
                    detail=f"{cell_type}, outcome unknown" if kind == "due" else "",
                )
