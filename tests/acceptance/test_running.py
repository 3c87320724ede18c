"""Starting and stopping: the embedded Redis, signals, many spaces, waiting."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest
from acceptance.memory import STORY, Memory
from support import wait_until

from mnemolog.producers import Producer
from mnemolog.schema.endpoint import RedisFolder
from mnemolog.schema.ids import Position

READING = (
    ("recall", "espresso"),
    ("recall", "quantum zebra", "--fallback"),
    ("status",),
    ("verify",),
    ("replay", "--verify"),
    ("dead-letters", "list"),
)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_command_that_reads_starts_no_redis(told: Memory, command: tuple[str, ...]) -> None:
    log = RedisFolder(told.data).log_file
    before = log.read_bytes()
    told.run(*command)
    assert told.server() is None
    assert log.read_bytes() == before


@pytest.mark.parametrize("command", [*READING, ("wait",)], ids=" ".join)
def test_a_command_that_reads_makes_nothing_where_there_is_no_memory(memory: Memory, command: tuple[str, ...]) -> None:
    done = memory.run(*command, status=3 if command == ("wait",) else 6)
    assert done.stdout == ""
    assert done.stderr.startswith("mnemolog: ")
    assert not memory.data.exists()


def test_the_redis_of_up_is_found_by_other_commands_and_stopped_with_it(memory: Memory) -> None:
    with memory.up() as up:
        server = memory.server()
        assert server is not None
        memory.run("publish", "hello", "--role", "user", "--session", "a")
        assert memory.server() == server
        memory.run("wait")
        up.interrupt()
        assert up.wait() == 0
    assert memory.server() is None
    assert not psutil.pid_exists(server.pid)


def test_a_redis_started_to_publish_is_stopped_and_loses_nothing(memory: Memory) -> None:
    memory.run("publish", "one", "--role", "user", "--session", "a")
    assert memory.server() is None
    memory.run("publish", "two", "--role", "user", "--session", "a")
    with memory.up():
        memory.run("wait")
    assert memory.json("status")["nodes"] == {"episodic": 2}


def messages(count: int, path: Path) -> Path:
    lines = (
        {"session": f"s{n % 7}", "role": "user", "content": f"message {n}", "at": 1767600000000 + 1000 * n}
        for n in range(count)
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_folds_all_that_was_published_before_it_stops(memory: Memory, tmp_path: Path, number: int) -> None:
    memory.run("import", messages(2_000, tmp_path / "many.jsonl"))
    with memory.up() as up:
        with Producer(data=memory.data) as producer:
            last = producer.publish("user", "the very last word", "s0")
        up.signal(number)
        assert up.wait() == 0
    found = memory.json("status")
    # What the workers concluded meanwhile is folded too.
    assert Position.parse(found["position"]) >= last.position
    assert found["nodes"] == {"episodic": 2001}
    assert found["vectors"]["missing"] == 0
    assert memory.json("verify")["ok"] is True


def test_a_second_ctrl_c_ends_up_at_once_and_stops_its_redis(memory: Memory) -> None:
    with memory.up() as up:
        server = memory.server()
        assert server is not None
        up.interrupt()
        up.interrupt()
        up.wait()
    assert not psutil.pid_exists(server.pid)
    with memory.up():
        memory.run("publish", "still here", "--role", "user", "--session", "a")
        memory.run("wait")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_import_that_is_stopped_stops_its_redis_and_can_be_repeated(
    memory: Memory, tmp_path: Path, number: int, status: int
) -> None:
    many = messages(10_000, tmp_path / "many.jsonl")
    with memory.start("import", many) as importing:
        wait_until(memory.server, what="the server")
        importing.signal(number)
        assert importing.wait() == status
        assert "Traceback" not in importing.output
    assert memory.server() is None
    assert memory.json("import", many)["lines"] == 10_000
    assert memory.server() is None


def test_the_file_is_checked_while_the_writer_goes_on(memory: Memory, tmp_path: Path) -> None:
    many = messages(6_000, tmp_path / "many.jsonl")
    with memory.up(), memory.start("import", many) as importing:
        wait_until(memory.file.exists, what="the file")
        wait_until(lambda: memory.json("status")["events"] > 100, what="the first events")
        assert memory.json("verify")["ok"] is True
        assert memory.json("replay", "--verify")["equal"] is True
        assert importing.wait() == 0
        memory.run("wait")
    assert memory.json("status")["nodes"] == {"episodic": 6_000}


def test_up_serves_spaces_that_appear_while_it_runs(memory: Memory) -> None:
    with memory.up("--all"):
        later = memory.of_space("later")
        later.run("publish", "A new space.", "--role", "user", "--session", "a")
        later.run("wait", "--timeout", "20")
    assert later.json("status")["nodes"] == {"episodic": 1}
    assert later.ask("new space")[0]["content"] == "A new space."


def test_ingest_writes_what_reaches_a_redis_that_is_named(tmp_path: Path, redis_url: str) -> None:
    writing = Memory(tmp_path / "data", MNEMOLOG_REDIS_URL=redis_url, MNEMOLOG_SPACE="named")
    with writing.start("ingest") as writer:
        writer.wait_for("mnemolog writes to")
        writing.run("import", STORY)
        # Without workers `wait` would wait for the jobs.
        wait_until(lambda: writing.json("status")["lag_events"] == 0, 20.0)
        writer.signal(signal.SIGTERM)
        assert writer.wait() == 0
    found = writing.json("status")
    assert (found["nodes"], found["jobs"]["failed"]) == ({"episodic": 16}, 0)
    assert not (writing.data / "redis").exists()


def test_wait_gives_up_in_time_and_says_what_is_left(memory: Memory, redis_url: str) -> None:
    unwritten = Memory(memory.data, MNEMOLOG_REDIS_URL=redis_url, MNEMOLOG_SPACE="unwritten")
    unwritten.run("publish", "hello", "--role", "user", "--session", "a")
    done = unwritten.run("wait", "--timeout", "0.1", status=10)
    assert "no writer is running" in done.stderr
    assert done.stdout == ""
