"""Passages: the stretch of a long text that says most about a question, at best in whole sentences."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

import msgspec

from mnemolog.projections.indexes.analysis import is_stop_word, terms

#: Further than this a text is not looked through.
_LOOKED_THROUGH = 20_000
#: What a term that is not asked for adds: of two stretches that answer alike, the one that says more is told.
_SAID = 0.02
# A full stop ends a sentence where a space follows it; those of unspaced scripts do without.
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)]*\s+|[。！？]+|\n+|\s(?=\[)")
_WORD = re.compile(r"[^\W_]")
# Thai to Burmese, Khmer, kana, ideographs: between two of these there is no space to cut at.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_MARKS = frozenset({"Mn", "Mc", "Me", "Cf", "Sk"})
_JOINER = "\u200d"


class Passage(msgspec.Struct, frozen=True):
    """The characters of a text from `start` up to `end`."""

    start: int
    end: int


def passage(text: str, wanted: Mapping[str, float], most_chars: int) -> Passage:
    """The passage of at most so many characters with most of what is wanted: index terms and their weights.

    It is all of a text that is no longer. No word is cut in two, nor a letter from its marks, unless that is longer.
    """
    if len(text) <= most_chars:
        return Passage(0, len(text))
    units = [unit for sentence in _sentences(text[:_LOOKED_THROUGH]) for unit in _pieces(text, sentence, most_chars)]
    said = [set(terms(text[unit.start : unit.end])) for unit in units]
    best, found = -1.0, units[0]
    for first, unit in enumerate(units):
        together: set[str] = set()
        for last in range(first, len(units)):
            if units[last].end - unit.start > most_chars:
                break
            together |= said[last]
            worth = _worth(together, wanted)
            if worth > best:
                best, found = worth, Passage(unit.start, units[last].end)
    return found


def _worth(said: set[str], wanted: Mapping[str, float]) -> float:
    asked = sum(weight for term, weight in wanted.items() if term in said)
    return asked + _SAID * sum(term not in wanted and not is_stop_word(term) for term in said)


def _sentences(text: str) -> Iterator[Passage]:
    start = 0
    for match in _SENTENCE.finditer(text):
        yield Passage(start, match.end())
        start = match.end()
    if start < len(text):
        yield Passage(start, len(text))


def _pieces(text: str, sentence: Passage, most_chars: int) -> Iterator[Passage]:
    """The sentence, or pieces of one that is too long."""
    start = sentence.start
    while sentence.end - start > most_chars:
        end = start + most_chars
        while end > start and not _may_cut(text, end):
            end -= 1
        end = end if end > start else start + most_chars
        yield Passage(start, end)
        start = end
    yield Passage(start, sentence.end)


def _may_cut(text: str, place: int) -> bool:
    """Whether a text may be cut before a character: not within a word, nor before a mark or behind a joiner."""
    before, behind = text[place - 1], text[place]
    if unicodedata.category(behind) in _MARKS or before == _JOINER:
        return False
    if _UNSPACED.match(before) and _UNSPACED.match(behind):
        return True
    return not (_WORD.match(before) and _WORD.match(behind))
