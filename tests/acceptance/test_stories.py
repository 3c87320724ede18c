"""Whole stories at the command line: facts that change over weeks, told forwards and backwards; what is not believed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pytest
from acceptance.memory import Memory

from mnemolog.gateway.model_server import ModelServer, Request
from mnemolog.schema.ids import episode_id
from mnemolog.schema.recalled import BEGIN

WEEKS = (
    ("w1", "2026-03-02T10:00:00+01:00", "I prefer Python."),
    ("w1", "2026-03-02T10:01:00+01:00", "I work at Company A."),
    ("w2", "2026-03-09T10:00:00+01:00", "I'm writing in Rust now."),
    ("w2", "2026-03-09T10:01:00+01:00", "I started at Company B."),
)
PROJECT = (
    ("p", "2026-03-16T10:00:00+01:00", "We are building an agent that remembers projects long term."),
    ("p", "2026-03-16T10:01:00+01:00", "It should organize conversations into topics automatically."),
    ("p", "2026-03-16T10:02:00+01:00", "This memory system should support future reasoning."),
)
IN_WEEK_3 = ("--now", "2026-03-17T10:00:00+01:00")


def line(session: str, at: str, content: str, speaker: str = "Ada") -> str:
    return json.dumps(
        {
            "id": f"{session}-{content[:80]}",
            "session": session,
            "role": "user",
            "speaker": speaker,
            "content": content,
            "at": at,
        }
    )


def import_of(memory: Memory, lines: Iterable[str]) -> None:
    memory.data.mkdir(exist_ok=True)
    path = memory.data.parent / "told.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    memory.run("import", path, "--drain")


@pytest.fixture(scope="module", params=["forwards", "backwards", "one by one, backwards"])
def weeks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """A memory that was told of three weeks."""
    memory = Memory(tmp_path_factory.mktemp("weeks") / "data")
    told = [line(*said) for said in (*WEEKS, *PROJECT)]
    if request.param == "forwards":
        import_of(memory, told)
    elif request.param == "backwards":
        import_of(memory, reversed(told))
    else:
        import_of(memory, reversed(told[len(WEEKS) :]))
        for single in reversed(told[: len(WEEKS)]):
            import_of(memory, [single])
    return memory


def facts_of(memory: Memory, *options: str) -> dict[str, dict[str, Any]]:
    return {fact["object"]: fact for fact in memory.json("facts", "--all", *options)}


@pytest.mark.parametrize(
    ("query", "slot", "old", "new", "was", "now"),
    [
        (
            "What language should I use for a CLI tool?",
            "preferred_programming_language",
            *("python", "rust", "I prefer Python.", "Ada prefers Rust as programming language."),
        ),
        ("Where do I work?", "employer", "company a", "company b", "I work at Company A.", "Ada works at Company B."),
    ],
)
def test_what_changed_is_told_as_it_is_now_and_what_was_as_history(
    weeks: Memory, query: str, slot: str, old: str, new: str, was: str, now: str
) -> None:
    facts = facts_of(weeks)
    assert (facts[old]["slot"], facts[new]["slot"]) == (slot, slot)
    assert facts[old]["valid_until"] == facts[new]["valid_from"]
    assert facts[old]["superseded_by"] == facts[new]["node_id"]
    assert facts[new]["valid_until"] is None

    results = weeks.ask(query, *IN_WEEK_3, "--no-record")
    assert results[0]["content"] == now
    assert results[0]["supersedes"] == [facts[old]["node_id"]]
    assert facts[old]["node_id"] not in {result["node_id"] for result in results}
    assert [result["type"] for result in results if result["content"] == was] in ([], ["episodic"])

    context = weeks.run("context", query, *IN_WEEK_3, "--no-record").stdout
    assert now in context
    began = [datetime.fromisoformat(facts[name]["valid_from"]) for name in (new, old)]
    since_new, since_old = (f"since {day.day} {day:%B %Y}" for day in began)
    assert re.search(rf"{since_new}; before that .+, {since_old}", context)


def test_each_order_has_the_same_facts_with_the_same_validity(weeks: Memory) -> None:
    found = {name: (fact["valid_from"], fact["valid_until"]) for name, fact in facts_of(weeks).items()}
    week_1, week_2 = "2026-03-02T09:0{}:00Z", "2026-03-09T09:0{}:00Z"
    assert found["python"] == (week_1.format(0), week_2.format(0))
    assert found["rust"] == (week_2.format(0), None)
    assert found["company a"] == (week_1.format(1), week_2.format(1))
    assert found["company b"] == (week_2.format(1), None)
    assert weeks.json("replay", "--verify")["equal"] is True


def test_a_history_shows_the_chain_with_its_evidence(weeks: Memory) -> None:
    chain = weeks.json("history", facts_of(weeks)["rust"]["node_id"])
    assert [link["object"] for link in chain] == ["python", "rust"]
    assert [link["evidence"][0]["quote"] for link in chain] == ["I prefer Python.", "I'm writing in Rust now."]


def test_sentences_about_a_project_are_facts_in_few_scenes(weeks: Memory) -> None:
    said = {f"p-{content}" for _, _, content in PROJECT}
    about = [fact for fact in facts_of(weeks).values() if said & set(fact["event_ids"])]
    assert len(about) >= 3
    names = {fact["scene"] for fact in about}
    assert len(names) <= 2
    summaries = {scene["scene"]: scene["summary"] for scene in weeks.json("scenes")}
    assert all(summaries[name] for name in names)


# ---- what is not learnt ----------------------------------------------------------------------------------------------


def test_what_a_context_told_is_not_learnt_again(memory: Memory) -> None:
    import_of(memory, [line(*said) for said in WEEKS])
    before = memory.json("facts", "--all")
    context = memory.run("context", "Which language, which company?", *IN_WEEK_3, "--no-record").stdout
    assert BEGIN in context
    told = [
        line("again", "2026-03-20T10:00:00+01:00", context),
        json.dumps({**json.loads(line("s", "2026-03-20T11:00:00+01:00", "I prefer Haskell.")), "role": "system"}),
        json.dumps({**json.loads(line("t", "2026-03-20T12:00:00+01:00", "I prefer Haskell.")), "role": "tool"}),
    ]
    import_of(memory, told)
    assert memory.json("status")["nodes"]["episodic"] == len(WEEKS) + len(told)
    assert {fact["node_id"] for fact in memory.json("facts", "--all")} == {fact["node_id"] for fact in before}


class Liar:
    """A model that finds a fact in every message, and judges as it is told to."""

    def __init__(self) -> None:
        self.verdicts: list[dict[str, str]] = []

    def __call__(self, request: Request) -> dict[str, Any]:
        if request.kind == "extract":
            return {"cells": [self.cell(message) for message in request.messages]}
        return {"verdicts": self.verdicts} if request.kind == "resolve" else {"summary": "What they like."}

    @staticmethod
    def cell(message: dict[str, Any]) -> dict[str, Any]:
        return {
            "content": message["content"].replace("I like", f"{message['speaker']} likes"),
            "cell_type": "preference",
            "subject": message["speaker"],
            "scene": "taste",
            "slot": "likes",
            "object": message["content"].split()[-1].strip("."),
            "evidence": [{"event_id": message["event_id"], "quote": message["content"]}],
        }


@pytest.fixture
def liar(memory: Memory) -> Iterator[Liar]:
    liar = Liar()
    with ModelServer(liar) as server:
        memory.env |= {"MNEMOLOG_MODEL": "stand-in", "OPENAI_BASE_URL": server.url}
        yield liar


def test_a_model_can_retire_no_fact_that_it_may_not(memory: Memory, liar: Liar) -> None:
    things = ["tea", "jazz", "chess", "rain", "bread", "golf"]
    day = "2026-03-0{}T10:00:00+01:00"
    ada = [line("a", day.format(1), f"I like {thing}.") for thing in things]
    import_of(memory, [*ada, line("b", day.format(2), "I like opera.", "Ben")])
    known = {name: fact["node_id"] for name, fact in facts_of(memory).items()}
    assert set(known) == {*things, "opera"}

    def judged(older: str, newer: str) -> dict[str, str]:
        return {"first": older, "second": newer, "ruling": "supersedes", "kind": "changed"}

    episode = episode_id("a-I like tea.")
    liar.verdicts = [
        judged(known["tea"], known["tea"]),
        judged(episode, known["tea"]),
        judged("ce-0000000000", known["tea"]),
        judged(known["tea"], known["opera"]),
        *(judged(known[older], known["golf"]) for older in things[:-1]),
    ]
    import_of(memory, [line("c", day.format(3), "I like salt.")])

    (job,) = [job for job in memory.json("jobs", "list", "--all") if job["kind"] == "resolve"][-1:]
    shown = memory.json("jobs", "show", job["job_key"])
    refused = [refusal["reason"] for outcome in shown["outcomes"] for refusal in outcome["refused"]]
    assert refused == ["itself", "episode", "unknown_node", "other_subject"]
    held = memory.json("verdicts", "list")
    assert len(held) == 5
    assert {pair["state"] for pair in held} == {"held"}
    assert {fact["node_id"] for fact in memory.json("facts")} >= set(known.values())
    done = memory.json("replay", "--verify")
    assert (done["equal"], done["model_calls"]) == (True, 0)
