"""Texts as ranking counts them: words and terms as numbers, remembered, so that a candidate is analysed once."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from mnemolog.projections.analysis import MAX_QUERY_CHARS, folded_words, terms
from mnemolog.projections.questions import TIME_TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

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
    """What a text says: the numbers of its words and terms, in order; whether it asks, and whether it tells a time.

    Texts of equal `said` say the same; it is empty for what says nothing, and for what is too long to tell.
    """

    words: NDArray[np.int64]
    terms: NDArray[np.int64]
    counts: Counter[str]
    asks: bool
    tells_time: bool
    said: frozenset[str]


class Lexicon:
    """The words and terms of the texts that were asked for, numbered, and the newest of the texts."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}
        self._terms: dict[str, int] = {}
        self._texts: dict[str, Text] = {}
        self._names: list[str] = []
        self._lock = threading.Lock()

    def analysed(self, contents: Iterable[str]) -> list[Text]:
        """The texts of some contents, of their first MAX_SCORED_CHARS characters."""
        known = self._texts
        return [known.get(content) or self._text(content) for content in contents]

    def _text(self, content: str) -> Text:
        with self._lock:
            return self._texts.get(content) or self._made(content)

    def _made(self, content: str) -> Text:
        found = terms(content)
        counts = Counter(found)
        spoken = folded_words(content)
        words = [self._number(self._words, word) for word in spoken]
        numbers = [self._number(self._terms, term) for term in found]
        text = Text(
            np.array(words, np.int64),
            np.array(numbers, np.int64),
            counts,
            content.rstrip().endswith(_ASKING),
            not TIME_TERMS.isdisjoint(counts),
            frozenset(spoken) - _FILLERS if len(content) < MAX_QUERY_CHARS else frozenset(),
        )
        self._texts[content] = text
        if len(self._texts) > _MOST_TEXTS:
            del self._texts[next(iter(self._texts))]
        return text

    def _number(self, numbers: dict[str, int], name: str) -> int:
        known = numbers.get(name)
        if known is None:
            known = numbers[name] = len(numbers)
            if numbers is self._words:
                self._names.append(name)
        return known

    def term_numbers(self, names: Sequence[str]) -> list[int]:
        """The numbers of terms; -1 for one that no text has."""
        return [self._terms.get(name, -1) for name in names]

    def word_numbers(self, names: Sequence[str]) -> list[int]:
        """The numbers of words; -1 for one that no text has."""
        return [self._words.get(name, -1) for name in names]

    def word(self, number: int) -> str:
        """The word of a number."""
        return self._names[number]

    @property
    def size(self) -> int:
        """How many words it has."""
        return len(self._names)

    @property
    def is_full(self) -> bool:
        """Whether it has grown so far that another one should begin."""
        return len(self._names) > _MOST_WORDS


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
