"""How well the times of nodes fit those that a question tells. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnemolog.schema.times import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mnemolog.projections.moments.moments import Moment

#: What is near a span of time, no farther than it is long, and at least a day, fits by no more than this.
_NEARBY = 0.5
#: Among what has this share of the best score the first or the last is looked for.
_COMPARABLE = 0.6


def spans_of(told: Sequence[Moment]) -> list[tuple[int, int]]:
    """The spans of time (milliseconds, UTC; half-open) that a question tells."""
    return [(moment.start, moment.end) for moment in told if moment.kind == "span"]


def fit(spans: Sequence[tuple[int, int]], times: NDArray[np.int64]) -> NDArray[np.float32]:
    """How well each time fits the best of the spans, in 0–1: 1 within it, less the farther away it is."""
    best = np.zeros(len(times), np.float32)
    for start, end in spans:
        distance = np.maximum(np.maximum(start - times, times - (end - 1)), 0)
        near = np.maximum(_NEARBY * (1 - distance / max(end - start, DAY)), 0)
        best = np.maximum(best, np.where(distance == 0, 1, near).astype(np.float32))
    return best


def beside(kind: str, anchor: int, times: NDArray[np.int64]) -> NDArray[np.float32]:
    """1 for what is before, or after, the time of an event."""
    return (times < anchor if kind == "before" else times > anchor).astype(np.float32)


def in_order(kind: str, scores: NDArray[np.float32], times: NDArray[np.int64]) -> NDArray[np.float32]:
    """Of what is comparable with the best, 1 for the first (or last) in time, ever less down to 0 for the other end."""
    placed = np.zeros(len(times), np.float32)
    best = scores.max(initial=0)
    rows = np.flatnonzero(scores >= _COMPARABLE * best) if best > 0 else np.zeros(0, np.intp)
    distinct = np.unique(times[rows])
    if len(distinct) > 1:
        places = np.searchsorted(distinct, times[rows]) / (len(distinct) - 1)
        placed[rows] = (1 - places if kind == "first" else places) ** 2
    return placed
