"""What stands around a turn counts for it with a part of itself: values of neighbours, and bm25 over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: How much a term counts that stands one, two or three turns earlier (or later) in the session.
EARLIER = (0.54, 0.26, 0.14)
LATER = (0.28, 0.14, 0.06)
#: How many turns around a candidate its windows reach.
REACH = len(EARLIER)
#: bm25's saturation and its share of the length; a usual length, in terms, of a turn and of a turn with its window.
K1 = 0.8
B = 0.5
TURN_TERMS = 25.0
WINDOW_TERMS = 60.0
#: A text that is longer than so many usual ones is no less about what it says.
_LONGEST = np.float32(3)
_ONE_THREAD = 32_768


class Neighbours:
    """Which rows stand beside which, of stretches of turns that follow each other in one session."""

    def __init__(self, lengths: Sequence[int]) -> None:
        ends = np.cumsum(lengths)
        self.count = int(ends[-1])
        rows = np.arange(self.count)
        first = np.repeat(ends - lengths, lengths)
        last = np.repeat(ends - 1, lengths)
        distances = range(1, REACH + 1)
        # A row that is not there is the one after the last, which is padded with zeros.
        self._earlier = [np.where(rows - far >= first, rows - far, self.count) for far in distances]
        self._later = [np.where(rows + far <= last, rows + far, self.count) for far in distances]

    def previous(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The value of the turn before; 0 where there is none."""
        found: NDArray[np.float32] = _padded(values)[self._earlier[0]]
        return found

    def windowed(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The values with parts of those around."""
        padded = _padded(rows)
        total = rows.copy()
        for far in range(REACH):
            total += np.float32(EARLIER[far]) * padded[self._earlier[far]]
            total += np.float32(LATER[far]) * padded[self._later[far]]
        return total

    def beside(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The sum of the values right before and right after."""
        padded = _padded(rows)
        total: NDArray[np.float32] = padded[self._earlier[0]] + padded[self._later[0]]
        return total


def bm25(
    counts: NDArray[np.float32], lengths: NDArray[np.float32], idf: NDArray[np.float32], total: float, usual: float
) -> NDArray[np.float32]:
    """Okapi bm25 as a share of `total`, in 0–1: of the idf of all terms that endless repetition of them would give.

    `counts` has shape (rows, terms), `lengths` (rows, 1); a usual length stands for the collection's mean, so that
    neither the collection nor the other candidates change what a text is worth.
    """
    norm = np.float32(K1) * (np.float32(1 - B) + np.float32(B) * np.minimum(lengths / np.float32(usual), _LONGEST))
    shares: NDArray[np.float32] = np.minimum((counts / (counts + norm)) @ idf / np.float32(total), np.float32(1))
    return shares


def dots(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot products, shape (rows, others)."""
    # In larger products BLAS wakes threads, which takes longer than the product.
    block = max(_ONE_THREAD // max(others.size, 1), 1)
    parts = [rows[start : start + block] @ others.T for start in range(0, len(rows), block)]
    return np.concatenate(parts) if parts else np.zeros((0, len(others)), np.float32)


def _padded(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([rows, np.zeros((1, *rows.shape[1:]), np.float32)])
