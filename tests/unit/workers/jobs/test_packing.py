"""What a job's payload holds."""

from __future__ import annotations

import pytest
from support.folding import Memory, days

from mnemolog.schema import jobs
from mnemolog.schema.ids import episode_id
from mnemolog.schema.jobs import ConsolidateWork, ExtractWork, JobMessage, ResolveWork, decode_work, encode_work
from mnemolog.schema.outcomes import CellsExtracted, ConflictsJudged, JobKind, SceneConsolidated
from mnemolog.schema.policy import Policy, WindowPolicy
from mnemolog.schema.requests import FactsForgotten
from mnemolog.schema.summaries import bounded
from mnemolog.workers.fold.scenes import seen_hash
from mnemolog.workers.jobs import packing
from mnemolog.workers.jobs.candidates import Vectors
from mnemolog.workers.jobs.packing import DueJob, pack


def packed(memory: Memory, kind: JobKind, vectors: Vectors, number: int = -1) -> object:
    key, generation, inputs = memory.due(kind)[number]
    return pack(memory.connection, "test", DueJob(key, generation, kind, tuple(inputs), memory.now), vectors)


def window(memory: Memory, vectors: Vectors) -> ExtractWork:
    work = packed(memory, "extract", vectors)
    assert isinstance(work, ExtractWork)
    assert decode_work(encode_work(work)) == work
    return work


def test_a_window_comes_in_order_of_time(memory: Memory, vectors: Vectors) -> None:
    for at in (3, 1, 2):
        memory.say(f"message {at}", at=memory.now + at)
    memory.close()
    assert [message.content for message in window(memory, vectors).messages] == ["message 1", "message 2", "message 3"]


def test_earlier_messages_of_the_session_are_marked_as_read(memory: Memory, vectors: Vectors) -> None:
    for number in range(8):
        memory.say(f"first {number}", at=memory.now + number)
    memory.say("recalled", at=memory.now + 8, source_type="recall")
    memory.say("a rule", at=memory.now + 9, role="system")
    memory.say("elsewhere", at=memory.now + 9, session="t")
    memory.say("second", at=memory.now + 10)
    memory.close()
    shown = [(message.content, message.read) for message in window(memory, vectors).messages]
    assert shown == [*((f"first {number}", True) for number in range(4, 8)), ("second", False)]


def test_what_a_person_had_forgotten_is_no_context(memory: Memory, vectors: Vectors) -> None:
    node = memory.state("Ada has a secret", memory.now, "s")
    memory.add(FactsForgotten(node_ids=(node,)))
    memory.say("I like tea", at=memory.now + 1)
    memory.close()
    work = window(memory, vectors)
    assert [message.content for message in work.messages] == ["I like tea"]
    assert work.facts == ()


def test_the_facts_are_live_ones_about_the_speakers_newest_last(memory: Memory, vectors: Vectors) -> None:
    first = memory.state("Ada works at Acme", memory.now, "a", slot="employer", object="acme")
    second = memory.state("Ada works at Globex", memory.now + days(1), "b", slot="employer", object="globex")
    memory.judge((first, second, "supersedes"))
    memory.state("Ada likes tea", memory.now + days(2), "c", slot="likes", object="tea")
    memory.state("Ben likes tea", memory.now + days(3), "d", subject="Ben", slot="likes", object="tea")
    memory.say("Hello there", at=memory.now + days(4))
    memory.close()
    assert [fact.cell.content for fact in window(memory, vectors).facts] == ["Ada works at Globex", "Ada likes tea"]


def test_of_many_facts_the_nearest_and_the_last_are_packed(memory: Memory, vectors: Vectors) -> None:
    memory.state("Ada plays the violin in an orchestra", memory.now, "violin")
    for number in range(40):
        memory.state(f"Ada bought {number} tins of paint", memory.now + days(1 + number), f"s{number}")
    memory.say("My violin is broken", at=memory.now + days(90), session="z")
    memory.close("z")
    facts = [fact.cell.content for fact in window(memory, vectors).facts]
    assert len(facts) == packing.FACTS
    assert facts[0] == "Ada plays the violin in an orchestra"
    assert facts[-1] == "Ada bought 39 tins of paint"


def test_of_many_scenes_the_nearest_thirty_are_packed(memory: Memory, vectors: Vectors) -> None:
    for number in range(40):
        memory.state(f"Ada has {number} tins", memory.now + days(number), f"s{number}", scene=f"tin {number}")
    memory.state("Ada plays the violin", memory.now, "v", scene="violin lesson")
    memory.say("My violin is broken", at=memory.now + days(90), session="z")
    memory.close("z")
    scenes = window(memory, vectors).scenes
    assert len(scenes) == packing.SCENES
    assert "violin lesson" in scenes


def test_a_payload_has_a_bound_and_a_message_keeps_its_beginning(memory: Memory, vectors: Vectors) -> None:
    memory.say("earlier", at=memory.now - 1)
    memory.close()
    memory.extract()
    memory.say("short", at=memory.now)
    memory.say("long " + "\N{SNOWMAN}" * 600_000, at=memory.now + 1)
    memory.close()
    work = window(memory, vectors)
    assert len(encode_work(work).encode()) <= jobs.MAX_PAYLOAD_BYTES
    assert [message.read for message in work.messages] == [False, False]
    assert work.messages[0].content == "short"
    assert work.messages[1].content.startswith("long \N{SNOWMAN}")


def test_context_is_left_out_before_facts_and_facts_before_words(
    monkeypatch: pytest.MonkeyPatch, memory: Memory, vectors: Vectors
) -> None:
    memory.state("Ada likes tea and says so at length", memory.now, "s")
    memory.say("new words", at=memory.now + 5)
    memory.close()
    whole = window(memory, vectors)
    assert (len(whole.messages), len(whole.facts)) == (2, 1)
    size = len(encode_work(whole).encode())
    monkeypatch.setattr(packing, "MAX_PAYLOAD_BYTES", size - 1)
    without_context = window(memory, vectors)
    assert (len(without_context.messages), len(without_context.facts)) == (1, 1)
    monkeypatch.setattr(packing, "MAX_PAYLOAD_BYTES", len(encode_work(without_context).encode()) - 1)
    without_facts = window(memory, vectors)
    assert (without_facts.messages[0].content, without_facts.facts) == ("new words", ())


def test_a_window_without_messages_needs_no_engine(memory: Memory, vectors: Vectors) -> None:
    job = DueJob("0" * 32, 1, "extract", (episode_id("nobody"),), 0)
    outcome = pack(memory.connection, "test", job, vectors)
    assert isinstance(outcome, CellsExtracted)
    assert (outcome.engine.name, outcome.cells) == ("none", ())


def test_pairs_come_with_the_cells_that_they_name(memory: Memory, vectors: Vectors) -> None:
    first = memory.state("Ada works at Acme", memory.now, "a", slot="employer", object="acme")
    second = memory.state("Ada works at Globex", memory.now + days(1), "b", slot="employer", object="globex")
    work = packed(memory, "resolve", vectors)
    assert isinstance(work, ResolveWork)
    assert work.pairs == (tuple(sorted((first, second))),)
    assert {cell.id: cell.cell.object for cell in work.cells} == {first: "acme", second: "globex"}
    assert decode_work(encode_work(work)) == work


def test_without_a_pair_the_outcome_is_known(memory: Memory, vectors: Vectors) -> None:
    memory.state("Ada is allergic to peanuts", memory.now, "a", slot="allergy", object="peanut")
    memory.state("Ada drives a red tractor", memory.now + days(1), "b", slot="owns", object="tractor")
    outcome = packed(memory, "resolve", vectors)
    assert isinstance(outcome, ConflictsJudged)
    assert (outcome.engine.name, outcome.verdicts, outcome.candidates) == ("none", (), 0)


def test_too_many_pairs_are_cut_to_the_bound(monkeypatch: pytest.MonkeyPatch, memory: Memory, vectors: Vectors) -> None:
    for day in range(6):
        memory.state(
            f"Ada works at employer {day}", memory.now + days(day), f"s{day}", slot="employer", object=str(day)
        )
        for _ in memory.due("resolve")[: day < 5]:
            memory.judge()
    whole = packed(memory, "resolve", vectors)
    assert isinstance(whole, ResolveWork)
    monkeypatch.setattr(packing, "MAX_PAYLOAD_BYTES", len(encode_work(whole).encode()) - 1)
    cut = packed(memory, "resolve", vectors)
    assert isinstance(cut, ResolveWork)
    assert 0 < len(cut.pairs) < len(whole.pairs)


def test_a_scene_comes_with_its_most_salient_live_cells(memory: Memory, vectors: Vectors) -> None:
    for number in range(25):
        memory.state(
            f"Ada fact {number}",
            memory.now + days(number),
            f"s{number}",
            scene="work",
            salience=number / 30,
            object=str(number),
        )
    work = packed(memory, "consolidate", vectors)
    assert isinstance(work, ConsolidateWork)
    assert len(work.cells) == packing.SCENE_CELLS
    assert [cell.content for cell in work.cells[:2]] == ["Ada fact 24", "Ada fact 23"]
    assert work.seen == seen_hash(memory.rows("SELECT node_id FROM cells")[n][0] for n in range(25))


def test_a_scene_that_shrank_to_one_cell_needs_no_engine(memory: Memory, vectors: Vectors) -> None:
    first = memory.state("Ada works at Acme", memory.now, "a", slot="employer", object="acme", scene="work")
    second = memory.state(
        "Ada works at Globex", memory.now + days(1), "b", slot="employer", object="globex", scene="work"
    )
    memory.judge((first, second, "supersedes"))
    outcome = packed(memory, "consolidate", vectors)
    assert isinstance(outcome, SceneConsolidated)
    assert outcome.engine.name == "none"
    memory.add(outcome)
    assert memory.due("consolidate") == []
    assert memory.get("SELECT summary, stale FROM scenes") == (bounded("Ada works at Globex"), 0)


def test_a_window_may_be_as_wide_as_the_policy_says(tmp_path_factory: pytest.TempPathFactory, vectors: Vectors) -> None:
    memory = Memory(tmp_path_factory.mktemp("wide") / "space.db", Policy(window=WindowPolicy(messages=50)))
    for number in range(50):
        memory.say(f"message {number}", at=memory.now + number)
    work = window(memory, vectors)
    assert [type(message) for message in work.messages] == [JobMessage] * 50
