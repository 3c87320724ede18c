"""Facts: which are live at a time, why the others are not, and since when they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.folding import START_MS, Memory, Words, days

from mnemolog.projections.facts import Fact, fact, facts, find_fact, saying_the_same
from mnemolog.projections.recall import recall
from mnemolog.projections.verdicts import retiring, verdicts
from mnemolog.schema.errors import InvalidInput
from mnemolog.schema.requests import FactConfirmed, FactsForgotten, NodesRecalled, VerdictGiven


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def day(number: float) -> int:
    return START_MS + days(number)


def state(memory: Memory, number: float, name: str, **fields: Any) -> str:
    """On a day, Ada says where she works."""
    memory.now = max(memory.now, day(number))
    fields = {"slot": "employer", "object": name.casefold(), **fields}
    return memory.state(f"I work at {name} ({number}).", day(number), f"s{number}", **fields)


def told(memory: Memory, node_id: str, at: int) -> Fact:
    found = fact(memory.connection, node_id, at)
    assert found is not None
    return found


def live(memory: Memory, at: int) -> list[str]:
    return [found.object for found in facts(memory.connection, at)]


def test_a_changed_fact_is_live_until_its_heir_begins(memory: Memory) -> None:
    old, new = state(memory, 0, "Acme"), state(memory, 7, "Bolt")
    memory.judge((old, new, "supersedes", "change"))
    assert live(memory, day(3)) == ["acme"]
    assert live(memory, day(8)) == ["bolt"]
    retired = told(memory, old, day(8))
    assert (retired.status, retired.superseded_by, retired.valid_until) == ("superseded", new, day(7))
    assert told(memory, new, day(3)).status == "future"


def test_a_fact_that_was_superseded_later_had_its_own_confidence_before(memory: Memory) -> None:
    old, new = state(memory, 0, "Acme"), state(memory, 100, "Bolt")
    memory.judge((old, new, "supersedes", "change"))
    assert told(memory, old, day(0)).confidence_now == 0.9
    assert told(memory, old, day(99)).confidence_now > 0.3
    assert told(memory, old, day(100)).confidence_now < 0.3
    found = recall(memory.connection, "I work at Acme", embedder=Words(), now=day(99), types=["semantic"])
    assert [result.node_id for result in found] == [old]


def test_a_stated_end_ends_and_is_not_superseded(memory: Memory) -> None:
    node_id = state(memory, 0, "Initech", holds_from=day(-400), holds_until=day(-100))
    assert told(memory, node_id, day(1)).status == "ended"
    assert live(memory, day(-200)) == ["initech"]


def test_a_fact_that_was_stated_to_end_before_it_was_superseded_has_ended(memory: Memory) -> None:
    old = state(memory, 0, "Acme", holds_from=day(-9), holds_until=day(3))
    new = state(memory, 7, "Bolt")
    memory.judge((old, new, "supersedes", "change"))
    assert told(memory, old, day(5)).status == "ended"


def test_a_faded_fact_is_live_again_as_of_a_past_day(memory: Memory) -> None:
    node_id = state(memory, 0, "Acme", cell_type="task", salience=0.0)
    assert told(memory, node_id, day(80)).status == "faded"
    assert told(memory, node_id, day(40)).status == "live"


def test_a_recall_after_the_time_asked_about_does_not_count_for_it(memory: Memory) -> None:
    node_id = state(memory, 0, "Acme", cell_type="task", salience=0.0)
    untouched = told(memory, node_id, day(30)).confidence_now
    memory.now = day(60)
    memory.add(NodesRecalled(recalls=((day(20), (node_id,)), (day(60), (node_id,)))))
    assert told(memory, node_id, day(10)).confidence_now > untouched
    between = told(memory, node_id, day(30)).confidence_now
    assert untouched < between < told(memory, node_id, day(60)).confidence_now
    assert told(memory, node_id, day(100)).status == "live"


def test_a_confirmed_fact_is_live_after_ten_years_and_says_so(memory: Memory) -> None:
    node_id = state(memory, 0, "Acme", salience=0.0)
    memory.add(FactConfirmed(node_id=node_id))
    found = told(memory, node_id, day(3650))
    assert (found.status, found.pinned, found.confidence_now, found.fades_at) == ("live", True, 0.9, None)


def test_since_is_the_start_of_the_unbroken_chain_and_its_evidence_is_one(memory: Memory) -> None:
    first, second, third = (state(memory, number, "Acme") for number in (0, 5, 9))
    memory.judge((first, second, "same", "repeated"))
    memory.judge((second, third, "same", "repeated"))
    newest = told(memory, third, day(20))
    assert newest.since == day(0)
    assert len(newest.event_ids) == 3
    assert [saying_the_same(memory.connection, node_id, day(20)) for node_id in (first, second, third)] == [
        [first, second, third]
    ] * 3


def test_a_return_begins_a_new_chain(memory: Memory) -> None:
    first, second, third = state(memory, 0, "Acme"), state(memory, 5, "Bolt"), state(memory, 9, "Acme")
    memory.judge((first, second, "supersedes", "change"))
    memory.judge((second, third, "supersedes", "change"), (first, third, "same", "repeated"))
    assert told(memory, third, day(20)).since == day(9)
    assert saying_the_same(memory.connection, third, day(20)) == [third]


@pytest.mark.parametrize(("at", "note"), [(10, ""), (50, "planned for 2026-03-29, outcome unknown")])
def test_a_plan_whose_day_has_passed_says_that_nobody_told_what_became_of_it(
    memory: Memory, at: float, note: str
) -> None:
    node_id = state(memory, 0, "Rome", cell_type="plan", due=day(20))
    assert told(memory, node_id, day(at)).note == note


def test_a_forgotten_fact_and_its_evidence_are_not_found_any_more(memory: Memory) -> None:
    node_id, other = state(memory, 0, "Acme"), state(memory, 5, "Bolt", slot="client")

    def found() -> set[str]:
        results = recall(memory.connection, "Who do I work at?", embedder=Words(), now=day(9))
        return {result.content for result in results}

    assert len(found()) == 2
    before = recall(memory.connection, "work", embedder=Words(), now=day(9))
    assert {result.node_id for result in before} >= {node_id, other}
    memory.add(FactsForgotten(node_ids=(node_id,)))
    assert found() == {"I work at Bolt (5)."}
    assert told(memory, node_id, day(9)).status == "forgotten"
    assert live(memory, day(9)) == ["bolt"]


def test_turns_around_a_hidden_one_stand_side_by_side(memory: Memory) -> None:
    for number, text in enumerate(["My secret is a parrot.", "What is it called?", "It is called Polly."]):
        memory.say(text, at=day(0) + number, event_id=f"m{number}")
    memory.connection.execute("UPDATE nodes SET hidden = 1 WHERE event_id = 'm1'")
    results = recall(memory.connection, "secret parrot", embedder=Words(), now=day(9))
    assert "What is it called?" not in {result.content for result in results}


def test_held_verdicts_are_named_by_the_facts_that_they_are_about(memory: Memory) -> None:
    hobbies = [state(memory, number, f"hobby {number}", slot="hobby") for number in range(5)]
    while memory.due("resolve"):
        memory.judge()
    new = state(memory, 9, "nothing", slot="hobby")
    memory.judge(*((old, new, "supersedes", "end") for old in hobbies))
    assert told(memory, new, day(9)).held == tuple(sorted(hobbies))
    assert len(verdicts(memory.connection)) == 5
    assert {one.state for one in verdicts(memory.connection, everything=True)} == {"held"}


def test_what_retires_a_fact_is_told_and_a_verdict_on_it_restores_the_fact(memory: Memory) -> None:
    old, middle, new = state(memory, 0, "Acme"), state(memory, 5, "Bolt"), state(memory, 9, "Coil")
    memory.judge((old, middle, "supersedes", "change"), (old, new, "supersedes", "change"))
    assert retiring(memory.connection, old) == sorted([middle, new])
    assert retiring(memory.connection, new) == []
    for heir in retiring(memory.connection, old):
        memory.add(VerdictGiven(first=old, second=heir, ruling="compatible"))
    assert told(memory, old, day(20)).status == "live"


def test_a_fact_is_named_by_the_beginning_of_its_id(memory: Memory) -> None:
    node_id, other = state(memory, 0, "Acme"), state(memory, 5, "Bolt")
    length = next(n for n in range(4, 23) if node_id[:n] != other[:n])
    assert find_fact(memory.connection, node_id[:length]) == node_id
    assert find_fact(memory.connection, f"[{node_id[3:length]}]") == node_id
    assert find_fact(memory.connection, other) == other
    for wrong in ("ce-", "ce-zzz", "", "%", "ep-"):
        with pytest.raises(InvalidInput):
            find_fact(memory.connection, wrong)


def test_facts_of_a_scene_are_its_own(memory: Memory) -> None:
    state(memory, 0, "Acme", scene="career")
    state(memory, 1, "jazz", scene="music", slot="likes")
    assert [found.object for found in facts(memory.connection, day(2), scene="music")] == ["jazz"]
