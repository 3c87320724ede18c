"""Outcomes and requests: what holds up is done, the rest is refused and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.folding import ENGINE, START_MS, Memory, cell, days, keys_of

from mnemolog.projections.integrity import hashes, verify
from mnemolog.schema.cells import Cell, Evidence, Mention
from mnemolog.schema.outcomes import (
    CellsExtracted,
    ConflictsJudged,
    ExtractedCell,
    JobFailed,
    SceneConsolidated,
)
from mnemolog.schema.policy import Policy, WindowPolicy
from mnemolog.schema.recalled import BEGIN, END
from mnemolog.schema.requests import (
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    JobRequeued,
    SessionIdled,
    VerdictGiven,
    VerdictsReviewed,
)
from mnemolog.schema.times import MINUTE
from mnemolog.workers.fold.scenes import seen_hash


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def refusals(memory: Memory) -> list[str]:
    return [row[0] for row in memory.rows("SELECT reason FROM refusals ORDER BY event_id, item")]


def employer(memory: Memory, day: float, name: str, **fields: Any) -> str:
    return memory.state(
        f"I work at {name} now.", START_MS + days(day), f"s-{name}", slot="employer", object=name.casefold(), **fields
    )


# ---- windows ---------------------------------------------------------------------------------------------------


def test_a_window_closes_at_eight_messages_and_the_next_opens_a_new_one(memory: Memory) -> None:
    for number in range(9):
        memory.say(f"message number {number}", at=START_MS + number)
    (job,) = memory.due("extract")
    assert len(job[2]) == 8
    assert memory.get("SELECT json_array_length(waiting) FROM sessions") == 1


def test_a_window_holds_its_messages_in_order_of_time(memory: Memory) -> None:
    for number in (3, 1, 2):
        memory.say(f"message {number}", at=START_MS + number, event_id=f"m{number}")
    memory.close()
    (job,) = memory.due("extract")
    assert [memory.get("SELECT event_id FROM nodes WHERE node_id = ?", node) for node in job[2]] == ["m1", "m2", "m3"]


def test_what_is_said_after_a_session_was_closed_is_extracted_too(memory: Memory) -> None:
    memory.say("before the end")
    memory.close()
    memory.say("after the end")
    memory.close()
    assert [len(job[2]) for job in memory.due("extract")] == [1, 1]


def test_another_session_half_an_hour_later_closes_a_window(memory: Memory) -> None:
    memory.say("in the first session", session="a")
    memory.say("soon after", session="b", at=START_MS + 29 * MINUTE)
    assert memory.due("extract") == []
    memory.say("much later", session="c", at=START_MS + 59 * MINUTE)
    assert len(memory.due("extract")) == 2


def test_an_idle_session_is_closed_unless_something_was_said_meanwhile(memory: Memory) -> None:
    first = memory.say("a first message")
    memory.say("a second message")
    memory.add(SessionIdled(session="s", last_event=first))
    assert memory.due("extract") == []
    memory.add(SessionIdled(session="s", last_event=memory.say("a third message")))
    assert [len(job[2]) for job in memory.due("extract")] == [3]


@pytest.mark.parametrize(
    "fields", [{"role": "system"}, {"role": "tool"}, {"source_type": "recall"}], ids=["system", "tool", "recall"]
)
def test_what_no_person_said_is_in_no_window(memory: Memory, fields: dict[str, Any]) -> None:
    memory.say("I work at Acme now.", **fields)
    memory.close()
    assert memory.due("extract") == []
    assert memory.get("SELECT count(*) FROM nodes") == 1


def test_a_message_with_recalled_text_in_it_makes_no_cells(memory: Memory) -> None:
    memory.say(f"{BEGIN}\nI work at Acme now.\n{END}\nWhere do I work?")
    memory.close()
    assert memory.due("extract") == []


def test_the_size_of_a_window_is_the_policys(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "b.db", Policy(window=WindowPolicy(messages=2)))
    for number in range(4):
        memory.say(f"message number {number}", at=START_MS + number)
    assert [len(job[2]) for job in memory.due("extract")] == [2, 2]


# ---- extraction ------------------------------------------------------------------------------------------------


def test_a_cell_becomes_a_live_node_with_its_edges(memory: Memory) -> None:
    text = "My sister Mia works at Acme."
    message = memory.say(text)
    memory.close()
    (node_id,) = memory.extract(
        cell(
            text,
            message,
            subject="Mia",
            slot="employer",
            object="acme",
            entities=(Mention("Mia", "person"), Mention("Acme", "organization")),
        )
    )
    assert memory.rows("SELECT kind, target FROM edges WHERE source = ? ORDER BY kind, target", node_id) == [
        ("derived_from", memory.get("SELECT node_id FROM nodes WHERE event_id = ? AND type = 'episodic'", message)),
        ("entity", "organization:acme"),
        ("entity", "person:mia"),
    ]
    assert memory.get("SELECT summary FROM scenes WHERE scene = 'life'") == text


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence("m1", "I work at Bolt Ltd."), "not_quoted"),
        (Evidence("m1", "work"), "not_quoted"),
        (Evidence("m2", "I work at Acme Corp."), "unknown_message"),
    ],
)
def test_a_cell_without_evidence_in_its_window_is_refused(memory: Memory, evidence: Evidence, reason: str) -> None:
    memory.say("I work at Acme Corp.", event_id="m1")
    memory.close()
    key, generation, _ = memory.due("extract")[0]
    good = cell("I work at Acme Corp.", "m1")
    bad = msgspec.structs.replace(cell("I work somewhere else.", "m1"), evidence=(evidence,))
    items = (ExtractedCell(cell=bad), ExtractedCell(cell=good))
    memory.add(CellsExtracted(job_key=key, generation=generation, engine=ENGINE, cells=items))
    assert refusals(memory) == [reason]
    assert memory.rows("SELECT content FROM nodes WHERE type != 'episodic'") == [("I work at Acme Corp.",)]


def test_a_quote_may_differ_in_spaces_quotation_marks_and_case(memory: Memory) -> None:
    message = memory.say("She said: “I’m moving — to  Rome.”")
    memory.close()
    key, generation, _ = memory.due("extract")[0]
    item = ExtractedCell(
        cell=Cell(
            content="Ada moves to Rome.",
            cell_type="plan",
            subject="Ada",
            scene="home",
            evidence=(Evidence(message, "i'm moving - to rome"),),
        )
    )
    memory.add(CellsExtracted(job_key=key, generation=generation, engine=ENGINE, cells=(item,)))
    assert refusals(memory) == []


def test_an_assistants_words_alone_make_no_cell(memory: Memory) -> None:
    message = memory.say("You live in Hamburg, right?", role="assistant", speaker="bot")
    memory.close()
    key, generation, _ = memory.due("extract")[0]
    memory.add(
        CellsExtracted(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            cells=(ExtractedCell(cell=cell("You live in Hamburg, right?", message)),),
        )
    )
    assert refusals(memory) == ["not_said_by_a_person"]


def test_causes_become_causal_edges_and_unknown_ones_are_refused(memory: Memory) -> None:
    text = "The release may slip because the vendor is late."
    message = memory.say(text)
    memory.close()
    cause = cell(text, message, object="vendor late")
    risk = cell(text, message, cell_type="risk", object="slip", causes=(0, 7, "ce-unknown"))
    cause_id, risk_id = memory.extract(cause, risk)
    assert memory.rows("SELECT source, target FROM edges WHERE kind = 'causal'") == [(cause_id, risk_id)]
    assert refusals(memory) == ["unknown_cause", "unknown_cause"]


def test_only_the_first_outcome_of_a_job_counts(memory: Memory) -> None:
    message = memory.say("I work at Acme now.")
    memory.close()
    key, generation, _ = memory.due("extract")[0]
    memory.extract(cell("I work at Acme now.", message))
    memory.add(
        CellsExtracted(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            cells=(ExtractedCell(cell=cell("I work at Acme now.", message, scene="other")),),
        )
    )
    assert refusals(memory) == ["no_open_job"]
    assert memory.get("SELECT count(*) FROM cells") == 1


def test_an_outcome_for_no_job_is_refused_and_recorded(memory: Memory) -> None:
    memory.add(ConflictsJudged(job_key="0" * 32, generation=1, engine=ENGINE))
    assert refusals(memory) == ["no_open_job"]


def test_a_failed_job_is_visible_can_be_requeued_and_a_late_outcome_still_counts(memory: Memory) -> None:
    message = memory.say("I work at Acme now.")
    memory.close()
    key, generation, _ = memory.due("extract")[0]
    memory.add(JobFailed(job_key=key, generation=generation, engine=ENGINE, reason="no answer", attempts=3))
    assert memory.rows("SELECT state, reason FROM jobs") == [("failed", "no answer")]
    memory.add(
        CellsExtracted(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            cells=(ExtractedCell(cell=cell("I work at Acme now.", message)),),
        )
    )
    assert memory.rows("SELECT state FROM jobs WHERE kind = 'extract'") == [("done",)]
    memory.add(JobRequeued(job_key=key))
    assert memory.due("extract")[0][:2] == (key, generation + 1)


def test_extracting_again_adds_nothing_that_is_there_already(memory: Memory) -> None:
    message = memory.say("I work at Acme now.")
    memory.close()
    key, *_ = memory.due("extract")[0]
    memory.extract(cell("I work at Acme now.", message))
    memory.add(JobRequeued(job_key=key))
    memory.extract(cell("I work at Acme now.", message))
    assert memory.get("SELECT count(*) FROM cells") == 1


# ---- verdicts --------------------------------------------------------------------------------------------------


def two_facts(memory: Memory, **newer: Any) -> tuple[str, str]:
    return employer(memory, 0, "Acme"), employer(memory, 1, "Bolt", **newer)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subject": "Ben"}, "other_subject"),
        ({"basis": "others"}, "less_trusted"),
        ({"basis": "inferred"}, "less_trusted"),
        ({"cell_type": "opinion"}, "opinion_over_fact"),
        ({"cell_type": "plan"}, "plan_over_fact"),
        ({"modality": "planned"}, "plan_over_fact"),
    ],
)
def test_a_proposal_that_overreaches_is_refused(memory: Memory, fields: dict[str, Any], reason: str) -> None:
    old, new = two_facts(memory, **fields)
    if fields.get("subject"):
        memory.state(
            "I, Ben, like my work there.", START_MS + days(2), "s9", subject="Ben", slot="likes", object="work"
        )
    memory.judge((old, new, "supersedes", "change"))
    assert refusals(memory) == [reason]
    assert memory.get("SELECT heir FROM cells WHERE node_id = ?", old) is None


def test_a_proposal_about_an_episode_itself_or_an_unknown_node_is_refused(memory: Memory) -> None:
    old, new = two_facts(memory)
    episode = memory.get("SELECT node_id FROM nodes WHERE type = 'episodic' LIMIT 1")
    memory.judge((old, old, "supersedes"), (new, episode, "supersedes"), (old, "ce-unknown", "supersedes"))
    assert refusals(memory) == ["itself", "episode", "unknown_node"]
    assert memory.rows("SELECT * FROM verdicts") == []


def test_verdicts_that_would_retire_a_large_share_wait_for_a_person(memory: Memory) -> None:
    hobbies = [
        memory.state(f"I enjoy hobby number {n}.", START_MS + days(n), f"s{n}", slot="hobby", object=str(n))
        for n in range(5)
    ]
    while memory.due("resolve"):
        memory.judge()
    new = memory.state("I gave everything up.", START_MS + days(9), "s9", slot="hobby", object="*")
    memory.judge(*((old, new, "supersedes", "end") for old in hobbies))
    assert memory.rows("SELECT DISTINCT state FROM verdicts") == [("held",)]
    assert memory.get("SELECT count(*) FROM cells WHERE heir IS NOT NULL") == 0
    memory.add(VerdictsReviewed(pairs=((hobbies[0], new),), approved=True))
    memory.add(VerdictsReviewed(pairs=((hobbies[1], new),), approved=False))
    assert memory.rows("SELECT node_id FROM cells WHERE heir IS NOT NULL") == [(hobbies[0],)]
    assert memory.get("SELECT count(*) FROM verdicts WHERE state = 'held'") == 3


def test_a_persons_verdict_outweighs_a_later_one_of_an_engine(memory: Memory) -> None:
    old, new = two_facts(memory)
    memory.add(VerdictGiven(first=new, second=old, ruling="compatible"))
    memory.judge((old, new, "supersedes", "change"))
    assert memory.rows("SELECT ruling, judge FROM verdicts") == [("compatible", "person")]


def test_the_last_verdict_of_an_engine_counts(memory: Memory) -> None:
    old, new = two_facts(memory)
    memory.judge((old, new, "supersedes", "change"))
    memory.add(JobRequeued(job_key=memory.get("SELECT job_key FROM jobs WHERE kind = 'resolve'")))
    memory.judge((new, old, "compatible", "other"))
    assert memory.rows("SELECT heir FROM cells WHERE heir IS NOT NULL") == []


# ---- scenes ----------------------------------------------------------------------------------------------------


def test_a_burst_of_changes_makes_one_consolidate_job(memory: Memory) -> None:
    for number in range(4):
        memory.state(f"I enjoy hobby number {number}.", START_MS, f"s{number}", scene="hobby")
    assert len(memory.due("consolidate")) == 1
    assert memory.rows("SELECT cells, stale FROM scenes") == [(4, 1)]


def summarise(memory: Memory, summary: str, cells: tuple[str, ...], seen: tuple[str, ...]) -> None:
    key, generation, (scene,) = memory.due("consolidate")[0]
    memory.add(
        SceneConsolidated(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            scene=scene,
            summary=summary,
            cells=cells,
            seen=seen_hash(seen),
        )
    )


def test_a_summary_stays_under_a_hundred_words(memory: Memory) -> None:
    ids = tuple(memory.state(f"I enjoy hobby number {n}.", START_MS, f"s{n}", scene="hobby") for n in range(2))
    summarise(memory, "word " * 500, ids, ids)
    assert len(memory.get("SELECT summary FROM scenes").split()) < 100
    assert memory.get("SELECT stale FROM scenes") == 0


def test_a_summary_made_before_the_last_change_is_stale_and_made_again(memory: Memory) -> None:
    ids = tuple(memory.state(f"I enjoy hobby number {n}.", START_MS, f"s{n}", scene="hobby") for n in range(3))
    summarise(memory, "two hobbies", ids[:2], ids[:2])
    assert memory.rows("SELECT summary, stale FROM scenes") == [("two hobbies", 1)]
    assert len(memory.due("consolidate")) == 1


def test_a_summary_that_cites_a_retired_cell_is_refused(memory: Memory) -> None:
    ids = tuple(memory.state(f"I enjoy hobby number {n}.", START_MS, f"s{n}", scene="hobby") for n in range(3))
    memory.add(FactsForgotten(node_ids=(ids[0],)))
    summarise(memory, "three hobbies", ids, ids)
    assert "cites_retired" in refusals(memory)
    assert memory.get("SELECT summary FROM scenes") == ""


def test_a_summary_that_is_refused_leaves_its_scene_to_another_job(memory: Memory) -> None:
    ids = tuple(memory.state(f"I enjoy hobby number {n}.", START_MS, f"s{n}", scene="hobby") for n in range(3))
    summarise(memory, "three hobbies", (*ids, "ce-none"), ids)
    assert refusals(memory) == ["cites_retired"]
    assert memory.get("SELECT stale FROM scenes") == 1
    [(_, generation, inputs)] = memory.due("consolidate")
    assert (generation, inputs) == (2, ["hobby"])
    summarise(memory, "three hobbies", ids, ids)
    assert memory.rows("SELECT summary, stale FROM scenes") == [("three hobbies", 0)]
    assert memory.due("consolidate") == []


# ---- requests --------------------------------------------------------------------------------------------------


def remember(memory: Memory, text: str, event_id: str, **fields: Any) -> FactRemembered:
    item = ExtractedCell(cell=cell(text, event_id, basis="requested", salience=1.0, **fields), entities=keys_of(()))
    return FactRemembered(text=text, speaker="Ada", cells=(item,))


def test_what_is_to_be_remembered_is_a_fact_believed_fully_with_its_own_words_as_evidence(memory: Memory) -> None:
    memory.add(remember(memory, "My locker is number 17.", "r1"), "r1")
    assert memory.rows("SELECT content, confidence FROM nodes WHERE type = 'semantic'") == [
        ("My locker is number 17.", 1.0)
    ]
    assert memory.get("SELECT role FROM nodes WHERE event_id = 'r1' AND type = 'episodic'") == "user"
    assert memory.due("extract") == []


def test_a_correction_hides_the_old_fact_and_no_extraction_brings_it_back(memory: Memory) -> None:
    message = memory.say("I work at Bolt now.", event_id="m1")
    memory.close()
    wrong = cell("I work at Bolt now.", message, slot="employer", object="bolt")
    key, *_ = memory.due("extract")[0]
    (old,) = memory.extract(wrong)
    memory.now += days(2)
    text = "I work at Coil."
    item = ExtractedCell(cell=cell(text, "r1", slot="employer", object="coil", basis="requested"))
    memory.add(FactCorrected(text=text, speaker="Ada", node_id=old, cells=(item,)), "r1")
    new = memory.get("SELECT node_id FROM cells WHERE object = 'coil'")
    assert memory.get("SELECT retracted FROM cells WHERE node_id = ?", old) == "corrected"
    assert memory.get("SELECT valid_from FROM nodes WHERE node_id = ?", new) == START_MS
    memory.add(JobRequeued(job_key=key))
    memory.extract(cell("I work at Bolt now.", message, slot="employer", object="bolt inc", scene="career"))
    assert refusals(memory) == ["decided_by_a_person"]


def test_what_is_forgotten_is_retired_its_evidence_hidden_and_a_later_statement_revives_it(memory: Memory) -> None:
    old = employer(memory, 0, "Acme")
    memory.now += days(1)
    memory.add(FactsForgotten(node_ids=(old,)))
    assert memory.get("SELECT retracted FROM cells") == "forgotten"
    assert memory.get("SELECT hidden FROM nodes WHERE type = 'episodic'") == 1
    memory.state("I work at Acme, they say.", START_MS + days(0.5), "imported later", slot="employer", object="acme")
    assert refusals(memory) == ["decided_by_a_person"]
    memory.now += days(1)
    memory.state("I am back at Acme Corp.", memory.now, "s3", slot="employer", object="acme")
    assert memory.get("SELECT count(*) FROM cells WHERE retracted IS NULL") == 1


def test_a_forgotten_heir_keeps_its_place(memory: Memory) -> None:
    old, new = two_facts(memory)
    memory.judge((old, new, "supersedes", "change"))
    memory.add(FactsForgotten(node_ids=(new,)))
    assert memory.rows("SELECT valid_until, heir FROM nodes JOIN cells USING (node_id) WHERE node_id = ?", old) == [
        (memory.get("SELECT valid_from FROM nodes WHERE node_id = ?", new), new)
    ]


@pytest.mark.parametrize(
    "payload",
    [
        FactsForgotten(node_ids=("ce-unknown",)),
        JobRequeued(job_key="0" * 32),
        VerdictGiven(first="ce-a", second="ce-b", ruling="same"),
        VerdictsReviewed(pairs=(("ce-a", "ce-b"),), approved=True),
        FactRemembered(text="nothing", cells=()),
    ],
)
def test_a_request_that_names_nothing_is_parked(memory: Memory, payload: Any) -> None:
    memory.add(payload)
    assert memory.get("SELECT count(*) FROM dead_letters") == 1


def test_the_same_log_gives_the_same_hash_and_verifies(tmp_path: Path) -> None:
    found = set()
    for name in ("a", "b"):
        memory = Memory(tmp_path / f"{name}.db")
        old, new = two_facts(memory)
        memory.judge((old, new, "supersedes", "change"))
        memory.add(remember(memory, "My locker is number 17.", "r1"), "r1")
        memory.add(FactsForgotten(node_ids=(new,)))
        found.add(hashes(memory.connection).hash)
        tables = [problem for problem in verify(memory.connection).problems if problem.startswith("table")]
        assert tables == []
    assert len(found) == 1
