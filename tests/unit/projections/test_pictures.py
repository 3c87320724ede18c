"""What the page draws: the curve of a fact, the graph around a name, when a memory was spoken to."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import START_MS, Memory, days

from mnemolog.projections.activity import activity
from mnemolog.projections.curves import curve
from mnemolog.projections.facts import fact
from mnemolog.projections.graph import around
from mnemolog.projections.names import UnknownName
from mnemolog.schema.cells import Mention
from mnemolog.schema.requests import FactConfirmed, FactsForgotten

PYTHON, RUST = Mention("Python", "tool"), Mention("Rust", "tool")


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


@pytest.fixture
def moved(memory: Memory) -> tuple[Memory, str, str]:
    """Ada wrote Python, and ten days later Rust."""
    older = learn(memory, "Ada writes Python.", 0, PYTHON, slot="language", object="Python")
    newer = learn(memory, "Ada writes Rust.", 10, RUST, slot="language", object="Rust")
    memory.judge((older, newer, "supersedes"))
    return memory, older, newer


def learn(memory: Memory, content: str, day: float, *entities: Mention, **fields) -> str:
    memory.now = START_MS + days(day)
    return memory.state(content, memory.now, f"s{day}", entities=entities, **fields)


def test_a_curve_tells_what_the_facts_tell_at_each_of_its_times(moved: tuple[Memory, str, str]) -> None:
    memory, older, _ = moved
    drawn = curve(memory.connection, older, memory.now)
    assert drawn is not None
    for point in drawn.points:
        then = fact(memory.connection, older, point.at)
        assert then is not None
        assert (point.confidence, point.status) == (then.confidence_now, then.status)


def test_a_curve_drops_at_the_moment_at_which_a_fact_is_superseded(moved: tuple[Memory, str, str]) -> None:
    memory, older, newer = moved
    drawn = curve(memory.connection, older, memory.now)
    begun = fact(memory.connection, newer, memory.now)
    assert drawn is not None
    assert begun is not None
    at = {point.at: point for point in drawn.points}
    assert (at[begun.valid_from - 1].status, at[begun.valid_from].status) == ("live", "superseded")
    assert at[begun.valid_from].confidence < at[begun.valid_from - 1].confidence / 2


def test_a_curve_ends_below_the_floor_unless_the_fact_is_pinned(memory: Memory) -> None:
    node_id = learn(memory, "Ada likes tea.", 0)
    fading = curve(memory.connection, node_id, memory.now)
    assert fading is not None
    assert fading.fades_at is not None
    assert fading.points[-1].at > fading.fades_at
    assert fading.points[-1].confidence < fading.floor <= fading.confidence
    memory.add(FactConfirmed(node_id=node_id))
    pinned = curve(memory.connection, node_id, memory.now)
    assert pinned is not None
    assert pinned.fades_at is None
    assert len({point.confidence for point in pinned.points}) == 1


def test_there_is_no_curve_of_what_is_no_fact(memory: Memory) -> None:
    assert curve(memory.connection, "ce-none", memory.now) is None


def test_a_graph_ties_the_facts_of_a_name_to_what_they_mention_and_to_what_they_replaced(
    moved: tuple[Memory, str, str],
) -> None:
    memory, older, newer = moved
    graph = around(memory.connection, "ada", memory.now)
    assert {one.node_id: (one.status, one.about) for one in graph.facts} == {
        older: ("superseded", True),
        newer: ("live", True),
    }
    assert {one.name for one in graph.entities} == {"Python", "Rust"}
    assert {(edge.kind, edge.source, edge.target) for edge in graph.edges} == {
        ("entity", older, "tool:python"),
        ("entity", newer, "tool:rust"),
        ("supersedes", newer, older),
    }


def test_a_graph_of_a_past_time_knows_nothing_that_came_later(moved: tuple[Memory, str, str]) -> None:
    memory, older, _ = moved
    graph = around(memory.connection, "Ada", START_MS + days(5))
    assert [(one.node_id, one.status) for one in graph.facts] == [(older, "live")]
    assert [edge.kind for edge in graph.edges] == ["entity"]


def test_a_graph_is_bounded_and_says_that_there_is_more(memory: Memory) -> None:
    for number in range(5):
        learn(memory, f"Ada has book {number}.", number, Mention(f"Book {number}", "concept"))
    graph = around(memory.connection, "Ada", memory.now, most_facts=3)
    assert [one.content for one in graph.facts] == [f"Ada has book {number}." for number in (4, 3, 2)]
    assert len(graph.entities) == 3
    assert graph.more


def test_what_was_forgotten_is_in_no_graph(memory: Memory) -> None:
    node_id = learn(memory, "Ada likes tea.", 0)
    learn(memory, "Ada likes cake.", 1)
    memory.add(FactsForgotten(node_ids=(node_id,)))
    assert [one.content for one in around(memory.connection, "Ada", memory.now).facts] == ["Ada likes cake."]


def test_nobody_of_a_name_has_a_graph(memory: Memory) -> None:
    with pytest.raises(UnknownName):
        around(memory.connection, "Zoe", memory.now)


def test_activity_counts_all_nodes_in_their_stretches(memory: Memory) -> None:
    assert activity(memory.connection).counts == ()
    for day in (0, 0.5, 9):
        learn(memory, f"Ada did {day}.", day)
    found = activity(memory.connection, 10)
    assert (found.first_at, found.last_at) == (START_MS, START_MS + days(9))
    assert sum(found.counts) == 6
    assert (found.counts[0], found.counts[-1], len(found.counts)) == (4, 2, 10)
