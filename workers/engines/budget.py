"""The budget: how many tokens a space may use in a day (UTC), counted in Redis for all workers together.

The outcomes on the log hold the same numbers, so a lost counter loses nothing but the count of the day.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis

from mnemolog.schema import times
from mnemolog.schema.endpoint import translate
from mnemolog.schema.errors import EngineError

_EXPIRES_S = 3 * 86_400


class OverBudget(EngineError):
    """The day's tokens of a space are used up: work waits until `retry_after_s` have passed, which is no failure."""


def day_of(ms: int) -> str:
    """The UTC day of a time, such as 2026-03-09."""
    return times.show(ms - ms % times.DAY)[:10]


def seconds_left(ms: int) -> float:
    """How long the UTC day of a time still lasts."""
    return (times.DAY - ms % times.DAY) / times.SECOND


def key(space: str, day: str) -> str:
    """The counter of a space and day."""
    return f"mnemolog:{{{space}}}:tokens:{day}"


def spent(client: redis.Redis, space: str, day: str) -> int:
    """The tokens that a space has used on a day. Raises LogUnavailable and LogRefused."""
    try:
        counted: Any = client.get(key(space, day))
    except redis.RedisError as error:
        raise translate(error, "read the tokens of the day") from None
    return int(counted or 0)


def add(client: redis.Redis, space: str, day: str, tokens: int) -> int:
    """Counts tokens and gives the sum of the day. Raises LogUnavailable and LogRefused."""
    try:
        with client.pipeline(transaction=True) as together:
            together.incrby(key(space, day), tokens)
            together.expire(key(space, day), _EXPIRES_S)
            total: Any = together.execute()[0]
    except redis.RedisError as error:
        raise translate(error, "count the tokens of the day") from None
    return int(total)


def waits(client: redis.Redis, space: str, limit: int | None, now_ms: int) -> OverBudget | None:
    """Why a space's work waits, for dispatchers and `status`; None while there are tokens left or no limit is set."""
    if limit is None:
        return None
    used = spent(client, space, day_of(now_ms))
    if used < limit:
        return None
    return OverBudget(
        f"space {space!r} has used {used:,} of {limit:,} tokens on {day_of(now_ms)}: its work waits until midnight "
        "UTC (MNEMOLOG_TOKEN_BUDGET)",
        retry_after_s=seconds_left(now_ms),
    )


class Budget:
    """What a client of models asks before a call and tells after it. `limit` None counts only."""

    def __init__(self, client: redis.Redis, limit: int | None, now_ms: Callable[[], int] | None = None) -> None:
        self._client = client
        self._limit = limit
        self._now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)

    def check(self, space: str) -> None:
        """Raises OverBudget when the day's tokens are used up; the last call of a day may go beyond them."""
        reason = waits(self._client, space, self._limit, self._now_ms())
        if reason is not None:
            raise reason

    def add(self, space: str, tokens: int) -> None:
        """Counts what a call has used."""
        add(self._client, space, day_of(self._now_ms()), tokens)
