"""What changed is told as a chain in one line, and plans with what became of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.folding import START_MS, Memory, Words, days

from mnemolog.projections.context import LEAST_BUDGET, Context, context
from mnemolog.projections.facts import fact
from mnemolog.projections.lines.changes_told import before
from mnemolog.schema.requests import FactsForgotten

LANGUAGE = {"slot": "preferred_programming_language", "scene": "programming"}


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(tmp_path / "a.db")
    found.now = START_MS + days(60)
    return found


def state(memory: Memory, day: float, text: str, **fields: Any) -> str:
    return memory.state(text, START_MS + days(day), f"s{day}", **fields)


def ask(memory: Memory, query: str, day: float = 61, **more: Any) -> Context:
    return context(memory.connection, query, embedder=Words(), now=START_MS + days(day), **more)


def told(found: Context) -> list[str]:
    """The lines of facts, without their ids."""
    lines = found.text.split("Facts:\n")[1].split("\nSaid in")[0].splitlines()
    return [re.sub(r"^\[\w+\] ", "", line) for line in lines if line.startswith("[")]


def languages(memory: Memory, *names: str) -> list[str]:
    ids: list[str] = []
    for week, name in enumerate(names):
        ids.append(state(memory, 7 * week, f"Ada codes in {name} now.", object=name.casefold(), **LANGUAGE))
        if week:
            memory.judge((ids[-2], ids[-1], "supersedes", "changed"))
    return ids


def test_a_return_is_told_as_three_times_in_one_line(memory: Memory) -> None:
    languages(memory, "Python", "Rust", "Python")
    (line,) = told(ask(memory, "What does Ada code in?"))
    assert line == (
        "Ada codes in Python now. (Ada, since 23 March 2026; before that Rust, since 16 March 2026; "
        "before that Python, since 9 March 2026)"
    )


def test_a_history_that_has_no_room_is_told_by_its_newest_part(memory: Memory) -> None:
    ids = languages(memory, "Ada", "Basic", "Cobol", "Dart", "Elm", "Forth", "Go", "Haskell")
    whole = ask(memory, "What does Ada code in?", budget=1_000)
    assert whole.text.count("before that") == len(ids) - 1
    short = ask(memory, "What does Ada code in?", budget=LEAST_BUDGET)
    assert short.facts == (ids[-1],)
    assert short.text.count("before that") == 1
    assert "before that Go, since 20 April 2026" in short.text


def test_where_another_sentence_was_true_before_the_whole_of_it_is_told(memory: Memory) -> None:
    old = state(memory, 0, "Ada likes techno.", slot="likes", object="techno")
    new = state(memory, 7, "Ada does not like techno anymore.", slot="likes", object="techno", polarity=-1)
    memory.judge((old, new, "supersedes", "opposed"))
    assert told(ask(memory, "techno")) == [
        "Ada does not like techno anymore. (Ada, since 16 March 2026; before that Ada likes techno, since 9 March 2026)"
    ]


def test_what_ended_before_the_next_began_is_told_with_its_end(memory: Memory) -> None:
    until = START_MS + days(3)
    old = state(memory, 0, "Ada codes in Go.", object="go", holds_until=until, **LANGUAGE)
    new = state(memory, 7, "Ada codes in Rust.", object="rust", **LANGUAGE)
    memory.judge((old, new, "supersedes", "changed"))
    assert "before that Go, since 9 March 2026 until 11 March 2026)" in ask(memory, "codes").text


def test_a_fact_that_was_repeated_holds_since_its_beginning(memory: Memory) -> None:
    old = state(memory, 0, "Ada plays the violin.")
    new = state(memory, 7, "Ada still plays the violin.")
    memory.judge((old, new, "same", "repeated"))
    assert told(ask(memory, "violin")) == ["Ada still plays the violin. (since 9 March 2026; Ada, 16 March 2026)"]


@pytest.mark.parametrize(
    ("said", "polarity", "kind", "became"),
    [
        ("Invoice sent.", 1, "fulfilled", "done"),
        ("Ada cancelled the invoice.", -1, "fulfilled", "cancelled"),
        ("Ada called the invoice off.", 1, "cancelled", "cancelled"),
    ],
)
def test_a_task_that_was_closed_is_told_with_what_became_of_it(
    memory: Memory, said: str, polarity: int, kind: str, became: str
) -> None:
    due = START_MS + days(5) - 1
    task = state(memory, 0, "Ada has to send the invoice.", cell_type="task", slot="task", object="invoice", due=due)
    done = state(memory, 3, said, slot="task", object="invoice", polarity=polarity)
    memory.judge((task, done, "supersedes", kind))
    (line,) = told(ask(memory, "invoice"))
    assert line == (
        f"{said} (Ada, since 12 March 2026; {became} 12 March 2026: Ada has to send the invoice, said 9 March 2026, "
        "due 13 March 2026)"
    )


@pytest.mark.parametrize(("day", "note"), [(1, "due 13 March 2026"), (8, "planned for 13 March 2026, outcome unknown")])
def test_a_plan_is_told_with_its_date_and_after_it_that_nobody_knows(memory: Memory, day: int, note: str) -> None:
    state(memory, 0, "Ada flies to Rome.", cell_type="plan", modality="planned", due=START_MS + days(5) - 1)
    memory.now = START_MS + days(day)
    assert told(ask(memory, "Rome", day=day)) == [f"Ada flies to Rome. (Ada, 9 March 2026; {note})"]


def test_what_was_forgotten_is_no_part_of_a_history(memory: Memory) -> None:
    _, second, third = languages(memory, "Python", "Rust", "Go")
    memory.add(FactsForgotten(node_ids=(second,)))
    found = fact(memory.connection, third, memory.now)
    assert found is not None
    assert second not in {one.node_id for one in before(memory.connection, found, memory.now)}
    assert "Rust" not in ask(memory, "What does Ada code in?").text


def test_only_what_had_changed_by_then_is_told_of_the_past(memory: Memory) -> None:
    _, second, _ = languages(memory, "Python", "Rust", "Go")
    found = ask(memory, "What does Ada code in?", day=10)
    assert found.facts == (second,)
    assert "before that Python, since 9 March 2026)" in found.text
    assert "Go" not in "".join(told(found))
