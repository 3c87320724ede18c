"""Texts as ranking counts them: words and terms as numbers, remembered, so that a candidate is analysed once."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from itertools import count, islice
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from mnemolog.projections.indexes.analysis import MAX_QUERY_CHARS, folded_words, terms
from mnemolog.projections.search.questions import TIME_TERMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

_T = TypeVar("_T")

_MOST_TEXTS = 10_000
#: A lexicon that has grown to so many words begins anew (40 MB of vectors).
_MOST_WORDS = 40_000
# Negations, tenses, numbers and names are no fillers: what differs in them does not say the same.
_SAYING_NOTHING = (
    "a an the oh ah hey hi hello well so ok okay yes yeah yep really just very actually also too and by way please"
    " ja nein ach halt eben wirklich sehr der die das ein eine si bueno pues muy el la un una"
)
_FILLERS = frozenset(_SAYING_NOTHING.split())
_ASKING = ("?", "？", "؟")


class Text(msgspec.Struct, frozen=True):
    """The numbers of a text's terms, in order, and how often each stands in it; whether it asks, or tells a time."""

    terms: NDArray[np.int64]
    counts: Counter[str]
    asks: bool
    tells_time: bool


class Spoken(msgspec.Struct, frozen=True):
    """The numbers of a text's words, in order.

    Texts of equal `said` say the same; it is empty for what says nothing, and for what is too long to tell.
    """

    words: NDArray[np.int64]
    said: frozenset[str]


class Lexicon:
    """The words and terms of the texts that were asked for, numbered, and the newest of the texts."""

    def __init__(self) -> None:
        self._words = _numbers()
        self._terms = _numbers()
        self._names: list[str] = []
        self._texts: dict[str, Text] = {}
        self._spoken: dict[str, Spoken] = {}
        self._lock = threading.Lock()

    def analysed(self, contents: Iterable[str]) -> list[Text]:
        """The terms of some texts, of their first MAX_SCORED_CHARS characters."""
        known = self._texts
        return [known.get(content) or self._kept(known, content, self._text) for content in contents]

    def spoken(self, contents: Iterable[str]) -> list[Spoken]:
        """The words of some texts, of their first MAX_QUERY_CHARS characters."""
        known = self._spoken
        return [known.get(content) or self._kept(known, content, self._speech) for content in contents]

    def _kept(self, known: dict[str, _T], content: str, make: Callable[[str], _T]) -> _T:
        with self._lock:
            made = known[content] = make(content)
            if len(known) > _MOST_TEXTS:
                del known[next(iter(known))]
            return made

    def _text(self, content: str) -> Text:
        found = terms(content)
        counts = Counter(found)
        numbers = np.array([self._terms[term] for term in found], np.int64)
        return Text(numbers, counts, content.rstrip().endswith(_ASKING), not TIME_TERMS.isdisjoint(counts))

    def _speech(self, content: str) -> Spoken:
        found = folded_words(content)
        numbers = np.array([self._words[word] for word in found], np.int64)
        return Spoken(numbers, frozenset(found) - _FILLERS if len(content) < MAX_QUERY_CHARS else frozenset())

    def term_numbers(self, names: Sequence[str]) -> list[int]:
        """The numbers of terms; -1 for one that no text has."""
        return [self._terms.get(name, -1) for name in names]

    def word_numbers(self, names: Sequence[str]) -> list[int]:
        """The numbers of words; -1 for one that no text has."""
        return [self._words.get(name, -1) for name in names]

    def word(self, number: int) -> str:
        """The word of a number."""
        if number >= len(self._names):
            with self._lock:
                self._names += islice(self._words, len(self._names), None)
        return self._names[number]

    @property
    def is_full(self) -> bool:
        """Whether it has grown so far that another one should begin."""
        return max(len(self._words), len(self._terms)) > _MOST_WORDS


def _numbers() -> defaultdict[str, int]:
    """Numbers from 0 on, in the order in which they are asked for."""
    return defaultdict(count().__next__)


class Joined(msgspec.Struct, frozen=True):
    """The words or terms of several texts one after the other: their numbers, and which text each stands in."""

    numbers: NDArray[np.int64]
    rows: NDArray[np.intp]
    texts: int

    @classmethod
    def of(cls, parts: Sequence[NDArray[np.int64]]) -> Joined:
        """The numbers of some texts."""
        lengths = [len(part) for part in parts]
        numbers = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        return cls(numbers, np.repeat(np.arange(len(parts)), lengths), len(parts))

    def weighted(self, weights: dict[int, NDArray[np.float32]], columns: int) -> NDArray[np.float32]:
        """For each text the sum of the weights of its numbers, a row each, shape (texts, columns)."""
        found = np.zeros((self.texts, columns), np.float32)
        table = np.full(int(self.numbers.max(initial=0)) + 1, -1, np.intp)
        kept = [(number, row) for number, row in weights.items() if 0 <= number < len(table)]
        if not kept:
            return found
        table[[number for number, _ in kept]] = np.arange(len(kept))
        place = table[self.numbers]
        hits = place >= 0
        np.add.at(found, self.rows[hits], np.stack([row for _, row in kept])[place[hits]])
        return found

    def followed(self, pairs: Iterable[tuple[int, int]]) -> NDArray[np.float32]:
        """For each text how often one of the pairs of numbers stands in it side by side."""
        found = np.zeros(self.texts, np.float32)
        for first, second in pairs:
            hits = (self.numbers[:-1] == first) & (self.numbers[1:] == second) & (self.rows[:-1] == self.rows[1:])
            np.add.at(found, self.rows[:-1][hits], np.float32(1))
        return found


_lexicon = Lexicon()


def lexicon() -> Lexicon:
    """The process's lexicon; another one, empty, once it is full. Who counts with numbers keeps to one."""
    global _lexicon  # noqa: PLW0603 (a cache that begins anew)
    if _lexicon.is_full:
        _lexicon = Lexicon()
    return _lexicon
