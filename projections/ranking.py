"""The second stage of recall: scores of candidates among the turns around them. Pure: no database, no clock.

A score is the sum of arms, each a value of about 0–1 times its weight. Windowed bm25: a term that stands a few
turns earlier or later counts with a part of itself, since talk answers, refers and continues. The weights were
tuned on half of LoCoMo's conversations; `benchmarks/recall_quality.py` measures them.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from mnemolog.projections.analysis import folded_words, is_single_character, terms
from mnemolog.projections.questions import TIME_TERMS, Question, date_match

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mnemolog.projections.frequencies import TermFrequency

#: How much a term counts that stands one, two or three turns earlier (or later) in the session.
EARLIER = (0.45, 0.22, 0.12)
LATER = (0.35, 0.17, 0.08)
#: How many turns around a candidate its windows reach.
REACH = len(EARLIER)
_K1 = 0.8
_B = 0.4
#: How much the vectors of the turns right before and after count beside a turn's own.
_NEIGHBOUR_VECTOR = 0.5
#: How much the name of a speaker counts as a word: who is asked about seldom says their own name.
_NAME_AS_WORD = 0.1
#: A smaller file counts as one of this many nodes: among a few, a word that some of them share is not yet common.
_LEAST_NODES = 500
#: Cosines that differ by less than this in all are not spread over the whole of 0–1.
_LEAST_SPREAD = 0.2
_ASKING = ("?", "？", "؟")


class Turn(msgspec.Struct, frozen=True):
    """What ranking needs to know of a node; `beyond` are index terms that stand after the end of its content here."""

    content: str
    speaker: str | None
    occurred_at: int
    beyond: frozenset[str] = frozenset()


class Ranking(msgspec.Struct, frozen=True):
    """Of every turn, in order: its score, the part of each arm in it, and two measures of evidence in themselves.

    `coverage` is the share of the question's terms, weighted by rarity, that stands in the turn or right around it;
    `similarity` is the cosine of the question's vector and the turn's own. Both are comparable between questions.
    """

    scores: NDArray[np.float32]
    arms: dict[str, NDArray[np.float32]]
    coverage: NDArray[np.float32]
    similarity: NDArray[np.float32]


class Known(msgspec.Struct, frozen=True):
    """What edges say of every turn: `linked` is the score of the hit from which one leads to it, 0 where none does;
    `outdated` is 1 where it says only what others have taken the place of.
    """  # noqa: D205

    linked: NDArray[np.float32]
    outdated: NDArray[np.float32]


class _Text(msgspec.Struct, frozen=True):
    counts: Counter[str]
    length: int
    asks: bool


@lru_cache(maxsize=10_000)
def _analysed(content: str) -> _Text:
    found = terms(content)
    return _Text(Counter(found), len(found), content.rstrip().endswith(_ASKING))


@lru_cache(maxsize=1_000)
def _names(speaker: str) -> frozenset[str]:
    return frozenset(folded_words(speaker))


class _View:
    """One question and its candidates as arrays: a row a turn, a column a term."""

    def __init__(
        self,
        question: Question,
        frequencies: Sequence[TermFrequency],
        nodes: int,
        stretches: Sequence[Sequence[Turn]],
        similarities: _Similarities,
        known: Known,
    ) -> None:
        self.question = question
        self.turns = [turn for stretch in stretches for turn in stretch]
        self.texts = [_analysed(turn.content) for turn in self.turns]
        self.earlier, self.later = _neighbours([len(stretch) for stretch in stretches])
        self.similarities = similarities
        self.known = known
        self.named = frozenset(question.asked.spoken) & {name for turn in self.turns for name in _of(turn)}
        self.idf = self._idf(frequencies, nodes)
        self.counts = _count([found.term for found in frequencies], self.turns, self.texts)
        self.asks = np.array([text.asks for text in self.texts], np.float32)

    def _idf(self, frequencies: Sequence[TermFrequency], nodes: int) -> NDArray[np.float32]:
        idf = np.array([_inverse_frequency(found.documents, nodes) for found in frequencies], np.float32)
        is_name = np.array([found.word in self.named for found in frequencies], bool)
        return idf if is_name.all() else np.where(is_name, _NAME_AS_WORD * idf, idf)

    @cached_property
    def windowed(self) -> NDArray[np.float32]:
        """The counts with those of the turns around."""
        return _windowed(self.counts, self.earlier, self.later)

    @cached_property
    def lengths(self) -> NDArray[np.float32]:
        """The number of terms of each turn, shape (turns, 1)."""
        return np.array([[text.length] for text in self.texts], np.float32)

    def previous(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The value of the turn before; 0 where there is none."""
        found: NDArray[np.float32] = _padded(values)[self.earlier[0]]
        return found


class _Similarities(msgspec.Struct, frozen=True):
    vectors: NDArray[np.float32]
    query: NDArray[np.float32]

    def own(self) -> NDArray[np.float32]:
        cosines: NDArray[np.float32] = self.vectors @ self.query
        return cosines

    def windowed(self, earlier: NDArray[np.intp], later: NDArray[np.intp]) -> NDArray[np.float32]:
        padded = _padded(self.vectors)
        sums = self.vectors + _NEIGHBOUR_VECTOR * (padded[earlier[0]] + padded[later[0]])
        lengths = np.linalg.norm(sums, axis=1)
        cosines: NDArray[np.float32] = (sums @ self.query) / np.maximum(lengths, np.float32(1e-6))
        return cosines


def _lexical(view: _View) -> NDArray[np.float32]:
    return _over_best(_bm25(view.windowed, _windowed(view.lengths, view.earlier, view.later), view.idf))


def _vector(view: _View) -> NDArray[np.float32]:
    return _spread(view.similarities.windowed(view.earlier, view.later))


def _speaker(view: _View) -> NDArray[np.float32]:
    return np.array([not view.named.isdisjoint(_of(turn)) for turn in view.turns], np.float32)


def _answer(view: _View) -> NDArray[np.float32]:
    return view.previous(view.asks * _over_best(_bm25(view.counts, view.lengths, view.idf)))


def _date(view: _View) -> NDArray[np.float32]:
    if not view.question.dates:
        return np.zeros(len(view.turns), np.float32)
    return np.array([date_match(view.question.dates, turn.occurred_at) for turn in view.turns], np.float32)


def _time(view: _View) -> NDArray[np.float32]:
    if not view.question.is_when:
        return np.zeros(len(view.turns), np.float32)
    return np.array([not TIME_TERMS.isdisjoint(text.counts) for text in view.texts], np.float32)


def _asking(view: _View) -> NDArray[np.float32]:
    return view.asks


def _linked(view: _View) -> NDArray[np.float32]:
    return view.known.linked


def _outdated(view: _View) -> NDArray[np.float32]:
    return view.known.outdated


#: The arms: what each adds, and how much it counts. `speaker`: said by somebody whom the question names; `answer`:
#: the turn before is a question like this one; `date`: said at a date that the question names; `time`: tells a
#: time, where the question asks for one; `asking`: is a question itself; `linked`: an edge leads to it from a hit;
#: `outdated`: says what is no longer so.
ARMS: dict[str, Callable[[_View], NDArray[np.float32]]] = {
    "lexical": _lexical,
    "vector": _vector,
    "speaker": _speaker,
    "answer": _answer,
    "date": _date,
    "time": _time,
    "asking": _asking,
    "linked": _linked,
    "outdated": _outdated,
}
WEIGHTS: dict[str, float] = {
    "lexical": 1.0,
    "vector": 0.5,
    "speaker": 0.4,
    "answer": 0.3,
    "date": 1.0,
    "time": 0.35,
    "asking": -0.1,
    "linked": 0.6,
    "outdated": -0.3,
}


def rank(
    question: Question,
    frequencies: Sequence[TermFrequency],
    nodes: int,
    stretches: Sequence[Sequence[Turn]],
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    weights: Mapping[str, float] = WEIGHTS,
    known: Known | None = None,
) -> Ranking:
    """Score all turns of the stretches (each: turns that follow each other in one session) of a file of `nodes` nodes.

    `vectors` has shape (turns, dimension), zeros where there is none; `query` is the question's vector, or zeros.
    """
    if known is None:
        known = Known(np.zeros(len(vectors), np.float32), np.zeros(len(vectors), np.float32))
    view = _View(question, frequencies, nodes, stretches, _Similarities(vectors, query), known)
    arms = {name: np.float32(weights[name]) * arm(view) for name, arm in ARMS.items()}
    return Ranking(np.sum(list(arms.values()), axis=0), arms, _coverage(view), view.similarities.own())


def _of(turn: Turn) -> frozenset[str]:
    return _names(turn.speaker) if turn.speaker else frozenset()


def _coverage(view: _View) -> NDArray[np.float32]:
    total = view.idf.sum()
    return np.minimum(view.windowed, 1) @ view.idf / (total if total > 0 else np.float32(1))


def _inverse_frequency(documents: int, nodes: int) -> float:
    nodes = max(nodes, _LEAST_NODES)
    return math.log(1 + (max(nodes - documents, 0) + 0.5) / (documents + 0.5))


def _count(asked: Sequence[str], turns: Sequence[Turn], texts: Sequence[_Text]) -> NDArray[np.float32]:
    """How often each asked term stands in each text; a single character counts wherever it begins a term."""
    rows = [[text.counts.get(term, 0) for term in asked] for text in texts]
    counts = np.array(rows, np.float32).reshape(len(texts), len(asked))
    for column in [place for place, term in enumerate(asked) if is_single_character(term)]:
        counts[:, column] = [_beginning_with(text, asked[column]) for text in texts]
    for row in [place for place, turn in enumerate(turns) if turn.beyond]:
        counts[row] = np.maximum(counts[row], [term in turns[row].beyond for term in asked])
    return counts


def _beginning_with(text: _Text, character: str) -> int:
    return sum(count for term, count in text.counts.items() if term.startswith(character))


def _neighbours(lengths: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each distance up to REACH, the row of the turn that far before, and after; the last row + 1 for none."""
    ends = np.cumsum(lengths)
    count = int(ends[-1])
    rows = np.arange(count)
    first = np.repeat(ends - lengths, lengths)
    last = np.repeat(ends - 1, lengths)
    distances = range(1, REACH + 1)
    earlier = np.array([np.where(rows - far >= first, rows - far, count) for far in distances], np.intp)
    later = np.array([np.where(rows + far <= last, rows + far, count) for far in distances], np.intp)
    return earlier, later


def _padded(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([rows, np.zeros((1, *rows.shape[1:]), np.float32)])


def _windowed(rows: NDArray[np.float32], earlier: NDArray[np.intp], later: NDArray[np.intp]) -> NDArray[np.float32]:
    padded = _padded(rows)
    total = rows.copy()
    for far in range(REACH):
        total += np.float32(EARLIER[far]) * padded[earlier[far]] + np.float32(LATER[far]) * padded[later[far]]
    return total


def _bm25(counts: NDArray[np.float32], lengths: NDArray[np.float32], idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """Okapi bm25 of rows, with the mean length of the candidates in place of the collection's."""
    mean = max(float(lengths.mean()), 1.0)
    norm = np.float32(_K1) * (np.float32(1 - _B) + np.float32(_B / mean) * lengths)
    saturated = (counts * np.float32(_K1 + 1) / (counts + norm)).astype(np.float32, copy=False)
    scores: NDArray[np.float32] = saturated @ idf
    return scores


def _over_best(values: NDArray[np.float32]) -> NDArray[np.float32]:
    best = values.max(initial=0)
    return values / best if best > 0 else values


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low = values.min()
    spread: NDArray[np.float32] = (values - low) / max(values.max() - low, np.float32(_LEAST_SPREAD))
    return spread
