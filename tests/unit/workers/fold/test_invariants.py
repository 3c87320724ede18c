"""What no event may do to the tables, however it came to be on the log: each test is named after what went wrong."""

from __future__ import annotations

import unicodedata
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.folding import ENGINE, START_MS, Memory, cell, days

from mnemolog.projections.integrity import content_hash
from mnemolog.schema.cells import Evidence, Mention
from mnemolog.schema.events import PolicySet
from mnemolog.schema.outcomes import ExtractedCell, JobFailed, SceneConsolidated
from mnemolog.schema.policy import DecayPolicy, Policy, WindowPolicy
from mnemolog.schema.requests import FactCorrected, FactsForgotten, JobRequeued
from mnemolog.workers.fold.scenes import seen_hash


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    found = Memory(tmp_path / "a.db")
    found.now = START_MS + days(30)
    return found


def stated(memory: Memory, day: float, text: str, **fields: Any) -> str:
    return memory.state(text, START_MS + days(day), f"s{day}{text}", **fields)


# ---- policies --------------------------------------------------------------------------------------------------


def test_a_kind_of_cell_without_a_decay_rate_does_not_fade(memory: Memory) -> None:
    memory.add(PolicySet(policy=Policy(decay=DecayPolicy(rates={"task": 0.1}))))
    fact = stated(memory, 0, "I work at Acme.")
    assert memory.get("SELECT decay_rate, fades_at FROM nodes WHERE node_id = ?", fact) == (0.0, None)


def test_a_rate_next_to_nothing_means_that_a_fact_does_not_fade(memory: Memory) -> None:
    memory.add(PolicySet(policy=Policy(decay=DecayPolicy(rates={"fact": 1e-300}, exponent=0.01))))
    fact = stated(memory, 0, "I work at Acme.")
    assert memory.get("SELECT fades_at FROM nodes WHERE node_id = ?", fact) is None


@pytest.mark.parametrize(
    "policy",
    [
        Policy(decay=DecayPolicy(exponent=0.0)),
        Policy(decay=DecayPolicy(exponent=-1.0)),
        Policy(decay=DecayPolicy(rates={"fact": -0.1})),
        Policy(window=WindowPolicy(messages=0)),
        Policy(window=WindowPolicy(other_session_gap_ms=2**63)),
    ],
    ids=["no exponent", "negative exponent", "negative rate", "no window", "gap without end"],
)
def test_a_policy_that_cannot_be_reckoned_with_never_comes_into_force(policy: Policy) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(PolicySet(policy=policy)), type=PolicySet)


# ---- verdicts of engines ---------------------------------------------------------------------------------------


def standing(memory: Memory, node_id: str) -> tuple[str | None, str | None]:
    row: tuple[str | None, str | None] = memory.get("SELECT heir, retracted FROM cells WHERE node_id = ?", node_id)
    return row


def refusals(memory: Memory) -> list[str]:
    return [row[0] for row in memory.rows("SELECT reason FROM refusals ORDER BY event_id, item")]


@pytest.mark.parametrize("kind", ["correction", "fulfilled", "cancelled"])
def test_what_says_the_same_is_no_reason_to_call_a_fact_untrue(memory: Memory, kind: str) -> None:
    old = stated(memory, 0, "I work at Acme.", object="acme")
    new = stated(memory, 5, "I am still at Acme.", object="acme", correction=True)
    memory.judge((old, new, "same", kind))
    assert standing(memory, old) == (new, None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"polarity": -1}, "opposite"),
        ({"basis": "others"}, "less_trusted"),
        ({"cell_type": "opinion"}, "opinion_over_fact"),
        ({"modality": "planned"}, "plan_over_fact"),
    ],
)
def test_what_may_not_supersede_a_fact_may_not_say_the_same_in_its_place(
    memory: Memory, fields: dict[str, Any], reason: str
) -> None:
    old = stated(memory, 0, "I work at Acme.", object="acme")
    new = stated(memory, 5, "Work at Acme, they say.", object="acme", **fields)
    memory.judge((old, new, "same", "repeated"))
    assert refusals(memory) == [reason]
    assert standing(memory, old) == (None, None)


def test_a_large_share_of_other_things_cannot_be_retired_as_the_same(memory: Memory) -> None:
    facts = [stated(memory, n, f"I enjoy hobby number {n}.", object=str(n)) for n in range(5)]
    new = stated(memory, 9, "I enjoy sleeping most.", object="sleeping")
    memory.judge(*((old, new, "same", "repeated") for old in facts))
    assert [standing(memory, old) for old in facts] == [(None, None)] * 5
    assert memory.get("SELECT count(*) FROM verdicts WHERE state = 'held'") == 5


def test_an_engine_calls_a_fact_untrue_only_if_a_cell_says_so(memory: Memory) -> None:
    old = stated(memory, 0, "I work at Acme.", slot="employer", object="acme")
    new = stated(memory, 5, "I work at Bolt.", slot="employer", object="bolt")
    memory.judge((old, new, "supersedes", "correction"))
    assert standing(memory, old) == (new, None)
    assert refusals(memory) == ["other_kind"]


def test_an_old_story_told_later_closes_no_fact_as_if_it_were_a_plan(memory: Memory) -> None:
    now = stated(memory, 0, "I work at Acme.", slot="employer", object="acme")
    past = START_MS - days(2_000)
    then = stated(
        memory, 5, "In 2019 I was at Bolt.", slot="employer", object="bolt", holds_from=past, holds_until=past + days(9)
    )
    memory.judge((now, then, "supersedes", "fulfilled"))
    assert standing(memory, now) == (None, None)


def test_the_past_of_many_facts_is_not_called_untrue_by_one_job(memory: Memory) -> None:
    jobs = [stated(memory, n, f"I work at place {n}.", slot="employer", object=str(n)) for n in range(8)]
    for older, newer in pairwise(jobs):
        memory.judge((older, newer, "supersedes", "changed"))
    wrong = stated(memory, 9, "None of that was true.", slot="employer", object="", ends="*", correction=True)
    memory.judge(*((job, wrong, "supersedes", "correction") for job in jobs))
    assert memory.get("SELECT count(*) FROM cells WHERE retracted IS NOT NULL") == 0
    assert memory.get("SELECT count(*) FROM verdicts WHERE state = 'held'") == 8


def test_no_engine_answers_for_the_person_who_is_asked(memory: Memory) -> None:
    facts = [stated(memory, n, f"I enjoy hobby number {n}.", object=str(n)) for n in range(5)]
    new = stated(memory, 9, "I gave everything up.", object="*")
    memory.judge(*((old, new, "supersedes", "ended") for old in facts))
    memory.judge((facts[0], new, "supersedes", "ended"))
    assert standing(memory, facts[0]) == (None, None)
    memory.judge((facts[1], new, "compatible", "added"))
    assert memory.get("SELECT count(*) FROM verdicts WHERE state = 'held'") == 4


# ---- requests --------------------------------------------------------------------------------------------------


def corrected(memory: Memory, node_id: str, text: str, **fields: Any) -> None:
    name = f"c-{text}"
    given = msgspec.structs.replace(cell(text, name, slot="employer", basis="requested"), **fields)
    memory.now += days(1)
    memory.add(
        FactCorrected(text=text, speaker="Ada", node_id=node_id, cells=(ExtractedCell(cell=given),)),
        name,
    )


def test_correcting_a_return_leaves_the_first_time_true(memory: Memory) -> None:
    first = stated(memory, 0, "I work at Acme.", slot="employer", object="acme")
    between = stated(memory, 7, "I work at Bolt.", slot="employer", object="bolt")
    memory.judge((first, between, "supersedes", "changed"))
    again = stated(memory, 14, "I am back at Acme.", slot="employer", object="acme")
    memory.judge((between, again, "supersedes", "changed"), (first, again, "same", "repeated"))
    corrected(memory, again, "I work at Coil.", object="coil")
    assert standing(memory, first) == (between, None)
    assert standing(memory, again)[1] == "corrected"


def test_a_correction_that_does_not_hold_up_leaves_what_it_is_about(memory: Memory) -> None:
    fact = stated(memory, 0, "I work at Acme.", slot="employer", object="acme")
    corrected(memory, fact, "I work at Coil.", evidence=(Evidence("c-I work at Coil.", "words of nobody"),))
    assert refusals(memory) == ["not_quoted"]
    assert standing(memory, fact) == (None, None)
    assert memory.rows("SELECT * FROM tombstones") == []


def test_what_a_person_corrects_is_wrong_though_its_clock_ran_ahead(memory: Memory) -> None:
    fact = stated(memory, 500, "I work at Acme.", slot="employer", object="acme")
    corrected(memory, fact, "I work at Coil.", object="coil")
    assert standing(memory, fact)[1] == "corrected"
    assert memory.rows("SELECT object FROM cells WHERE retracted IS NULL") == [("coil",)]


@pytest.mark.parametrize("day", [0, 500], ids=["now", "ahead of the log's clock"])
def test_what_is_forgotten_does_not_come_back_from_the_same_message(memory: Memory, day: float) -> None:
    fact = stated(memory, day, "I work at Acme.", slot="employer", object="acme")
    memory.add(FactsForgotten(node_ids=(fact,)))
    memory.add(JobRequeued(job_key=memory.get("SELECT job_key FROM jobs WHERE kind = 'extract'")))
    memory.extract(
        cell("I work at Acme.", f"s{day}I work at Acme.:I work at Acme.", slot="employer", object="acme inc.")
    )
    assert refusals(memory) == ["decided_by_a_person"]
    assert memory.get("SELECT count(*) FROM cells") == 1


# ---- scenes and jobs -------------------------------------------------------------------------------------------


def consolidated(memory: Memory, job: tuple[str, int, list[str]], cells: list[str]) -> None:
    key, generation, (scene,) = job
    memory.add(
        SceneConsolidated(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            scene=scene,
            summary="Ada collects stamps.",
            cells=tuple(cells),
            seen=seen_hash(cells),
        )
    )


def summary_of(memory: Memory) -> str:
    return str(memory.get("SELECT summary FROM scenes"))


def test_a_summary_that_was_under_way_when_a_fact_was_forgotten_does_not_tell_it(memory: Memory) -> None:
    facts = [stated(memory, n, f"I enjoy hobby number {n}.", object=str(n)) for n in range(4)]
    job = memory.due("consolidate")[0]
    memory.add(FactsForgotten(node_ids=(facts[0],)))
    consolidated(memory, job, facts[1:])
    assert summary_of(memory) == ""
    consolidated(memory, memory.due("consolidate")[0], facts[1:])
    assert summary_of(memory) == "Ada collects stamps."


def test_no_summary_is_asked_for_where_forgetting_leaves_one_fact(memory: Memory) -> None:
    facts = [stated(memory, n, f"I enjoy hobby number {n}.", object=str(n)) for n in range(2)]
    memory.add(FactsForgotten(node_ids=(facts[0],)))
    assert memory.due("consolidate") == []
    assert summary_of(memory) == "I enjoy hobby number 1."


def test_a_job_that_was_given_up_does_not_speak_up_once_it_is_done_anew(memory: Memory) -> None:
    facts = [stated(memory, n, f"I enjoy hobby number {n}.", object=str(n)) for n in range(2)]
    first = memory.due("consolidate")[0]
    memory.add(JobFailed(job_key=first[0], generation=first[1], engine=ENGINE, reason="no reply", attempts=3))
    facts.append(stated(memory, 2, "I enjoy hobby number 2.", object="2"))
    assert memory.rows("SELECT state FROM jobs WHERE kind = 'consolidate' ORDER BY generation") == [("void",), ("due",)]
    consolidated(memory, first, facts)
    assert refusals(memory) == ["no_open_job"]


# ---- windows, entities and policies ------------------------------------------------------------------------------


def test_a_session_that_begins_with_a_systems_message_closes_the_windows_before_it_too(memory: Memory) -> None:
    memory.say("in the first session", session="a", at=START_MS)
    memory.say("You are a helpful assistant.", session="b", at=START_MS + days(1), role="system")
    assert len(memory.due("extract")) == 1


def test_what_a_name_stands_for_does_not_depend_on_who_came_first(tmp_path: Path) -> None:
    found = set()
    for order in permutations([("person", 0.0), ("place", 1.0), ("concept", 2.0)]):
        memory = Memory(tmp_path / f"{order}.db")
        for kind, day in order:
            stated(memory, day, f"Jordan, a {kind}.", object=kind, entities=(Mention("Jordan", kind),))
        found.add(content_hash(memory.connection))
    assert len(found) == 1


def test_a_new_policy_tells_anew_when_facts_fade(memory: Memory) -> None:
    fact = stated(memory, 0, "I work at Acme.")
    memory.add(PolicySet(policy=Policy(decay=DecayPolicy(floor=0.5))))
    sooner = memory.get("SELECT fades_at FROM nodes WHERE node_id = ?", fact)
    memory.add(PolicySet(policy=Policy()))
    assert sooner < memory.get("SELECT fades_at FROM nodes WHERE node_id = ?", fact)


# ---- extraction ------------------------------------------------------------------------------------------------


def test_many_cells_of_one_long_message_are_checked_without_reading_it_each_time(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    normalize = unicodedata.normalize
    monkeypatch.setattr(unicodedata, "normalize", lambda form, text: (read.append(text), normalize(form, text))[1])
    text = "I work at Acme now. " * 50
    message = memory.say(text)
    memory.close()
    told = cell("Fact.", message)
    said = (Evidence(message, "I work at Acme"),)
    memory.extract(*(msgspec.structs.replace(told, content=f"Fact {n}.", evidence=said) for n in range(20)))
    assert read.count(text) == 1


def test_what_is_found_when_a_window_is_read_again_may_have_a_cause_that_was_found_before(memory: Memory) -> None:
    text = "The release may slip because the vendor is late."
    message = memory.say(text)
    memory.close()
    cause = cell(text, message, object="vendor late")
    (cause_id,) = memory.extract(cause)
    memory.add(JobRequeued(job_key=memory.get("SELECT job_key FROM jobs WHERE kind = 'extract'")))
    _, risk_id = memory.extract(cause, cell(text, message, cell_type="risk", object="slip", causes=(0,)))
    assert memory.rows("SELECT source, target FROM edges WHERE kind = 'causal'") == [(cause_id, risk_id)]
