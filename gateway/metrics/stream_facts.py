"""What metrics say of the streams of many spaces: their length, and how far behind them the writers are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import redis

from mnemolog.schema import keys
from mnemolog.schema.endpoint import translate
from mnemolog.schema.ids import Position
from mnemolog.schema.stream import Stream

#: Entries that wait are counted up to this many for a space, and no longer than this for all of them.
MOST_LAG = 10_000
COUNTING_S = 2.0
#: So many spaces are asked about at once, and so many of the entries that wait are read then: they hold texts.
PAGE = 100
FIRST_ENTRIES = 50


class StreamFacts(msgspec.Struct, frozen=True):
    """A stream: entries in it, those not folded yet, and for how long the oldest of these has waited."""

    entries: int
    lag_events: int
    lag_s: float


class RedisMemory(msgspec.Struct, frozen=True):
    """Redis' memory, in bytes; `most` is 0 where it is not bounded."""

    used: int
    most: int


def memory(client: redis.Redis) -> RedisMemory | None:
    """How much memory Redis uses; None where it does not say. Raises errors of the log."""
    try:
        found: Any = client.info("memory")
    except redis.ResponseError:
        return None
    except redis.RedisError as error:
        raise translate(error, "inspect the memory") from error
    return RedisMemory(int(found.get("used_memory", 0)), int(found.get("maxmemory", 0)))


def read(client: redis.Redis, positions: Mapping[str, Position]) -> dict[str, StreamFacts]:
    """The streams of spaces of which {space: position} says how far they are folded; what has no stream is left out.

    Raises errors of the log.
    """
    until = time.monotonic() + COUNTING_S
    found: dict[str, StreamFacts] = {}
    names = sorted(positions)
    for start in range(0, len(names), PAGE):
        found |= _page(client, {space: positions[space] for space in names[start : start + PAGE]}, until)
    return found


def _page(client: redis.Redis, positions: Mapping[str, Position], until: float) -> dict[str, StreamFacts]:
    lengths = {}
    behind = {}
    for space, info in _asked(client, "XINFO", {space: ["STREAM", keys.stream(space)] for space in positions}):
        told = {_text(name): value for name, value in _pairs(info)}
        lengths[space] = int(told["length"])
        if Position.parse(told["last-generated-id"]) > positions[space]:
            behind[space] = positions[space]
    ranges = {
        space: [keys.stream(space), f"({position}", "+", "COUNT", str(FIRST_ENTRIES)]
        for space, position in behind.items()
    }
    lags = {space: _lag(client, space, entries, until) for space, entries in _asked(client, "XRANGE", ranges)}
    return {space: StreamFacts(length, *lags.get(space, (0, 0.0))) for space, length in lengths.items()}


def _asked(client: redis.Redis, command: str, questions: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Any]]:
    """The answers to one question about each space, asked together; where there is no stream there is no answer."""
    try:
        with client.pipeline(transaction=False) as pipe:
            for arguments in questions.values():
                pipe.execute_command(command, *arguments)
            answers = pipe.execute(raise_on_error=False)
    except redis.RedisError as error:
        raise translate(error, "inspect the streams") from error
    for space, answer in zip(questions, answers, strict=True):
        if not isinstance(answer, redis.RedisError):
            yield space, answer


def _lag(client: redis.Redis, space: str, first: Sequence[Any], until: float) -> tuple[int, float]:
    if not first:
        return 0, 0.0
    oldest, newest = Position.parse(first[0][0]), Position.parse(first[-1][0])
    count = len(first)
    if count == FIRST_ENTRIES and time.monotonic() < until:
        count += Stream(client, space).count_after(newest, MOST_LAG - count)
    return count, max(0.0, time.time() - oldest.ms / 1000)


def _pairs(answer: Any) -> Iterator[tuple[Any, Any]]:
    return iter(answer.items()) if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)


def _text(name: Any) -> str:
    return name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
