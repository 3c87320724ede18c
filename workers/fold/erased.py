"""Erasures in the fold: what is left of an entry counts where it stood, and does not come back."""

from __future__ import annotations

import msgspec

from mnemolog.schema.controls import EntryErased, ErasureLifted, ErasureRequested
from mnemolog.schema.events import MessagePublished, SessionClosed
from mnemolog.schema.requests import FactsForgotten
from mnemolog.workers.fold import requests, sessions, windows
from mnemolog.workers.fold.context import Context
from mnemolog.workers.fold.jobs import open_job
from mnemolog.workers.fold.voids import RebuildNeeded

#: Why a job is void whose conclusions may be made from what was erased.
ERASED = "erased"

_OPEN = """
    SELECT job_key, kind, inputs FROM jobs j WHERE state IN ('due', 'failed') AND generation =
        (SELECT max(generation) FROM jobs WHERE job_key = j.job_key)
    ORDER BY position_ms, position_seq, job_key
"""


def erasure_requested(ctx: Context, payload: ErasureRequested, *, known: bool) -> None:
    """Calls all open jobs off and opens them again: what comes back for them now may be made from what is erased.

    Raises RebuildNeeded for an erasure that is not carried out, unless it is `known`.
    """
    _ = ctx.policy
    if not known and not payload.done:
        raise RebuildNeeded(f"the erasure asked for at {ctx.position} is not carried out")
    for key, kind, inputs in ctx.rows(_OPEN):
        # Called off first, so that the next generation is opened even where this one is due.
        ctx.run(
            "UPDATE jobs SET state = 'void', reason = ? WHERE job_key = ? AND state IN ('due', 'failed')", (ERASED, key)
        )
        open_job(ctx, kind, msgspec.json.decode(inputs, type=list[str]))


def entry_erased(ctx: Context, payload: EntryErased) -> None:
    """Remembers what was erased, counts it in its window, and keeps what a person decided with it."""
    _ = ctx.policy
    if payload.event is not None:
        ctx.run(
            "INSERT INTO erased_events VALUES (?, ?, ?) "
            "ON CONFLICT (hash) DO UPDATE SET ms = excluded.ms, seq = excluded.seq",
            (payload.event, *ctx.position),
        )
    if payload.session is not None:
        _count(ctx, payload, payload.session)
    requests.remember_decisions(ctx, payload.decided)
    for node_id in payload.hidden:
        ctx.run("UPDATE nodes SET hidden = 1 WHERE node_id = ?", (node_id,))
    there = [node_id for node_id in payload.forgotten if _is_fact(ctx, node_id)]
    if there:
        requests.facts_forgotten(ctx, FactsForgotten(node_ids=tuple(there)))


def _is_fact(ctx: Context, node_id: str) -> bool:
    return ctx.get("SELECT 1 FROM cells WHERE node_id = ?", (node_id,)) is not None


def _count(ctx: Context, payload: EntryErased, name: str) -> None:
    session = sessions.read(ctx, name)
    if payload.kind == SessionClosed.TYPE:
        sessions.write(ctx, windows.closed(ctx, session))
        return
    if payload.kind != MessagePublished.TYPE:
        return
    at = ctx.now if payload.occurred_at is None else payload.occurred_at
    grown = session.with_erased((at, payload.counter, ctx.event_id), ctx.now, waits=payload.waits)
    if len(grown.waiting) >= ctx.policy.window.messages:
        grown = windows.closed(ctx, grown)
    sessions.write(ctx, grown)
    if not session.messages:
        windows.close_others(ctx, name, at)


def erasure_lifted(ctx: Context, payload: ErasureLifted) -> None:
    """Lets what was erased be published again."""
    _ = ctx.policy
    for name in payload.events:
        ctx.run("DELETE FROM erased_events WHERE hash = ?", (name,))
