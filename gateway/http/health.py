"""Health: whether what is published gets folded, and whether this server can be asked.

A writer that has silently stopped is one whose space has entries that nobody folds: no writer says in Redis that it
runs, or one says so and does not go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import redis

from mnemolog.gateway.http.options import HttpOptions
from mnemolog.gateway.memory import Memories
from mnemolog.schema import keys
from mnemolog.schema.endpoint import find_embedded, log_client, translate
from mnemolog.schema.errors import LogUnavailable, MnemologError
from mnemolog.schema.ids import Position
from mnemolog.schema.stream import Stream, spaces_on

#: What was looked at so lately is not looked at again.
FRESH_S = 1.0
_NAMED = 20


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a server is not well: a stable word, what it means, and how many spaces it is about.

    `spaces` names some of them, for callers of the scope admin alone.
    """

    reason: Literal["log-unavailable", "no-writer", "writer-stalled", "draining"]
    detail: str
    count: int = 0
    spaces: tuple[str, ...] = ()


class Health(msgspec.Struct, frozen=True):
    """Whether all is well, and why not."""

    status: Literal["ok", "unhealthy", "not-ready"]
    reasons: tuple[Trouble, ...]


class Sight(msgspec.Struct, frozen=True):
    """A space that is behind: how far it is folded, whether a writer says that it runs, and since when one waits.

    `oldest` is when the first entry was published that is not folded, in UTC milliseconds.
    """

    space: str
    folded: Position
    is_written: bool
    oldest: int


class Seen(msgspec.Struct, frozen=True):
    """How far a space was folded when that was first seen, in seconds of a steady clock."""

    folded: Position
    since_s: float


def judged(
    sights: Sequence[Sight], before: Mapping[str, Seen], *, now_ms: int, now_s: float, stalled_s: float
) -> tuple[Trouble, ...]:
    """What is wrong with spaces that are behind, and have been for `stalled_s`."""
    late = [sight for sight in sights if now_ms - sight.oldest > stalled_s * 1000]
    unwritten = tuple(sight.space for sight in late if not sight.is_written)
    stalled = tuple(
        sight.space
        for sight in late
        if sight.is_written
        and (seen := before.get(sight.space)) is not None
        and seen.folded == sight.folded
        and now_s - seen.since_s > stalled_s
    )
    found = []
    if unwritten:
        detail = f"nothing has been folded for {stalled_s:g} s and no writer says that it runs: start `mnemolog up`"
        found.append(Trouble("no-writer", detail, len(unwritten), unwritten[:_NAMED]))
    if stalled:
        detail = f"a writer says that it runs, and has folded nothing for {stalled_s:g} s"
        found.append(Trouble("writer-stalled", detail, len(stalled), stalled[:_NAMED]))
    return tuple(found)


def remembered(sights: Sequence[Sight], before: Mapping[str, Seen], now_s: float) -> dict[str, Seen]:
    """Since when the spaces that are behind are as far as they are."""
    after = {}
    for sight in sights:
        seen = before.get(sight.space)
        after[sight.space] = seen if seen and seen.folded == sight.folded else Seen(sight.folded, now_s)
    return after


class Checks:
    """Looks at all spaces, at most once a second. Thread-safe."""

    def __init__(self, memories: Memories, options: HttpOptions) -> None:
        self._memories = memories
        self._stalled_s = options.stalled_s
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._last: tuple[float, tuple[Trouble, ...]] | None = None

    def troubles(self) -> tuple[Trouble, ...]:
        """What is wrong now."""
        with self._lock:
            now_s = time.monotonic()
            if self._last is None or now_s - self._last[0] > FRESH_S:
                self._last = (now_s, self._look(now_s))
            return self._last[1]

    def _look(self, now_s: float) -> tuple[Trouble, ...]:
        try:
            sights = self._behind()
        except MnemologError:
            return (Trouble("log-unavailable", "Redis cannot be reached, or refuses: nothing can be published"),)
        self._seen = remembered(sights, self._seen, now_s)
        now_ms = time.time_ns() // 1_000_000
        return judged(sights, self._seen, now_ms=now_ms, now_s=now_s, stalled_s=self._stalled_s)

    def _behind(self) -> list[Sight]:
        """The spaces with entries that are not folded. Raises errors of the log."""
        url = self._memories.settings.redis_url or find_embedded(self._memories.settings.data)
        if url is None:
            raise LogUnavailable("no Redis is running")
        with log_client(url) as client:
            spaces = spaces_on(client)
            found = [
                self._sight(Stream(client, space), told)
                for space, top, told in zip(spaces, *_ends(client, spaces), strict=True)
                if top is not None and (told is None or told < top)
            ]
        return [sight for sight in found if sight is not None]

    def _sight(self, stream: Stream, told: Position | None) -> Sight | None:
        folded = told or Position.parse(self._memories.run(stream.space, lambda memory: memory.position()))
        first = next(iter(stream.range(folded, 1)), None)
        return None if first is None else Sight(stream.space, folded, told is not None, first.position.ms)


def _ends(client: redis.Redis, spaces: Sequence[str]) -> tuple[list[Position | None], list[Position | None]]:
    """The last entry of each stream, and how far its writer says that it is, in one round trip."""
    pipe = client.pipeline(transaction=False)
    for space in spaces:
        pipe.xrevrange(keys.stream(space), count=1)
        pipe.get(keys.progress(space))
    try:
        found: list[Any] = pipe.execute()
    except redis.RedisError as error:
        raise translate(error, "look how far the spaces are") from error
    tops = [Position.parse(entries[0][0]) if entries else None for entries in found[::2]]
    return tops, [Position.parse(told) if told else None for told in found[1::2]]
