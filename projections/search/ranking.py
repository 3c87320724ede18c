"""The second stage of recall: scores of candidates among the turns around them. Pure: no database, no clock.

A score is the sum of arms. What an arm adds depends on the question and on the node, its session and its facts, never
on the other candidates, so that scores mean the same from question to question; MEASURED in docs/ranking.md. Windowed
bm25: a term that stands a few turns earlier or later counts with a part of itself, since talk answers, refers and
continues. A fact stands in the key of the messages that it was taken from: what it says counts for them, and it comes
right before the best of them unless it is better by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from mnemolog.projections.indexes.analysis import folded_words, is_pair, is_single_character
from mnemolog.projections.search.filters import normalised
from mnemolog.projections.search.questions import Question, date_match
from mnemolog.projections.search.texts import Joined, Text, lexicon
from mnemolog.projections.search.windowing import REACH, TURN_TERMS, WINDOW_TERMS, Neighbours, bm25, dots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mnemolog.projections.indexes.frequencies import TermFrequency
    from mnemolog.projections.search.texts import Lexicon

__all__ = ["ARMS", "REACH", "WEIGHTS", "Known", "Ranking", "Turn", "rank"]

#: How much the vectors of the turns right before and after count beside a turn's own.
_NEIGHBOUR_VECTOR = 0.5
#: How much the vector of a fact counts for its messages, where it is nearer than theirs.
_FACT_VECTOR = 1.0
#: How much the name of a speaker counts as a word: who is asked about seldom says their own name.
_NAME_AS_WORD = 0.2
#: About every second pair of characters of an unspaced script is no word, and found in no answer.
_PAIR = 0.5
#: A smaller file counts as one of this many nodes: among a few, a word that some of them share is not yet common.
_LEAST_NODES = 500
#: These arms count beside what a fact has by its messages: an edge that leads to it, and what tells equal facts apart.
_BESIDE = ("linked", "surety", "salience", "recency")
#: So far before its messages a fact comes.
_AHEAD = 0.0005


class Turn(msgspec.Struct, frozen=True):
    """What ranking needs to know of a node; `beyond` are index terms that stand after the end of its content here."""

    content: str
    speaker: str | None
    occurred_at: int
    beyond: frozenset[str] = frozenset()


class Ranking(msgspec.Struct, frozen=True):
    """Of every turn, in order: its score, the part of each arm in it, and two measures of evidence in themselves.

    `coverage` is the share of the question's terms, weighted by rarity, that stands in the turn or right around it, or
    in the fact itself; `similarity` is the cosine of the question's vector and the turn's own.
    """

    scores: NDArray[np.float32]
    arms: dict[str, NDArray[np.float32]]
    coverage: NDArray[np.float32]
    similarity: NDArray[np.float32]


class Known(msgspec.Struct, frozen=True):
    """What is known of the turns beside their texts, a value a turn; zeros where it is not told.

    `linked`: the score of the hit from which an edge leads to it; `outdated`: 1 where it says only what others have
    taken the place of; `moment`: how well its time fits those that the question tells; `order`: how well its place
    in time does; `surety` and `salience` (0–1) and `recency` (1 now, less with age) are those of facts. `facts` and
    `sources` are rows of a fact and a message that it was taken from. `sessions` numbers the session of a message, and
    is -1 for a fact. `near` holds words that count for a part of each of the question's terms.
    """

    linked: NDArray[np.float32]
    outdated: NDArray[np.float32]
    moment: NDArray[np.float32]
    order: NDArray[np.float32]
    surety: NDArray[np.float32]
    salience: NDArray[np.float32]
    recency: NDArray[np.float32]
    facts: NDArray[np.intp]
    sources: NDArray[np.intp]
    sessions: NDArray[np.intp]
    near: Mapping[str, NDArray[np.float32]]

    @classmethod
    def nothing(cls, turns: int) -> Known:
        """Nothing is known of so many turns."""
        none, rows = np.zeros(turns, np.float32), np.zeros(0, np.intp)
        return cls(none, none, none, none, none, none, none, rows, rows, np.full(turns, -1, np.intp), {})


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
        vectors: NDArray[np.float32],
        query: NDArray[np.float32],
        known: Known,
        words: Lexicon,
    ) -> None:
        self.question = question
        self.asked = [found.term for found in frequencies]
        self.turns = [turn for stretch in stretches for turn in stretch]
        self.words = words
        self.texts = self.words.analysed(turn.content for turn in self.turns)
        self.terms = Joined.of([text.terms for text in self.texts])
        self.around = Neighbours([len(stretch) for stretch in stretches])
        self.vectors = vectors
        self.query = query
        self.known = known
        speakers = {turn.speaker for turn in self.turns if turn.speaker}
        self.named = frozenset(question.asked.spoken) & {name for speaker in speakers for name in _names(speaker)}
        self.meant = {one for one in speakers if self.named & _names(one) or normalised(one) in question.askers}
        self.idf = self._idf(frequencies, nodes)
        pairs = np.array([is_pair(term) for term in self.asked], bool)
        self.total = float(np.where(pairs, _PAIR * self.idf, self.idf).sum()) or 1.0
        self.exact = self._count()
        self.counts = self.exact + self._nearly()
        self.asks = np.array([text.asks for text in self.texts], np.float32)
        self.lengths = np.array([[len(text.terms)] for text in self.texts], np.float32)

    def _idf(self, frequencies: Sequence[TermFrequency], nodes: int) -> NDArray[np.float32]:
        idf = np.array([_inverse_frequency(found.documents, nodes) for found in frequencies], np.float32)
        is_name = np.array([found.word in self.named for found in frequencies], bool)
        return idf if is_name.all() else np.where(is_name, _NAME_AS_WORD * idf, idf)

    def _count(self) -> NDArray[np.float32]:
        """How often each asked term stands in each text; a single character counts wherever it begins a term."""
        columns = np.eye(len(self.asked), dtype=np.float32)
        numbers = self.words.term_numbers(self.asked)
        counts = self.terms.weighted(dict(zip(numbers, columns, strict=True)), len(self.asked))
        for column in [place for place, term in enumerate(self.asked) if is_single_character(term)]:
            counts[:, column] = [_beginning_with(text, self.asked[column]) for text in self.texts]
        for row in [place for place, turn in enumerate(self.turns) if turn.beyond]:
            counts[row] = np.maximum(counts[row], [term in self.turns[row].beyond for term in self.asked])
        return counts

    def _nearly(self) -> NDArray[np.float32]:
        """How much of each asked term the words that mean nearly the same are worth."""
        if not self.known.near:
            return np.zeros_like(self.exact)
        spoken = self.words.spoken(turn.content for turn in self.turns)
        numbers = self.words.word_numbers(list(self.known.near))
        weights = dict(zip(numbers, self.known.near.values(), strict=True))
        return Joined.of([one.words for one in spoken]).weighted(weights, len(self.asked))

    @cached_property
    def windowed(self) -> NDArray[np.float32]:
        """The counts with those of the facts taken from a turn, and of the turns around."""
        told = np.zeros_like(self.counts)
        np.maximum.at(told, self.known.sources, self.counts[self.known.facts])
        return self.around.windowed(self.counts + told)

    @cached_property
    def windowed_lengths(self) -> NDArray[np.float32]:
        """The lengths with those of the turns around; a fact is as long as it is with its messages."""
        lengths = self.around.windowed(self.lengths)
        said = np.zeros_like(lengths)
        np.maximum.at(said, self.known.facts, lengths[self.known.sources])
        return lengths + said

    @cached_property
    def similarity(self) -> NDArray[np.float32]:
        """The cosines of the question's vector and each turn's own."""
        return dots(self.vectors, self.query[np.newaxis])[:, 0]


def _lexical(view: _View) -> NDArray[np.float32]:
    return bm25(view.windowed, view.windowed_lengths, view.idf, view.total, WINDOW_TERMS)


def _vector(view: _View) -> NDArray[np.float32]:
    sums = view.vectors + np.float32(_NEIGHBOUR_VECTOR) * view.around.beside(view.vectors)
    windowed = dots(sums, view.query[np.newaxis])[:, 0] / np.maximum(np.linalg.norm(sums, axis=1), np.float32(1e-6))
    facts, sources = view.known.facts, view.known.sources
    nearest = windowed.copy()
    np.maximum.at(nearest, sources, view.similarity[facts])
    cosines: NDArray[np.float32] = (windowed + np.float32(_FACT_VECTOR) * nearest) / np.float32(1 + _FACT_VECTOR)
    said = np.full(len(windowed), -1, np.float32)
    np.maximum.at(said, facts, windowed[sources])
    cosines[facts] = (windowed[facts] + said[facts]) / 2
    return cosines


def _phrase(view: _View) -> NDArray[np.float32]:
    numbers = view.words.term_numbers(view.question.asked.terms)
    pairs = [(first, second) for first, second in pairwise(numbers) if first >= 0 <= second]
    if not pairs:
        return np.zeros(len(view.turns), np.float32)
    return np.minimum(view.around.windowed(view.terms.followed(pairs)), np.float32(1))


def _speaker(view: _View) -> NDArray[np.float32]:
    return np.array([turn.speaker in view.meant for turn in view.turns], np.float32)


def _answer(view: _View) -> NDArray[np.float32]:
    return view.around.previous(view.asks * bm25(view.counts, view.lengths, view.idf, view.total, TURN_TERMS))


def _date(view: _View) -> NDArray[np.float32]:
    dates = view.question.dates
    named = [date_match(dates, turn.occurred_at) for turn in view.turns] if dates else 0
    return np.maximum(np.array(named, np.float32), view.known.moment)


def _time(view: _View) -> NDArray[np.float32]:
    if not view.question.is_when:
        return np.zeros(len(view.turns), np.float32)
    return np.array([text.tells_time for text in view.texts], np.float32)


#: The arms: what each adds, in 0–1, and how much it counts. `lexical`: shares words with the question; `vector`: means
#: the like; `phrase`: has its words side by side; `speaker`: said by somebody whom the question names; `answer`: the
#: turn before is a question like this one; `date`: said at a time that the question tells; `order`: comes first or
#: last, before or after, as the question asks; `time`: tells a time, where the question asks for one; `asking`: is a
#: question itself; `linked`: an edge leads to it from a hit; `outdated`: says what is no longer so; `surety`,
#: `salience`, `recency`: of facts that are else equal the surer, weightier, newer one. Two more build on their sum:
#: `session` brings a message nearer to the best of its session, `key` lifts a fact whose messages answer.
ARMS: dict[str, Callable[[_View], NDArray[np.float32]]] = {
    "lexical": _lexical,
    "vector": _vector,
    "phrase": _phrase,
    "speaker": _speaker,
    "answer": _answer,
    "date": _date,
    "order": lambda view: view.known.order,
    "time": _time,
    "asking": lambda view: view.asks,
    "linked": lambda view: view.known.linked,
    "outdated": lambda view: view.known.outdated,
    "surety": lambda view: view.known.surety,
    "salience": lambda view: view.known.salience,
    "recency": lambda view: view.known.recency,
}
WEIGHTS: dict[str, float] = {
    "lexical": 0.625,
    "vector": 0.24,
    "phrase": 0.025,
    "speaker": 0.11,
    "answer": 0.225,
    "date": 0.22,
    "order": 0.2,
    "time": 0.0625,
    "asking": -0.025,
    "linked": 0.6,
    "outdated": -0.075,
    "surety": 0.004,
    "salience": 0.002,
    "recency": 0.001,
    "session": 0.09,
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
    words: Lexicon | None = None,
) -> Ranking:
    """Score all turns of the stretches (each: turns that follow each other in one session) of a file of `nodes` nodes.

    `vectors` has shape (turns, dimension), zeros where there is none; `query` is the question's vector, or zeros.
    """
    known = known or Known.nothing(len(vectors))
    view = _View(question, frequencies, nodes, stretches, vectors, query, known, words or lexicon())
    arms = {name: np.float32(weights[name]) * arm(view) for name, arm in ARMS.items()}
    total = np.sum([values for name, values in arms.items() if name not in _BESIDE], axis=0)
    arms["session"] = np.float32(weights["session"]) * _below_best(total, known.sessions)
    total = total + arms["session"]
    arms["key"] = _lifted(total, known)
    return Ranking(np.sum(list(arms.values()), axis=0), arms, _coverage(view), view.similarity)


def _below_best(scores: NDArray[np.float32], sessions: NDArray[np.intp]) -> NDArray[np.float32]:
    """What each message lacks to the best of its session, which so keeps its own score."""
    talk = sessions >= 0
    best = np.full(int(sessions.max(initial=0)) + 1, -np.inf, np.float32)
    np.maximum.at(best, sessions[talk], scores[talk])
    below = np.zeros(len(scores), np.float32)
    below[talk] = best[sessions[talk]] - scores[talk]
    return below


def _lifted(scores: NDArray[np.float32], known: Known) -> NDArray[np.float32]:
    """What each fact lacks to come right before the best of its messages."""
    best = np.zeros(len(scores), np.float32)
    np.maximum.at(best, known.facts, scores[known.sources] + np.float32(_AHEAD) - scores[known.facts])
    return best


def _coverage(view: _View) -> NDArray[np.float32]:
    return np.minimum(view.around.windowed(view.exact), 1) @ view.idf / (view.idf.sum() or np.float32(1))


def _inverse_frequency(documents: int, nodes: int) -> float:
    nodes = max(nodes, _LEAST_NODES)
    return math.log(1 + (max(nodes - documents, 0) + 0.5) / (documents + 0.5))


def _beginning_with(text: Text, character: str) -> int:
    return sum(count for term, count in text.counts.items() if term.startswith(character))
