"""Corrections: what was never true stays so, in all that said it, whenever the right thing began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.folding import START_MS, Memory, cell, days

from mnemolog.schema.outcomes import ExtractedCell
from mnemolog.schema.requests import FactCorrected, FactsForgotten, VerdictGiven


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(tmp_path / "a.db")
    found.now = START_MS + days(30)
    return found


def employer(memory: Memory, day: float, name: str, **fields: Any) -> str:
    text = f"I work at {name} on day {day}."
    return memory.state(text, START_MS + days(day), f"s{day}", slot="employer", object=name.casefold(), **fields)


def correct(memory: Memory, node_id: str, name: str, **fields: Any) -> str:
    memory.now += days(1)
    text = f"I work at {name}."
    stated = cell(
        text, f"c-{name}", slot="employer", object=name.casefold(), basis="requested", correction=True, **fields
    )
    memory.add(
        FactCorrected(text=text, speaker="Ada", node_id=node_id, cells=(ExtractedCell(cell=stated),)), f"c-{name}"
    )
    return str(memory.get("SELECT node_id FROM cells WHERE object = ?", name.casefold()))


def standing(memory: Memory, node_id: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = memory.get(
        "SELECT valid_from, heir, retracted FROM nodes JOIN cells USING (node_id) WHERE node_id = ?", node_id
    )
    return row


def test_a_correction_of_a_correction_does_not_revive_what_was_wrong_first(memory: Memory) -> None:
    first = employer(memory, 0, "Acme")
    second = correct(memory, first, "Bolt")
    third = correct(memory, second, "Coil")
    assert [standing(memory, node_id)[2] for node_id in (first, second, third)] == ["corrected", "corrected", None]
    assert standing(memory, third)[0] == START_MS


def test_a_correction_covers_all_that_said_the_same(memory: Memory) -> None:
    older = employer(memory, 0, "Acme")
    newer = employer(memory, 5, "Acme")
    memory.judge((older, newer, "same", "repeated"))
    right = correct(memory, newer, "Bolt")
    assert [standing(memory, node_id)[2] for node_id in (older, newer)] == ["corrected", "corrected"]
    assert standing(memory, right)[0] == START_MS


@pytest.mark.parametrize("began", [-100, 0, 40], ids=["before", "at the same time", "later"])
def test_what_corrects_is_right_whenever_it_began(memory: Memory, began: int) -> None:
    wrong = employer(memory, 0, "Acme")
    right = correct(memory, wrong, "Bolt", holds_from=START_MS + days(began))
    assert standing(memory, wrong)[2] == "corrected"
    assert standing(memory, right) == (START_MS + days(min(began, 0)), None, None)


def test_a_fact_dated_ahead_of_its_correction_is_corrected_too(memory: Memory) -> None:
    wrong = employer(memory, 290, "Acme")
    right = correct(memory, wrong, "Bolt")
    assert (standing(memory, wrong)[2], standing(memory, right)[2]) == ("corrected", None)


def test_a_correction_is_undone_by_a_verdict(memory: Memory) -> None:
    wrong = employer(memory, 0, "Acme")
    right = correct(memory, wrong, "Bolt")
    memory.add(VerdictGiven(first=wrong, second=right, ruling="compatible"))
    assert standing(memory, wrong) == (START_MS, None, None)
    assert standing(memory, right)[0] > START_MS


def test_what_was_forgotten_closes_nothing_any_more_once_it_is_known_never_to_have_been_true(memory: Memory) -> None:
    before = employer(memory, 0, "Acme")
    wrong = employer(memory, 5, "Bolt")
    memory.judge((before, wrong, "supersedes", "changed"))
    memory.add(FactsForgotten(node_ids=(wrong,)))
    assert standing(memory, before) == (START_MS, wrong, None)
    correct(memory, wrong, "Coil")
    assert standing(memory, wrong)[2] == "forgotten"
    assert standing(memory, before) == (START_MS, None, None)
