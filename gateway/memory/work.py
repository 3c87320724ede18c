"""Work as doors tell it: what is due, failed, waits for a person or could not be folded, and what it cost."""

from __future__ import annotations

import msgspec

from mnemolog.gateway.memory.facts import MOST_OF_A_PAGE
from mnemolog.gateway.memory.objects import PositionText, told
from mnemolog.gateway.memory.place import Place
from mnemolog.gateway.memory.scope import bounded
from mnemolog.projections import status
from mnemolog.projections.connection import read_transaction
from mnemolog.projections.integrity import position_of
from mnemolog.projections.spending import Spent
from mnemolog.projections.verdicts import PairOfFacts
from mnemolog.projections.work import work as work_in
from mnemolog.schema.errors import LogFull, LogRefused, LogUnavailable
from mnemolog.schema.ids import Position


class OpenJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is due, or that failed for a `reason`; `made_at` is where the log made it due.

    `deadline` (UTC milliseconds) is when the last of its attempts is over.
    """

    job_key: str
    generation: int
    kind: str
    reason: str
    made_at: PositionText
    attempts: int
    deadline: int | None


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the log that could not be folded, with the reason, and how many bytes it has."""

    position: PositionText
    event_id: str | None
    reason: str
    detail: str
    bytes: int


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is open in a space: counts of all, and the first of each; due jobs the oldest first.

    `due` counts the due jobs of each kind; of those in `waiting`, by job, another try waits, for a budget for instance.
    `lag_events` are published and not folded yet, None where `redis` does not answer. `held` verdicts and
    `requests_pending` wait for a person. `spent` is what models cost in all, in calls, tokens and US dollars.
    """

    space: str
    position: PositionText
    lag_events: int | None
    redis: str
    due: dict[str, int]
    due_jobs: tuple[OpenJob, ...]
    waiting: dict[str, str]
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


class _Told(msgspec.Struct, frozen=True):
    """What Redis tells, and whether it answers."""

    lag_events: int | None
    waiting: dict[str, str]
    redis: str


def work(place: Place, limit: int) -> Work:
    """What is open, at most `limit` of each."""
    bounded("limit", limit, MOST_OF_A_PAGE)
    with place.reader() as connection, read_transaction(connection):
        found = work_in(connection, limit)
        position = position_of(connection)
    outside = _outside(place, position)
    return told(
        Work,
        found,
        space=place.settings.space,
        position=position,
        lag_events=outside.lag_events,
        waiting=outside.waiting,
        redis=outside.redis,
    )


def _outside(place: Place, position: Position) -> _Told:
    stream = place.stream()
    if stream is None:
        return _Told(None, {}, "not running")
    try:
        return _Told(status.lag(stream, position), status.waiting(stream), "running")
    except (LogUnavailable, LogRefused, LogFull) as error:
        return _Told(None, {}, str(error))
