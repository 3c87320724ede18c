"""Experiments on one's own memory: a shadow by another model, its promotion, and undoing, through the real commands."""

from __future__ import annotations

import json
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
}
OTHER: dict[str, dict[str, Any]] = {
    **{name: FOUND[name] for name in ("m0", "m1", "m3")},
    "m2": {**FOUND["m2"], "content": "Ida drinks green tea.", "object": "green tea"},
    "m5": {"content": "Ida lives in Berlin.", "slot": "residence", "object": "berlin", "scene": "home"},
}


def script(found: dict[str, dict[str, Any]], *, judges: bool = True) -> Script:
    rules = [
        Rule(kind="extract", event_id=name, cells=({"cell_type": "fact", "subject": "I", **cell},))
        for name, cell in found.items()
    ]
    employers = ("Ida works at Acme.", "Ida works at Bolt.")
    judging = [Rule(kind="resolve", contents=employers, ruling="supersedes", why="changed")] if judges else []
    return Script([*rules, *judging])


class Place:
    """A data folder and a Redis; each command is told which stand-in answers for its model."""

    def __init__(self, url: str, data: Path, servers: dict[str, ModelServer]) -> None:
        self.data = data
        self.file = data / "spaces" / "default" / "space.db"
        self.folder = data / "spaces" / "default" / "shadow"
        self._url = url
        self._servers = servers

    def env(self, model: str = "first") -> dict[str, str]:
        return {
            "MNEMOLOG_DATA": str(self.data),
            "MNEMOLOG_REDIS_URL": self._url,
            "MNEMOLOG_MODEL": "first",
            "OPENAI_BASE_URL": self._servers[model].url,
            "OPENAI_API_KEY": "none",
            "MNEMOLOG_MODEL_PRICE_IN": "1.5",
        }

    def run(self, *args: str | Path, model: str = "first", status: int = 0) -> str:
        done = run_cli(*args, env=self.env(model))
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    def json(self, *args: str | Path, model: str = "first") -> Any:
        return json.loads(self.run(*args, "--json", model=model))

    def bring(self, messages: dict[str, str], *, first: int = 0) -> None:
        lines = [
            {
                "id": name,
                "session": f"session-{name}",
                "role": "user",
                "speaker": "Ida",
                "content": content,
                "at": show(BEGIN_MS + number * MINUTE),
            }
            for number, (name, content) in enumerate(messages.items(), first)
        ]
        file = self.data.with_suffix(".jsonl")
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.run("import", file, "--drain")

    def facts(self) -> dict[str, str]:
        """What is live, by its words."""
        return {fact["content"]: fact["node_id"] for fact in self.json("facts", "--subject", "Ida")}

    def rows(self, sql: str) -> list[Any]:
        return rows(self.file, sql)

    def written(self, *args: str) -> str:
        """Runs a command while a writer and its workers run."""
        with start_cli("up", "--workers", "0", env=self.env()) as up:
            wait_until(lambda: self._is_up(up), 30.0)
            return self.run(*args)

    def _is_up(self, up: Any) -> bool:
        return bool(redis_py.Redis.from_url(self._url).exists("mnemolog:{default}:progress")) or up.poll() is not None

    def drain(self) -> None:
        """Lets a writer fold what is published and do what is due."""
        file = self.data.with_suffix(".empty.jsonl")
        file.write_text("")
        self.run("import", file, "--drain")

    def verify(self) -> None:
        assert self.json("replay", "--verify")["equal"] is True


@pytest.fixture
def place(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        servers = {
            "first": stack.enter_context(ModelServer(script(FOUND))),
            "second": stack.enter_context(ModelServer(script(OTHER))),
        }
        append(redis, [created()])
        place = Place(redis_url, tmp_path / "data", servers)
        place.bring(TALK)
        yield place


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
