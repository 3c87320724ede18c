"""Activity: when a memory was spoken to, in equal stretches of time."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

STRETCHES = 120

_ENDS = "SELECT min(occurred_at), max(occurred_at) FROM nodes"
# Reads the index of times alone. Facts count at the time of their message.
_COUNTS = "SELECT (occurred_at - ?1) / ?2 AS stretch, count(*) FROM nodes GROUP BY stretch"


class Activity(msgspec.Struct, frozen=True):
    """How many nodes (messages and facts) there are in each of equal stretches of time.

    The first begins at `first_at`, each is `stretch_ms` long. Times are UTC milliseconds, None in an empty memory.
    """

    first_at: int | None
    last_at: int | None
    stretch_ms: int
    counts: tuple[int, ...]


def activity(connection: apsw.Connection, stretches: int = STRETCHES) -> Activity:
    """When a memory was spoken to. The caller spans it with a read transaction."""
    first, last = connection.execute(_ENDS).get
    if first is None:
        return Activity(None, None, 0, ())
    length = max(1, -(-(last - first + 1) // stretches))
    rows: list[Any] = connection.execute(_COUNTS, (first, length)).fetchall()
    counted = dict(rows)
    return Activity(first, last, length, tuple(counted.get(number, 0) for number in range(stretches)))
