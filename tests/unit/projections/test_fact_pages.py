"""Pages of facts: each once, the newest first, of any time and standing."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from support.folding import START_MS, Memory, days

from mnemolog.projections.fact_pages import FactPage, fact_page
from mnemolog.projections.facts import facts
from mnemolog.schema.errors import InvalidInput


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def learn(memory: Memory, content: str, day: float, **fields) -> str:
    memory.now = START_MS + days(day)
    return memory.state(content, memory.now, f"s{day}", **fields)


def told(page: FactPage) -> list[str]:
    return [one.content for one in page.facts]


def pages(memory: Memory, at: int, **options) -> list[list[str]]:
    found, after = [], None
    while True:
        page = fact_page(memory.connection, at, after=after, **options)
        found.append(told(page))
        if (after := page.after) is None:
            return found


def test_pages_hold_each_fact_once_the_newest_first(memory: Memory) -> None:
    said = [f"Ada has book {number}." for number in range(7)]
    for number, content in enumerate(said):
        learn(memory, content, number // 2)
    found = pages(memory, memory.now, limit=3)
    assert sorted(chain.from_iterable(found)) == said
    assert [len(page) for page in found] == [3, 3, 1]
    assert found[0][0] == said[-1]


@pytest.mark.parametrize("day", [0.5, 5, 10, 11, 30, 70, 400])
def test_pages_tell_what_is_live_and_what_is_not_at_any_time(memory: Memory, day: float) -> None:
    older = learn(memory, "Ada writes Python.", 0, slot="language")
    newer = learn(memory, "Ada writes Rust.", 10, slot="language")
    memory.judge((older, newer, "supersedes"))
    learn(memory, "Ada will write a paper.", 12, cell_type="task")
    at = START_MS + days(day)
    live = {one.node_id for one in facts(memory.connection, at)}
    every = {one.node_id for one in facts(memory.connection, at, everything=True)}
    assert {one.node_id for one in fact_page(memory.connection, at).facts} == live
    assert {one.node_id for one in fact_page(memory.connection, at, standing="past").facts} == every - live
    assert {one.node_id for one in fact_page(memory.connection, at, standing="any").facts} == every


def test_pages_are_of_a_scene_a_kind_or_a_subject_where_they_are_asked_for(memory: Memory) -> None:
    learn(memory, "Ada likes tea.", 0, scene="food", cell_type="preference")
    learn(memory, "Ada eats soup.", 1, scene="food")
    learn(memory, "Ben lives in Rome.", 2, scene="home", subject="Ben")
    assert told(fact_page(memory.connection, memory.now, scene="food")) == ["Ada eats soup.", "Ada likes tea."]
    assert told(fact_page(memory.connection, memory.now, cell_type="preference")) == ["Ada likes tea."]
    assert told(fact_page(memory.connection, memory.now, subject="Ben")) == ["Ben lives in Rome."]


def test_what_is_no_cursor_is_refused(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="not the cursor"):
        fact_page(memory.connection, memory.now, after="next")
