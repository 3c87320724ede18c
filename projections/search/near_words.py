"""Which words of the candidates mean nearly what a word of the question means, by the vectors of single words."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from mnemolog.projections.indexes.analysis import terms
from mnemolog.projections.indexes.embedder import WordLlamaEmbedder
from mnemolog.projections.search.texts import Joined, Lexicon
from mnemolog.projections.search.windowing import dots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mnemolog.projections.indexes.embedder import Embedder
    from mnemolog.projections.indexes.frequencies import TermFrequency

#: Word by word only what costs microseconds is asked.
_MODELS = frozenset({WordLlamaEmbedder.name})
#: A word is near from this cosine on; the nearest of them count, each with its cosine times the weight.
_LEAST_COSINE = 0.45
_NEAREST = 8
_WEIGHT = 0.3
_LEAST_CHARS = 3


class _Vectors:
    """Vectors of the words of one lexicon, made when they are first asked for."""

    def __init__(self, words: Lexicon, dimension: int) -> None:
        self.words = words
        self._rows = np.zeros((1_024, dimension), np.float32)
        self._known = np.zeros(1_024, bool)
        self._lock = threading.Lock()

    def of(self, numbers: NDArray[np.int64], embedder: Embedder) -> NDArray[np.float32]:
        """The vectors of words, shape (words, dimension); zeros for one that is too short to mean much."""
        with self._lock:
            self._grow(int(numbers.max(initial=0)) + 1)
            new = numbers[~self._known[numbers]]
            names = [self.words.word(number) for number in new.tolist()]
            kept = [place for place, name in enumerate(names) if len(name) >= _LEAST_CHARS and not name.isdigit()]
            if kept:
                self._rows[new[kept]] = embedder.embed([names[place] for place in kept])
            self._known[new] = True
            found: NDArray[np.float32] = self._rows[numbers]
            return found

    def _grow(self, size: int) -> None:
        if size > len(self._known):
            more = max(size, 2 * len(self._known)) - len(self._known)
            self._rows = np.concatenate([self._rows, np.zeros((more, self._rows.shape[1]), np.float32)])
            self._known = np.concatenate([self._known, np.zeros(more, bool)])


_vectors: dict[str, _Vectors] = {}


def near_words(
    words: Lexicon, candidates: Joined, frequencies: Sequence[TermFrequency], embedder: Embedder
) -> dict[str, NDArray[np.float32]]:
    """Words of the candidates, and for how much of each term of the question one of them counts.

    None where the embedder is asked over a network.
    """
    if embedder.name not in _MODELS or not frequencies or not len(candidates.numbers):
        return {}
    present = np.flatnonzero(np.bincount(candidates.numbers))
    asked = embedder.embed([found.word for found in frequencies])
    cosines = dots(_of(words, embedder).of(present, embedder), asked)
    near: dict[str, NDArray[np.float32]] = {}
    for column, found in enumerate(frequencies):
        for name, cosine in _nearest(words, present, cosines[:, column], found.term):
            near.setdefault(name, np.zeros(len(frequencies), np.float32))[column] = np.float32(_WEIGHT) * cosine
    return near


def _of(words: Lexicon, embedder: Embedder) -> _Vectors:
    known = _vectors.get(embedder.name)
    if known is None or known.words is not words:
        known = _vectors[embedder.name] = _Vectors(words, embedder.dimension)
    return known


def _nearest(
    words: Lexicon, present: NDArray[np.int64], cosines: NDArray[np.float32], term: str
) -> list[tuple[str, np.float32]]:
    """The names and cosines of the nearest words that are not forms of the term."""
    above = np.flatnonzero(cosines > _LEAST_COSINE)
    names = [(words.word(int(present[place])), cosines[place]) for place in above]
    others = [(name, cosine) for name, cosine in names if terms(name) != [term]]
    return sorted(others, key=lambda one: (-one[1], one[0]))[:_NEAREST]
