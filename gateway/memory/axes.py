"""Which time is asked about: now, another time, what was true at a time, what was known at a moment."""

from __future__ import annotations

import re
import time
from typing import TypedDict

import msgspec

from mnemolog.schema import times
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.ids import Position
from mnemolog.schema.times import show

#: A time as a caller gives it: UTC milliseconds, or ISO 8601 with an offset.
Time = int | str
#: A moment is a time or a position of the log.
Moment = int | Position

#: The largest number that SQLite holds; Redis would take one twice as large.
_MOST = 2**63 - 1
_POSITION = re.compile(r"\s*\d+-\d+\s*")


class Times(TypedDict, total=False):
    """Which time a question is about. A text that looks like 1757000000000-0 is a position."""

    now: Time | None
    as_of: Time | None
    known_at: Time | Position | None


class Axes(msgspec.Struct, frozen=True, kw_only=True):
    """Which time is asked about. Times are UTC milliseconds; None where nothing was asked."""

    now: int | None = None
    as_of: int | None = None
    known_at: Moment | None = None

    @property
    def at(self) -> int:
        """The time at which the answer is to hold.

        What was known at a moment is told as it would have been then, unless another time is asked about with it.
        """
        if self.as_of is not None:
            return self.as_of
        if self.now is not None:
            return self.now
        if self.known_at is None:
            return now_ms()
        moment = self.known_at.ms if isinstance(self.known_at, Position) else self.known_at
        return min(moment, now_ms())

    @property
    def is_past(self) -> bool:
        """Whether the past is asked about, which is no use of what is told."""
        return self.as_of is not None or self.known_at is not None

    @property
    def told(self) -> dict[str, str]:
        """The options as the recall log keeps them."""
        told = {} if self.as_of is None else {"as_of": show(self.as_of)}
        if self.known_at is None:
            return told
        return {**told, "known_at": str(self.known_at) if isinstance(self.known_at, Position) else show(self.known_at)}


PRESENT = Axes()


def now_ms() -> int:
    """The machine's clock, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def time_of(value: Time | None) -> int | None:
    """UTC milliseconds of a time. Raises InvalidTime."""
    if value is None:
        return None
    return times.parse(value) if isinstance(value, str) else times.check(value)


def moment_of(value: Time | Position | None) -> Moment | None:
    """The moment that a caller means. Raises InvalidInput for what is neither a time nor a position of a log."""
    if isinstance(value, str) and _POSITION.fullmatch(value):
        return within_log(Position.parse(value.strip()))
    return within_log(value) if isinstance(value, Position) else time_of(value)


def within_log(position: Position) -> Position:
    """The position itself, if a log and a file can have it. Raises InvalidInput."""
    if max(position) > _MOST:
        raise InvalidInput(f"{position} is no position that a log can have")
    return position


def axes_of(given: Times) -> Axes:
    """The axes among the options of a question. Raises InvalidTime."""
    return Axes(
        now=time_of(given.get("now")),
        as_of=time_of(given.get("as_of")),
        known_at=moment_of(given.get("known_at")),
    )
