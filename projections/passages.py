"""Passages: the stretch of a long text that has most of a question's words in it."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

import msgspec

#: Further than this a text is not looked through.
_LOOKED_THROUGH = 100_000
#: So much of a word is looked for that its other forms are found.
_ENDING_CHARS, _LEAST_STEM_CHARS = 3, 4
# A full stop ends a sentence where a space follows it; those of unspaced scripts do without.
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)]*\s+|[。！？]+|\n+")
_WORD = re.compile(r"[^\W_]")
# Thai to Burmese, Khmer, Hangul, kana, ideographs: between two of these there is no space to cut at.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


class Passage(msgspec.Struct, frozen=True):
    """The characters of a text from `start` up to `end`."""

    start: int
    end: int


def passage(text: str, words: tuple[str, ...], most_chars: int) -> Passage:
    """The passage of at most so many characters that has most of the words, at best whole sentences.

    It is all of a text that is no longer. No word is cut in two, nor a letter from its marks, unless it is longer than
    the passage.
    """
    if len(text) <= most_chars:
        return Passage(0, len(text))
    first, last = _densest(_places(text, words), most_chars)
    start = _start(text, first, last, most_chars)
    return Passage(start, _end(text, start, last, most_chars))


def _places(text: str, words: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """(start, end, stem) of each place where the beginning of a word stands."""
    stems = {
        word if not word.isascii() else word[: max(_LEAST_STEM_CHARS, len(word) - _ENDING_CHARS)] for word in words
    }
    looked = text[:_LOOKED_THROUGH]
    found = [
        (match.start(), match.end(), stem)
        for stem in stems
        for match in re.finditer(rf"\b{re.escape(stem)}" if stem.isascii() else re.escape(stem), looked, re.IGNORECASE)
    ]
    return sorted(found)


def _densest(places: list[tuple[int, int, str]], most_chars: int) -> tuple[int, int]:
    """Where the words begin and end that stand together, most of them different ones; the first such place."""
    ends = [start for start, _, _ in places]
    best, found = 0, (0, 0)
    for number, (start, end, _) in enumerate(places):
        within = places[number : max(number + 1, bisect_right(ends, start + most_chars // 2))]
        different = len({stem for _, _, stem in within})
        if different > best:
            best, found = different, (start, max(end, within[-1][1]))
    return found


def _start(text: str, first: int, last: int, most_chars: int) -> int:
    """The beginning of a sentence, or of a word, that leaves room for what follows."""
    earliest = max(0, min(first, last - most_chars + most_chars // 4))
    if earliest == 0:
        return 0
    sentences = [match.end() for match in _SENTENCE.finditer(text, earliest, first + 1) if match.end() <= first]
    if sentences:
        return sentences[0]
    found = earliest
    while found < first and not _may_cut(text, found):
        found += 1
    return found


def _end(text: str, start: int, last: int, most_chars: int) -> int:
    """The end of a sentence, or of a word, behind the last of what was looked for."""
    latest = min(len(text), start + most_chars)
    if latest == len(text):
        return latest
    sentences = [match.end() for match in _SENTENCE.finditer(text, max(start, last), latest)]
    if sentences and sentences[-1] > start + most_chars // 2:
        return sentences[-1]
    found = latest
    while found > start and not _may_cut(text, found):
        found -= 1
    return found if found > start else latest


def _may_cut(text: str, place: int) -> bool:
    """Whether a text may be cut before a character: not within a word, nor before a mark or behind a joiner."""
    before, behind = text[place - 1], text[place]
    if (
        unicodedata.combining(behind)
        or unicodedata.category(behind) in {"Mn", "Mc", "Me", "Cf", "Sk"}
        or before == "\u200d"
    ):
        return False
    if _UNSPACED.match(before) and _UNSPACED.match(behind):
        return True
    return not (_WORD.match(before) and _WORD.match(behind))
