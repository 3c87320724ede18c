"""Likeness: whether a text repeats another one, told by runs of words that both have, or by words that are its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from mnemolog.projections.indexes.analysis import is_stop_word

#: So many words in a row are no chance; of writing without spaces, so many characters.
WORDS = 4
CHARACTERS = 8

#: Of writing without spaces, so many characters stand for a word.
UNSPACED = 3

_WORD = re.compile(r"\w+")
_SINGLE = re.compile(r"[^\W_]{2,}")
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_CONTROLS = re.compile(r"\\[bfnrt]")
Phrase = tuple[str, ...]


def phrases(text: str) -> set[Phrase]:
    """The runs of words of a text; a shorter text is one run."""
    words: list[str] = _WORD.findall(text.casefold())
    found = {tuple(words[start : start + WORDS]) for start in range(max(1, len(words) - WORDS + 1))} if words else set()
    for word in words:
        if len(word) > 2 * CHARACTERS:
            found |= {(word[start : start + CHARACTERS],) for start in range(len(word) - CHARACTERS + 1)}
    return found


def phrases_of(texts: Iterable[str]) -> set[Phrase]:
    """The runs of words of many texts."""
    return set().union(*map(phrases, texts))


def words(text: str) -> set[str]:
    """The words of a text that say something, casefolded; of writing without spaces, runs of characters."""
    found: set[str] = set()
    for word in _SINGLE.findall(_unescaped(text).casefold()):
        if _SPACELESS.search(word):
            found |= {word[start : start + UNSPACED] for start in range(max(1, len(word) - UNSPACED + 1))}
        elif not is_stop_word(word):
            found.add(word)
    return found


def _unescaped(text: str) -> str:
    """What a text says that may hold JSON, as replies do."""
    if "\\" not in text:
        return text
    return _ESCAPES.sub(lambda run: str(json.loads(f'"{run[0]}"')), _CONTROLS.sub(" ", text))
