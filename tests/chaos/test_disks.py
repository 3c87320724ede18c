"""Disks that are really full: under the file and the archive, and under Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis as redis_py
from support import Process, mnemolog_command, start_cli, wait_until
from support.redis_server import free_port
from support.stories import append, contents, created, messages, problems, said, settings_in
from support.tiny_disk import fill, on_tiny_disk, run_inside, seen_from_outside

from mnemolog.producers.client import Producer
from mnemolog.schema import archive
from mnemolog.schema.endpoint import RedisFolder
from mnemolog.schema.errors import LogFull
from mnemolog.workers.redis_program import redis_program


def test_a_writer_whose_disk_is_full_says_so_and_goes_on_when_there_is_room(
    redis: redis_py.Redis, redis_url: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    command = (mnemolog_command(), "--data", data, "--redis", redis_url, "ingest")
    append(redis, [created(), *messages(50, words=40)])
    with Process(*on_tiny_disk(data, "40m", *command)) as writer:
        writer.wait_for("writing space")
        outside = seen_from_outside(writer.pid, data)
        folder = settings_in(outside).archive
        wait_until(lambda: archive.count(folder) == 51, 20.0)
        filler = fill(outside)
        append(redis, [said(f"late-{number}", "word " * 2_000) for number in range(200)])
        writer.wait_for("full")
        assert archive.count(folder) < 251
        filler.unlink()
        wait_until(lambda: archive.count(folder) == 251 or not writer.is_running, 20.0, "what did not fit")
        assert writer.is_running, writer.output
        assert "Traceback" not in writer.output
        assert "cannot rollback" not in writer.output

        def inside(*command: str) -> str:
            done = run_inside(writer.pid, mnemolog_command(), "--data", data, "--redis", redis_url, *command)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        wait_until(lambda: json.loads(inside("status", "--json"))["nodes"]["episodic"] == 250, 20.0)
        inside("verify")
        assert json.loads(inside("replay", "--verify", "--json"))["equal"] is True
        assert archive.check(folder) == []
        writer.interrupt()
        assert writer.wait() == 0, writer.output


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The URL of a Redis on a disk of a few megabytes, and where that is."""
    folder = tmp_path / "redis"
    program = redis_program(RedisFolder(tmp_path))
    port = free_port()
    options = ("--port", str(port), "--dir", folder, "--appendonly", "yes", "--save", "")
    with Process(*on_tiny_disk(folder, "8m", program, *options)) as server:
        server.wait_for("eady to accept connections")
        yield f"redis://127.0.0.1:{port}", seen_from_outside(server.pid, folder)


def test_a_redis_whose_disk_is_full_is_named_to_producers_and_takes_messages_when_there_is_room(
    cramped: tuple[str, Path], tmp_path: Path
) -> None:
    url, folder = cramped
    data = tmp_path / "data"
    told = 0
    with (
        Producer("default", redis_url=url) as producer,
        start_cli("--data", data, "--redis", url, "ingest") as writer,
    ):
        producer.publish("user", "Hello.", "monday")
        told += 1
        space = settings_in(data)
        wait_until(lambda: len(contents(space)) == told, 20.0)
        filler = fill(folder)
        with pytest.raises(LogFull, match="free some"):  # noqa: PT012 (how many fit before is not known)
            while told < 5_000:
                producer.publish("user", "word " * 200, "monday")
                told += 1
        filler.unlink()
        wait_until(lambda: takes_messages(producer), 20.0, "Redis to write again")
        told += 1
        wait_until(lambda: len(contents(space)) >= told, 20.0)
        writer.interrupt()
        assert writer.wait() == 0, writer.output
    # An append that Redis refused may be on its stream all the same; one that it acknowledged must be.
    assert told <= len(contents(space)) <= told + 1
    assert problems(space) == ()


def takes_messages(producer: Producer) -> bool:
    with suppress(LogFull):
        producer.publish("user", "Room again.", "monday", event_id="again")
        return True
    return False
