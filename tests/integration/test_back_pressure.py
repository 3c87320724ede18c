"""A Redis that is full, slow, gone or refuses: producers are told at once what to do, or keep events in a spool."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from support import run_cli, start_python, wait_until
from support.proxy import Proxy
from support.redis_server import RedisServer, free_port

from mnemolog.producers import AsyncProducer, Message, Producer, Published
from mnemolog.producers.spool import Spool
from mnemolog.schema import keys
from mnemolog.schema.codec import decode
from mnemolog.schema.endpoint import log_client
from mnemolog.schema.errors import LogFull, LogRefused, LogUnavailable, MnemologError, SpoolFull
from mnemolog.schema.events import MessagePublished
from mnemolog.schema.ids import START
from mnemolog.schema.stream import Stream

SPACE = "home"
#: A Redis that does not answer is given up after one reply's time.
AT_ONCE_S = 8.0

#: Publishes numbered messages as fast as it can, and says which were acknowledged.
PUBLISHER = """
import sys
from mnemolog.producers import Producer
with Producer("home", redis_url=sys.argv[1], spool=sys.argv[2]) as producer:
    for number in range(int(sys.argv[3]), int(sys.argv[4])):
        done = producer.publish("user", str(number), "s1", event_id=f"m-{number}")
        print(number, "spooled" if done.spooled else "published", flush=True)
    print("all were acknowledged", flush=True)
"""


class Blocking:
    """A Producer behind the methods of its asyncio twin; each call runs in a thread."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.producer = Producer(*args, **options)

    async def publish(self, *args: Any, **options: Any) -> Published:
        return await asyncio.to_thread(self.producer.publish, *args, **options)

    async def publish_many(self, messages: Sequence[Message]) -> list[Published]:
        return await asyncio.to_thread(self.producer.publish_many, messages)

    async def drain(self) -> int:
        return await asyncio.to_thread(self.producer.drain)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.producer.close)


Door = Blocking | AsyncProducer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    # Under everysec a server that waits for its disk has acknowledged what it has not written yet: a kill loses that.
    with RedisServer(tmp_path / "redis", {"appendfsync": "always"}) as running:
        yield running


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def on_stream(url: str) -> list[MessagePublished]:
    """The messages on the stream, each event id once."""
    with closing(log_client(url)) as client:
        events = [decode(entry.body) for entry in Stream(client, SPACE).range(START, 1_000_000)]
    once = {event.id: event.payload for event in events}
    return [payload for payload in once.values() if isinstance(payload, MessagePublished)]


def contents(url: str) -> list[str]:
    return [payload.content for payload in on_stream(url)]


def is_drained(spool: Path) -> Callable[[], bool]:
    return Spool(spool, SPACE).is_empty


# ---- what goes wrong, and what the producer says ------------------------------------------------------------------


def _admin(server: RedisServer, *command: str) -> None:
    with closing(log_client(server.url)) as client:
        client.execute_command(*command)


def full(server: RedisServer) -> None:
    _admin(server, "CONFIG", "SET", "maxmemory", "1")


def hanging(server: RedisServer) -> None:
    server.pause()


def gone(server: RedisServer) -> None:
    server.kill()


def read_only(server: RedisServer) -> None:
    _admin(server, "REPLICAOF", "127.0.0.1", "1")


def no_password(server: RedisServer) -> None:
    # A connection that stands keeps its rights: all others are closed.
    _admin(server, "CONFIG", "SET", "requirepass", "changed")
    with closing(log_client(server.url_of("default", "changed"))) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


FAULTS: list[tuple[Callable[[RedisServer], None], type[MnemologError], str]] = [
    (full, LogFull, "Free memory, raise maxmemory"),
    (hanging, LogUnavailable, "did not answer in time"),
    (gone, LogUnavailable, "Check that Redis runs"),
    (read_only, LogRefused, "give the URL of the primary"),
    (no_password, LogRefused, "Check the user and the password"),
]
FAULT_NAMES = [fault.__name__ for fault, _, _ in FAULTS]


@contextmanager
def saying(reply: bytes) -> Iterator[str]:
    """The URL of a server that answers every command with the same line."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                while asked := client.recv(65_536):
                    client.sendall((reply + b"\r\n") * len(re.findall(rb"^\*\d", asked, re.MULTILINE)))

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


ANSWERS = [
    (b"-LOADING Redis is loading the dataset in memory", LogUnavailable, "still loading"),
    (b"-MISCONF Errors writing to the AOF file: No space left on device", LogFull, "free some"),
    (b"-WRONGPASS invalid username-password pair or user is disabled.", LogRefused, "the password in the Redis URL"),
    (b"-CLUSTERDOWN The cluster is down", LogUnavailable, "try again"),
]


class BackPressure(ABC):
    """What both producers do."""

    @abstractmethod
    def make(self, *args: Any, **options: Any) -> Door: ...

    @pytest.mark.parametrize(("fault", "error", "said"), FAULTS, ids=FAULT_NAMES)
    async def test_a_redis_that_does_not_take_events_is_named_at_once_with_what_to_do(
        self, server: RedisServer, fault: Callable[[RedisServer], None], error: type[MnemologError], said: str
    ) -> None:
        async with self.make(SPACE, redis_url=server.url) as door:
            await door.publish("user", "before", "s1")
            fault(server)
            started = time.monotonic()
            with pytest.raises(error, match=said):
                await door.publish("user", "after", "s1")
            assert time.monotonic() - started < AT_ONCE_S

    @pytest.mark.parametrize(("reply", "error", "said"), ANSWERS, ids=[said for *_, said in ANSWERS])
    async def test_an_answer_that_is_a_refusal_is_told_by_its_kind(
        self, reply: bytes, error: type[MnemologError], said: str
    ) -> None:
        with saying(reply) as url:
            async with self.make(SPACE, redis_url=url) as door:
                with pytest.raises(error, match=said):
                    await door.publish("user", "x", "s1")

    @pytest.mark.parametrize("fault", [full, hanging, gone], ids=["full", "hanging", "gone"])
    async def test_with_a_spool_everything_is_acknowledged_and_published_in_order_when_redis_takes_it_again(
        self, server: RedisServer, spool: Path, fault: Callable[[RedisServer], None]
    ) -> None:
        async with self.make(SPACE, redis_url=server.url, spool=spool) as door:
            direct = await door.publish("user", "0", "s1")
            assert (direct.spooled, direct.position is None) == (False, False)
            fault(server)
            kept = [await door.publish("user", str(number), "s1") for number in range(1, 20)]
            kept += await door.publish_many(
                [Message(role="user", content=str(number), session="s1") for number in range(20, 30)]
            )
            assert all(one.spooled and one.position is None for one in kept)
            if fault is full:
                _admin(server, "CONFIG", "SET", "maxmemory", "0")
            elif fault is hanging:
                server.resume()
            else:
                server.start()
            kept_too = await door.publish("user", "30", "s1")
            await asyncio.to_thread(wait_until, is_drained(spool), 20)
            last = await door.publish("user", "31", "s1")
        assert not last.spooled
        assert contents(server.url) == [str(number) for number in range(32)]
        ids = {one.event_id for one in [direct, *kept, kept_too, last]}
        assert len(ids) == 32

    async def test_what_redis_refuses_is_told_and_not_spooled(self, server: RedisServer, spool: Path) -> None:
        async with self.make(SPACE, redis_url=server.url, spool=spool) as door:
            await door.publish("user", "before", "s1")
            no_password(server)
            with pytest.raises(LogRefused, match="password"):
                await door.publish("user", "after", "s1")
            assert is_drained(spool)()

    async def test_a_full_spool_is_told_and_takes_events_again_when_it_is_drained(
        self, server: RedisServer, spool: Path
    ) -> None:
        async with self.make(SPACE, redis_url=server.url, spool=spool, spool_bytes=2_000) as door:
            await door.publish("user", "before", "s1")
            server.kill()
            kept: list[str] = []

            async def fill() -> None:
                while True:
                    await door.publish("user", str(len(kept)), "s1")
                    kept.append(str(len(kept)))

            with pytest.raises(SpoolFull, match="It drains when Redis takes events again"):
                await fill()
            server.start()
            await asyncio.to_thread(wait_until, is_drained(spool), 20)
            await door.publish("user", "after", "s1")
        assert len(kept) > 3
        assert contents(server.url) == ["before", *kept, "after"]

    async def test_the_next_producer_publishes_what_waits_before_its_own(
        self, server: RedisServer, spool: Path
    ) -> None:
        server.kill()
        async with self.make(SPACE, redis_url=server.url, spool=spool) as door:
            assert (await door.publish("user", "first", "s1")).spooled
        server.start()
        async with self.make(SPACE, redis_url=server.url, spool=spool) as door:
            await door.publish("user", "second", "s1")
            assert await door.drain() >= 0
            assert (await door.publish("user", "third", "s1")).position is not None
        assert contents(server.url) == ["first", "second", "third"]

    async def test_a_lost_reply_makes_no_second_message(self, redis_url: str, spool: Path) -> None:
        path = redis_url.removeprefix("unix://")
        with closing(log_client(redis_url)) as client:
            client.flushall()
        with Proxy(path, b"XADD", lose=3) as proxy:
            async with self.make(SPACE, redis_url=proxy.url, spool=spool) as door:
                assert (await door.publish("user", "once", "s1", event_id="m-1")).spooled
                await asyncio.to_thread(wait_until, is_drained(spool), 20)
            assert proxy.lost == 3
        assert contents(redis_url) == ["once"]

    async def test_an_emptied_stream_is_not_begun_anew_from_a_spool(self, server: RedisServer, spool: Path) -> None:
        async with self.make(SPACE, redis_url=server.url, spool=spool) as door:
            await door.publish("user", "before", "s1")
            with closing(log_client(server.url)) as client:
                first = Stream(client, SPACE).range(START, 1)[0]
                client.flushall()
                assert (await door.publish("user", "after", "s1")).spooled
                with pytest.raises(MnemologError, match="has vanished"):
                    await door.drain()
                assert client.keys() == []
                Stream(client, SPACE).restore(first)
            await asyncio.to_thread(wait_until, is_drained(spool), 20)
        assert contents(server.url) == ["after"]

    async def test_without_a_server_of_the_data_folder_a_spool_takes_events(self, tmp_path: Path, spool: Path) -> None:
        async with self.make(SPACE, data=tmp_path / "data", spool=spool) as door:
            assert (await door.publish("user", "x", "s1")).spooled
            with pytest.raises(LogUnavailable, match="mnemolog up"):
                await door.drain()


class TestProducer(BackPressure):
    def make(self, *args: Any, **options: Any) -> Blocking:
        return Blocking(*args, **options)


class TestAsyncProducer(BackPressure):
    def make(self, *args: Any, **options: Any) -> AsyncProducer:
        return AsyncProducer(*args, **options)


# ---- crashes and several processes --------------------------------------------------------------------------------


def acknowledged(output: str) -> list[str]:
    return [line.split()[0] for line in output.splitlines() if line.endswith((" spooled", " published"))]


def test_a_producer_killed_while_it_spools_or_drains_loses_nothing_that_it_acknowledged(
    server: RedisServer, spool: Path
) -> None:
    said: list[str] = []
    for first in range(0, 4_000, 1_000):
        if first == 2_000:
            server.start()
        with start_python(PUBLISHER, server.url, spool, str(first), str(first + 1_000)) as process:
            process.wait_for(f"\n{first + 5} ")
            if first == 0:
                server.kill()
            process.wait_for(f"\n{first + 60} ")
            process.kill()
            said += acknowledged(process.output)
    with Producer(SPACE, redis_url=server.url, spool=spool) as producer:
        producer.drain()
    found = contents(server.url)
    assert [content for content in found if content in set(said)] == said
    assert len(found) - len(said) <= 4
    assert len(found) == len(set(found))


def test_a_redis_killed_again_and_again_costs_nothing_and_the_order_stays(server: RedisServer, spool: Path) -> None:
    with start_python(PUBLISHER, server.url, spool, "0", "900") as process:
        for number in (100, 300, 500):
            process.wait_for(f"\n{number} ", 60)
            server.kill()
            process.wait_for(f"\n{number + 50} ", 60)
            server.start()
        process.wait_for("all were acknowledged", 60)
        assert " spooled" in process.output
        assert process.wait() == 0
    with Producer(SPACE, redis_url=server.url, spool=spool) as producer:
        producer.drain()
    assert contents(server.url) == [str(number) for number in range(900)]


def test_two_processes_that_share_a_spool_publish_each_event_once(server: RedisServer, spool: Path) -> None:
    Producer(SPACE, redis_url=server.url).close()
    server.kill()
    with (
        start_python(PUBLISHER, server.url, spool, "0", "300") as one,
        start_python(PUBLISHER, server.url, spool, "1000", "1300") as other,
    ):
        for process in (one, other):
            process.wait_for(" spooled")
        server.start()
        for process in (one, other):
            process.wait_for("all were acknowledged", 60)
            assert process.wait() == 0
    with Producer(SPACE, redis_url=server.url, spool=spool) as producer:
        producer.drain()
    with closing(log_client(server.url)) as client:
        assert client.xlen(keys.stream(SPACE)) == 601
    found = [int(content) for content in contents(server.url)]
    assert [number for number in found if number < 1_000] == list(range(300))
    assert [number for number in found if number >= 1_000] == list(range(1_000, 1_300))


# ---- the command line ---------------------------------------------------------------------------------------------


def test_the_command_line_spools_tells_what_waits_and_drains(server: RedisServer, tmp_path: Path, spool: Path) -> None:
    env = {"MNEMOLOG_SPOOL": str(spool)}
    line = ("--data", tmp_path / "data", "--space", SPACE, "--redis", server.url)
    server.kill()
    told = run_cli(*line, "publish", "one", "--role", "user", "--session", "s", "--json", env=env)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) | {"event_id": ""} == {"event_id": "", "position": None, "spooled": True}
    lines = [{"session": "s", "role": "user", "content": str(number), "at": number} for number in range(3)]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    imported = run_cli(*line, "import", tmp_path / "lines.jsonl", env=env)
    assert imported.returncode == 0, imported.stderr
    assert "4 events wait in the spool" in imported.stdout
    assert json.loads(run_cli(*line, "spool", "status", "--json", env=env).stdout)["events"] == 5
    refused = run_cli(*line, "spool", "drain", env=env)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "Check that Redis runs" in refused.stderr
    server.start()
    assert "5 events" in run_cli(*line, "spool", "drain", env=env).stdout
    assert "nothing waits" in run_cli(*line, "spool", "status", env=env).stdout
    assert contents(server.url) == ["one", "0", "1", "2"]


def test_the_command_line_publishes_what_waits_first(server: RedisServer, tmp_path: Path, spool: Path) -> None:
    line = ("--data", tmp_path / "data", "--space", SPACE, "--redis", server.url)
    options = ("--role", "user", "--session", "s", "--spool", spool)
    server.kill()
    assert "waits in the spool" in run_cli(*line, "publish", "one", *options).stdout
    server.start()
    assert " at " in run_cli(*line, "publish", "two", *options).stdout
    assert contents(server.url) == ["one", "two"]


def test_the_command_line_discards_what_is_named_and_nothing_else(
    server: RedisServer, tmp_path: Path, spool: Path
) -> None:
    line = ("--data", tmp_path / "data", "--space", SPACE, "--redis", server.url)
    server.kill()
    for session in ("monday", "tuesday"):
        run_cli(*line, "publish", session, "--role", "user", "--session", session, "--spool", spool)
    assert run_cli(*line, "spool", "discard", "--spool", spool).returncode == 2
    asked = run_cli(*line, "spool", "discard", "--session", "monday", "--spool", spool, text="n\n")
    assert asked.returncode == 1
    told = run_cli(*line, "spool", "discard", "--session", "monday", "--spool", spool, "--yes")
    assert told.stdout == "1 events were taken away\n"
    server.start()
    run_cli(*line, "spool", "drain", "--spool", spool)
    assert contents(server.url) == ["tuesday"]


def test_a_full_spool_ends_the_command_with_its_reason(tmp_path: Path, spool: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    line = ("--space", SPACE, "--redis", url, "publish", "x" * 500, "--role", "user", "--session", "s")
    told = run_cli(*line, "--spool", spool, "--spool-bytes", "100")
    assert (told.returncode, told.stdout) == (3, "")
    assert "no room" in told.stderr


def test_without_a_spool_the_command_keeps_nothing(tmp_path: Path) -> None:
    told = run_cli("--space", SPACE, "--redis", "redis://127.0.0.1:1", "spool", "status")
    assert told.returncode == 2
    assert "MNEMOLOG_SPOOL" in told.stderr
