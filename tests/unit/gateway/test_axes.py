"""The options of time: which time an answer is to hold at, and what the recall log keeps of them."""

from __future__ import annotations

import click
import pytest

from mnemolog.gateway.cli.axes import Moment
from mnemolog.gateway.memory import axes
from mnemolog.gateway.memory.axes import Axes
from mnemolog.gateway.memory.scope import scope_of
from mnemolog.schema.ids import Position
from mnemolog.schema.times import parse

NOW = parse("2026-11-21T00:00:00Z")
THEN = parse("2026-03-09T00:00:00Z")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes, "now_ms", lambda: NOW)


@pytest.mark.parametrize(
    ("asked", "at", "is_past"),
    [
        (Axes(), NOW, False),
        (Axes(now=THEN), THEN, False),
        (Axes(as_of=THEN), THEN, True),
        (Axes(as_of=THEN, now=NOW), THEN, True),
        (Axes(known_at=THEN), THEN, True),
        (Axes(known_at=Position(THEN, 3)), THEN, True),
        (Axes(known_at=NOW + 5), NOW, True),
        (Axes(known_at=NOW, as_of=THEN), THEN, True),
    ],
)
def test_an_answer_holds_at_the_time_asked_about(asked: Axes, at: int, is_past: bool) -> None:
    assert (asked.at, asked.is_past) == (at, is_past)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-09T01:00:00+01:00", THEN),
        (str(THEN), THEN),
        (f"{THEN}-7", Position(THEN, 7)),
        (f" {THEN}-7 ", Position(THEN, 7)),
    ],
)
def test_a_moment_is_a_time_or_a_position(text: str, moment: int | Position) -> None:
    assert Moment().convert(text, None, None) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-03-09T00:00:00", "1-2-3", "-5-0", ""])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Moment().convert(text, None, None)


def test_the_recall_log_keeps_the_options_that_were_given() -> None:
    assert scope_of({}).told == {}
    given = scope_of({"as_of": THEN, "known_at": f"{NOW}-1", "after": THEN, "speakers": ["Ada"], "asker": "Ben"})
    assert given.told == {
        "as_of": "2026-03-09T00:00:00Z",
        "known_at": f"{NOW}-1",
        "after": "2026-03-09T00:00:00Z",
        "speakers": ("Ada",),
        "asker": "Ben",
    }
