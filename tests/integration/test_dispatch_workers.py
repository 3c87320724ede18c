"""Worker processes: of `up`, of `worker`, of `import --drain`; stopped, killed, and never left behind."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis as redis_py
from support import Process, run_cli, start_cli, wait_until
from support.stories import BEGIN_MS, append, created, event, rows, said

from mnemolog.gateway.model_server import ModelServer, Request
from mnemolog.schema.events import SessionClosed

WORKER = "mnemolog.workers.worker"


class Place:
    """A data folder and a Redis, named to `mnemolog` in the environment."""

    def __init__(self, client: redis_py.Redis, url: str, data: Path) -> None:
        self.client = client
        self.file = data / "spaces" / "default" / "space.db"
        self.env = {"MNEMOLOG_DATA": str(data), "MNEMOLOG_REDIS_URL": url, "MNEMOLOG_JOB_DEADLINE_S": "2"}
        append(client, [created()])

    def say(self, content: str, session: str = "monday") -> None:
        """A session of one message."""
        closed = event(f"{session}-closed", SessionClosed(session=session, occurred_at=BEGIN_MS))
        append(self.client, [said(f"{session}-0", content, session, speaker="Ada", occurred_at=BEGIN_MS), closed])

    def start(self, *args: str) -> Process:
        return start_cli(*args, env=self.env)

    def rows(self, sql: str) -> list[Any]:
        return rows(self.file, sql)

    def wait(self) -> None:
        done = run_cli("wait", "--timeout", "30", env=self.env)
        assert done.returncode == 0, done.stderr

    def jobs(self) -> list[str]:
        return [state for (state,) in self.rows("SELECT state FROM jobs WHERE kind = 'extract' ORDER BY position_ms")]


class Gate:
    """A model that answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.open = threading.Event()

    def __call__(self, request: Request) -> dict[str, Any]:
        self.asked.append(request)
        self.open.wait(30)
        return {"cells": []}


@pytest.fixture
def place(redis: redis_py.Redis, redis_url: str, tmp_path: Path) -> Place:
    return Place(redis, redis_url, tmp_path / "data")


@pytest.fixture
def gate(place: Place) -> Iterator[Gate]:
    gate = Gate()
    with ModelServer(gate) as server:
        model = {"MNEMOLOG_MODEL": "stand-in", "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}
        place.env |= model
        yield gate
        gate.open.set()


def workers_of(process: Process) -> list[psutil.Process]:
    """The worker processes that a process has started and that live."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE and WORKER in child.cmdline()]


def all_gone(workers: list[psutil.Process]) -> bool:
    return not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)


def test_up_turns_talk_into_facts_and_leaves_no_worker_behind(place: Place) -> None:
    with place.start("up") as up:
        up.wait_for("mnemolog is up")
        workers = wait_until(lambda: workers_of(up) if len(workers_of(up)) == 3 else None)
        place.say("I live in Berlin.")
        place.wait()
        assert place.rows("SELECT object FROM cells") == [("berlin",)]
        up.interrupt()
        assert up.wait() == 0, up.output
        assert "Traceback" not in up.output
    assert all_gone(workers)


def test_a_worker_that_was_killed_is_started_again(place: Place) -> None:
    with place.start("up") as up:
        up.wait_for("mnemolog is up")
        before = wait_until(lambda: workers_of(up) if len(workers_of(up)) == 3 else None)
        for worker in before:
            worker.kill()
        after = wait_until(lambda: workers_of(up) if len(workers_of(up)) == 3 and all_gone(before) else None)
        assert not {worker.pid for worker in before} & {worker.pid for worker in after}
        place.say("I live in Berlin.")
        place.wait()
        assert place.rows("SELECT object FROM cells") == [("berlin",)]


def test_workers_end_with_an_up_that_was_killed(place: Place) -> None:
    with place.start("up") as up:
        up.wait_for("mnemolog is up")
        workers = wait_until(lambda: workers_of(up) if len(workers_of(up)) == 3 else None)
        up.kill()
        wait_until(lambda: all_gone(workers), what="the workers to end")


def test_a_drained_import_has_its_facts_and_leaves_nothing_behind(place: Place, tmp_path: Path) -> None:
    line = {"session": "s", "role": "user", "speaker": "Ada", "content": "I live in Berlin.", "at": BEGIN_MS}
    (tmp_path / "told.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    done = run_cli("import", tmp_path / "told.jsonl", "--drain", env=place.env)
    assert done.returncode == 0, done.stderr
    assert place.rows("SELECT object FROM cells") == [("berlin",)]
    assert place.jobs() == ["done"]
    assert place.client.smembers("rq:workers") == set()


def test_a_worker_that_is_asked_to_end_finishes_its_job(place: Place, gate: Gate) -> None:
    place.env["MNEMOLOG_JOB_DEADLINE_S"] = "30"
    with place.start("ingest") as writer, place.start("worker", "--queue", "extract") as worker:
        place.say("I live in Berlin.")
        wait_until(lambda: gate.asked, 20.0)
        worker.signal(signal.SIGTERM)
        worker.wait_for("finishing")
        assert worker.is_running
        gate.open.set()
        assert worker.wait() == 0, worker.output
        place.say("I like tea.", session="tuesday")
        wait_until(lambda: place.jobs() == ["done", "due"], what="the outcome")
        assert len(gate.asked) == 1
        assert "cells_extracted at" in worker.output
        writer.interrupt()
        assert writer.wait() == 0


def test_a_worker_that_is_asked_twice_ends_at_once_and_its_job_is_done_by_another(place: Place, gate: Gate) -> None:
    with place.start("ingest") as writer:
        place.say("I live in Berlin.")
        with place.start("worker", "--queue", "extract") as worker:
            wait_until(lambda: gate.asked, 20.0)
            workers = workers_of(worker)
            worker.signal(signal.SIGTERM)
            worker.wait_for("finishing")
            worker.signal(signal.SIGINT)
            assert worker.wait(5.0) == 0
            assert all_gone(workers)
        assert place.jobs() == ["due"]
        gate.open.set()
        with place.start("worker", "--queue", "extract", "-n", "2") as others:
            wait_until(lambda: place.jobs() == ["done"], 20.0)
            assert place.rows("SELECT accepted FROM outcomes") == [(1,)]
            assert len(gate.asked) == 2
            others.interrupt()
            assert others.wait() == 0
        writer.interrupt()
        assert writer.wait() == 0


def test_several_workers_of_a_queue_work_side_by_side(place: Place, gate: Gate) -> None:
    place.env["MNEMOLOG_JOB_DEADLINE_S"] = "30"
    with place.start("ingest"), place.start("worker", "--queue", "extract", "-n", "3"):
        for number in range(3):
            place.say("I live in Berlin.", session=f"s{number}")
        wait_until(lambda: len(gate.asked) == 3, 20.0)
        gate.open.set()
        wait_until(lambda: place.jobs() == ["done"] * 3)


def test_up_that_is_asked_twice_waits_for_no_worker(place: Place, gate: Gate) -> None:
    place.env["MNEMOLOG_JOB_DEADLINE_S"] = "30"
    with place.start("up") as up:
        place.say("I live in Berlin.")
        wait_until(lambda: gate.asked, 20.0)
        workers = workers_of(up)
        up.interrupt()
        wait_until(lambda: len(workers_of(up)) < 3, what="the idle workers to end")
        assert up.is_running
        up.interrupt()
        up.wait(10.0)
        wait_until(lambda: all_gone(workers), what="the workers to end")


def test_a_worker_without_redis_says_what_to_start(tmp_path: Path) -> None:
    done = run_cli("--data", tmp_path, "worker", "--queue", "extract")
    assert done.returncode == 3
    assert "mnemolog up" in done.stderr


def test_jobs_are_listed_shown_and_requeued(place: Place) -> None:
    with place.start("up"):
        place.say("I live in Berlin.")
        wait_until(lambda: place.jobs() == ["done"], 20.0)
        [job] = json.loads(run_cli("jobs", "list", "--all", "--queue", "extract", "--json", env=place.env).stdout)
        assert (job["kind"], job["state"], job["generation"], job["last_error"]) == ("extract", "done", 1, None)
        key = job["job_key"]
        done = run_cli("jobs", "requeue", key[:10], env=place.env)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: place.jobs() == ["done", "done"], 20.0)
        shown = json.loads(run_cli("jobs", "show", key, "--json", env=place.env).stdout)
        assert [row["generation"] for row in shown["generations"]] == [1, 2]
        assert [outcome["accepted"] for outcome in shown["outcomes"]] == [True, True]
        assert place.rows("SELECT count(*) FROM cells") == [(1,)]
        status = json.loads(run_cli("status", "--json", env=place.env).stdout)
        assert status["jobs_by_kind"]["extract"] == {"due": 0, "failed": 0, "done": 2, "void": 0}


def test_a_failed_job_says_why_and_is_done_when_it_is_requeued(place: Place) -> None:
    place.env |= {"MNEMOLOG_JOB_ATTEMPTS": "1"}
    broken = place.env | {
        "MNEMOLOG_MODEL": "stand-in",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": "none",
    }
    place.say("I live in Berlin.")
    with start_cli("up", env=broken):
        wait_until(lambda: place.jobs() == ["failed"], 30.0)
        waited = run_cli("wait", "--json", env=place.env)
        assert waited.returncode == 11
        assert json.loads(waited.stdout)["last_failure"]
    with place.start("up") as up:
        up.wait_for("mnemolog is up")
        assert run_cli("jobs", "requeue", "--failed", env=place.env).returncode == 0
        wait_until(lambda: place.jobs() == ["failed", "done"] or place.jobs() == ["void", "done"], 30.0)
    assert place.rows("SELECT object FROM cells") == [("berlin",)]
