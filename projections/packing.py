"""Packing: which of the lines that could be told are told, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mnemolog.projections.rendering import Told, assemble, head
from mnemolog.projections.tokens import count_tokens
from mnemolog.schema.recalled import BEGIN, END

#: The least budget: below it not even the mark and one line have room.
LEAST_BUDGET = 150


class Offer(msgspec.Struct, frozen=True):
    """What could be told of one thing: its ways of telling, the fullest first."""

    ways: tuple[Told, ...]


def pack(offers: Iterable[Offer], now: int, budget: int) -> tuple[Told, ...]:
    """What is told of offers, the worthiest first: each in the fullest way that there is room for, or not at all.

    The text that `assemble` makes of it has no more tokens than `budget`.
    """
    chosen: list[Told] = []
    headings: set[tuple[str, ...]] = set()
    left = budget - _cost(BEGIN, head(now), END)
    for offer in offers:
        for way in offer.ways:
            # A day of another year is another heading.
            new = [way.headings[:depth] for depth in range(1, len(way.headings) + 1)]
            cost = _cost(way.text, *(heading[-1] for heading in new if heading not in headings))
            if cost <= left:
                chosen.append(way)
                headings.update(new)
                left -= cost
                break
    # A tokenizer may make more of two lines together than of each alone.
    while chosen and count_tokens(assemble(chosen, now)) > budget:
        chosen.pop()
    return tuple(chosen)


def _cost(*lines: str) -> int:
    return sum(count_tokens(line + "\n") for line in lines)
