"""Rounds: which of many spaces has a turn when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mnemolog.workers.writer import rounds
from mnemolog.workers.writer.rounds import LINGER_S, QUIET_PER_S, Rounds


class Kept:
    def close(self) -> None:
        """Holds nothing."""


class Turns(Rounds[Kept]):
    """Counts the turns of each space; `_more` are those that always have more to do."""

    caught = ()
    _retry_s = 1.0

    def __init__(self, count: int) -> None:
        super().__init__("turns")
        self.taken: list[str] = []
        self.more: set[str] = set()
        for number in range(count):
            self.add(SimpleNamespace(space=f"s{number}"))  # type: ignore[arg-type]

    def _open(self, writer: Any) -> Kept:
        return Kept()

    def _take_turn(self, space: str, kept: Kept, *, idle: bool) -> bool:
        self.taken.append(space)
        return space in self.more

    def _pauses(self, *, more: bool) -> tuple[float, float]:
        return 0.0, 0.0

    def go(self) -> list[str]:
        """The spaces that have a turn in one round."""
        self.taken.clear()
        self._round(idle=False)
        return list(self.taken)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rounds.time, "monotonic", clock)
    return clock


def test_a_few_spaces_have_a_turn_in_every_round(clock: Clock) -> None:
    turns = Turns(3)
    clock.now += LINGER_S
    for _ in range(3):
        clock.now += 0.05  # no round is sooner
        assert turns.go() == ["s0", "s1", "s2"]


def test_of_many_those_in_which_something_was_folded_do_not_wait_for_the_quiet_ones(clock: Clock) -> None:
    turns = Turns(1000)
    assert len(turns.go()) == 1000
    clock.now += LINGER_S
    assert len(turns.go()) == 1000
    clock.now += 0.5
    turns.wake("s7")
    assert turns.go() == ["s7"]
    clock.now += 0.5
    assert turns.go() == ["s7"]


def test_every_quiet_space_has_its_turn(clock: Clock) -> None:
    turns = Turns(1000)
    clock.now += LINGER_S
    turns.go()
    clock.now += 1000 / QUIET_PER_S - 0.1
    assert turns.go() == []
    clock.now += 0.2
    assert len(turns.go()) == 1000


def test_a_space_with_more_to_do_goes_on_in_the_next_round(clock: Clock) -> None:
    turns = Turns(1000)
    turns.more = {"s3"}
    clock.now += LINGER_S
    turns.go()
    clock.now += 0.1
    assert turns.go() == ["s3"]
