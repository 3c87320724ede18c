"""Curves: how sure a memory was and will be of one fact, as points to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from mnemolog.projections.facts import Fact, fact, policy_of
from mnemolog.projections.why import Reinforcement
from mnemolog.schema.times import DAY

#: So many points are spread evenly; beside them stand the moments at which the curve leaps.
POINTS = 48
#: As many reinforcements are drawn, the newest ones.
MOST_REINFORCEMENTS = 40
_MARGIN = 0.06
_NEVER_FADES_MS = 365 * DAY
_REINFORCED = """
SELECT recalled_at, times FROM reinforcements WHERE node_id = ? ORDER BY recalled_at DESC LIMIT ?
"""


class Point(msgspec.Struct, frozen=True):
    """The confidence (0–1) in a fact at a time (UTC milliseconds), and its status then."""

    at: int
    confidence: float
    status: str


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """The forgetting curve of a fact. Times are UTC milliseconds.

    `points` go in order of time from where the fact begins to beyond where it fades; where the curve leaps, two stand
    a millisecond apart. `used` are the newest recalls that lifted it. `floor` is the confidence below which a fact has
    faded. `fades_at` is None for what is pinned.
    """

    node_id: str
    at: int
    confidence: float
    floor: float
    fades_at: int | None
    valid_until: int | None
    used: tuple[Reinforcement, ...]
    points: tuple[Point, ...]


def curve(connection: apsw.Connection, node_id: str, at: int) -> Curve | None:
    """The curve of a fact, with its confidence at a time (UTC milliseconds); None when there is no such fact.

    Each point is what the facts say at its time (schema.decay), so that a picture never differs from a list. The
    caller spans it with a read transaction.
    """
    told = fact(connection, node_id, at)
    if told is None:
        return None
    used = _used(connection, node_id)
    times = sampled(*_span(told, at), (at, *leaps(told, [one.at for one in used])))
    then = [(time, one) for time in times if (one := fact(connection, node_id, time)) is not None]
    return Curve(
        node_id=node_id,
        at=at,
        confidence=told.confidence_now,
        floor=policy_of(connection).decay.floor,
        fades_at=None if told.pinned else told.fades_at,
        valid_until=told.valid_until,
        used=used,
        points=tuple(Point(time, one.confidence_now, one.status) for time, one in then),
    )


def _used(connection: apsw.Connection, node_id: str) -> tuple[Reinforcement, ...]:
    rows: list[Any] = connection.execute(_REINFORCED, (node_id, MOST_REINFORCEMENTS)).fetchall()
    return tuple(Reinforcement(*row) for row in reversed(rows))


def _span(told: Fact, at: int) -> tuple[int, int]:
    """From the beginning of a fact to a little after the time asked about and its fading, whichever is later."""
    end = _NEVER_FADES_MS + max(at, told.valid_from) if told.pinned or told.fades_at is None else told.fades_at
    last = max(end, at, told.valid_until or 0)
    return told.valid_from, last + max(int((last - told.valid_from) * _MARGIN), DAY)


def leaps(told: Fact, used: Sequence[int]) -> list[int]:
    """The moments at which the confidence leaps, each with the millisecond before it."""
    moments = [*used, *([told.valid_until] if told.valid_until is not None else [])]
    return [time for moment in moments for time in (moment - 1, moment)]


def sampled(first: int, last: int, moments: tuple[int, ...]) -> list[int]:
    """Times spread evenly over a span, ends included, and the moments that lie in it, in order and each once."""
    even = {first + (last - first) * step // (POINTS - 1) for step in range(POINTS)}
    return sorted(even | {moment for moment in moments if first <= moment <= last})
