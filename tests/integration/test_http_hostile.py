"""The HTTP API on a real port before clients that mean it no good: slow ones, silent ones, many at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import msgspec
import pytest
import redis as redis_py
from support.http_api import LOCKED, OPEN, Served, memories_in, writing
from support.stories import settings_in

from mnemolog.gateway.http import connections

HURRIED = msgspec.structs.replace(OPEN, request_s=0.3)
HEAD = b"POST /v1/spaces/ada/recall HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture
def server(tmp_path: Path, redis: redis_py.Redis, redis_url: str) -> Iterator[Served]:
    with Served(memories_in(tmp_path, redis_url), HURRIED) as served:
        yield served


def connected(server: Served) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def ended(client: socket.socket) -> bool:
    """Whether the server ends a connection without an answer. Raises TimeoutError where it does not."""
    try:
        return client.recv(1000) == b""
    except ConnectionResetError:
        return True


def dripped(client: socket.socket) -> bool:
    """Whether the server ends a connection to which a byte is sent again and again. Raises TimeoutError otherwise."""
    client.settimeout(0.02)
    for _ in range(500):
        try:
            client.send(b"x")
            return ended(client)
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return True
    raise TimeoutError


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET /v1/spaces HT", id="head"),
        pytest.param(HEAD + b"X-", id="header"),
        pytest.param(HEAD + b"Content-Length: 1000\r\n\r\n", id="body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n", id="chunked body"),
    ],
)
def test_a_request_that_comes_a_byte_at_a_time_is_given_up(server: Served, sent: bytes) -> None:
    with connected(server) as client:
        client.sendall(sent)
        assert dripped(client)


def test_a_connection_on_which_nothing_comes_is_given_up_and_one_in_use_is_not(server: Served) -> None:
    with connected(server) as silent, httpx2.Client(base_url=server.url) as busy:
        assert busy.get("/v1/spaces").status_code == 200
        assert ended(silent)
        assert busy.get("/v1/spaces").status_code == 200


def test_a_stream_outlives_the_time_that_a_request_may_take(
    tmp_path: Path, redis: redis_py.Redis, redis_url: str
) -> None:
    beating = msgspec.structs.replace(HURRIED, heartbeat_s=0.2)
    message = {"role": "user", "content": "Hello.", "session": "monday"}
    with (
        writing(redis, settings_in(tmp_path, "ada")),
        Served(memories_in(tmp_path, redis_url), beating) as server,
        httpx2.Client(base_url=f"{server.url}/v1/spaces/ada/", timeout=10) as client,
    ):
        assert client.post("events", json=message, params={"wait": "true"}).json()["folded"]
        with client.stream("GET", "stream") as answer:
            beats = (line for line in answer.iter_lines() if line.startswith(":"))
            assert len([next(beats) for _ in range(4)]) == 4


def test_silent_connections_beyond_a_bound_make_room_for_those_that_ask(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 5)
    with Served(memories_in(tmp_path, redis_url), OPEN) as server, ExitStack() as held:
        busy = held.enter_context(httpx2.Client(base_url=server.url))
        assert busy.get("/readyz").status_code == 200
        for _ in range(3):
            silent = [held.enter_context(connected(server)) for _ in range(20)]
            assert ended(silent[0])
            assert httpx2.get(f"{server.url}/readyz").status_code == 200
            assert busy.get("/readyz").status_code == 200


def test_bodies_that_never_come_after_a_refusal_make_room_too(
    tmp_path: Path, redis: redis_py.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    with Served(memories_in(tmp_path, redis_url), LOCKED) as server, ExitStack() as held:
        for _ in range(2):
            refused = held.enter_context(connected(server))
            refused.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
            assert refused.recv(12) == b"HTTP/1.1 401"
        assert httpx2.get(f"{server.url}/readyz").status_code == 200


def test_a_connection_that_comes_when_all_are_in_use_is_closed_at_once(
    tmp_path: Path, redis: redis_py.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    with Served(memories_in(tmp_path, redis_url), OPEN) as server, ExitStack() as held:
        for _ in range(2):
            asking = held.enter_context(connected(server))
            asking.sendall(HEAD + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
            assert asking.recv(12) == b"HTTP/1.1 100"
        assert ended(held.enter_context(connected(server)))


def test_streams_that_come_together_are_bounded_too(tmp_path: Path, redis: redis_py.Redis, redis_url: str) -> None:
    few = msgspec.structs.replace(OPEN, streams_per_caller=3)
    memories = memories_in(tmp_path, redis_url)
    with Served(memories, few) as server, ExitStack() as held:
        clients = [held.enter_context(connected(server)) for _ in range(12)]
        for client in clients:
            client.sendall(b"GET /v1/spaces/ada/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        statuses = [client.recv(12).decode() for client in clients]
        assert statuses.count("HTTP/1.1 429") == 9, statuses


def test_connections_leave_files_for_the_rest() -> None:
    assert 0 < connections.most_connections() <= max(1, os.sysconf("SC_OPEN_MAX") // 2)
