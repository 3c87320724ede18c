"""Jobs in the fold: opened when there is something to do, closed by the first outcome that fits."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from mnemolog.schema.outcomes import JobFailed, JobKind, Outcome
from mnemolog.schema.requests import JobRequeued
from mnemolog.workers.fold.context import Context, Unfoldable

OPEN = ("due", "failed")
#: An outcome that names a higher generation is no job's: an invented one must not use the numbers up.
MOST_NAMED = 500_000


def key_of(kind: JobKind, inputs: Sequence[str]) -> str:
    """The key of a job: a hash of its kind and the ids of its inputs, without engine or prompt."""
    return blake2b("\x1f".join((kind, *inputs)).encode("utf-8"), digest_size=16).hexdigest()


def open_job(ctx: Context, kind: JobKind, inputs: Sequence[str]) -> str:
    """Makes a job due and gives its key; one that is due already stays as it is, any other is done again."""
    key = key_of(kind, inputs)
    newest = ctx.get("SELECT generation, state FROM jobs WHERE job_key = ? ORDER BY generation DESC LIMIT 1", (key,))
    if newest is None or newest[1] != "due":
        void(ctx, key)
        generation = _next_generation(ctx, key, 0 if newest is None else newest[0])
        _insert(ctx, key, generation, kind, msgspec.json.encode(list(inputs)).decode())
    return key


def _next_generation(ctx: Context, key: str, newest: int) -> int:
    """One that no outcome has named: what a void took back was handed out, claimed and answered under those numbers."""
    named = ctx.get("SELECT max(generation) FROM outcomes WHERE job_key = ? AND generation <= ?", (key, MOST_NAMED))
    return 1 + max(newest, named or 0)


def void(ctx: Context, key: str) -> None:
    """Calls a job off, if it is open: what it concludes from now on is refused."""
    ctx.run("UPDATE jobs SET state = 'void' WHERE job_key = ? AND state IN ('due', 'failed')", (key,))


def void_generation(ctx: Context, key: str, generation: int, kind: str, reason: str) -> None:
    """Calls one generation of a job off, if it is open and of this kind."""
    ctx.run(
        "UPDATE jobs SET state = 'void', reason = ? "
        "WHERE job_key = ? AND generation = ? AND kind = ? AND state IN ('due', 'failed')",
        (reason, key, generation, kind),
    )


def _insert(ctx: Context, key: str, generation: int, kind: str, inputs: str) -> None:
    ctx.run("INSERT INTO jobs VALUES (?, ?, ?, ?, 'due', '', ?, ?)", (key, generation, kind, inputs, *ctx.position))


def close_job(ctx: Context, outcome: Outcome, kind: JobKind) -> list[str] | None:
    """Marks the outcome's job done and gives its inputs; None, with a refusal recorded, when no such job is open."""
    found = ctx.get(
        "SELECT inputs, state FROM jobs WHERE job_key = ? AND generation = ? AND kind = ?",
        (outcome.job_key, outcome.generation, kind),
    )
    if found is None or found[1] not in OPEN:
        state = "unknown" if found is None else found[1]
        ctx.refuse("no_open_job", f"job {outcome.job_key} generation {outcome.generation} is {state}")
        record(ctx, outcome, kind, accepted=False)
        return None
    _set_state(ctx, outcome, "done", "")
    record(ctx, outcome, kind, accepted=True)
    return msgspec.json.decode(found[0], type=list[str])


def _set_state(ctx: Context, outcome: Outcome, state: str, reason: str) -> None:
    ctx.run(
        "UPDATE jobs SET state = ?, reason = ? WHERE job_key = ? AND generation = ?",
        (state, reason, outcome.job_key, outcome.generation),
    )


def record(ctx: Context, outcome: Outcome, kind: str, *, accepted: bool) -> None:
    """Keeps who concluded what at which cost; the reply itself stays on the log."""
    engine = outcome.engine
    ctx.run(
        "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ctx.event_id,
            *ctx.position,
            outcome.job_key,
            outcome.generation,
            kind,
            engine.name,
            engine.model,
            engine.prompt_version,
            engine.calls,
            engine.tokens_in,
            engine.tokens_out,
            engine.cost_usd,
            int(accepted),
            getattr(outcome, "attempts", 0),
            getattr(outcome, "unknown_language", 0),
            engine.took_ms,
        ),
    )


def job_failed(ctx: Context, payload: JobFailed) -> None:
    """Gives a due job up, visibly. Refused and recorded for a job that is not due."""
    found = ctx.get(
        "SELECT kind, state FROM jobs WHERE job_key = ? AND generation = ?", (payload.job_key, payload.generation)
    )
    due = found is not None and found[1] == "due"
    record(ctx, payload, found[0] if found else "unknown", accepted=due)
    if due:
        _set_state(ctx, payload, "failed", payload.reason)
    else:
        ctx.refuse("no_open_job", f"job {payload.job_key} generation {payload.generation} is not due")


def job_requeued(ctx: Context, payload: JobRequeued) -> None:
    """Makes the next generation of a job due; what the one before concludes from now on is refused."""
    newest = ctx.get(
        "SELECT generation, kind, inputs FROM jobs WHERE job_key = ? ORDER BY generation DESC LIMIT 1",
        (payload.job_key,),
    )
    if newest is None:
        raise Unfoldable("no_job", f"there is no job {payload.job_key}")
    generation, kind, inputs = newest
    void(ctx, payload.job_key)
    _insert(ctx, payload.job_key, _next_generation(ctx, payload.job_key, generation), kind, inputs)
