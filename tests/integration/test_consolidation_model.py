"""A model's facts through real processes: imported, judged, summed up, counted, replayed; the model is a stand-in."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support import Process, run_cli, start_cli, wait_until
from support.stories import BEGIN_MS, append, created, rows, said

from mnemolog.gateway.model_server import ModelServer, Request
from mnemolog.schema.times import DAY, MINUTE, show

FACTS = {
    "I cut hair at the Blue Door.": ("Ida cuts hair at the Blue Door.", "Career"),
    "The team there is lovely.": ("Ida finds her team lovely.", "career "),
    "I was promoted to head stylist!": ("Ida is head stylist.", "Careers"),
    "We adopted a greyhound.": ("Ida's family adopted a greyhound.", "Pets"),
    "He is called Bolt.": ("Ida's greyhound is called Bolt.", "pet"),
}
TALK = ["Hello!", *FACTS, "See you soon.", "Bye.", "Back again."]

#: Statements and what replaces them; the stand-in words the slot of each in its own way, or not at all.
CHANGES = {
    "I swim at the city pool every week.": "These days I only swim in the lake.",
    "My phone is an old brick.": "I have got a phone with a good camera.",
    "I drink oat milk in my coffee.": "Black coffee is the only coffee for me now.",
    "We rent a flat near the station.": "We have bought a small house in the hills.",
    "I read crime novels on the train.": "On the train I read poems now.",
    "I take the bus to the office.": "I cycle to the office, whatever the weather.",
}
SLOTS = ({"slot": "habit"}, {"slot": "way_of_life", "object": ""}, {})


class Model:
    """A model that is a function of what it is asked; keeps what it was asked."""

    def __init__(self, cells: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
        self._cells = cells
        self.supersedes: set[tuple[str, str]] = set()
        self.pairs: set[tuple[str, str]] = set()
        self.delay_s = 0.0
        self.at_once = self._most = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> dict[str, Any]:
        with self._lock:
            self.at_once += 1
            self._most = max(self._most, self.at_once)
        try:
            time.sleep(self.delay_s)
            return self._answer(request)
        finally:
            with self._lock:
                self.at_once -= 1

    @property
    def most_at_once(self) -> int:
        return self._most

    def _answer(self, request: Request) -> dict[str, Any]:
        if request.kind == "extract":
            return {"cells": [cell for message in request.messages for cell in self._cells(message)]}
        if request.kind == "consolidate":
            return {"summary": f"All about {request.scene}. " * 60}
        pairs = {(first["content"], second["content"]): (first["id"], second["id"]) for first, second in request.pairs}
        self.pairs |= pairs.keys()
        return {
            "verdicts": [
                {"first": ids[0], "second": ids[1], "ruling": "supersedes", "kind": "changed"}
                for contents, ids in pairs.items()
                if contents in self.supersedes
            ]
        }


def cell(message: dict[str, Any], content: str, scene: str, **fields: Any) -> dict[str, Any]:
    evidence = [{"event_id": message["event_id"], "quote": message["content"]}]
    return {"content": content, "cell_type": "fact", "subject": "I", "scene": scene, "evidence": evidence, **fields}


class Place:
    """A data folder and a Redis, named to `mnemolog` in the environment with the stand-in server."""

    def __init__(self, url: str, data: Path, server: ModelServer) -> None:
        self.data = data
        self.file = data / "spaces" / "default" / "space.db"
        self.env = {
            "MNEMOLOG_DATA": str(data),
            "MNEMOLOG_REDIS_URL": url,
            "MNEMOLOG_MODEL": "stand-in",
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "none",
        }

    def run(self, *args: str | Path) -> str:
        done = run_cli(*args, env=self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *args: str) -> Process:
        return start_cli(*args, env=self.env)

    def bring(self, contents: list[str], *, every_ms: int = MINUTE, sessions: bool = False) -> None:
        """Imports messages, all in one session or each in its own, and waits until they are worked off."""
        lines = [
            {
                "id": f"m{number}",
                "session": f"s{number}" if sessions else "s",
                "role": "user",
                "speaker": "Ida",
                "content": content,
                "at": show(BEGIN_MS + number * every_ms),
            }
            for number, content in enumerate(contents)
        ]
        file = self.data.with_suffix(".jsonl")
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.run("import", file, "--drain")

    def rows(self, sql: str) -> list[Any]:
        return rows(self.file, sql)

    def calls(self) -> dict[str, int]:
        return dict(self.rows("SELECT kind, sum(calls) FROM outcomes GROUP BY kind"))


@pytest.fixture
def placed(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> Iterator[Callable[[Model], tuple[Place, ModelServer]]]:
    servers: list[ModelServer] = []

    def place(model: Model) -> tuple[Place, ModelServer]:
        append(redis, [created()])
        servers.append(ModelServer(model))
        servers[-1].__enter__()
        return Place(redis_url, tmp_path / "data", servers[-1]), servers[-1]

    yield place
    for server in servers:
        server.__exit__(None, None, None)


Placed = Callable[[Model], tuple[Place, ModelServer]]


def told(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell(message, *FACTS[message["content"]])] if message["content"] in FACTS else []


def test_what_a_model_found_is_fact_with_its_messages_and_a_replay_asks_nobody(placed: Placed) -> None:
    place, server = placed(Model(told))
    place.bring(TALK)
    found = place.rows(
        "SELECT n.content, m.content FROM nodes n JOIN edges e ON e.kind = 'derived_from' AND e.source = n.node_id "
        "JOIN nodes m ON m.node_id = e.target"
    )
    assert sorted(found) == sorted((content, message) for message, (content, _) in FACTS.items())
    scenes = place.rows("SELECT scene, cells, summary, stale FROM scenes ORDER BY scene")
    assert [(scene, cells, stale) for scene, cells, _, stale in scenes] == [("career", 3, 0), ("pet", 2, 0)]
    for scene, _, summary, _ in scenes:
        assert summary.startswith(f"All about {scene}.")
        assert len(summary.split()) < 100
    asked = server.counters
    again = json.loads(place.run("replay", "--verify", "--json"))
    assert (again["equal"], again["model_calls"], server.counters) == (True, 0, asked)


def test_however_a_model_words_its_slots_the_fact_that_is_replaced_is_judged_and_no_other(placed: Placed) -> None:
    said = [*CHANGES, *CHANGES.values()]

    def worded(message: dict[str, Any]) -> list[dict[str, Any]]:
        number = said.index(message["content"])
        return [cell(message, message["content"], "life", **SLOTS[number % len(SLOTS)])]

    model = Model(worded)
    model.supersedes = set(CHANGES.items())
    place, _ = placed(model)
    place.bring(said, every_ms=DAY, sessions=True)
    assert set(CHANGES.items()) <= model.pairs
    edges = place.rows(
        "SELECT o.content, h.content FROM edges e JOIN nodes h ON h.node_id = e.source "
        "JOIN nodes o ON o.node_id = e.target WHERE e.kind = 'supersedes'"
    )
    assert set(edges) == set(CHANGES.items())
    assert place.rows("SELECT * FROM verdicts WHERE state != 'in_force'") == []


def everything(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell(message, message["content"], "life")]


def test_a_burst_costs_one_call_for_a_window_one_for_its_conflicts_and_one_for_each_scene(placed: Placed) -> None:
    place, server = placed(Model(everything))
    place.bring([f"I have read {number} books about the sea." for number in range(80)])
    assert place.calls() == {"extract": 10, "resolve": server.counters.requests["resolve"], "consolidate": 1}
    # The sizes of questions are bounded: there are too many pairs for one.
    assert server.counters.requests["resolve"] <= 4
    judged = place.rows("SELECT count(*), sum(calls > 0) FROM outcomes WHERE kind = 'resolve' AND accepted")
    assert judged == [(10, server.counters.requests["resolve"])]
    assert place.rows("SELECT 1 FROM jobs WHERE state != 'done'") == []


def test_conflicts_that_could_not_be_judged_together_are_judged_one_by_one(placed: Placed) -> None:
    model = Model(everything)
    place, server = placed(model)
    place.env["MNEMOLOG_JOB_DEADLINE_S"] = "2"
    refused: list[int] = []

    def answer(request: Request) -> Any:
        found = model(request)
        if request.kind == "resolve" and not refused:
            refused.append(len(request.pairs))
            return "I would rather not."
        return found

    server._answer = answer
    place.bring([f"I have sailed to {number} islands." for number in range(24)])
    assert refused
    assert place.rows("SELECT kind, count(*) FROM jobs WHERE state = 'done' GROUP BY kind ORDER BY kind") == [
        ("consolidate", 1),
        ("extract", 3),
        ("resolve", 3),
    ]
    assert server.counters.requests["resolve"] == 1 + 3
    told_of = place.rows("SELECT sum(calls), count(*) FROM outcomes WHERE kind = 'resolve' AND accepted")
    assert told_of == [(3, 3)]


def test_four_workers_ask_a_slow_model_four_things_at_once(placed: Placed, redis: redis_py.Redis) -> None:
    model = Model(everything)
    model.delay_s = 0.5
    place, _ = placed(model)
    append(redis, [said(f"m{n}", f"I own {n} boats.", occurred_at=BEGIN_MS + n) for n in range(64)])
    with place.start("ingest"), place.start("worker", "--queue", "extract", "-n", "4"):
        wait_until(lambda: model.most_at_once == 4, 20.0)
        wait_until(lambda: len(place.rows("SELECT 1 FROM outcomes WHERE kind = 'extract'")) == 8, 20.0)
    assert model.most_at_once == 4


def test_what_was_said_is_a_live_fact_while_summaries_and_conflicts_still_wait(
    placed: Placed, redis: redis_py.Redis
) -> None:
    place, server = placed(Model(everything))
    append(redis, [said(f"m{n}", f"I own {n} boats.", occurred_at=BEGIN_MS + n) for n in range(16)])
    with place.start("ingest"), place.start("worker", "--queue", "extract"):
        wait_until(place.file.exists, 20.0)
        wait_until(lambda: len(_facts(place)) == 16, 20.0)
    assert server.counters.requests["resolve"] == server.counters.requests["consolidate"] == 0


def _facts(place: Place) -> list[Any]:
    return place.rows("SELECT n.content FROM cells JOIN nodes n USING (node_id) WHERE heir IS NULL")
