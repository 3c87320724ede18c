"""A Redis that is slow, full, locked, gone or without its end under a running `up`: told, and then gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support import Process, run_cli, start_cli, wait_until
from support.redis_server import RedisServer
from support.stories import append, contents, created, messages, problems, rows, said, settings_in, top

from mnemolog.producers.client import Producer
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import LogFull, LogRefused, LogUnavailable, MnemologError
from mnemolog.schema.settings import Settings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", {"appendfsync": "always"}) as server:
        yield server


def admin(server: RedisServer, *commands: tuple[str, ...], password: str = "") -> None:
    with log_client(server.url_of("default", password) if password else server.url) as client:
        for command in commands:
            client.execute_command(*command)


def lock(server: RedisServer) -> None:
    admin(server, ("CONFIG", "SET", "requirepass", "changed"), ("CLIENT", "KILL", "TYPE", "normal"))


def unlock(server: RedisServer) -> None:
    admin(server, ("CONFIG", "SET", "requirepass", ""), password="changed")


def refuse_writes(server: RedisServer) -> None:
    admin(server, ("CONFIG", "SET", "maxmemory", "1"))


def allow_writes(server: RedisServer) -> None:
    admin(server, ("CONFIG", "SET", "maxmemory", "0"))


#: What is done to Redis and undone, what a producer is told, and what the writer says while it lasts.
FAULTS: dict[str, tuple[Callable[[RedisServer], None], Callable[[RedisServer], None], type[MnemologError], str]] = {
    "full": (refuse_writes, allow_writes, LogFull, ""),
    "password changed": (lock, unlock, LogRefused, "password"),
    "gone": (RedisServer.kill, RedisServer.start, LogUnavailable, "trying again"),
    "standing": (RedisServer.pause, RedisServer.resume, LogUnavailable, "did not answer in time"),
}


def published(producer: Producer, number: int) -> bool:
    """A session of one statement; published again until it is acknowledged."""
    with suppress(MnemologError):
        producer.publish("user", "I live in Lisbon now.", f"s{number}", speaker=f"Ada {number}", event_id=f"m{number}")
        producer.close_session(f"s{number}", event_id=f"closed-{number}")
        return True
    return False


def facts_of(space: Settings) -> int:
    return int(rows(space.file, "SELECT count(*) FROM cells")[0][0])


@pytest.mark.timeout(180)
def test_whatever_becomes_of_redis_producers_are_told_and_later_events_become_facts(
    server: RedisServer, tmp_path: Path
) -> None:
    space = settings_in(tmp_path / "data")
    env = {
        "MNEMOLOG_DATA": str(space.data),
        "MNEMOLOG_REDIS_URL": server.url,
        "MNEMOLOG_JOB_DEADLINE_S": "2",
        "MNEMOLOG_JOB_ATTEMPTS": "100",
    }
    with start_cli("up", env=env) as up, Producer("default", redis_url=server.url) as producer:
        up.wait_for("mnemolog is up")
        assert published(producer, 0)
        wait_until(lambda: facts_of(space) == 1, 30.0, "the first fact")
        for number, (name, (spoil, mend, error, told)) in enumerate(FAULTS.items(), 1):
            before = up.output
            spoil(server)
            with pytest.raises(error):
                producer.publish("user", "Nobody hears this.", "lost", event_id=f"lost-{name}")
            wait_until(lambda told=told, before=before: told in up.output[len(before) :], 20.0, f"{name} to be told")
            mend(server)
            wait_until(lambda number=number: published(producer, number), 20.0, f"{name} to be over")
            wait_until(lambda number=number: facts_of(space) == number + 1, 30.0, f"the fact after {name}: {up.output}")
        finished(up, env)
    assert contents(space) >= {f"m{number}" for number in range(len(FAULTS) + 1)}
    assert problems(space) == ()


def finished(up: Process, env: dict[str, str]) -> None:
    """Lets an `up` finish its work and end, and checks that its log gives the same again."""
    waited = run_cli("wait", "--timeout", "60", env=env, timeout_s=90.0)
    assert waited.returncode == 0, waited.stdout + waited.stderr + up.output
    up.interrupt()
    assert up.wait() == 0, up.output
    assert "Traceback" not in up.output, up.output
    verified = run_cli("replay", "--verify", "--json", env=env)
    assert json.loads(verified.stdout)["equal"] is True, verified.stderr


def cut(server: RedisServer, folder: Path, entries: int) -> None:
    """Tears the append-only file of a stopped server in the middle of an entry, as a disk that lost power does."""
    server.kill()
    file = max(folder.rglob("*.aof"), key=lambda path: path.stat().st_size)
    whole = file.read_bytes()
    at = len(whole)
    for _ in range(entries):
        at = whole.rindex(b"XADD", 0, at)
    file.write_bytes(whole[: at + 30])
    server.start()


@pytest.mark.parametrize("lost", [1, 40])
def test_a_redis_that_lost_its_end_is_given_it_back_under_a_running_writer(
    server: RedisServer, tmp_path: Path, lost: int
) -> None:
    space = settings_in(tmp_path / "data")
    with log_client(server.url) as client:
        append(client, [created(), *messages(60)])
        with start_cli("--data", space.data, "--redis", server.url, "ingest") as writer:
            wait_until(lambda: len(contents(space)) == 60, 20.0)
            before = top(client)
            cut(server, tmp_path / "redis", lost)
            writer.wait_for("cut at its tail")
            append(client, [said("later")])
            wait_until(lambda: "later" in contents(space), 20.0)
            writer.interrupt()
            assert writer.wait() == 0, writer.output
        assert top(client) > before
    assert len(contents(space)) == 61
    assert problems(space) == ()
    verified = run_cli("--data", space.data, "--redis", server.url, "replay", "--verify", "--json")
    assert json.loads(verified.stdout)["equal"] is True, verified.stderr
