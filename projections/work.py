"""Work: what is due, what failed, what waits for a person, what could not be folded, and what models cost."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.projections import pending
from mnemolog.projections.spending import Spent, by_day
from mnemolog.projections.status import last_failure
from mnemolog.projections.verdicts import PairOfFacts
from mnemolog.schema.ids import Position

#: Of what was spent, as many of the last days are told on which something was.
DAYS = 31

_JOBS = """
SELECT j.job_key, j.generation, j.kind, j.reason, j.position_ms, j.position_seq, ifnull(d.attempts, 0), d.deadline
FROM jobs j LEFT JOIN dispatch d USING (job_key, generation)
"""
# As literals: the index of due jobs knows no parameters.
_DUE = f"{_JOBS} WHERE j.state = 'due' ORDER BY j.position_ms, j.position_seq, j.job_key LIMIT ?"
_FAILED = f"{_JOBS} WHERE j.state = 'failed' ORDER BY j.position_ms DESC, j.position_seq DESC, j.job_key LIMIT ?"
_HELD = """
SELECT v.low, v.high, l.content, h.content, c.subject, v.ruling, v.kind, v.judge, v.state
FROM verdicts v JOIN nodes l ON l.node_id = v.low JOIN nodes h ON h.node_id = v.high JOIN cells c ON c.node_id = v.low
WHERE v.state = 'held' ORDER BY v.low, v.high LIMIT ?
"""
_PARKED = """
SELECT ms, seq, event_id, reason, detail, length(body) FROM dead_letters
WHERE state = 'parked' ORDER BY ms DESC, seq DESC LIMIT ?
"""


class OpenJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is due, or that failed for a `reason`; `made_at` is where the log made it due.

    `deadline` (UTC milliseconds) is when the last of its attempts at it is over.
    """

    job_key: str
    generation: int
    kind: str
    reason: str
    made_at: Position
    attempts: int
    deadline: int | None


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the log that could not be folded, with the reason, and how many bytes it has."""

    position: Position
    event_id: str | None
    reason: str
    detail: str
    bytes: int


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is open: counts of all, and the first of each; due jobs the oldest first, the others the newest first."""

    due: dict[str, int]
    due_jobs: tuple[OpenJob, ...]
    failed: int
    failed_jobs: tuple[OpenJob, ...]
    last_failure: str | None
    held: int
    held_verdicts: tuple[PairOfFacts, ...]
    dead_letters: int
    parked: tuple[Parked, ...]
    requests_pending: int
    spent: Spent
    spent_by_day: dict[str, Spent]


def work(connection: apsw.Connection, limit: int) -> Work:
    """What is open, at most so many of each. The caller spans it with a read transaction."""
    due: list[Any] = connection.execute("SELECT kind, count(*) FROM jobs WHERE state = 'due' GROUP BY kind").fetchall()
    held: list[Any] = connection.execute(_HELD, (limit,)).fetchall()
    parked: list[Any] = connection.execute(_PARKED, (limit,)).fetchall()
    days = by_day(connection)
    return Work(
        due=dict(due),
        due_jobs=_jobs(connection, _DUE, limit),
        failed=connection.execute("SELECT count(*) FROM jobs WHERE state = 'failed'").get,
        failed_jobs=_jobs(connection, _FAILED, limit),
        last_failure=last_failure(connection),
        held=connection.execute("SELECT count(*) FROM verdicts WHERE state = 'held'").get,
        held_verdicts=tuple(PairOfFacts(*row) for row in held),
        dead_letters=connection.execute("SELECT count(*) FROM dead_letters WHERE state = 'parked'").get,
        parked=tuple(map(_parked, parked)),
        requests_pending=pending.waiting(connection),
        spent=_total(list(days.values())),
        spent_by_day=dict(list(days.items())[-DAYS:]),
    )


def _jobs(connection: apsw.Connection, sql: str, limit: int) -> tuple[OpenJob, ...]:
    rows: list[Any] = connection.execute(sql, (limit,)).fetchall()
    return tuple(
        OpenJob(
            job_key=key,
            generation=generation,
            kind=kind,
            reason=reason,
            made_at=Position(ms, seq),
            attempts=attempts,
            deadline=deadline,
        )
        for key, generation, kind, reason, ms, seq, attempts, deadline in rows
    )


def _parked(row: Any) -> Parked:
    ms, seq, event_id, reason, detail, size = row
    return Parked(position=Position(ms, seq), event_id=event_id, reason=reason, detail=detail, bytes=size)


def _total(days: list[Spent]) -> Spent:
    return Spent(
        calls=sum(day.calls for day in days),
        tokens_in=sum(day.tokens_in for day in days),
        tokens_out=sum(day.tokens_out for day in days),
        cost_usd=sum(day.cost_usd for day in days),
    )
