"""Structured logs: all that a long-running command writes is JSON, one object a line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
from acceptance.memory import STORY, Memory

from mnemolog.gateway.model_server import Answer, ModelServer
from mnemolog.schema import keys

SECRET = "hunter2-locker"


def lines_of(output: str) -> list[dict[str, Any]]:
    """The lines, each of which must be an object that says when, how bad, who and what."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines()]
    assert all({"time", "level", "logger", "message", "pid"} <= line.keys() for line in lines)
    return lines


def test_a_run_of_up_writes_json_lines_only_with_their_space_positions_and_jobs(
    memory: Memory, redis: redis_py.Redis, redis_url: str
) -> None:
    memory.env["MNEMOLOG_REDIS_URL"] = redis_url
    with memory.start("--log-format", "json", "up") as up:
        up.wait_for("mnemolog is up")
        memory.run("import", STORY)
        memory.run("publish", f"My password is {SECRET}.", "--role", "user", "--session", "a")
        redis.xadd(keys.stream("default"), {keys.BODY_FIELD: f"{SECRET} is no event".encode()})
        memory.run("wait", "--timeout", "60")
        up.signal(signal.SIGTERM)
        assert up.wait() == 0
        lines = lines_of(up.output)
    done = [line for line in lines if line["logger"] == "mnemolog.worker" and "event_id" in line]
    assert {line["kind"] for line in done} >= {"extract"}
    assert all({"space", "job", "position", "took_ms"} <= line.keys() for line in done)
    parked = [line for line in lines if "is parked" in line["message"]]
    assert [(line["space"], line["level"]) for line in parked] == [("default", "warning")]
    assert parked[0]["position"] in parked[0]["message"]
    assert not any(SECRET in json.dumps(line) for line in lines)


def test_what_ends_a_command_is_a_json_line_too(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "data", MNEMOLOG_REDIS_URL="redis://127.0.0.1:1", MNEMOLOG_LOG_FORMAT="json")
    done = memory.run("wait", status=3)
    (line,) = lines_of(done.stderr)
    assert line["level"] == "error"
    assert "127.0.0.1:1" in line["message"]


def test_the_format_of_the_command_reaches_the_workers_it_starts(memory: Memory) -> None:
    with memory.start("--log-format", "json", "up") as up:
        up.wait_for("mnemolog is up")
        memory.run("import", STORY)
        memory.run("wait", "--timeout", "60")
        up.interrupt()
        up.wait()
        found = lines_of(up.output)
    workers = {line["pid"] for line in found if line["logger"] == "mnemolog.worker"}
    assert workers
    assert up.pid not in workers


@pytest.mark.parametrize(
    ("command", "ready"),
    [
        (("ingest", "--metrics-port", "0"), "mnemolog writes"),
        (("worker", "--queue", "extract"), "1 extract worker"),
        (("serve", "--no-token", "--port", "0"), "mnemolog serves"),
        (("mcp", "--http", "--no-token", "--port", "0"), "MCP for space"),
        (("proxy", "--upstream", "http://127.0.0.1:1/v1", "--port", "0"), "proxy is up"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_every_long_running_command_writes_json_lines_only(
    tmp_path: Path, redis: redis_py.Redis, redis_url: str, command: tuple[str, ...], ready: str
) -> None:
    memory = Memory(tmp_path / "data", MNEMOLOG_REDIS_URL=redis_url)
    with memory.start("--log-format", "json", *command) as process:
        process.wait_for(ready)
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert any(ready in line["message"] for line in lines_of(process.output))


@pytest.mark.parametrize(
    "answer",
    [Answer(text=f"No JSON, but {SECRET}."), Answer(status=400, error=f"You said {SECRET}.")],
    ids=["reply", "error"],
)
def test_a_job_that_fails_is_logged_without_what_a_model_said(tmp_path: Path, answer: Answer) -> None:
    with ModelServer(lambda _: answer) as server:
        model = {"MNEMOLOG_MODEL": "stand-in", "OPENAI_BASE_URL": server.url}
        limits = {"MNEMOLOG_JOB_ATTEMPTS": "1", "MNEMOLOG_JOB_DEADLINE_S": "3", "MNEMOLOG_MODEL_TIMEOUT_S": "2"}
        memory = Memory(tmp_path / "data", **model, **limits)
        with memory.start("--log-format", "json", "up") as up:
            up.wait_for("mnemolog is up")
            memory.run("import", STORY)
            memory.run("wait", status=11)
            up.interrupt()
            assert up.wait() == 0
            lines = lines_of(up.output)
    assert [line["kind"] for line in lines if line["level"] == "error"] == ["extract"] * 3
    assert not any(SECRET in json.dumps(line) for line in lines)
    assert all(SECRET in job["last_error"] for job in memory.json("jobs", "list"))
