"""How far a space is behind what was published, and waiting until it is not."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import redis

from mnemolog.projections.connection import open_reader
from mnemolog.projections.status import Counts, counts
from mnemolog.schema import keys
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import MnemologError, SpaceNotFound
from mnemolog.schema.ids import START, Position
from mnemolog.schema.settings import Settings
from mnemolog.schema.stream import Stream

POLL_S = 0.02


class NotDone(MnemologError):
    """Time ran out before everything published was folded, indexed and worked off."""

    exit_status = 10


class Backlog(msgspec.Struct, frozen=True):
    """What is left to do: entries to fold, vectors to make, jobs to run; and what waits for a person."""

    position: Position
    target: Position
    unfolded: bool
    vectors_missing: int
    jobs_due: int
    jobs_failed: int
    dead_letters: int

    @property
    def is_done(self) -> bool:
        """Whether nothing is left that gets done by itself."""
        return not (self.unfolded or self.vectors_missing or self.jobs_due)


def writer_position(stream: Stream) -> Position | None:
    """How far the running writer of a space is, as it says in Redis; None when none runs. Raises errors of the log."""
    try:
        told: bytes | None = stream.client.get(keys.progress(stream.space))  # type: ignore[assignment]
    except redis.RedisError as error:
        raise translate(error, f"read the progress of space {stream.space!r}") from error
    return Position.parse(told) if told else None


def _counts(settings: Settings) -> Counts | None:
    try:
        connection = open_reader(settings.file)
    except SpaceNotFound:
        return None
    try:
        found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'space'").get
        return counts(connection) if found else None
    finally:
        connection.close()


def backlog(settings: Settings, target: Position) -> Backlog:
    """What is left to do up to a position of the stream."""
    found = _counts(settings)
    if found is None:
        return Backlog(START, target, target > START, 0, 0, 0, 0)
    return Backlog(
        position=found.position,
        target=target,
        unfolded=found.position < target,
        vectors_missing=found.vectors.missing,
        jobs_due=found.jobs["due"],
        jobs_failed=found.jobs["failed"],
        dead_letters=found.dead_letters,
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
    while not (left := backlog(settings, target)).is_done:
        if time.monotonic() > until:
            raise NotDone(_what_is_left(left, stream, timeout_s))
        check()
        time.sleep(POLL_S)
    return left


def _what_is_left(left: Backlog, stream: Stream, timeout_s: float) -> str:
    running = (
        "" if writer_position(stream) else "; no writer is running for it: start `mnemolog up` or `mnemolog ingest`"
    )
    return (
        f"space {stream.space!r} is not done after {timeout_s:g} s: folded up to {left.position} of {left.target}, "
        f"{left.vectors_missing} vectors missing, {left.jobs_due} jobs due{running}"
    )
