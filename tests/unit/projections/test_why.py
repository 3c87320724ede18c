"""Why: the story of a fact, a message and a topic, from the file and from the archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.folding import ENGINE, START_MS, Memory, cell, days, keys_of

from mnemolog.projections.logged import events_at
from mnemolog.projections.reasons.decisions import decisions
from mnemolog.projections.why import FactStory, MessageStory, why, why_scene
from mnemolog.schema.archive import ArchiveWriter, Entry, seal
from mnemolog.schema.cells import Mention
from mnemolog.schema.ids import Position
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, ExtractedCell, JobFailed, PairVerdict
from mnemolog.schema.requests import (
    FactConfirmed,
    FactCorrected,
    FactRemembered,
    FactsForgotten,
    FactUnpinned,
    NodesRecalled,
    VerdictGiven,
)

LATER = START_MS + days(30)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "a.db")


def archived(memory: Memory) -> Path:
    """The log of a memory as an archive of small segments, all but the last of them sealed."""
    folder = memory.path.parent / "archive"
    writer = ArchiveWriter(folder, segment_bytes=1_000)
    for entry in memory.log:
        writer.append([entry])
        writer.rotate()
    for number in writer.unsealed():
        seal(folder, number)
    writer.close()
    return folder


def story_of(memory: Memory, node_id: str) -> FactStory:
    found = why(memory.connection, node_id, LATER, archived(memory))
    assert isinstance(found, FactStory)
    return found


def extract(memory: Memory, text: str, session: str, raw: str = "the reply", **fields) -> str:
    """A message and a fact, with the engine's reply."""
    memory.now += days(1)
    message = memory.say(text, session=session, event_id=f"{session}:{text}")
    memory.close(session)
    key, generation, _ = memory.due("extract")[0]
    said = cell(text, message, **fields)
    memory.add(
        CellsExtracted(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            raw=raw,
            cells=(ExtractedCell(cell=said, entities=keys_of(said.entities)),),
        )
    )
    return memory.get("SELECT node_id FROM cells WHERE job_key = ?", key)


def test_a_fact_tells_its_message_its_quote_and_the_reply_that_it_was_taken_from(memory: Memory) -> None:
    node_id = extract(memory, "I prefer Python.", "a", raw='{"cells": ["python"]}')
    story = story_of(memory, node_id)
    (said,) = story.said
    assert (said.quote, said.content, said.speaker, said.session) == (
        "I prefer Python.",
        "I prefer Python.",
        "Ada",
        "a",
    )
    assert said.event_id == "a:I prefer Python."
    assert story.extraction is not None
    assert story.extraction.raw == '{"cells": ["python"]}'
    outcome = story.extraction.outcome
    assert (outcome.engine, outcome.model, outcome.prompt_version) == ("test", "hand", "1")
    assert memory.get("SELECT event_id FROM events WHERE ms = ? AND seq = ?", *outcome.position) == outcome.event_id
    assert story.requests == ()


def test_a_fact_tells_its_verdicts_with_who_judged_and_what_stands_before_and_after_it(memory: Memory) -> None:
    old = extract(memory, "I prefer Python.", "a", slot="preferred_language", object="python")
    new = extract(memory, "I write Rust now.", "b", slot="preferred_language", object="rust")
    key, generation, _ = memory.due("resolve")[0]
    memory.add(
        ConflictsJudged(
            job_key=key,
            generation=generation,
            engine=ENGINE,
            raw="changed, surely",
            verdicts=(PairVerdict(old, new, "supersedes", "changed"),),
        )
    )
    story = story_of(memory, old)
    (verdict,) = story.verdicts
    assert (verdict.other, verdict.ruling, verdict.kind, verdict.judge) == (new, "supersedes", "changed", "engine")
    assert verdict.other_content == "I write Rust now."
    assert verdict.conclusion is not None
    assert verdict.conclusion.raw == "changed, surely"
    assert (story.superseded_by, story.supersedes) == ((new,), ())
    assert [link.node_id for link in story.chain] == [old, new]
    assert story.fact.status == "superseded"
    assert story_of(memory, new).supersedes == (old,)


def test_what_people_asked_about_a_fact_is_told_in_order(memory: Memory) -> None:
    node_id = extract(memory, "I work at Acme.", "a", slot="employer", object="acme")
    other = extract(memory, "I like tea.", "b", slot="likes", object="tea")
    memory.add(FactConfirmed(node_id=node_id), "pin")
    memory.add(FactUnpinned(node_id=node_id), "unpin")
    memory.add(VerdictGiven(first=node_id, second=other, ruling="compatible"), "judge")
    bolt = cell("I work at Bolt.", "fix", slot="employer", object="bolt")
    memory.add(FactCorrected(node_id=node_id, text="I work at Bolt.", cells=(ExtractedCell(cell=bolt),)), "fix")
    memory.add(FactsForgotten(node_ids=(other,)), "forget")
    kinds = ["confirmed", "unpinned", "judged", "corrected"]
    assert [decision.kind for decision in story_of(memory, node_id).requests] == kinds
    assert [decision.event_id for decision in story_of(memory, other).requests] == ["judge", "forget"]
    right = memory.get("SELECT node_id FROM cells WHERE object = 'bolt'")
    story = story_of(memory, right)
    assert story.extraction is None
    (corrected,) = story.requests
    assert (corrected.kind, corrected.text, corrected.stated) == ("corrected", "I work at Bolt.", (right,))
    (verdict,) = story.verdicts
    assert (verdict.judge, verdict.kind, verdict.conclusion) == ("person", "correction", None)


def test_what_was_remembered_was_asked_for_and_not_extracted(memory: Memory) -> None:
    said = cell("My locker is 17.", "ask", basis="requested")
    memory.add(FactRemembered(text="My locker is 17.", speaker="Ada", cells=(ExtractedCell(cell=said),)), "ask")
    node_id = memory.get("SELECT node_id FROM cells")
    story = story_of(memory, node_id)
    assert story.extraction is None
    (request,) = story.requests
    assert (request.kind, request.speaker, request.text) == ("remembered", "Ada", "My locker is 17.")


def test_the_recalls_that_reinforced_a_fact_are_told(memory: Memory) -> None:
    node_id = extract(memory, "I prefer Python.", "a")
    memory.add(NodesRecalled(recalls=((memory.now, (node_id,)), (memory.now + 5, (node_id,)))))
    found = [(one.at, one.times) for one in story_of(memory, node_id).reinforced]
    assert found == [(memory.now, 1), (memory.now + 5, 1)]


def test_a_message_tells_its_window_and_what_was_taken_from_it(memory: Memory) -> None:
    first = memory.say("Hello there.", session="a", event_id="hello")
    second = memory.say("I prefer Python.", session="a", event_id="python")
    node = "SELECT node_id FROM nodes WHERE event_id = ? AND type = 'episodic'"
    hello, python = memory.get(node, first), memory.get(node, second)

    def told() -> MessageStory:
        found = why(memory.connection, python, LATER, archived(memory))
        assert isinstance(found, MessageStory)
        return found

    assert (told().window.state, told().before, told().after) == ("open", (hello,), ())
    memory.close("a")
    assert told().window.state == "due"
    key, generation, _ = memory.due("extract")[0]
    memory.add(JobFailed(job_key=key, generation=generation, engine=ENGINE, reason="the model is away", attempts=3))
    assert (told().window.state, told().window.why) == ("failed", "the model is away")
    late = ExtractedCell(cell=cell("I prefer Python.", second))
    memory.add(CellsExtracted(job_key=key, generation=generation, engine=ENGINE, raw="at last", cells=(late,)))
    story = told()
    assert story.window.state == "done"
    assert [one.raw for job in story.jobs for one in job.conclusions] == ["", "at last"]
    assert [fact.content for fact in story.facts] == ["I prefer Python."]


@pytest.mark.parametrize(
    ("said", "why_not"),
    [
        ({"role": "tool"}, "what a tool says makes no facts"),
        ({"role": "system"}, "what a system says makes no facts"),
        ({"source_type": "recall"}, "the text was recalled from a memory"),
    ],
)
def test_a_message_that_no_engine_reads_says_why(memory: Memory, said: dict[str, str], why_not: str) -> None:
    event_id = memory.say("I prefer Python.", **said)
    node_id = memory.get("SELECT node_id FROM nodes WHERE event_id = ?", event_id)
    story = why(memory.connection, node_id, LATER, archived(memory))
    assert isinstance(story, MessageStory)
    assert (story.window.state, story.window.why) == ("not_extractable", why_not)


def test_a_topic_tells_its_facts_and_no_topic_is_none(memory: Memory) -> None:
    node_id = extract(memory, "I prefer Python.", "a", scene="coding", entities=(Mention("Python", "tool"),))
    story = why_scene(memory.connection, "coding", LATER, archived(memory))
    assert story is not None
    assert [fact.node_id for fact in story.facts] == [node_id]
    assert story.jobs == ()
    assert why_scene(memory.connection, "cooking", LATER, archived(memory)) is None


def test_without_the_archive_a_story_is_told_as_far_as_the_file_knows_it(memory: Memory, tmp_path: Path) -> None:
    node_id = extract(memory, "I prefer Python.", "a")
    memory.add(FactConfirmed(node_id=node_id))
    story = why(memory.connection, node_id, LATER, tmp_path / "nowhere")
    assert isinstance(story, FactStory)
    assert story.extraction is not None
    assert story.extraction.raw is None
    assert story.requests == ()


def test_events_are_found_at_their_positions_in_whichever_segment_they_are(memory: Memory) -> None:
    for number in range(40):
        memory.say(f"Message number {number}.", event_id=f"m{number}")
    memory.log[-1:] = [Entry(memory.log[-1].position, b"no event")]
    folder = archived(memory)
    assert len(list(folder.glob("*.gz"))) > 5
    places = [entry.position for entry in memory.log]
    wanted = [*places[::7], places[-1], Position(1, 1), Position(places[3].ms, 999)]
    assert {position: event.id for position, event in events_at(folder, wanted).items()} == {
        place: memory.get("SELECT event_id FROM events WHERE ms = ? AND seq = ?", *place) for place in places[::7]
    }
    assert events_at(folder, []) == {}


def test_decisions_are_those_between_two_positions(memory: Memory) -> None:
    node_id = extract(memory, "I prefer Python.", "a")
    for name in ("one", "two", "three"):
        memory.add(FactConfirmed(node_id=node_id), name)
    folder = archived(memory)
    places = [decision.position for decision in decisions(memory.connection, folder)]
    found = decisions(memory.connection, folder, places[0], places[1])
    assert [decision.event_id for decision in found] == ["two"]
