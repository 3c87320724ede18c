"""How far a space is behind what was published, and waiting until it is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import apsw
import msgspec
import redis

from mnemolog.projections.connection import open_reader
from mnemolog.projections.indexes import vectors
from mnemolog.projections.integrity import position_of
from mnemolog.projections.status import last_failure, waiting
from mnemolog.schema import keys
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import MnemologError, SpaceNotFound
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream

POLL_S = 0.02
#: For so long the dispatcher remembers that somebody waits.
AWAITED_MS = 2_000


class NotDone(MnemologError):
    """Time ran out before everything published was folded, indexed and worked off."""

    exit_status = 10


class Backlog(msgspec.Struct, frozen=True):
    """What is left to do: entries to fold, vectors to make, jobs to run; and what waits for a person.

    `jobs_by_kind` counts the due jobs; `jobs_waiting` of them wait for a budget, as `waiting_for` says;
    `last_failure` says why the last job that failed did.
    """

    position: Position
    target: Position
    unfolded: bool
    vectors_missing: int
    jobs_due: int
    jobs_failed: int
    dead_letters: int
    jobs_by_kind: dict[str, int] = {}
    last_failure: str | None = None
    jobs_waiting: int = 0
    waiting_for: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left that gets done by itself and soon."""
        return not (self.unfolded or self.vectors_missing or self.jobs_due > self.jobs_waiting)


def writer_position(stream: Stream) -> Position | None:
    """How far the running writer of a space is, as it says in Redis; None when none runs. Raises errors of the log."""
    try:
        told: bytes | None = stream.client.get(keys.progress(stream.space))  # type: ignore[assignment]
    except redis.RedisError as error:
        raise translate(error, f"read the progress of space {stream.space!r}") from error
    return Position.parse(told) if told else None


def backlog(settings: Settings, target: Position) -> Backlog:
    """What is left to do up to a position of the stream."""
    nothing = Backlog(START, target, target > START, 0, 0, 0, 0)
    try:
        connection = open_reader(settings.file)
    except SpaceNotFound:
        return nothing
    try:
        with connection:
            there = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get
            found = _backlog(connection, target) if there else nothing
    finally:
        connection.close()
    return found


def _backlog(connection: apsw.Connection, target: Position) -> Backlog:
    due: list[Any] = connection.execute("SELECT kind, count(*) FROM jobs WHERE state = 'due' GROUP BY kind").fetchall()
    position = position_of(connection)
    return Backlog(
        position=position,
        target=target,
        unfolded=position < target,
        vectors_missing=vectors.state(connection).missing,
        jobs_due=sum(count for _, count in due),
        jobs_failed=connection.execute("SELECT count(*) FROM jobs WHERE state = 'failed'").get,
        dead_letters=connection.execute("SELECT count(*) FROM dead_letters WHERE state = 'parked'").get,
        jobs_by_kind=dict(due),
        last_failure=last_failure(connection),
    )


def wait_until_done(
    settings: Settings, stream: Stream, timeout_s: float, check: Callable[[], None] = lambda: None
) -> Backlog:
    """Waits until everything published up to now is folded, indexed and worked off.

    `check` is called again and again and may raise to end the waiting. Raises NotDone after `timeout_s`, saying what
    is left, and the errors of Stream.
    """
    bounds = stream.bounds()
    target = bounds.top if bounds else START
    until = time.monotonic() + timeout_s
    while not (left := _with_waiting(backlog(settings, target), stream)).is_done:
        if time.monotonic() > until:
            raise NotDone(_what_is_left(left, stream, timeout_s))
        check()
        _say_that_it_is_awaited(stream)
        time.sleep(POLL_S)
    return left


def _say_that_it_is_awaited(stream: Stream) -> None:
    # A hint only: without it the work is done all the same, later.
    with suppress(redis.RedisError):
        stream.client.set(keys.awaited(stream.space), b"1", px=AWAITED_MS)


def _with_waiting(left: Backlog, stream: Stream) -> Backlog:
    """The same with the jobs that wait for a budget; asked only when nothing but jobs is left."""
    if left.unfolded or left.vectors_missing or not left.jobs_due:
        return left
    found = waiting(stream)
    why = next(iter(found.values()), None)
    return msgspec.structs.replace(left, jobs_waiting=min(len(found), left.jobs_due), waiting_for=why)


def _what_is_left(left: Backlog, stream: Stream, timeout_s: float) -> str:
    running = (
        "" if writer_position(stream) else "; no writer is running for it: start `mnemolog up` or `mnemolog ingest`"
    )
    return (
        f"space {stream.space!r} is not done after {timeout_s:g} s: folded up to {left.position} of {left.target}, "
        f"{left.vectors_missing} vectors missing, {_due(left)}{running}"
    )


def _due(left: Backlog) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left.jobs_by_kind.items()))
    return f"{left.jobs_due} jobs due" + (f" ({kinds}: does a worker run for each queue?)" if kinds else "")
