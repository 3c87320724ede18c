"""Experiments on one's own memory: a shadow by another model, its promotion, and undoing, through the real commands."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support import run_cli, start_cli, wait_until
from support.stories import BEGIN_MS, append, created, rows

from mnemolog.gateway.model_server import ModelServer
from mnemolog.gateway.model_server.script import Rule, Script
from mnemolog.schema import keys
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.times import MINUTE, show

TALK = {
    "m0": "I work at Acme.",
    "m1": "My dog is called Rex.",
    "m2": "I drink tea in the morning.",
    "m3": "I started at Bolt last week.",
    "m4": "I play the violin.",
    "m5": "I live in Berlin.",
}
#: What both models find; the second leaves one out, words one otherwise, has another value for one and adds one.
FOUND: dict[str, dict[str, Any]] = {
    "m0": {"content": "Ida works at Acme.", "slot": "employer", "object": "acme", "scene": "career"},
    "m1": {"content": "Ida's dog is called Rex.", "slot": "pet", "object": "rex", "scene": "pet"},
    "m2": {"content": "Ida drinks tea.", "slot": "drink", "object": "tea", "scene": "kitchen"},
    "m3": {"content": "Ida works at Bolt.", "slot": "employer", "object": "bolt", "scene": "career"},
    "m4": {"content": "Ida plays the violin.", "slot": "hobby", "object": "violin", "scene": "music"},
    "m6": {"content": "Ida works at Coil.", "slot": "employer", "object": "coil", "scene": "career"},
}
OTHER: dict[str, dict[str, Any]] = {
    **{name: FOUND[name] for name in ("m0", "m1", "m3")},
    "m2": {**FOUND["m2"], "content": "Ida drinks green tea.", "object": "green tea"},
    "m5": {"content": "Ida lives in Berlin.", "slot": "residence", "object": "berlin", "scene": "home"},
}
#: What the first model finds, in the words of a third.
REWORDED: dict[str, dict[str, Any]] = {
    name: {**FOUND[name], "content": content}
    for name, content in {
        "m0": "Ida is with Acme.",
        "m1": "Ida has a dog, Rex.",
        "m2": "Ida is a drinker of tea.",
        "m3": "Ida is with Bolt now.",
        "m4": "Ida is a violinist.",
    }.items()
}


def script(found: dict[str, dict[str, Any]], *, broken: str = "") -> Script:
    rules = [
        Rule(kind="extract", event_id=name, cells=({"cell_type": "fact", "subject": "I", **cell},))
        for name, cell in found.items()
    ]
    judging = [
        Rule(kind="resolve", contents=pair, ruling="supersedes", why="changed")
        for pair in (("Acme", "Bolt"), ("Bolt", "Coil"))
    ]
    spoilt = [Rule(kind="extract", event_id=broken, text="I would rather not.")] if broken else []
    return Script([*spoilt, *rules, *judging])


class Place:
    """A data folder and a Redis; each command is told which stand-in answers for its model."""

    def __init__(self, url: str, data: Path, servers: dict[str, ModelServer]) -> None:
        self.data = data
        self.file = data / "spaces" / "default" / "space.db"
        self.folder = data / "spaces" / "default" / "shadow"
        self._url = url
        self._servers = servers

    def env(self, model: str = "first", **more: str) -> dict[str, str]:
        return {
            "MNEMOLOG_DATA": str(self.data),
            "MNEMOLOG_REDIS_URL": self._url,
            "MNEMOLOG_MODEL": "first",
            "OPENAI_BASE_URL": self._servers[model].url,
            "OPENAI_API_KEY": "none",
            "MNEMOLOG_MODEL_PRICE_IN": "1.5",
            **more,
        }

    def run(self, *args: str | Path, model: str = "first", status: int = 0, **more: str) -> str:
        done = run_cli(*args, env=self.env(model, **more))
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    def json(self, *args: str | Path, model: str = "first") -> Any:
        return json.loads(self.run(*args, "--json", model=model))

    def bring(self, messages: dict[str, str]) -> None:
        lines = [
            {
                "id": name,
                "session": f"session-{name}",
                "role": "user",
                "speaker": "Ida",
                "content": content,
                "at": show(BEGIN_MS + int(name[1:]) * MINUTE),
            }
            for name, content in messages.items()
        ]
        file = self.data.with_suffix(".jsonl")
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.run("import", file, "--drain")

    def facts(self, *args: str) -> dict[str, dict[str, Any]]:
        """What is live, by its words."""
        return {fact["content"]: fact for fact in self.json("facts", *args)}

    def rows(self, sql: str) -> list[Any]:
        return rows(self.file, sql)

    def drain(self) -> None:
        """Lets a writer fold what is published, and workers do what is due."""
        self.bring({})

    def asked(self) -> int:
        """How many questions the models were asked by now."""
        return sum(sum(server.counters.requests.values()) for server in self._servers.values())

    def verify(self) -> None:
        assert self.json("replay", "--verify")["equal"] is True


@pytest.fixture(scope="module")
def talked(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[bytes, bytes]]:
    """The data folder of a place that was told the talk, and what Redis held then."""
    data = tmp_path_factory.mktemp("talked") / "data"
    with log_client(redis_url) as client, ModelServer(script(FOUND)) as server:
        client.flushall()
        append(client, [created()])
        Place(redis_url, data, {"first": server}).bring(TALK)
        return data, {key: client.dump(key) for key in client.scan_iter()}


@pytest.fixture
def place(
    talked: tuple[Path, dict[bytes, bytes]], redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> Iterator[Place]:
    folder, held = talked
    shutil.copytree(folder, tmp_path / "data")
    for key, value in held.items():
        redis.restore(key, 0, value)
    with ExitStack() as stack:
        servers = {
            "first": stack.enter_context(ModelServer(script(FOUND))),
            "second": stack.enter_context(ModelServer(script(OTHER))),
            "broken": stack.enter_context(ModelServer(script(OTHER, broken="m4"))),
            "third": stack.enter_context(ModelServer(script(REWORDED))),
        }
        yield Place(redis_url, tmp_path / "data", servers)


def said(facts: list[dict[str, Any]]) -> list[str]:
    return [fact["content"] for fact in facts]


def test_the_difference_is_what_the_second_model_says_otherwise_and_nothing_else(place: Place) -> None:
    before = place.rows("SELECT * FROM cells ORDER BY node_id")
    found = place.json("shadow", "--model", "second", "--yes", model="second")
    diff = found["diff"]
    assert said(diff["added"]) == ["Ida lives in Berlin."]
    assert said(diff["lost"]) == ["Ida plays the violin."]
    assert [(pair["before"]["content"], pair["after"]["content"]) for pair in diff["changed"]] == [
        ("Ida drinks tea.", "Ida drinks green tea.")
    ]
    assert diff["standing"] == []
    assert found["decisions"] == []
    assert found["failed"] == 0
    assert found["after"]["calls"] > 0
    assert found["after"]["tokens_in"] > 0
    assert found["after"]["cost_usd"] == pytest.approx(found["after"]["tokens_in"] * 1.5e-6)
    assert found["before"]["calls"] > 0
    assert place.json("shadow", "show") == found
    assert place.rows("SELECT * FROM cells ORDER BY node_id") == before
    assert place.run("shadow", "drop") == "dropped\n"
    place.run("shadow", "show", status=2)
    place.verify()


def test_what_a_shadow_costs_is_said_before_anybody_is_asked(place: Place) -> None:
    asked = place.asked()
    told = place.run("shadow", "--model", "second", model="second", status=1)
    assert "jobs on 6 messages" in told
    assert "US dollars" in told
    assert place.asked() == asked
    assert not place.folder.exists()


def test_a_promoted_shadow_replays_and_what_a_person_said_still_stands(place: Place) -> None:
    facts = place.facts()
    place.run("correct", facts["Ida's dog is called Rex."]["node_id"], "Ida's dog is called Max.")
    place.run("confirm", facts["Ida works at Bolt."]["node_id"])
    place.drain()
    assert "Ida's dog is called Rex." not in place.facts()
    mine = [fact for content, fact in place.facts().items() if "Max" in content]
    assert len(mine) == 1
    found = place.json("shadow", "--model", "second", "--yes", model="second")
    assert found["decisions"] == []
    assert said(found["diff"]["added"]) == ["Ida lives in Berlin."]
    asked = place.asked()
    assert place.json("shadow", "promote")["effects"]["decisions"] == []
    place.drain()
    after = place.facts()
    assert after.keys() == {
        mine[0]["content"],
        "Ida drinks green tea.",
        "Ida works at Bolt.",
        "Ida lives in Berlin.",
    }
    assert after["Ida works at Bolt."]["pinned"] is True
    assert after[mine[0]["content"]]["node_id"] == mine[0]["node_id"]
    assert place.facts("--all")["Ida works at Acme."]["status"] == "superseded"
    assert place.facts("--all")["Ida's dog is called Rex."]["status"] == "corrected"
    assert place.json("jobs", "list") == []
    assert place.asked() == asked
    assert not place.folder.exists()
    assert place.json("dead-letters", "list") == []
    place.verify()
    place.run("replay")
    place.verify()


def test_what_was_decided_holds_for_a_fact_that_comes_back_in_other_words(place: Place) -> None:
    facts = place.facts()
    place.run("forget", facts["Ida plays the violin."]["node_id"], "--yes")
    place.run("correct", facts["Ida's dog is called Rex."]["node_id"], "Ida's dog is called Max.")
    place.run("confirm", facts["Ida works at Bolt."]["node_id"])
    place.drain()
    found = place.json("shadow", "--model", "third", "--yes", model="third")
    assert found["decisions"] == []
    place.run("shadow", "promote")
    place.drain()
    after = place.facts("--all")
    assert "Ida is with Bolt now." in after
    assert after["Ida is with Bolt now."]["pinned"] is True
    assert after["Ida is a violinist."]["status"] == "forgotten"
    assert after["Ida has a dog, Rex."]["status"] == "corrected"
    assert len(place.facts()) == 3
    place.verify()


def test_a_decision_that_no_longer_finds_its_fact_is_told_and_stops_the_promotion(place: Place) -> None:
    place.run("forget", place.facts()["Ida plays the violin."]["node_id"], "--yes")
    place.drain()
    found = place.json("shadow", "--model", "second", "--yes", model="second")
    assert [decision["kind"] for decision in found["decisions"]] == ["forgotten"]
    assert "no longer find their fact" in place.run("shadow", "promote", status=2)
    place.drain()
    assert place.rows("SELECT 1 FROM events WHERE type = 'outcomes_voided'") == []
    place.run("shadow", "promote", "--force")
    place.drain()
    assert "Ida lives in Berlin." in place.facts()
    assert "Ida plays the violin." not in place.facts("--all")
    place.verify()


def test_what_was_said_since_keeps_its_facts_and_is_judged_with_the_new_ones(place: Place) -> None:
    place.json("shadow", "--model", "second", "--yes", model="second")
    place.bring({"m6": "I joined Coil today."})
    assert "Ida works at Bolt." not in place.facts()
    place.run("confirm", place.facts()["Ida drinks tea."]["node_id"])
    place.drain()
    assert "no longer find their fact" in place.run("shadow", "promote", status=2)
    place.run("unpin", place.facts()["Ida drinks tea."]["node_id"])
    place.drain()
    place.run("shadow", "promote", "--force")
    place.drain()
    assert place.facts().keys() == {
        "Ida's dog is called Rex.",
        "Ida drinks green tea.",
        "Ida works at Coil.",
        "Ida lives in Berlin.",
    }
    assert place.facts("--all")["Ida works at Bolt."]["superseded_by"] == place.facts()["Ida works at Coil."]["node_id"]
    place.verify()


def test_a_shadow_that_was_interrupted_goes_on_where_it_stood(place: Place) -> None:
    asked = place.asked()
    budget = place.rows("SELECT sum(tokens_in + tokens_out) FROM outcomes")[0][0] + 1_500
    stopped = place.run(
        "shadow", "--model", "second", "--yes", model="second", status=1, MNEMOLOG_TOKEN_BUDGET=str(budget)
    )
    assert "MNEMOLOG_TOKEN_BUDGET" in stopped
    some = place.asked() - asked
    assert some > 0
    assert "not done" in place.run("shadow", "promote", status=2)
    assert "already" in place.run("shadow", "--model", "third", "--yes", status=2)
    found = place.json("shadow", "--model", "second", "--yes", model="second")
    assert said(found["diff"]["added"]) == ["Ida lives in Berlin."]
    assert place.asked() - asked == found["after"]["calls"]


def test_a_job_that_the_second_model_cannot_do_is_failed_after_some_attempts_and_the_rest_goes_on(place: Place) -> None:
    found = place.json("shadow", "--model", "broken", "--yes", model="broken")
    assert found["failed"] == 1
    assert said(found["diff"]["added"]) == ["Ida lives in Berlin."]
    place.run("shadow", "promote")
    place.drain()
    assert [job["state"] for job in place.json("jobs", "list")] == ["failed"]
    place.verify()


def test_a_model_that_cannot_be_reached_leaves_the_shadow_to_be_gone_on_with(place: Place) -> None:
    stopped = place.run("shadow", "--model", "second", "--yes", status=1, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert stopped
    assert said(place.json("shadow", "--model", "second", "--yes", model="second")["diff"]["added"]) == [
        "Ida lives in Berlin."
    ]


def test_two_do_not_work_on_one_shadow(place: Place) -> None:
    place.json("shadow", "--model", "rules", "--yes")
    with (place.folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process" in place.run("shadow", "promote", status=2)
        assert "another process" in place.run("shadow", "drop", status=2)
    assert place.run("shadow", "drop") == "dropped\n"
    assert place.run("shadow", "drop") == "there is no shadow\n"


def test_the_last_messages_alone_are_extracted_again(place: Place) -> None:
    found = place.json("shadow", "--model", "second", "--last", "2", "--yes", model="second")
    assert said(found["diff"]["added"]) == ["Ida lives in Berlin."]
    assert said(found["diff"]["lost"]) == ["Ida plays the violin."]
    assert found["diff"]["changed"] == []
    place.run("shadow", "promote")
    place.drain()
    assert {"Ida lives in Berlin.", "Ida drinks tea.", "Ida works at Bolt."} <= place.facts().keys()
    assert "Ida plays the violin." not in place.facts("--all")
    place.verify()


def test_a_shadow_has_prompts_of_its_own(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    assert "no prompt" in place.run("shadow", "--model", "second", "--prompts", folder, "--yes", status=2)
    (folder / "extract.mine.md").write_text("Find what matters.")
    found = place.json("shadow", "--model", "second", "--prompts", folder, "--yes", model="second")
    assert found["prompts"][0] == "extract.mine"
    assert "rules read no prompts" in place.run("shadow", "--model", "rules", "--prompts", folder, "--yes", status=2)


def test_the_rules_can_be_a_shadow_that_costs_nothing(place: Place) -> None:
    asked = place.asked()
    found = place.json("shadow", "--model", "rules", "--yes")
    assert found["after"] == {"calls": 0, "tokens_in": 0, "tokens_out": 0, "cost_usd": 0.0}
    assert place.asked() == asked


# ---- undo --------------------------------------------------------------------------------------------------------


def test_undoing_shows_what_vanishes_and_what_is_live_again_and_can_be_undone(place: Place) -> None:
    place.run("confirm", place.facts()["Ida works at Bolt."]["node_id"])
    place.drain()
    before = place.facts("--all")
    hashed = place.json("verify")["content_hash"]
    shown = place.json("undo", "--source", "session-m3", "--dry-run")
    assert said(shown["effects"]["diff"]["lost"]) == ["Ida works at Bolt."]
    assert said(shown["effects"]["revived"]) == ["Ida works at Acme."]
    assert shown["effects"]["scenes"] == ["career"]
    assert [decision["kind"] for decision in shown["effects"]["decisions"]] == ["confirmed"]
    assert "Aborted" in place.run("undo", "--source", "session-m3", status=1)
    assert place.json("verify")["content_hash"] == hashed
    undone = place.json("undo", "--source", "session-m3", "--yes")["undone"]
    place.drain()
    assert "Ida works at Bolt." not in place.facts("--all")
    assert "Ida works at Acme." in place.facts()
    assert place.json("jobs", "list") == []
    place.verify()
    again = place.run("undo", "--void", undone[0]["position"], "--yes")
    assert "facts that come: 1" in again
    place.drain()
    assert place.facts("--all").keys() == before.keys()
    assert place.json("verify")["content_hash"] == hashed
    place.verify()


def test_what_is_to_be_undone_is_chosen_by_engine_job_or_time(place: Place) -> None:
    everything = place.json("undo", "--engine", "first", "--dry-run")
    assert len(everything["effects"]["diff"]["lost"]) == 5
    assert everything["undone"] == []
    job, ms, seq = place.rows("SELECT job_key, ms, seq FROM outcomes WHERE kind = 'extract' ORDER BY ms, seq")[0]
    assert place.json("undo", "--job", job[:12], "--dry-run")["outcomes"] == [f"{ms}-{seq}"]
    later = place.json("undo", "--since", f"{ms}-{seq}", "--dry-run")["outcomes"]
    assert f"{ms}-{seq}" not in later
    assert len(later) == place.rows("SELECT count(*) FROM outcomes")[0][0] - 1
    assert "no outcome" in place.run("undo", "--engine", "nobody", "--yes", status=2)
    assert "say what" in place.run("undo", "--yes", status=2)
    assert "nothing was undone at" in place.run("undo", "--void", f"{ms}-{seq}", "--yes", status=2)


def test_beside_a_writer_that_runs_undoing_and_promoting_have_taken_effect_when_they_return(
    place: Place, redis: redis_py.Redis
) -> None:
    place.run("shadow", "--model", "second", "--yes", model="second")
    with start_cli("ingest", env=place.env()):
        wait_until(lambda: bool(redis.exists(keys.progress("default"))), 30.0)
        asked = place.asked()
        assert place.json("shadow", "promote")["folded"] is True
        assert "Ida lives in Berlin." in place.facts()
        undone = place.json("undo", "--engine", "second", "--yes")["undone"]
        assert [one["folded"] for one in undone] == [True]
        assert place.facts("--all") == {}
        place.verify()
        assert place.json("jobs", "list") == []
        assert place.asked() == asked
