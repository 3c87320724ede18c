"""Near-duplicates among ranked nodes: what says the same is told once. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: A message says what a fact that was taken from it says, from this cosine of theirs on.
SAME_COSINE = 0.5
_Key = tuple[str | None, frozenset[str]]


class Group(msgspec.Struct, frozen=True):
    """A row that is told, the best place that it or its likes have, and the rows that say the same."""

    row: int
    place: int
    same: tuple[int, ...]


def grouped(
    order: Sequence[int],
    said: Mapping[int, _Key],
    sources: Mapping[int, Sequence[int]],
    is_same: Callable[[int, int], bool],
    preferred: Callable[[int], float],
) -> Iterator[Group]:
    """Those of ranked rows (best first) that say something else than the ones before, with their likes.

    Rows for which `said` holds the same (a speaker and words) are alike, unless there are no words; so is a message
    with a fact taken from it where `is_same` says so of them. `sources` holds the rows of the messages of every fact.
    Of facts that are alike the one is told that is `preferred` most.
    """
    alike = _alike(said)
    taken: set[int] = set()
    for row in order:
        if row in taken:
            continue
        likes = alike.get(row, [row])
        head = max(likes, key=preferred) if row in sources else row
        cited = [message for one in likes for message in sources.get(one, ()) if is_same(one, message)]
        same = dict.fromkeys(one for one in (*likes, *cited) if one != head and one not in taken)
        taken |= {head, *same}
        yield Group(head, row, tuple(same))


def _alike(said: Mapping[int, _Key]) -> dict[int, list[int]]:
    """Of each row that is not alone in what it says the rows that say the same, itself included, in their order."""
    groups: defaultdict[_Key, list[int]] = defaultdict(list)
    for row, key in said.items():
        if key[1]:
            groups[key].append(row)
    return {row: rows for rows in groups.values() if len(rows) > 1 for row in rows}
