"""Windows: where a message is on its way to an engine, and what came of it there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import apsw
import msgspec

from mnemolog.projections.jobs import Job, JobOutcome, Refusal, generations, outcomes
from mnemolog.projections.logged import events_at
from mnemolog.projections.reasons.wording import How, Wanted
from mnemolog.schema.cells import Cell
from mnemolog.schema.controls import OutcomesVoided
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import CellsExtracted, Outcome
from mnemolog.schema.recalled import holds_recalled

#: Whether a message is extractable at all, waits for its window to close, or is in a job of this state.
WindowState = Literal["not_extractable", "open", "due", "failed", "done", "void"]

_COVERING = "SELECT DISTINCT job_key FROM jobs WHERE kind = 'extract' AND instr(inputs, ?) ORDER BY job_key"
_WAITING = """
SELECT 1 FROM sessions s JOIN json_each(s.waiting) w WHERE s.session = ? AND w.value ->> 2 = ?
"""
_REFUSALS = "SELECT reason, detail FROM refusals WHERE event_id = ? ORDER BY item"
_SAYING = """
SELECT event_id, reason, detail FROM refusals WHERE instr(lower(detail), lower(?)) ORDER BY event_id, item
"""
_VOIDED = """
SELECT o.ms, o.seq, o.job_key FROM outcomes o JOIN jobs j USING (job_key, generation)
WHERE o.kind = 'extract' AND NOT o.accepted AND j.state = 'void' AND j.reason = 'voided' ORDER BY o.ms, o.seq
"""
_VOIDS = "SELECT ms, seq FROM events WHERE type = ? ORDER BY ms, seq"
_TAKEN = """
SELECT c.cell FROM edges e JOIN cells c ON c.node_id = e.source WHERE e.kind = 'derived_from' AND e.target = ?
"""


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome with what the log keeps of it: `raw` is the engine's reply, None where the archive has it no more."""

    outcome: JobOutcome
    took_ms: int | None
    raw: str | None


class JobStory(msgspec.Struct, frozen=True):
    """One generation of a job, and what came back for it, in the log's order."""

    job: Job
    conclusions: tuple[Conclusion, ...]


class Window(msgspec.Struct, frozen=True):
    """The state of the newest generation that has a message, why it is not extractable if it is not, and its jobs."""

    state: WindowState
    why: str
    jobs: tuple[Job, ...]


class Proposal(msgspec.Struct, frozen=True):
    """A cell that an engine took from a message and the fold did not take over; `reason` is the refusal's word."""

    event_id: str
    reason: str
    detail: str
    content: str


def window_of(connection: apsw.Connection, node_id: str) -> Window:
    """Where a message stands on its way to an engine."""
    content, role, source_type, extractable, session, event_id = connection.execute(
        "SELECT content, role, source_type, extractable, session, event_id FROM nodes WHERE node_id = ?", (node_id,)
    ).get
    keys = [key for (key,) in connection.execute(_COVERING, (f'"{node_id}"',))]
    jobs = tuple(job for key in keys for job in generations(connection, key))
    if not extractable:
        return Window("not_extractable", _why_not_extractable(role, source_type, content), jobs)
    if jobs:
        return Window(jobs[-1].state, jobs[-1].reason, jobs)  # type: ignore[arg-type]
    waits = connection.execute(_WAITING, (session, event_id)).get is not None
    return Window("open" if waits else "void", "", ())


def _why_not_extractable(role: str, source_type: str, content: str) -> str:
    if source_type == "request":
        return "a request states its facts itself"
    if source_type == "recall" or holds_recalled(content):
        return "the text was recalled from a memory"
    return f"what a {role} says makes no facts"


def stories(connection: apsw.Connection, folder: Path, jobs: tuple[Job, ...]) -> tuple[JobStory, ...]:
    """Jobs with what came back for them; `folder` is the archive."""
    return tuple(
        JobStory(
            job,
            tuple(
                conclusion(folder, outcome)
                for outcome in outcomes(connection, job.job_key)
                if outcome.generation == job.generation
            ),
        )
        for job in jobs
    )


def conclusion(folder: Path, outcome: JobOutcome) -> Conclusion:
    """An outcome with its raw reply. Raises DamagedFile for a damaged archive."""
    payload = _payload(folder, outcome)
    if payload is None:
        return Conclusion(outcome=outcome, took_ms=None, raw=None)
    return Conclusion(outcome=outcome, took_ms=payload.engine.took_ms, raw=payload.raw)


def _payload(folder: Path, outcome: JobOutcome) -> Outcome | None:
    event = events_at(folder, [outcome.position]).get(outcome.position)
    return event.payload if event is not None and isinstance(event.payload, Outcome) else None


def refused_of(connection: apsw.Connection, folder: Path, message: str, event_id: str) -> list[Proposal]:
    """What engines took from a message, by its node id and its event id, and the fold refused.

    The refusals of an outcome are those of the engine first, then those of the cells that the fold refused, in order.
    """
    taken = {_identity(cell) for cell in _cells_of(connection, message)}
    found = [
        proposal
        for job in window_of(connection, message).jobs
        for outcome in outcomes(connection, job.job_key)
        if outcome.generation == job.generation and outcome.accepted and outcome.refused
        for proposal in _refused_in(connection, folder, outcome, (event_id, taken))
    ]
    own: list[Any] = connection.execute(_REFUSALS, (event_id,)).fetchall()
    return [*found, *(Proposal(event_id, reason, detail, "") for reason, detail in own)]


_Identity = tuple[str, str | None, str, int, str, tuple[str, ...]]


def _identity(cell: Cell) -> _Identity:
    """What makes a cell the same as one that is there already."""
    events = tuple(sorted(said.event_id for said in cell.evidence))
    return (cell.subject, cell.slot, cell.object, cell.polarity, cell.content, events)


def _cells_of(connection: apsw.Connection, message: str) -> list[Cell]:
    rows: list[Any] = connection.execute(_TAKEN, (message,)).fetchall()
    return [msgspec.json.decode(text, type=Cell) for (text,) in rows]


def _refused_in(
    connection: apsw.Connection, folder: Path, outcome: JobOutcome, of: tuple[str, set[_Identity]]
) -> list[Proposal]:
    event_id, taken = of
    payload = _payload(folder, outcome)
    if not isinstance(payload, CellsExtracted):
        return []
    cells = [item.cell for item in payload.cells if not _is_there(connection, item.cell)]
    by_fold = outcome.refused[len(payload.refused) :]
    return [
        Proposal(outcome.event_id, refusal.reason, refusal.detail, cell.content)
        for cell, refusal in zip(cells, by_fold, strict=False)
        if _identity(cell) not in taken and any(said.event_id == event_id for said in cell.evidence)
    ]


def _is_there(connection: apsw.Connection, cell: Cell) -> bool:
    rows: list[Any] = connection.execute(
        "SELECT cell FROM cells WHERE subject = ? AND object = ?", (cell.subject, cell.object)
    ).fetchall()
    return any(_identity(msgspec.json.decode(text, type=Cell)) == _identity(cell) for (text,) in rows)


def refusals_saying(connection: apsw.Connection, words: str) -> list[tuple[str, Refusal]]:
    """(event id, refusal) of all refusals whose detail holds some words as they are written."""
    rows: list[Any] = connection.execute(_SAYING, (words,)).fetchall()
    return [(event_id, Refusal(reason, detail)) for event_id, reason, detail in rows]


# ---- what was called off -----------------------------------------------------------------------------------------


class CalledOff(msgspec.Struct, frozen=True):
    """A cell of an outcome that was voided, and how it says a text."""

    event_id: str
    position: Position
    job_key: str
    content: str
    how: How


def called_off(connection: apsw.Connection, folder: Path, text: str) -> list[CalledOff]:
    """What outcomes that were voided had found of a text; `folder` is the archive."""
    rows: list[Any] = connection.execute(_VOIDED).fetchall()
    events = events_at(folder, (Position(ms, seq) for ms, seq, _ in rows))
    wanted = Wanted(text)
    found = []
    for ms, seq, job_key in rows:
        event = events.get(Position(ms, seq))
        cells = event.payload.cells if event is not None and isinstance(event.payload, CellsExtracted) else ()
        for item in cells:
            how = wanted.fit(item.cell.content, item.cell.subject)[0]
            if event is not None and how != "near":
                found.append(CalledOff(event.id, Position(ms, seq), job_key, item.cell.content, how))
    return found


def voiding(connection: apsw.Connection, folder: Path, job: Job) -> dict[str, Any]:
    """The control that voided what was concluded in a job, as evidence; empty where none did."""
    positions = {outcome.position for outcome in outcomes(connection, job.job_key)}
    rows: list[Any] = connection.execute(_VOIDS, (OutcomesVoided.TYPE,)).fetchall()
    events = events_at(folder, (Position(ms, seq) for ms, seq in rows))
    for position, event in sorted(events.items(), reverse=True):
        if isinstance(event.payload, OutcomesVoided) and positions.intersection(event.payload.entries):
            return {"event_id": event.id, "position": position, "at": position.ms, "why": event.payload.reason}
    return {}
