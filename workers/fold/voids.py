"""Voids: outcomes that have no effect any more. The state is the fold of the log without them.

A void can itself be voided, so whether one counts is decided from the end of the log: the last one does, and each
earlier one unless a later one that counts names it. What is voided keeps its row in `events`, so that its id stays
used; its job is void, and what it cost stays counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from mnemolog.schema.archive import Entry
from mnemolog.schema.controls import ErasureRequested, OutcomesVoided
from mnemolog.schema.errors import MnemologError, NewerEvent, Undecodable
from mnemolog.schema.events import Event, Payload
from mnemolog.schema.ids import Position
from mnemolog.schema.log import event_of
from mnemolog.schema.outcomes import (
    CellsExtracted,
    ConflictsJudged,
    JobFailed,
    JobKind,
    Outcome,
    SceneConsolidated,
)
from mnemolog.workers.fold.context import Context
from mnemolog.workers.fold.jobs import record, void_generation

VOIDED = "voided"
#: What may be voided.
VOIDABLE = (Outcome, OutcomesVoided)

_TYPE = OutcomesVoided.TYPE.encode("ascii")
_ERASURE = ErasureRequested.TYPE.encode("ascii")
_TYPES = frozenset(
    payload.TYPE for payload in (CellsExtracted, ConflictsJudged, SceneConsolidated, JobFailed, OutcomesVoided)
)
_KINDS: dict[type[Outcome], JobKind] = {
    CellsExtracted: "extract",
    ConflictsJudged: "resolve",
    SceneConsolidated: "consolidate",
}


class RebuildNeeded(MnemologError):
    """A void takes effect by building the file again from the log, not by folding on."""


class Voids(msgspec.Struct, frozen=True):
    """What a log voids: `voided` is what has no effect, each with its reason.

    `known` are the positions of its voids, and of its erasures: who reads the whole log before folding it may pass
    them.
    """

    known: frozenset[Position]
    voided: Mapping[Position, str]


NO_VOIDS = Voids(frozenset(), {})


class _Head(msgspec.Struct, frozen=True):
    id: str


_heads = msgspec.json.Decoder(_Head)


def voids_of(log: Callable[[], Iterable[Entry]], also: Iterable[Event] = ()) -> Voids:
    """The voids of a log, which is read twice where it has any. `also` are further ones, as if they came last."""
    entries = [entry for entry in log() if _TYPE in entry.body or _ERASURE in entry.body]
    told = [(entry.position, event) for entry in entries if (event := _void_in(entry)) is not None]
    erasures = [entry.position for entry in entries if _is_erasure(entry)]
    used = _used_before(log(), told) if told else frozenset()
    first = {event.id: position for position, event in reversed(told)}
    good = [(position, event) for position, event in told if first[event.id] == position and position not in used]
    voided: dict[Position, str] = {}
    for event in also:
        _void(voided, event, None)
    for position, event in reversed(good):
        if position not in voided:
            _void(voided, event, position)
    return Voids(frozenset([*(position for position, _ in told), *erasures]), voided)


def _void(voided: dict[Position, str], event: Event, before: Position | None) -> None:
    payload: Any = event.payload
    for named in payload.entries:
        if before is None or named < before:
            voided.setdefault(named, f"by {event.id}: {payload.reason}" if payload.reason else f"by {event.id}")


def _void_in(entry: Entry) -> Event | None:
    # Decoding costs a hundred times as much as looking for the word.
    event = _decoded(entry) if _TYPE in entry.body else None
    return event if event is not None and isinstance(event.payload, OutcomesVoided) else None


def _is_erasure(entry: Entry) -> bool:
    event = _decoded(entry) if _ERASURE in entry.body else None
    return event is not None and isinstance(event.payload, ErasureRequested)


def _decoded(entry: Entry) -> Event | None:
    try:
        return event_of(entry)
    except (Undecodable, NewerEvent):
        return None


def _used_before(log: Iterable[Entry], told: list[tuple[Position, Event]]) -> frozenset[Position]:
    """The voids whose id something else had used before them: they are parked."""
    first = {event.id: position for position, event in reversed(told)}
    used = set()
    for entry in log:
        if entry.position > told[-1][0]:
            break
        try:
            void = first.get(_heads.decode(entry.body).id)  # type: ignore[call-overload]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if void is not None and entry.position < void:
            used.add(void)
    return frozenset(used)


def set_aside(ctx: Context, payload: Payload, why: str) -> None:
    """What is left of a voided entry: a refusal that says so, its cost, and a job that is void."""
    ctx.refuse(VOIDED, why)
    if not isinstance(payload, Outcome):
        return
    kind = _KINDS.get(type(payload)) or ctx.get(
        "SELECT kind FROM jobs WHERE job_key = ? AND generation = ?", (payload.job_key, payload.generation)
    )
    record(ctx, payload, kind or "unknown", accepted=False)
    if kind:
        void_generation(ctx, payload.job_key, payload.generation, kind, VOIDED)


def outcomes_voided(ctx: Context, payload: OutcomesVoided, known: bool) -> None:  # noqa: FBT001
    """Refuses what cannot be voided; all else was done before. Raises RebuildNeeded for a void that nobody knew of."""
    _ = ctx.policy
    if not known:
        raise RebuildNeeded(f"the void at {ctx.position} takes effect by a rebuild")
    for named in payload.entries:
        type_ = ctx.get("SELECT type FROM events WHERE ms = ? AND seq = ?", named)
        if type_ not in _TYPES:
            ctx.refuse("not_an_outcome", f"what stands at {named} is {type_ or 'nothing that was folded'}")
