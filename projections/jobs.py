"""Reading jobs: what is to be concluded about the log, what became of it, and at which cost."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position

_SELECT = """
    SELECT j.job_key, j.generation, j.kind, j.state, j.reason, j.inputs, j.position_ms, j.position_seq,
        CASE j.state WHEN 'due' THEN ifnull(d.attempts, 0) ELSE (
            SELECT ifnull(max(o.attempts), 0) FROM outcomes o
            WHERE o.job_key = j.job_key AND o.generation = j.generation AND o.accepted
        ) END, d.deadline
    FROM jobs j LEFT JOIN dispatch d USING (job_key, generation)
"""
_OUTCOMES = """
    SELECT event_id, ms, seq, generation, engine, model, prompt_version, calls, tokens_in, tokens_out, cost_usd,
        accepted
    FROM outcomes WHERE job_key = ? ORDER BY ms, seq
"""


class Job(msgspec.Struct, frozen=True):
    """A job: `made_at` is where the log made it due, `deadline` (UTC ms) when the last attempt at it is over.

    `attempts` are those made so far at a job that is due, and after how many another was given up, if it was.
    """

    job_key: str
    generation: int
    kind: str
    state: str
    reason: str
    inputs: list[str]
    made_at: Position
    attempts: int
    deadline: int | None


class Refusal(msgspec.Struct, frozen=True):
    """What an outcome proposed and the fold did not do."""

    reason: str
    detail: str


class JobOutcome(msgspec.Struct, frozen=True):
    """An outcome on the log: who concluded it at which cost, whether it counts, and what of it was refused."""

    event_id: str
    position: Position
    generation: int
    engine: str
    model: str
    prompt_version: str
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    accepted: bool
    refused: list[Refusal]


def _job(row: Any) -> Job:
    key, generation, kind, state, reason, inputs, ms, seq, attempts, deadline = row
    ids = msgspec.json.decode(inputs, type=list[str])
    return Job(key, generation, kind, state, reason, ids, Position(ms, seq), attempts, deadline)


def listed(connection: apsw.Connection, states: tuple[str, ...], kind: str | None = None) -> list[Job]:
    """The jobs in one of the states, oldest first; of one kind where it is given."""
    wanted = msgspec.json.encode(states).decode()
    rows = connection.execute(
        f"{_SELECT} WHERE j.state IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR j.kind = ?2) "
        "ORDER BY j.position_ms, j.position_seq, j.job_key, j.generation",
        (wanted, kind),
    )
    return [_job(row) for row in rows]


def generations(connection: apsw.Connection, prefix: str) -> list[Job]:
    """All generations of the one job whose key begins with `prefix`, first to last. Raises InvalidInput otherwise."""
    if not prefix or set(prefix) - set("0123456789abcdef"):
        raise InvalidInput(f"{prefix!r} is not the beginning of a job's key: `mnemolog jobs list` shows them")
    rows = connection.execute(f"{_SELECT} WHERE j.job_key GLOB ? ORDER BY j.job_key, j.generation", (f"{prefix}*",))
    found = [_job(row) for row in rows]
    if len({job.job_key for job in found}) != 1:
        many = "several jobs begin" if found else "no job begins"
        raise InvalidInput(f"{many} with {prefix!r}: `mnemolog jobs list --all` shows them")
    return found


def outcomes(connection: apsw.Connection, job_key: str) -> list[JobOutcome]:
    """What came back for a job, in the log's order, with what was refused of it."""
    found: list[Any] = connection.execute(_OUTCOMES, (job_key,)).fetchall()
    return [_outcome(connection, row) for row in found]


def _outcome(connection: apsw.Connection, row: Any) -> JobOutcome:
    event_id, ms, seq, generation, *who, accepted = row
    engine, model, prompt_version, calls, tokens_in, tokens_out, cost_usd = who
    return JobOutcome(
        event_id=event_id,
        position=Position(ms, seq),
        generation=generation,
        engine=engine,
        model=model,
        prompt_version=prompt_version,
        calls=calls,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=cost_usd,
        accepted=bool(accepted),
        refused=_refusals(connection, event_id),
    )


def _refusals(connection: apsw.Connection, event_id: str) -> list[Refusal]:
    rows: list[Any] = connection.execute(
        "SELECT reason, detail FROM refusals WHERE event_id = ? ORDER BY item", (event_id,)
    ).fetchall()
    return [Refusal(reason, detail) for reason, detail in rows]
