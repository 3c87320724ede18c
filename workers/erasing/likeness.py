"""Likeness: whether a text repeats another one, told by runs of words that both have."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: So many words in a row are no chance; of writing without spaces, so many characters.
WORDS = 4
CHARACTERS = 8

_WORD = re.compile(r"\w+")
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
