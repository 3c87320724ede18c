"""Small histories with their expected intervals, told in every order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.folding import START_MS, Memory, days

from mnemolog.projections.integrity import content_hash
from mnemolog.schema.requests import VerdictGiven

DAY0 = START_MS


class Statement(msgspec.Struct, frozen=True):
    """What is said on a day, and the cell that it makes."""

    day: float
    text: str
    fields: dict[str, Any]


def employer(day: float, name: str, **more: Any) -> Statement:
    return Statement(day, f"I work at {name} now.", {"slot": "employer", "object": name, **more})


class History(msgspec.Struct, frozen=True):
    """Statements in order of time, verdicts by index, and the expected (from, until) in days for each."""

    name: str
    said: tuple[Statement, ...]
    verdicts: dict[tuple[int, int], tuple[str, str]]
    expected: tuple[tuple[float | None, float | None], ...]


SUPERSEDES = ("supersedes", "change")

HISTORIES = [
    History("one fact stays", (employer(0, "Acme"),), {}, ((0, None),)),
    History("a change", (employer(0, "Acme"), employer(7, "Bolt")), {(0, 1): SUPERSEDES}, ((0, 7), (7, None))),
    History(
        "a return makes three intervals",
        (
            Statement(0, "I prefer Python.", {"slot": "preferred_programming_language", "object": "python"}),
            Statement(7, "I'm writing in Rust now.", {"slot": "preferred_programming_language", "object": "rust"}),
            Statement(14, "Back to Python after all.", {"slot": "preferred_programming_language", "object": "python"}),
        ),
        {(0, 1): SUPERSEDES, (1, 2): SUPERSEDES, (0, 2): ("same", "same")},
        ((0, 7), (7, 14), (14, None)),
    ),
    History(
        "a stated past is born closed and ends nothing",
        (
            employer(0, "Acme"),
            Statement(
                1,
                "In 2019 I worked at Initech.",
                {
                    "slot": "employer",
                    "object": "initech",
                    "holds_from": DAY0 - days(2600),
                    "holds_until": DAY0 - days(2235),
                },
            ),
        ),
        {(0, 1): ("compatible", "past")},
        ((0, None), (-2600, -2235)),
    ),
    History(
        "a stated end closes by itself and leaves the residence alone",
        (
            Statement(0, "I live in Berlin these days.", {"slot": "residence", "object": "berlin"}),
            Statement(
                2,
                "I'm in Lisbon this week.",
                {"slot": "location", "object": "lisbon", "holds_from": DAY0, "holds_until": DAY0 + days(7)},
            ),
        ),
        {(0, 1): ("compatible", "other slot")},
        ((0, None), (0, 7)),
    ),
    History(
        "a backdated move starts when it is said to have been",
        (
            Statement(
                0, "I live in Munich.", {"slot": "residence", "object": "munich", "holds_from": DAY0 - days(300)}
            ),
            Statement(
                30,
                "I moved to Berlin last month.",
                {"slot": "residence", "object": "berlin", "holds_from": DAY0 + days(5)},
            ),
        ),
        {(0, 1): SUPERSEDES},
        ((-300, 5), (5, None)),
    ),
    History(
        "the same said again holds on, and the newer is the heir",
        (employer(0, "Acme"), employer(3, "Acme", scene="career")),
        {(0, 1): ("same", "same")},
        ((0, 3), (3, None)),
    ),
    History(
        "a correction takes over the beginning, and the old one was never true",
        (
            employer(0, "Acme"),
            employer(5, "Bolt"),
            Statement(6, "I meant Coil, not Bolt.", {"slot": "employer", "object": "coil", "correction": True}),
        ),
        {(0, 1): SUPERSEDES, (1, 2): ("supersedes", "correction"), (0, 2): SUPERSEDES},
        ((0, 5), (None, None), (5, None)),
    ),
    History(
        "an explicit end closes one of many",
        (
            Statement(0, "I like jazz a lot.", {"slot": "likes", "object": "jazz"}),
            Statement(1, "I like techno too.", {"slot": "likes", "object": "techno"}),
            Statement(9, "I don't like techno anymore.", {"slot": "likes", "object": "techno", "polarity": -1}),
        ),
        {(0, 1): ("compatible", "also"), (1, 2): ("supersedes", "end"), (0, 2): ("compatible", "other object")},
        ((0, None), (1, 9), (9, None)),
    ),
    History(
        "unsure changes nothing",
        (employer(0, "Acme"), employer(1, "Bolt")),
        {(0, 1): ("unsure", "")},
        ((0, None), (1, None)),
    ),
]


def tell(path: Path, history: History, order: tuple[int, ...], verdicts_last: bool) -> tuple[Memory, list[str]]:
    """Imports a history's statements in an order; each pair is judged as soon as both are there, or all at the end."""
    memory = Memory(path)
    memory.now = DAY0 + days(100)
    ids: dict[int, str] = {}
    told: set[tuple[int, int]] = set()
    for index in order:
        said = history.said[index]
        ids[index] = memory.state(said.text, DAY0 + days(said.day), f"s{index}", **said.fields)
        memory.now += days(1)
        if not verdicts_last:
            judge(memory, history, ids, told)
    while memory.due("resolve"):
        judge(memory, history, ids, told)
    return memory, [ids[index] for index in range(len(history.said))]


def judge(memory: Memory, history: History, ids: dict[int, str], told: set[tuple[int, int]]) -> None:
    if not memory.due("resolve"):
        return
    ready = [pair for pair in combinations(sorted(ids), 2) if pair in history.verdicts and pair not in told]
    told.update(ready)
    memory.judge(*((ids[a], ids[b], *history.verdicts[a, b]) for a, b in ready))


def interval(memory: Memory, node_id: str) -> tuple[float | None, float | None]:
    start, end, retracted = memory.get(
        "SELECT valid_from, valid_until, retracted FROM nodes JOIN cells USING (node_id) WHERE node_id = ?", node_id
    )
    if retracted:
        return None, None
    return (start - DAY0) / days(1), None if end is None else (end - DAY0) / days(1)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
def test_a_history_has_its_intervals_in_every_order(history: History, tmp_path: Path) -> None:
    hashes = set()
    for number, order in enumerate(permutations(range(len(history.said)))):
        for verdicts_last in (False, True):
            memory, ids = tell(tmp_path / f"{number}{verdicts_last}.db", history, order, verdicts_last)
            assert tuple(interval(memory, node_id) for node_id in ids) == history.expected, order
            hashes.add(content_hash(memory.connection))
    assert len(hashes) == 1


def _retired(memory: Memory) -> Callable[[str], Any]:
    return lambda node_id: memory.get("SELECT heir FROM cells WHERE node_id = ?", node_id)


def test_a_persons_verdict_restores_what_was_superseded(tmp_path: Path) -> None:
    from_history = HISTORIES[1]
    memory, (older, newer) = tell(tmp_path / "a.db", from_history, (0, 1), False)
    assert _retired(memory)(older) == newer

    memory.add(VerdictGiven(first=older, second=newer, ruling="compatible"))
    assert interval(memory, older) == (0, None)
    assert memory.rows("SELECT * FROM edges WHERE kind = 'supersedes'") == []
