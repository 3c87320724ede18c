"""Changes between two moments: learned, replaced, faded, taken back, and what came to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import ENGINE, START_MS, Memory, cell, days

from mnemolog.projections.changes import Digest, changes
from mnemolog.projections.digest.spans import Change, Span
from mnemolog.schema.archive import ArchiveWriter
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import CellsExtracted, ExtractedCell, JobFailed
from mnemolog.schema.requests import FactConfirmed, FactCorrected, FactRemembered, FactsForgotten, VerdictsReviewed

SOON = START_MS + days(50)
LATER = START_MS + days(2_000)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def digest(memory: Memory, start: int | Position = START_MS, end: int | Position = SOON) -> Digest:
    folder = memory.path.parent / "archive"
    writer = ArchiveWriter(folder)
    writer.append(memory.log)
    writer.close()
    return changes(memory.connection, Span.between(start, end), folder, everything=True)


def told(memory: Memory, *span: int | Position) -> list[tuple[str, str]]:
    return [(change.kind, change.content) for change in digest(memory, *span).changes]


def learn(memory: Memory, content: str, **fields) -> str:
    """A day later a fact."""
    memory.now += days(1)
    return memory.state(content, memory.now, f"s{memory.now}", **fields)


def only(memory: Memory, kind: str, *span: int | Position) -> Change:
    (found,) = [change for change in digest(memory, *span).changes if change.kind == kind]
    return found


def test_what_is_new_is_learned_by_an_engine_or_a_person_under_its_subject(memory: Memory) -> None:
    learn(memory, "I play the violin.", scene="music")
    learn(memory, "I sail.", subject="Ben")
    said = cell("My locker is 17.", "ask", basis="requested")
    memory.add(FactRemembered(text="My locker is 17.", cells=(ExtractedCell(cell=said),)), "ask")
    found = digest(memory)
    assert [(change.subject, change.content) for change in found.changes] == [
        ("Ada", "I play the violin."),
        ("Ada", "My locker is 17."),
        ("Ben", "I sail."),
    ]
    violin, locker, _ = found.changes
    assert (violin.kind, violin.scene, violin.by, violin.detail) == ("learned", "music", "test hand", "")
    assert (locker.by, locker.detail) == ("Ada", "remembered")
    assert (found.messages, found.sessions, found.counts) == (3, 3, {"learned": 3})


def test_what_took_the_place_of_another_is_one_change_with_the_dates_of_both(memory: Memory) -> None:
    old = learn(memory, "I prefer Python.", slot="preferred_language", object="python")
    new = learn(memory, "I write Rust now.", slot="preferred_language", object="rust")
    memory.judge((old, new, "supersedes", "changed"))
    assert told(memory) == [("learned", "I prefer Python."), ("changed", "I write Rust now.")]
    change = only(memory, "changed")
    assert change.replaced is not None
    assert (change.replaced.node_id, change.replaced.content) == (old, "I prefer Python.")
    assert (change.replaced.valid_from, change.replaced.valid_until) == (START_MS + days(1), START_MS + days(2))
    assert (change.node_id, change.by, change.detail) == (new, "engine", "changed")


def test_what_was_told_again_is_no_news(memory: Memory) -> None:
    old = learn(memory, "I play the violin.", slot="hobby", object="violin")
    new = learn(memory, "I do play the violin.", slot="hobby", object="violin")
    memory.judge((old, new, "same", "repeated"))
    assert told(memory) == [("learned", "I play the violin."), ("repeated", "I do play the violin.")]


def test_a_span_holds_what_was_recorded_in_it_whether_given_by_time_or_by_position(memory: Memory) -> None:
    learn(memory, "I sail.")
    between = memory.log[-1].position
    learn(memory, "I swim.")
    last = memory.log[-1].position
    assert told(memory, START_MS + days(2)) == [("learned", "I swim.")]
    assert told(memory, START_MS, START_MS + days(2) - 1) == [("learned", "I sail.")]
    assert told(memory, between) == [("learned", "I swim.")]
    assert told(memory, START_MS, between) == [("learned", "I sail.")]
    assert told(memory, last) == []


def test_what_people_took_back_or_confirmed_is_told_with_who_did(memory: Memory) -> None:
    wrong = learn(memory, "I work at Acme.", slot="employer", object="acme")
    secret = learn(memory, "I like tea.", slot="likes", object="tea")
    start = memory.log[-1].position
    right = cell("I work at Bolt.", "fix", slot="employer", object="bolt")
    stated = (ExtractedCell(cell=right),)
    memory.add(FactConfirmed(node_id=secret))
    memory.add(FactsForgotten(node_ids=(secret,)))
    memory.add(FactCorrected(node_id=wrong, text="I work at Bolt.", speaker="Ada", cells=stated), "fix")
    kinds = [("confirmed", "I like tea."), ("forgotten", "I like tea."), ("corrected", "I work at Bolt.")]
    assert told(memory, start) == kinds
    corrected = only(memory, "corrected", start)
    assert corrected.replaced is not None
    assert (corrected.replaced.content, corrected.by) == ("I work at Acme.", "Ada")


def test_what_was_forgotten_since_is_told_without_its_words(memory: Memory) -> None:
    old = learn(memory, "I like tea.", slot="drinks", object="tea")
    new = learn(memory, "I drink mate now.", slot="drinks", object="mate")
    memory.judge((old, new, "supersedes", "changed"))
    memory.add(FactsForgotten(node_ids=(new,)))
    assert "I drink mate now." in {content for _, content in told(memory)}
    found = changes(memory.connection, Span.between(START_MS, SOON), memory.path.parent / "archive")
    assert [(change.kind, change.content) for change in found.changes] == [
        ("learned", "I like tea."),
        ("changed", ""),
        ("forgotten", ""),
    ]
    assert "mate" not in repr(found)


def test_what_fades_ends_or_is_due_counts_at_its_time_by_the_clock(memory: Memory) -> None:
    learn(memory, "I water the garden.", cell_type="task", salience=0.0, due=START_MS + days(8))
    learn(memory, "I stay in Lisbon.", holds_until=START_MS + days(9))
    learn(memory, "In 2019 I lived in Rome.", holds_until=START_MS - days(2_000))
    learn(memory, "I sing.", cell_type="opinion")
    done = memory.log[-1].position
    assert told(memory, done, START_MS + days(10)) == [("due", "I water the garden."), ("ended", "I stay in Lisbon.")]
    assert only(memory, "due", done).detail == "task, outcome unknown"
    assert only(memory, "ended", done).at == START_MS + days(9)
    faded = [change for change in digest(memory, done, LATER).changes if change.kind == "faded"]
    stored = memory.rows("SELECT fades_at FROM nodes WHERE cell_type IN ('task', 'opinion') ORDER BY fades_at")
    assert [(change.at,) for change in faded] == stored
    assert {change.position for change in faded} == {None}


def test_what_came_to_nothing_is_told_last(memory: Memory) -> None:
    message = memory.say("I sail.", session="a", event_id="sail")
    memory.close("a")
    key, generation, _ = memory.due("extract")[0]
    memory.add(JobFailed(job_key=key, generation=generation, engine=ENGINE, reason="no such model", attempts=3))
    bad = ExtractedCell(cell=cell("I fly kites.", message))
    memory.add(CellsExtracted(job_key=key, generation=generation, engine=ENGINE, cells=(bad,)))
    memory.say("Something else.", event_id="sail")
    failed, refused, parked = digest(memory).changes
    assert (failed.kind, failed.by, failed.detail) == ("failed", "test hand", f"extract job {key[:12]}, done since")
    assert (refused.kind, refused.detail.split()[0]) == ("refused", "not_quoted")
    assert (parked.kind, parked.detail) == ("parked", "id_reused, parked")
    assert {failed.subject, refused.subject, parked.subject} == {""}


def test_a_verdict_that_waits_is_held_and_changes_something_once_it_is_approved(memory: Memory) -> None:
    old = [learn(memory, f"I like number {n}.", slot="likes", object=str(n)) for n in range(5)]
    new = learn(memory, "I like no numbers.", slot="likes", object="none", ends="*")
    while len(memory.due("resolve")) > 1:
        memory.judge()
    start = memory.log[-1].position
    memory.judge(*((fact, new, "supersedes", "ended") for fact in old))
    assert [kind for kind, _ in told(memory, start)] == ["held"] * 5
    start = memory.log[-1].position
    memory.now += days(1)
    memory.add(VerdictsReviewed(pairs=((old[0], new),), approved=True))
    (change,) = digest(memory, start).changes
    assert (change.kind, change.node_id, change.by, change.at) == ("changed", new, "person", memory.now)
    assert change.detail == "ended, held until approved"
