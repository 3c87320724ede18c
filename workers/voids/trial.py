"""A trial: the log folded in a side file as if more of it were voided, beside the live file, which stays as it is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from mnemolog.projections.connection import open_reader, read_transaction
from mnemolog.projections.fact_diff import LIVE, ComparedFact, FactDiff, compared_facts, fact_diff
from mnemolog.projections.indexes.embedder import Embedder
from mnemolog.projections.integrity import position_of
from mnemolog.projections.reasons.decisions import Decision, decisions
from mnemolog.schema import archive
from mnemolog.schema import log as event_log
from mnemolog.schema.codec import decode, encode
from mnemolog.schema.controls import MAX_VOIDED, OutcomesVoided
from mnemolog.schema.events import Event
from mnemolog.schema.ids import START, EventIds, Position
from mnemolog.schema.settings import Settings
from mnemolog.workers.rebuilding.rebuild import Progress, build, open_side, remove

BATCH = 500
_ids = EventIds()

_PARKED = """
    SELECT d.ms, d.seq FROM dead_letters d WHERE d.state = 'parked' AND d.event_id IS NOT NULL ORDER BY d.ms, d.seq
"""


class Live(msgspec.Struct, frozen=True):
    """What the live file says at a position."""

    position: Position
    facts: tuple[ComparedFact, ...]
    parked: frozenset[Position]
    decisions: tuple[Decision, ...]


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of a memory: facts that come, go, and are live again, scenes, and people's decisions.

    `decisions` are those that no longer find their fact.
    """

    diff: FactDiff
    revived: tuple[ComparedFact, ...]
    scenes: tuple[str, ...]
    decisions: tuple[Decision, ...]


def voiding(positions: Sequence[Position], reason: str) -> list[Event]:
    """The events that void so many entries, each with an id of its own."""
    made = []
    for start in range(0, len(positions), MAX_VOIDED):
        part = tuple((ms, seq) for ms, seq in positions[start : start + MAX_VOIDED])
        payload = OutcomesVoided(positions=part, reason=reason)
        made.append(decode(encode(_ids.mint(), time.time_ns() // 1_000_000, payload)))
    return made


def live(settings: Settings) -> Live:
    """What the live file says. Raises SpaceNotFound without one, DamagedFile for a damaged archive."""
    connection = open_reader(settings.file)
    try:
        with read_transaction(connection):
            position = position_of(connection)
            return Live(
                position,
                compared_facts(connection),
                parked(connection),
                tuple(decisions(connection, settings.archive, until=position)),
            )
    finally:
        connection.close()


def parked(connection: apsw.Connection) -> frozenset[Position]:
    """Where events stand that could not be folded."""
    return frozenset(Position(ms, seq) for ms, seq in connection.execute(_PARKED))


@contextmanager
def folded_without(
    settings: Settings, embedder: Embedder, path: Path, until: Position, voids: Iterable[Event], progress: Progress
) -> Iterator[apsw.Connection]:
    """A side file with the log up to a position as if it ended with some voids. The file is removed afterwards.

    Raises DamagedFile for an archive that does not add up.
    """
    remove(path)
    side = open_side(path)
    try:
        build(
            side,
            settings.space,
            embedder,
            lambda: archive.read(settings.archive, START, until),
            lambda position: event_log.was_parked(position, archive.read(settings.archive, position)),
            batch=BATCH,
            at=None,
            progress=progress,
            also=voids,
        )
        yield side
    finally:
        side.close()
        remove(path)


def lost_decisions(before: Live, side: apsw.Connection) -> tuple[Decision, ...]:
    """People's decisions that were in force and cannot be folded in a trial, in the log's order."""
    new = parked(side) - before.parked
    return tuple(decision for decision in before.decisions if decision.position in new)


def effects(before: Live, side: apsw.Connection) -> Effects:
    """What a trial makes of a memory."""
    diff = fact_diff(before.facts, compared_facts(side))
    revived = tuple(pair.after for pair in diff.standing if pair.before.status != LIVE and pair.after.status == LIVE)
    pairs = (*diff.changed, *diff.standing)
    concerned = [*diff.added, *diff.lost, *(fact for pair in pairs for fact in (pair.before, pair.after))]
    return Effects(
        diff=diff,
        revived=revived,
        scenes=tuple(sorted({fact.scene for fact in concerned})),
        decisions=lost_decisions(before, side),
    )
