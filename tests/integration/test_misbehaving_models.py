"""A model's server at its worst, against real workers: nothing is lost, what fails is seen, and is done when it is well.

One `up` serves a space for each misbehaviour at each kind of job, so that all of them go wrong side by side.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from support import Process, run_cli, start_cli, wait_until
from support.stories import BEGIN_MS, append, created, event, rows, said

from mnemolog.gateway.model_server import Answer, Fault, ModelServer, Request, Script, spoil
from mnemolog.gateway.model_server.script import Rule
from mnemolog.schema.events import SessionClosed
from mnemolog.schema.jobs import QUEUES

ATTEMPTS = 2
SAID = {"m1": "I work at Acme.", "m2": "I started at Globex.", "m3": "I am a nurse."}
CAREER: dict[str, Any] = {"cell_type": "fact", "subject": "Ada", "scene": "career"}
SCRIPT = Script(
    (
        Rule(
            kind="extract",
            event_id="m1",
            cells=({"content": "Ada works at Acme.", "slot": "employer", "object": "acme", **CAREER},),
        ),
        Rule(
            kind="extract",
            event_id="m2",
            cells=({"content": "Ada works at Globex.", "slot": "employer", "object": "globex", **CAREER},),
        ),
        Rule(
            kind="extract",
            event_id="m3",
            cells=({"content": "Ada is a nurse.", "slot": "job_title", "object": "nurse", **CAREER},),
        ),
        Rule(kind="resolve", event_ids=("m1", "m2"), ruling="supersedes", why="changed"),
        Rule(kind="consolidate", scene="career", summary="Ada is a nurse at Globex."),
    )
)
#: What makes a job fail, and a word of the reason that is told.
FATAL = {
    "rate_limited": (Fault(fault="rate_limited", retry_after_s=0.2), "429"),
    "server_error": (Fault(fault="server_error"), "500"),
    "slow": (Fault(fault="slow", delay_s=2.0), "within"),
    "cut_off": (Fault(fault="cut_off"), "cannot"),
    "invalid_json": (Fault(fault="invalid_json"), "the model's reply"),
    "wrong_schema": (Fault(fault="wrong_schema"), "the model's reply"),
    "refusal": (Fault(fault="refusal"), "refused"),
    "truncated": (Fault(fault="truncated"), "cut off"),
    "empty": (Fault(fault="empty"), "empty"),
}
#: What is mended without another call.
HARMLESS = {"fenced": Fault(fault="fenced"), "no_structured_output": Fault(fault="no_structured_output", times=1)}
FAULTS = {name: fault for name, (fault, _) in FATAL.items()} | HARMLESS


def space_of(fault: str, kind: str) -> str:
    return f"{fault.replace('_', '-')}.{kind}"


SPACES = {space_of(fault, kind): (fault, kind) for fault in FAULTS for kind in QUEUES}


class Moody:
    """Answers by the script, and misbehaves in each space at one kind of job until it is well."""

    def __init__(self) -> None:
        self.is_well = False
        self.asked: Counter[tuple[str, str]] = Counter()

    def __call__(self, request: Request) -> Answer:
        space = request.space or ""
        self.asked[space, request.kind] += 1
        fault, kind = SPACES[space]
        ill = not self.is_well and request.kind == kind
        if fault == "no_structured_output":
            ill = ill and request.structured
        return spoil(SCRIPT(request), FAULTS[fault] if ill else None)


class Place:
    """A data folder, a Redis and a model's server, named to `mnemolog` in the environment."""

    def __init__(self, data: Path, redis_url: str, server_url: str) -> None:
        self.data = data
        self.env = {
            "MNEMOLOG_DATA": str(data),
            "MNEMOLOG_REDIS_URL": redis_url,
            "MNEMOLOG_MODEL": "stand-in",
            "MNEMOLOG_MODEL_TIMEOUT_S": "1",
            "MNEMOLOG_JOB_DEADLINE_S": "3",
            "MNEMOLOG_JOB_ATTEMPTS": str(ATTEMPTS),
            "OPENAI_BASE_URL": server_url,
        }

    def rows(self, space: str, sql: str) -> list[Any]:
        return rows(self.data / "spaces" / space / "space.db", sql)

    def run(self, space: str, *args: str, status: int = 0) -> str:
        done = run_cli("--space", space, *args, env=self.env)
        assert done.returncode == status, done.stderr
        return done.stdout

    @contextmanager
    def up(self) -> Iterator[Process]:
        with start_cli("--space", next(iter(SPACES)), "up", *SPACES, env=self.env) as process:
            process.wait_for("mnemolog is up")
            yield process
            process.interrupt()
            assert process.wait() == 0

    def states(self, space: str) -> set[str]:
        return {state for (state,) in self.rows(space, "SELECT state FROM jobs")}

    def is_at_rest(self, space: str) -> bool:
        states = self.states(space)
        return bool(states) and "due" not in states


def tell(client: redis_py.Redis, space: str) -> None:
    """One session of three messages."""
    told = [
        said(event_id, content, "monday", speaker="Ada", occurred_at=BEGIN_MS + number * 60_000)
        for number, (event_id, content) in enumerate(SAID.items())
    ]
    closed = event("closed", SessionClosed(session="monday", occurred_at=BEGIN_MS + 3_600_000))
    append(client, [created(space), *told, closed], space)


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
def place(moody: Moody, redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Iterator[Place]:
    with ModelServer(moody) as server:
        for space in SPACES:
            tell(redis, space)
        yield Place(tmp_path / "data", redis_url, server.url)


FACTS = "SELECT content FROM nodes WHERE type != 'episodic' AND valid_until IS NULL ORDER BY content"
WELL = [("Ada is a nurse.",), ("Ada works at Globex.",)]


def test_each_misbehaviour_ends_in_a_visible_failure_and_is_made_good_later(place: Place, moody: Moody) -> None:
    with place.up():
        wait_until(lambda: all(map(place.is_at_rest, SPACES)), 90, "all jobs to be done or given up")
        for space, (fault, kind) in SPACES.items():
            failed_visibly_or_not_at_all(place, moody, space, fault, kind)
        answers_though_a_model_fails(place)

        moody.is_well = True
        asked = moody.asked.copy()
        for space in SPACES:
            if "failed" in place.states(space):
                place.run(space, "jobs", "requeue", "--failed")
        wait_until(lambda: all(is_made_good(place, space) for space in SPACES), 60, "all jobs to be made good")
        for space, (fault, kind) in SPACES.items():
            if fault in FATAL:
                assert moody.asked[space, kind] == asked[space, kind] + 1, space
        assert place.run(next(iter(SPACES)), "wait", "--timeout", "20")
        replays_without_a_model(place, moody)


def failed_visibly_or_not_at_all(place: Place, moody: Moody, space: str, fault: str, kind: str) -> None:
    failed = place.rows(space, "SELECT kind, reason FROM jobs WHERE state = 'failed'")
    if fault in HARMLESS:
        assert failed == [], space
        assert moody.asked[space, kind] <= 2
        return
    ((failed_kind, reason),) = failed
    assert failed_kind == kind, space
    assert FATAL[fault][1] in reason, f"{space}: {reason}"
    assert moody.asked[space, kind] == ATTEMPTS, (space, reason, moody.asked)
    # Nothing is lost: the messages are there, and the facts of all jobs that did not fail.
    assert place.rows(space, "SELECT count(*) FROM nodes WHERE type = 'episodic'") == [(3,)]
    assert len(place.rows(space, FACTS)) == {"extract": 0, "resolve": 3, "consolidate": 2}[kind]


def answers_though_a_model_fails(place: Place) -> None:
    space = space_of("server_error", "extract")
    assert "I work at Acme." in place.run(space, "recall", "Where does Ada work?")
    (job,) = json.loads(place.run(space, "jobs", "list", "--json"))
    assert (job["state"], job["kind"], job["attempts"]) == ("failed", "extract", ATTEMPTS)
    assert "500" in job["last_error"]
    place.run(space, "wait", "--timeout", "20", status=11)
    refused = json.loads(place.run(space_of("refusal", "extract"), "jobs", "list", "--json"))
    shown = json.loads(place.run(space_of("refusal", "extract"), "jobs", "show", refused[0]["job_key"], "--json"))
    assert [outcome["calls"] for outcome in shown["outcomes"]] == [ATTEMPTS]


def is_made_good(place: Place, space: str) -> bool:
    if not place.is_at_rest(space) or place.rows(space, FACTS) != WELL:
        return False
    return place.rows(space, "SELECT summary, stale FROM scenes") == [("Ada is a nurse at Globex.", 0)]


def replays_without_a_model(place: Place, moody: Moody) -> None:
    asked = moody.asked.copy()
    for fault in ("server_error", "refusal", "fenced"):
        done = json.loads(place.run(space_of(fault, "resolve"), "replay", "--verify", "--json"))
        assert (done["equal"], done["model_calls"]) == (True, 0)
    assert moody.asked == asked


# ---- a server of embeddings ------------------------------------------------------------------------------------------


def test_a_failing_server_of_embeddings_holds_up_vectors_alone(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    tell(redis, "late")
    file = tmp_path / "spaces" / "late" / "space.db"
    with ModelServer(dimension=24) as server:
        server.fault = Fault(fault="server_error")
        env = {
            "MNEMOLOG_DATA": str(tmp_path),
            "MNEMOLOG_SPACE": "late",
            "MNEMOLOG_REDIS_URL": redis_url,
            "MNEMOLOG_EMBEDDER": "stand-in",
            "OPENAI_BASE_URL": server.url,
        }
        with start_cli("up", env=env) as process:
            process.wait_for("mnemolog is up")
            wait_until(lambda: ("Ada works at Globex.",) in rows(file, FACTS), 30, "the facts")
            found = run_cli("recall", "Where does Ada work?", env=env)
            assert "Ada works at Globex." in found.stdout
            assert run_cli("wait", "--timeout", "1", env=env).returncode == 10
            server.fault = None
            assert run_cli("wait", "--timeout", "30", env=env).returncode == 0
            process.interrupt()
            assert process.wait() == 0
        verified = run_cli("verify", env=env)
        assert verified.returncode == 0, verified.stderr
