"""Packing: which of the lines that could be told are told, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable

from mnemolog.projections.lines.rendering import Told, assemble, head
from mnemolog.projections.lines.tokens import count_tokens
from mnemolog.schema.recalled import BEGIN, END

#: The least budget: below it not even the mark and one line have room.
LEAST_BUDGET = 150
#: The shortest line has an id, a name and a word.
_LEAST_LINE = 10
_MOST_MISSES = 8


def pack(offers: Iterable[Iterable[Told]], now: int, budget: int) -> tuple[Told, ...]:
    """What is told of offers, the worthiest first: each in the first of its ways that there is room for, or not at all.

    An offer has the ways of telling one thing, the fullest first; none is asked for that there is no room for, and no
    further offer once so many in a row found none. The text that `assemble` makes of it has no more tokens than
    `budget`.
    """
    chosen: list[Told] = []
    headings: set[tuple[str, ...]] = set()
    left = budget - _cost(BEGIN, head(now), END)
    misses = 0
    for ways in offers:
        misses += 1
        for way in ways:
            # A day of another year is another heading.
            new = [way.headings[:depth] for depth in range(1, len(way.headings) + 1)]
            cost = _cost(way.text, *(heading[-1] for heading in new if heading not in headings))
            if cost <= left:
                chosen.append(way)
                headings.update(new)
                left -= cost
                misses = 0
                break
        if left < _LEAST_LINE or misses >= _MOST_MISSES:
            break
    # A tokenizer may make more of two lines together than of each alone.
    while chosen and count_tokens(assemble(chosen, now)) > budget:
        chosen.pop()
    return tuple(chosen)


def _cost(*lines: str) -> int:
    return sum(count_tokens(line + "\n") for line in lines)
