"""Patterns: the regular expressions of English statements, read from `data/patterns_en.txt`."""

from __future__ import annotations

import re
from functools import cache

from mnemolog.workers.rules import lexicon

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


def _flags(letters: str) -> re.RegexFlag:
    flags = re.NOFLAG
    for letter in letters.removeprefix("-"):
        flags |= _FLAGS[letter]
    return flags


@cache
def _table() -> dict[str, tuple[re.Pattern[str], ...]]:
    """The patterns by name, in the order of the file; parts in angle brackets are put in."""
    parts: dict[str, str] = {}
    found: dict[str, tuple[re.Pattern[str], ...]] = {}
    for line in lexicon.lines("patterns_en.txt"):
        name, flags, pattern = line.split(" :: ", 2)
        for part, meaning in parts.items():
            pattern = pattern.replace(f"<{part}>", meaning)
        if name == "define":
            parts[flags] = pattern
        else:
            found[name] = (*found.get(name, ()), re.compile(pattern, _flags(flags)))
    return found


def one(name: str) -> re.Pattern[str]:
    """The only pattern of a name."""
    (pattern,) = _table()[name]
    return pattern


def several(name: str) -> tuple[re.Pattern[str], ...]:
    """All patterns of a name, in the order in which they are tried."""
    return _table()[name]


def family(prefix: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(the rest of the name, pattern) for every pattern whose name begins with `prefix`."""
    rows = ((name.removeprefix(prefix), many) for name, many in _table().items() if name.startswith(prefix))
    return tuple((name, pattern) for name, many in rows for pattern in many)
