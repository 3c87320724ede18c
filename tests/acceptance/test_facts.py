"""Facts at the command line: read, remembered, corrected, forgotten, confirmed, packed and talked about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from acceptance.memory import Memory
from support import wait_until

from mnemolog.gateway.model_server import ModelServer, Request
from mnemolog.producers import Producer
from mnemolog.projections.connection import open_reader
from mnemolog.schema.outcomes import ConflictsJudged, Engine, PairVerdict
from mnemolog.schema.recalled import BEGIN, END

FIELDS = {
    *("node_id", "type", "cell_type", "content", "subject", "slot", "object", "polarity", "scene", "salience"),
    *("confidence", "confidence_now", "valid_from", "valid_until", "fades_at", "superseded_by", "event_ids"),
}


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A memory at work, to which Ada has said what language she prefers, twice, a week apart."""
    memory = Memory(tmp_path_factory.mktemp("ada") / "data")
    with memory.up():
        for number, text in enumerate(["I prefer Python.", "I'm writing in Rust now.", "See you."]):
            say(memory, text, f"2026-06-{1 + 7 * number:02}T10:00:00Z")
        wait_until(lambda: by_object(memory, "python").get("superseded_by"), 30, "Rust to supersede Python")
        yield memory


def say(memory: Memory, text: str, at: str) -> None:
    memory.run("publish", text, "--role", "user", "--session", at, "--speaker", "Ada", "--at", at)


def by_object(memory: Memory, value: str) -> dict[str, Any]:
    """The fact about a value, live or not; empty when there is none."""
    found: list[dict[str, Any]] = memory.json("facts", "--all")
    return next((fact for fact in found if fact["object"] == value), {})


def remember(memory: Memory, text: str) -> str:
    done = memory.json("remember", text, "--speaker", "Ada")
    assert done["folded"] is True
    node_id: str = done["facts"][0]["node_id"]
    return node_id


def live(memory: Memory, *options: str) -> set[str]:
    return {fact["node_id"] for fact in memory.json("facts", *options)}


# ---- reading -----------------------------------------------------------------------------------------------------


def test_a_fact_says_all_that_is_known_of_it(ada: Memory) -> None:
    old, new = by_object(ada, "python"), by_object(ada, "rust")
    assert set(old) >= FIELDS
    assert old["superseded_by"] == new["node_id"]
    assert old["valid_until"] == new["valid_from"] == "2026-06-08T10:00:00Z"
    assert (old["status"], new["status"]) == ("superseded", "live")
    assert len(new["event_ids"]) == 1


def test_live_facts_are_told_as_of_a_day_and_by_scene(ada: Memory) -> None:
    old, new = by_object(ada, "python"), by_object(ada, "rust")
    assert old["node_id"] in live(ada, "--as-of", "2026-06-03T00:00:00Z")
    assert live(ada, "--as-of", "2026-06-09T00:00:00Z", "--now", "2026-06-03T00:00:00Z") == {new["node_id"]}
    assert old["node_id"] not in live(ada)
    assert new["node_id"] in live(ada, "--scene", new["scene"])
    assert live(ada, "--scene", "nowhere") == set()
    assert new["node_id"] in ada.run("facts").stdout


def test_history_is_the_chain_from_either_end_by_the_beginning_of_an_id(ada: Memory) -> None:
    ids = [by_object(ada, value)["node_id"] for value in ("python", "rust")]
    for node_id in ids:
        links = ada.json("history", node_id[:15])
        assert [link["node_id"] for link in links] == ids
        assert links[0]["evidence"][0]["quote"] == "I prefer Python."
        assert links[0]["verdicts"][0]["ruling"] == "supersedes"
    assert "I prefer Python." in ada.run("history", ids[1]).stdout


def test_scenes_have_their_summaries(ada: Memory) -> None:
    scene = by_object(ada, "rust")["scene"]
    (found,) = [one for one in ada.json("scenes") if one["scene"] == scene]
    assert set(found) == {"scene", "summary", "cells", "updated_at", "stale"}
    assert "Rust" in found["summary"]
    assert scene in ada.run("scenes").stdout


def test_a_context_is_marked_fits_its_budget_and_tells_what_was_before(ada: Memory) -> None:
    found = ada.json("context", "What language should I use for a CLI tool?", "--budget", "400")
    assert found["text"].startswith(BEGIN)
    assert found["text"].endswith(END)
    assert "Ada prefers Rust" in found["text"]
    assert "before that" in found["text"]
    assert found["tokens"] <= found["budget"] == 400
    then = ada.json("context", "What language should I use?", "--now", "2026-06-03T00:00:00Z")
    assert then["facts"] == [by_object(ada, "python")["node_id"]]
    nothing = ada.run("context", "zzyzx qwrtplk")
    assert (nothing.stdout, nothing.stderr) == ("", "nothing relevant\n")


def test_what_is_recalled_now_is_reinforced_and_nothing_else_is(ada: Memory) -> None:
    node_id = remember(ada, "I play the theremin.")

    def accesses() -> int:
        count: int = next(fact for fact in ada.json("facts") if fact["node_id"] == node_id)["access_count"]
        return count

    ada.ask("Who plays the theremin?", "--no-record")
    ada.ask("Who plays the theremin?", "--now", "2026-01-01T00:00:00Z")
    ada.json("context", "theremin", "--no-record")
    ada.ask("zzyzx qwrtplk", "--fallback")
    ada.json("wait")
    assert accesses() == 0
    assert node_id in {result["node_id"] for result in ada.ask("Who plays the theremin?")}
    wait_until(lambda: accesses() == 1, what="the recall to be recorded")
    assert node_id in ada.json("context", "theremin")["facts"]
    wait_until(lambda: accesses() == 2, what="the context to be recorded")


# ---- changing ----------------------------------------------------------------------------------------------------


def test_what_was_said_is_a_fact_as_soon_as_its_session_is_closed(memory: Memory) -> None:
    with memory.up():
        memory.run("publish", "I prefer Rust.", "--role", "user", "--session", "a", "--speaker", "Ada")
        memory.run("wait")
        nothing = memory.run("facts")
        assert (nothing.stdout, "when its window closes" in nothing.stderr) == ("", True)
        memory.run("close", "a")
        memory.run("wait")
        assert "prefers Rust" in memory.run("facts").stdout


@pytest.mark.parametrize("command", ["verdicts", "requests", "dead-letters", "jobs", "token"])
def test_a_list_says_that_it_is_empty(ada: Memory, command: str) -> None:
    listed = ada.run(command, "list")
    assert listed.stdout == ""
    assert len(listed.stderr.splitlines()) == 1


def test_what_is_remembered_is_a_fact_at_once(ada: Memory) -> None:
    done = ada.run("remember", "My locker is number 17.", "--speaker", "Ada")
    assert "Ada's locker is number 17" in done.stdout
    assert ada.ask("locker", "--type", "semantic")[0]["content"].startswith("Ada's locker")


def test_a_correction_takes_the_place_of_what_was_never_true(ada: Memory) -> None:
    wrong = remember(ada, "I work at Acme.")
    right = ada.json("correct", wrong, "Bolt")["facts"][0]
    assert right["content"] == "Ada works at Bolt."
    found = {fact["node_id"]: fact for fact in ada.json("facts", "--all")}
    assert found[wrong]["status"] == "corrected"
    assert found[right["node_id"]]["valid_from"] == found[wrong]["valid_from"]
    assert wrong not in {result["node_id"] for result in ada.ask("Where does Ada work? Acme?")}
    ada.run("confirm", wrong, status=2)


def test_a_fact_is_confirmed_and_unpinned(ada: Memory) -> None:
    node_id = remember(ada, "I speak Welsh.")
    ada.json("confirm", node_id)
    assert by_object(ada, "welsh")["pinned"] is True
    assert by_object(ada, "welsh")["fades_at"] is None
    ada.run("unpin", node_id)
    assert by_object(ada, "welsh")["pinned"] is False


def test_what_was_superseded_holds_again_when_a_person_says_so(ada: Memory) -> None:
    old = remember(ada, "I live in Munich.")
    new = remember(ada, "I moved to Berlin.")
    wait_until(lambda: by_object(ada, "munich")["superseded_by"], 30, "Berlin to supersede Munich")
    ada.run("unsupersede", old)
    assert {old, new} <= live(ada)
    assert "nothing retires" in ada.run("unsupersede", old, status=2).stderr


def test_forgetting_shows_first_asks_and_then_hides_the_evidence_too(ada: Memory) -> None:
    node_id = remember(ada, "I am allergic to peanuts.")
    plan = ada.json("forget", "that I am allergic to peanuts")
    assert [fact["node_id"] for fact in plan["facts"]] == [node_id]
    assert [one["content"] for one in plan["hides"]] == ["I am allergic to peanuts."]
    assert plan["forgotten"] is False
    refused = ada.run("forget", "my peanut allergy", text="n\n")
    assert "Ada is allergic to peanuts." in refused.stdout
    assert node_id in live(ada)
    ada.run("forget", "my peanut allergy", text="y\n")
    assert node_id not in live(ada)
    assert ada.ask("peanuts") == []
    assert by_object(ada, "peanut")["status"] == "forgotten"


def test_forgetting_by_an_id_needs_no_words(ada: Memory) -> None:
    node_id = remember(ada, "I like bagpipes.")
    assert ada.json("forget", node_id[:15], "--yes")["forgotten"] is True
    assert node_id not in live(ada)


@pytest.mark.parametrize("text", ["the moon landing", "everything", "", "Forget this request"])
def test_nothing_is_forgotten_that_was_not_surely_meant(ada: Memory, text: str) -> None:
    before = live(ada)
    found = ada.json("forget", "--yes", text)
    assert (found["facts"], found["forgotten"]) == ([], False)
    assert live(ada) == before


@pytest.mark.parametrize(
    "command",
    [
        ("history", "ce-0000000000"),
        ("confirm", "nonsense"),
        ("correct", "ce-", "x"),
        ("forget", "ce-0000000000000"),
        ("remember", " "),
        ("verdicts", "approve"),
        ("verdicts", "approve", "--all"),
        ("context", "x", "--budget", "1"),
    ],
    ids=" ".join,
)
def test_what_names_nothing_is_refused_with_a_reason(ada: Memory, command: tuple[str, ...]) -> None:
    done = ada.run(*command, status=2)
    assert done.stdout == ""
    assert done.stderr


def test_no_verdict_waits(ada: Memory) -> None:
    assert ada.json("verdicts", "list") == []
    assert {pair["state"] for pair in ada.json("verdicts", "list", "--all")} == {"in_force"}


def test_the_live_file_is_what_its_log_says(ada: Memory) -> None:
    ada.json("wait")
    assert ada.json("replay", "--verify")["equal"] is True


# ---- verdicts ----------------------------------------------------------------------------------------------------


def test_verdicts_that_would_retire_too_much_wait_until_a_person_decides(memory: Memory) -> None:
    with memory.start("ingest") as writer:
        writer.wait_for("mnemolog writes")
        old = [remember(memory, f"I like the number {number}.") for number in ("one", "two", "three", "four", "five")]
        new = remember(memory, "I do not like numbers.")
        with closing(open_reader(memory.file)) as connection:
            key, generation = connection.execute(
                "SELECT job_key, generation FROM jobs WHERE kind = 'resolve' ORDER BY position_ms DESC LIMIT 1"
            ).get
        judged = ConflictsJudged(
            job_key=key,
            generation=generation,
            engine=Engine(name="test"),
            verdicts=tuple(PairVerdict(fact, new, "supersedes", "ended") for fact in old),
        )
        with Producer(data=memory.data) as producer:
            producer.send(producer.event(judged))
        waiting = wait_until(lambda: memory.json("verdicts", "list"), what="verdicts to wait")
        assert {pair["state"] for pair in waiting} == {"held"}
        assert len(waiting) == 5
        memory.run("verdicts", "approve", old[0])
        assert memory.json("verdicts", "reject", new, old[1])["folded"] is True
        assert len(memory.json("verdicts", "list")) == 3
        memory.run("verdicts", "reject", "--all")
        assert memory.json("verdicts", "list") == []
        assert set(old) - live(memory) == {old[0]}
        shown = memory.run("verdicts", "list", "--all").stdout
        assert shown.count("in_force") == 1
        assert shown.count("rejected") == 4


# ---- without a writer --------------------------------------------------------------------------------------------


def test_a_request_without_a_writer_is_kept_and_says_so(memory: Memory) -> None:
    done = memory.run("remember", "I work at Acme.", "--speaker", "Ada")
    assert "no writer is running" in done.stderr
    with memory.up():
        memory.run("wait")
        assert len(live(memory)) == 1
        done = memory.json("remember", "I live in Berlin.", "--speaker", "Ada", "--no-wait")
        assert done["folded"] is False
        memory.run("wait")
    assert memory.server() is None
    assert memory.json("context", "Where does Ada work?")["facts"]
    assert memory.server() is None


def test_reading_a_memory_that_is_not_there_says_so(memory: Memory) -> None:
    for command in (("facts",), ("scenes",), ("history", "ce-1"), ("context", "x"), ("confirm", "ce-1")):
        memory.run(*command, status=6)


# ---- chat --------------------------------------------------------------------------------------------------------


def test_a_chat_without_a_model_says_so_and_shows_the_context(ada: Memory) -> None:
    done = ada.run("chat", "--speaker", "Ada", "--session", "talk", text="Which language do I prefer?\n\nThanks.\n")
    assert "no model" in done.stderr
    assert done.stdout.startswith(BEGIN)
    assert "Ada prefers Rust" in done.stdout
    ada.json("wait")
    said = [found["content"] for found in ada.ask("Which language do I prefer?", "--type", "episodic")]
    assert said.count("Which language do I prefer?") == 1
    assert not any(BEGIN in content for content in said)


def test_a_chat_with_a_model_answers_from_what_was_recalled_and_publishes_both_turns(ada: Memory) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> str:
        asked.append(request)
        return f"You prefer Rust. {BEGIN} leaked {END}"

    with ModelServer(answer) as server:
        chatty = Memory(ada.data, MNEMOLOG_MODEL="stand-in", OPENAI_BASE_URL=server.url)
        done = chatty.run("chat", "--speaker", "Ada", text="Which language do I like best?\n")
    assert done.stdout == "You prefer Rust.\n"
    assert BEGIN in asked[0].text
    assert "Ada prefers Rust" in asked[0].text
    assert asked[0].text.endswith("Which language do I like best?")
    ada.json("wait")
    (reply,) = [found for found in ada.ask("You prefer Rust.") if found["role"] == "assistant"]
    assert reply["content"] == "You prefer Rust."


def test_a_chat_with_a_model_that_is_away_says_so_and_goes_on(ada: Memory) -> None:
    lost = Memory(ada.data, MNEMOLOG_MODEL="stand-in", OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    done = lost.run("chat", "--json", text="One question.\nAnother one.\n")
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["cannot be reached" in turn["problem"] for turn in turns] == [True, True]
